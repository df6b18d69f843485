"""When a rule would have fired: the same decision, made at the end of each hour of the past."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from patchbay.alerts.conditions import AlertSubject, ConnectionDown, Stale, SuccessRate
from patchbay.alerts.hourly_history import (
    HourlyHistory,
    SubjectHour,
    hours_in,
    later,
    lead_of,
    read_history,
)
from patchbay.alerts.model import Backtest, BacktestFiring, BacktestRequest, NoticeKind
from patchbay.alerts.rule_editor import RuleEditor
from patchbay.alerts.rule_model import NewAlertRule
from patchbay.alerts.space_snapshot import ONE_HOUR
from patchbay.alerts.state_machine import AlertPhase, RuleTiming, SubjectState, decide
from patchbay.connections.connection_summaries import ConnectionSummaries
from patchbay.connections.health_status import HealthStatus
from patchbay.health.store import EventStore
from patchbay.platform.errors import InvalidInput
from patchbay.platform.ids import new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.tenancy.model import Space

MAX_FIRINGS: Final = 500
MAX_DECISIONS: Final = 50_000
"""Subjects times hours: 65 connections over 30 days. 50,000 decisions take some 0.5 s of CPU."""

_TO_RESPOND: Final = timedelta(seconds=30)
_NOTHING: Final = SubjectHour()


@dataclass(slots=True)
class _Firing:
    """A `BacktestFiring` while it is found: there may be many more than are listed."""

    subject: AlertSubject
    subject_key: str
    opened_at: datetime
    fired_at: datetime
    summary: str
    resolved_at: datetime | None = None
    reminders: int = 0

    def order(self) -> tuple[datetime, str]:
        return self.fired_at, self.subject_key


class _RunningCounts:
    """Counts of any run of hours in constant time."""

    def __init__(self, hours: Sequence[SubjectHour]) -> None:
        self._success = [0, *accumulate(hour.success for hour in hours)]
        self._errors = [0, *accumulate(hour.errors for hour in hours)]
        self._faulty = [0, *accumulate(hour.faulty for hour in hours)]

    def counts(self, end: int, window: timedelta) -> WindowCounts:
        first = max(0, end - hours_in(window))
        return WindowCounts(
            self._success[end] - self._success[first], self._errors[end] - self._errors[first]
        )

    def faulty(self, end: int, window: timedelta) -> bool:
        return self._faulty[end] > self._faulty[max(0, end - hours_in(window))]


class Backtester:
    """Tries rules on the past events of a space."""

    def __init__(
        self,
        rules: RuleEditor,
        events: EventStore,
        connections: ConnectionSummaries,
        limiter: Limiter,
        limit: Limit,
    ) -> None:
        self._rules = rules
        self._events = events
        self._connections = connections
        self._limiter = limiter
        self._limit = limit

    def run(self, space: Space, request: BacktestRequest, now: datetime) -> Backtest:
        """Counts as a test of the organization.

        Raises `InvalidInput` if a create would refuse the rule, or if there is too much to decide,
        and `RateLimited`.
        """
        self._rules.require_valid(space, request.rule)
        organization_id, token = space.organization_id, new_id("tst", now)
        with self._limiter.held(organization_id, token, self._limit, now, _TO_RESPOND):
            history = read_history(
                request.rule, self._events, self._connections, space.id, now, request.days
            )
            return backtest(request.rule, history)


def backtest(rule: NewAlertRule, history: HourlyHistory) -> Backtest:
    """The alerts that a rule would have raised, oldest first. Pure.

    Raises `InvalidInput` if there is too much to decide.
    """
    first = min(max(lead_of(rule) // ONE_HOUR, history.complete_from), history.length)
    _require_affordable(len(history.hours), history.length - first)
    firings: list[_Firing] = []
    total = 0
    for subject, known in history.hours.items():
        hours = [known.get(position, _NOTHING) for position in range(history.length)]
        own = _firings(rule, subject, hours, history.start, first)
        total += len(own)
        firings = sorted([*firings, *own], key=_Firing.order)[:MAX_FIRINGS]
    notes = [*history.notes, *_notes(rule)]
    if total > MAX_FIRINGS:
        notes.append(f"It would have fired {total} times; the first {MAX_FIRINGS} are listed.")
    return Backtest(
        since=history.start + first * ONE_HOUR,
        until=history.start + history.length * ONE_HOUR,
        resolution_seconds=int(ONE_HOUR.total_seconds()),
        subjects=len(history.hours),
        firings=[BacktestFiring.model_validate(one, from_attributes=True) for one in firings],
        notes=notes,
    )


def _require_affordable(subjects: int, hours: int) -> None:
    if subjects * hours > MAX_DECISIONS:
        raise InvalidInput.at(
            "/days",
            f"must be less: {subjects} connections over {hours} hours are more than "
            f"{MAX_DECISIONS} decisions. Or try the rule on one connection_id.",
        )


def _firings(
    rule: NewAlertRule,
    subject: AlertSubject,
    hours: Sequence[SubjectHour],
    start: datetime,
    first: int,
) -> list[_Firing]:
    timing, state = RuleTiming.of(rule), SubjectState()
    counter = _RunningCounts(hours)
    found: list[_Firing] = []
    last_success: datetime | None = None
    status = HealthStatus.UNKNOWN
    opened_at = start
    for position, hour in enumerate(hours):
        last_success = later(last_success, hour.last_success_at)
        status = hour.tested or status
        if position < first:
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
            found.append(_Firing(subject, subject.key(), opened_at, now, result.summary))
        elif transition.notice is NoticeKind.RESOLVED:
            found[-1].resolved_at = now
        elif transition.notice is not None:
            found[-1].reminders = transition.state.reminders
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
