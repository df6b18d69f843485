"""Which runs of a day are counted: a bit for each minute of each series of runs.

In memory, the minutes of a series are one number, whose bit n is minute n of the day. Stored, they
are progressions with the step of the slot's interval, so that a day of a monitor takes a few bytes
however often it ran:

    version, then for each series:
        length of `<cell>#<slot>[#<ULID>]`, this text, number of progressions,
        for each: its first minute since the first minute of the one before, how many minutes
"""

from collections.abc import Mapping
from typing import Final

from patchbay.runs.codec import bytes_at, number_at, put_number
from patchbay.runs.model import MINUTES_OF_DAY, Series, interval_of

type CountedMinutes = Mapping[Series, int]

_VERSION: Final = 1
_PREFIX: Final = "con_"


def encode_bits(bits: CountedMinutes) -> bytes:
    out = bytearray((_VERSION,))
    for series in sorted(bits, key=_text):
        if not bits[series]:
            continue
        text = _text(series).encode()
        put_number(out, len(text))
        out += text
        found = _progressions(bits[series], interval_of(series.slot).minutes)
        put_number(out, len(found))
        before = 0
        for first, count in found:
            put_number(out, first - before)
            put_number(out, count)
            before = first
    return bytes(out)


def decode_bits(stored: bytes) -> dict[Series, int]:
    """Raises `ValueError` for what `encode_bits` did not return."""
    if not stored or stored[0] != _VERSION:
        raise ValueError("bits of an unknown version")
    bits: dict[Series, int] = {}
    at = 1
    while at < len(stored):
        length, at = number_at(stored, at)
        text, at = bytes_at(stored, at, length)
        series = _series(text.decode())
        step = interval_of(series.slot).minutes
        number, at = number_at(stored, at)
        minutes = first = 0
        for _ in range(number):
            after, at = number_at(stored, at)
            count, at = number_at(stored, at)
            first += after
            if not count or first + (count - 1) * step >= MINUTES_OF_DAY:
                raise ValueError("minutes beyond the day")
            minutes |= _progression(first, count, step)
        bits[series] = minutes
    return bits


def _progressions(minutes: int, step: int) -> list[tuple[int, int]]:
    """The fewest progressions with this step: their first minutes, and how many minutes."""
    ends = _positions(minutes & ~(minutes >> step))
    found = []
    for first in _positions(minutes & ~(minutes << step)):
        last = next(end for end in ends if end >= first and not (end - first) % step)
        found.append((first, (last - first) // step + 1))
    return found


def _progression(first: int, count: int, step: int) -> int:
    return ((1 << count * step) - 1) // ((1 << step) - 1) << first


def _positions(minutes: int) -> list[int]:
    """The bits that are set, lowest first."""
    found = []
    while minutes:
        lowest = minutes & -minutes
        found.append(lowest.bit_length() - 1)
        minutes ^= lowest
    return found


def _text(series: Series) -> str:
    text = f"{series.cell}#{series.slot}"
    return f"{text}#{series.single.removeprefix(_PREFIX)}" if series.single else text


def _series(text: str) -> Series:
    cell, interval, band, *single = text.split("#")
    return Series(cell, f"{interval}#{band}", f"{_PREFIX}{single[0]}" if single else None)
