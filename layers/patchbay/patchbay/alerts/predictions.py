"""When time alone may breach a condition: without an error, which wakes the space. Pure.

Each answer is early rather than late: successes that arrive until then only put a breach off.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.condition_results import WindowCounts
from patchbay.alerts.conditions import SuccessRate
from patchbay.health.model import EventOutline, EventStatus
from patchbay.platform.clock import floor_to_hour

_INSTANT: Final = timedelta(milliseconds=1)
"""The resolution of times: an event is in a window until this much after its end."""

type CountsAt = Callable[[datetime], tuple[WindowCounts, WindowCounts]]
"""The counts in the short and in the long window that end at a moment, if nothing arrives."""


class EventTimes:
    """The times of some events, without platform faults."""

    def __init__(self, events: Iterable[EventOutline]) -> None:
        successes: list[datetime] = []
        errors: list[datetime] = []
        for event in events:
            if not event.platform_fault:
                passed = event.status is EventStatus.SUCCESS
                (successes if passed else errors).append(event.occurred_at)
        self._successes = sorted(successes)
        self._errors = sorted(errors)

    def since(self, start: datetime) -> WindowCounts:
        return WindowCounts(
            len(self._successes) - bisect_left(self._successes, start),
            len(self._errors) - bisect_left(self._errors, start),
        )

    def successes_leave(
        self, window: timedelta, after: datetime, until: datetime
    ) -> Iterator[datetime]:
        """The moments at which a success leaves the window."""
        first = bisect_left(self._successes, after - window)
        last = bisect_right(self._successes, until - window)
        for moment in self._successes[first:last]:
            yield moment + window + _INSTANT


def next_hour(now: datetime) -> datetime:
    """When windows of whole hours move on."""
    return floor_to_hour(now) + timedelta(hours=1)


def rate_may_break_at(
    condition: SuccessRate, counts_at: CountsAt, moments: Iterable[datetime], now: datetime
) -> datetime | None:
    """The first moment at which the success rate may be below the threshold without another error.

    `moments` are those at which a window loses events, in any order. None if there is none.

    1. Without an error in the short window, its rate is 100%.
    2. With too few events in it, successes alone may make them enough, at any moment.
    3. Otherwise the rates only fall when successes leave the windows.
    """
    short, long = counts_at(now)
    if short.errors == 0:
        return None
    if may_turn_bad(condition, short, long):
        return now
    return next((m for m in sorted(moments) if _is_below(condition, *counts_at(m))), None)


def may_turn_bad(condition: SuccessRate, short: WindowCounts, long: WindowCounts) -> bool:
    """Whether the rates are below the threshold when successes have made the events enough."""
    missing = condition.minimum_events - short.total
    return missing > 0 and _is_below(condition, _with(short, missing), _with(long, missing))


def _is_below(condition: SuccessRate, short: WindowCounts, long: WindowCounts) -> bool:
    return short.is_below(condition.threshold) and long.is_below(condition.threshold)


def _with(counts: WindowCounts, successes: int) -> WindowCounts:
    return WindowCounts(counts.success + successes, counts.errors)
