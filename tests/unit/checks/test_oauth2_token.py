"""The kind oauth2_token: the token endpoint is a server on the loopback."""

import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.checks.templates import Values
from patchbay.egress.guard import EgressGuard
from tests.unit.checks.doubles import http_response
from tests.unit.checks.oauth_targets import HOST, TokenServer
from tests.unit.checks.targets import CheckTarget

SECRETS = {
    "client_id": "client:1",
    "client_secret": "s3cret/of+client",
    "refresh_token": "refresh-me-4242",
}
TOKEN = {"access_token": "fresh-token-777", "token_type": "Bearer", "expires_in": 3600}


def auth_config(port: int = 443, **more: Any) -> dict[str, Any]:
    return {
        "type": "oauth2",
        "grantType": "client_credentials",
        "tokenUrl": f"https://{HOST}:{port}/token",
        **more,
    }


def token_step(**more: Any) -> dict[str, Any]:
    return {"name": "token", "kind": "oauth2_token", "grant": "client_credentials", **more}


class Provider(TokenServer):
    """A token endpoint and an API behind it."""

    def report(self, *steps: dict[str, Any], **config: Any) -> CheckReport:
        async def test(port: int, guard: EgressGuard, _deadline: float) -> CheckReport:
            for step in steps:
                if step["kind"] == "http":
                    step["request"] = {"url": f"https://{HOST}:{port}/me"}
            target = CheckTarget(
                {"checks": {"steps": list(steps)}}, auth_config(port, **config), {}, {}, SECRETS
            )
            return await run(target.plan(), guard, total_ms=3000)

        return self.run(test)


def answer(body: object, status: str = "200 OK") -> bytes:
    return http_response(status, json.dumps(body).encode(), "Content-Type: application/json")


@pytest.mark.enable_socket
def test_client_credentials_are_exchanged_and_later_steps_use_the_token(tmp_path: Path) -> None:
    # given a provider that issues a token and echoes it back to its holder
    echo = answer({"name": "token fresh-token-777 of s3cret/of+client"})
    provider = Provider(tmp_path, answer(TOKEN), echo)

    # when
    report = provider.report(
        token_step(), {"name": "me", "kind": "http", "account": "/name"}, scopes=["read", "write"]
    )

    # then the request is as RFC 6749 has it
    assert (report.passed, report.verified) == (True, True)
    assert provider.heads[0].startswith("POST /token HTTP/1.1\r\n")
    assert "\r\nContent-Type: application/x-www-form-urlencoded\r\n" in provider.heads[0]
    basic = b64encode(b"client%3A1:s3cret%2Fof%2Bclient").decode()
    assert f"\r\nAuthorization: Basic {basic}\r\n" in provider.heads[0]
    assert parse_qs(provider.bodies[0]) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
    }
    # and the token is used, and nowhere to be seen
    assert "\r\nAuthorization: Bearer fresh-token-777\r\n" in provider.heads[1]
    assert report.account == "token [redacted] of [redacted]"
    assert "fresh-token" not in report.model_dump_json()


@pytest.mark.enable_socket
def test_a_refresh_token_is_sent_in_the_body_and_a_new_one_is_warned_of(tmp_path: Path) -> None:
    # given a provider that replaces refresh tokens
    provider = Provider(tmp_path, answer(TOKEN | {"refresh_token": "next-refresh-4343"}))

    # when
    report = provider.report(token_step(grant="refresh_token", clientAuth="body"))

    # then
    assert parse_qs(provider.bodies[0]) == {
        "grant_type": ["refresh_token"],
        "client_id": ["client:1"],
        "client_secret": ["s3cret/of+client"],
        "refresh_token": ["refresh-me-4242"],
    }
    assert "Authorization" not in provider.heads[0]
    assert (report.passed, report.verified, report.steps[-1].status) == (True, True, "warning")
    assert "does not keep" in report.steps[-1].summary
    assert "next-refresh" not in report.model_dump_json()


