"""An authorization server to connect through, as providers have one. No sockets here.

OAuth 2.0 (RFC 6749) with PKCE by S256 (RFC 7636), the issuer in the callback (RFC 9207), revocation
(RFC 7009), and registration of clients (RFC 7591), which at a real provider is a form for
developers. A refresh token is good for one refresh: the next one comes with the answer. One that is
presented again ends the whole grant (RFC 9700 §4.14.2).

| path | what it does |
|---|---|
| `POST /oauth/register` | `{"redirect_uris": [...], "token_endpoint_auth_method": "client_secret_basic"}` (or `client_secret_post`, `none`, `private_key_jwt` with `jwks`) makes a client |
| `/oauth/authorize` | a page that asks for consent: scopes can be left out, and the whole denied |
| `/oauth/consent` | where that page's form goes; redirects to the client |
| `POST /oauth/token` | a code, a refresh token, or client credentials for an access token; form or JSON |
| `POST /oauth/revoke` | ends an access token; with a refresh token, the grant |
| `/.well-known/oauth-authorization-server` | the metadata of RFC 8414 |

The callback also has what some providers add: `realmId` (Intuit) and `accounts-server` (Zoho).

What can be asked for in the authorization URL, beside what OAuth has:

| parameter | effect on the grant |
|---|---|
| `expires_in=60` | access tokens live this many seconds, not 3600; 0 leaves `expires_in` out |
| `refresh_expires_in=3600` | refresh tokens live this many seconds, and the answer says so |
| `rotation=none` | the refresh token stays the same |
| `refusal=server_error` | no page: the callback has this error |

In the body of a token request:

| parameter | effect |
|---|---|
| `answer=form` | the answer is a form, not JSON |
| `fault=invalid_grant`, or any other error of OAuth | 400 with this error |
| `fault=429`, `fault=500`, or any other status | this status; 429 with `Retry-After: 7` |
| `fault=lost` | the token is issued, and the connection closed without an answer |
| `fault=slow` | the token is issued, and the answer comes after 30 s |
| `fault=garbage` | 200 with a body that is neither JSON nor a form |
"""  # noqa: E501 - the rows of the tables

import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit, urlunsplit

SCOPES = ("issues:read", "issues:write", "offline_access")
_CODE_SECONDS = 60
_TOKEN_SECONDS = 3600
_RETRY_AFTER = "7"
_SLOW_SECONDS = 30
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_METHODS = ("client_secret_basic", "client_secret_post", "none", "private_key_jwt")
# The prefix of PKCS #1 v1.5 for SHA-256 (RFC 8017 §9.2, note 1).
_SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>{title}</title><meta name="referrer" content="no-referrer">
</head>
<body><main><h1>{title}</h1>
{content}
</main></body>
</html>
"""
_FORM = """<p>{client} asks for access to the account <strong>octocat</strong>.</p>
<form method="post" action="/oauth/consent">
<input type="hidden" name="request" value="{request}">
<fieldset><legend>It may</legend>
{scopes}
</fieldset>
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button>
</form>"""
_SCOPE = '<label><input type="checkbox" name="scope" value="{scope}" checked> {scope}</label><br>'


@dataclass
class Request:
    """What came in. `base` is the address that the caller used, such as `https://127.0.0.1:8099`;
    names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    base: str = "https://127.0.0.1"


@dataclass
class Response:
    """What goes out: after `delay_seconds`, or not at all if the answer `is_lost`."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    is_lost: bool = False


@dataclass
class Client:
    """An application that is registered here. `keys` are RSA public keys, modulus and exponent."""

    id: str
    secret: str | None
    redirect_uris: tuple[str, ...]
    method: str
    keys: tuple[tuple[int, int], ...] = ()


@dataclass
class Grant:
    """What one account has granted to one client, and every token that came of it.

    `generation` counts its token answers. `refresh_token` is the one that is good now.
    """

    client_id: str
    scopes: tuple[str, ...]
    token_seconds: int = _TOKEN_SECONDS
    refresh_seconds: int | None = None
    rotates: bool = True
    generation: int = 0
    refresh_token: str | None = None
    refresh_expires_at: float | None = None
    is_revoked: bool = False


@dataclass
class TokenRequest:
    """A token request as it was served, for tests to look at: `status` is 0 if the answer was
    lost. `generation` is that of the grant before it. `state` and `redirect_uri` are those of the
    request."""

    grant_type: str
    generation: int
    status: int
    state: str | None = None
    redirect_uri: str | None = None


@dataclass
class _Asked:
    """An authorization request that waits for the account's decision."""

    client: Client
    redirect_uri: str
    state: str | None
    scopes: tuple[str, ...]
    challenge: str | None
    grant: Grant


