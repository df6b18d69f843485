"""Counts of a space's events over an hour or a day, as a pure fold.

A space has up to `SHARDS` buckets for the same period, so that writers who meet on one can step
aside to another; merged, in any order, they are the count of the period.

Buckets are what a summary costs, and they ride in every ingest transaction, where each KB begun
costs 2 WRU. So the counts are one binary attribute: a run of unsigned LEB128 numbers

    version, mask of the types that have events, mask of the types that have platform faults,
    for each type with events:  successes, errors, last success, last error, latency sum in ms,
                                histogram slots
    for each type with faults:  faults, last fault

where a mask has the bit of a type's code, and the last times are milliseconds since the start of
the period, those of successes and errors plus one, and 0 for none. Version 1, which is read too,
had one number of platform faults without their type and time: they were connection tests, and the
start of the period stands for the time.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from itertools import islice
from typing import Final, NamedTuple, Self

from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.platform.clock import floor_to_hour

SHARDS: Final = 8

LATENCY_BOUNDS_MS: Final = (50, 100, 250, 500, 1000, 2500, 5000, 15_000, 60_000, 300_000, 1_800_000)
"""Upper ends, included, of the histogram's slots; one more slot takes what is slower."""

_SLOTS: Final = len(LATENCY_BOUNDS_MS) + 1

_VERSION: Final = 2
# Stored: a code may be added, never changed.
_CODES: Final = {
    IntegrationType.METADATA_SYNC: 0,
    IntegrationType.QUALITY_CHECK: 1,
    IntegrationType.PROFILING: 2,
    IntegrationType.WEBHOOK: 3,
    IntegrationType.ALERT: 4,
    IntegrationType.CONNECTION_TEST: 5,
}
_TYPES: Final = {code: kind for kind, code in _CODES.items()}
_NUMBERS_PER_TALLY: Final = 5 + _SLOTS
_ONE_DAY: Final = timedelta(days=1)
_AFTER_ALL: Final = "~"
"""Sorts after every digit."""
_MILLISECOND: Final = timedelta(milliseconds=1)


class Span(StrEnum):
    """How long a bucket's period is; the value begins its sort key."""

    HOUR = "H"
    DAY = "D"

    @property
    def length(self) -> timedelta:
        return timedelta(hours=1) if self is Span.HOUR else _ONE_DAY


class Period(NamedTuple):
    """One hour or one day of UTC."""

    span: Span
    start: datetime

    @classmethod
    def hour_of(cls, moment: datetime) -> Self:
        return cls(Span.HOUR, floor_to_hour(moment))

    @classmethod
    def day_of(cls, moment: datetime) -> Self:
        return cls(Span.DAY, floor_to_hour(moment).replace(hour=0))

    @property
    def end(self) -> datetime:
        """Where the next one starts."""
        return self.start + self.span.length

    @property
    def prefix(self) -> str:
        """What the sort keys of the period's shards begin with: `H#2026-02-17T10#`."""
        precise = 13 if self.span is Span.HOUR else 10
        return f"{self.span}#{self.start.isoformat()[:precise]}#"

    def sort_key(self, shard: int) -> str:
        """`H#2026-02-17T10#0` or `D#2026-02-17#0`."""
        return f"{self.prefix}{shard}"

    @classmethod
    def of_sort_key(cls, sort_key: str) -> Self:
        """Reads what `sort_key` wrote."""
        span, start, _ = sort_key.split("#")
        return cls(
            Span(span), datetime.fromisoformat(f"{start}Z" if "T" in start else f"{start}T00Z")
        )


def periods_of(moment: datetime) -> tuple[Period, Period]:
    """The hour and the day that count what happened at this moment."""
    return Period.hour_of(moment), Period.day_of(moment)


def hours_since(start: datetime) -> tuple[str, str]:
    """The range of sort keys, ends included, of the hours from `start` on, future ones included."""
    return Period.hour_of(start).prefix, f"{Span.HOUR}#{_AFTER_ALL}"


