"""Requests through the proxy: what the provider gets, what the caller gets, what is kept of it."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.provider import Provider
from patchbay.platform.clock import to_text, utc_now
from patchbay.platform.http import MAX_RAW_BODY_BYTES
from patchbay.tenancy.access import Permission
from tests.integration.api import Answer
from tests.integration.authorizing import REDIRECT_URI, authorization_server, publish_tracker
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET, create_connection, create_source, publish_integration
from tests.integration.test_audit import trail
from tests.integration.test_credentials import path_of, record, restarted
from tests.integration.test_faults import FAULTS, Fault, Network
from tests.integration.upstream import Upstream, answer, upstream

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def provider() -> Iterator[Upstream]:
    with upstream() as served:
        yield served


def connected(tenant: Tenant, base_url: str, **changes: Any) -> dict[str, Any]:
    """A connection of an integration with this base URL, and an API key."""
    publish_integration(
        tenant,
        variablesSchema={"type": "object", "properties": {"team": {"type": "string"}}},
        manifest={"roles": ["source"], "baseUrl": base_url},
        **changes,
    )
    return create_connection(tenant, create_source(tenant, variables={}))


@pytest.fixture
def connection(tenant: Tenant, provider: Upstream) -> dict[str, Any]:
    return connected(tenant, f"{provider.url}/v1")


def proxied(
    tenant: Tenant,
    connection: dict[str, Any],
    target: str,
    method: str = "GET",
    body: str | bytes | None = None,
    **headers: str,
) -> Answer:
    path = path_of(tenant, connection, f"proxy/{target}")
    return tenant.client.call(method, path, body, headers)


def test_a_request_is_sent_with_the_credential_and_its_answer_given_back(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: answer(
        201, b'{"id": 7}', Content_Type="application/json", X_Rate_Limit="9", ETag='"7"'
    )
    made = proxied(
        tenant,
        connection,
        "issues?draft=1",
        "POST",
        '{"title": "New"}',
        content_type="application/json",
        accept="application/json",
        notion_version="2022-06-28",
    )
    # The provider gets the request of the caller
    [asked] = provider.asked
    assert (asked.method, asked.target, asked.body) == (
        "POST",
        "/v1/issues?draft=1",
        b'{"title": "New"}',
    )
    assert asked.values("authorization") == [f"Bearer {SECRET}"]
    assert asked.values("notion-version") == ["2022-06-28"]
    assert asked.values("host") == [f"127.0.0.1:{provider.port}"]
    assert asked.values("content-type") == ["application/json"]
    # And nothing of the caller's hop
    names = {name.lower() for name, _ in asked.headers}
    assert names == {
        *("host", "authorization", "notion-version", "content-type", "accept", "content-length"),
        *("user-agent", "accept-encoding", "connection"),
    }
    # The caller gets the answer of the provider
    assert (made.status, made.body) == (201, b'{"id": 7}')
    assert made.headers["content-type"] == "application/json"
    assert made.headers["etag"] == '"7"'
    assert made.headers["x-rate-limit"] == "9"
    assert made.headers["patchbay-proxied"] == "true"
    assert made.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_bytes_pass_as_they_are_in_both_directions(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream, method: str
) -> None:
    everything = bytes(range(256)) * 40
    provider.answering = lambda asked: answer(200, asked.body or everything)
    body = None if method == "GET" else everything
    back = proxied(tenant, connection, "blob", method, body, content_type="application/zip")
    assert provider.asked[0].method == method
    assert provider.asked[0].body == (body or b"")
    assert back.body == everything
    assert back.headers["content-type"] == "application/octet-stream"


def test_what_is_compressed_stays_compressed(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    packed = gzip.compress(b"x" * 1000)
    provider.answering = lambda _: answer(200, packed, Content_Encoding="gzip")
    back = proxied(tenant, connection, "x", "POST", packed, content_encoding="gzip")
    assert provider.asked[0].values("content-encoding") == ["gzip"]
    assert provider.asked[0].body == packed
    assert (back.body, back.headers["content-encoding"]) == (packed, "gzip")


def test_a_head_has_no_body(tenant: Tenant, connection: dict[str, Any], provider: Upstream) -> None:
    provider.answering = lambda _: b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\nETag: "1"\r\n\r\n'
    back = proxied(tenant, connection, "x", "HEAD")
    assert provider.asked[0].method == "HEAD"
    assert (back.status, back.text, back.headers["etag"]) == (200, "", '"1"')


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404, 418, 429, 500, 503])
def test_what_the_provider_answers_is_told_apart_from_our_own_errors(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream, status: int
) -> None:
    body = b"" if status in (204, 304) else b"<p>theirs</p>"
    provider.answering = lambda _: answer(status, body, Content_Type="text/html")
    back = proxied(tenant, connection, "x")
    assert (back.status, back.body) == (status, body)
    assert back.headers["patchbay-proxied"] == "true"
    assert back.headers["content-type"] == "text/html"
    # Ours has the envelope, and not the mark
    ours = proxied(tenant, connection, "../x")
    assert (ours.status, ours.code) == (400, "VALIDATION_ERROR")
    assert "patchbay-proxied" not in ours.headers


def test_a_path_can_be_given_exactly(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    # The gateway decodes a path but for the percent sign
    proxied(tenant, connection, "a b/é?q=a%20b")
    proxied(tenant, connection, "-?q=1", patchbay_path="projects/group%2Fproject")
    targets = [asked.target for asked in provider.asked]
    assert targets == ["/v1/a%20b/%C3%A9?q=a%20b", "/v1/projects/group%2Fproject?q=1"]
    refused = proxied(tenant, connection, "-", patchbay_path="%2e%2e/admin")
    assert (refused.status, refused.pointers) == (400, ["/headers/Patchbay-Path"])


def test_a_redirect_is_not_followed(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: answer(302, b"", Location="/v1/issues/8?x=1")
    back = proxied(tenant, connection, "issues/7")
    # One below the base leads through the proxy again
    assert back.headers["location"] == path_of(tenant, connection, "proxy/issues/8?x=1")
    # Any other is given under a name that no client follows
    provider.answering = lambda _: answer(302, b"", Location="https://files.example.com/a?sig=1")
    back = proxied(tenant, connection, "issues/7")
    assert "location" not in back.headers
    assert back.headers["patchbay-location"] == "https://files.example.com/a?sig=1"
    assert len(provider.asked) == 2


def test_the_base_url_has_the_values_of_the_endpoint(tenant: Tenant, provider: Upstream) -> None:
    publish_integration(
        tenant,
        variablesSchema={"type": "object", "properties": {"team": {"type": "string"}}},
        manifest={"roles": ["source"], "baseUrl": f"{provider.url}/teams/{{{{variables.team}}}}/"},
    )
    source = create_source(tenant, variables={"team": "a/b"})
    proxied(tenant, create_connection(tenant, source), "issues")
    assert provider.asked[0].target == "/teams/a%2Fb/issues"


def test_a_release_without_a_base_url_has_no_proxy(tenant: Tenant) -> None:
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    back = proxied(tenant, connection, "issues")
    assert (back.status, back.code) == (409, "NO_BASE_URL")


def test_a_destination_is_meant_by_a_header(tenant: Tenant, provider: Upstream) -> None:
    publish_integration(
        tenant, manifest={"roles": ["source", "destination"], "baseUrl": provider.url}
    )
    there = tenant.client.post(
        f"{tenant.connectors}/destinations",
        {
            "name": "There",
            "integration": "acme/crm",
            "variables": {"path": "me"},
            "secrets": {"api_key": "key-of-the-destination"},
        },
    ).json
    both = create_connection(tenant, create_source(tenant), destination_id=there["id"])
    for role, key in (("source", SECRET), ("destination", "key-of-the-destination")):
        proxied(tenant, both, "x", patchbay_role=role)
        assert provider.asked[-1].values("authorization") == [f"Bearer {key}"]
        assert not provider.asked[-1].values("patchbay-role")
    wrong = proxied(tenant, both, "x", patchbay_role="owner")
    assert (wrong.status, wrong.pointers) == (400, ["/headers/Patchbay-Role"])


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        (b"", 502, "connection_reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", 502, "connection_reset"),
        (b"not HTTP at all\r\n\r\n", 502, "unexpected_response"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 502, "unexpected_response"),
        (b"HTTP/1.1 777 Odd\r\nContent-Length: 0\r\n\r\n", 502, "unexpected_response"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            502,
            "unexpected_response",
        ),
    ],
)
def test_an_answer_that_is_none_is_our_error(
    tenant: Tenant,
    connection: dict[str, Any],
    provider: Upstream,
    said: bytes,
    status: int,
    code: str,
) -> None:
    provider.answering = lambda _: said
    back = proxied(tenant, connection, "x", "POST", "{}")
    assert (back.status, back.code) == (status, "PROVIDER_FAILED")
    assert back.json["error"]["details"]["code"] == code
    # What may have been carried out is not sent again
    assert len(provider.asked) == 1


def test_a_provider_that_does_not_answer_is_not_waited_for_for_ever(
    tenant: Tenant,
    connection: dict[str, Any],
    provider: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("patchbay.grants.provider_proxy.PROXY_SECONDS", 0.3)

    def silent(_: Any) -> Iterator[bytes]:
        import time

        time.sleep(1)
        yield b""

    provider.answering = silent
    back = proxied(tenant, connection, "x")
    assert (back.status, back.code) == (504, "PROVIDER_TIMED_OUT")
    counted = record(tenant, connection)
    assert (counted["usageErrorCount"], counted["usageLastErrorCode"]) == (1, "provider_timeout")


def test_an_answer_is_passed_on_whole_or_not_at_all(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: answer(200, b"x" * MAX_RAW_BODY_BYTES)
    assert len(proxied(tenant, connection, "x").body) == MAX_RAW_BODY_BYTES
    provider.answering = lambda _: answer(200, b"x" * (MAX_RAW_BODY_BYTES + 1))
    back = proxied(tenant, connection, "x")
    assert (back.status, back.code) == (502, "PROVIDER_FAILED")
    assert back.json["error"]["details"]["code"] == "response_too_large"
    # In chunks, too, as servers make them
    chunk = b"400\r\n" + b"y" * 1024 + b"\r\n"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 3000 + b"0\r\n\r\n"
    provider.answering = lambda _: chunked
    assert len(proxied(tenant, connection, "x").body) == 3000 * 1024


def test_a_body_that_is_too_large_is_refused(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    back = proxied(tenant, connection, "x", "PUT", b"x" * (MAX_RAW_BODY_BYTES + 1))
    assert (back.status, back.code) == (413, "PAYLOAD_TOO_LARGE")
    assert not provider.asked


def test_text_that_the_gateway_has_broken_is_refused(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    back = proxied(tenant, connection, "x", "PUT", '{"a": "\N{REPLACEMENT CHARACTER}"}')
    assert back.status == 400
    assert not provider.asked


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((status, None) for status in (200, 204, 302, 400, 404, 409, 422)),
        (401, "auth_invalid"),
        (403, "permission_denied"),
        (429, "rate_limited"),
        (500, "provider_error"),
        (503, "provider_error"),
    ],
)
def test_requests_are_counted_by_what_they_say_about_the_connection(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream, status: int, code: str | None
) -> None:
    provider.answering = lambda _: answer(status, b"")
    proxied(tenant, connection, "x")
    counted = record(tenant, connection)
    assert counted["usageRequestCount"] == 1
    assert counted["usageErrorCount"] == (code is not None)
    assert counted.get("usageLastErrorCode") == code


def test_uses_are_events_if_the_connection_asks(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    health = f"/spaces/{tenant.space_slug}/integration-health"
    proxied(tenant, connection, "x")
    assert tenant.client.get(health).json["total_events"] == 0
    asked = tenant.client.patch(
        f"{tenant.connectors}/connections/{connection['id']}", {"record_uses": True}
    )
    assert asked.json["record_uses"] is True
    proxied(tenant, connection, "x")
    tenant.client.get(path_of(tenant, connection))
    provider.answering = lambda _: answer(503, b"")
    proxied(tenant, connection, "x")
    [usage] = tenant.client.get(health).json["by_integration_type"]
    assert (usage["integration_type"], usage["total"], usage["errors"]) == ("usage", 3, 1)
    events = tenant.client.get(f"/spaces/{tenant.space_slug}/integration-events").json["items"]
    assert {event["connection_id"] for event in events} == {connection["id"]}
    [failed] = [event for event in events if event["status"] == "ERROR"]
    assert failed["error_code"] == "provider_error"
    # A null where a value is required is refused
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.patch(path, {"record_uses": None}).pointers == ["/record_uses"]


def test_a_request_that_was_not_sent_is_not_counted(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    assert proxied(tenant, connection, "../x").status == 400
    assert proxied(tenant, connection, "x", x_http_method_override="DELETE").status == 400
    assert record(tenant, connection)["usageRequestCount"] == 0


def test_a_provider_that_asks_to_wait_is_left_alone_for_a_while(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream
) -> None:
    provider.answering = lambda _: answer(429, b"slow down", Retry_After="600")
    back = proxied(tenant, connection, "x")
    assert (back.status, back.body, back.headers["retry-after"]) == (429, b"slow down", "600")
    # Then it is our answer, for half a minute at most
    ours = proxied(tenant, connection, "x")
    assert (ours.status, ours.code) == (429, "RATE_LIMITED")
    assert ours.json["error"]["details"] == {"quota": "provider_cooldown"}
    assert 1 <= int(ours.headers["retry-after"]) <= 30
    assert len(provider.asked) == 1
    # The credential can still be read, and another connection is not held up
    assert tenant.client.get(path_of(tenant, connection)).status == 200
    other = create_connection(tenant, create_source(tenant, variables={}))
    proxied(tenant, other, "x")
    assert len(provider.asked) == 2


def test_the_first_request_of_a_caller_in_an_hour_is_in_the_audit_trail(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    for _ in range(3):
        proxied(tenant, connection, "x")
    key = tenant.client.post(
        f"/v1/organizations/{tenant.organization_id}/api-keys",
        {"name": "other", "permissions": [Permission.USE]},
    ).json
    another = Tenant(
        tenant.organization_id,
        tenant.space_id,
        tenant.space_slug,
        tenant.client.with_key(key["key"]),
    )
    proxied(another, connection, "x")
    events = [event for event in trail(tenant) if event["action"] == "proxied"]
    assert {event["subject"] for event in events} == {key["id"], events[-1]["subject"]}
    assert [event["after"] for event in events] == [{"role": "source"}] * 2


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_failed_write_sends_nothing_twice_and_counts_nothing_twice(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream, fault: Fault
) -> None:
    network = Network()
    proxied(tenant, connection, "x")  # which makes the items, and the event of this hour
    network.expect()
    assert proxied(tenant, connection, "x", "POST", "{}").status == 200
    # The lease of the organization, that of the connection, the end of the use, the first lease's
    assert network.writes == 4
    for at in range(1, 5):
        counted, asked = record(tenant, connection)["usageRequestCount"], len(provider.asked)
        network.expect(fault, at)
        back = proxied(tenant, connection, "x", "POST", "{}")
        network.expect()
        # A lease that can't be had sends nothing. Afterwards the caller has the answer, whatever
        # becomes of the count
        assert len(provider.asked) - asked == (back.headers.get("patchbay-proxied") == "true")
        assert back.status == 200 or (back.status == 503 and at < 3)
        more = record(tenant, connection)["usageRequestCount"] - counted
        assert more <= (back.status == 200)
        assert more == (back.status == 200) or (at == 3 and not fault.applied)


def test_the_proxy_can_be_switched_off(
    tenant: Tenant,
    connection: dict[str, Any],
    provider: Upstream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restarted(monkeypatch, credential_use="disabled")
    back = proxied(tenant, connection, "x")
    assert (back.status, back.code) == (403, "CREDENTIAL_USE_DISABLED")
    assert not provider.asked


def test_nothing_of_a_request_or_an_answer_is_logged(
    tenant: Tenant, connection: dict[str, Any], provider: Upstream, log: Any
) -> None:
    provider.answering = lambda _: answer(200, b"told-in-the-answer", X_Note="told-in-a-header")
    proxied(tenant, connection, "told-in-the-path?told-in-the-query", "POST", "told-in-the-body")
    said = log.getvalue()
    assert "told-in" not in said
    assert SECRET not in said
    assert json.loads(said.splitlines()[-1])["route"].endswith("/proxy/{path+}")


# ---------------------------------------------------------------- access tokens


@pytest.fixture
def served(deployed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with authorization_server(tmp_path, monkeypatch) as server:
        yield server


@pytest.fixture
def tracker(tenant: Tenant, served: Provider) -> dict[str, Any]:
    """A connection whose client gets its access tokens by itself."""
    publish_tracker(
        tenant,
        served.port,
        authConfig={"grantType": "client_credentials", "authorizationUrl": None},
        manifest={"roles": ["source"], "baseUrl": served.https_url},
    )
    client = served.oauth.register(REDIRECT_URI)
    secrets = {"client_id": client.id, "client_secret": client.secret}
    source = create_source(tenant, integration="acme/tracker", variables={}, secrets=secrets)
    return create_connection(tenant, source)


def test_an_access_token_is_renewed_before_it_is_given(
    tenant: Tenant, tracker: dict[str, Any], served: Provider
) -> None:
    given = tenant.client.get(path_of(tenant, tracker))
    assert given.status == 200, given.text
    assert served.oauth.scopes_of(given.json["access_token"]) is not None
    assert given.json["expires_at"] > to_text(utc_now())
    assert given.json["header"]["value"] == f"Bearer {given.json['access_token']}"
    assert "client_secret" not in given.text
    # It is given again as long as it is good
    again = tenant.client.get(path_of(tenant, tracker))
    assert again.json["access_token"] == given.json["access_token"]
    assert len(served.oauth.token_requests) == 1
    # And the proxy sends it
    back = proxied(tenant, tracker, "me")
    assert (back.status, back.json) == (200, {"login": "octocat"})
    assert len(served.oauth.token_requests) == 1


def test_a_token_that_the_provider_refuses_is_renewed_once(
    tenant: Tenant, tracker: dict[str, Any], served: Provider
) -> None:
    assert proxied(tenant, tracker, "me").status == 200
    served.oauth._access_tokens.clear()
    served.requests.clear()
    back = proxied(tenant, tracker, "echo", "POST", b"\x00\xff", content_type="application/zip")
    assert back.status == 200
    assert len(served.oauth.token_requests) == 2
    # The body was sent again as it is
    asked = [path for path, _ in served.requests if path.startswith("/echo")]
    assert len(asked) == 2
    assert record(tenant, tracker)["usageErrorCount"] == 0


def test_a_401_that_no_token_helps_against_asks_for_no_token_again_and_again(
    tenant: Tenant, tracker: dict[str, Any], served: Provider
) -> None:
    assert proxied(tenant, tracker, "me").status == 200
    served.requests.clear()
    for _ in range(3):
        back = proxied(tenant, tracker, "401")
        assert (back.status, back.headers["patchbay-proxied"]) == (401, "true")
    assert len(served.oauth.token_requests) == 2
    asked = [path for path, _ in served.requests if path == "/401"]
    assert len(asked) == 4


def test_a_grant_that_has_ended_says_what_to_do(
    tenant: Tenant, tracker: dict[str, Any], served: Provider
) -> None:
    served.oauth.faults += ["invalid_client"] * 5
    for back in (tenant.client.get(path_of(tenant, tracker)), proxied(tenant, tracker, "me")):
        assert (back.status, back.code) == (422, "CREDENTIAL_UNUSABLE")
        details = back.json["error"]["details"]
        assert details["required_action"] == "reauthorize"
        assert details["errors"][0]["pointer"].startswith(("/secrets/", "/grant"))
    assert not [path for path, _ in served.requests if path == "/me"]
    counted = record(tenant, tracker)
    assert (counted["usageRequestCount"], counted["usageErrorCount"]) == (2, 2)
