"""The protocol of Redis (RESP, versions 2 and 3): commands and replies. No I/O.

The server is treated as hostile: how deep a reply may nest, how many elements it may have, and how
long each may be is limited, and nothing is allocated because the server announces it.

https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

from patchbay.checks.failures import CheckFailure
from patchbay.checks.protocols.foreign import Malformed, spoken

MAX_WIRE: Final = 64 * 1024
MAX_TEXT: Final = 32 * 1024
MAX_ELEMENTS: Final = 4096
_NUMBER_OF_INFO: Final = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)
MAX_DEPTH: Final = 8
MAX_LINE: Final = 1024
LINE: Final = 0
"""What `read_reply` asks for to get a line; any other number is that of bytes."""

_NUMBER: Final = re.compile(rb"[+-]?[0-9]{1,19}")
_NESTED: Final = {b"*": 1, b"~": 1, b">": 1, b"%": 2, b"|": 2}
"""Replies made of others, and how many elements each announced one has."""


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error of the server: its first word, such as `NOAUTH`, and all of it."""

    word: str
    words: str


type RedisValue = str | int | float | bool | ServerError | list[RedisValue] | None
"""What a reply is; a map is a list of names and values in turn."""


def command(*words: str) -> bytes:
    """One command, each word as it is: nothing in a word can end it."""
    encoded = [word.encode() for word in words]
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
    return b"*%d\r\n%s" % (len(encoded), b"".join(parts))


def read_reply() -> Generator[int, bytes, RedisValue]:
    """Yields what it needs, LINE or a number of bytes, and is sent that; returns the reply.

    Raises Malformed, CheckFailure.
    """
    return (yield from _read(_Limit(MAX_ELEMENTS), depth=0))


class _Limit:
    """Counts the elements of a reply."""

    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise too_large()


def _read(limit: _Limit, depth: int) -> Generator[int, bytes, RedisValue]:
    while True:
        kind = yield 1
        if kind not in _KINDS:
            raise Malformed(kind)
        line = yield LINE
        if not line.endswith(b"\r\n"):
            raise Malformed
        text = line[:-2]
        if kind not in _NESTED:
            return (yield from _read_single(kind, text))
        if depth == MAX_DEPTH:
            raise too_large()
        count = _count(text)
        if count < 0:
            return None
        count *= _NESTED[kind]
        limit.spend(count)
        elements: list[RedisValue] = []
        while len(elements) < count:
            element = yield from _read(limit, depth + 1)
            elements.append(element)
        # Attributes come before a reply, and what is pushed belongs to none.
        if kind not in (b"|", b">"):
            return elements


def _read_single(kind: bytes, text: bytes) -> Generator[int, bytes, RedisValue]:
    match kind:
        case b"+":
            return _decoded(text)
        case b"-":
            return _error(text)
        case b":" if _NUMBER.fullmatch(text):
            return int(text)
        case b"_" if not text:
            return None
        case b"#" if text in (b"t", b"f"):
            return text == b"t"
        case b",":
            return _decimal(text)
        case b"(" if text.lstrip(b"+-").isdigit():
            # A number of any length: nothing here needs its value.
            return _decoded(text)
        case b"$" | b"!" | b"=":
            size = _count(text)
            if size < 0:
                return None
            if size > MAX_TEXT:
                raise too_large()
            data = yield size + 2
            if not data.endswith(b"\r\n"):
                raise Malformed
            return _error(data[:-2]) if kind == b"!" else _decoded(data[:-2])
    raise Malformed


_KINDS: Final = frozenset(_NESTED) | {b"+", b"-", b":", b"_", b"#", b",", b"(", b"$", b"!", b"="}


def info_of(reply: str) -> dict[str, str | float]:
    """The fields of a reply to INFO; those that are numbers as numbers."""
    pairs = (line.partition(":") for line in reply.splitlines() if not line.startswith("#"))
    return {name: _number_or_text(value) for name, colon, value in pairs if colon}


def _number_or_text(value: str) -> str | float:
    if not _NUMBER_OF_INFO.fullmatch(value):
        return value
    return float(value) if "." in value else int(value)


def fields_of(reply: RedisValue) -> dict[str, RedisValue]:
    """The values by name of a reply that is a map, or a list of names and values in turn."""
    if not isinstance(reply, list):
        return {}
    pairs: Sequence[tuple[RedisValue, RedisValue]] = list(
        zip(reply[::2], reply[1::2], strict=False)
    )
    return {name: value for name, value in pairs if isinstance(name, str)}


def too_large() -> CheckFailure:
    return CheckFailure("response_too_large", "The server sends more than a check reads.")


def not_redis(beginning: bytes = b"") -> CheckFailure:
    other = spoken(beginning)
    if other == "TLS":
        return CheckFailure("tls_error", "The server speaks TLS on this port; this step does not.")
    if other:
        return CheckFailure(
            "unexpected_response", f"The server speaks {other}, not Redis's protocol."
        )
    return CheckFailure("unexpected_response", "The server does not speak Redis's protocol.")


def _count(text: bytes) -> int:
    """An announced length: -1 for a null."""
    if not _NUMBER.fullmatch(text):
        raise Malformed
    count = int(text)
    if count < -1:
        raise Malformed
    return count


def _decimal(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        raise Malformed from None


def _error(text: bytes) -> ServerError:
    words = _decoded(text)
    return ServerError(words.partition(" ")[0], words)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