def hours_of_day(start: datetime) -> tuple[str, str]:
    """The range of sort keys, ends included, of the hours of the day that starts then."""
    day = f"{Span.HOUR}#{start.date().isoformat()}T"
    return day, f"{day}{_AFTER_ALL}"


def sort_keys_since(start: datetime) -> list[tuple[str, str]]:
    """The ranges of sort keys, ends included, whose buckets cover all from `start`, a full hour.

    The hours until the first midnight, if any, and the days from there on, future ones included.
    """
    day = Period.day_of(start).start
    if start == day:
        return [(Period.day_of(day).prefix, f"{Span.DAY}#{_AFTER_ALL}")]
    hour = Period.hour_of(start).prefix
    return [
        (hour, f"{hour[: hour.index('T')]}T{_AFTER_ALL}"),
        (Period.day_of(day + _ONE_DAY).prefix, f"{Span.DAY}#{_AFTER_ALL}"),
    ]


@dataclass(frozen=True, slots=True)
class Tally:
    """The count of one integration type."""

    success: int = 0
    errors: int = 0
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    latency_sum_ms: int = 0
    latencies: tuple[int, ...] = (0,) * _SLOTS
    """How many durations fell into each slot of `LATENCY_BOUNDS_MS`."""

    @property
    def total(self) -> int:
        return self.success + self.errors

    @property
    def last_event_at(self) -> datetime | None:
        return _later(self.last_success_at, self.last_error_at)

    def plus(self, event: Event) -> "Tally":
        tally = self
        if event.duration_ms is not None:
            slot = bisect_left(LATENCY_BOUNDS_MS, event.duration_ms)
            counts = tally.latencies
            tally = replace(
                tally,
                latency_sum_ms=tally.latency_sum_ms + event.duration_ms,
                latencies=(*counts[:slot], counts[slot] + 1, *counts[slot + 1 :]),
            )
        if event.status is EventStatus.SUCCESS:
            return replace(
                tally,
                success=tally.success + 1,
                last_success_at=_later(tally.last_success_at, event.occurred_at),
            )
        return replace(
            tally,
            errors=tally.errors + 1,
            last_error_at=_later(tally.last_error_at, event.occurred_at),
        )


