"""What a text says once its encodings are undone, with where in the text each byte comes from.

A server, a proxy, or a library may repeat a secret in a form of its own: percent-encoded, escaped
as in JSON, JavaScript, or HTML, in Base64 or hexadecimal, twice over, in pieces. Nothing here knows
a secret: `readings` undoes what it can, and `redaction` searches what comes out.

Texts are handled as the bytes of their UTF-8.
"""

import re
from binascii import a2b_base64, unhexlify
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from html.entities import html5
from itertools import compress
from typing import Final

MAX_DEPTH: Final = 3
"""How many layers of Base64 and hexadecimal are undone."""

MAX_PASSES: Final = 10
"""How many layers of escapes are undone."""

MAX_READ: Final = 1024 * 1024
"""Bytes of all readings of a text. 16 KiB of Base64 have some 200 KiB."""

_LEAST_BASE64: Final = 11
"""Characters that can hold 8 bytes."""
_LEAST_HEX: Final = 16

_ESCAPE: Final = re.compile(
    rb"%[Uu](?P<u1>[0-9A-Fa-f]{4})"
    rb"|%(?P<byte1>[0-9A-Fa-f]{2})"
    rb"|\\[Uu](?P<high>[Dd][89ABab][0-9A-Fa-f]{2})\\[Uu](?P<low>[Dd][C-Fc-f][0-9A-Fa-f]{2})"
    rb"|\\U(?P<u2>00[0-9A-Fa-f]{6})"
    rb"|\\[Uu](?P<u3>[0-9A-Fa-f]{4})"
    rb"|\\[Uu]\{(?P<u4>[0-9A-Fa-f]{1,6})\}"
    rb"|\\[Xx](?P<byte2>[0-9A-Fa-f]{2})"
    rb"|\\(?P<letter>[^\x80-\xff])"
    rb"|&\#(?P<decimal>[0-9]{1,7});?"
    rb"|&\#[Xx](?P<u5>[0-9A-Fa-f]{1,6});?"
    rb"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31};)"
    rb"|~(?P<token>[01])"
)
_BEGINS_ESCAPE: Final = re.compile(rb"[%\\&~]")
_PREFIX: Final = re.compile(rb"0[Xx](?=[0-9A-Fa-f]{2})")
"""Before each byte of a list: `0x73, 0x6b`."""
_LETTERS: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f", b"0": b"\0"}
_TOKENS: Final = {b"0": b"~", b"1": b"/"}

_BLANKS: Final = bytes([*range(0x21), 0x7F])
"""Whitespace and control characters."""
_SIGNS: Final = bytes(
    byte for byte in range(0x80) if not bytes([byte]).isalnum() and byte not in _BLANKS
)
_NOT_ALPHANUMERIC: Final = _BLANKS + _SIGNS
_NOT_IN_BASE64: Final = _BLANKS + bytes(byte for byte in _SIGNS if byte not in b"+/-_")
_NOT_HEX: Final = bytes(byte for byte in range(256) if byte not in b"0123456789ABCDEFabcdef")
_BASE64_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % _LEAST_BASE64)
_HEX_RUN: Final = re.compile(rb"[0-9A-Fa-f]{%d,}" % _LEAST_HEX)
_ONE_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")

type Places = tuple[Sequence[int], Sequence[int]]
"""For each byte of a reading, where in the text it begins, and where it ends."""


def has_escape(data: bytes) -> bool:
    """Whether anything in it may be an escape."""
    return _BEGINS_ESCAPE.search(data) is not None


def without_blanks(data: bytes) -> bytes:
    """What is left of a text that is broken over lines, or spaced out."""
    return data.translate(None, _BLANKS)


def without_signs(data: bytes) -> bytes:
    """Letters and digits only: for what is separated by anything."""
    return data.translate(None, _NOT_ALPHANUMERIC)


class TooIntricate(Exception):
    """A text has more layers of encodings than are undone."""


class Reading:
    """One way to read a text. `places` are worked out when they are needed."""

    def __init__(self, data: bytes, locate: Callable[[], Places], *, padded: bool = False) -> None:
        self.data = data
        self.padded = padded
        """Whether it was Base64, which may end in padding that belongs to it."""
        self._locate = locate

    @cached_property
    def places(self) -> Places:
        return self._locate()

    def part(self, start: int, end: int) -> "Reading":
        def locate() -> Places:
            starts, ends = self.places
            return starts[start:end], ends[start:end]

        return Reading(self.data[start:end], locate)

    def without(self, gone: bytes) -> "Reading":
        """The reading without these bytes."""
        data = self.data.translate(None, gone)
        if len(data) == len(self.data):
            return self

        def locate() -> Places:
            starts, ends = self.places
            kept = self.data.translate(bytes(byte not in gone for byte in range(256)))
            return list(compress(starts, kept)), list(compress(ends, kept))

        return Reading(data, locate, padded=self.padded)

    def backward(self) -> "Reading":
        def locate() -> Places:
            starts, ends = self.places
            return starts[::-1], ends[::-1]

        return Reading(self.data[::-1], locate)

    def without_blanks(self) -> "Reading":
        """For what is broken over lines, or spaced out."""
        return self.without(_BLANKS)

    def without_signs(self) -> "Reading":
        """Letters and digits only: for what is separated by anything."""
        return self.without(_NOT_ALPHANUMERIC)


def whole(text: str) -> Reading:
    """A text as it is; its places are characters."""
    data = text.encode("utf-8", "surrogatepass")

    def locate() -> Places:
        if len(data) == len(text):
            return range(len(text)), range(1, len(text) + 1)
        starts = [
            index
            for index, character in enumerate(text)
            for _ in character.encode("utf-8", "surrogatepass")
        ]
        return starts, [start + 1 for start in starts]

    return Reading(data, locate)


