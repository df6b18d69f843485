"""What a condition sees of its subject: pure, from counts and times to a verdict and a sentence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.alerts.model import Stale, SuccessRate
from patchbay.alerts.state_machine import Verdict
from patchbay.connections.health_status import HealthStatus
from patchbay.health.summary import success_rate
from patchbay.platform.clock import to_text

_DOWN: Final = frozenset({HealthStatus.DISCONNECTED, HealthStatus.ERROR})


@dataclass(frozen=True, slots=True)
class Observation:
    """A verdict, and why in one sentence of our own words."""

    verdict: Verdict
    summary: str


@dataclass(frozen=True, slots=True)
class Counts:
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
class Activity:
    """The last success that was found in a window.

    `complete` says that the whole window was seen and that none of our own tests failed through
    us in it: only then does no success mean that there was none.
    """

    last_success_at: datetime | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Watched:
    """Since when a rule watches, and since when its space is awake: it may have been paused.

    The space's last change stands for the latter, so any edit of it starts a silence anew.
    """

    since: datetime
    awake_since: datetime


def of_rate(condition: SuccessRate, short: Counts, long: Counts, *, firing: bool) -> Observation:
    """Below in both windows. While an alert fires, below the recovery threshold."""
    if short.total < condition.minimum_events:
        summary = (
            f"{short.total} events in the short window are fewer than {condition.minimum_events}."
        )
        return Observation(Verdict.NO_DATA, summary)
    limit = condition.threshold
    if firing and condition.recovery_threshold is not None:
        limit = condition.recovery_threshold
    below = short.is_below(limit) and long.is_below(limit)
    rates = f"{_rate(short)} % ({short.total} events) and {_rate(long)} % ({long.total} events)"
    word = "is below" if below else "is not below"
    return Observation(
        Verdict.BREACH if below else Verdict.CLEAR,
        f"The success rate of the short and the long window, {rates}, {word} {limit:g} %.",
    )


def of_staleness(
    condition: Stale, activity: Activity, watched: Watched, now: datetime
) -> Observation:
    last = activity.last_success_at
    if last is not None and now - last <= condition.after:
        return Observation(Verdict.CLEAR, f"The last success was at {to_text(last)}.")
    if not activity.complete:
        return Observation(Verdict.NO_DATA, "Not all of the time was seen.")
    if now - max(last or watched.since, watched.awake_since) <= condition.after:
        return Observation(Verdict.NO_DATA, "It is too soon to tell.")
    return Observation(
        Verdict.BREACH, f"There was no success for {_span(condition.after_seconds)}."
    )


def of_connection(status: HealthStatus) -> Observation:
    if status in _DOWN:
        return Observation(Verdict.BREACH, f"The connection's health is {status.value}.")
    if status is HealthStatus.CONNECTED:
        return Observation(Verdict.CLEAR, "The connection is connected.")
    return Observation(Verdict.NO_DATA, "The connection's health is unknown.")


def _rate(counts: Counts) -> float:
    return success_rate(counts.success, counts.total)


def _span(seconds: int) -> str:
    """`2 hours`, `90 minutes`, `301 seconds`."""
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            number = seconds // size
            return f"{number} {name}" if number == 1 else f"{number} {name}s"
    return f"{seconds} seconds"