@dataclass(frozen=True, slots=True)
class FaultTally:
    """Tests that failed through us. Their durations are in no histogram: they measure us."""

    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """Counts of some events. The empty bucket is the neutral element of `merge`."""

    by_type: Mapping[IntegrationType, Tally] = field(default_factory=dict)
    faults: Mapping[IntegrationType, FaultTally] = field(default_factory=dict)
    """Platform faults; they are in no tally."""

    @property
    def platform_faults(self) -> int:
        return sum(faults.count for faults in self.faults.values())

    def absorb(self, events: Iterable[Event]) -> "Bucket":
        """The same counts with these events added, whatever their order."""
        by_type, by_fault = dict(self.by_type), dict(self.faults)
        for event in events:
            kind = event.integration_type
            if event.platform_fault:
                fault = FaultTally(1, event.occurred_at)
                by_fault[kind] = _with_faults(by_fault[kind], fault) if kind in by_fault else fault
            else:
                by_type[kind] = by_type.get(kind, Tally()).plus(event)
        return Bucket(by_type, by_fault)

    def of_type(self, kind: IntegrationType) -> "Bucket":
        """What of these counts is of one type."""
        return Bucket(
            {known: tally for known, tally in self.by_type.items() if known is kind},
            {known: faults for known, faults in self.faults.items() if known is kind},
        )

    def with_faults_as_errors(self) -> "Bucket":
        """The tallies as if platform faults were errors of the integration like any other."""
        as_errors = {
            kind: Tally(errors=faults.count, last_error_at=faults.last_at)
            for kind, faults in self.faults.items()
        }
        return Bucket(merge(Bucket(self.by_type), Bucket(as_errors)).by_type, self.faults)

    def encode(self, start: datetime) -> bytes:
        """The stored form. `start` is the start of the period that holds all of the events."""
        numbers = [_VERSION, _mask(self.by_type), _mask(self.faults)]
        for kind in _in_order(self.by_type):
            tally = self.by_type[kind]
            numbers += (
                tally.success,
                tally.errors,
                _offset(tally.last_success_at, start),
                _offset(tally.last_error_at, start),
                tally.latency_sum_ms,
                *tally.latencies,
            )
        for kind in _in_order(self.faults):
            faults = self.faults[kind]
            numbers += (faults.count, (faults.last_at - start) // _MILLISECOND)
        return b"".join(_leb128(number) for number in numbers)

    @classmethod
    def decode(cls, stored: bytes, start: datetime) -> Self:
        """Reads what `encode` wrote. Raises `ValueError` for a form of another version."""
        numbers = _numbers(stored)
        match version := next(numbers):
            case 2:
                typed, faulty = _types_of(next(numbers)), _types_of(next(numbers))
                by_type = {kind: _tally(numbers, start) for kind in typed}
                faults = {
                    kind: FaultTally(next(numbers), start + next(numbers) * _MILLISECOND)
                    for kind in faulty
                }
            case 1:
                count = next(numbers)
                faults = (
                    {IntegrationType.CONNECTION_TEST: FaultTally(count, start)} if count else {}
                )
                by_type = {_TYPES[code]: _tally(numbers, start) for code in numbers}
            case _:
                raise ValueError(f"a bucket of version {version}")
        return cls(by_type, faults)


def merge(one: Bucket, other: Bucket) -> Bucket:
    """The counts of both. Associative and commutative."""
    by_type, by_fault = dict(one.by_type), dict(one.faults)
    for kind, tally in other.by_type.items():
        by_type[kind] = merge_tallies(by_type[kind], tally) if kind in by_type else tally
    for kind, faults in other.faults.items():
        by_fault[kind] = _with_faults(by_fault[kind], faults) if kind in by_fault else faults
    return Bucket(by_type, by_fault)


def merge_tallies(one: Tally, other: Tally) -> Tally:
    """The counts of both. Associative and commutative."""
    return Tally(
        one.success + other.success,
        one.errors + other.errors,
        _later(one.last_success_at, other.last_success_at),
        _later(one.last_error_at, other.last_error_at),
        one.latency_sum_ms + other.latency_sum_ms,
        tuple(a + b for a, b in zip(one.latencies, other.latencies, strict=True)),
    )


def total_of(bucket: Bucket) -> Tally:
    """All types together."""
    return reduce(merge_tallies, bucket.by_type.values(), Tally())


def _with_faults(one: FaultTally, other: FaultTally) -> FaultTally:
    return FaultTally(one.count + other.count, max(one.last_at, other.last_at))


def _mask(kinds: Iterable[IntegrationType]) -> int:
    return sum(1 << _CODES[kind] for kind in kinds)


def _types_of(mask: int) -> list[IntegrationType]:
    return [_TYPES[code] for code in range(mask.bit_length()) if mask >> code & 1]


def _in_order(kinds: Iterable[IntegrationType]) -> list[IntegrationType]:
    return sorted(kinds, key=lambda kind: _CODES[kind])


def _tally(numbers: Iterator[int], start: datetime) -> Tally:
    success, errors, last_success, last_error, latency_sum, *latencies = islice(
        numbers, _NUMBERS_PER_TALLY
    )
    return Tally(
        success,
        errors,
        _moment(last_success, start),
        _moment(last_error, start),
        latency_sum,
        tuple(latencies),
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _offset(moment: datetime | None, start: datetime) -> int:
    return 0 if moment is None else (moment - start) // _MILLISECOND + 1


def _moment(offset: int, start: datetime) -> datetime | None:
    return start + (offset - 1) * _MILLISECOND if offset else None


def _leb128(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _numbers(encoded: bytes) -> Iterator[int]:
    numbers = []
    number = shift = 0
    for byte in encoded:
        if byte < 0x80:
            numbers.append(number | byte << shift)
            number = shift = 0
        else:
            number |= (byte & 0x7F) << shift
            shift += 7
    return iter(numbers)
