"""One HTTP/1.1 request and its answer, on a fresh connection of the guard.

The head comes first: status and headers are there as soon as they have arrived, and the body is
read only by a caller that asks for it. Whatever is wrong with a body (long, slow, cut off, in a
coding that does not fit) is reported with the part that could be read; the head is still valid.

The server is assumed to be hostile, so what it may send is limited in bytes and in time. The
deadline is absolute, so answering a byte at a time gains nothing.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from patchbay.egress.content import (
    MAX_CONTENT,
    CodingError,
    ContentTooLarge,
    decoded,
    json_of,
    text_of,
)
from patchbay.egress.cookies import CookieJar
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.http1 import (
    MAX_CHUNKS,
    MAX_HEAD,
    AnswerReader,
    Head,
    NotHttp,
    Quirk,
    TooLarge,
    request_bytes,
)
from patchbay.egress.request import HttpRequest
from patchbay.egress.stream import Stream
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import VERIFIED, session_failure
from patchbay.platform.clock import utc_now

MAX_WIRE: Final = MAX_HEAD + 4 * MAX_CONTENT
"""Bytes received in all: room for a body in small chunks, not for framing without end. More in
proportion, where more content is read."""

LEAST_OF_A_CHUNK: Final = 64
"""Bytes of a chunk, on average, where more content is read."""

REFUSAL_SECONDS: Final = 1.0
"""How long the words of a refusal are waited for: its status is known, and says most of it."""

_DEFAULT_HEADERS: Final = (("User-Agent", "Patchbay/1"), ("Accept", "application/json, */*;q=0.5"))
_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CODED: Final = frozenset({"content-encoding", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class HttpBody:
    """The body of an answer, without its content codings, as far as it could be read.

    `problem` says why the rest is missing; it is None if the body is complete.
    """

    data: bytes
    content_type: str = ""
    problem: DialFailure | None = None

    def text(self) -> str:
        return text_of(self.data, self.content_type)

    def json(self) -> object:
        """Raises ValueError, RecursionError."""
        return json_of(self.data, self.content_type)


class HttpResponse:
    """The head of an answer, and a body that is read when it is asked for."""

    def __init__(self, head: Head, receiver: "_Receiver") -> None:
        self._head = head
        self._receiver = receiver
        self._body: HttpBody | None = None

    @property
    def status(self) -> int:
        return self._head.status

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name, repeated ones joined by `, `."""
        return self._head.headers

    @property
    def quirks(self) -> tuple[Quirk, ...]:
        """Why the answer is not valid HTTP, if it is not."""
        return self._head.quirks

    @property
    def head_problem(self) -> DialFailure | None:
        """Why only a part of the headers is known; None if they all are."""
        return self._receiver.problem

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def upgraded(self) -> tuple[Stream, bytes]:
        """Of a 101: the connection, and what has arrived on it since. It is closed with the
        exchange."""
        return self._receiver.upgraded()

    async def body(self, *, deadline: float) -> HttpBody:
        """Reads the body until `deadline`, a time of the event loop. Raises nothing of a dial: what
        went wrong is the body's `problem`."""
        if self._body is None:
            self._body = await self._receiver.body(self._head, deadline)
        return self._body

    async def transferred(self, *, deadline: float) -> HttpBody:
        """As `body`, with its content codings as they are: nothing is unpacked. A coding of the
        transfer that is not `chunked` is a problem."""
        return await self._receiver.transferred(self._head, deadline)

    async def words(self, *, deadline: float) -> HttpBody:
        """The body of a refusal, as far as it has arrived within a second or until `deadline`."""
        limit = asyncio.get_running_loop().time() + REFUSAL_SECONDS
        return await self.body(deadline=min(deadline, limit))


