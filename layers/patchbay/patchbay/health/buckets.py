"""Counts of the events of one space over an hour or a day, as a pure fold.

A space has up to `SHARDS` buckets for one period, so that concurrent writers need not wait for each
other. Merged, in any order, they are the counts of the period.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Final

from patchbay.health.model import Event, EventStatus, IntegrationType

SHARDS: Final = 8

LATENCY_BOUNDS_MS: Final = (50, 100, 250, 500, 1000, 2500, 5000, 15_000, 60_000, 300_000, 1_800_000)
"""The upper ends, included, of the histogram's slots. One more slot counts what is slower."""

SLOTS: Final = len(LATENCY_BOUNDS_MS) + 1


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one integration type."""

    success: int = 0
    errors: int = 0
    last_success_at: datetime | None = None
    last_error_at: datetime | None = None
    latency_sum_ms: int = 0
    latencies: tuple[int, ...] = (0,) * SLOTS
    """The number of durations in each slot of `LATENCY_BOUNDS_MS`."""

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
    """The platform faults of one integration type.

    Their durations are in no histogram: they measure us, not the integration.
    """

    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Bucket:
    """The counts of some events. The empty bucket is the neutral element of `merge`."""

    by_type: Mapping[IntegrationType, Tally] = field(default_factory=dict)
    faults: Mapping[IntegrationType, FaultTally] = field(default_factory=dict)
    """Platform faults, which no tally includes."""

    @property
    def platform_faults(self) -> int:
        return sum(faults.count for faults in self.faults.values())

    def absorb(self, events: Iterable[Event]) -> "Bucket":
        """A bucket with these events added, in any order."""
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
        """The counts of one type only."""
        return Bucket(
            {known: tally for known, tally in self.by_type.items() if known is kind},
            {known: faults for known, faults in self.faults.items() if known is kind},
        )

    def without_types(self, kinds: Collection[str]) -> "Bucket":
        """The counts of all other types."""
        return Bucket(
            {kind: tally for kind, tally in self.by_type.items() if kind not in kinds},
            {kind: faults for kind, faults in self.faults.items() if kind not in kinds},
        )

    def with_faults_as_errors(self) -> "Bucket":
        """A bucket whose tallies count platform faults as errors."""
        as_errors = {
            kind: Tally(errors=faults.count, last_error_at=faults.last_at)
            for kind, faults in self.faults.items()
        }
        return Bucket(merge(Bucket(self.by_type), Bucket(as_errors)).by_type, self.faults)


def merge(one: Bucket, other: Bucket) -> Bucket:
    """The counts of both. Associative and commutative."""
    by_type, by_fault = dict(one.by_type), dict(one.faults)
    for kind, tally in other.by_type.items():
        by_type[kind] = merge_tallies(by_type[kind], tally) if kind in by_type else tally
    for kind, faults in other.faults.items():
        by_fault[kind] = _with_faults(by_fault[kind], faults) if kind in by_fault else faults
    return Bucket(by_type, by_fault)


def merge_all(buckets: Iterable[Bucket]) -> Bucket:
    """The counts of all buckets."""
    return reduce(merge, buckets, Bucket())


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
    """The counts of all types together."""
    return reduce(merge_tallies, bucket.by_type.values(), Tally())


def _with_faults(one: FaultTally, other: FaultTally) -> FaultTally:
    return FaultTally(one.count + other.count, max(one.last_at, other.last_at))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
