"""What a text says once its encodings are undone, with where in the text each byte comes from.

A server, a proxy, or a library may repeat a secret in a form of its own: percent-encoded, escaped
as in JSON, JavaScript, C, or HTML, in Base64 or hexadecimal, as a list of numbers, twice over, in
pieces, or with characters in it that nobody sees. Nothing here knows a secret: `readings` undoes
what it can, and `redaction` searches what comes out.

Texts are handled as the bytes of their UTF-8.
"""

import re
import unicodedata
from binascii import a2b_base64, unhexlify
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import compress
from typing import Final

MAX_DEPTH: Final = 3
"""How many layers of Base64, hexadecimal, and numbers are undone."""

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
    rb"|\\o\{0*(?P<octal1>[0-3]?[0-7]{1,2})\}"
    # As C has it, and with the zero before it that `echo` and `printf %b` take.
    rb"|\\(?P<octal2>0?[0-3][0-7]{2}|[0-7]{2})"
    rb"|\\(?P<letter>[^\x80-\xff])"
    rb"|&\#(?P<decimal>[0-9]{1,7});?"
    rb"|&\#[Xx](?P<u5>[0-9A-Fa-f]{1,6});?"
    rb"|&(?P<name>[A-Za-z][A-Za-z0-9]{1,31};)"
    rb"|~(?P<token>[01])"
)
_BEGINS_ESCAPE: Final = re.compile(rb"[%\\&~]")
_PREFIX: Final = re.compile(rb"0[Xx](?=[0-9A-Fa-f]{2})")
"""Before each byte of a list: `0x73, 0x6b`."""
_SHORT_OCTAL: Final = re.compile(rb"\\[0-7]{2}(?![0-7])")
"""An octal escape that CSS would read as hexadecimal."""
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
_NOT_DIGITS: Final = bytes(byte for byte in range(256) if byte not in b"0123456789")
_BASE64_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]{%d,}" % _LEAST_BASE64)
_HEX_RUN: Final = re.compile(rb"[0-9A-Fa-f]{%d,}" % _LEAST_HEX)
_NUMBER: Final = re.compile(rb"[0-9]{2,}")
"""One of a list of bytes. Printable characters have two digits or more, and are 32 or more, as few
parts of dates are."""
_LEAST_NUMBERS: Final = 4
_MOST_BETWEEN: Final = 16
"""Bytes between two numbers of a list: `), chr(`, or a number of another base."""
_WITHIN_NUMBERS: Final = b"\r\n\0"
"""What a list that is broken over lines, or in UTF-16, has anywhere."""
_BASES: Final = (
    (10, re.compile(rb"0?3[2-9]|0?[4-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]")),
    (8, re.compile(rb"0?[4-7][0-7]|[1-3][0-7]{2}")),
    (2, re.compile(rb"[01]{7,8}")),
)
_ONE_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")

_CHARACTER: Final = (
    rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})"
)
_CHARACTERS: Final = re.compile(
    rb"[\xc2-\xf4][\x80-\xbf]{1,3}(?:[\x21-\x7e]{0,7}" + _CHARACTER + rb"){5}"
)
"""Several characters that are not ASCII close together, which are rarely there by chance."""
_FILLERS: Final = frozenset("\u115f\u1160")
"""Letters by their category, and nothing to the eye."""

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

    @cached_property
    def visible(self) -> "Reading":
        """The reading without characters that are not seen, such as zero-width spaces, without
        accents and signs that are not ASCII, and with the letters that others look like
        (Unicode's compatibility decomposition); itself if it has none of them."""
        if self.data.isascii():
            return self
        try:
            text = self.data.decode()
        except UnicodeDecodeError:
            # Decoded at the wrong place, most bytes are no characters.
            if not _CHARACTERS.search(self.data):
                return self
            text = self.data.decode("utf-8", "surrogateescape")
        table = {ord(c): seen for c in set(text) if (seen := _seen(c)) != c}
        if not table:
            return self
        data = text.translate(table).encode("utf-8", "surrogateescape")

        def locate() -> Places:
            starts, ends = self.places
            new_starts, new_ends, at = list[int](), list[int](), 0
            for character in text:
                end = at + len(character.encode("utf-8", "surrogateescape"))
                seen = table.get(ord(character), character)
                length = len(seen.encode("utf-8", "surrogateescape"))
                if seen == character:
                    new_starts += starts[at:end]
                    new_ends += ends[at:end]
                else:
                    new_starts += [min(starts[at], starts[end - 1])] * length
                    new_ends += [max(ends[at], ends[end - 1])] * length
                at = end
            return new_starts, new_ends

        return Reading(data, locate, padded=self.padded)

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
    if _SHORT_OCTAL.search(outermost.data):
        todo.append((outermost, 0))
    while todo:
        reading, depth = todo.pop()
        yield reading
        read += len(reading.data)
        if read > MAX_READ:
            raise TooIntricate
        seen = reading.visible
        if seen is not reading and (plain := unescaped(seen)) is not seen:
            todo.append((plain, depth))
        for inner in _decoded(seen):
            if depth >= MAX_DEPTH:
                raise TooIntricate
            # Inside of another encoding, blanks say nothing, and most of them are by chance.
            unbroken = inner.without_blanks()
            inside = [unbroken]
            # But between numbers they do.
            if unbroken is not inner:
                inside += _from_numbers(inner)
            todo += [(plain, depth + 1) for one in inside for plain in _plain(one)]