class exchange:  # noqa: N801 - called like a function
    """Sends a request, and gives the answer as soon as its head is there; the connection is closed
    at the end of the block.

    An `async with` block. It raises DialFailure: of the guard, or `provider_timeout`,
    `connection_reset`, `tls_error` and its kin, `response_too_large` and `unexpected_response` (not
    HTTP).
    """

    # A class, because a generator would cost every test more than the block itself.
    __slots__ = ("_deadline", "_guard", "_most", "_request", "_stream", "_timings")

    def __init__(
        self,
        guard: EgressGuard,
        request: HttpRequest,
        *,
        deadline: float,
        timings: DialTimings | None = None,
        most: int = MAX_CONTENT,
    ) -> None:
        """`deadline` is a time of the event loop, `most` how many bytes of a body are read.
        Redirects are answers like others."""
        self._guard = guard
        self._request = request
        self._deadline = deadline
        self._timings = timings or DialTimings()
        self._most = most
        self._stream: Stream | None = None

    async def __aenter__(self) -> HttpResponse:
        guard, request, deadline, timings = (
            self._guard,
            self._request,
            self._deadline,
            self._timings,
        )
        url = request.target
        vetted = await guard.vet(url.host, url.port, "http", deadline=deadline, timings=timings)
        tls = (request.tls or VERIFIED) if url.scheme == "https" else None
        stream = await guard.connect(vetted, tls=tls, deadline=deadline, timings=timings)
        try:
            response = await self._answered(stream)
        except BaseException:
            stream.close()
            raise
        self._stream = stream
        return response

    async def __aexit__(self, *_: object) -> None:
        if self._stream:
            self._stream.close()

    async def _answered(self, stream: Stream) -> HttpResponse:
        guard, request = self._guard, self._request
        receiver = _Receiver(stream, request, self._timings, self._most)
        try:
            stream.deadline = self._deadline
            # Servers that refuse by the head of a request end before they have read all of it.
            with suppress(ConnectionError):
                await stream.send(_message(request, guard.cookies if request.cookies else None))
            head = await receiver.head()
        except (TimeoutError, OSError) as error:
            head = receiver.beginning(_failure(error, request))
        if request.cookies and "set-cookie" in head.headers:
            guard.cookies.keep(request.target, head.headers["set-cookie"], utc_now())
        return HttpResponse(head, receiver)


def _message(request: HttpRequest, cookies: CookieJar | None) -> bytes:
    target = request.target
    headers = [
        ("Host", target.authority),
        *_usual_headers(tuple([name for name, _ in request.headers])),
        *request.headers,
    ]
    cookie = cookies.header(target) if cookies else None
    if cookie:
        headers.append(("Cookie", cookie))
    headers.append(("Accept-Encoding", "identity"))
    if request.upgrade:
        headers += (("Connection", "Upgrade"), ("Upgrade", request.upgrade))
    else:
        headers.append(("Connection", "close"))
    if request.body or request.method not in _BODILESS:
        headers.append(("Content-Length", str(len(request.body))))
    return request_bytes(request.method, target.path, headers, request.body)


