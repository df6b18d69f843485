"""Signatures, verified with the library of Standard Webhooks, and pauses between attempts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from patchbay.alerts.notifier import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    LONGEST_RETRY_AFTER,
    pause,
)
from patchbay.alerts.outbox import GIVE_UP_AFTER
from patchbay.alerts.signing import new_secret, signed_headers


@given(st.text(max_size=200), st.from_regex(r"ntf_[0-9a-f]{32}", fullmatch=True))
def test_the_library_verifies_our_signatures(body: str, message_id: str) -> None:
    one, two = new_secret(), new_secret()
    headers = dict(signed_headers([one, two], message_id, body.encode(), datetime.now(UTC)))
    for secret in (one, two):
        Webhook(secret).verify(body, headers, json_parse=False)
    for change in (
        {"webhook-id": "ntf_other"},
        {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(one).verify(body, headers | change, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(one).verify(body + " ", headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


def test_secrets_are_32_random_bytes() -> None:
    import base64

    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {32}


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_up_to_a_limit_and_are_half_random(tries: int, roll: float) -> None:
    chosen = pause(tries, None, lambda: roll)
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 20))
    assert longest / 2 <= chosen <= longest


@given(st.integers(1, 50), st.integers(0, 86_400))
def test_a_receiver_can_ask_for_a_longer_pause_but_not_for_a_shorter_one(
    tries: int, seconds: int
) -> None:
    asked = timedelta(seconds=seconds)
    chosen = pause(tries, asked, lambda: 0.0)
    assert chosen >= min(asked, LONGEST_RETRY_AFTER)
    assert chosen >= pause(tries, None, lambda: 0.0)


def test_a_day_of_failures_has_a_bounded_number_of_attempts() -> None:
    for roll, least, most in ((1.0, 15, 21), (0.0, 28, 33)):
        waited, attempts = timedelta(0), 1
        while waited < GIVE_UP_AFTER:
            waited += pause(attempts, None, lambda roll=roll: roll)  # type: ignore[misc]  # the default binds the loop
            attempts += 1
        assert least <= attempts <= most
