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

from patchbay.alerts.model import NewRule, NoticeKind, Rule


class Verdict(StrEnum):
    """What an observation says of a condition."""

    BREACH = "breach"
    CLEAR = "clear"
    NO_DATA = "no_data"


class Phase(StrEnum):
    OK = "ok"
    NO_DATA = "no_data"
    PENDING = "pending"
    FIRING = "firing"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a condition holds before it fires and is over before it ends; reminders."""

    pending: timedelta
    keep_firing: timedelta
    reminder: timedelta | None

    @classmethod
    def of(cls, rule: Rule | NewRule) -> "Timing":
        return cls(
            timedelta(seconds=rule.for_seconds),
            timedelta(seconds=rule.keep_firing_for_seconds),
            timedelta(seconds=rule.reminder_seconds) if rule.reminder_seconds else None,
        )


@dataclass(frozen=True, slots=True)
class State:
    """Of one rule and subject. `since` is when the phase began.

    `clear_since` is when a firing alert's condition was first seen over, without a break since.
    """

    phase: Phase = Phase.OK
    since: datetime | None = None
    clear_since: datetime | None = None
    notified_at: datetime | None = None
    reminders: int = 0
    acknowledged: bool = False

    @property
    def is_open(self) -> bool:
        """Whether there is an alert."""
        return self.phase in (Phase.PENDING, Phase.FIRING)


QUIET: Final = State()
"""Of what was never judged otherwise than ok."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next state, and what the channels are told."""

    state: State
    notice: NoticeKind | None = None


def decide(timing: Timing, state: State, verdict: Verdict, now: datetime) -> Step:
    """The next state. The same state again means that nothing has to be written."""
    match state.phase, verdict:
        case Phase.FIRING, Verdict.CLEAR:
            clear_since = state.clear_since or now
            if now - clear_since >= timing.keep_firing:
                return Step(State(Phase.OK, now), NoticeKind.RESOLVED)
            return Step(replace(state, clear_since=clear_since))
        case Phase.FIRING, _:
            return _still_firing(timing, replace(state, clear_since=None), now)
        case Phase.PENDING, Verdict.BREACH:
            return _breached(timing, state, state.since or now, now)
        case _, Verdict.BREACH:
            return _breached(timing, state, now, now)
        case _:
            phase = Phase.OK if verdict is Verdict.CLEAR else Phase.NO_DATA
            return Step(state if state.phase is phase else State(phase, now))


def close(state: State, now: datetime) -> Step:
    """Ends what is open without a recovery: the rule or the subject is no more."""
    notice = NoticeKind.RESOLVED if state.phase is Phase.FIRING else None
    return Step(State(Phase.OK, now), notice) if state.is_open else Step(state)


def _breached(timing: Timing, state: State, pending_since: datetime, now: datetime) -> Step:
    if now - pending_since >= timing.pending:
        return Step(State(Phase.FIRING, now, notified_at=now), NoticeKind.FIRING)
    if state.phase is Phase.PENDING:
        return Step(state)
    return Step(State(Phase.PENDING, now))


def _still_firing(timing: Timing, state: State, now: datetime) -> Step:
    due = (
        timing.reminder is not None
        and state.notified_at is not None
        and not state.acknowledged
        and now - state.notified_at >= timing.reminder
    )
    if not due:
        return Step(state)
    reminded = replace(state, notified_at=now, reminders=state.reminders + 1)
    return Step(reminded, NoticeKind.REMINDER)
