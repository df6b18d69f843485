"""When a rule would have fired: the same decision, made at the end of each hour of the past."""

from collections.abc import Sequence
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
from patchbay.connections.health_status import HealthStatus
from patchbay.health.store import EventStore
from patchbay.tenancy.model import Space

MAX_FIRINGS: Final = 500


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

    def __init__(self, rules: RuleEditor, events: EventStore) -> None:
        self._rules = rules
        self._events = events

    def run(self, space: Space, request: BacktestRequest, now: datetime) -> Backtest:
        """Raises `InvalidInput` if a create would refuse the rule."""
        self._rules.require_valid(space, request.rule)
        history = read_history(request.rule, self._events, space.id, now, request.days)
        return backtest(request.rule, history, request.days)


def backtest(rule: NewAlertRule, history: HourlyHistory, days: int) -> Backtest:
    """The alerts that a rule would have raised, oldest first. Pure."""
    lead = lead_of(rule) // ONE_HOUR
    since = history.start + lead_of(rule)
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
        last_success = later(last_success, hour.last_success_at)
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
