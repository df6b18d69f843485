"""How a space is doing, from its counts, alerts, and connections. Pure.

Whether something works *now* is judged by the counts of this hour and the one before. If they have
none, by those of the last 24 hours: what happens once a night has a state by day, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from patchbay.alerts.conditions import SubjectKind
from patchbay.alerts.model import Alert
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.lifecycle import Lifecycle
from patchbay.health.buckets import Bucket, Tally, merge_all, total_of
from patchbay.health.connection_overview import ConnectionHealth
from patchbay.health.latency import latency_of
from patchbay.health.periods import Period, Span, hours_since, sort_keys_since
from patchbay.health.summary import success_rate
from patchbay.platform.clock import floor_to_hour
from patchbay.status_pages.model import (
    ConnectionState,
    DayStatus,
    PeriodStatus,
    ShownAlert,
    ShownConnection,
    StatusState,
    TypeStatus,
)

DAYS: Final = 90
PERIODS: Final = (7, 30, 90)
HEALTHY_RATE: Final = 95.0
"""Percent. Below it, a space without an alert is degraded, too."""

_ONE_HOUR: Final = timedelta(hours=1)
_ONE_DAY: Final = timedelta(days=1)
_SUMMARIES: Final = {
    "success_rate": "Too many errors",
    "stale": "No success for too long",
    "connection_down": "A connection is failing",
}
"""By the kind of a rule's condition: what an alert says itself may quote an error."""


@dataclass(frozen=True, slots=True)
class Recent:
    """The counts by which the present is judged, and the words for their time."""

    tally: Tally
    words: str


def ranges(now: datetime) -> list[tuple[str, str]]:
    """What to read of a space: its last 90 days, today included, and its last 24 hours."""
    return [*sort_keys_since(_first_day(now)), hours_since(floor_to_hour(now - _ONE_DAY))]


def recent_of(counts: Mapping[Period, Bucket], now: datetime) -> Recent:
    hours = {p.start: bucket for p, bucket in counts.items() if p.span is Span.HOUR}
    start = floor_to_hour(now) - _ONE_HOUR
    latest = total_of(merge_all(bucket for at, bucket in hours.items() if at >= start))
    if latest.total:
        return Recent(latest, "the last hours")
    return Recent(total_of(merge_all(hours.values())), "the last 24 hours")


def state_of(recent: Tally, alerts: int, failing: int) -> StatusState:
    """`alerts` and `failing` are the numbers of firing alerts and failing connections."""
    if recent.total and not recent.success:
        return StatusState.DOWN
    if alerts or failing:
        return StatusState.DEGRADED
    if not recent.total:
        return StatusState.NO_DATA
    if success_rate(recent.success, recent.total) < HEALTHY_RATE:
        return StatusState.DEGRADED
    return StatusState.OPERATIONAL


def sentence(state: StatusState, recent: Recent, alerts: int, failing: int) -> str:
    """The state in one sentence, with its reasons."""
    match state:
        case StatusState.OPERATIONAL:
            return "Everything works."
        case StatusState.NO_DATA:
            return "There is no data from the last 24 hours."
        case StatusState.DOWN:
            return f"Nothing that ran in {recent.words} has succeeded."
        case StatusState.DEGRADED:
            return f"Not everything works: {_and(_reasons(recent, alerts, failing))}."


def _reasons(recent: Recent, alerts: int, failing: int) -> Iterable[str]:
    if failing:
        yield (
            f"{failing} connection is failing"
            if failing == 1
            else (f"{failing} connections are failing")
        )
    if alerts:
        yield f"{alerts} alert is firing" if alerts == 1 else f"{alerts} alerts are firing"
    if not (failing or alerts):
        rate = success_rate(recent.tally.success, recent.tally.total)
        yield f"{rate:g}% succeeded in {recent.words}"


def _and(parts: Iterable[str]) -> str:
    return " and ".join(parts)


