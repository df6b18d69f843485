"""Counts stored events one by one, without the code under test."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from patchbay.health.buckets import LATENCY_BOUNDS_MS, Bucket
from patchbay.health.model import Event, EventStatus


def grouped[K: Hashable](
    events: Iterable[Event], key: Callable[[Event], K]
) -> dict[K, list[Event]]:
    groups: dict[K, list[Event]] = {}
    for event in events:
        groups.setdefault(key(event), []).append(event)
    return groups


def plain(events: Sequence[Event]) -> dict[str, Any]:
    """The counts of some events by type, with platform faults apart."""
    counted = [event for event in events if not event.platform_fault]
    faults = [event for event in events if event.platform_fault]
    by_type = {
        kind.value: figures(of_kind)
        for kind, of_kind in grouped(counted, lambda event: event.integration_type).items()
    }
    by_fault = {
        kind.value: (len(of_kind), max(event.occurred_at for event in of_kind))
        for kind, of_kind in grouped(faults, lambda event: event.integration_type).items()
    }
    return {"types": by_type, "faults": by_fault}


def counted_as(events: Iterable[Event], *, blame: bool) -> list[Event]:
    """The events that views count. With `blame`, platform faults are errors without a duration."""
    return [
        event.model_copy(update={"duration_ms": None}) if event.platform_fault else event
        for event in events
        if blame or not event.platform_fault
    ]


def figures(events: list[Event]) -> dict[str, Any]:
    good = [e for e in events if e.status is EventStatus.SUCCESS]
    bad = [e for e in events if e.status is EventStatus.ERROR]
    durations = [e.duration_ms for e in events if e.duration_ms is not None]
    slots = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    for duration in durations:
        slots[bisect_left(LATENCY_BOUNDS_MS, duration)] += 1
    return {
        "success": len(good),
        "errors": len(bad),
        "last_success_at": max((e.occurred_at for e in good), default=None),
        "last_error_at": max((e.occurred_at for e in bad), default=None),
        "latency_sum_ms": sum(durations),
        "latencies": slots,
    }


def plain_bucket(bucket: Bucket) -> dict[str, Any]:
    """The counts of a bucket in the same form."""
    by_type = {
        kind.value: {
            "success": tally.success,
            "errors": tally.errors,
            "last_success_at": tally.last_success_at,
            "last_error_at": tally.last_error_at,
            "latency_sum_ms": tally.latency_sum_ms,
            "latencies": list(tally.latencies),
        }
        for kind, tally in bucket.by_type.items()
    }
    by_fault = {kind.value: (one.count, one.last_at) for kind, one in bucket.faults.items()}
    return {"types": by_type, "faults": by_fault}


def hour_of(event: Event) -> datetime:
    return event.occurred_at.replace(minute=0, second=0, microsecond=0)


def day_of(event: Event) -> datetime:
    return hour_of(event).replace(hour=0)


def window(now: datetime, days: int) -> datetime:
    return (now - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
