"""The authorization server of the local provider: as strict as a real one, and as unreliable."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from local.authorization_server import AuthorizationServer, Client, Request, Response
from tests.unit.local.consenting import BASE, consented, jwk

REDIRECT = "http://127.0.0.1:3000/oauth/callback"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
ALL = "issues:read issues:write offline_access"


@pytest.fixture
def server() -> AuthorizationServer:
    return AuthorizationServer(lambda: 1_800_000_000.0)


def url(client: Client, **changed: str | None) -> str:
    fields = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": REDIRECT,
        "scope": ALL,
        "state": "s t",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changed
    query = urlencode({name: value for name, value in fields.items() if value is not None})
    return f"{BASE}/oauth/authorize?{query}"


def asked(server: AuthorizationServer, path: str, client: Client, **fields: str) -> Response:
    """A request of the client, which proves itself by Basic."""
    pair = f"{client.id}:{client.secret}".encode()
    headers = {"authorization": "Basic " + base64.b64encode(pair).decode()}
    body = urlencode(fields).encode()
    answer = server.answer(Request("POST", path, headers=headers, body=body, base=BASE))
    assert answer is not None
    return answer


def token(server: AuthorizationServer, client: Client, **fields: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(asked(server, "/oauth/token", client, **fields).body)
    return answer


def exchanged(
    server: AuthorizationServer, client: Client, code: str, **changed: str
) -> dict[str, Any]:
    fields = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
    } | changed
    return token(server, client, **fields)


def connected(server: AuthorizationServer, **asked: str) -> tuple[Client, dict[str, Any]]:
    client = server.register(REDIRECT)
    code = consented(server, url(client, **asked))["code"]
    return client, exchanged(server, client, code)


def refreshed(
    server: AuthorizationServer, client: Client, refresh_token: str, **more: str
) -> dict[str, Any]:
    return token(server, client, grant_type="refresh_token", refresh_token=refresh_token, **more)


def test_a_code_buys_tokens(server: AuthorizationServer) -> None:
    client = server.register(REDIRECT)
    callback = consented(server, url(client))
    assert (callback["state"], callback["iss"]) == ("s t", BASE)
    assert callback["accounts-server"] == BASE
    answer = exchanged(server, client, callback["code"])
    assert (answer["token_type"], answer["expires_in"], answer["scope"]) == ("Bearer", 3600, ALL)
    assert server.scopes_of(answer["access_token"]) == tuple(ALL.split())


def test_what_is_left_out_or_denied_is_not_granted(server: AuthorizationServer) -> None:
    client = server.register(REDIRECT)
    callback = consented(server, url(client), without=("issues:write",))
    answer = exchanged(server, client, callback["code"])
    assert answer["scope"] == "issues:read offline_access"
    assert consented(server, url(client), "deny")["error"] == "access_denied"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"expires_in": "soon"}, "invalid_request"),
        ({"refusal": "temporarily_unavailable"}, "temporarily_unavailable"),
    ],
)
def test_a_bad_request_comes_back_as_an_error(
    server: AuthorizationServer, changed: dict[str, str], error: str
) -> None:
    assert consented(server, url(server.register(REDIRECT), **changed))["error"] == error


@pytest.mark.parametrize(
    "changed", [{"client_id": "nobody"}, {"redirect_uri": REDIRECT + "/"}, {"redirect_uri": None}]
)
def test_nobody_is_sent_to_an_address_that_is_not_registered(
    server: AuthorizationServer, changed: dict[str, str | None]
) -> None:
    query = dict(parse_qsl(url(server.register(REDIRECT), **changed).partition("?")[2]))
    answer = server.answer(Request("GET", "/oauth/authorize", query))
    assert answer is not None
    assert (answer.status, "Location" in answer.headers) == (400, False)


def test_a_public_client_needs_pkce(server: AuthorizationServer) -> None:
    without = {"code_challenge": None, "code_challenge_method": None}
    assert "code" in consented(server, url(server.register(REDIRECT), **without))
    public = server.register(REDIRECT, "none")
    assert consented(server, url(public, **without))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changed",
    [
        {"code": "other"},
        {"redirect_uri": REDIRECT + "?x"},
        {"code_verifier": "w" * 43},
    ],
)
def test_a_code_is_bound_to_what_it_was_asked_with(
    server: AuthorizationServer, changed: dict[str, str]
) -> None:
    client = server.register(REDIRECT)
    code = consented(server, url(client))["code"]
    assert exchanged(server, client, **{"code": code} | changed)["error"] == "invalid_grant"
    # And to its client
    assert exchanged(server, server.register(REDIRECT), code)["error"] == "invalid_grant"
    assert "access_token" in exchanged(server, client, code)


def test_a_code_is_good_for_one_exchange_and_a_minute(server: AuthorizationServer) -> None:
    client = server.register(REDIRECT)
    code = consented(server, url(client))["code"]
    first = exchanged(server, client, code)
    assert exchanged(server, client, code)["error"] == "invalid_grant"
    assert server.scopes_of(first["access_token"]) is None
    code = consented(server, url(client))["code"]
    server.later(60)
    assert exchanged(server, client, code)["error"] == "invalid_grant"


def test_a_refresh_token_that_is_used_twice_ends_the_grant(server: AuthorizationServer) -> None:
    client, first = connected(server)
    second = refreshed(server, client, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert refreshed(server, client, first["refresh_token"])["error"] == "invalid_grant"
    # All of the family is revoked
    assert refreshed(server, client, second["refresh_token"])["error"] == "invalid_grant"
    assert server.scopes_of(second["access_token"]) is None
    assert [(asked.generation, asked.status) for asked in server.token_requests] == [
        *((0, 200), (1, 200), (0, 400), (0, 400))
    ]


def test_a_token_expires_as_asked(server: AuthorizationServer) -> None:
    client, first = connected(server, expires_in="60", refresh_expires_in="90", rotation="none")
    assert (first["expires_in"], first["refresh_token_expires_in"]) == (60, 90)
    server.later(60)
    assert server.scopes_of(first["access_token"]) is None
    second = refreshed(server, client, first["refresh_token"])
    assert second["refresh_token"] == first["refresh_token"]
    server.later(30)
    assert refreshed(server, client, first["refresh_token"])["error"] == "invalid_grant"
    _, unsaid = connected(server, expires_in="0")
    assert "expires_in" not in unsaid


def test_no_refresh_without_offline_access(server: AuthorizationServer) -> None:
    assert "refresh_token" not in connected(server, scope="issues:read")[1]


def test_revocation(server: AuthorizationServer) -> None:
    client, first = connected(server)
    stranger = server.register(REDIRECT)
    assert asked(server, "/oauth/revoke", stranger, token=first["refresh_token"]).status == 200
    assert server.scopes_of(first["access_token"])
    assert asked(server, "/oauth/revoke", client, token=first["access_token"]).status == 200
    assert server.scopes_of(first["access_token"]) is None
    second = refreshed(server, client, first["refresh_token"])
    assert asked(server, "/oauth/revoke", client, token=second["refresh_token"]).status == 200
    assert server.scopes_of(second["access_token"]) is None
    assert refreshed(server, client, second["refresh_token"])["error"] == "invalid_grant"
    assert server.revoked == ["access_token", "refresh_token"]
    assert asked(server, "/oauth/revoke", client, token="unknown").status == 200


def test_answers_on_demand(server: AuthorizationServer) -> None:
    client, first = connected(server)

    def answer(**more: str) -> Response:
        fields = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]} | more
        return asked(server, "/oauth/token", client, **fields)

    # What issues nothing leaves the refresh token good
    assert json.loads(answer(fault="invalid_grant").body)["error"] == "invalid_grant"
    limited = answer(fault="429")
    assert (limited.status, limited.headers["Retry-After"]) == (429, "7")
    server.faults = ["500"]
    assert answer().status == 500
    form = answer(answer="form")
    assert form.headers["Content-Type"] == "application/x-www-form-urlencoded"
    first = dict(parse_qsl(form.body.decode()))
    # What is issued and lost is spent
    assert answer(fault="lost").is_lost
    assert json.loads(answer().body)["error"] == "invalid_grant"


@pytest.mark.parametrize("fault", ["slow", "garbage"])
def test_a_fault_after_the_token_was_issued(server: AuthorizationServer, fault: str) -> None:
    client, first = connected(server)
    fields = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    answer = asked(server, "/oauth/token", client, fault=fault, **fields)
    assert answer.delay_seconds == 30 if fault == "slow" else b"<" in answer.body
    assert server.grants()[0].generation == 2


def test_clients_prove_themselves_by_their_own_method(server: AuthorizationServer) -> None:
    key = rsa.generate_private_key(65537, 2048)

    def registered(method: str, **more: Any) -> dict[str, Any]:
        body = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": method, **more}
        answer = server.answer(
            Request("POST", "/oauth/register", body=json.dumps(body).encode(), base=BASE)
        )
        assert answer is not None
        assert answer.status == 201
        made: dict[str, Any] = json.loads(answer.body)
        return made

    def status(fields: dict[str, str], authorization: str = "", *, as_json: bool = False) -> int:
        fields = {"grant_type": "client_credentials"} | fields
        headers = {"authorization": authorization}
        body = urlencode(fields).encode()
        if as_json:
            headers["content-type"] = "application/json"
            body = json.dumps(fields).encode()
        answer = server.answer(Request("POST", "/oauth/token", {}, headers, body, BASE))
        assert answer is not None
        return answer.status

    def basic(client: dict[str, Any]) -> str:
        pair = f"{client['client_id']}:{client['client_secret']}"
        return "Basic " + base64.b64encode(pair.encode()).decode()

    by_basic, by_body = registered("client_secret_basic"), registered("client_secret_post")
    by_none, by_key = (
        registered("none"),
        registered("private_key_jwt", jwks={"keys": [jwk(key.public_key())]}),
    )
    in_body = {"client_id": by_body["client_id"], "client_secret": by_body["client_secret"]}
    assert status({}, basic(by_basic)) == 200
    assert status(in_body) == status(in_body, as_json=True) == 200
    # A public client is known, and gets no token without an account
    assert status({"client_id": by_none["client_id"]}) == 400
    for wrong in (
        {},
        in_body | {"client_secret": "other"},
        {"client_id": by_basic["client_id"], "client_secret": by_basic["client_secret"]},
        {"client_id": by_basic["client_id"]},
    ):
        assert status(wrong) == 401
    assert status({}, basic(by_body)) == status({}, "Basic ?") == 401

    claims = {
        "iss": by_key["client_id"],
        "sub": by_key["client_id"],
        "aud": f"{BASE}/oauth/token",
        "exp": 1_800_000_060,
        "jti": "1",
    }

    def asserted(signer: rsa.RSAPrivateKey = key, **changed: Any) -> int:
        assertion = jwt.encode(claims | changed, signer, algorithm="RS256")
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        return status({"client_assertion_type": kind, "client_assertion": assertion})

    assert asserted() == 200
    assert asserted() == 401  # once
    assert asserted(jti="2", aud=BASE) == 200
    assert asserted(jti="3", aud="https://elsewhere.example") == 401
    assert asserted(jti="4", exp=1_800_000_000) == 401
    assert asserted(rsa.generate_private_key(65537, 2048), jti="5") == 401


def test_the_metadata_names_what_is_there(server: AuthorizationServer) -> None:
    answer = server.answer(Request("GET", "/.well-known/oauth-authorization-server", base=BASE))
    assert answer is not None
    metadata = json.loads(answer.body)
    assert metadata["issuer"] == BASE
    for name, path in metadata.items():
        if name.endswith("_endpoint"):
            method = "GET" if name == "authorization_endpoint" else "POST"
            assert server.answer(Request(method, path.removeprefix(BASE)))
