"""Once a minute, sends a message for every slot that is due and has connections.

1. The minutes since the watermark are due, at most the last 60. Older ones are skipped and
   counted.
2. The slots of the scheduled minute are sent at once. Those of missed minutes are delayed, so that
   a connection that is due in each of them is not tested sixty times within a second, and so that
   the newest observation is the one that counts.
3. The watermark moves when everything is sent. If a dispatcher dies before that, the next one does
   its work again; a message that is sent twice asks for the same tests.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from patchbay.monitors.sweep_queue import SendsSweeps, SweepOrder
from patchbay.monitors.wheel import Slot, Sweep, due_minutes, due_phases, minute_of

CATCH_UP_PAUSE: Final = timedelta(seconds=5)
"""Between two missed minutes: a missed hour is caught up within five minutes."""

_READERS: Final = 20


class SlotIndex(Protocol):
    def watermark(self) -> datetime | None: ...

    def advance(self, minute: datetime) -> None: ...

    def occupied(self, interval: str, phase: int, lanes: int) -> list[Slot]: ...


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """What one dispatch did; `lag` is how late the oldest of its minutes was."""

    minutes: int
    sweeps: int
    skipped: int
    lag: timedelta


class Dispatcher:
    def __init__(self, slots: SlotIndex, queue: SendsSweeps, lanes: int) -> None:
        self._slots = slots
        self._queue = queue
        self._lanes = lanes

    def dispatch(self, scheduled: datetime, *, pauses_are_marked: bool = False) -> DispatchResult:
        """Sends what is due up to this time of the schedule, which is not the clock's. The sweeps
        say whether all pauses are marked.

        Raises `TemporarilyUnavailable`; then the watermark has not moved.
        """
        minute = minute_of(scheduled)
        due = due_minutes(self._slots.watermark(), minute)
        orders = list(self._orders(due.minutes, pauses_are_marked))
        self._queue.send(orders)
        if due.minutes:
            self._slots.advance(minute)
        return DispatchResult(len(due.minutes), len(orders), due.skipped, due.lag)

    def _orders(
        self, minutes: tuple[datetime, ...], pauses_are_marked: bool
    ) -> Iterator[SweepOrder]:
        phases = {phase for minute in minutes for phase in due_phases(minute)}
        occupied = dict(zip(phases, self._read(phases), strict=True))
        for position, minute in enumerate(minutes):
            for phase in due_phases(minute):
                for slot in occupied[phase]:
                    sweep = Sweep.of(slot, minute, pauses_are_marked=pauses_are_marked)
                    yield SweepOrder(sweep, position * CATCH_UP_PAUSE)

    def _read(self, phases: set[tuple[str, int]]) -> list[list[Slot]]:
        """The slots with connections, by phase. A phase that several minutes need is read once."""
        if not phases:
            return []

        def occupied(phase: tuple[str, int]) -> list[Slot]:
            return self._slots.occupied(*phase, self._lanes)

        with ThreadPoolExecutor(min(_READERS, len(phases))) as pool:
            return list(pool.map(occupied, phases))
