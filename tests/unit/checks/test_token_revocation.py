"""How a token is taken back: by RFC 7009, and in the forms that providers have for it."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from patchbay.checks.failures import CheckFailure
from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.request_context import RequestContext
from patchbay.checks.templates import ValueRefused
from patchbay.checks.token_revocation import RevocationCall
from patchbay.egress.guard import EgressGuard
from tests.unit.checks.doubles import http_response
from tests.unit.checks.oauth_targets import (
    CLIENT,
    HOST,
    HOSTNAME,
    STRING,
    TokenServer,
    problems,
    recipe,
)

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
    assert encoded not in repr(call)
    assert "secret_values" not in repr(call)
    assert call.request.credentialed
    assert call.request.headers[0] == ("Accept", "application/json")
    assert ("Content-Type", "application/x-www-form-urlencoded") in call.request.headers


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
    assert call.request.headers == (
        ("Accept", "application/json"),
        ("Authorization", "Bearer the-access_token"),
    )
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


@pytest.mark.parametrize(
    ("auth", "has_header", "has_secret"),
    [("basic", True, False), ("basic_plain", True, False), ("body", False, True)],
)
def test_the_client_may_show_who_it_is_in_another_way(
    auth: str, has_header: bool, has_secret: bool
) -> None:
    client = OAuthClient("id", "secret")
    call = revocation(client=client, clientAuth="none", revocation={"auth": auth})
    assert call
    assert ("Authorization" in dict(call.request.headers)) is has_header
    assert (b"client_secret=secret" in call.request.body) is has_secret
    of_json = revocation(revocation={"auth": "body", "bodyFormat": "json"})
    assert of_json
    assert json.loads(of_json.request.body)["client_secret"] == "s3cret/of+client"


def test_an_assertion_is_for_the_revocation_url() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    call = revocation(client=OAuthClient("id", private_key=pem), clientAuth="private_key_jwt")
    assert call
    assertion = dict(parse_qsl(call.request.body.decode()))["client_assertion"]
    assert (
        jwt.decode(assertion, key.public_key(), algorithms=["ES256"], audience=URL)["sub"] == "id"
    )


def test_a_url_with_the_token_needs_no_parameters() -> None:
    more: dict[str, Any] = {"revocationUrl": f"{URL}/{{{{secrets.access_token}}}}"}
    call = revocation("access_token", **more)
    assert call
    assert call.request.target.path == "/revoke/the-access_token"
    assert revocation("refresh_token", **more) is None


def test_parameters_may_be_of_any_shape_in_json() -> None:
    form = {"bodyFormat": "json", "params": {"tokens": [{"value": "{{secrets.access_token}}"}]}}
    call = revocation("access_token", revocation=form)
    assert call
    assert json.loads(call.request.body) == {"tokens": [{"value": "the-access_token"}]}
    form["bodyFormat"] = "form"
    assert problems(revocationUrl=URL, revocation=form) == {
        "/authConfig/revocation/params": "must be an object of strings"
    }
    many = {f"p{n}": "{{secrets.access_token}}" for n in range(20)}
    assert problems(revocationUrl=URL, revocation={"params": many}) == {}


def test_headers_that_are_set_anyway_are_refused() -> None:
    taken: list[tuple[dict[str, Any], str]] = [
        ({}, "accept"),
        ({}, "content-type"),
        ({"auth": "token"}, "authorization"),
        ({"auth": "basic_plain"}, "authorization"),
    ]
    for form, header in taken:
        found = problems(revocationUrl=URL, revocation={**form, "headers": {header: "x"}})
        assert list(found) == [f"/authConfig/revocation/headers/{header}"]
    for form in ({"auth": "none"}, {"auth": "body"}):
        more = {**form, "headers": {"Authorization": "x"}}
        assert problems(revocationUrl=URL, revocation=more) == {}


def test_the_context_of_a_refusal_is_the_url() -> None:
    made = recipe(
        revocationUrl="https://{{variables.host}}/{{variables.tenant}}/{{variables.rest}}",
        variables={"host": HOSTNAME, "tenant": STRING, "rest": STRING | {"default": "r"}},
    )
    call = made.revocation(
        {"host": "a.example.com", "tenant": "t"}, CLIENT, token="t", hint="access_token"
    )
    assert call
    assert call.request.target.url == "https://a.example.com/t/r"
    assert call.context == RequestContext((), path="/variables/rest", host="/variables/host")


def test_a_query_that_is_too_long_names_the_variable() -> None:
    made = recipe(
        revocationUrl="https://a.example.com/{{variables.tenant}}",
        revocation={"method": "GET", "auth": "none"},
        variables={"tenant": STRING},
    )
    with pytest.raises(ValueRefused) as refused:
        made.revocation({"tenant": "t"}, CLIENT, token="t" * 2048, hint="access_token")
    assert refused.value.problem.pointer == "/variables/tenant"


def test_variables_lead_to_https_only() -> None:
    made = recipe(
        revocationUrl="{{variables.base}}/revoke",
        variables={"base": {"type": "string", "format": "uri"}},
    )

    with pytest.raises(ValueRefused) as refused:
        made.revocation({"base": "http://a.example.com"}, CLIENT, token="t", hint="access_token")
    assert refused.value.problem.pointer == "/variables/base"


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


def run(tmp_path: Path, status: str, body: bytes = b"", *headers: str, late: float = 0) -> None:
    async def revoke(port: int, guard: EgressGuard, deadline: float) -> None:
        made = recipe(revocationUrl=f"https://{HOST}:{port}/revoke")
        call = made.revocation({}, CLIENT, token="t", hint="refresh_token")
        assert call
        await call.run(guard, deadline=deadline - late)

    TokenServer(tmp_path, http_response(status, body, *headers)).run(revoke)


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
        ("300 Multiple Choices", b"", "unexpected_response"),
    ],
)
def test_a_provider_that_refuses(tmp_path: Path, status: str, body: bytes, code: str) -> None:
    with pytest.raises(CheckFailure) as failed:
        run(tmp_path, status, body)

    assert failed.value.code == code


@pytest.mark.enable_socket
def test_a_refusal_keeps_what_it_says_about_later(tmp_path: Path) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    for status, body in (
        ("429 Too Many Requests", b""),
        ("200 OK", b'{"ok": false, "error": "ratelimited"}'),
    ):
        with pytest.raises(CheckFailure) as failed:
            run(tmp_path, status, body, f"Retry-After: {later}")
        assert failed.value.code == "rate_limited"
        assert 3000 < (failed.value.retry_after_seconds or 0) <= 3600


@pytest.mark.enable_socket
def test_a_refusal_may_be_about_scopes(tmp_path: Path) -> None:
    for status in ("403 Forbidden", "200 OK"):
        with pytest.raises(CheckFailure) as failed:
            run(tmp_path, status, b'{"ok": false, "error": "insufficient_scope"}')
        assert failed.value.code in {"scope_missing", "permission_denied"}


@pytest.mark.enable_socket
def test_it_ends_at_its_deadline(tmp_path: Path) -> None:
    with pytest.raises(CheckFailure):
        run(tmp_path, "200 OK", late=10)


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