@pytest.mark.enable_socket
def test_a_public_client_sends_no_secret_and_an_audience_is_sent(tmp_path: Path) -> None:
    provider = Provider(tmp_path, answer(TOKEN))
    report = provider.report(
        token_step(grant="refresh_token", clientAuth="none", audience="https://api.example.net")
    )
    assert report.passed
    assert parse_qs(provider.bodies[0]) == {
        "grant_type": ["refresh_token"],
        "client_id": ["client:1"],
        "refresh_token": ["refresh-me-4242"],
        "audience": ["https://api.example.net"],
    }


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("grant", "status", "body", "code", "field"),
    [
        (
            "client_credentials",
            "401 No",
            {"error": "invalid_client"},
            "auth_invalid",
            "/secrets/client_secret",
        ),
        (
            "client_credentials",
            "400 Bad",
            {"error": "invalid_grant"},
            "auth_invalid",
            "/secrets/client_secret",
        ),
        (
            "refresh_token",
            "400 Bad",
            {"error": "invalid_grant"},
            "auth_expired",
            "/secrets/refresh_token",
        ),
        (
            "refresh_token",
            "400 Bad",
            {"error": "invalid_grant", "error_description": "Token has been revoked."},
            "auth_revoked",
            "/secrets/refresh_token",
        ),
        (
            "client_credentials",
            "400 Bad",
            {"error": "invalid_scope"},
            "request_rejected",
            "",
        ),
        (
            "client_credentials",
            "400 Bad",
            {"error": "unauthorized_client"},
            "permission_denied",
            "/secrets/client_secret",
        ),
        ("client_credentials", "200 OK", {"error": "invalid_client"}, "auth_invalid", None),
        ("client_credentials", "400 Bad", {"error": "invalid_request"}, "request_rejected", ""),
        ("client_credentials", "400 Bad", {"error": "server_error"}, "provider_error", ""),
        ("client_credentials", "400 Bad", {"error": "<script>"}, "request_rejected", ""),
        ("client_credentials", "400 Bad", {"error": ["invalid_client"]}, "auth_invalid", None),
        ("client_credentials", "401 No", "nothing", "auth_invalid", None),
        ("client_credentials", "429 Slow", {}, "rate_limited", ""),
        ("client_credentials", "503 Down", {}, "provider_error", ""),
        ("client_credentials", "302 Found", {}, "unexpected_response", ""),
        ("client_credentials", "200 OK", {}, "unexpected_response", ""),
        ("client_credentials", "200 OK", [], "unexpected_response", ""),
        ("client_credentials", "200 OK", {"access_token": 7}, "unexpected_response", ""),
        ("client_credentials", "200 OK", {"access_token": "a\r\nb"}, "unexpected_response", ""),
        ("client_credentials", "200 OK", {"access_token": "x" * 9000}, "unexpected_response", ""),
    ],
)
def test_a_refusal_is_told_by_its_name(
    tmp_path: Path, grant: str, status: str, body: object, code: str, field: str | None
) -> None:
    # when
    report = Provider(tmp_path, answer(body, status)).report(token_step(grant=grant))

    # then
    assert report.code == code
    expected = "/secrets/client_secret" if field is None else field or None
    assert report.steps[-1].field_pointer == expected
    assert "script" not in report.model_dump_json()


@pytest.mark.enable_socket
@pytest.mark.parametrize("body", [b"[" * 60_000, b"\xff\xfe", b'{"expires_in": 1e999}', b""])
def test_a_body_that_is_no_token_answer_breaks_nothing(tmp_path: Path, body: bytes) -> None:
    report = Provider(tmp_path, http_response("200 OK", body)).report(token_step())
    assert (report.code, report.fault) == ("unexpected_response", None)


