"""Serves the API at its own paths, by passing each request on to the emulator.

The emulator answers for an API under `/_aws/execute-api/<api>/<stage>/…`. This is what a client of
AWS sees of API Gateway: the paths of the template, its limits, no headers of anyone between. Only
what goes wrong on the way differs: it has the error envelope of the API, which an HTTP API of AWS
can't be given for its own errors.
"""

import contextlib
import errno
import uuid
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local.problems import Problem
from patchbay.platform.api_reference import unrouted
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import (
    InternalError,
    PatchbayError,
    PayloadTooLarge,
    TemporarilyUnavailable,
)
from patchbay.platform.http import error_response

_HOST = "127.0.0.1"
_HTTP_PORT = 80
_BODY_LIMIT = 10 * 1024 * 1024
_HEAD_LIMIT = 10_240
"""Bytes of the request line and all headers.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
_READ_LIMIT = 1024 * 1024
"""What is read of a line of the head, so that a longer one than allowed has its own answer."""
# The functions' own time limits end a request long before this.
_TIMEOUT = ClientTimeout(total=60)
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_API_TOKEN = "X-Patchbay-Api-Token"  # noqa: S105 - the name of a header
"""Shows the emulator's front that a request comes from here."""
# Each of the two connections has its own.
_OF_A_CONNECTION = _HOP_BY_HOP | {
    *("content-length", "date", "expect", "host", "server"),
    _API_TOKEN.lower(),
}
_NAMES = (_HOST, "localhost", "[::1]")


