"""HTTP/1.1 messages: a request as bytes, and an answer read as it arrives (RFC 9112). No I/O.

The reader is as lenient as curl wherever the meaning is plain, because a status must not be lost
over a header that is spelled oddly: what is not valid HTTP becomes a `quirk`, in words of ours. It
is strict in size: every head, line, chunk, and body has a limit. Leniency is safe here: a
connection carries one answer and is then closed, so nothing can be smuggled into a next one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

MAX_HEAD: Final = 32 * 1024
"""Bytes of a status line with all headers, of an interim response, or of the trailers."""
MAX_LINE: Final = 8 * 1024
MAX_INTERIM: Final = 10
"""Answers of 1xx before the real one."""
MAX_CHUNKS: Final = 4096
"""Each chunk is work, however small: 64 KiB in chunks of a byte would be a second of it."""

type Quirk = Literal[
    "its status line is not valid",
    "a header line is not valid",
    "a header name is not valid",
    "a header value has control characters",
    "its Content-Length is not valid",
    "it has an unknown Transfer-Encoding",
    "a header line is too long",
    "its headers are too long",
    "its headers are cut off",
    "its chunks are not valid",
]
"""What is odd about an answer. Continues "The answer is not valid HTTP: …"."""

_STATUS_LINE: Final = re.compile(
    rb"(HTTP/[0-9](?:\.[0-9])?|HTTP|ICY)[ \t]+([1-9][0-9]{2})(?:[ \t].*)?", re.IGNORECASE
)
_STRICT_STATUS_LINE: Final = re.compile(
    rb"HTTP/1\.[01] [1-9][0-9]{2}(?: [^\x00-\x08\x0a-\x1f\x7f]*)?"
)
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,20})[ \t]*(?:;.*)?")
_PLAIN_HEAD: Final = re.compile(
    rb"HTTP/1\.[01] ([2-9][0-9]{2})(?: [\t -~\x80-\xff]*+)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t -~\x80-\xff]*+\r\n)*+)\r\n"
)
"""A head that is valid in every line, and not of an interim answer. It never goes back."""
_PLAIN_LINE: Final = re.compile(r"([^:]++):[\t ]*+([^\r]*+)\r\n")
_BODILESS: Final = frozenset({204, 304})
_FRAMINGS: Final = frozenset({"chunked", "identity", ""})
_COMPRESSIONS: Final = frozenset({"gzip", "x-gzip", "deflate"})
"""Transfer codings (RFC 9112 §7.2) that are undone. Nobody sends `compress`."""
_KNOWN_CODINGS: Final = _COMPRESSIONS | {"chunked"}


class NotHttp(ValueError):
    """These bytes are not an answer of HTTP/1."""


class TooLarge(ValueError):
    """A head, the trailers, or the number of chunks is over its limit."""


@dataclass(frozen=True, slots=True)
class Head:
    """`headers` are by lower-case name, repeated ones joined by `, `.

    `is_cut`: the status is known, and not all of the headers are. The body is lost then.
    """

    status: int
    headers: Mapping[str, str]
    quirks: tuple[Quirk, ...] = ()
    is_cut: bool = False

    @property
    def codings(self) -> str:
        """The codings of the body in the order in which they were applied, separated by commas:
        those of the content, then those of the transfer, without the framing."""
        return ",".join((self.headers.get("content-encoding", ""), *self.transfer_codings))

    @property
    def transfer_codings(self) -> tuple[str, ...]:
        """Those of the transfer, without the framing."""
        names = (name.strip().lower() for name in _split(self.headers, "transfer-encoding"))
        return tuple(name for name in names if name not in _FRAMINGS)


def request_bytes(method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    """A request as it is sent. Its parts were validated by the one who made them.

    Raises ValueError for a part that would end its line.
    """
    lines = "".join([f"\r\n{name}: {value}" for name, value in headers])
    head = f"{method} {path} HTTP/1.1{lines}"
    count = len(headers)
    if head.count("\n") != count or head.count("\r") != count or "\0" in head:
        raise ValueError("a part of the request ends its line")
    return f"{head}\r\n\r\n".encode("latin-1") + body


class AnswerReader:
    """Reads one answer: `feed` what arrives, take `head` and `body` as they become known."""

    def __init__(self, method: str, *, max_chunks: int = MAX_CHUNKS) -> None:
        self._method = method
        self._max_chunks = max_chunks
        self._data = bytearray()
        self._interim = 0
        self.head: Head | None = None
        self.is_complete = False
        self.after_upgrade = b""
        """What followed the head of a 101: the first bytes of the other protocol."""
        self._body: _Framing = _UNTIL_CLOSE

    def feed(self, data: bytes) -> bytes:
        """Takes what has arrived; returns the part of it that belongs to the body, decoded from its
        transfer coding. Raises NotHttp, TooLarge."""
        if self.head is None:
            data = self._after_head(data)
            if self.head is None:
                return b""
        if self.head.is_cut:
            return b""
        if self.head.status == 101:
            self.after_upgrade += data
        if self.is_complete:
            return b""
        body = self._body.feed(data)
        self.is_complete = self._body.is_complete
        return body

    def _after_head(self, data: bytes) -> bytes:
        """What follows the head, if it is all there."""
        if not self._data and (plain := _read_plain_head(data)):
            self.head, size = plain
            self._body = self._framing(self.head)
            self.is_complete = self._body.is_complete
            return data[size:]
        self._data += data
        self._read_head()
        data = b""
        if self.head is not None:
            data, self._data = bytes(self._data), bytearray()
        return data

    def end(self) -> bool:
        """The other side has ended; returns whether the answer is whole. Raises NotHttp."""
        if self.head is None:
            self.cut()
            return False
        if self.head.is_cut:
            return False
        self.is_complete = self.is_complete or isinstance(self._body, _UntilClose)
        return self.is_complete

    def cut(self) -> None:
        """No more of the head will come: what is there of it is `head`, if its status line is
        whole."""
        if self.head is None and b"\n" in self._data:
            self._keep_beginning("its headers are cut off")

    def _keep_beginning(self, quirk: Quirk) -> bool:
        """Whether what is there has a status."""
        lines = bytes(self._data[:MAX_HEAD]).replace(b"\r\n", b"\n").split(b"\n")
        # The last line is not whole, unless it is the only one.
        head = _read_head(lines[:-1] or lines, quirk)
        if head.status < 200:
            return False
        self.head, self._data = replace(head, is_cut=True), bytearray()
        return True

    def _read_head(self) -> None:
        while self.head is None:
            head = self._take_head()
            if head is None:
                # Not all there, or cut.
                return
            if head.status >= 200 or head.status == 101:
                self.head = head
                self._body = self._framing(head)
                self.is_complete = self._body.is_complete
                return
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise NotHttp("too many interim responses")

    def _take_head(self) -> Head | None:
        """The next head, None if it is not all there."""
        start = len(self._data) - len(self._data.lstrip(b"\r\n"))
        if start:
            del self._data[:start]
        beginning = bytes(self._data[:4]).upper()
        if not b"HTTP".startswith(beginning) and not b"ICY ".startswith(beginning):
            raise NotHttp("no status line")
        ends = [end for mark in (b"\r\n\r\n", b"\n\n") if (end := self._data.find(mark)) >= 0]
        size = min(ends, default=len(self._data))
        if size > MAX_HEAD:
            has_long_line = MAX_HEAD - self._data.rfind(b"\n", 0, MAX_HEAD) > MAX_LINE
            quirk: Quirk = (
                "a header line is too long" if has_long_line else "its headers are too long"
            )
            if not self._keep_beginning(quirk):
                raise TooLarge("the head is too long")
            return None
        if not ends:
            return None
        after = size + (4 if self._data.startswith(b"\r\n\r\n", size) else 2)
        lines = bytes(self._data[:size]).replace(b"\r\n", b"\n").split(b"\n")
        del self._data[:after]
        return _read_head(lines)

    def _framing(self, head: Head) -> "_Framing":
        """How the body ends (RFC 9112 §6.3)."""
        if self._method == "HEAD" or head.status in _BODILESS or head.status == 101:
            return _OfLength(0)
        codings: list[str] = []
        if "transfer-encoding" in head.headers:
            names = (name.strip().lower() for name in _split(head.headers, "transfer-encoding"))
            # `identity` is no coding, wherever it stands.
            codings = [name for name in names if name != "identity"]
            if codings and codings[-1] == "chunked":
                return _Chunked(self._max_chunks)
        length = head.headers.get("content-length")
        if length is None or codings:
            return _UNTIL_CLOSE
        if _LENGTH.fullmatch(length):
            return _OfLength(int(length))
        lengths = {text.strip() for text in length.split(",")}
        [only, *others] = lengths
        if others or not _LENGTH.fullmatch(only):
            return _UNTIL_CLOSE
        return _OfLength(int(only))


class _UntilClose:
    is_complete = False

    def feed(self, data: bytes) -> bytes:
        return data


_UNTIL_CLOSE: Final = _UntilClose()


class _OfLength:
    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def is_complete(self) -> bool:
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        data = data[: self._left]
        self._left -= len(data)
        return data


class _Chunked:
    """The chunked transfer coding (RFC 9112 §7.1)."""

    def __init__(self, max_chunks: int) -> None:
        self.is_complete = False
        self._data = bytearray()
        self._chunks = 0
        self._max_chunks = max_chunks
        self._left = 0
        self._is_after_chunk = False
        self._is_in_trailers = False
        self._trailers = 0

    def feed(self, data: bytes) -> bytes:
        self._data += data
        body = bytearray()
        while not self.is_complete:
            if self._left:
                part = self._data[: self._left]
                if not part:
                    break
                del self._data[: len(part)]
                self._left -= len(part)
                body += part
                self._is_after_chunk = not self._left
                continue
            line = self._line()
            if line is None:
                break
            self._read(line)
        return bytes(body)

    def _line(self) -> bytes | None:
        end = self._data.find(b"\n")
        if end < 0:
            if len(self._data) > MAX_LINE:
                raise NotHttp("a line is too long")
            return None
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        return line

    def _read(self, line: bytes) -> None:
        if self._is_in_trailers:
            self._trailers += len(line)
            if self._trailers > MAX_HEAD:
                raise TooLarge("the trailers are too long")
            self.is_complete = not line
            return
        if self._is_after_chunk:
            if line:
                raise NotHttp("a chunk is longer than it says")
            self._is_after_chunk = False
            return
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise NotHttp("a chunk has no size")
        self._chunks += 1
        if self._chunks > self._max_chunks:
            raise TooLarge("too many chunks")
        self._left = int(size[1], 16)
        self._is_in_trailers = not self._left


type _Framing = _UntilClose | _OfLength | _Chunked


def _read_plain_head(data: bytes) -> tuple[Head, int] | None:
    """The head at the beginning of `data` and its size, if it is valid, short, and all there: the
    same as `_read_head` makes of it, in a fraction of the time."""
    found = _PLAIN_HEAD.match(data)
    if found is None or found.end() > MAX_LINE:
        return None
    lines = _PLAIN_LINE.findall(found[2].decode("latin-1"))
    headers = {name.lower(): value.rstrip(" \t") for name, value in lines}
    if len(headers) < len(lines):
        headers = {}
        for name, value in lines:
            name, text = name.lower(), value.rstrip(" \t")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
    quirks: dict[Quirk, None] = {}
    if "transfer-encoding" in headers or "content-length" in headers:
        _judge_framing(headers, quirks)
    return Head(int(found[1]), headers, tuple(quirks)), found.end()


def _read_head(lines: list[bytes], quirk: Quirk | None = None) -> Head:
    quirks: dict[Quirk, None] = {} if quirk is None else {quirk: None}
    status_line = _STATUS_LINE.fullmatch(lines[0][:MAX_LINE])
    if status_line is None:
        raise NotHttp("no status line")
    if len(lines[0]) > MAX_LINE or not _STRICT_STATUS_LINE.fullmatch(lines[0]):
        quirks["its status line is not valid"] = None
    headers: dict[str, str] = {}
    last = ""
    for line in lines[1:]:
        if len(line) > MAX_LINE:
            quirks["a header line is too long"] = None
            last = ""
            continue
        if line[:1] in (b" ", b"\t"):
            # Folding is obsolete, and to be read as a space (RFC 9112 §5.2).
            if last:
                headers[last] = f"{headers[last]} {line.strip().decode('latin-1')}".strip()
            continue
        name, colon, value = line.partition(b":")
        bare = name.strip()
        if not colon or not bare:
            quirks["a header line is not valid"] = None
            last = ""
            continue
        if not _NAME.fullmatch(name):
            quirks["a header name is not valid"] = None
        if _CONTROL.search(value):
            quirks["a header value has control characters"] = None
            value = _CONTROL.sub(b" ", value)
        last, text = bare.lower().decode("latin-1"), value.strip().decode("latin-1")
        headers[last] = f"{headers[last]}, {text}" if last in headers else text
    _judge_framing(headers, quirks)
    return Head(int(status_line[2]), headers, tuple(quirks))


def _judge_framing(headers: Mapping[str, str], quirks: dict[Quirk, None]) -> None:
    if "transfer-encoding" in headers:
        codings = [name.strip().lower() for name in _split(headers, "transfer-encoding")]
        if codings[-1:] == ["identity"] or not _KNOWN_CODINGS.issuperset(codings):
            quirks["it has an unknown Transfer-Encoding"] = None
    if _LENGTH.fullmatch(headers.get("content-length", "0")):
        return
    lengths = {text.strip() for text in _split(headers, "content-length")}
    if lengths and (len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths))):
        quirks["its Content-Length is not valid"] = None


def _split(headers: Mapping[str, str], name: str) -> list[str]:
    value = headers.get(name)
    return [] if value is None else value.split(",")
