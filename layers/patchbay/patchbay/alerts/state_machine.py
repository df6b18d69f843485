"""What becomes of an alert: one pure function from a state and an observation to the next state.

    ok, no_data ──breach──▶ pending ──for──▶ firing ──clear, keep_firing_for──▶ ok
                               │                │
                               └─clear──▶ ok    └─no data──▶ firing (no data is no recovery)

A state changes at its edges only, so a minute in which nothing happens writes nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from patchbay.alerts.model import AlertRule, NewAlertRule, NoticeKind


class ConditionStatus(StrEnum):
    """What an observation says of a condition."""

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
    """How long a condition holds before it fires and is over before it ends; reminders."""

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
    """Of one rule and subject. `since` is when the phase began.

    `clear_since` is when a firing alert's condition was first seen over, without a break since.
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
"""Of what was never judged otherwise than ok."""


@dataclass(frozen=True, slots=True)
class AlertTransition:
    """The next state, and what the channels are told."""

    state: SubjectState
    notice: NoticeKind | None = None


def decide(
    timing: RuleTiming, state: SubjectState, status: ConditionStatus, now: datetime
) -> AlertTransition:
    """The next state. The same state again means that nothing has to be written."""
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
    """Ends what is open without a recovery: the rule or the subject is no more."""
    notice = NoticeKind.RESOLVED if state.phase is AlertPhase.FIRING else None
    return (
        AlertTransition(SubjectState(AlertPhase.OK, now), notice)
        if state.is_open
        else AlertTransition(state)
    )


def _breached(
    timing: RuleTiming, state: SubjectState, pending_since: datetime, now: datetime
) -> AlertTransition:
    if now - pending_since >= timing.pending:
        return AlertTransition(
            SubjectState(AlertPhase.FIRING, now, notified_at=now), NoticeKind.FIRING
        )
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
