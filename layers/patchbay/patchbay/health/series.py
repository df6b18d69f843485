"""The health of a space over time: a point for each hour or day of the window."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from patchbay.health.buckets import Bucket, merge, total_of
from patchbay.health.latency import Latency, latency_of
from patchbay.health.model import IntegrationType
from patchbay.health.periods import Period, Span
from patchbay.health.summary import success_rate
from patchbay.platform.clock import UtcSecond
from patchbay.platform.model import Model

MAX_HOURLY_DAYS: Final = 31
"""Hours cost 24 times as much as days: a month of hours is about 55 read units."""


class SeriesInterval(StrEnum):
    HOUR = "hour"
    DAY = "day"


class SeriesPoint(Model):
    """One hour or day. The first day starts where the window does, which may be after midnight."""

    starts_at: UtcSecond
    total: int
    success: int
    errors: int
    success_rate: float
    no_data: bool
    platform_faults: int
    latency: Latency


class HealthSeries(Model):
    """Points from the start of the window to now, without gaps. Together they are the summary."""

    space_id: str
    period_days: int
    interval: SeriesInterval
    integration_type: IntegrationType | None
    points: list[SeriesPoint]


def points_of(
    counts: Mapping[Period, Bucket], start: datetime, now: datetime, interval: SeriesInterval
) -> list[SeriesPoint]:
    """The points of the counts from `start`, a full hour.

    An event may be up to five minutes ahead of our clock. A point after that of `now` is included
    only if it has events.
    """
    gathered: dict[datetime, Bucket] = {}
    for period, bucket in counts.items():
        at = max(start, _point_start(period.start, interval))
        gathered[at] = merge(gathered.get(at, Bucket()), bucket)
    last = max([now, *gathered])
    return [_point(at, gathered.get(at, Bucket())) for at in _starts(start, last, interval)]


def _starts(start: datetime, last: datetime, interval: SeriesInterval) -> Iterator[datetime]:
    length = _span(interval).length
    at = start
    while at <= last:
        yield at
        at = _point_start(at, interval) + length


def _span(interval: SeriesInterval) -> Span:
    return Span.HOUR if interval is SeriesInterval.HOUR else Span.DAY


def _point_start(moment: datetime, interval: SeriesInterval) -> datetime:
    if interval is SeriesInterval.HOUR:
        return Period.hour_of(moment).start
    return Period.day_of(moment).start


def _point(at: datetime, bucket: Bucket) -> SeriesPoint:
    tally = total_of(bucket)
    return SeriesPoint(
        starts_at=at,
        total=tally.total,
        success=tally.success,
        errors=tally.errors,
        success_rate=success_rate(tally.success, tally.total),
        no_data=tally.total == 0,
        platform_faults=bucket.platform_faults,
        latency=latency_of(tally),
    )
