"""What an evaluation reads of one space: each thing once, and only if a rule asks for it.

Windows of an hour or more come from hour and day buckets, as in the health summary; those of up to
a day all from one read of hours. Shorter windows and everything about one connection come from
single events, of which the newest 2,000 are read. Whether the space is paused, and since when it is
not, is read when something would change.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
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
from patchbay.alerts.conditions import (
    AlertSubject,
    ConnectionDown,
    Stale,
    SubjectKind,
    SuccessRate,
)
from patchbay.alerts.model import (
    AlertedConnection,
    AlertedSubject,
    AlertResolution,
    AlertWords,
)
from patchbay.alerts.predictions import EventTimes, next_hour, rate_may_break_at
from patchbay.alerts.rule_model import AlertRule
from patchbay.alerts.schedule import horizon
from patchbay.alerts.state_machine import AlertPhase, ConditionStatus, TrackedSubject
from patchbay.connections.connection_summaries import ConnectionStatus, ConnectionSummaries
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.lifecycle import Lifecycle
from patchbay.health.buckets import Bucket, Tally, merge_all, total_of
from patchbay.health.model import EventOutline, EventStatus, IntegrationType
from patchbay.health.monitor_runs import EventOutlines
from patchbay.health.periods import Period
from patchbay.health.store import EventStore
from patchbay.platform.clock import floor_to_hour
from patchbay.tenancy.model import Organization, Space

MAX_EVENTS_READ: Final = 2000
"""Of one space in one evaluation: usually 0.5 MB, which costs some 125 read units."""

LOOK_BACK: Final = timedelta(days=30)
"""How far back the last success of a space or type, and the types of a space, are searched."""

_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
"""Since when a space has been active that never paused."""

ONE_HOUR: Final = timedelta(hours=1)
ONE_DAY: Final = timedelta(days=1)
_WHY_UNWATCHED: Final = {
    Lifecycle.DRAFT: AlertResolution.SUBJECT_PAUSED,
    Lifecycle.PAUSED: AlertResolution.SUBJECT_PAUSED,
    Lifecycle.DISABLED: AlertResolution.SUBJECT_DISABLED,
}
"""Connections that no rule watches, and why an alert about one ends."""


class Tenant:
    """A space and its organization, read when something first asks for them.

    `read` returns both. It may raise: then the space is gone.
    """

    def __init__(self, space_id: str, read: Callable[[], tuple[Space, Organization]]) -> None:
        self.space_id = space_id
        self._read = read

    @property
    def space(self) -> Space:
        return self._both[0]

    @property
    def paused(self) -> bool:
        return any(one.paused for one in self._both)

    @property
    def resumed(self) -> list[datetime]:
        """The ends of their last pauses."""
        return [one.resumed_at for one in self._both if one.resumed_at]

    @cached_property
    def _both(self) -> tuple[Space, Organization]:
        return self._read()


class SpaceSnapshot:
    """One space at one moment, read when a rule first asks for it."""

    def __init__(
        self,
        connections: ConnectionSummaries,
        events: EventStore,
        tenant: Tenant,
        rules: Sequence[AlertRule],
        now: datetime,
        api_url: str,
    ) -> None:
        self._connection_reader = connections
        self._events = events
        self._tenant = tenant
        self._space_id = tenant.space_id
        self._api_url = api_url
        self._now = now
        self._event_window = max(map(_event_window, rules), default=timedelta(0))
        windows = [window for rule in rules for window in _hour_windows(rule)]
        self._hours_from = floor_to_hour(now - max(windows, default=timedelta(0)))
        self._hours: dict[Period, Bucket] | None = None
        self._merged: dict[datetime, Bucket] = {}
        self._recent: EventOutlines | None = None
        self._recent_of: dict[str, list[EventOutline]] = {}
        self._times: dict[str, EventTimes] = {}
        self._connections: dict[str, ConnectionStatus] | None = None
        self._failing: dict[str, ConnectionStatus] | None = None
        self._read: dict[str, ConnectionStatus | None] = {}
        self._stale_at: dict[tuple[str, str], datetime] = {}

    def subjects(self, rule: AlertRule, tracked: Iterable[TrackedSubject]) -> list[AlertSubject]:
        """The subjects of a rule whose state may change.

        For `connection_down` over all connections, these are the failing connections and those with
        an open alert. All others stay as they are.
        """
        condition = rule.condition
        if condition.connection_id is not None:
            found = self._connection(rule, condition.connection_id)
            return [] if found is None else [_connection_subject(found)]
        if isinstance(condition, ConnectionDown):
            maybe_down = self._maybe_down(rule, tracked)
            return [_connection_subject(one) for one in maybe_down.values()]
        if condition.of_connections:
            return [_connection_subject(c) for c in self._all_connections().values()]
        if condition.integration_type is not None:
            return [_type_subject(condition.integration_type)]
        if condition.per is SubjectKind.INTEGRATION_TYPE:
            # One that has been silent for longer than that is not gone while its alert is open.
            named = {subject.id for subject in _open_types(tracked)}
            kinds = {*self._since(LOOK_BACK).by_type, *map(IntegrationType, named)}
            return [_type_subject(kind) for kind in sorted(kinds)]
        return [AlertSubject(kind=SubjectKind.SPACE, id=self._space_id)]

    def evaluate(self, rule: AlertRule, subject: AlertSubject, *, firing: bool) -> ConditionResult:
        """Judges the condition of a rule for one subject. `firing` is whether its alert fires."""
        match rule.condition:
            case SuccessRate() as condition:
                short = self._counts(subject, condition.short_window)
                long = self._counts(subject, condition.long_window)
                return evaluate_success_rate(condition, short, long, firing=firing)
            case Stale() as condition:
                return self._staleness(rule, condition, subject, firing=firing)
            case ConnectionDown():
                return evaluate_connection(self._health(rule, subject))

    def may_change_at(self, rule: AlertRule, subjects: Iterable[AlertSubject]) -> datetime | None:
        """The earliest moment at which time alone may breach the condition of a rule.

        `subjects` are those without an open alert, which were evaluated before.
        """
        match rule.condition:
            case SuccessRate() as condition:
                moments = [self._rate_may_break_at(condition, one) for one in subjects]
            case Stale() as condition:
                # A subject that appears from now on has its whole time.
                moments = [self._now + condition.after]
                moments += [self._stale_at[rule.id, one.key()] for one in subjects]
            case ConnectionDown():
                moments = []
        return min((moment for moment in moments if moment is not None), default=None)

    def in_words(
        self, rule: AlertRule, subject: AlertSubject, summary: str, *, ended: bool = False
    ) -> AlertWords:
        """What a message says of a subject. `ended` is for the end of an alert without a recovery.

        Of a connection it reads the item and that of its source, so it is called for what is sent.
        """
        if subject.kind is not SubjectKind.CONNECTION:
            own = subject.kind is SubjectKind.SPACE
            name = self._tenant.space.name if own else subject.id
            named = AlertedSubject(kind=subject.kind, id=subject.id, name=name)
            return AlertWords(named, summary, self._alerts_url)
        found = self._connection_reader.described(rule.organization_id, self._space_id, subject.id)
        if found is None:
            named = AlertedSubject(kind=subject.kind, id=subject.id)
            return AlertWords(named, summary, self._alerts_url)
        named = AlertedSubject(
            kind=subject.kind,
            id=subject.id,
            name=found.name,
            external_account_id=found.external_account_id,
        )
        connection = AlertedConnection(
            status=found.status,
            error_code=found.error_code,
            error_message=found.error_message,
            required_action=found.required_action,
        )
        said = f"{found.name}: {summary}"
        if found.error_code and not ended:
            said += f" {found.error_code}: {found.error_message or 'no message'}"
        return AlertWords(named, said, self._alerts_url, connection)

    def why_gone(self, rule: AlertRule, subject: AlertSubject) -> AlertResolution:
        """Why a rule no longer has a subject that it tracks."""
        if subject.kind is not SubjectKind.CONNECTION:
            return AlertResolution.SUBJECT_GONE
        found = self._connection_reader.one(rule.organization_id, self._space_id, subject.id)
        if found is None:
            return AlertResolution.SUBJECT_GONE
        return _WHY_UNWATCHED.get(found.lifecycle, AlertResolution.SUBJECT_GONE)

    @property
    def _alerts_url(self) -> str:
        return f"{self._api_url}/spaces/{self._tenant.space.slug}/alerts"

    def _staleness(
        self, rule: AlertRule, condition: Stale, subject: AlertSubject, *, firing: bool
    ) -> ConditionResult:
        success = self._last_success(rule, subject, condition.after)
        watch = WatchTimes(rule.watching_since, _ALWAYS)
        result = evaluate_staleness(condition, success, watch, self._now)
        if result.status is ConditionStatus.BREACH and not firing:
            watch = replace(watch, active_since=self._expected_since(rule, subject))
            result = evaluate_staleness(condition, success, watch, self._now)
        base = max(success.at or watch.since, watch.active_since)
        self._stale_at[rule.id, subject.key()] = base + condition.after
        return result

    def _rate_may_break_at(self, condition: SuccessRate, subject: AlertSubject) -> datetime | None:
        """As `rate_may_break_at`, up to the next look at the space."""
        until = horizon(self._now)
        windows = (condition.short_window, condition.long_window)
        exact = [window for window in windows if _is_exact(subject, window)]
        if exact and self._outlines().cut_at is not None:
            return self._now  # how far back the events go changes with each one
        moments = [
            moment
            for window in exact
            for moment in self._times_of(subject).successes_leave(window, self._now, until)
        ]
        if len(exact) < len(windows) and next_hour(self._now) <= until:
            moments.append(next_hour(self._now))

        def counts_at(moment: datetime) -> tuple[WindowCounts, WindowCounts]:
            short, long = (self._counts_at(subject, window, moment) for window in windows)
            return short, long

        return rate_may_break_at(condition, counts_at, moments, self._now)

    def _health(self, rule: AlertRule, subject: AlertSubject) -> HealthStatus:
        found = None
        if rule.condition.connection_id is None and subject.id not in self._read:
            found = self._failing_connections().get(subject.id)
        found = found or self._connection(rule, subject.id)
        return found.status if found else HealthStatus.UNKNOWN

    def _expected_since(self, rule: AlertRule, subject: AlertSubject) -> datetime:
        """Since when a success of the subject may be expected."""
        found = None
        if subject.kind is SubjectKind.CONNECTION:
            found = self._connection(rule, subject.id)
        active_since = max(self._tenant.resumed, default=_ALWAYS)
        if found is None or found.watched_since is None:
            return active_since
        return max(active_since, found.watched_since)

    def _maybe_down(
        self, rule: AlertRule, tracked: Iterable[TrackedSubject]
    ) -> dict[str, ConnectionStatus]:
        """The failing connections, and those whose alert is open.

        The index may lag behind the table, and differ from read to read, so it may still hold a
        connection that has recovered. An alert must not open because of that: unless its alert
        already fires, a connection is read from the table.
        """
        failing = self._failing_connections()
        opened = {one.subject.id: one.state.phase for one in tracked if one.state.is_open}
        known = {id_: one for id_, one in failing.items() if opened.get(id_) is AlertPhase.FIRING}
        return known | self._looked_up(rule, [id_ for id_ in failing | opened if id_ not in known])

    def _counts(self, subject: AlertSubject, window: timedelta) -> WindowCounts:
        return self._counts_at(subject, window, self._now)

    def _counts_at(
        self, subject: AlertSubject, window: timedelta, moment: datetime
    ) -> WindowCounts:
        """The counts in a window that ends at a moment, now or later, if nothing arrives."""
        if _is_exact(subject, window):
            return self._times_of(subject).since(moment - window)
        tally = tally_of(self._from_hour(floor_to_hour(moment - window)), subject)
        return WindowCounts(tally.success, tally.errors)

    def _times_of(self, subject: AlertSubject) -> EventTimes:
        key = subject.key()
        if key not in self._times:
            events = self._newest_events_of(subject)
            self._times[key] = EventTimes(e for e in events if _concerns(subject, e))
        return self._times[key]

    def _last_success(
        self, rule: AlertRule, subject: AlertSubject, after: timedelta
    ) -> LastSuccess:
        if subject.kind is SubjectKind.CONNECTION:
            return self._last_success_of_connection(rule, subject, after)
        # A recent success is found in what is read anyway.
        for start in (self._hours_from, self._start(after), self._start(LOOK_BACK)):
            last = tally_of(self._from_hour(start), subject).last_success_at
            if last is not None and self._now - last <= after:
                return LastSuccess(last)
        return LastSuccess(last, complete=not may_hide_successes(self._since(after), subject))

    def _last_success_of_connection(
        self, rule: AlertRule, subject: AlertSubject, after: timedelta
    ) -> LastSuccess:
        start = self._now - after
        own = [e for e in self._newest_events_of(subject) if e.occurred_at >= start]
        successes = [
            event.occurred_at
            for event in own
            if event.status is EventStatus.SUCCESS and not event.platform_fault
        ]
        found = self._connection(rule, subject.id)
        if found and found.last_success_at:
            successes.append(found.last_success_at)
        faultless = not any(event.platform_fault for event in own)
        return LastSuccess(max(successes, default=None), complete=faultless)

    def _since(self, window: timedelta) -> Bucket:
        """All counts of the window, which begins on the hour."""
        return self._from_hour(self._start(window))

    def _start(self, window: timedelta) -> datetime:
        return floor_to_hour(self._now - window)

    def _from_hour(self, start: datetime) -> Bucket:
        if start not in self._merged:
            if start >= self._hours_from:
                hours = self._all_hours().items()
                buckets = [bucket for hour, bucket in hours if hour.start >= start]
            else:
                buckets = self._events.buckets_since(self._space_id, start)
            self._merged[start] = merge_all(buckets)
        return self._merged[start]

    def _all_hours(self) -> dict[Period, Bucket]:
        """The hours of all windows that are read by hours."""
        if self._hours is None:
            self._hours = self._events.counts_since(self._space_id, self._hours_from, hourly=True)
        return self._hours

    def _outlines(self) -> EventOutlines:
        if self._recent is None:
            since = self._now - self._event_window
            self._recent = self._events.newest_outlines(
                self._space_id, since, self._now, MAX_EVENTS_READ
            )
        return self._recent

    def _newest_events_of(self, subject: AlertSubject) -> list[EventOutline]:
        """The events of a connection, or all events for any other subject."""
        newest = self._outlines().items
        if subject.kind is not SubjectKind.CONNECTION:
            return newest
        if not self._recent_of:
            # Grouped once: a space may have thousands of connections.
            for event in newest:
                if event.connection_id is not None:
                    self._recent_of.setdefault(event.connection_id, []).append(event)
        return self._recent_of.get(subject.id, [])

    def _all_connections(self) -> dict[str, ConnectionStatus]:
        if self._connections is None:
            found = self._connection_reader.of_space(self._space_id)
            self._connections = {c.id: c for c in found if c.lifecycle not in _WHY_UNWATCHED}
        return self._connections

    def _failing_connections(self) -> dict[str, ConnectionStatus]:
        if self._failing is None:
            found = self._connection_reader.failing(self._space_id)
            self._failing = {c.id: c for c in found if c.lifecycle not in _WHY_UNWATCHED}
        return self._failing

    def _connection(self, rule: AlertRule, connection_id: str) -> ConnectionStatus | None:
        if self._connections is not None:
            return self._connections.get(connection_id)
        return self._looked_up(rule, [connection_id]).get(connection_id)

    def _looked_up(self, rule: AlertRule, ids: Sequence[str]) -> dict[str, ConnectionStatus]:
        """Those of the connections that are watched. Each is read once, and all of them together:
        after an outage they may be many."""
        unread = [one for one in dict.fromkeys(ids) if one not in self._read]
        if unread:
            found = self._connection_reader.by_id(rule.organization_id, self._space_id, unread)
            for one in unread:
                connection = found.get(one)
                watched = connection is not None and connection.lifecycle not in _WHY_UNWATCHED
                self._read[one] = connection if watched else None
        return {one: connection for one in ids if (connection := self._read[one])}


def _open_types(tracked: Iterable[TrackedSubject]) -> Iterable[AlertSubject]:
    return (
        one.subject
        for one in tracked
        if one.state.is_open and one.subject.kind is SubjectKind.INTEGRATION_TYPE
    )


def tally_of(bucket: Bucket, subject: AlertSubject) -> Tally:
    """The counts of a space or a type in a bucket."""
    if subject.kind is SubjectKind.SPACE:
        return total_of(bucket)
    return bucket.by_type.get(IntegrationType(subject.id), Tally())


def may_hide_successes(bucket: Bucket, subject: AlertSubject) -> bool:
    """Whether successes of a subject may be missing because our own tests had platform faults."""
    tested = subject.kind is SubjectKind.SPACE or subject.id == IntegrationType.CONNECTION_TEST
    return tested and bucket.platform_faults > 0


def _event_window(rule: AlertRule) -> timedelta:
    """How far back a rule needs single events."""
    match rule.condition:
        case SuccessRate() as condition:
            windows = (condition.short_window, condition.long_window)
            if condition.of_connections:
                return max(windows)
            return max((w for w in windows if w < ONE_HOUR), default=timedelta(0))
        case Stale() as condition if condition.of_connections:
            return condition.after
        case _:
            return timedelta(0)


def _hour_windows(rule: AlertRule) -> list[timedelta]:
    """The windows of a rule that are read by hours: others have days, or single events."""
    condition = rule.condition
    if isinstance(condition, ConnectionDown) or condition.of_connections:
        return []
    if isinstance(condition, Stale):
        return [min(condition.after, ONE_HOUR)]
    windows = (condition.short_window, condition.long_window)
    return [window for window in windows if ONE_HOUR <= window <= ONE_DAY]


def _is_exact(subject: AlertSubject, window: timedelta) -> bool:
    """Whether a window is judged by single events."""
    return subject.kind is SubjectKind.CONNECTION or window < ONE_HOUR


def _concerns(subject: AlertSubject, event: EventOutline) -> bool:
    match subject.kind:
        case SubjectKind.SPACE:
            return True
        case SubjectKind.INTEGRATION_TYPE:
            return event.integration_type == subject.id
        case SubjectKind.CONNECTION:
            return event.connection_id == subject.id


def _connection_subject(connection: ConnectionStatus) -> AlertSubject:
    return AlertSubject(kind=SubjectKind.CONNECTION, id=connection.id)


def _type_subject(kind: IntegrationType) -> AlertSubject:
    return AlertSubject(kind=SubjectKind.INTEGRATION_TYPE, id=kind.value)
