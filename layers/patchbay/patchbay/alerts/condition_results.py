"""How a condition is judged: pure functions from counts and times to a status and a sentence."""

from dataclasses import dataclass
from datetime import datetime

from patchbay.alerts.conditions import Stale, SuccessRate
from patchbay.alerts.state_machine import ConditionStatus
from patchbay.connections.health_status import FAILING, HealthStatus
from patchbay.health.summary import success_rate
from patchbay.platform.clock import to_text


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """The status of a condition, and the reason in one sentence without a tenant's own words."""

    status: ConditionStatus
    summary: str


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """The events in a window, without platform faults."""

    success: int = 0
    errors: int = 0

    @property
    def total(self) -> int:
        return self.success + self.errors

    def is_below(self, percent: float) -> bool:
        """Whether the success rate is below `percent`.

        Compares whole numbers: a rate that only rounds up to the threshold is still below it.
        """
        return self.success * 10_000 < round(percent * 100) * self.total


@dataclass(frozen=True, slots=True)
class LastSuccess:
    """The last success that was found in a window, None if none was found.

    `complete` is whether the whole window was read and has no platform fault. Only then does None
    mean that there was no success.
    """

    at: datetime | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """Since when a rule watches, and since when a success may be expected: the end of the last
    pause of the subject, its space, or its organization, or when the subject's monitor was enabled
    or got another interval."""

    since: datetime
    active_since: datetime


def evaluate_success_rate(
    condition: SuccessRate, short: WindowCounts, long: WindowCounts, *, firing: bool
) -> ConditionResult:
    """Breached if both windows are below the threshold; of a firing alert, the recovery
    threshold."""
    if short.total < condition.minimum_events:
        return ConditionResult(
            ConditionStatus.NO_DATA,
            f"The short window has {short.total} events, fewer than {condition.minimum_events}.",
        )
    limit = condition.threshold
    if firing and condition.recovery_threshold is not None:
        limit = condition.recovery_threshold
    below = short.is_below(limit) and long.is_below(limit)
    return ConditionResult(
        ConditionStatus.BREACH if below else ConditionStatus.CLEAR,
        f"The success rate is {'below' if below else 'not below'} {limit:g}%: "
        f"{_rate(short)}% of {short.total} events in the short window, "
        f"{_rate(long)}% of {long.total} in the long one.",
    )


def evaluate_staleness(
    condition: Stale, success: LastSuccess, watch: WatchTimes, now: datetime
) -> ConditionResult:
    """Breached if there was no success for longer than the condition allows."""
    if success.at is not None and now - success.at <= condition.after:
        return ConditionResult(
            ConditionStatus.CLEAR, f"The last success was at {to_text(success.at)}."
        )
    if not success.complete:
        return ConditionResult(
            ConditionStatus.NO_DATA,
            "Part of the time could not be judged: a success may be missing.",
        )
    if now - max(success.at or watch.since, watch.active_since) <= condition.after:
        return ConditionResult(ConditionStatus.NO_DATA, "It is too soon to tell.")
    return ConditionResult(
        ConditionStatus.BREACH, f"There was no success for {_span(condition.after_seconds)}."
    )


def evaluate_connection(status: HealthStatus) -> ConditionResult:
    """Breached if the connection is failing."""
    if status in FAILING:
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