class ForeignRequest(PatchbayError):
    """A page of another site has sent it, or under the name of another machine."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            "The local cloud takes no requests from pages of other sites.", "FOREIGN_REQUEST"
        )


class _UriTooLong(PatchbayError):
    status = 414

    def __init__(self) -> None:
        super().__init__(
            f"The URL is too long: with all headers it may have {_HEAD_LIMIT} bytes.",
            "URI_TOO_LONG",
            {"limit_bytes": _HEAD_LIMIT},
        )


class _HeadersTooLarge(PatchbayError):
    status = 431

    def __init__(self) -> None:
        super().__init__(
            f"The URL and the headers have more than {_HEAD_LIMIT} bytes.",
            "HEADERS_TOO_LARGE",
            {"limit_bytes": _HEAD_LIMIT},
        )


class Proxy:
    """The front door. It turns callers away until it knows where to pass them on to."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{_HOST}:{port}"
        self._port = port
        self._upstream: str | None = None
        self._token = ""

    def open(self, emulator_url: str, token: str, api_id: str) -> None:
        """From now on, pass requests on to this API."""
        self._upstream = f"{emulator_url}/_aws/execute-api/{api_id}/$default"
        self._token = token

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen on the loopback interface for the length of the block."""
        async with passing_on() as session:

            async def forward(request: web.Request) -> web.StreamResponse:
                return await self._forward(session, request)

            app = web.Application(client_max_size=_BODY_LIMIT)
            app.router.add_route("*", "/{path:(?s:.*)}", forward)
            app.on_response_prepare.append(drop_server_header)
            # Bodies pass through as they are, compressed ones too.
            runner = web.AppRunner(
                app,
                access_log=None,
                auto_decompress=False,
                shutdown_timeout=1,
                max_line_size=_READ_LIMIT,
                max_field_size=_READ_LIMIT,
            )
            await runner.setup()
            try:
                await self._listen(runner)
                yield
            finally:
                await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, _HOST, self._port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Problem(f"port {self._port} is taken; choose another: make run PORT=…") from None

    async def _forward(self, session: ClientSession, request: web.Request) -> web.StreamResponse:
        try:
            return await self._passed_on(session, request)
        except PatchbayError as error:
            return envelope(error)

    async def _passed_on(self, session: ClientSession, request: web.Request) -> web.Response:
        if not is_for_us(request.headers, request.path, self._port):
            raise ForeignRequest
        _require_small_head(request)
        if self._upstream is None:
            raise TemporarilyUnavailable
        if request.method == "OPTIONS":
            # The emulator answers it by itself, as if the API had a configuration of CORS.
            answered = unrouted("OPTIONS", request.rel_url.raw_path)
            return web.Response(status=answered.status, headers=answered.headers)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise PayloadTooLarge(_BODY_LIMIT) from None
        try:
            async with session.request(
                request.method,
                # As it came: encoded once more, or with `..` resolved, it would be another path.
                URL(self._upstream + request.rel_url.raw_path_qs, encoded=True),
                headers=_joined(request.headers)
                | {"Host": f"{_HOST}:{self._port}", _API_TOKEN: self._token},
                data=body or None,
                allow_redirects=False,
            ) as answer:
                answered_body = await answer.read()
                if answer.status >= 500 and not _is_of_a_function(answer.headers, answered_body):
                    raise InternalError  # the emulator's own: a function crashed or ran too long
                return web.Response(
                    status=answer.status,
                    headers=end_to_end(answer.headers),
                    body=answered_body,
                )
        except (ClientError, TimeoutError):
            raise TemporarilyUnavailable from None


def _require_small_head(request: web.Request) -> None:
    """Raises 414 or 431 for what API Gateway would not read."""
    line = len(f"{request.method} {request.raw_path} HTTP/1.1\r\n".encode())
    if line > _HEAD_LIMIT:
        raise _UriTooLong
    if line + sum(len(name) + len(value) + 4 for name, value in request.raw_headers) > _HEAD_LIMIT:
        raise _HeadersTooLarge


def passing_on() -> ClientSession:
    """What passes requests on as they came: no header, cookie, or coding of its own."""
    return ClientSession(
        timeout=_TIMEOUT,
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    )


def is_for_us(headers: CIMultiDictProxy[str], path: str, port: int) -> bool:
    """Whether a request names this machine, and no page of another site has sent it.

    A name that someone else owns may resolve to 127.0.0.1 (DNS rebinding): a browser takes it for
    their site and lets their page read the answers. `Origin` names the page of a request that
    could change something, `Sec-Fetch-Site` says the same of every request; a browser sets both.
    To follow a link is fine, from wherever. So is what is made for pages of other sites: the embed
    script, and the wizard, which says itself who may frame it.
    https://www.w3.org/TR/fetch-metadata/
    """
    hosts = {f"{name}:{port}" for name in _NAMES} | ({*_NAMES} if port == _HTTP_PORT else set())
    named = [value.lower() for value in headers.getall("Host", [])]
    if len(named) != 1 or named[0] not in hosts:
        return False
    if any(origin.lower() != f"http://{named[0]}" for origin in headers.getall("Origin", [])):
        return False
    if headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return True
    use = (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest"))
    return (
        use == ("navigate", "document")
        or (use == ("navigate", "iframe") and path.startswith("/install/"))
        or (use[1] == "script" and path == "/embed.js")
    )


def _is_of_a_function(headers: CIMultiDictProxy[str], body: bytes) -> bool:
    """Whether an answer is an error of the API's, or one of a provider that it passes on."""
    return "Patchbay-Proxied" in headers or b'"success":false' in body


def _joined(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """A repeated request header becomes one with commas, as API Gateway hands it on."""
    kept = end_to_end(headers)
    return {name: ",".join(kept.getall(name)) for name in kept}


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {
        name.strip().lower()
        for value in headers.getall("Connection", [])
        for name in value.split(",")
    }
    return CIMultiDict(
        (name, value)
        for name, value in headers.items()
        if name.lower() not in _OF_A_CONNECTION | named
    )


async def drop_server_header(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)


def envelope(error: PatchbayError) -> web.Response:
    answered = error_response(error, str(uuid.uuid4()), utc_now())
    return web.Response(
        status=answered.status,
        headers=answered.headers,
        text=str(answered.body),
        content_type=answered.media_type,
    )