def readings(text: str) -> Iterator[Reading]:
    """The text as it is, and with its encodings undone. Raises TooIntricate."""
    outermost = whole(text)
    yield outermost
    read = len(outermost.data)
    todo = [(way, 0) for way in _without_escapes(outermost)]
    while todo:
        reading, depth = todo.pop()
        yield reading
        read += len(reading.data)
        if read > MAX_READ:
            raise TooIntricate
        for inner in _decoded(reading):
            if depth == MAX_DEPTH:
                raise TooIntricate
            # Inside of another encoding, blanks say nothing, and most of them are by chance.
            todo.append((unescaped(inner.without_blanks()), depth + 1))


def _without_escapes(reading: Reading) -> Iterator[Reading]:
    """The text without escapes, even if they are broken over lines, or backward."""
    yield unescaped(reading)
    if not has_escape(reading.data):
        return
    unbroken = reading.without_blanks()
    for way in (unbroken, reading.backward(), unbroken.backward()):
        if (plain := unescaped(way)) is not way:
            yield plain


def unescaped(reading: Reading) -> Reading:
    """The reading with all escapes undone, layer by layer; itself if it has none.

    Raises TooIntricate.
    """
    if not has_escape(reading.data):
        return reading
    for _ in range(MAX_PASSES):
        before, reading = reading, _replaced(reading, _ESCAPE, _value)
        if reading is before:
            return reading
    raise TooIntricate


def _replaced(
    reading: Reading, pattern: re.Pattern[bytes], replace: Callable[[re.Match[bytes]], bytes | None]
) -> Reading:
    """The reading with what is found replaced, unless by None; itself if nothing is."""
    moves: list[tuple[int, int, int]] = []
    parts: list[bytes] = []
    done = 0
    for found in pattern.finditer(reading.data):
        value = replace(found)
        if value is None:
            continue
        start, end = found.span()
        parts += (reading.data[done:start], value)
        moves.append((start, end, len(value)))
        done = end
    if not moves:
        return reading
    parts.append(reading.data[done:])

    def locate() -> Places:
        old_starts, old_ends = reading.places
        starts, ends, last = list[int](), list[int](), 0
        for start, end, length in moves:
            starts += old_starts[last:start]
            ends += old_ends[last:start]
            starts += [old_starts[start]] * length
            ends += [old_ends[end - 1]] * length
            last = end
        starts += old_starts[last:]
        ends += old_ends[last:]
        return starts, ends

    return Reading(b"".join(parts), locate, padded=reading.padded)


def _value(found: re.Match[bytes]) -> bytes | None:
    """What an escape stands for; None for one that stands for nothing."""
    kind = found.lastgroup or ""
    digits = found[kind]
    if kind.startswith("byte"):
        return unhexlify(digits)
    if kind == "letter":
        return _LETTERS.get(digits, digits)
    if kind == "token":
        return _TOKENS[digits]
    if kind == "name":
        named = html5.get(digits.decode())
        return None if named is None else named.encode()
    if kind == "low":
        code = 0x10000 + ((int(found["high"], 16) & 0x3FF) << 10) + (int(digits, 16) & 0x3FF)
    else:
        code = int(digits, 10 if kind == "decimal" else 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else None


def _decoded(reading: Reading) -> Iterator[Reading]:
    """What its runs of Base64 and hexadecimal say, read from either end.

    Where a run begins is not known, because what stands before it may look alike; so each run is
    read from each of the places where one of its bytes may begin.
    """
    # Most texts have no run, and to see that takes a fraction of the time of reading one.
    has_base64 = _BASE64_RUN.search(reading.data.translate(None, _NOT_IN_BASE64)) is not None
    has_hex = len(reading.data.translate(None, _NOT_HEX)) >= _LEAST_HEX
    if not has_base64 and not has_hex:
        return
    for way in (reading, reading.backward()):
        if has_base64:
            unbroken = way.without(_NOT_IN_BASE64)
            for found in _BASE64_RUN.finditer(unbroken.data):
                run = unbroken.part(*found.span())
                yield from (_from_base64(run, offset) for offset in range(4))
        if has_hex:
            bare = _replaced(way.without_blanks(), _PREFIX, lambda _: b"").without_signs()
            for found in _HEX_RUN.finditer(bare.data):
                run = bare.part(*found.span())
                yield from (_from_hex(run, offset) for offset in range(2))


def _from_base64(run: Reading, offset: int) -> Reading:
    digits = run.data[offset:].translate(_ONE_ALPHABET)
    # One digit is less than a byte; two or three are padded to a whole group.
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    data = a2b_base64(digits + b"=" * (-len(digits) % 4))

    def locate() -> Places:
        starts, ends = run.places
        # The bytes of a group are in its digits 1-2, 2-3, and 3-4.
        first = [offset + index + index // 3 for index in range(len(data))]
        return (
            [min(starts[at], starts[at + 1]) for at in first],
            [max(ends[at], ends[at + 1]) for at in first],
        )

    return Reading(data, locate, padded=True)


def _from_hex(run: Reading, offset: int) -> Reading:
    digits = run.data[offset:]
    data = unhexlify(digits[: len(digits) // 2 * 2])

    def locate() -> Places:
        starts, ends = run.places
        first = range(offset, offset + 2 * len(data), 2)
        return (
            [min(starts[at], starts[at + 1]) for at in first],
            [max(ends[at], ends[at + 1]) for at in first],
        )

    return Reading(data, locate)
