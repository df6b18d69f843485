"""The health of a space over a window, exactly as the health contract defines it."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field

from patchbay.health.buckets import Bucket, merge_all, total_of
from patchbay.health.model import IntegrationType
from patchbay.platform.clock import UtcSecond, floor_to_hour
from patchbay.platform.model import Model
from patchbay.platform.validation import WholeNumber

DEFAULT_DAYS: Final = 30
PeriodDays = Annotated[WholeNumber, Field(ge=1, le=366)]
"""The length of the window, in days of 24 hours."""


class TypeHealth(Model):
    """One integration type in the window."""

    integration_type: IntegrationType
    total: int
    success: int
    errors: int
    last_event_at: UtcSecond


class HealthSummary(Model):
    """`success_rate` is a percentage, 0.0–100.0. Without events it is 0.0 and `no_data` is true."""

    space_id: str
    period_days: int
    total_events: int
    success_count: int
    error_count: int
    success_rate: float
    last_success_at: UtcSecond | None
    last_error_at: UtcSecond | None
    by_integration_type: list[TypeHealth]
    no_data: bool
    platform_faults: int


def window_start(now: datetime, days: int) -> datetime:
    """The start of the window, which has no end.

    It is on the hour, so that hour and day buckets cover the window exactly.
    """
    return floor_to_hour(now - timedelta(days=days))


def summarize(buckets: Iterable[Bucket], days: int, space_id: str) -> HealthSummary:
    """The summary of the buckets that cover a window of `days` days, in any order."""
    counted = merge_all(buckets)
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
    """A percentage rounded to 2 decimals, half up, and 0.0 without events.

    100.0 means that there was no error, and 0.0 that there was no success: what would round to one
    of them otherwise is 99.99 or 0.01. The arithmetic is in integers, so a half is exact.
    """
    if total == 0:
        return 0.0
    hundredths = (success * 20_000 + total) // (2 * total)
    if success < total:
        hundredths = min(hundredths, 9_999)
    if success > 0:
        hundredths = max(hundredths, 1)
    return hundredths / 100
