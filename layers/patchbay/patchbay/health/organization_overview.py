"""The spaces of an organization side by side, worst first.

Each has its summary, that of the previous period, and a point a day. Ranking needs the summaries of
all spaces, so it is bounded: the first page computes up to `BLOCK` spaces in the order of their
slugs, fewer for a long period, and its cursor keeps their ranking. The next pages compute only what
they show. If there are more spaces, they follow, ranked as the next block.
"""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from patchbay.health.buckets import (
    Bucket,
    merge_all,
    total_of,
)
from patchbay.health.periods import Period, Span, hours_of_day, hours_since, sort_keys_since
from patchbay.health.series import SeriesInterval, points_of
from patchbay.health.shards import BUCKETS_KEPT
from patchbay.health.store import EventStore
from patchbay.health.summary import success_rate, window_start
from patchbay.platform.clock import UtcSecond, floor_to_hour
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

BLOCK: Final = 100
MAX_SPACE_DAYS: Final = 3_000
"""Spaces times days of a block: a day of a space takes 0.25 ms. A year has blocks of 8 spaces."""

_AT_ONCE: Final = 8
"""Spaces read side by side. The client of the table has 25 connections."""

type BucketView = Callable[[Bucket], Bucket]


class PeriodTotals(Model):
    """The counts of one period. Without events `success_rate` is 0.0 and `no_data` is true."""

    total_events: int
    success_count: int
    error_count: int
    success_rate: float
    no_data: bool


class PeriodDifference(Model):
    """`compared` minus `previous`. `success_rate` is in percentage points; null if one of them has
    no data."""

    total_events: int
    success_rate: float | None


class DayPoint(Model):
    starts_at: UtcSecond
    total: int
    errors: int
    success_rate: float
    no_data: bool


class SpaceHealth(Model):
    """The summary of a space without its types, compared with the previous period.

    `previous` ends where the period begins and has its length in whole hours. `compared` has the
    period without the present hour, which is not over: both are equally long. They are null if
    counts are no longer stored for all of `previous`.
    """

    space_id: str
    slug: str
    name: str
    period_days: int
    total_events: int
    success_count: int
    error_count: int
    success_rate: float
    no_data: bool
    platform_faults: int
    previous: PeriodTotals | None
    compared: PeriodTotals | None
    difference: PeriodDifference | None
    series: list[DayPoint]


@dataclass(frozen=True, slots=True)
class SpacePage:
    """`next_start` is where the next page starts, None on the last page."""

    items: list[SpaceHealth]
    next_start: dict[str, Any] | None