@pytest.mark.enable_socket
def test_fewer_scopes_than_asked_for_are_a_warning_that_names_them(tmp_path: Path) -> None:
    provider = Provider(tmp_path, answer(TOKEN | {"scope": "read other"}))
    report = provider.report(token_step(scopes=["read", "write"]))
    assert (report.passed, report.steps[-1].status) == (True, "warning")
    assert report.steps[-1].code == "scope_missing"
    assert report.steps[-1].summary.endswith("It does not have the scope write.")


@pytest.mark.enable_socket
def test_without_a_token_what_follows_is_not_called(tmp_path: Path) -> None:
    provider = Provider(tmp_path, answer({"error": "invalid_client"}, "401 No"))
    report = provider.report(token_step(), {"name": "me", "kind": "http"})
    assert (report.passed, report.steps[-1].skip_reason) == (False, "gate_failed")
    assert len(provider.heads) == 1


def test_a_step_before_the_token_needs_a_stored_one() -> None:
    # given an http step on either side of the token's
    step = {"kind": "http", "request": {"url": "https://api.example.com/"}}
    before = [{**step, "name": "a"}, token_step()]
    after = [token_step(), {**step, "name": "a"}]
    optional = [token_step(mandatory=False), {**step, "name": "a"}]

    # when, then
    for steps, missing in ((before, True), (after, False), (optional, True)):
        target = CheckTarget({"checks": {"steps": steps}}, auth_config(), {}, {}, SECRETS)
        problems = [problem.pointer for problem in target.plan().problems]
        assert problems == (["/secrets/access_token"] if missing else [])


