"""Connections on which the deadline of a request holds for all of it.

httpx2 has a timeout for each read and each write, so a sender that gives a byte now and then, of
the headers or of the body, could go on for ever. These connections allow each read and each write
only what is left until the deadline. What is not bounded is how long the system takes to look up a
name.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import httpcore2
import httpx2

if TYPE_CHECKING:
    import ssl

_END: Final[ContextVar[float]] = ContextVar("_END")
"""By the monotonic clock. A request is sent, and its answer read, by the thread that asks."""
_CONNECTIONS: Final = 100
_IDLE_CONNECTIONS: Final = 20
_IDLE_SECONDS: Final = 5.0
_ERRORS: Final = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """What is done within has this long."""
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


class DirectTransport(httpx2.BaseTransport):
    """Sends without a proxy, until the `deadline`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[str, httpcore2.ConnectionPool] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        sent = httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
        with _as_of_httpx2():
            answer = self._pool(url.scheme).handle_request(sent)
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        with self._lock:
            for pool in self._pools.values():
                pool.close()

    def _pool(self, scheme: str) -> httpcore2.ConnectionPool:
        with self._lock:
            if scheme not in self._pools:
                self._pools[scheme] = httpcore2.ConnectionPool(
                    # To read the certificates takes longer than a request to this machine.
                    httpx2.create_ssl_context() if scheme == "https" else None,
                    max_connections=_CONNECTIONS,
                    max_keepalive_connections=_IDLE_CONNECTIONS,
                    keepalive_expiry=_IDLE_SECONDS,
                    network_backend=_Backend(),
                )
            return self._pools[scheme]


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_of_httpx2():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Backend(httpcore2.NetworkBackend):
    """Connects to each address of a name until one is there, or the time is over."""

    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("the name has no address")
        for address in _addresses(host, port):
            seconds = _left(timeout, httpcore2.ConnectTimeout)
            try:
                return _Stream(
                    self._inner.connect_tcp(address, port, seconds, local_address, socket_options)
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # The stream within gives each part that is taken a timeout of its own.
        connection: socket.socket = self._inner.get_extra_info("socket")
        rest = memoryview(buffer)
        while rest:
            connection.settimeout(_left(timeout, httpcore2.WriteTimeout))
            try:
                rest = rest[connection.send(rest) :]
            except TimeoutError as error:
                raise httpcore2.WriteTimeout(str(error)) from error
            except OSError as error:
                raise httpcore2.WriteError(str(error)) from error

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = _left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(str(error)) from error
    return [str(socket.getnameinfo(one[4], socket.NI_NUMERICHOST)[0]) for one in found]


def _left(timeout: float | None, too_late: type[httpcore2.TimeoutException]) -> float:
    """Seconds until the deadline, or the timeout if that is sooner."""
    left = _END.get() - time.monotonic()
    if left <= 0:
        raise too_late("the deadline has passed")
    return left if timeout is None else min(timeout, left)


@contextmanager
def _as_of_httpx2() -> Iterator[None]:
    """An error has the same name there."""
    try:
        yield
    except (*_ERRORS, httpcore2.UnsupportedProtocol) as error:
        kind: type[httpx2.TransportError] = getattr(httpx2, type(error).__name__)
        raise kind(str(error)) from error