@lru_cache(maxsize=256)
def _usual_headers(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The headers that every request has, unless it has others of these names."""
    given = {name.lower() for name in names}
    return tuple(header for header in _DEFAULT_HEADERS if header[0].lower() not in given)


class _Receiver:
    """Reads one answer within the limits."""

    def __init__(
        self, stream: Stream, request: HttpRequest, timings: DialTimings, most: int
    ) -> None:
        self._stream = stream
        self._request = request
        self._timings = timings
        self._most = most
        self._asked_at = asyncio.get_running_loop().time()
        self._reader = AnswerReader(
            request.method, max_chunks=max(MAX_CHUNKS, most // LEAST_OF_A_CHUNK)
        )
        self._received = 0
        self._content = bytearray()
        self._problem: DialFailure | None = None

    def upgraded(self) -> tuple[Stream, bytes]:
        return self._stream, self._reader.after_upgrade

    async def head(self) -> Head:
        """Raises DialFailure, OSError."""
        while (head := self._reader.head) is None:
            try:
                await self._receive()
            except DialFailure as failure:
                if self._reader.head is None:
                    raise
                # Of the part of the body that came with the head: no one may ask for it.
                self._problem = failure
        return head

    def beginning(self, failure: DialFailure) -> Head:
        """What has arrived of the head when the connection failed so; raises the failure if that
        has no status."""
        try:
            self._reader.cut()
        except NotHttp:
            raise failure from None
        if self._reader.head is None:
            raise failure
        self._problem = failure
        return self._reader.head

    @property
    def problem(self) -> DialFailure | None:
        """Why the rest of the head is missing, if its head is cut."""
        head = self._reader.head
        if head is None or not head.is_cut:
            return None
        if head.quirks[0] == "a header line is too long":
            return DialFailure("unexpected_response", "A header line of the answer is too long.")
        return self._problem or _too_large()

    async def body(self, head: Head, deadline: float) -> HttpBody:
        data, problem = await self._received_body(deadline)
        return _read(data, head, problem)

    async def transferred(self, head: Head, deadline: float) -> HttpBody:
        data, problem = await self._received_body(deadline)
        if head.transfer_codings:
            problem = problem or _unreadable()
        return HttpBody(data, head.headers.get("content-type", ""), problem)

    async def _received_body(self, deadline: float) -> tuple[bytes, DialFailure | None]:
        problem = self.problem or self._problem
        # Most bodies have come with their head.
        if not problem and not self._reader.is_complete:
            problem = await self._rest(deadline)
        if len(self._content) > self._most:
            problem = _too_large()
        return bytes(self._content[: self._most]), problem

    async def _rest(self, deadline: float) -> DialFailure | None:
        """Reads the body to its end, or a little more than is kept of it."""
        try:
            self._stream.deadline = deadline
            while not self._reader.is_complete and len(self._content) <= self._most:
                await self._receive()
        except DialFailure as failure:
            return failure
        except (TimeoutError, OSError) as error:
            return _failure(error, self._request)
        return None

    async def _receive(self) -> None:
        data = await self._stream.receive()
        if not self._received and data:
            waited = asyncio.get_running_loop().time() - self._asked_at
            self._timings.first_byte_ms = round(waited * 1000)
        self._received += len(data)
        try:
            if data:
                self._content += self._reader.feed(data)
            elif not self._reader.end():
                raise _cut(answered=self._reader.head is not None)
        except NotHttp as error:
            raise _not_http() from error
        except TooLarge as error:
            raise _too_large() from error
        most_on_the_wire = MAX_WIRE * self._most // MAX_CONTENT
        if self._received > most_on_the_wire and not self._reader.is_complete:
            raise _too_large()


def _read(data: bytes, head: Head, problem: DialFailure | None) -> HttpBody:
    content_type = head.headers.get("content-type", "")
    if _CODED.isdisjoint(head.headers):
        return HttpBody(data, content_type, problem)
    try:
        data = decoded(data, head.codings)
    except ContentTooLarge as error:
        data, problem = error.data, problem or _too_large()
    except CodingError as error:
        data, problem = error.data, problem or _unreadable()
    return HttpBody(data, content_type, problem)


def _failure(error: Exception, request: HttpRequest) -> DialFailure:
    """What the end of a connection means, once it was open."""
    if isinstance(error, TimeoutError):
        return DialFailure("provider_timeout", "The provider did not answer in time.")
    if isinstance(error, ssl.SSLError):
        return session_failure(error, request.tls)
    if isinstance(error, ConnectionError):
        return DialFailure("connection_reset", "The provider closed the connection.")
    raise error


def _too_large() -> DialFailure:
    return DialFailure("response_too_large", "The answer is larger than a check reads.")


def _not_http() -> DialFailure:
    return DialFailure("unexpected_response", "The answer is not valid HTTP.")


def _unreadable() -> DialFailure:
    return DialFailure("unexpected_response", "The answer's compression is broken.")


def _cut(*, answered: bool) -> DialFailure:
    if answered:
        return DialFailure("connection_reset", "The provider cut its answer off.")
    return DialFailure(
        "connection_reset", "The provider closed the connection before it had answered."
    )