@dataclass
class _Code:
    asked: _Asked
    expires_at: float
    is_used: bool = False


class _Refused(Exception):
    """A token request or registration that is answered with an error of OAuth."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class AuthorizationServer:
    """Answers requests, several at once, and remembers clients and grants as long as it lives.

    `faults` are taken one by token request, before the request's own `fault`. Time goes by `later`
    as well as by `now`, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._later = 0.0
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._asked: dict[str, _Asked] = {}
        self._codes: dict[str, _Code] = {}
        self._access_tokens: dict[str, tuple[Grant, float]] = {}
        self._refresh_tokens: dict[str, Grant] = {}
        self._assertions: set[str] = set()
        self.faults: list[str] = []
        self.token_requests: list[TokenRequest] = []
        self.revoked: list[Literal["access_token", "refresh_token"]] = []

    def later(self, seconds: float) -> None:
        """Lets time go by."""
        self._later += seconds

    def register(
        self,
        redirect_uri: str,
        method: str = "client_secret_basic",
        keys: tuple[tuple[int, int], ...] = (),
    ) -> Client:
        """A new client that proves itself by this method of RFC 7591."""
        has_secret = method.startswith("client_secret")
        client = Client(
            f"client-{secrets.token_hex(4)}",
            secrets.token_urlsafe(24) if has_secret else None,
            (redirect_uri,),
            method,
            keys,
        )
        self._clients[client.id] = client
        return client

    def granted(self, client: Client, **settings: Any) -> dict[str, Any]:
        """The answer with the first tokens of a new grant, without a person at a browser."""
        with self._lock:
            grant = Grant(client.id, **{"scopes": SCOPES, **settings})
            return self._issued(grant)

    def end_access(self) -> None:
        """Ends all access tokens before their time."""
        with self._lock:
            self._access_tokens.clear()

    def scopes_of(self, access_token: str) -> tuple[str, ...] | None:
        """What the bearer of this token may do; None if the token is good for nothing."""
        with self._lock:
            grant, expires_at = self._access_tokens.get(access_token, (None, 0.0))
            if grant is None or grant.is_revoked or expires_at <= self._time():
                return None
            return grant.scopes

    def grants(self) -> list[Grant]:
        """Those of accounts, in order."""
        return list(
            {id(code.asked.grant): code.asked.grant for code in self._codes.values()}.values()
        )

    def answer(self, request: Request) -> Response | None:
        """None if there is no such path."""
        serve = {
            ("POST", "/oauth/register"): self._register,
            ("GET", "/oauth/authorize"): self._authorize,
            ("POST", "/oauth/consent"): self._consent,
            ("POST", "/oauth/token"): self._token,
            ("POST", "/oauth/revoke"): self._revoke,
            ("GET", "/.well-known/oauth-authorization-server"): self._metadata,
        }.get((request.method, request.path))
        if serve is None:
            return None
        with self._lock:
            return serve(request)

    def _time(self) -> float:
        return self._now() + self._later

    # ---------------------------------------------------------------- clients

    def _register(self, request: Request) -> Response:
        try:
            asked = json.loads(request.body)
            [redirect_uri] = asked["redirect_uris"]
            method = asked.get("token_endpoint_auth_method", "client_secret_basic")
            keys = tuple(
                (_number(key["n"]), _number(key["e"]))
                for key in asked.get("jwks", {}).get("keys", [])
            )
        except (KeyError, TypeError, ValueError):
            return _error("invalid_client_metadata", "One redirect_uris is needed, as JSON.")
        if method not in _METHODS or (method == "private_key_jwt") != bool(keys):
            return _error("invalid_client_metadata", "The method is unknown, or has no keys.")
        client = self.register(redirect_uri, method, keys)
        answer = {
            "client_id": client.id,
            "client_secret": client.secret,
            "redirect_uris": list(client.redirect_uris),
            "token_endpoint_auth_method": method,
        }
        return _json({name: value for name, value in answer.items() if value is not None}, 201)

    def _metadata(self, request: Request) -> Response:
        return _json(
            {
                "issuer": request.base,
                "authorization_endpoint": f"{request.base}/oauth/authorize",
                "token_endpoint": f"{request.base}/oauth/token",
                "revocation_endpoint": f"{request.base}/oauth/revoke",
                "registration_endpoint": f"{request.base}/oauth/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": list(_METHODS),
                "authorization_response_iss_parameter_supported": True,
                "scopes_supported": list(SCOPES),
            }
        )

    # ---------------------------------------------------------------- consent

    def _authorize(self, request: Request) -> Response:
        asked = request.query
        client = self._clients.get(asked.get("client_id", ""))
        redirect_uri = asked.get("redirect_uri", "")
        # Nobody is sent to an address that the client has not registered.
        if client is None:
            return _page("Unknown client", "<p>No client has this id.</p>", 400)
        if redirect_uri not in client.redirect_uris:
            return _page("Wrong redirect URI", "<p>The client has not registered it.</p>", 400)
        scopes = tuple(asked.get("scope", "").replace(",", " ").split())
        error = None
        if "refusal" in asked:
            error = asked["refusal"]
        elif asked.get("response_type") != "code":
            error = "unsupported_response_type"
        elif unknown := set(scopes) - set(SCOPES):
            error, scopes = "invalid_scope", tuple(unknown)
        elif not _has_good_challenge(asked, is_public=client.method == "none"):
            error = "invalid_request"
        state = asked.get("state")
        if error:
            return _callback(request, redirect_uri, state, error=error)
        try:
            grant = Grant(
                client.id,
                scopes,
                token_seconds=int(asked.get("expires_in", _TOKEN_SECONDS)),
                refresh_seconds=int(text) if (text := asked.get("refresh_expires_in")) else None,
                rotates=asked.get("rotation") != "none",
            )
        except ValueError:
            return _callback(request, redirect_uri, state, error="invalid_request")
        handle = secrets.token_urlsafe(16)
        self._asked[handle] = _Asked(
            client, redirect_uri, state, scopes, asked.get("code_challenge"), grant
        )
        boxes = "\n".join(_SCOPE.format(scope=html.escape(scope)) for scope in scopes)
        form = _FORM.format(client=html.escape(client.id), request=handle, scopes=boxes)
        return _page("Allow access?", form)

    def _consent(self, request: Request) -> Response:
        fields = parse_qsl(request.body.decode())
        decided = dict(fields)
        asked = self._asked.pop(decided.get("request", ""), None)
        if asked is None:
            return _page("Too late", "<p>This request was decided already.</p>", 400)
        if decided.get("decision") != "allow":
            error = "access_denied"
            return _callback(request, asked.redirect_uri, asked.state, error=error)
        allowed = {value for name, value in fields if name == "scope"}
        asked.grant.scopes = tuple(scope for scope in asked.scopes if scope in allowed)
        code = secrets.token_urlsafe(24)
        self._codes[code] = _Code(asked, self._time() + _CODE_SECONDS)
        return _callback(request, asked.redirect_uri, asked.state, code=code)

    # ---------------------------------------------------------------- tokens

    def _token(self, request: Request) -> Response:
        served = TokenRequest("", 0, 0)
        self.token_requests.append(served)
        try:
            fields = _fields(request)
            served.grant_type = fields.get("grant_type", "")
            served.state, served.redirect_uri = fields.get("state"), fields.get("redirect_uri")
            fault = self.faults.pop(0) if self.faults else fields.get("fault", "")
            _raise_early(fault)
            client = self._authenticated(request, fields)
            grant = self._grant(client, fields)
            served.generation = grant.generation
            answer = self._issued(grant)
        except _Refused as refused:
            served.status = refused.status
            return _refusal(refused)
        response = _json(answer)
        if fields.get("answer") == "form":
            response.headers["Content-Type"] = "application/x-www-form-urlencoded"
            response.body = urlencode(answer).encode()
        if fault == "garbage":
            response = Response(200, b"<!-- \x00 -->", {"Content-Type": "text/html"})
        response.is_lost = fault == "lost"
        response.delay_seconds = _SLOW_SECONDS if fault == "slow" else 0
        served.status = 0 if response.is_lost else 200
        return response

    def _grant(self, client: Client, fields: Mapping[str, str]) -> Grant:
        match fields.get("grant_type"):
            case "authorization_code":
                return self._by_code(client, fields)
            case "refresh_token":
                return self._by_refresh_token(client, fields)
            case "client_credentials" if client.method != "none":
                return Grant(client.id, tuple(fields.get("scope", "").split()))
            case _:
                raise _Refused("unsupported_grant_type", "No tokens are issued in this way.")

    def _by_code(self, client: Client, fields: Mapping[str, str]) -> Grant:
        code = self._codes.get(fields.get("code", ""))
        if code is None or code.asked.client is not client or code.expires_at <= self._time():
            raise _Refused("invalid_grant", "The code is unknown or has expired.")
        asked = code.asked
        if code.is_used:
            asked.grant.is_revoked = True
            raise _Refused("invalid_grant", "The code was used before: its tokens are revoked.")
        if fields.get("redirect_uri") != asked.redirect_uri:
            raise _Refused("invalid_grant", "The redirect URI is another than the code's.")
        if (asked.challenge is None) != ("code_verifier" not in fields) or (
            asked.challenge is not None and _challenge(fields["code_verifier"]) != asked.challenge
        ):
            raise _Refused("invalid_grant", "The code verifier is wrong.")
        code.is_used = True
        return asked.grant

    def _by_refresh_token(self, client: Client, fields: Mapping[str, str]) -> Grant:
        presented = fields.get("refresh_token", "")
        grant = self._refresh_tokens.get(presented)
        if grant is None or grant.client_id != client.id or grant.is_revoked:
            raise _Refused("invalid_grant", "The refresh token is unknown or revoked.")
        if grant.refresh_expires_at is not None and grant.refresh_expires_at <= self._time():
            raise _Refused("invalid_grant", "The refresh token has expired.")
        if presented != grant.refresh_token:
            grant.is_revoked = True
            raise _Refused("invalid_grant", "The refresh token was used before: all are revoked.")
        return grant

    def _issued(self, grant: Grant) -> dict[str, Any]:
        """The fields of a token answer: RFC 6749 §5.1, and what a provider adds."""
        grant.generation += 1
        now = self._time()
        access_token = f"at-{secrets.token_urlsafe(24)}"
        lifetime = grant.token_seconds or _TOKEN_SECONDS
        self._access_tokens[access_token] = grant, now + lifetime
        answer: dict[str, Any] = {"access_token": access_token, "token_type": "Bearer"}
        if grant.token_seconds:
            answer["expires_in"] = grant.token_seconds
        if "offline_access" in grant.scopes:
            if grant.rotates or grant.refresh_token is None:
                grant.refresh_token = f"rt-{secrets.token_urlsafe(24)}"
                self._refresh_tokens[grant.refresh_token] = grant
                if grant.refresh_seconds is not None:
                    grant.refresh_expires_at = now + grant.refresh_seconds
            answer["refresh_token"] = grant.refresh_token
            if grant.refresh_seconds is not None:
                answer["refresh_token_expires_in"] = grant.refresh_seconds
        answer["scope"] = " ".join(grant.scopes)
        return answer

    def _revoke(self, request: Request) -> Response:
        try:
            fields = _fields(request)
            client = self._authenticated(request, fields)
        except _Refused as refused:
            return _refusal(refused)
        token = fields.get("token", "")
        grant = self._refresh_tokens.get(token)
        if grant is not None and grant.client_id == client.id:
            grant.is_revoked = True
            self.revoked.append("refresh_token")
        elif token in self._access_tokens and self._access_tokens[token][0].client_id == client.id:
            del self._access_tokens[token]
            self.revoked.append("access_token")
        # An unknown token is revoked as it is (RFC 7009 §2.2).
        return Response(200)

    def _authenticated(self, request: Request, fields: Mapping[str, str]) -> Client:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        client_id, secret = fields.get("client_id", ""), fields.get("client_secret")
        method = "none" if secret is None else "client_secret_post"
        if scheme.casefold() == "basic":
            try:
                pair = base64.b64decode(encoded, validate=True).decode()
            except ValueError:
                raise _wrong_client() from None
            # Both parts are form-encoded first (RFC 6749 §2.3.1).
            client_id, secret = map(unquote_plus, pair.split(":", 1) if ":" in pair else (pair, ""))
            method = "client_secret_basic"
        elif fields.get("client_assertion_type") == _JWT_BEARER:
            return self._asserted(request, fields.get("client_assertion", ""))
        client = self._clients.get(client_id)
        if client is None or client.method != method:
            raise _wrong_client()
        if client.secret is not None and not hmac.compare_digest(client.secret, secret or ""):
            raise _wrong_client()
        return client

    def _asserted(self, request: Request, assertion: str) -> Client:
        """The client that signed this JWT (RFC 7523 §3): by RS256, for this server, now, once. The
        audience is the issuer, the token endpoint, or the endpoint that is called."""
        try:
            head, payload, signature = assertion.split(".")
            header, claims = json.loads(_bytes(head)), json.loads(_bytes(payload))
            client = self._clients[claims["sub"]]
            here = {request.base, f"{request.base}/oauth/token", request.base + request.path}
            audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
            is_good = (
                header["alg"] == "RS256"
                and client.method == "private_key_jwt"
                and claims["iss"] == client.id
                and not here.isdisjoint(audiences)
                and self._time() < claims["exp"]
                and claims["jti"] not in self._assertions
                and any(
                    _is_signed(f"{head}.{payload}".encode(), _bytes(signature), key)
                    for key in client.keys
                )
            )
        except (KeyError, TypeError, ValueError):
            raise _wrong_client() from None
        if not is_good:
            raise _wrong_client()
        self._assertions.add(claims["jti"])
        return client


