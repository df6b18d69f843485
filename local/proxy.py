"""Serves the API at its own paths, by passing each request on to the emulator.

The emulator answers for an API under `/_aws/execute-api/<api>/<stage>/…`. This is what a client of
AWS sees of API Gateway: the paths of the template, the body limit, no headers of anyone between.
"""

import contextlib
import errno
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from local.problems import Problem

_HOST = "127.0.0.1"
_HTTP_PORT = 80
_BODY_LIMIT = 10 * 1024 * 1024
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
        async with ClientSession(
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        ) as session:

            async def forward(request: web.Request) -> web.StreamResponse:
                return await self._forward(session, request)

            app = web.Application(client_max_size=_BODY_LIMIT)
            app.router.add_route("*", "/{path:(?s:.*)}", forward)
            app.on_response_prepare.append(_drop_server_header)
            # Bodies pass through as they are, compressed ones too.
            runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1)
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
        if not _is_for_us(request.headers, self._port):
            return _gateway_answer(403, "Forbidden")
        if self._upstream is None:
            return _gateway_answer(503, "Service Unavailable")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _gateway_answer(413, "Request Entity Too Large")
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
                return web.Response(
                    status=answer.status,
                    headers=_end_to_end(answer.headers),
                    body=await answer.read(),
                )
        except (ClientError, TimeoutError):
            return _gateway_answer(503, "Service Unavailable")


def _is_for_us(headers: CIMultiDictProxy[str], port: int) -> bool:
    """Whether a request names this machine, and no page of another site has sent it.

    A name that someone else owns may resolve to 127.0.0.1 (DNS rebinding): a browser takes it for
    their site and lets their page read the answers. `Origin` names the page of a request that
    could change something, `Sec-Fetch-Site` says the same of every request; a browser sets both.
    To follow a link is fine, from wherever.
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
    return (headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest")) == (
        "navigate",
        "document",
    )


def _joined(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """A repeated request header becomes one with commas, as API Gateway hands it on."""
    kept = _end_to_end(headers)
    return {name: ",".join(kept.getall(name)) for name in kept}


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
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


async def _drop_server_header(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.pop("Server", None)


def _gateway_answer(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
