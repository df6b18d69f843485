"""What an evaluation reads of one space: each thing once, and only if a rule asks for it.

Windows of an hour and more come from hour and day buckets, as the health summary does; shorter ones
and everything about one connection from single events, of which the newest 2,000 are read.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import reduce
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
from patchbay.alerts.keys import TrackedSubject
from patchbay.alerts.model import (
    AlertRule,
    AlertSubject,
    ConnectionDown,
    Stale,
    SubjectKind,
    SuccessRate,
)
from patchbay.alerts.state_machine import AlertPhase
from patchbay.alerts.store import AlertStore, WatchedConnection
from patchbay.connections.health_status import HealthStatus
from patchbay.health.buckets import Bucket, Tally, merge, merge_tallies
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.clock import floor_to_hour
from patchbay.tenancy.model import Space

MAX_EVENTS_READ: Final = 2000
"""Of one space and evaluation: about 0.5 MB, which costs some 125 read units."""

LOOK_BACK: Final = timedelta(days=30)
"""How far the last success of a space or type is searched for, and which types a space has."""

ONE_HOUR: Final = timedelta(hours=1)
_UNWATCHED: Final = frozenset({"draft", "paused"})
_UNKNOWN: Final = frozenset({"disabled"})


class SpaceSnapshot:
    """Of one space at one moment."""

    def __init__(
        self,
        store: AlertStore,
        events: EventStore,
        space: Space,
        rules: Sequence[AlertRule],
        now: datetime,
    ) -> None:
        self._store = store
        self._events = events
        self._space_id = space.id
        self._awake_since = space.updated_at
        self._now = now
        self._event_window = max(map(_event_window, rules), default=timedelta(0))
        self._merged: dict[datetime, Bucket] = {}
        self._recent: list[Event] | None = None
        self._recent_of: dict[str, list[Event]] = {}
        self._recent_since = now
        self._connections: dict[str, WatchedConnection] | None = None
        self._failing: dict[str, WatchedConnection] | None = None
        self._read: dict[str, WatchedConnection | None] = {}

    def subjects(self, rule: AlertRule, standings: Iterable[TrackedSubject]) -> list[AlertSubject]:
        """What a rule watches now, as far as it may have something to say of it.

        Of all connections, these are the failing ones and those with an open alert: whoever is
        neither stays as it is.
        """
        condition = rule.condition
        if condition.connection_id is not None:
            found = self._connection(rule, condition.connection_id)
            return [] if found is None else [_connection_subject(found)]
        if isinstance(condition, ConnectionDown):
            watched = self._maybe_down(rule, standings)
            return [_connection_subject(one) for one in watched.values()]
        if condition.of_connections:
            return [_connection_subject(c) for c in self._all_connections().values()]
        if condition.integration_type is not None:
            return [_type_subject(condition.integration_type)]
        if condition.per is SubjectKind.INTEGRATION_TYPE:
            return [_type_subject(kind) for kind in sorted(self._since(LOOK_BACK).by_type)]
        return [AlertSubject(kind=SubjectKind.SPACE, id=self._space_id)]

    def observe(self, rule: AlertRule, subject: AlertSubject, *, firing: bool) -> ConditionResult:
        match rule.condition:
            case SuccessRate() as condition:
                short = self._counts(subject, condition.short_window)
                long = self._counts(subject, condition.long_window)
                return evaluate_success_rate(condition, short, long, firing=firing)
            case Stale() as condition:
                activity = self._activity(rule, subject, condition.after)
                watched = WatchTimes(rule.watching_since, self._awake_since)
                return evaluate_staleness(condition, activity, watched, self._now)
            case ConnectionDown():
                found = None
                if rule.condition.connection_id is None and subject.id not in self._read:
                    found = self._failing_connections().get(subject.id)
                found = found or self._connection(rule, subject.id)
                disabled = found is None or found.lifecycle in _UNKNOWN
                return evaluate_connection(
                    HealthStatus.UNKNOWN if found is None or disabled else found.status
                )

    def _maybe_down(
        self, rule: AlertRule, standings: Iterable[TrackedSubject]
    ) -> dict[str, WatchedConnection]:
        """The connections that fail, and those whose alert is open.

        The index may lag behind, and be read at another place each time: a connection that has
        recovered may be in it again. Nobody is told of that, for what does not fire yet is read
        from the table.
        """
        failing = self._failing_connections()
        opened = {s.subject.id: s.state.phase for s in standings if s.state.is_open}
        known = {
            id_: one
            for id_, one in failing.items()
            if opened.get(id_) is AlertPhase.FIRING or one.lifecycle in _UNKNOWN
        }
        return known | self._looked_up(rule, [id_ for id_ in failing | opened if id_ not in known])

    def _counts(self, subject: AlertSubject, window: timedelta) -> WindowCounts:
        if subject.kind is SubjectKind.CONNECTION or window < ONE_HOUR:
            start = self._now - window
            return counted(
                event
                for event in self._newest_events_of(subject)
                if event.occurred_at >= start and _concerns(subject, event)
            )
        tally = tally_of(self._since(window), subject)
        return WindowCounts(tally.success, tally.errors)

    def _activity(self, rule: AlertRule, subject: AlertSubject, after: timedelta) -> LastSuccess:
        if subject.kind is SubjectKind.CONNECTION:
            return self._activity_of_connection(rule, subject, after)
        last = tally_of(self._since(LOOK_BACK), subject).last_success_at
        if last is not None and self._now - last <= after:
            return LastSuccess(last)
        return LastSuccess(last, complete=not blames_us(self._since(after), subject))

    def _activity_of_connection(
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
        if found and found.status is HealthStatus.CONNECTED and found.checked_at:
            successes.append(found.checked_at)
        faultless = not any(event.platform_fault for event in own)
        seen = self._recent_since <= start
        return LastSuccess(max(successes, default=None), complete=faultless and seen)

    def _since(self, window: timedelta) -> Bucket:
        """All counts of the window, which begins at a full hour."""
        start = floor_to_hour(self._now - window)
        if start not in self._merged:
            buckets = self._events.buckets_since(self._space_id, start)
            self._merged[start] = reduce(merge, buckets, Bucket())
        return self._merged[start]

    def _newest_events(self) -> list[Event]:
        if self._recent is None:
            since = self._now - self._event_window
            page = self._events.list_events(
                self._space_id, now=self._now, limit=MAX_EVENTS_READ, since=since
            )
            self._recent = page.items
            cut = page.next_start is not None and page.items
            self._recent_since = page.items[-1].occurred_at if cut else since
        return self._recent

    def _newest_events_of(self, subject: AlertSubject) -> list[Event]:
        """Those that may concern a subject: a connection's own, or else all of them."""
        newest = self._newest_events()
        if subject.kind is not SubjectKind.CONNECTION:
            return newest
        if not self._recent_of:
            # Once for all of them: a space may have thousands of connections.
            for event in newest:
                if event.connection_id is not None:
                    self._recent_of.setdefault(event.connection_id, []).append(event)
        return self._recent_of.get(subject.id, [])

    def _all_connections(self) -> dict[str, WatchedConnection]:
        if self._connections is None:
            found = self._store.connections_of(self._space_id)
            self._connections = {c.id: c for c in found if c.lifecycle not in _UNWATCHED}
        return self._connections

    def _failing_connections(self) -> dict[str, WatchedConnection]:
        if self._failing is None:
            found = self._store.failing_connections_of(self._space_id)
            self._failing = {c.id: c for c in found if c.lifecycle not in _UNWATCHED}
        return self._failing

    def _connection(self, rule: AlertRule, connection_id: str) -> WatchedConnection | None:
        if self._connections is not None:
            return self._connections.get(connection_id)
        return self._looked_up(rule, [connection_id]).get(connection_id)

    def _looked_up(self, rule: AlertRule, ids: Sequence[str]) -> dict[str, WatchedConnection]:
        """Those of them that are watched, each read once; after an outage they may be many."""
        unread = [one for one in dict.fromkeys(ids) if one not in self._read]
        if unread:
            found = self._store.connections_by_id(rule.organization_id, self._space_id, unread)
            for one in unread:
                health = found.get(one)
                watched = health is not None and health.lifecycle not in _UNWATCHED
                self._read[one] = health if watched else None
        return {one: health for one in ids if (health := self._read[one])}


