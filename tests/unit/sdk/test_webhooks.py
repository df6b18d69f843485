"""Webhooks are verified as the deployment signs them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from patchbay_sdk.errors import WebhookInvalid
from patchbay_sdk.webhooks import verify

from patchbay.alerts.signing import new_secret, signed_headers

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
BODY = json.dumps({"type": "alert.firing", "data": {"summary": "42 % of events failed"}}).encode()


def signed(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    return dict(signed_headers(secrets, "ntf_1", body, NOW))


def test_a_message_of_the_deployment_is_given_back() -> None:
    secret = new_secret()
    message = verify(secret, signed(secret), BODY, now=NOW.timestamp() + 60)
    assert message["type"] == "alert.firing"
    # Frameworks write the names of headers as they like
    shouted = {name.upper(): value for name, value in signed(secret).items()}
    assert verify(secret, shouted, BODY.decode(), now=NOW.timestamp()) == message


def test_either_secret_will_do_while_one_is_rotated() -> None:
    old, new = new_secret(), new_secret()
    both = signed(new, old)
    assert verify(old, both, BODY, now=NOW.timestamp())
    assert verify(new, both, BODY, now=NOW.timestamp())
    assert verify([old, new], signed(new), BODY, now=NOW.timestamp())


@pytest.mark.parametrize("seconds", [301, -301])
def test_a_message_of_another_time_is_refused(seconds: int) -> None:
    secret = new_secret()
    with pytest.raises(WebhookInvalid, match="clock"):
        verify(secret, signed(secret), BODY, now=NOW.timestamp() + seconds)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_counts(name: str) -> None:
    secret = new_secret()
    headers = signed(secret)
    with pytest.raises(WebhookInvalid):
        verify(secret, {**headers, name: headers[name][:-1] + "9"}, BODY, now=NOW.timestamp())
    del headers[name]
    with pytest.raises(WebhookInvalid, match=name):
        verify(secret, headers, BODY, now=NOW.timestamp())


@pytest.mark.parametrize(
    "signature", ["", "v1", "v1,", "v2,abc", "v1a,abc", "v1,\u00e9", "v1,YQ=="]
)
def test_what_is_not_a_signature_of_the_secret_is_refused(signature: str) -> None:
    secret = new_secret()
    headers = {**signed(secret), "webhook-signature": signature}
    with pytest.raises(WebhookInvalid):
        verify(secret, headers, BODY, now=NOW.timestamp())


def test_another_body_or_another_secret_is_refused() -> None:
    secret = new_secret()
    for other_secret, body in ((secret, BODY + b" "), (new_secret(), BODY)):
        with pytest.raises(WebhookInvalid):
            verify(other_secret, signed(secret), body, now=NOW.timestamp())


@pytest.mark.parametrize("secret", ["", "whsec_", "not base64!", "whsec_ä"])
def test_a_secret_that_is_none_verifies_nothing_and_does_not_show(secret: str) -> None:
    with pytest.raises(ValueError, match="secret") as failed:
        verify(secret, signed(new_secret()), BODY, now=NOW.timestamp())
    assert "not base64" not in str(failed.value)


@pytest.mark.parametrize("body", [b"not JSON", b"[]"])
def test_a_body_that_is_not_an_object_is_refused(body: bytes) -> None:
    secret = new_secret()
    with pytest.raises(WebhookInvalid, match="JSON"):
        verify(secret, signed(secret, body=body), body, now=NOW.timestamp())


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", ["\udcff", None, ["ntf_1"]])
def test_a_header_that_is_no_text_is_refused(name: str, value: Any) -> None:
    secret = new_secret()
    with pytest.raises(WebhookInvalid):
        verify(secret, {**signed(secret), name: value}, BODY, now=NOW.timestamp())


def test_a_body_that_is_no_text_is_refused() -> None:
    secret = new_secret()
    with pytest.raises(WebhookInvalid):
        verify(secret, signed(secret), "\udcff", now=NOW.timestamp())