def _without_escapes(reading: Reading) -> Iterator[Reading]:
    """The text without escapes, even if they are broken over lines, or backward."""
    yield from _plain(reading)
    if not has_escape(reading.data):
        return
    unbroken = reading.without_blanks()
    for way in (unbroken, reading.backward(), unbroken.backward()):
        if (plain := unescaped(way)) is not way:
            yield plain
    # The line breaks themselves may be escaped.
    for layer in _layers(reading):
        unbroken = layer.without_blanks()
        if unbroken is not layer and (plain := unescaped(unbroken)) is not unbroken:
            yield plain


def _plain(reading: Reading) -> Iterator[Reading]:
    """The reading without escapes, even if there is something in them that nobody sees."""
    plain = unescaped(reading)
    yield plain
    if reading.visible is not reading:
        seen = unescaped(reading.visible)
        if seen.data not in (plain.data, plain.visible.data):
            yield seen


def unescaped(reading: Reading) -> Reading:
    """The reading with all escapes undone, layer by layer; itself if it has none.

    Raises TooIntricate.
    """
    for layer in _layers(reading):
        reading = layer
    return reading


def _layers(reading: Reading) -> Iterator[Reading]:
    """The reading with one layer of escapes undone, with two, and so on. Raises TooIntricate."""
    if not has_escape(reading.data):
        return
    for _ in range(MAX_PASSES):
        before, reading = reading, _replaced(reading, _ESCAPE, _value)
        if reading is before:
            return
        yield reading
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
            starts += [min(old_starts[start], old_starts[end - 1])] * length
            ends += [max(old_ends[start], old_ends[end - 1])] * length
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
    if kind.startswith("octal"):
        return bytes([int(digits, 8)])
    if kind == "letter":
        return _LETTERS.get(digits, digits)
    if kind == "token":
        return _TOKENS[digits]
    if kind == "name":
        # Two thousand names, which only a text that writes characters by them needs.
        from html.entities import html5

        named = html5.get(digits.decode())
        return None if named is None else named.encode()
    if kind == "low":
        code = 0x10000 + ((int(found["high"], 16) & 0x3FF) << 10) + (int(digits, 16) & 0x3FF)
    else:
        code = int(digits, 10 if kind == "decimal" else 16)
    return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else None


def _decoded(reading: Reading) -> Iterator[Reading]:
    """What its runs of Base64 and hexadecimal and its numbers say, read from either end.

    Where a run begins is not known, because what stands before it may look alike; so each run is
    read from each of the places where one of its bytes may begin.
    """
    # Most texts have no run, and to see that takes a fraction of the time of reading one.
    has_base64 = _BASE64_RUN.search(reading.data.translate(None, _NOT_IN_BASE64)) is not None
    has_hex = len(reading.data.translate(None, _NOT_HEX)) >= _LEAST_HEX
    has_numbers = len(reading.data.translate(None, _NOT_DIGITS)) >= 2 * _LEAST_NUMBERS
    if not (has_base64 or has_hex or has_numbers):
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
        if has_numbers:
            yield from _from_numbers(way)


def _from_numbers(reading: Reading) -> Iterator[Reading]:
    """The numbers of a reading as bytes, whatever stands between them, in each base."""
    yield from _from_digits(reading)
    joined = reading.without(_WITHIN_NUMBERS)
    if joined is not reading:
        yield from _from_digits(joined)


def _from_digits(reading: Reading) -> Iterator[Reading]:
    numbers = list(_NUMBER.finditer(reading.data))
    if len(numbers) < _LEAST_NUMBERS:
        return
    for base, pattern in _BASES:
        run: list[re.Match[bytes]] = []
        for number in (one for one in numbers if pattern.fullmatch(one[0])):
            if run and number.start() - run[-1].end() > _MOST_BETWEEN:
                if len(run) >= _LEAST_NUMBERS:
                    yield _of_numbers(reading, run, base)
                run = []
            run.append(number)
        if len(run) >= _LEAST_NUMBERS:
            yield _of_numbers(reading, run, base)


def _of_numbers(reading: Reading, found: Sequence[re.Match[bytes]], base: int) -> Reading:
    def locate() -> Places:
        starts, ends = reading.places
        spans = [number.span() for number in found]
        return (
            [min(starts[start], starts[end - 1]) for start, end in spans],
            [max(ends[start], ends[end - 1]) for start, end in spans],
        )

    return Reading(bytes(int(number[0], base) for number in found), locate)


@lru_cache(maxsize=4096)
def _seen(character: str) -> str:
    """The letters and digits that a character shows; itself if it is ASCII, or no character."""
    if character.isascii() or unicodedata.category(character) == "Cs":
        return character
    return "".join(
        one
        for one in unicodedata.normalize("NFKD", character)
        if one not in _FILLERS and (one.isascii() or unicodedata.category(one)[0] in "LN")
    )


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
