"""One HTTP/1.1 request and its answer, on a fresh connection of the guard.

The other side is treated as hostile: what it may send is limited in bytes and in
time. The deadline is absolute, so answering a byte at a time gains nothing.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import h11

from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard, OpenConnection
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings

MAX_BODY: Final = 64 * 1024
# A status line with all headers, an interim response, a chunk's header, or the trailers.
MAX_HEAD: Final = 32 * 1024
MAX_HEADER_LINE: Final = 8 * 1024
MAX_INTERIM: Final = 10
# Each chunk is work, however small it is: 64 KiB in chunks of a byte would be a second of it.
MAX_PARTS: Final = 4096
# Everything received: room for the framing of a body in small chunks, not for framing without end.
MAX_WIRE: Final = MAX_HEAD + 4 * MAX_BODY
_READ: Final = 16 * 1024

_DEFAULT_HEADERS: Final = (("User-Agent", "Patchbay/1"), ("Accept", "application/json, */*;q=0.5"))
_OWN_HEADERS: Final = (("Accept-Encoding", "identity"), ("Connection", "close"))
_DEFLATED: Final = frozenset({"gzip", "x-gzip", "deflate"})


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` are by lower-case name, repeated ones joined by `, `; `body` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def exchange(
    guard: EgressGuard,
    request: HttpRequest,
    *,
    deadline: float,
    timings: DialTimings | None = None,
    head_only: bool = False,
) -> HttpResponse:
    """Sends `request` and reads the whole answer, until `deadline` (a time of the event loop).

    With `head_only` the answer's body is not waited for, and is empty here.
    Redirects are answers like others. Raises DialFailure: of the guard, or `provider_timeout`,
    `connection_reset`, `tls_error`, `response_too_large` and `unexpected_response` (no HTTP).
    """
    target = request.target
    vetted = await guard.vet(target.host, target.port, "http", deadline=deadline, timings=timings)
    connection = await guard.connect(
        vetted, tls=target.scheme == "https", deadline=deadline, timings=timings
    )
    try:
        async with asyncio.timeout_at(deadline):
            return await _talk(connection, request, timings or DialTimings(), head_only=head_only)
    except TimeoutError as error:
        raise DialFailure("provider_timeout", "The provider did not answer in time.") from error
    except ssl.SSLError as error:
        raise DialFailure("tls_error", "The TLS connection broke.") from error
    except ConnectionError as error:
        raise DialFailure("connection_reset", "The provider cut the connection.") from error
    finally:
        connection.close()


async def _talk(
    connection: OpenConnection, request: HttpRequest, timings: DialTimings, *, head_only: bool
) -> HttpResponse:
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
    head = h11.Request(method=request.method, target=request.target.path, headers=_headers(request))
    message = [wire.send(head)]
    if request.body:
        message.append(wire.send(h11.Data(data=request.body)))
    message.append(wire.send(h11.EndOfMessage()))
    connection.writer.write(b"".join(part for part in message if part))
    await connection.writer.drain()
    return await _Receiver(connection.reader, wire, timings).receive(head_only=head_only)


def _headers(request: HttpRequest) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in request.headers}
    headers = [("Host", request.target.authority)]
    headers += [header for header in _DEFAULT_HEADERS if header[0].lower() not in given]
    headers += request.headers
    headers += _OWN_HEADERS
    if request.body or request.method not in {"GET", "HEAD", "OPTIONS"}:
        headers.append(("Content-Length", str(len(request.body))))
    return headers


class _Receiver:
    """Reads one response within the budgets."""

    def __init__(
        self, reader: asyncio.StreamReader, wire: h11.Connection, timings: DialTimings
    ) -> None:
        self._reader = reader
        self._timings = timings
        self._asked_at = asyncio.get_running_loop().time()
        self._wire = wire
        self._received = 0
        self._ended = False

    async def receive(self, *, head_only: bool) -> HttpResponse:
        head = await self._head()
        body, parts = bytearray(), 0
        while not head_only and not isinstance(
            event := await self._event(answered=True), h11.EndOfMessage
        ):
            if not isinstance(event, h11.Data):
                raise _no_http()
            body += event.data
            parts += 1
            if len(body) > MAX_BODY or parts > MAX_PARTS:
                raise _too_large()
        headers: dict[str, str] = {}
        for raw_name, raw_value in head.headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return HttpResponse(head.status_code, headers, _decompress(bytes(body), headers))

    async def _head(self) -> h11.Response:
        for _ in range(MAX_INTERIM + 1):
            event = await self._event(answered=False)
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.ConnectionClosed):
                raise _cut()
            if not isinstance(event, h11.InformationalResponse):
                raise _no_http()
        raise DialFailure("unexpected_response", "The provider sent too many interim responses.")

    async def _event(self, *, answered: bool) -> object:
        try:
            while (event := self._wire.next_event()) is h11.NEED_DATA:
                data = await self._reader.read(_READ)
                if not self._received and data:
                    self._note_first_byte()
                self._received += len(data)
                self._ended = not data
                if self._received > MAX_WIRE:
                    raise _too_large()
                self._wire.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise self._broken(error, answered=answered) from error
        return event

    def _note_first_byte(self) -> None:
        waited = asyncio.get_running_loop().time() - self._asked_at
        self._timings.first_byte_ms = round(waited * 1000)

    def _broken(self, error: h11.RemoteProtocolError, *, answered: bool) -> DialFailure:
        if self._ended and (answered or not self._received):
            return _cut()
        # h11's hint for "more than max_incomplete_event_size": many lines, or one that is no
        # header.
        if error.error_status_hint == 431:
            lines = self._wire.trailing_data[0].split(b"\n")
            if max(map(len, lines)) <= MAX_HEADER_LINE:
                return _too_large()
        return _no_http()


def _decompress(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body without its `Content-Encoding`: asked for was none, but some servers send gzip
    anyway.

    Raises DialFailure: `response_too_large` beyond 64 KiB, `unexpected_response` for several
    codings or one that is not gzip or deflate.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding == "identity" or not body:
        return body
    if coding not in _DEFLATED:
        raise DialFailure(
            "unexpected_response", "The answer is compressed in a way that was not asked for."
        )
    # 32 makes zlib accept gzip and zlib, by the header.
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = inflater.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise DialFailure("unexpected_response", "The answer's compression is broken.") from error
    if len(plain) > MAX_BODY:
        raise _too_large()
    if not inflater.eof:
        raise DialFailure("unexpected_response", "The answer's compression is broken.")
    return plain


def _too_large() -> DialFailure:
    return DialFailure("response_too_large", "The answer is larger than a check reads.")


def _no_http() -> DialFailure:
    return DialFailure("unexpected_response", "The answer is not valid HTTP.")


def _cut() -> DialFailure:
    return DialFailure(
        "connection_reset", "The provider closed the connection before it had answered."
    )