@pytest.mark.parametrize(
    ("step", "config", "pointer"),
    [
        ({"grant": "authorization_code"}, {}, "grant"),
        ({"grant": ""}, {}, "grant"),
        ({"grant": "password"}, {}, "tokenParams"),
        ({"grant": "password", "tokenParams": {"username": "me"}}, {}, "tokenParams"),
        ({"tokenParams": {"grant_type": "password"}}, {}, "tokenParams"),
        ({"tokenParams": {"limit": 1}}, {}, "tokenParams"),
        ({"tokenParams": {"key": "{{secrets.unknown}}"}}, {}, "tokenParams"),
        ({"tokenParams": {str(n): "x" for n in range(21)}}, {}, "tokenParams"),
        ({"tokenHeaders": {"Authorization": "x"}}, {}, "tokenHeaders/Authorization"),
        ({"tokenHeaders": {"Host": "x"}}, {}, "tokenHeaders/Host"),
        (
            {"clientAuth": "body", "parameterNames": {"client_id": "grant_type"}},
            {},
            "parameterNames",
        ),
        (
            {"clientAuth": "body", "scopes": ["a"], "parameterNames": {"client_id": "scope"}},
            {},
            "parameterNames",
        ),
        ({"tokenParams": {"{{variables.x}}": "y"}}, {}, "tokenParams"),
        ({"tokenMethod": "PUT"}, {}, "tokenMethod"),
        ({"tokenMethod": "GET", "tokenBodyFormat": "json"}, {}, "tokenBodyFormat"),
        ({"tokenBodyFormat": "xml"}, {}, "tokenBodyFormat"),
        ({"parameterNames": {"client": "id"}}, {}, "parameterNames/client"),
        ({"parameterNames": {"client_id": "x", "scope": "x"}}, {}, "parameterNames"),
        ({"scopeSeparator": ";"}, {}, "scopeSeparator"),
        ({"tokenResponse": {"accessToken": "data"}}, {}, "tokenResponse/accessToken"),
        ({"tokenResponse": {"accessToken": []}}, {}, "tokenResponse/accessToken"),
        ({"tokenResponse": {"token": "/a"}}, {}, "tokenResponse/token"),
        ({"clientAuth": "omit"}, {}, "tokenParams"),
        ({"clientAuth": "jwt"}, {}, "clientAuth"),
        ({"clientAuth": "none"}, {}, "clientAuth"),
        ({"tokenUrl": "http://auth.example.net/token"}, {}, "tokenUrl"),
        ({"tokenUrl": "https://{{secrets.client_id}}/token"}, {}, "tokenUrl"),
        ({}, {"tokenUrl": None}, "tokenUrl"),
        ({"scopes": "read"}, {}, "scopes"),
        ({"scopes": ["a b"]}, {}, "scopes"),
        ({"grant": "refresh_token", "scopes": ["a"]}, {}, "scopes"),
        ({"audience": "{{secrets.client_secret}}"}, {}, "audience"),
        ({"redirects": 1}, {}, "redirects"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(
    step: dict[str, Any], config: dict[str, Any], pointer: str
) -> None:
    manifest = {"checks": {"steps": [token_step(**step)]}}
    problems = Recipe(manifest, auth_config(**config), {}).problems
    assert [problem.pointer for problem in problems] == [f"/manifest/checks/steps/0/{pointer}"]


def test_an_integration_without_oauth_has_no_secrets_for_it() -> None:
    manifest = {"checks": {"steps": [token_step(tokenUrl="https://auth.example.net/")]}}
    problems = Recipe(manifest, {"type": "api_key"}, {}).problems
    assert {problem.pointer for problem in problems} == {"/manifest/checks/steps/0/grant"}


def test_secrets_are_bound_to_the_place_of_the_token_url() -> None:
    # given the same step with its URL elsewhere
    target = CheckTarget({"checks": {"steps": [token_step()]}}, auth_config(), {}, {}, SECRETS)
    elsewhere = replace(target, auth_config=auth_config(tokenUrl="https://evil.example.net/"))

    # when, then
    places = [t.recipe.steps[0].template.destination(Values({}, {})) for t in (target, elsewhere)]
    assert places[0] != places[1]


def form(body: str, status: str = "200 OK") -> bytes:
    kind = "Content-Type: application/x-www-form-urlencoded"
    return http_response(status, body.encode(), kind)


@pytest.mark.enable_socket
def test_an_answer_in_a_form_is_read(tmp_path: Path) -> None:
    # given a provider that answers as GitHub does to a client without an Accept header
    token = form("access_token=fresh-token-777&scope=read%2Cwrite&token_type=bearer")

    # when
    report = Provider(tmp_path, token).report(token_step(scopes=["read", "write", "admin"]))

    # then
    assert (report.passed, report.verified) == (True, True)
    assert report.steps[-1].summary.endswith("It does not have the scope admin.")


@pytest.mark.enable_socket
@pytest.mark.parametrize("declared", ["application/x-www-form-urlencoded", "text/html", ""])
def test_a_refusal_in_a_form_is_read_whatever_type_it_claims(tmp_path: Path, declared: str) -> None:
    body = b"error=incorrect_client_credentials&error_description=The+client_id+is+wrong"
    refused = http_response("200 OK", body, f"Content-Type: {declared}")
    report = Provider(tmp_path, refused).report(token_step())
    assert (report.code, report.blame, report.retryable) == ("auth_invalid", "customer", False)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "document",
    [
        {"authed_user": {"access_token": "fresh-token-777"}, "ok": True},
        {"code": 0, "data": {"access_token": "fresh-token-777"}},
        {"accessToken": "fresh-token-777"},
    ],
)
def test_a_token_at_a_usual_place_is_found(tmp_path: Path, document: object) -> None:
    assert Provider(tmp_path, answer(document)).report(token_step()).passed


@pytest.mark.enable_socket
def test_a_token_elsewhere_is_found_where_the_integration_says(tmp_path: Path) -> None:
    # given
    places = {"accessToken": ["/missing", "/tokens/0/value"], "scope": "/granted"}
    document = {"tokens": [{"value": "fresh-token-777"}], "granted": ["read"]}

    # when
    report = Provider(tmp_path, answer(document)).report(
        token_step(scopes=["read", "write"]), tokenResponse=places
    )

    # then
    assert (report.passed, report.verified) == (True, True)
    assert report.steps[-1].summary.endswith("It does not have the scope write.")


@pytest.mark.enable_socket
def test_a_token_request_is_sent_as_the_integration_says(tmp_path: Path) -> None:
    # given a provider as TikTok or Notion: other names, JSON, commas, more parameters and headers
    provider = Provider(tmp_path, answer(TOKEN))

    # when
    report = provider.report(
        token_step(clientAuth="body", tokenBodyFormat="json", tokenParams={"nested": {"n": 1}}),
        scopes=["read", "write"],
        scopeSeparator=",",
        parameterNames={"client_id": "client_key"},
        tokenHeaders={"X-Version": "2"},
    )

    # then
    assert report.passed
    assert json.loads(provider.bodies[0]) == {
        "grant_type": "client_credentials",
        "client_key": "client:1",
        "client_secret": "s3cret/of+client",
        "scope": "read,write",
        "nested": {"n": 1},
    }
    assert "\r\nContent-Type: application/json\r\n" in provider.heads[0]
    assert "\r\nX-Version: 2\r\n" in provider.heads[0]


@pytest.mark.enable_socket
@pytest.mark.parametrize("settings", [{"tokenMethod": "GET"}, {"tokenBodyFormat": "query"}])
def test_parameters_can_be_in_the_query(tmp_path: Path, settings: dict[str, Any]) -> None:
    provider = Provider(tmp_path, answer(TOKEN))
    report = provider.report(token_step(clientAuth="body", **settings))
    method = settings.get("tokenMethod", "POST")
    line = provider.heads[0].partition("\r\n")[0]
    query = "grant_type=client_credentials&client_id=client%3A1&client_secret=s3cret%2Fof%2Bclient"
    assert line == f"{method} /token?{query} HTTP/1.1"
    assert (provider.bodies, report.passed) == ([""], True)


@pytest.mark.enable_socket
def test_client_and_secret_can_be_sent_as_they_are(tmp_path: Path) -> None:
    provider = Provider(tmp_path, answer(TOKEN))
    secrets = SECRETS | {"client_id": "client-1"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SECRETS, "client_id", secrets["client_id"])
        assert provider.report(token_step(clientAuth="basic_plain")).passed
    basic = b64encode(b"client-1:s3cret/of+client").decode()
    assert f"\r\nAuthorization: Basic {basic}\r\n" in provider.heads[0]


@pytest.mark.enable_socket
def test_other_grants_take_what_they_need_from_parameters(tmp_path: Path) -> None:
    # given Zoom's grant for servers
    provider = Provider(tmp_path, answer(TOKEN))

    # when
    report = provider.report(
        token_step(grant="account_credentials", tokenParams={"account_id": "acc-1"})
    )

    # then
    assert report.passed
    assert parse_qs(provider.bodies[0]) == {
        "grant_type": ["account_credentials"],
        "account_id": ["acc-1"],
    }


@pytest.mark.enable_socket
def test_a_wrong_password_points_at_the_password(tmp_path: Path) -> None:
    # given the password grant of a client that the provider does not ask for
    step = token_step(
        grant="password",
        clientAuth="omit",
        tokenParams={"username": "me", "password": "{{secrets.refresh_token}}"},
    )
    provider = Provider(tmp_path, answer({"error": "invalid_grant"}, "400 Bad"))

    # when
    report = provider.report(step)

    # then
    assert parse_qs(provider.bodies[0]) == {
        "grant_type": ["password"],
        "username": ["me"],
        "password": ["refresh-me-4242"],
    }
    assert (report.code, report.steps[-1].field_pointer) == (
        "auth_invalid",
        "/secrets/refresh_token",
    )


def test_what_is_wrong_with_the_token_settings_of_auth_config_is_told_once() -> None:
    manifest = {"checks": {"steps": [token_step()]}}
    problems = Recipe(manifest, auth_config(scopeSeparator=";", tokenMethod="PUT"), {}).problems
    assert {problem.pointer for problem in problems} == {
        "/authConfig/scopeSeparator",
        "/authConfig/tokenMethod",
    }
