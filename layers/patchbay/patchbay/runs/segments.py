"""Segments: the entries of a day that is over, by connection, compressed; about 10 bytes a test.

A segment is cut into chunks between connections. A chunk is a version and, compressed with zlib,
for each connection in the order of their ids:

    ULID (16), number of entries, then for each, oldest first:
        flags, [shape (6),] minutes since the entry before, or of the day,
        [code,] start, latency, took − latency (zigzag), streak, number of times, times,
        [length of extra, extra]

The lower four flags are those of a run's entry. 16: has the shape of the entry before. 32: its
streak goes on from the entry before, and is stored as 0.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import Item, Key
from patchbay.runs.codec import (
    bytes_at,
    connection_of,
    figures_at,
    flags_of,
    number_at,
    put_figures,
    put_number,
    ulid_of,
)
from patchbay.runs.model import (
    MINUTES_OF_DAY,
    SHAPE_BYTES,
    RunEntry,
    TimedEntry,
    start_of_day,
)

CHUNK_BYTES: Final = 80_000
"""A chunk is cut after the connection that reaches this size before compression; some 30 KB after
it. A page of history reads one chunk for each day."""

_WHOLE_BYTES: Final = 8_000_000
"""What a chunk may have before compression: what is beyond is not decompressed."""

_HISTORY_KEPT: Final = timedelta(days=91)
"""A test is in the history for 90 days, and a segment has a whole day."""
_VERSION: Final = 1
_SAME_SHAPE: Final = 16
_STREAK_GOES_ON: Final = 32
_FLAGS: Final = 63
_ULID_BYTES: Final = 16


def kept_for(raw_event_days: int) -> timedelta:
    """How long segments are stored: the history of tests and the list of events read them."""
    return max(_HISTORY_KEPT, timedelta(days=raw_event_days + 1))


def chunk_item(key: Key, day: int, packed: bytes, kept: timedelta) -> Item:
    return {
        **key._asdict(),
        "b": packed,
        "expires_at": epoch_seconds(start_of_day(day), kept),
    }


class DaySegment:
    """The entries of a day as they are collected. Those of a connection come oldest first."""

    def __init__(self, day: int) -> None:
        self._day = day
        self._packed: dict[str, _Rows] = {}
        self.entries = 0

    def add(self, minute: int, entries: Iterable[RunEntry]) -> None:
        for entry in entries:
            rows = self._packed.get(entry.connection_id)
            if rows is None:
                rows = self._packed[entry.connection_id] = _Rows(self._day * MINUTES_OF_DAY)
            rows.add(minute, entry)
            self.entries += 1

    def chunks(self) -> Iterator[tuple[str, bytes]]:
        """The stored chunks, each with its first connection."""
        first, raw = "", bytearray()
        for connection_id in sorted(self._packed):
            first = first or connection_id
            rows = self._packed[connection_id]
            raw += ulid_of(connection_id)
            put_number(raw, rows.number)
            raw += rows.packed
            if len(raw) >= CHUNK_BYTES:
                yield first, _compressed(raw)
                first, raw = "", bytearray()
        if raw:
            yield first, _compressed(raw)


class _Rows:
    """The packed entries of one connection."""

    def __init__(self, minute: int) -> None:
        self.packed = bytearray()
        self.number = 0
        self._minute = minute
        self._shape = b""
        self._streak = 0

    def add(self, minute: int, entry: RunEntry) -> None:
        flags = flags_of(entry)
        if entry.shape == self._shape:
            flags |= _SAME_SHAPE
        goes_on = entry.streak == self._streak + 1
        if goes_on:
            flags |= _STREAK_GOES_ON
        self.packed.append(flags)
        if entry.shape != self._shape:
            self.packed += entry.shape
        put_number(self.packed, minute - self._minute)
        put_figures(self.packed, replace(entry, streak=0) if goes_on else entry)
        self.number += 1
        self._minute, self._shape, self._streak = minute, entry.shape, entry.streak


def encode_chunk(day: int, entries: Iterable[TimedEntry]) -> bytes:
    """One chunk of all these entries."""
    by_connection: dict[str, _Rows] = {}
    for minute, entry in sorted(entries, key=lambda timed: timed.minute):
        rows = by_connection.setdefault(entry.connection_id, _Rows(day * MINUTES_OF_DAY))
        rows.add(minute, entry)
    raw = bytearray()
    for connection_id, rows in sorted(by_connection.items()):
        raw += ulid_of(connection_id)
        put_number(raw, rows.number)
        raw += rows.packed
    return _compressed(raw)


def decode_chunk(day: int, stored: bytes) -> Mapping[str, Sequence[TimedEntry]]:
    """The entries of each connection, oldest first. Raises `ValueError`."""
    if not stored or stored[0] != _VERSION:
        raise ValueError("a chunk of an unknown version")
    raw = _decompressed(stored[1:])
    found: dict[str, list[TimedEntry]] = {}
    at = 0
    before = b""
    while at < len(raw):
        ulid, at = bytes_at(raw, at, _ULID_BYTES)
        if ulid <= before:
            raise ValueError("connections are not in order")
        before = ulid
        connection_id = connection_of(ulid)
        number, at = number_at(raw, at)
        found[connection_id], at = _rows_at(raw, at, number, connection_id, day * MINUTES_OF_DAY)
    return found


def _rows_at(
    raw: bytes, at: int, number: int, connection_id: str, minute: int
) -> tuple[list[TimedEntry], int]:
    rows: list[TimedEntry] = []
    shape, streak = b"", 0
    for _ in range(number):
        [flags], at = bytes_at(raw, at, 1)
        if flags & ~_FLAGS:
            raise ValueError("unknown flags")
        if not flags & _SAME_SHAPE:
            shape, at = bytes_at(raw, at, SHAPE_BYTES)
        elif not shape:
            raise ValueError("no shape before")
        more, at = number_at(raw, at)
        minute += more
        entry, at = figures_at(raw, at, flags, connection_id, shape)
        if flags & _STREAK_GOES_ON:
            if entry.streak:
                raise ValueError("a streak that goes on and does not")
            entry = replace(entry, streak=streak + 1)
        streak = entry.streak
        rows.append(TimedEntry(minute, entry))
    return rows, at


def _compressed(raw: bytes | bytearray) -> bytes:
    return bytes((_VERSION,)) + zlib.compress(raw, 9)


def _decompressed(stored: bytes) -> bytes:
    reader = zlib.decompressobj()
    try:
        raw = reader.decompress(stored, _WHOLE_BYTES)
    except zlib.error:
        raise ValueError("not compressed") from None
    if not reader.eof or reader.unused_data:
        raise ValueError("a chunk of another size")
    return raw