def counted(events: Iterable[Event]) -> WindowCounts:
    """Without the tests that failed through us."""
    statuses = [event.status for event in events if not event.platform_fault]
    success = statuses.count(EventStatus.SUCCESS)
    return WindowCounts(success, len(statuses) - success)


def tally_of(bucket: Bucket, subject: AlertSubject) -> Tally:
    """The counts of a space or type in a bucket."""
    if subject.kind is SubjectKind.SPACE:
        return reduce(merge_tallies, bucket.by_type.values(), Tally())
    return bucket.by_type.get(IntegrationType(subject.id), Tally())


def blames_us(bucket: Bucket, subject: AlertSubject) -> bool:
    """Whether the silence of a subject may be ours: its successes can be those of our tests."""
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


def _concerns(subject: AlertSubject, event: Event) -> bool:
    match subject.kind:
        case SubjectKind.SPACE:
            return True
        case SubjectKind.INTEGRATION_TYPE:
            return event.integration_type == subject.id
        case SubjectKind.CONNECTION:
            return event.connection_id == subject.id


def _connection_subject(connection: WatchedConnection) -> AlertSubject:
    return AlertSubject(kind=SubjectKind.CONNECTION, id=connection.id)


def _type_subject(kind: IntegrationType) -> AlertSubject:
    return AlertSubject(kind=SubjectKind.INTEGRATION_TYPE, id=kind.value)
