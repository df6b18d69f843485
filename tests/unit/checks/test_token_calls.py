"""Calls for tokens: what comes back, in all the forms that providers have for it."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from patchbay.checks.failures import CheckFailure
from patchbay.checks.token_calls import IssuedTokens
from patchbay.egress.guard import EgressGuard
from tests.unit.checks import doubles
from tests.unit.checks.oauth_targets import (
    CLIENT,
    HOSTNAME,
    REDIRECT_URI,
    STRING,
    TokenServer,
    recipe,
)

pytestmark = pytest.mark.enable_socket
REFRESH = {"refresh_token": "refresh-me-4242"}


def renewed(tmp_path: Path, answer: bytes, **more: Any) -> tuple[IssuedTokens, TokenServer]:
    """What a refresh gives if the provider answers so."""
    server = TokenServer(tmp_path, answer)

    async def refresh(port: int, guard: EgressGuard, deadline: float) -> IssuedTokens:
        renewal = recipe(port=port, **more).renewal
        assert renewal
        return await renewal.refresh({}, CLIENT, secrets=REFRESH).run(guard, deadline=deadline)

    return server.run(refresh), server


def exchanged(tmp_path: Path, answer: bytes, **more: Any) -> IssuedTokens:
    """What the exchange of a code gives if the provider answers so."""

    async def exchange(port: int, guard: EgressGuard, deadline: float) -> IssuedTokens:
        flow = recipe(port=port, **more).authorization
        assert flow
        call = flow.exchange({}, CLIENT, code="c", redirect_uri=REDIRECT_URI, code_verifier="v")
        return await call.run(guard, deadline=deadline)

    return TokenServer(tmp_path, answer).run(exchange)


def http_response(status: int, body: str) -> bytes:
    return doubles.http_response(f"{status} Status", body.encode())


def answer(**document: Any) -> bytes:
    return http_response(200, json.dumps({"access_token": "t-1", **document}))


def refused(tmp_path: Path, status: int, body: str, **more: Any) -> CheckFailure:
    with pytest.raises(CheckFailure) as failed:
        renewed(tmp_path, http_response(status, body), **more)
    return failed.value


def test_an_answer_of_rfc_6749(tmp_path: Path) -> None:
    found, server = renewed(
        tmp_path,
        answer(refresh_token="r-2", expires_in=3600, refresh_token_expires_in=60, scope="read x"),
    )

    assert found == IssuedTokens("t-1", "r-2", 3600, 60, ("read", "x"))
    assert found.missing(["read", "write"]) == ["write"]
    assert "t-1" not in repr(found)
    assert "r-2" not in repr(found)
    assert dict(parse_qsl(server.bodies[0])) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-me-4242",
    }
    assert "Authorization: Basic " in server.heads[0]


def test_an_answer_that_says_nothing_else(tmp_path: Path) -> None:
    found, _ = renewed(tmp_path, answer())

    assert found == IssuedTokens("t-1")
    assert found.missing(["read"]) == []


@pytest.mark.parametrize(
    ("expires_in", "more", "left"),
    [
        ("3600", {}, 3600),
        (3_600_000, {"expiresInUnit": "milliseconds"}, 3600),
        (-5, {}, None),
        (0, {"defaultExpiresIn": 7200}, 7200),
        (None, {"defaultExpiresIn": 7200}, 7200),
        (10**30, {"defaultExpiresIn": 7200}, 7200),
        (60, {"defaultExpiresIn": 7200}, 60),
    ],
)
def test_when_a_token_expires(
    tmp_path: Path, expires_in: Any, more: dict[str, Any], left: int | None
) -> None:
    found, _ = renewed(tmp_path, answer(expires_in=expires_in), **more)

    assert found.expires_in_seconds == left


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("a b", ("a", "b")),
        ("a,b", ("a", "b")),
        (["a", "b", 1, ""], ("a", "b")),
        ("", None),
        ([], None),
        (None, None),
        (7, None),
    ],
)
def test_the_scopes_of_an_answer(
    tmp_path: Path, scope: Any, scopes: tuple[str, ...] | None
) -> None:
    assert renewed(tmp_path, answer(scope=scope))[0].scopes == scopes


def test_an_answer_in_a_form(tmp_path: Path) -> None:
    # GitHub without the header Accept.
    body = "access_token=gho_1&expires_in=28800&refresh_token=ghr_1&refresh_token_expires_in=15"
    found, _ = renewed(tmp_path, http_response(200, body))

    assert found == IssuedTokens("gho_1", "ghr_1", 28_800, 15)


def test_parts_are_where_the_integration_says(tmp_path: Path) -> None:
    document = {"data": {"t": "t-9", "r": "r-9", "s": ["a"], "e": 5, "re": 6}}
    found, _ = renewed(
        tmp_path,
        http_response(200, json.dumps(document)),
        tokenResponse={
            "accessToken": "/data/t",
            "refreshToken": "/data/r",
            "scope": "/data/s",
            "expiresIn": ["/none", "/data/e"],
            "refreshExpiresIn": "/data/re",
        },
    )

    assert found == IssuedTokens("t-9", "r-9", 5, 6, ("a",))


def test_slack_nests_the_token_of_a_user(tmp_path: Path) -> None:
    # https://docs.slack.dev/reference/methods/oauth.v2.access
    document = {"ok": True, "authed_user": {"access_token": "xoxp-1", "expires_in": 43_200}}
    found, _ = renewed(tmp_path, http_response(200, json.dumps(document)))

    assert (found.access_token, found.expires_in_seconds) == ("xoxp-1", 43_200)


def test_variables_of_an_answer_are_captured(tmp_path: Path) -> None:
    capture = {
        "tokenResponse": {
            "/instance_url": {"variable": "instance", "hosts": ["*.salesforce.com"]},
            "/team/id": "team",
            "/missing": "other",
        }
    }
    given = answer(instance_url="https://acme.my.salesforce.com", team={"id": 7})
    variables = {"instance": HOSTNAME, "team": STRING, "other": STRING}
    found = exchanged(tmp_path, given, capture=capture, variables=variables)

    assert found.captured == {"instance": "acme.my.salesforce.com", "team": "7"}


def test_a_host_that_is_not_allowed_ends_an_exchange_and_costs_no_refresh(tmp_path: Path) -> None:
    given = answer(instance_url="https://evil.example.com", refresh_token="r-2")
    rule = {"variable": "v", "hosts": ["*.salesforce.com"]}
    more: dict[str, Any] = {
        "capture": {"tokenResponse": {"/instance_url": rule}},
        "variables": {"v": HOSTNAME},
    }
    with pytest.raises(CheckFailure) as failed:
        exchanged(tmp_path, given, **more)

    failure = failed.value
    assert (failure.code, failure.field_pointer) == ("unexpected_response", "/variables/v")
    assert "evil" not in failure.summary
    # The answer to a refresh may have the only token that the next refresh is possible with.
    found, _ = renewed(tmp_path, given, **more)
    assert (found.refresh_token, found.captured) == ("r-2", {})


@pytest.mark.parametrize(
    ("status", "body", "is_gone"),
    [
        (400, '{"error": "invalid_grant"}', True),
        (400, '{"error": "invalid_grant", "error_description": "Token has been revoked."}', True),
        (401, '{"error": "invalid_client"}', False),
        (400, '{"error": "invalid_request"}', False),
        (429, "", False),
        (500, "", False),
        (503, '{"error": "temporarily_unavailable"}', False),
        (200, '{"error": "bad_refresh_token"}', True),
    ],
)
def test_a_grant_that_is_gone_is_told_apart(
    tmp_path: Path, status: int, body: str, is_gone: bool
) -> None:
    assert refused(tmp_path, status, body).is_grant_gone is is_gone


def test_a_code_that_has_expired_is_not_a_grant_that_is_gone(tmp_path: Path) -> None:
    server = TokenServer(tmp_path, http_response(400, '{"error": "invalid_grant"}'))

    async def exchange(port: int, guard: EgressGuard, deadline: float) -> IssuedTokens:
        of = recipe(port=port).authorization
        assert of
        call = of.exchange({}, CLIENT, code="c", redirect_uri="https://a/", code_verifier="v")
        return await call.run(guard, deadline=deadline)

    with pytest.raises(CheckFailure) as failed:
        server.run(exchange)
    assert not failed.value.is_grant_gone


def test_a_dial_that_fails_is_a_failure(tmp_path: Path) -> None:
    async def refresh(port: int, guard: EgressGuard, deadline: float) -> IssuedTokens:
        renewal = recipe(tokenUrl="https://other.example.net/token").renewal
        assert renewal
        return await renewal.refresh({}, CLIENT, secrets=REFRESH).run(guard, deadline=deadline)

    with pytest.raises(CheckFailure) as failed:
        TokenServer(tmp_path).run(refresh)
    assert failed.value.code == "dns_error"
    assert not failed.value.is_grant_gone


def test_a_token_that_can_not_be_sent_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, 200, '{"access_token": "a\\r\\nb"}').code == "unexpected_response"


def test_a_refresh_may_have_a_url_and_parameters_of_its_own(tmp_path: Path) -> None:
    renewal = recipe(
        refreshUrl="https://{{variables.region}}.example.com/refresh",
        refreshParams={"request": "token"},
        tokenParams={"expiring": "1"},
        clientAuth="body",
        variables={"region": STRING | {"default": "eu"}},
    ).renewal
    assert renewal
    call = renewal.refresh({}, CLIENT, secrets=REFRESH)

    assert call.request.target.url == "https://eu.example.com/refresh"
    assert dict(parse_qsl(call.request.body.decode())) == {
        "grant_type": "refresh_token",
        "client_id": "client:1",
        "client_secret": "s3cret/of+client",
        "refresh_token": "refresh-me-4242",
        "request": "token",
    }
    assert renewal.needs_refresh_token
    assert renewal.scopes == ()


def test_without_parameters_of_its_own_a_refresh_has_those_of_all_requests() -> None:
    cases: list[tuple[dict[str, Any], bool]] = [({}, True), ({"refreshParams": {}}, False)]
    for more, is_sent in cases:
        renewal = recipe(tokenParams={"expiring": "1"}, **more).renewal
        assert renewal
        body = renewal.refresh({}, CLIENT, secrets=REFRESH).request.body
        assert (b"expiring" in body) is is_sent


def test_a_grant_of_the_client_is_renewed_by_itself() -> None:
    renewal = recipe(
        grantType="account_credentials",
        tokenParams={"account_id": "{{variables.account}}"},
        variables={"account": STRING},
    ).renewal
    assert renewal
    assert not renewal.needs_refresh_token
    assert renewal.scopes == ("read", "write")
    body = dict(
        parse_qsl(renewal.refresh({"account": "a"}, CLIENT, secrets={}).request.body.decode())
    )
    assert body == {"grant_type": "account_credentials", "scope": "read write", "account_id": "a"}


def test_a_pasted_refresh_token_is_renewed() -> None:
    renewal = recipe(grantType="refresh_token").renewal

    assert renewal
    assert renewal.needs_refresh_token
