"""The past of a rule's subjects, hour by hour.

Spaces and types are read from hour buckets. Buckets do not count by connection, so for connections
the newest single events of the space are folded into hours.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.conditions import AlertSubject, ConnectionDown, Stale, SubjectKind, SuccessRate
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.space_snapshot import ONE_HOUR, may_hide_successes, tally_of
from patchbay.connections.health_status import HealthStatus
from patchbay.health.buckets import Bucket
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.clock import floor_to_hour, to_text

MAX_EVENTS_READ: Final = 10_000
_HOURS_A_DAY: Final = 24


@dataclass(slots=True)
class SubjectHour:
    """What a subject did in one hour."""

    success: int = 0
    errors: int = 0
    last_success_at: datetime | None = None
    faulty: bool = False
    tested: HealthStatus | None = None
    """The health that its last test of the hour showed."""


@dataclass(slots=True)
class HourlyHistory:
    """The hours of a rule's subjects from `start`, without gaps. `notes` say what is missing."""

    start: datetime
    hours: dict[AlertSubject, list[SubjectHour]]
    notes: list[str] = field(default_factory=list)


def read_history(
    rule: NewAlertRule, events: EventStore, space_id: str, now: datetime, days: int
) -> HourlyHistory:
    """Reads the hours that a rule would have looked at, including windows before the first day."""
    start = floor_to_hour(now) - timedelta(days=days) - lead_of(rule)
    length = (floor_to_hour(now) - start) // ONE_HOUR
    condition = rule.condition
    if isinstance(condition, ConnectionDown) or condition.of_connections:
        return _history_of_connections(rule, events, space_id, now, start, length)
    counts = events.counts_since(space_id, start, hourly=True)
    buckets = [(period.start, bucket) for period, bucket in counts.items() if period.start < now]
    subjects = _subjects(rule, (bucket for _, bucket in buckets), space_id)
    hours = {subject: [SubjectHour() for _ in range(length)] for subject in subjects}
    for at, bucket in buckets:
        position = (at - start) // ONE_HOUR
        if position >= length:
            continue  # this hour is not over
        for subject in subjects:
            tally = tally_of(bucket, subject)
            hour = hours[subject][position]
            hour.success += tally.success
            hour.errors += tally.errors
            hour.last_success_at = later(hour.last_success_at, tally.last_success_at)
            hour.faulty = hour.faulty or may_hide_successes(bucket, subject)
    return HourlyHistory(start, hours)


def _history_of_connections(
    rule: NewAlertRule,
    events: EventStore,
    space_id: str,
    now: datetime,
    start: datetime,
    length: int,
) -> HourlyHistory:
    only = rule.condition.connection_id
    read = _read_events(events, space_id, now, start, only)
    history = HourlyHistory(start, {})
    if len(read) == MAX_EVENTS_READ:
        reached = to_text(read[-1].occurred_at)
        history.notes.append(f"There were too many events to read those before {reached}.")
    if events.oldest(now) > start:
        kept_since = to_text(events.oldest(now))
        history.notes.append(f"Connections are judged by single events, kept since {kept_since}.")
    hours: dict[str, list[SubjectHour]] = defaultdict(
        lambda: [SubjectHour() for _ in range(length)]
    )
    for event in reversed(read):
        position = (event.occurred_at - start) // ONE_HOUR
        if event.connection_id is None or not 0 <= position < length:
            continue
        hour = hours[event.connection_id][position]
        if event.platform_fault:
            hour.faulty = True
            continue
        passed = event.status is EventStatus.SUCCESS
        hour.success += passed
        hour.errors += not passed
        if passed:
            hour.last_success_at = later(hour.last_success_at, event.occurred_at)
        if event.integration_type is IntegrationType.CONNECTION_TEST:
            hour.tested = HealthStatus.CONNECTED if passed else HealthStatus.ERROR
    history.hours = {
        AlertSubject(kind=SubjectKind.CONNECTION, id=connection_id): own
        for connection_id, own in hours.items()
    }
    return history


def _read_events(
    events: EventStore, space_id: str, now: datetime, start: datetime, only: str | None
) -> list[Event]:
    """The newest events since `start`, newest first, at most 10,000."""
    found: list[Event] = []
    position: Mapping[str, str] | None = None
    while len(found) < MAX_EVENTS_READ:
        page = events.list_events(
            space_id,
            now=now,
            limit=MAX_EVENTS_READ - len(found),
            start=position,
            connection_id=only,
            since=start,
        )
        found += page.items
        position = page.next_start
        if position is None:
            break
    return found


def _subjects(rule: NewAlertRule, buckets: Iterable[Bucket], space_id: str) -> list[AlertSubject]:
    condition = rule.condition
    if isinstance(condition, ConnectionDown):
        return []
    if condition.integration_type is not None:
        return [
            AlertSubject(kind=SubjectKind.INTEGRATION_TYPE, id=condition.integration_type.value)
        ]
    if condition.per is SubjectKind.INTEGRATION_TYPE:
        types = {kind for bucket in buckets for kind in bucket.by_type}
        return [
            AlertSubject(kind=SubjectKind.INTEGRATION_TYPE, id=kind.value) for kind in sorted(types)
        ]
    return [AlertSubject(kind=SubjectKind.SPACE, id=space_id)]


def lead_of(rule: NewAlertRule) -> timedelta:
    """How far the windows reach back before the first hour that is judged."""
    match rule.condition:
        case SuccessRate() as condition:
            return max(condition.long_window, ONE_HOUR)
        case Stale() as condition:
            return hours_in(condition.after) * ONE_HOUR
        case ConnectionDown():
            return timedelta(hours=_HOURS_A_DAY)


def hours_in(window: timedelta) -> int:
    """The hours that a window covers, at least one."""
    return max(1, -(-window // ONE_HOUR))


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two times, either of which may be missing."""
    return max((moment for moment in (one, other) if moment is not None), default=None)
