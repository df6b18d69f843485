"""Serves web/ of the checkout in front of a running local cloud: an edit shows after a reload.

    python -m local.web_files [--port 3080] [--state-dir .local]

It has the pages of `functions/web.py` and their headers from the same code, but reads the folder
for each request. All else, and who may frame a page, is the cloud's own answer.
"""

import argparse
import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from aiohttp import ClientError, ClientSession, web
from yarl import URL

from local.paths import LOCAL, StateDir
from local.problems import Problem
from local.proxy import (
    ForeignRequest,
    drop_server_header,
    end_to_end,
    envelope,
    is_for_us,
    passing_on,
)
from patchbay.platform.errors import PatchbayError, TemporarilyUnavailable
from patchbay.platform.http import RawReply, RawRequest
from patchbay.platform.web_files import (
    ASSETS,
    DASHBOARD,
    FOLDER,
    STATUS_PAGE,
    WIZARD,
    WebFiles,
    WebPage,
)

_HOST: Final = "127.0.0.1"
_PORT: Final = 3080
_PAGES: Final[dict[str, WebPage]] = {
    "/app(?:/.+)?": DASHBOARD,
    "/install/[^/]+/[^/]+": WIZARD,
    "/status/[^/]+": STATUS_PAGE,
}
_KEPT: Final = "no-store"


class WebServer:
    """One port that has web/ in front of the cloud at `api_url`."""

    def __init__(self, api_url: str, port: int, folder: Path = FOLDER) -> None:
        self.url: Final = f"http://{_HOST}:{port}"
        self._api_url = api_url
        self._port = port
        self._folder = folder

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens on the loopback interface for the length of the block."""
        async with passing_on() as session:

            async def answer(request: web.Request) -> web.StreamResponse:
                try:
                    return await self._answer(session, request)
                except PatchbayError as error:
                    return envelope(error)

            app = web.Application(client_max_size=10 * 1024 * 1024)
            app.router.add_route("*", "/{path:(?s:.*)}", answer)
            app.on_response_prepare.append(drop_server_header)
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
        except OSError:
            raise Problem(f"port {self._port} is taken; choose another: --port") from None

    async def _answer(self, session: ClientSession, request: web.Request) -> web.Response:
        if not is_for_us(request.headers, request.path, self._port):
            raise ForeignRequest
        if request.method in ("GET", "HEAD"):
            found = self._of_checkout(request)
            if found is not None:
                if request.query_string and request.path.startswith("/install/"):
                    return _sent(await self._framed(session, request, found))
                return _sent(found)
        return await self._passed_on(session, request)

    def _of_checkout(self, request: web.Request) -> RawReply | None:
        """A file or a page of web/, as it is now. Raises `NotFound`."""
        files = WebFiles(self._folder)
        asked = RawRequest(request.method, "", request.query_string, {}, b"")
        if request.path.startswith(f"{ASSETS}/"):
            # A page that is open since before an edit goes on with what is there now.
            path = request.path.removeprefix(f"{ASSETS}/").partition("/")[2]
            name = files.prefix.removeprefix(f"{ASSETS}/")
            return files.asset(replace(asked, rest=f"{name}/{path}"))
        if request.path == "/embed.js":
            return files.embed_script(asked)
        for pattern, page in _PAGES.items():
            if re.fullmatch(pattern, request.path):
                return files.page(page, asked)
        return None

    async def _framed(
        self, session: ClientSession, request: web.Request, page: RawReply
    ) -> RawReply:
        """The same page with the policy that the cloud has for it."""
        said = await self._passed_on(session, request)
        policy = said.headers.get("Content-Security-Policy")
        headers = {**page.headers, **({"Content-Security-Policy": policy} if policy else {})}
        return replace(page, headers=headers)

    async def _passed_on(self, session: ClientSession, request: web.Request) -> web.Response:
        headers = end_to_end(request.headers)
        headers["Host"] = self._api_url.removeprefix("http://")
        if "Origin" in headers:
            headers["Origin"] = self._api_url
        try:
            async with session.request(
                request.method,
                URL(self._api_url + request.rel_url.raw_path_qs, encoded=True),
                headers=headers,
                data=await request.read() or None,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                sent = end_to_end(answer.headers)
                return web.Response(status=answer.status, headers=sent, body=body)
        except (ClientError, TimeoutError):
            raise TemporarilyUnavailable from None


def _sent(reply: RawReply) -> web.Response:
    headers = {**reply.headers, "Cache-Control": _KEPT}
    return web.Response(status=reply.status, headers=headers, body=reply.body)


async def _serve(api_url: str, port: int) -> None:
    server = WebServer(api_url, port)
    async with server.serving():
        print(f"{server.url}: web/ of this checkout, in front of {api_url}", flush=True)
        await asyncio.Event().wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.web_files", description=__doc__)
    parser.add_argument("--port", type=int, default=_PORT)
    parser.add_argument("--state-dir", type=Path, default=LOCAL)
    options = parser.parse_args()
    try:
        stack_file = StateDir(options.state_dir.resolve()).stack_file
        try:
            api_url = json.loads(stack_file.read_text())["api_url"]
        except FileNotFoundError:
            raise Problem("no local cloud runs; start one: make run") from None
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(api_url, options.port))
    except Problem as problem:
        print(f"patchbay: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
