"""How a token is taken back: by RFC 7009, and in the forms that providers have for it."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import pytest

from patchbay.checks.failures import CheckFailure
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.templates import ValueRefused
from patchbay.checks.token_revocation import RevocationCall
from patchbay.egress.guard import EgressGuard
from tests.unit.checks.doubles import http_response
from tests.unit.checks.oauth_targets import CLIENT, HOST, STRING, TokenServer, problems, recipe

URL = f"https://{HOST}/revoke"
Hint = Literal["access_token", "refresh_token"]


def revocation(
    hint: Hint = "refresh_token", client: OAuthClient | None = CLIENT, **more: Any
) -> RevocationCall | None:
    secrets = more.pop("secrets", None)
    made = recipe(**{"revocationUrl": URL, **more})
    assert made.problems == ()
    return made.revocation({}, client, token=f"the-{hint}", hint=hint, secrets=secrets)


def test_a_release_without_a_url_revokes_nothing() -> None:
    made = recipe()

    assert made.revocation({}, CLIENT, token="t", hint="access_token") is None


@pytest.mark.parametrize("hint", ["access_token", "refresh_token"])
def test_rfc_7009(hint: Hint) -> None:
    call = revocation(hint)
    assert call
    encoded = b64encode(b"client%3A1:s3cret%2Fof%2Bclient").decode()

    assert (call.request.method, call.request.target.url) == ("POST", URL)
    assert dict(parse_qsl(call.request.body.decode())) == {
        "token": f"the-{hint}",
        "token_type_hint": hint,
    }
    assert ("Authorization", f"Basic {encoded}") in call.request.headers
    assert call.secret_values == (encoded,)
    assert call.request.credentialed


def test_the_client_shows_who_it_is_as_for_a_token() -> None:
    call = revocation(clientAuth="body")
    assert call
    assert dict(parse_qsl(call.request.body.decode()))["client_secret"] == "s3cret/of+client"
    call = revocation(revocation={"auth": "none"}, client=None)
    assert call
    assert "Authorization" not in dict(call.request.headers)


def test_github() -> None:
    # https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-authorization
    more: dict[str, Any] = {
        "revocationUrl": "https://api.github.com/applications/{{secrets.client_id}}/grant",
        "revocation": {
            "method": "DELETE",
            "bodyFormat": "json",
            "auth": "basic",
            "params": {"access_token": "{{secrets.access_token}}"},
            "headers": {"X-GitHub-Api-Version": "2022-11-28"},
        },
        "clientAuth": "body",
    }
    call = revocation("access_token", OAuthClient("Iv1.a", "s"), **more)
    assert call
    assert (call.request.method, call.request.target.url) == (
        "DELETE",
        "https://api.github.com/applications/Iv1.a/grant",
    )
    assert json.loads(call.request.body) == {"access_token": "the-access_token"}
    headers = dict(call.request.headers)
    assert headers["Content-Type"] == "application/json"
    assert headers["X-GitHub-Api-Version"] == "2022-11-28"
    assert headers["Authorization"].startswith("Basic ")
    assert revocation("refresh_token", **more) is None


def test_hubspot() -> None:
    # https://developers.hubspot.com/docs/api-reference/legacy/auth/delete-refresh-token
    more: dict[str, Any] = {
        "revocationUrl": "https://api.hubapi.com/oauth/v1/refresh-tokens/{{secrets.refresh_token}}",
        "revocation": {"method": "DELETE", "auth": "none", "params": {}},
    }
    call = revocation(**more)
    assert call
    assert call.request.target.url.endswith("/refresh-tokens/the-refresh_token")
    assert call.request.body == b""
    assert "Content-Type" not in dict(call.request.headers)
    assert revocation("access_token", **more) is None


def test_square() -> None:
    # https://developer.squareup.com/reference/square/o-auth-api/revoke-token
    call = revocation(
        "access_token",
        revocation={
            "bodyFormat": "json",
            "auth": "none",
            "params": {
                "client_id": "{{secrets.client_id}}",
                "access_token": "{{secrets.access_token}}",
            },
            "headers": {"Authorization": "Client {{secrets.client_secret}}"},
        },
    )
    assert call
    assert ("Authorization", "Client s3cret/of+client") in call.request.headers
    assert json.loads(call.request.body)["client_id"] == "client:1"


def test_slack() -> None:
    # https://docs.slack.dev/reference/methods/auth.revoke
    more: dict[str, Any] = {
        "revocationUrl": "https://slack.com/api/auth.revoke",
        "revocation": {"method": "GET", "auth": "token", "params": {}},
    }
    call = revocation("access_token", **more)
    assert call
    assert (call.request.method, call.request.target.url) == (
        "GET",
        "https://slack.com/api/auth.revoke",
    )
    assert ("Authorization", "Bearer the-access_token") in call.request.headers
    assert revocation("refresh_token", **more) is None


@pytest.mark.parametrize("form", [{"method": "GET"}, {"method": "DELETE"}, {"bodyFormat": "query"}])
def test_parameters_of_a_request_without_a_body_are_in_the_query(form: dict[str, str]) -> None:
    call = revocation(revocation=form)
    assert call
    assert call.request.target.url == f"{URL}?token=the-refresh_token&token_type_hint=refresh_token"
    assert call.request.body == b""


def test_a_form_that_needs_both_tokens_gets_them_both() -> None:
    more: dict[str, Any] = {
        "revocation": {
            "params": {"a": "{{secrets.access_token}}", "r": "{{secrets.refresh_token}}"}
        }
    }

    assert revocation(**more) is None
    call = revocation(secrets={"access_token": "other"}, **more)
    assert call
    assert dict(parse_qsl(call.request.body.decode())) == {"a": "other", "r": "the-refresh_token"}


def test_variables_lead_to_https_only() -> None:
    made = recipe(
        revocationUrl="{{variables.base}}/revoke",
        variables={"base": {"type": "string", "format": "uri"}},
    )

    with pytest.raises(ValueRefused):
        made.revocation({"base": "http://a.example.com"}, CLIENT, token="t", hint="access_token")


@pytest.mark.parametrize(
    ("more", "pointer", "message"),
    [
        ({"revocation": {}}, "/revocation", "needs a revocationUrl"),
        ({"revocationUrl": "http://a.example.com/"}, "/revocationUrl", "must be an https URL"),
        ({"revocationUrl": 1}, "/revocationUrl", "must be a string"),
        (
            {"revocationUrl": URL, "revocation": {"method": "PUT"}},
            "/revocation/method",
            "must be o",
        ),
        ({"revocationUrl": URL, "revocation": {"auth": "x"}}, "/revocation/auth", "must be one of"),
        ({"revocationUrl": URL, "revocation": {"x": 1}}, "/revocation/x", "is not a known key"),
        (
            {"revocationUrl": URL, "revocation": {"bodyFormat": "xml"}},
            "/revocation/bodyFormat",
            "must be one of",
        ),
        (
            {"revocationUrl": URL, "revocation": {"params": {"a": "b"}}},
            "/revocation/params",
            "must have the access token or the refresh token",
        ),
        (
            {"revocationUrl": URL, "revocation": {"params": {f"p{n}": "x" for n in range(21)}}},
            "/revocation/params",
            "has more than 20 parameters",
        ),
        (
            {"revocationUrl": URL, "revocation": {"headers": {"Authorization": "x"}}},
            "/revocation/headers/Authorization",
            "is set by",
        ),
        (
            {"revocationUrl": URL, "revocation": {"headers": {"X": "a\r\nb"}}},
            "/revocation/headers/X",
            "has characters",
        ),
        (
            {"revocationUrl": "https://{{variables.v}}.com/", "capture": {"callback": {"x": "v"}}},
            "/revocationUrl",
            "has a captured variable",
        ),
    ],
)
def test_what_can_not_be_is_a_problem(more: dict[str, Any], pointer: str, message: str) -> None:
    [(found, said)] = problems(variables={"v": STRING}, **more).items()

    assert found == f"/authConfig{pointer}"
    assert said.startswith(message)


def run(tmp_path: Path, status: str, body: bytes = b"") -> None:
    async def revoke(port: int, guard: EgressGuard, deadline: float) -> None:
        made = recipe(revocationUrl=f"https://{HOST}:{port}/revoke")
        call = made.revocation({}, CLIENT, token="t", hint="refresh_token")
        assert call
        await call.run(guard, deadline=deadline)

    TokenServer(tmp_path, http_response(status, body)).run(revoke)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", b""),
        ("204 No Content", b""),
        ("200 OK", b'{"ok": true, "revoked": true}'),
        ("404 Not Found", b""),
        ("410 Gone", b""),
    ],
)
def test_a_token_that_is_gone(tmp_path: Path, status: str, body: bytes) -> None:
    run(tmp_path, status, body)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        ("200 OK", b'{"ok": false, "error": "invalid_auth"}', "auth_invalid"),
        ("400 Bad Request", b'{"error": "unsupported_token_type"}', "request_rejected"),
        ("401 Unauthorized", b'{"error": "invalid_client"}', "auth_invalid"),
        ("503 Service Unavailable", b"", "provider_error"),
        ("302 Found", b"", "unexpected_response"),
    ],
)
def test_a_provider_that_refuses(tmp_path: Path, status: str, body: bytes, code: str) -> None:
    with pytest.raises(CheckFailure) as failed:
        run(tmp_path, status, body)

    assert failed.value.code == code


@pytest.mark.enable_socket
def test_a_dial_that_fails_is_a_failure(tmp_path: Path) -> None:
    async def revoke(port: int, guard: EgressGuard, deadline: float) -> None:
        made = recipe(revocationUrl="https://other.example.net/revoke")
        call = made.revocation({}, CLIENT, token="t", hint="refresh_token")
        assert call
        await call.run(guard, deadline=deadline)

    with pytest.raises(CheckFailure) as failed:
        TokenServer(tmp_path).run(revoke)
    assert failed.value.code == "dns_error"