def _fields(request: Request) -> dict[str, str]:
    """The fields of a form or a JSON object. Raises `_Refused`."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            document = json.loads(request.body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise _Refused("invalid_request", "The body is not a JSON object.")
        return {str(name): str(value) for name, value in document.items()}
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def _raise_early(fault: str) -> None:
    """For faults in which nothing is issued."""
    if fault.isdigit():
        raise _Refused("temporarily_unavailable", "This was asked for.", int(fault))
    if fault and fault not in ("lost", "slow", "garbage"):
        raise _Refused(fault, "This was asked for.")


def _wrong_client() -> _Refused:
    return _Refused("invalid_client", "The client is unknown, or did not prove itself.", 401)


def _refusal(refused: _Refused) -> Response:
    response = _error(refused.error, refused.description, refused.status)
    if refused.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="token"'
    if refused.status == HTTPStatus.TOO_MANY_REQUESTS:
        response.headers["Retry-After"] = _RETRY_AFTER
    return response


def _callback(request: Request, redirect_uri: str, state: str | None, **result: str) -> Response:
    """Sends the browser back to the client."""
    answer = {**result, "iss": request.base}
    if state is not None:
        answer["state"] = state
    if "code" in result:
        answer |= {"realmId": "4620816365", "accounts-server": request.base}
    target = urlsplit(redirect_uri)
    query = urlencode([*parse_qsl(target.query), *answer.items()])
    location = urlunsplit(target._replace(query=query))
    return Response(303, b"", {"Location": location, "Cache-Control": "no-store"})


def _page(title: str, content: str, status: int = 200) -> Response:
    body = _PAGE.format(title=title, content=content).encode()
    headers = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
    return Response(status, body, headers)


def _json(answer: Mapping[str, Any], status: int = 200) -> Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(status, json.dumps(answer).encode(), headers)


def _error(error: str, description: str, status: int = 400) -> Response:
    return _json({"error": error, "error_description": description}, status)


def _has_good_challenge(asked: Mapping[str, str], *, is_public: bool) -> bool:
    """Whether PKCE is by S256, or absent, which a public client's must not be (RFC 9700 §2.1)."""
    if "code_challenge" not in asked:
        return not is_public
    return asked.get("code_challenge_method") == "S256"


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: str) -> int:
    return int.from_bytes(_bytes(text))


def _is_signed(message: bytes, signature: bytes, key: tuple[int, int]) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2.2)."""
    modulus, exponent = key
    size = (modulus.bit_length() + 7) // 8
    padded = _SHA256_PREFIX + hashlib.sha256(message).digest()
    expected = b"\x00\x01" + b"\xff" * (size - len(padded) - 3) + b"\x00" + padded
    found = pow(int.from_bytes(signature), exponent, modulus).to_bytes(size)
    return len(signature) == size and hmac.compare_digest(found, expected)
