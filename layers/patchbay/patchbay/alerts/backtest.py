"""When a rule would have fired: the same decision, made at the end of each hour of the past.

Spaces and types are judged by their hour buckets. Buckets do not count by connection, so for
connections the newest single events of the space are folded into hours.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

from patchbay.alerts.condition_results import (
    ConditionResult,
    LastSuccess,
    WatchTimes,
    WindowCounts,
    evaluate_connection,
    evaluate_staleness,
    evaluate_success_rate,
)
from patchbay.alerts.conditions import AlertSubject, ConnectionDown, Stale, SubjectKind, SuccessRate
from patchbay.alerts.model import Backtest, BacktestFiring, BacktestRequest, NoticeKind
from patchbay.alerts.rule_editor import RuleEditor
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.space_snapshot import ONE_HOUR, may_hide_successes, tally_of
from patchbay.alerts.state_machine import AlertPhase, RuleTiming, SubjectState, decide
from patchbay.connections.health_status import HealthStatus
from patchbay.health.buckets import Bucket
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.clock import floor_to_hour, to_text
from patchbay.tenancy.model import Space

MAX_EVENTS_READ: Final = 10_000
MAX_FIRINGS: Final = 500
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


class _RunningCounts:
    """Counts of any run of hours in constant time."""

    def __init__(self, hours: Sequence[SubjectHour]) -> None:
        self._success = [0, *accumulate(hour.success for hour in hours)]
        self._errors = [0, *accumulate(hour.errors for hour in hours)]
        self._faulty = [0, *accumulate(hour.faulty for hour in hours)]

    def counts(self, end: int, window: timedelta) -> WindowCounts:
        first = max(0, end - _hours(window))
        return WindowCounts(
            self._success[end] - self._success[first], self._errors[end] - self._errors[first]
        )

    def faulty(self, end: int, window: timedelta) -> bool:
        return self._faulty[end] > self._faulty[max(0, end - _hours(window))]


class Backtester:
    """The use case: a rule that is valid in a space, over the events of that space."""

    def __init__(self, rules: RuleEditor, events: EventStore) -> None:
        self._rules = rules
        self._events = events

    def run(self, space: Space, request: BacktestRequest, now: datetime) -> Backtest:
        """Raises `InvalidInput` for a rule that a create would refuse."""
        self._rules.require_valid(space, request.rule)
        history = read_history(request.rule, self._events, space.id, now, request.days)
        return backtest(request.rule, history, request.days)


def read_history(
    rule: NewAlertRule, events: EventStore, space_id: str, now: datetime, days: int
) -> HourlyHistory:
    """Reads the hours that a rule would have looked at, including windows before the first day."""
    start = floor_to_hour(now) - timedelta(days=days) - _lead(rule)
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
            hour.last_success_at = _later(hour.last_success_at, tally.last_success_at)
            hour.faulty = hour.faulty or may_hide_successes(bucket, subject)
    return HourlyHistory(start, hours)


def backtest(rule: NewAlertRule, history: HourlyHistory, days: int) -> Backtest:
    """The alerts that a rule would have raised, oldest first. Pure."""
    lead = _lead(rule) // ONE_HOUR
    since = history.start + _lead(rule)
    firings: list[BacktestFiring] = []
    for subject, hours in history.hours.items():
        firings += _firings(rule, subject, hours, history.start, lead)
    firings.sort(key=lambda firing: (firing.fired_at, firing.subject.key()))
    notes = [*history.notes, *_notes(rule)]
    if len(firings) > MAX_FIRINGS:
        notes.append(
            f"It would have fired {len(firings)} times; the first {MAX_FIRINGS} are listed."
        )
    return Backtest(
        since=since,
        until=since + timedelta(days=days),
        resolution_seconds=int(ONE_HOUR.total_seconds()),
        subjects=len(history.hours),
        firings=firings[:MAX_FIRINGS],
        notes=notes,
    )


def _firings(
    rule: NewAlertRule,
    subject: AlertSubject,
    hours: Sequence[SubjectHour],
    start: datetime,
    lead: int,
) -> list[BacktestFiring]:
    timing, state = RuleTiming.of(rule), SubjectState()
    counter = _RunningCounts(hours)
    found: list[BacktestFiring] = []
    last_success: datetime | None = None
    status = HealthStatus.UNKNOWN
    opened_at = start
    for position, hour in enumerate(hours):
        last_success = _later(last_success, hour.last_success_at)
        status = hour.tested or status
        if position < lead:
            continue
        end = position + 1
        now = start + end * ONE_HOUR
        result = _judged(
            rule,
            counter,
            end,
            last_success,
            status,
            start,
            now,
            firing=state.phase is AlertPhase.FIRING,
        )
        transition = decide(timing, state, result.status, now)
        if transition.state.is_open and not state.is_open:
            opened_at = now
        if transition.notice is NoticeKind.FIRING:
            found.append(
                BacktestFiring(
                    subject=subject,
                    opened_at=opened_at,
                    fired_at=now,
                    resolved_at=None,
                    reminders=0,
                    summary=result.summary,
                )
            )
        elif transition.notice is not None:
            change: dict[str, object] = {"reminders": transition.state.reminders}
            if transition.notice is NoticeKind.RESOLVED:
                change = {"resolved_at": now}
            found[-1] = found[-1].model_copy(update=change)
        state = transition.state
    return found


def _judged(
    rule: NewAlertRule,
    counter: _RunningCounts,
    end: int,
    last_success: datetime | None,
    status: HealthStatus,
    start: datetime,
    now: datetime,
    *,
    firing: bool,
) -> ConditionResult:
    match rule.condition:
        case SuccessRate() as condition:
            short = counter.counts(end, condition.short_window)
            long = counter.counts(end, condition.long_window)
            return evaluate_success_rate(condition, short, long, firing=firing)
        case Stale() as condition:
            success = LastSuccess(last_success, complete=not counter.faulty(end, condition.after))
            return evaluate_staleness(condition, success, WatchTimes(start, start), now)
        case ConnectionDown():
            return evaluate_connection(status)


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
            hour.last_success_at = _later(hour.last_success_at, event.occurred_at)
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


def _lead(rule: NewAlertRule) -> timedelta:
    """How far the windows reach back before the first hour that is judged."""
    match rule.condition:
        case SuccessRate() as condition:
            return max(condition.long_window, ONE_HOUR)
        case Stale() as condition:
            return _hours(condition.after) * ONE_HOUR
        case ConnectionDown():
            return timedelta(hours=_HOURS_A_DAY)


def _notes(rule: NewAlertRule) -> list[str]:
    notes = ["Real evaluations run each minute and also see the unfinished hour."]
    condition = rule.condition
    if isinstance(condition, SuccessRate) and condition.short_window < ONE_HOUR:
        notes.append("Windows of less than an hour were judged as an hour.")
    if isinstance(condition, Stale) and condition.after < ONE_HOUR:
        notes.append("Silence of less than an hour was not seen.")
    if isinstance(condition, ConnectionDown):
        notes.append(
            "The health at the end of each hour is that of the last test: one failure counts."
        )
    return notes


def _hours(window: timedelta) -> int:
    return max(1, -(-window // ONE_HOUR))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)
