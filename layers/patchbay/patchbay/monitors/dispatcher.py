"""The dispatcher: once a minute, a message for every slot that is due and has members.

1. The minutes since the watermark are due, at most the last 60: older ones are skipped and counted.
2. Of each minute the slots with members are sent, the scheduled minute's at once. A missed minute's
   wait their turn, so that a connection that is due in all of them is not tested sixty times within
   a second, and the newest observation is the one that its state takes.
3. The watermark moves on when all is sent. Whoever dies before that is repeated by the next; what
   is sent twice is the same test.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from patchbay.monitors.sweep_queue import SendsSweeps, SweepOrder
from patchbay.monitors.wheel import Slot, Sweep, due_minutes, due_phases, minute_of

CATCH_UP_PAUSE: Final = timedelta(seconds=5)
"""Between two missed minutes: an hour of them is made up for within five minutes."""

_READERS: Final = 20


class SlotIndex(Protocol):
    def watermark(self) -> datetime | None: ...

    def advance(self, minute: datetime) -> None: ...

    def occupied(self, interval: str, phase: int, lanes: int) -> list[Slot]: ...


@dataclass(frozen=True, slots=True)
class DispatchResult:
    """What one run of the dispatcher did; `lag` is how late the oldest of it was."""

    minutes: int
    sweeps: int
    skipped: int
    lag: timedelta


class Dispatcher:
    def __init__(self, slots: SlotIndex, queue: SendsSweeps, lanes: int) -> None:
        self._slots = slots
        self._queue = queue
        self._lanes = lanes

    def dispatch(self, scheduled: datetime) -> DispatchResult:
        """Sends what is due up to this time, which is the schedule's and not the clock's.

        Raises `TemporarilyUnavailable`; then the watermark has not moved.
        """
        minute = minute_of(scheduled)
        due = due_minutes(self._slots.watermark(), minute)
        orders = list(self._orders(due.minutes))
        self._queue.send(orders)
        if due.minutes:
            self._slots.advance(minute)
        return DispatchResult(len(due.minutes), len(orders), due.skipped, due.lag)

    def _orders(self, minutes: tuple[datetime, ...]) -> Iterator[SweepOrder]:
        phases = {phase for minute in minutes for phase in due_phases(minute)}
        occupied = dict(zip(phases, self._read(phases), strict=True))
        for position, minute in enumerate(minutes):
            for phase in due_phases(minute):
                for slot in occupied[phase]:
                    yield SweepOrder(Sweep.of(slot, minute), position * CATCH_UP_PAUSE)

    def _read(self, phases: set[tuple[str, int]]) -> list[list[Slot]]:
        """Who is there, by phase; each is asked for once, however many minutes need it."""
        if not phases:
            return []

        def occupied(phase: tuple[str, int]) -> list[Slot]:
            return self._slots.occupied(*phase, self._lanes)

        with ThreadPoolExecutor(min(_READERS, len(phases))) as pool:
            return list(pool.map(occupied, phases))
