"""What a condition sees of its subject: pure, from counts and times to a status and a sentence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.alerts.model import Stale, SuccessRate
from patchbay.alerts.state_machine import ConditionStatus
from patchbay.connections.health_status import HealthStatus
from patchbay.health.summary import success_rate
from patchbay.platform.clock import to_text

_DOWN: Final = frozenset({HealthStatus.DISCONNECTED, HealthStatus.ERROR})


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """A status, and why in one sentence of our own words."""

    status: ConditionStatus
    summary: str


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """Events in a window; platform faults are in neither."""

    success: int = 0
    errors: int = 0

    @property
    def total(self) -> int:
        return self.success + self.errors

    def is_below(self, percent: float) -> bool:
        """Compared in whole numbers: a rate that is rounded up for display is still below."""
        return self.success * 10_000 < round(percent * 100) * self.total


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """The last success that was found in a window.

    `complete` says that the whole window was seen and that none of our own tests failed through
    us in it: only then does no success mean that there was none.
    """

    last_success_at: datetime | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """Since when a rule watches, and since when its space is awake: it may have been paused.

    The space's last change stands for the latter, so any edit of it starts a silence anew.
    """

    since: datetime
    awake_since: datetime


def evaluate_success_rate(
    condition: SuccessRate, short: WindowCounts, long: WindowCounts, *, firing: bool
) -> ConditionResult:
    """Below in both windows. While an alert fires, below the recovery threshold."""
    if short.total < condition.minimum_events:
        summary = (
            f"{short.total} events in the short window are fewer than {condition.minimum_events}."
        )
        return ConditionResult(ConditionStatus.NO_DATA, summary)
    limit = condition.threshold
    if firing and condition.recovery_threshold is not None:
        limit = condition.recovery_threshold
    below = short.is_below(limit) and long.is_below(limit)
    rates = f"{_rate(short)} % ({short.total} events) and {_rate(long)} % ({long.total} events)"
    word = "is below" if below else "is not below"
    return ConditionResult(
        ConditionStatus.BREACH if below else ConditionStatus.CLEAR,
        f"The success rate of the short and the long window, {rates}, {word} {limit:g} %.",
    )


def evaluate_staleness(
    condition: Stale, activity: LastSuccess, watched: WatchTimes, now: datetime
) -> ConditionResult:
    last = activity.last_success_at
    if last is not None and now - last <= condition.after:
        return ConditionResult(ConditionStatus.CLEAR, f"The last success was at {to_text(last)}.")
    if not activity.complete:
        return ConditionResult(ConditionStatus.NO_DATA, "Not all of the time was seen.")
    if now - max(last or watched.since, watched.awake_since) <= condition.after:
        return ConditionResult(ConditionStatus.NO_DATA, "It is too soon to tell.")
    return ConditionResult(
        ConditionStatus.BREACH, f"There was no success for {_span(condition.after_seconds)}."
    )


def evaluate_connection(status: HealthStatus) -> ConditionResult:
    if status in _DOWN:
        return ConditionResult(
            ConditionStatus.BREACH, f"The connection's health is {status.value}."
        )
    if status is HealthStatus.CONNECTED:
        return ConditionResult(ConditionStatus.CLEAR, "The connection is connected.")
    return ConditionResult(ConditionStatus.NO_DATA, "The connection's health is unknown.")


def _rate(counts: WindowCounts) -> float:
    return success_rate(counts.success, counts.total)


def _span(seconds: int) -> str:
    """`2 hours`, `90 minutes`, `301 seconds`."""
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return f"{seconds} seconds"
