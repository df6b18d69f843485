"""What a request must show before MiniStack sees it.

MiniStack runs code for anyone who asks: it takes a Lambda function from any caller whose access key
is `test`, a number, or missing. Without a check, a page in a browser or another user of the machine
could run programs as the person who started it. So a request passes only

- signed (Signature Version 4, in its Authorization header) with the credentials of this start or
  with those that a function of this start was given, for a host of this machine, and without an
  Origin, which only browsers send; or
- to a stage of an API, with the token that our own proxy knows. The proxy has checked its host and
  origin, and the API has its own keys.

Everything else is refused: signed URLs, WebSockets, health and administration paths, links to
confirm a subscription or to download code. Without one of our access keys, no body is read either.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qs

from ministack.core.router import extract_access_key_id
from ministack.core.sigv4 import (
    HeaderSignature,
    decode_header_value,
    header_signature_failure,
    parse_header_signature,
    request_time_failure,
)

from local.ministack.bodies import App, Receive, Scope, Send, received_again, whole_body

_API_TOKEN = b"x-patchbay-api-token"
API_PATH = "/_aws/execute-api/"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class _Refused(Exception):
    """Why a request does not pass, in one sentence."""


class Front:
    """An ASGI application before another."""

    def __init__(
        self,
        app: App,
        *,
        port: int,
        secrets: Mapping[str, str],
        function_secrets: Mapping[str, str],
        api_token: str,
    ) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}".encode() for name in _LOOPBACK}
        self._secrets = secrets
        self._function_secrets = function_secrets
        self._api_token = api_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with 403."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        else:
            try:
                await self._pass_on(scope, receive, send)
            except _Refused as refused:
                await _refuse(send, str(refused))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._comes_from_the_proxy(scope):
            kept = [(name, value) for name, value in scope["headers"] if name != _API_TOKEN]
            await self._app({**scope, "headers": kept}, receive, send)
            return
        self._check_host_and_origin(scope["headers"])
        signed = _signed(scope)
        secret = self._secret(signed)
        body = await whole_body(receive)
        if body is None:  # the caller is gone
            return
        raw_path = scope.get("raw_path") or scope["path"].encode()
        failure = header_signature_failure(
            signed,
            secret,
            scope["method"],
            raw_path.decode("latin-1"),
            _query(scope),
            _headers(scope),
            body,
        )
        if failure:
            raise _Refused("the signature does not match")
        await self._app(scope, received_again(body, receive), send)

    def _comes_from_the_proxy(self, scope: Scope) -> bool:
        tokens = [value for name, value in scope["headers"] if name == _API_TOKEN]
        if not tokens:
            return False
        if len(tokens) == 1 and hmac.compare_digest(tokens[0], self._api_token):
            if scope["path"].startswith(API_PATH):
                return True
            raise _Refused("the token is for APIs only")
        raise _Refused("the token is wrong")

    def _check_host_and_origin(self, headers: list[tuple[bytes, bytes]]) -> None:
        hosts = [value.lower() for name, value in headers if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            raise _Refused("the host is not this machine")
        if any(name == b"origin" for name, _ in headers):
            raise _Refused("browsers have no business here")

    def _secret(self, signed: HeaderSignature) -> str:
        for known in (self._secrets, self._function_secrets):
            if secret := known.get(signed.access_key_id):
                return secret
        raise _Refused("the access key is not one of this start")


def _signed(scope: Scope) -> HeaderSignature:
    """How the request is signed, if it is signed in time, in one way, and for its host."""
    headers = _headers(scope)
    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        raise _Refused("the request is not signed")
    signed = parse_header_signature(headers)
    if not isinstance(signed, HeaderSignature) or signed.region_set is not None:
        raise _Refused("the signature is incomplete")
    if "host" not in signed.signed_headers.split(";"):
        raise _Refused("the signature does not cover the host")
    if request_time_failure(signed):
        raise _Refused("the signature is too old, or of the future")
    # MiniStack must take the caller for the one who signed.
    if extract_access_key_id(headers, _query(scope)) != signed.access_key_id:
        raise _Refused("the request names two callers")
    return signed


def _headers(scope: Scope) -> dict[str, str]:
    """The headers as a signature covers them: several of one name are joined by a comma."""
    joined: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), decode_header_value(value)
        joined[key] = f"{joined[key]},{text}" if key in joined else text
    return joined


def _query(scope: Scope) -> dict[str, list[str]]:
    try:
        return parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    except ValueError:
        raise _Refused("the query can't be read") from None


async def _refuse(send: Send, reason: str) -> None:
    # The fields that clients of AWS look for in an answer of a JSON service.
    answer = {"__type": "AccessDeniedException", "message": f"the local cloud refuses: {reason}"}
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
