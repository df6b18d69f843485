"""The counts of a space's monitor tests on one day, as a pure fold over runs.

A day is **open** while its runs may still be folded: it has the counts of its hours, a bit for each
run that they include, and, for each cell that the space's runs are in, the minute that a fold has
passed. The runs after that minute are the **tail**; the counts of the day are those of its hours
and of the tail.

- A run is counted in the write that sets its bit, and in no other.
- A minute that a fold has passed is never part of a tail again, counted or not: a run that is
  recorded so late is counted by itself.
- Each write has the condition that the revision is the one that was read, and raises it.

A **closed** day has no tail. Its counts are in one bucket, and its hours and bits in a second item,
for the series by hours and for runs that are still to come.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Final

from patchbay.connections.wheel import moment_of
from patchbay.health.bucket_codec import decode_bucket, encode_bucket
from patchbay.health.buckets import (
    LATENCY_BOUNDS_MS,
    SLOTS,
    Bucket,
    FaultTally,
    Tally,
    merge,
    merge_all,
)
from patchbay.health.model import IntegrationType
from patchbay.health.periods import Period, Span
from patchbay.health.shards import BUCKETS_KEPT
from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import Item
from patchbay.runs.bits import decode_bits, encode_bits
from patchbay.runs.codec import bytes_at, number_at, put_number
from patchbay.runs.keys import day_key, day_of_sort_key, hours_key
from patchbay.runs.model import (
    MINUTES_OF_DAY,
    Cell,
    RunEntry,
    RunKey,
    Series,
    start_of_day,
)

GRACE: Final = 10
"""Minutes. A fold passes only minutes that are older, by its clock."""

LATE: Final = 5
"""Minutes. A run that stands later than this after its minute, by the clock of its recorder, is
counted at once. `GRACE` less this is how much clocks may differ."""

_MINUTES_OF_HOUR: Final = 60
_HOURS: Final = 24
_KIND: Final = IntegrationType.CONNECTION_TEST
_HOURS_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class SpaceRun:
    """The entries of one space in a run."""

    key: RunKey
    entries: tuple[RunEntry, ...]


@dataclass(frozen=True, slots=True)
class CountedHours:
    """The counts of hours of a day. An hour is decoded only when it is needed."""

    day: int
    stored: Mapping[int, bytes] = field(default_factory=dict)

    def plus(self, minute: int, entries: Iterable[RunEntry]) -> "CountedHours":
        """With the tests of a run added."""
        hour = minute % MINUTES_OF_DAY // _MINUTES_OF_HOUR
        counts = merge(self.of(hour), counts_of(minute, entries))
        return CountedHours(self.day, {**self.stored, hour: encode_bucket(counts, self._at(hour))})

    def of(self, hour: int) -> Bucket:
        stored = self.stored.get(hour)
        return decode_bucket(stored, self._at(hour)) if stored else Bucket()

    def by_hour(self) -> dict[Period, Bucket]:
        return {Period(Span.HOUR, self._at(hour)): self.of(hour) for hour in self.stored}

    def total(self) -> Bucket:
        return merge_all(map(self.of, self.stored))

    def _at(self, hour: int) -> datetime:
        return moment_of(self.day * MINUTES_OF_DAY + hour * _MINUTES_OF_HOUR)

    def encode(self) -> bytes:
        out = bytearray((_HOURS_VERSION,))
        for hour, counts in sorted(self.stored.items()):
            put_number(out, hour)
            put_number(out, len(counts))
            out += counts
        return bytes(out)

    @classmethod
    def decode(cls, day: int, stored: bytes) -> "CountedHours":
        """Raises `ValueError` for what `encode` did not return."""
        if not stored or stored[0] != _HOURS_VERSION:
            raise ValueError("hours of an unknown version")
        found: dict[int, bytes] = {}
        at = 1
        while at < len(stored):
            hour, at = number_at(stored, at)
            length, at = number_at(stored, at)
            if hour >= _HOURS or hour in found:
                raise ValueError("not an hour")
            found[hour], at = bytes_at(stored, at, length)
        return cls(day, found)


@dataclass(frozen=True, slots=True)
class OpenDay:
    """A day whose runs may still be folded. `through` has, for each cell, the last minute that a
    fold has passed, or one before the day. Cells are named as `Cell.within_space`."""

    space_id: str
    day: int
    revision: int
    through: Mapping[str, int]
    bits: Mapping[Series, int]
    hours: CountedHours

    @classmethod
    def begin(cls, space_id: str, day: int) -> "OpenDay":
        return cls(space_id, day, 0, {}, {}, CountedHours(day))

    @property
    def cells(self) -> list[Cell]:
        """Where the runs of the space on this day are."""
        return [Cell.of_name_within(self.space_id, name) for name in self.through]

    def with_cell(self, cell: Cell, minute: int) -> "OpenDay":
        """Looks for runs in this cell, too, of which the one of this minute is about to come.

        An earlier one that is still to come is late, so a fold may have passed it. A cell that is
        counted at once has no tail: a fold has passed the whole day.
        """
        first = self.day * MINUTES_OF_DAY
        passed = first + MINUTES_OF_DAY - 1 if cell.at_once else max(first, minute - GRACE) - 1
        return replace(self, through={**self.through, cell.within_space: passed})

    def is_counted(self, key: RunKey) -> bool:
        return is_counted(self.bits, key)

    def is_in_tail(self, key: RunKey) -> bool:
        """Whether a run is to be added to the hours to get the counts of the day."""
        passed = self.through.get(key.cell.within_space)
        return passed is not None and key.minute > passed and not self.is_counted(key)

    def tail(self, cell: Cell) -> tuple[int, int] | None:
        """The first and the last minute of a cell's tail; None if it has none."""
        first = self.through[cell.within_space] + 1
        last = (self.day + 1) * MINUTES_OF_DAY - 1
        return (first, last) if first <= last else None

    def counting(self, runs: Iterable[SpaceRun]) -> "OpenDay":
        """With the runs counted that are not yet."""
        bits, hours = counted(self.bits, self.hours, runs)
        return replace(self, bits=bits, hours=hours)

    def passing(self, cell: Cell, minute: int) -> "OpenDay":
        """After a fold of all runs of a cell up to a minute, which must be counted."""
        name = cell.within_space
        last = min(minute, (self.day + 1) * MINUTES_OF_DAY - 1)
        return replace(self, through={**self.through, name: max(self.through[name], last)})

    @property
    def item(self) -> Item:
        """To be stored after the one that was read: the revision is one higher."""
        return {
            **day_key(self.space_id, self.day)._asdict(),
            "rev": self.revision + 1,
            "cells": dict(self.through),
            "bits": encode_bits(self.bits),
            "hours": self.hours.encode(),
            "expires_at": _expires_at(self.day),
        }


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A day all of whose runs were counted when it was closed.

    `closing` and `parts` say which chunks of segments have its entries.
    """

    space_id: str
    day: int
    revision: int
    counts: Bucket
    closing: str
    parts: int

    @property
    def item(self) -> Item:
        """To be stored after the one that was read: the revision is one higher."""
        return {
            **day_key(self.space_id, self.day)._asdict(),
            "rev": self.revision + 1,
            "counts": encode_bucket(self.counts, start_of_day(self.day)),
            "closing": self.closing,
            "parts": self.parts,
            "expires_at": _expires_at(self.day),
        }

    def counting(self, runs: Iterable[SpaceRun]) -> "ClosedDay":
        """With these runs, which must not be counted yet."""
        more = reduce(merge, (counts_of(run.key.minute, run.entries) for run in runs), Bucket())
        return replace(self, counts=merge(self.counts, more))


@dataclass(frozen=True, slots=True)
class ClosedHours:
    """The hours of a closed day, with the same revision as the day."""

    space_id: str
    day: int
    revision: int
    bits: Mapping[Series, int]
    hours: CountedHours

    def is_counted(self, key: RunKey) -> bool:
        return is_counted(self.bits, key)

    @property
    def cells(self) -> list[Cell]:
        """Where the runs are, or were, that are counted."""
        names = {series.cell for series in self.bits}
        return [Cell.of_name_within(self.space_id, name) for name in sorted(names)]

    @property
    def item(self) -> Item:
        """To be stored after the one that was read: the revision is one higher."""
        return {
            **hours_key(self.space_id, self.day)._asdict(),
            "rev": self.revision + 1,
            "bits": encode_bits(self.bits),
            "hours": self.hours.encode(),
            "expires_at": _expires_at(self.day),
        }

    def counting(self, runs: Iterable[SpaceRun]) -> "ClosedHours":
        """With the runs counted that are not yet."""
        bits, hours = counted(self.bits, self.hours, runs)
        return replace(self, bits=bits, hours=hours)


def read_day(space_id: str, item: Item) -> OpenDay | ClosedDay:
    """The day of a `day_key`. Raises `ValueError`."""
    day = day_of_sort_key(item["sk"])
    if "counts" in item:
        counts = decode_bucket(item["counts"], start_of_day(day))
        return ClosedDay(space_id, day, item["rev"], counts, item["closing"], item["parts"])
    return OpenDay(
        space_id,
        day,
        item["rev"],
        item["cells"],
        decode_bits(item["bits"]),
        CountedHours.decode(day, item["hours"]),
    )


def read_hours(space_id: str, item: Item) -> ClosedHours:
    """The hours of an `hours_key`. Raises `ValueError`."""
    day = day_of_sort_key(item["sk"])
    return ClosedHours(
        space_id,
        day,
        item["rev"],
        decode_bits(item["bits"]),
        CountedHours.decode(day, item["hours"]),
    )


def closed(day: OpenDay, closing: str, parts: int) -> tuple[ClosedDay, ClosedHours]:
    """The two items of a day all of whose runs are counted."""
    return (
        ClosedDay(day.space_id, day.day, day.revision, day.hours.total(), closing, parts),
        ClosedHours(day.space_id, day.day, day.revision, day.bits, day.hours),
    )


def is_counted(bits: Mapping[Series, int], key: RunKey) -> bool:
    return bool(bits.get(key.series, 0) >> key.minute % MINUTES_OF_DAY & 1)


def counted(
    bits: Mapping[Series, int], hours: CountedHours, runs: Iterable[SpaceRun]
) -> tuple[dict[Series, int], CountedHours]:
    """Bits and hours with the runs counted that are not yet."""
    found = dict(bits)
    for run in runs:
        if is_counted(found, run.key):
            continue
        series = run.key.series
        found[series] = found.get(series, 0) | 1 << run.key.minute % MINUTES_OF_DAY
        hours = hours.plus(run.key.minute, run.entries)
    return found, hours


def counts_of(minute: int, entries: Iterable[RunEntry]) -> Bucket:
    """The counts of the tests of one scheduled minute, as `Bucket.absorb` counts their events."""
    success = errors = faults = latency_sum = 0
    latencies = [0] * SLOTS
    for entry in entries:
        if entry.fault:
            faults += 1
            continue
        if entry.passed:
            success += 1
        else:
            errors += 1
        latency_sum += entry.latency_ms
        latencies[bisect_left(LATENCY_BOUNDS_MS, entry.latency_ms)] += 1
    at = moment_of(minute)
    by_type = {}
    if success or errors:
        by_type[_KIND] = Tally(
            success,
            errors,
            at if success else None,
            at if errors else None,
            latency_sum,
            tuple(latencies),
        )
    return Bucket(by_type, {_KIND: FaultTally(faults, at)} if faults else {})


def _expires_at(day: int) -> int:
    return epoch_seconds(start_of_day(day), BUCKETS_KEPT)
