"""The health of a space over a window, to the letter of the health contract."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import reduce
from typing import Annotated, Final

from pydantic import Field

from patchbay.health.buckets import Bucket, merge, total_of
from patchbay.health.model import IntegrationType
from patchbay.platform.clock import UtcTime, floor_to_hour
from patchbay.platform.model import Model
from patchbay.platform.validation import WholeNumber

DEFAULT_DAYS: Final = 30
PeriodDays = Annotated[WholeNumber, Field(ge=1, le=366)]
"""The look-back of a query, in days of 24 hours."""


class TypeHealth(Model):
    """One integration type within the window."""

    integration_type: IntegrationType
    total: int
    success: int
    errors: int
    last_event_at: UtcTime


class HealthSummary(Model):
    """`success_rate` is a percentage, 0.0–100.0; 0.0 with `no_data` when nothing was counted."""

    space_id: str
    period_days: int
    total_events: int
    success_count: int
    error_count: int
    success_rate: float
    last_success_at: UtcTime | None
    last_error_at: UtcTime | None
    by_integration_type: list[TypeHealth]
    no_data: bool
    platform_faults: int


def window_start(now: datetime, days: int) -> datetime:
    """Where the window of that many days begins; it has no end.

    The full hour, so that hour and day buckets cover the window exactly.
    """
    return floor_to_hour(now - timedelta(days=days))


def summarize(buckets: Iterable[Bucket], days: int, space_id: str) -> HealthSummary:
    """The summary of the buckets that cover the window of `days` days, in any order."""
    counted = reduce(merge, buckets, Bucket())
    overall = total_of(counted)
    types = [
        TypeHealth(
            integration_type=kind,
            total=tally.total,
            success=tally.success,
            errors=tally.errors,
            last_event_at=tally.last_event_at,
        )
        for kind, tally in counted.by_type.items()
        if tally.last_event_at is not None
    ]
    return HealthSummary(
        space_id=space_id,
        period_days=days,
        total_events=overall.total,
        success_count=overall.success,
        error_count=overall.errors,
        success_rate=success_rate(overall.success, overall.total),
        last_success_at=overall.last_success_at,
        last_error_at=overall.last_error_at,
        by_integration_type=sorted(types, key=lambda t: (-t.total, t.integration_type)),
        no_data=overall.total == 0,
        platform_faults=counted.platform_faults,
    )


def success_rate(success: int, total: int) -> float:
    """A percentage rounded to 2 decimals, half up; 0.0 of nothing.

    Rounded in integers, where a half is a half. So 99.996 % is told as 100.0 although there was an
    error: `error_count` tells that there was.
    """
    if total == 0:
        return 0.0
    hundredths = (success * 20_000 + total) // (2 * total)
    return hundredths / 100
