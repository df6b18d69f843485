"""HTTP/1.1 connections to one endpoint that are kept between requests.

It knows as much of HTTP as one kind of request needs: a POST whose answer is whole in memory. The
standard library's `http.client` costs three times the CPU of the rest of a call, and most of it is
the parser of mail headers. What is read here is strict: anything ambiguous counts as no answer.
"""

import contextlib
import errno
import os
import re
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from patchbay.platform.dynamodb_endpoint import DynamoDBEndpoint

MAX_KEPT_CONNECTIONS: Final = 25
"""More are opened when more threads call at once, and closed after their answer."""

MAX_IDLE_SECONDS: Final = 50
"""Below the 60 seconds of AWS's own clients (`connectionMaxIdleTime` of
https://docs.aws.amazon.com/sdk-for-java/latest/developer-guide/http-configuration-apache.html).
Lambda freezes a process between invocations, and a connection may be gone unnoticed."""

MAX_ANSWER_SECONDS: Final = 5.0
"""From the request to the last byte, so that an answer that trickles in ends as well."""

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""DynamoDB answers with up to 16 MB of items, which are larger as JSON
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html)."""

_CHUNK: Final = 256 * 1024
_HEAD_END: Final = b"\r\n\r\n"
_ENDS: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How a connection fails that the other side has closed."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_LENGTH: Final = frozenset({"content-length", "transfer-encoding"})
_NUMBERS: Final = {10: re.compile("[0-9]{1,12}"), 16: re.compile("[0-9A-Fa-f]{1,8}")}


class NoAnswer(Exception):
    """A request got no answer that can be read: it may have been carried out, or not.

    The text says why, without a word of what was sent or received.
    """


class _Closed(NoAnswer):
    """The server had closed the connection before the first byte of an answer."""


class _Ended(NoAnswer):
    """The server closed the connection after some of an answer."""


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """`headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Carries signed requests to one endpoint. Thread-safe."""

    def send(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        """Raises `NoAnswer`."""


@dataclass(slots=True)
class _Kept:
    """A connection. `poll` reports anything that comes while no answer is awaited."""

    stream: socket.socket
    poll: select.poll = field(default_factory=select.poll)
    process: int = field(default_factory=os.getpid)
    used_at: tuple[float, float] = (0.0, 0.0)

    def is_usable(self) -> bool:
        """Whether this process used it lately, and nothing came since: data or an end.

        A fork has the same connections, and their answers would reach either process.
        """
        # One clock stops while a machine is frozen, the other one may be set.
        idle = max(time.monotonic() - self.used_at[0], time.time() - self.used_at[1])
        is_ours = self.process == os.getpid()
        return is_ours and idle < MAX_IDLE_SECONDS and not self.poll.poll(0)

    def is_used(self) -> None:
        self.used_at = time.monotonic(), time.time()


class KeptConnections:
    """The transport of the plain case: no proxy between us and the endpoint."""

    def __init__(
        self, endpoint: DynamoDBEndpoint, *, connect_seconds: float, read_seconds: float
    ) -> None:
        self._endpoint = endpoint
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._start = f"POST {endpoint.path} HTTP/1.1\r\n"
        self._tls = _tls_context(endpoint.ca_bundle) if endpoint.scheme == "https" else None
        self._idle: list[_Kept] = []

    def send(self, headers: Mapping[str, str], body: bytes) -> ServerAnswer:
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = (
            f"{self._start}{lines}Content-Length: {len(body)}\r\nAccept-Encoding: identity\r\n\r\n"
        )
        request = head.encode("ascii") + body
        kept = self._usable()
        if kept is not None:
            # The server may have closed it at this very moment: the call has not failed.
            with contextlib.suppress(_Closed):
                return self._exchange(kept, request)
        return self._exchange(self._opened(), request)

    def close(self) -> None:
        """Closes the connections that no call uses now."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().stream.close()

    def _usable(self) -> _Kept | None:
        """The connection that was used last, so that the others can grow old."""
        while True:
            try:
                kept = self._idle.pop()
            except IndexError:
                return None
            if kept.is_usable():
                return kept
            kept.stream.close()

    def _opened(self) -> _Kept:
        address = self._endpoint.address, self._endpoint.port
        try:
            stream = socket.create_connection(address, self._connect_seconds)
        except OSError as error:
            raise NoAnswer(f"no connection: {_kind(error)}") from None
        try:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls:
                stream = self._tls.wrap_socket(stream, server_hostname=address[0])
            stream.settimeout(self._read_seconds)
        except OSError as error:
            stream.close()
            raise NoAnswer(f"no connection: {_kind(error)}") from None
        except BaseException:
            stream.close()
            raise
        kept = _Kept(stream)
        kept.poll.register(stream, select.POLLIN)
        return kept

    def _exchange(self, kept: _Kept, request: bytes) -> ServerAnswer:
        reader = _Reader(kept.stream)
        try:
            # An answer may have come before the end, as the refusal of a large request.
            with contextlib.suppress(*_ENDS):
                kept.stream.sendall(request)
            answer = reader.answer()
        except OSError as error:
            kept.stream.close()
            if isinstance(error, TimeoutError):
                # The path may be gone, and so the others: the next attempt opens its own.
                self.close()
            raise NoAnswer(f"no answer: {_kind(error)}") from None
        except BaseException:
            kept.stream.close()
            raise
        if reader.is_reusable and len(self._idle) < MAX_KEPT_CONNECTIONS:
            kept.is_used()
            self._idle.append(kept)
        else:
            kept.stream.close()
        return answer


class _Reader:
    """Reads one answer, up to its last byte."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._received = bytearray()
        self._has_begun = False
        self._ends_at = time.monotonic() + MAX_ANSWER_SECONDS
        self.is_reusable = False
        """Whether the connection stays open and nothing came after the answer."""

    def answer(self) -> ServerAnswer:
        status, headers, stays = _parsed_head(self._head())
        encoding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if encoding is not None:
            if encoding.lower() != "chunked" or length is not None:
                raise NoAnswer("the length of the answer is ambiguous")
            body = self._chunked()
        elif length is not None:
            body = self._exactly(_number(length, 10))
        else:
            body, stays = self._to_the_end(), False
        self.is_reusable = stays and not self._received
        return ServerAnswer(status, headers, body)

    def _head(self) -> bytes:
        received = self._received
        looked_at = 0
        while (end := received.find(_HEAD_END, max(0, looked_at - 3))) < 0:
            looked_at = len(received)
            if looked_at > MAX_HEAD_BYTES:
                raise NoAnswer("the head of the answer is too large")
            self._more()
        return self._taken(end + len(_HEAD_END))

    def _exactly(self, length: int) -> bytes:
        if length > MAX_ANSWER_BYTES:
            raise NoAnswer("the answer is too large")
        while len(self._received) < length:
            self._more()
        return self._taken(length)

    def _chunked(self) -> bytes:
        body = bytearray()
        while size := _number(self._line().partition(b";")[0].decode("latin-1"), 16):
            if len(body) + size > MAX_ANSWER_BYTES:
                raise NoAnswer("the answer is too large")
            body += self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise NoAnswer("a chunk of the answer has no end")
        if self._line():
            raise NoAnswer("the answer has trailers")
        return bytes(body)

    def _to_the_end(self) -> bytes:
        with contextlib.suppress(_Ended):
            while True:
                self._more()
                if len(self._received) > MAX_ANSWER_BYTES:
                    raise NoAnswer("the answer is too large")
        return self._taken(len(self._received))

    def _line(self) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            if len(self._received) > MAX_HEAD_BYTES:
                raise NoAnswer("a line of the answer is too large")
            self._more()
        return self._taken(end + 2)[:-2]

    def _more(self) -> None:
        if time.monotonic() > self._ends_at:
            raise NoAnswer("the answer is too slow")
        try:
            received = self._stream.recv(_CHUNK)
        except _ENDS:
            received = b""
        if not received:
            raise _Ended("the answer ends early") if self._has_begun else _Closed("closed at once")
        self._has_begun = True
        self._received += received

    def _taken(self, length: int) -> bytes:
        taken = bytes(self._received[:length])
        del self._received[:length]
        return taken


def _parsed_head(head: bytes) -> tuple[int, dict[str, str], bool]:
    """The status, the headers, and whether the connection stays open after the answer."""
    text = head[: -len(_HEAD_END)].decode("latin-1")
    start, *lines = text.split("\r\n")
    version, status = start[:9], start[9:12]
    is_start = version in ("HTTP/1.1 ", "HTTP/1.0 ") and re.fullmatch("[2-5][0-9]{2}", status)
    if not is_start or text.count("\n") != len(lines) or start[12:13] not in ("", " "):
        raise NoAnswer("the answer is not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise NoAnswer("a header of the answer is malformed")
        name, value = name.lower(), value.strip(" \t")
        if name in _OF_LENGTH and headers.get(name, value) != value:
            raise NoAnswer("the length of the answer is ambiguous")
        headers[name] = value
    connection = headers.get("connection", "").lower()
    is_kept = "keep-alive" in connection if version == "HTTP/1.0 " else "close" not in connection
    return int(status), headers, is_kept


def _number(text: str, base: int) -> int:
    if not _NUMBERS[base].fullmatch(text):
        raise NoAnswer("the length of the answer is malformed")
    return int(text, base)


def _kind(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "the certificate is not trusted"
    return errno.errorcode.get(error.errno or 0, type(error).__name__)


def _tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Trusts the file, or what the system trusts; botocore's own list on a system without one."""
    if ca_bundle is None and not _has_trust(ssl.get_default_verify_paths()):
        from botocore.httpsession import where

        ca_bundle = where()
    return ssl.create_default_context(cafile=ca_bundle)


def _has_trust(paths: ssl.DefaultVerifyPaths) -> bool:
    # Some small images have the folder and nothing in it.
    return bool(paths.cafile or (paths.capath and os.listdir(paths.capath)))