class OrganizationOverview:
    """Compares the spaces of an organization."""

    def __init__(self, tenants: TenancyStore, events: EventStore) -> None:
        self._tenants = tenants
        self._events = events

    def page(
        self,
        organization_id: str,
        *,
        days: int,
        now: datetime,
        limit: int,
        start: Mapping[str, Any] | None,
        counted: BucketView,
    ) -> SpacePage:
        """One page, worst first.

        `start` is the `next_start` of the previous page, for the same organization and query: the
        rest of the block, and where the next block starts. `counted` returns a bucket with its
        events counted as the query asks.
        """
        if start and start["order"]:
            # A space that was deleted in the meantime is left out.
            found = self._side_by_side(
                self._tenants.space_by_id, map(_long, start["order"][:limit])
            )
            shown = [space for space in found if space]
            items = self._side_by_side(lambda space: self._health(space, days, now, counted), shown)
            order, block = start["order"][limit:], start["block"]
        else:
            size = max(1, min(BLOCK, MAX_SPACE_DAYS // days))
            query = ListQuery(limit=size, cursor=start["block"] if start else None)
            listed = self._tenants.spaces(organization_id, query, now)
            computed = self._side_by_side(
                lambda space: self._health(space, days, now, counted), listed.items
            )
            ranked = sorted(computed, key=_badness)
            items, block = ranked[:limit], listed.next_cursor
            order = [_short(one.space_id) for one in ranked[limit:]]
        if order or block:
            return SpacePage(items, {"order": order, "block": block})
        return SpacePage(items, None)

    def _side_by_side[T, R](self, work: Callable[[T], R], of: Iterable[T]) -> list[R]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(work, of))

    def _health(self, space: Space, days: int, now: datetime, counted: BucketView) -> SpaceHealth:
        start = window_start(now, days)
        before = start - timedelta(days=days)
        comparable = before >= now - BUCKETS_KEPT + timedelta(days=1)
        present_hour = floor_to_hour(now)
        ranges = sort_keys_since(start)
        if comparable:
            ranges = [*_ranges(before, start), hours_since(present_hour)]
        read = self._events.counts_between(space.id, ranges)
        counts = {period: counted(bucket) for period, bucket in read.items()}
        split_day = Period.day_of(start)
        if split_day.start != start:
            # The day in which the window begins is counted by hours, for both periods.
            counts.pop(split_day, None)
        # They are in the counts of their days, too.
        present = [
            bucket for period, bucket in counts.items() if _is_hour_since(period, present_hour)
        ]
        counts = {p: b for p, b in counts.items() if not _is_hour_since(p, present_hour)}
        within = {period: bucket for period, bucket in counts.items() if period.start >= start}
        earlier = [bucket for period, bucket in counts.items() if period.start < start]
        totals = _totals(within.values())
        previous = _totals(earlier) if comparable else None
        compared = _without(totals, _totals(present)) if comparable else None
        return SpaceHealth(
            **totals.model_dump(),
            space_id=space.id,
            slug=space.slug,
            name=space.name,
            period_days=days,
            platform_faults=sum(bucket.platform_faults for bucket in within.values()),
            previous=previous,
            compared=compared,
            difference=_difference(compared, previous) if compared and previous else None,
            series=[
                DayPoint.model_validate(point, from_attributes=True)
                for point in points_of(within, start, now, SeriesInterval.DAY)
            ],
        )


def _ranges(before: datetime, start: datetime) -> list[tuple[str, str]]:
    """All from `before`, and the hours of the day of `start`: at most three ranges."""
    ranges = sort_keys_since(before)
    if Period.day_of(start).start != start:
        ranges.append(hours_of_day(Period.day_of(start).start))
    return ranges


def _is_hour_since(period: Period, start: datetime) -> bool:
    return period.span is Span.HOUR and period.start >= start


def _without(totals: PeriodTotals, part: PeriodTotals) -> PeriodTotals:
    success = totals.success_count - part.success_count
    total = totals.total_events - part.total_events
    return PeriodTotals(
        total_events=total,
        success_count=success,
        error_count=totals.error_count - part.error_count,
        success_rate=success_rate(success, total),
        no_data=total == 0,
    )


def _totals(buckets: Iterable[Bucket]) -> PeriodTotals:
    tally = total_of(merge_all(buckets))
    return PeriodTotals(
        total_events=tally.total,
        success_count=tally.success,
        error_count=tally.errors,
        success_rate=success_rate(tally.success, tally.total),
        no_data=tally.total == 0,
    )


def _difference(now: PeriodTotals, before: PeriodTotals) -> PeriodDifference:
    known = not (now.no_data or before.no_data)
    return PeriodDifference(
        total_events=now.total_events - before.total_events,
        success_rate=round(now.success_rate - before.success_rate, 2) if known else None,
    )


def _badness(one: SpaceHealth) -> tuple[bool, float, int, str]:
    """The sort key: the lowest rate first, then the most errors. Spaces without data come last."""
    return one.no_data, one.success_rate, -one.error_count, one.slug


def _short(space_id: str) -> str:
    """A UUID in 22 characters: a cursor has up to 99 of them."""
    return base64.urlsafe_b64encode(UUID(space_id).bytes).decode().rstrip("=")


def _long(short: str) -> str:
    return str(UUID(bytes=base64.urlsafe_b64decode(short + "==")))
