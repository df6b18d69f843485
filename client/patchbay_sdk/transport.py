"""Who carries requests.

A transport has one method, `send`, so one of your own is a few lines. It raises `ConnectionFailed`,
or `TimedOut`, if there is no whole answer. The usual ones stand on httpx2, which is imported when
the first client is made.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from patchbay_sdk.errors import ConnectionFailed, InvalidArgument, TimedOut
from patchbay_sdk.messages import Request, Response

if TYPE_CHECKING:
    import httpx2

_NOT_BY_A_PROXY: Final = {"http://": None}
"""HTTP in the clear is for this machine alone: HTTP_PROXY must not take the key away from it."""
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
    """Sends by an `httpx2.Client`: your own for a proxy, a certificate, or limits."""

    def __init__(self, client: httpx2.Client | None = None) -> None:
        import httpx2

        self._client = client or httpx2.Client(mounts=_NOT_BY_A_PROXY)
        _keep_no_cookies(self._client.cookies)

    def send(self, request: Request) -> Response:
        import httpx2

        deadline = time.monotonic() + request.timeout_seconds
        try:
            with self._client.stream(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=request.content,
                timeout=request.timeout_seconds,
                follow_redirects=False,
            ) as answer:
                parts = []
                # The timeout of httpx2 is one of each read: a slow sender could go on for ever.
                for part in answer.iter_bytes():
                    parts.append(part)
                    if time.monotonic() > deadline:
                        raise TimedOut(sent=True)
                return _response(answer, b"".join(parts))
        except httpx2.InvalidURL:
            raise InvalidArgument(_INVALID_URL) from None
        except httpx2.HTTPError as error:
            _raise(error)

    def close(self) -> None:
        self._client.close()


class AsyncHttpxTransport:
    """Sends by an `httpx2.AsyncClient`: your own for a proxy, a certificate, or limits."""

    def __init__(self, client: httpx2.AsyncClient | None = None) -> None:
        import httpx2

        self._client = client or httpx2.AsyncClient(mounts=_NOT_BY_A_PROXY)
        _keep_no_cookies(self._client.cookies)

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
        deadline = time.monotonic() + request.timeout_seconds
        async with self._client.stream(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.content,
            timeout=request.timeout_seconds,
            follow_redirects=False,
        ) as answer:
            parts = []
            async for part in answer.aiter_bytes():
                parts.append(part)
                if time.monotonic() > deadline:
                    raise TimedOut(sent=True)
            return _response(answer, b"".join(parts))

    async def close(self) -> None:
        await self._client.aclose()


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