def days_of(counts: Mapping[Period, Bucket], now: datetime) -> list[DayStatus]:
    """Each day without a gap, oldest first. What is ahead of our clock counts for today."""
    tallies = {day: Tally() for day in _dates(now)}
    today = Period.day_of(now).start
    gathered: dict[date, list[Bucket]] = {}
    for period, bucket in counts.items():
        if period.span is Span.DAY:
            gathered.setdefault(min(period.start, today).date(), []).append(bucket)
    tallies |= {
        day: total_of(merge_all(buckets)) for day, buckets in gathered.items() if day in tallies
    }
    return [
        DayStatus(
            date=day.isoformat(),
            total=tally.total,
            success=tally.success,
            errors=tally.errors,
            success_rate=success_rate(tally.success, tally.total),
            no_data=tally.total == 0,
        )
        for day, tally in tallies.items()
    ]


def periods_of_page(counts: Mapping[Period, Bucket], now: datetime) -> list[PeriodStatus]:
    return [_period(counts, now, days) for days in PERIODS]


def _period(counts: Mapping[Period, Bucket], now: datetime, days: int) -> PeriodStatus:
    tally = total_of(_days_merged(counts, Period.day_of(now).start - (days - 1) * _ONE_DAY))
    return PeriodStatus(
        period_days=days,
        total=tally.total,
        success=tally.success,
        errors=tally.errors,
        success_rate=success_rate(tally.success, tally.total),
        no_data=tally.total == 0,
        p50_ms=latency_of(tally).p50_ms,
    )


def types_of(counts: Mapping[Period, Bucket], now: datetime) -> list[TypeStatus]:
    """The types that have events, most events first."""
    by_type = _days_merged(counts, _first_day(now)).by_type
    found = [
        TypeStatus(
            integration_type=kind,
            total=tally.total,
            success=tally.success,
            errors=tally.errors,
            success_rate=success_rate(tally.success, tally.total),
        )
        for kind, tally in by_type.items()
        if tally.total
    ]
    return sorted(found, key=lambda one: (-one.total, one.integration_type))


def shown_connections(connections: Iterable[ConnectionHealth]) -> list[ShownConnection]:
    """Drafts are not in service: they are left out."""
    return [
        ShownConnection(name=one.name, state=_connection_state(one))
        for one in connections
        if one.lifecycle is not Lifecycle.DRAFT
    ]


def _connection_state(one: ConnectionHealth) -> ConnectionState:
    if one.lifecycle is not Lifecycle.ACTIVE:
        return ConnectionState.PAUSED
    if one.status in (HealthStatus.ERROR, HealthStatus.DISCONNECTED):
        return ConnectionState.FAILING
    if one.status is HealthStatus.UNKNOWN or one.stale:
        return ConnectionState.UNKNOWN
    return ConnectionState.WORKING


def shown_alerts(alerts: Sequence[Alert], *, with_names: bool) -> list[ShownAlert]:
    """`with_names` is whether the names of connections are shown."""
    return [
        ShownAlert(
            summary=_summary(alert, with_names=with_names),
            severity=alert.severity.value,
            since=alert.fired_at or alert.opened_at,
        )
        for alert in alerts
    ]


def _summary(alert: Alert, *, with_names: bool) -> str:
    said = _SUMMARIES[alert.condition]
    match alert.subject.kind:
        case SubjectKind.SPACE:
            return said
        case SubjectKind.INTEGRATION_TYPE:
            return f"{said}: {alert.subject.id.replace('_', ' ')}"
        case SubjectKind.CONNECTION if with_names and alert.subject.name:
            return f"{said}: {alert.subject.name}"
        case SubjectKind.CONNECTION:
            return said if alert.condition == "connection_down" else f"{said}: a connection"


def _days_merged(counts: Mapping[Period, Bucket], start: datetime) -> Bucket:
    return merge_all(
        bucket
        for period, bucket in counts.items()
        if period.span is Span.DAY and period.start >= start
    )


def _first_day(now: datetime) -> datetime:
    return Period.day_of(now).start - (DAYS - 1) * _ONE_DAY


def _dates(now: datetime) -> Iterable[date]:
    first = _first_day(now).date()
    return (first + number * _ONE_DAY for number in range(DAYS))
