"""Who carries requests.

A transport has one method, `send`, so one of your own is a few lines. It raises `ConnectionFailed`,
or `TimedOut`, if there is no whole answer. The usual ones stand on httpx2, which is imported when
the first request is sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from patchbay_sdk.errors import ConnectionFailed, InvalidArgument, TimedOut
from patchbay_sdk.messages import Request, Response

if TYPE_CHECKING:
    import httpx2

_INVALID_URL: Final = "the address of the request is too long, or has characters that none has"
_SLACK_SECONDS: Final = 1.0
"""httpx2 is first with its own timeouts, because it knows whether a request was sent."""


class Transport(Protocol):
    """Carries requests, from any thread."""

    def send(self, request: Request) -> Response:
        """Raises `ConnectionFailed`."""
        ...

    def close(self) -> None: ...


class AsyncTransport(Protocol):
    """Carries requests on an event loop."""

    async def send(self, request: Request) -> Response:
        """Raises `ConnectionFailed`."""
        ...

    async def close(self) -> None: ...


class HttpxTransport:
    """Sends by httpx2: by an `httpx2.Client` of your own, for a certificate or limits, or without.

    Without one, the timeout of a request is a deadline of all of it: headers and bodies that
    trickle in do not prolong it. With one, or through a proxy, it is that of each read, as httpx2
    has it; of a body, it is looked at after each part.
    """

    def __init__(self, client: httpx2.Client | None = None) -> None:
        self._client = client
        if client is not None:
            _keep_no_cookies(client.cookies)
        self._lock = threading.Lock()
        self._transports: dict[str | None, httpx2.BaseTransport] = {}

    def send(self, request: Request) -> Response:
        import httpx2

        from patchbay_sdk.deadlines import deadline

        end = time.monotonic() + request.timeout_seconds
        try:
            with deadline(request.timeout_seconds), self._stream(request) as answer:
                parts = []
                for part in answer.iter_bytes():
                    parts.append(part)
                    if time.monotonic() > end:
                        raise TimedOut(sent=True)
                return _response(answer, b"".join(parts))
        except httpx2.InvalidURL:
            raise InvalidArgument(_INVALID_URL) from None
        except httpx2.HTTPError as error:
            _raise(error)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        with self._lock:
            for transport in self._transports.values():
                transport.close()

    def _stream(self, request: Request) -> AbstractContextManager[httpx2.Response]:
        if self._client is not None:
            return self._client.stream(**_asked(request))
        made = _made(request)
        return closing(self._transport(made.url).handle_request(made))

    def _transport(self, url: httpx2.URL) -> httpx2.BaseTransport:
        import httpx2

        from patchbay_sdk.deadlines import DirectTransport

        proxy = _proxy_for(url)
        with self._lock:
            if proxy not in self._transports:
                self._transports[proxy] = (
                    DirectTransport() if proxy is None else httpx2.HTTPTransport(proxy=proxy)
                )
            return self._transports[proxy]


class AsyncHttpxTransport:
    """Sends by httpx2: by an `httpx2.AsyncClient` of your own, for a proxy, a certificate, or
    limits, or without. The timeout of a request is a deadline of all of it."""

    def __init__(self, client: httpx2.AsyncClient | None = None) -> None:
        self._client = client
        if client is not None:
            _keep_no_cookies(client.cookies)
        self._transports: dict[str | None, httpx2.AsyncBaseTransport] = {}

    async def send(self, request: Request) -> Response:
        import asyncio

        import httpx2

        try:
            # The timeouts of httpx2 are those of each read: a slow sender could go on for ever.
            return await asyncio.wait_for(
                self._answer(request), request.timeout_seconds + _SLACK_SECONDS
            )
        except asyncio.TimeoutError:
            raise TimedOut(sent=True) from None
        except httpx2.InvalidURL:
            raise InvalidArgument(_INVALID_URL) from None
        except httpx2.HTTPError as error:
            _raise(error)

    async def _answer(self, request: Request) -> Response:
        end = time.monotonic() + request.timeout_seconds
        async with self._stream(request) as answer:
            parts = []
            async for part in answer.aiter_bytes():
                parts.append(part)
                if time.monotonic() > end:
                    raise TimedOut(sent=True)
            return _response(answer, b"".join(parts))

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncIterator[httpx2.Response]:
        if self._client is not None:
            async with self._client.stream(**_asked(request)) as answer:
                yield answer
            return
        made = _made(request)
        answer = await self._transport(made.url).handle_async_request(made)
        try:
            yield answer
        finally:
            await answer.aclose()

    def _transport(self, url: httpx2.URL) -> httpx2.AsyncBaseTransport:
        import httpx2

        proxy = _proxy_for(url)
        if proxy not in self._transports:
            self._transports[proxy] = httpx2.AsyncHTTPTransport(proxy=proxy)
        return self._transports[proxy]

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
        for transport in self._transports.values():
            await transport.aclose()


def _asked(request: Request) -> dict[str, Any]:
    """What a client of httpx2 is given for a request."""
    return {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "content": request.content,
        "timeout": request.timeout_seconds,
        "follow_redirects": False,
    }


def _made(request: Request) -> httpx2.Request:
    """A request for a transport of httpx2, beside a client: that logs each address, which has the
    query."""
    import httpx2

    seconds = request.timeout_seconds
    return httpx2.Request(
        request.method,
        request.url,
        headers={"Accept": "*/*", "Accept-Encoding": "gzip, deflate", **request.headers},
        content=request.content,
        extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), seconds)},
    )


def _proxy_for(url: httpx2.URL) -> str | None:
    """The proxy that the environment has for an address. HTTP in the clear is for this machine
    alone: HTTP_PROXY must not take the key away from it."""
    from urllib.request import getproxies, proxy_bypass

    if url.scheme != "https" or proxy_bypass(url.host):
        return None
    proxies = getproxies()
    found = proxies.get("https") or proxies.get("all")
    return found if found is None or "://" in found else f"http://{found}"


def _keep_no_cookies(cookies: httpx2.Cookies) -> None:
    """A session of a browser must not ride along with an API key."""
    from http.cookiejar import DefaultCookiePolicy

    cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))


def _response(answer: httpx2.Response, content: bytes) -> Response:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if headers.pop("content-encoding", None) is not None:
        # They are about the bytes as they came, and these are decoded.
        headers.pop("content-length", None)
    return Response(answer.status_code, headers, content)


def _raise(error: httpx2.HTTPError) -> NoReturn:
    import httpx2

    never_sent = (
        httpx2.ConnectError,
        httpx2.ConnectTimeout,
        httpx2.PoolTimeout,
        httpx2.ProxyError,
        httpx2.UnsupportedProtocol,
    )
    sent = not isinstance(error, never_sent)
    if isinstance(error, httpx2.TimeoutException):
        raise TimedOut(sent=sent) from error
    raise ConnectionFailed(f"no answer: {type(error).__name__}", sent=sent) from error
