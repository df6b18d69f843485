"""The past of a rule's subjects, hour by hour.

Spaces and types are read from hour buckets. Buckets do not count by connection, so for connections
the newest single events of the space are folded into hours. An event may name any connection: those
that are not in the space are no subjects.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.conditions import AlertSubject, ConnectionDown, Stale, SubjectKind, SuccessRate
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.space_snapshot import ONE_HOUR, may_hide_successes, tally_of
from patchbay.connections.connection_summaries import ConnectionSummaries
from patchbay.connections.health_status import HealthStatus
from patchbay.health.buckets import Bucket
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.clock import floor_to_hour, to_text
from patchbay.platform.errors import InvalidInput

MAX_EVENTS_READ: Final = 10_000
MAX_SUBJECTS: Final = 1_000
"""The most connections of a space that a rule is tried on at once."""

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
    """The hours of a rule's subjects, by their position: `length` hours from `start`. Those in
    which nothing happened are left out. `complete_from` is the position of the first hour of which
    everything was read. `notes` say what is missing."""

    start: datetime
    length: int
    hours: dict[AlertSubject, dict[int, SubjectHour]]
    complete_from: int = 0
    notes: list[str] = field(default_factory=list)


def read_history(
    rule: NewAlertRule,
    events: EventStore,
    connections: ConnectionSummaries,
    space_id: str,
    now: datetime,
    days: int,
) -> HourlyHistory:
    """Reads the hours that a rule would have looked at, including windows before the first day.

    Raises `InvalidInput` if the rule has too many subjects for that many hours.
    """
    start = floor_to_hour(now) - timedelta(days=days) - lead_of(rule)
    length = (floor_to_hour(now) - start) // ONE_HOUR
    condition = rule.condition
    if isinstance(condition, ConnectionDown) or condition.of_connections:
        subject_ids = _connections_of(condition.connection_id, connections, space_id)
        return _history_of_connections(subject_ids, events, space_id, now, start, length)
    counts = events.counts_since(space_id, start, hourly=True)
    buckets = [(period.start, bucket) for period, bucket in counts.items() if period.start < now]
    subjects = _subjects(rule, (bucket for _, bucket in buckets), space_id)
    hours: dict[AlertSubject, dict[int, SubjectHour]] = {subject: {} for subject in subjects}
    for at, bucket in buckets:
        position = (at - start) // ONE_HOUR
        if position >= length:
            continue  # this hour is not over
        for subject in subjects:
            tally = tally_of(bucket, subject)
            hour = hours[subject].setdefault(position, SubjectHour())
            hour.success += tally.success
            hour.errors += tally.errors
            hour.last_success_at = later(hour.last_success_at, tally.last_success_at)
            hour.faulty = hour.faulty or may_hide_successes(bucket, subject)
    return HourlyHistory(start, length, hours)


def _connections_of(
    only: str | None, connections: ConnectionSummaries, space_id: str
) -> frozenset[str]:
    """The connections that a rule is tried on."""
    if only is not None:
        return frozenset({only})
    found = connections.ids(space_id, MAX_SUBJECTS + 1)
    if len(found) > MAX_SUBJECTS:
        raise InvalidInput.at(
            "/rule/condition",
            f"must have a connection_id in a space of more than {MAX_SUBJECTS} connections",
        )
    return frozenset(found)


def _history_of_connections(
    subject_ids: frozenset[str],
    events: EventStore,
    space_id: str,
    now: datetime,
    start: datetime,
    length: int,
) -> HourlyHistory:
    read = events.newest_outlines(space_id, start, now, MAX_EVENTS_READ)
    history = HourlyHistory(start, length, {})
    if read.cut_at is not None:
        history.complete_from = min(length, (read.cut_at - start) // ONE_HOUR + 1)
        reached = to_text(read.cut_at)
        history.notes.append(f"There were too many events to read those before {reached}.")
    if events.oldest(now) > start:
        kept_since = to_text(events.oldest(now))
        history.notes.append(f"Connections are judged by single events, kept since {kept_since}.")
    hours: defaultdict[str, defaultdict[int, SubjectHour]] = defaultdict(
        lambda: defaultdict(SubjectHour)
    )
    for event in reversed(read.items):
        position = (event.occurred_at - start) // ONE_HOUR
        if event.connection_id not in subject_ids or not 0 <= position < length:
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
