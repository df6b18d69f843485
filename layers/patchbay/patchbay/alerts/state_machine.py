"""The states of an alert, as a pure function of the state before and the status of the condition.

    ok, no_data ──breach──▶ pending ──for──▶ firing ──clear, keep_firing_for──▶ ok
                               │                │
                               └─clear──▶ ok    └─no data──▶ firing (not a recovery)

A state changes only at these edges, so a minute without news writes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from patchbay.alerts.conditions import AlertSubject
from patchbay.alerts.model import NoticeKind
from patchbay.alerts.rule_model import AlertRule, NewAlertRule


class ConditionStatus(StrEnum):
    """Whether a condition is met for a subject."""

    BREACH = "breach"
    CLEAR = "clear"
    NO_DATA = "no_data"


class AlertPhase(StrEnum):
    OK = "ok"
    NO_DATA = "no_data"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class RuleTiming:
    """How long a condition must hold before an alert fires, and be clear before it is resolved.

    `reminder` is the time between two notifications of a firing alert, None for no reminders.
    """

    pending: timedelta
    keep_firing: timedelta
    reminder: timedelta | None

    @classmethod
    def of(cls, rule: AlertRule | NewAlertRule) -> "RuleTiming":
        return cls(
            timedelta(seconds=rule.for_seconds),
            timedelta(seconds=rule.keep_firing_for_seconds),
            timedelta(seconds=rule.reminder_seconds) if rule.reminder_seconds else None,
        )


@dataclass(frozen=True, slots=True)
class SubjectState:
    """The state of one subject of a rule. `since` is when the phase began.

    `clear_since` is since when the condition of a firing alert has been clear, without a break.
    """

    phase: AlertPhase = AlertPhase.OK
    since: datetime | None = None
    clear_since: datetime | None = None
    notified_at: datetime | None = None
    reminders: int = 0
    acknowledged: bool = False

    @property
    def is_open(self) -> bool:
        """Whether there is an alert."""
        return self.phase in (AlertPhase.PENDING, AlertPhase.FIRING)


QUIET: Final = SubjectState()
"""The state of a subject whose condition was never met."""


@dataclass(frozen=True, slots=True)
class TrackedSubject:
    """A subject of a rule and its state, as stored.

    `generation` counts the writes. `alert_id` is the open alert, or the last one; it is empty if
    there was none. `first` has the delivery of its first message to each channel, by channel id;
    None for an alert from before this was stored.
    """

    subject: AlertSubject
    state: SubjectState = QUIET
    generation: int = 0
    alert_id: str = ""
    first: Mapping[str, str] | None = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertTransition:
    """The next state, and the notification to send, if any."""

    state: SubjectState
    notice: NoticeKind | None = None


def decide(
    timing: RuleTiming, state: SubjectState, status: ConditionStatus, now: datetime
) -> AlertTransition:
    """Returns the next state. The same state means that there is nothing to write.

    1. A firing alert whose condition is clear is resolved when it has been clear for `keep_firing`
       without a break. Until then the state keeps the time since when it is clear.
    2. A firing alert whose condition is breached goes on firing, and so does one without data:
       missing data is not a recovery. It sends a reminder when one is due.
    3. A breach opens an alert. It is pending until the condition has been breached for `pending`,
       then it fires.
    4. Any other subject is ok, or has no data. A pending alert ends here without a notification.
    """
    match state.phase, status:
        case AlertPhase.FIRING, ConditionStatus.CLEAR:
            clear_since = state.clear_since or now
            if now - clear_since >= timing.keep_firing:
                return AlertTransition(SubjectState(AlertPhase.OK, now), NoticeKind.RESOLVED)
            return AlertTransition(replace(state, clear_since=clear_since))
        case AlertPhase.FIRING, _:
            return _still_firing(timing, replace(state, clear_since=None), now)
        case AlertPhase.PENDING, ConditionStatus.BREACH:
            return _breached(timing, state, state.since or now, now)
        case _, ConditionStatus.BREACH:
            return _breached(timing, state, now, now)
        case _:
            phase = AlertPhase.OK if status is ConditionStatus.CLEAR else AlertPhase.NO_DATA
            return AlertTransition(state if state.phase is phase else SubjectState(phase, now))


def close(state: SubjectState, now: datetime) -> AlertTransition:
    """Ends an open alert without a recovery, because its rule or its subject is gone."""
    if not state.is_open:
        return AlertTransition(state)
    notice = NoticeKind.RESOLVED if state.phase is AlertPhase.FIRING else None
    return AlertTransition(SubjectState(AlertPhase.OK, now), notice)


def _breached(
    timing: RuleTiming, state: SubjectState, pending_since: datetime, now: datetime
) -> AlertTransition:
    if now - pending_since >= timing.pending:
        firing = SubjectState(AlertPhase.FIRING, now, notified_at=now)
        return AlertTransition(firing, NoticeKind.FIRING)
    if state.phase is AlertPhase.PENDING:
        return AlertTransition(state)
    return AlertTransition(SubjectState(AlertPhase.PENDING, now))


def _still_firing(timing: RuleTiming, state: SubjectState, now: datetime) -> AlertTransition:
    due = (
        timing.reminder is not None
        and state.notified_at is not None
        and not state.acknowledged
        and now - state.notified_at >= timing.reminder
    )
    if not due:
        return AlertTransition(state)
    reminded = replace(state, notified_at=now, reminders=state.reminders + 1)
    return AlertTransition(reminded, NoticeKind.REMINDER)
