"""A world of monitors in memory, with faults to order: the ports of the dispatcher and the runner.

The history is what the real one is: a test is recorded under its identity, once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.verdict import verdict
from patchbay.connections.wheel import MINUTES_OF, is_due, on_the_wheel, slot_pk
from patchbay.monitors.reprobes import MonitoredTest
from patchbay.monitors.store import MemberPage
from patchbay.monitors.sweep_queue import SweepMessage, SweepOrder
from patchbay.monitors.wheel import Slot, Sweep, lane_of_sort_key
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import TemporarilyUnavailable

_place = cache(on_the_wheel)


class Killed(BaseException):
    """The end of a process: nothing catches it."""


def passed() -> CheckReport:
    return verdict(
        [Step(name="s", status="passed", summary="Fine.")], proven=True, called=True, latency_ms=1
    )


def failed(code: Code) -> CheckReport:
    step = Step(name="s", status="failed", code=code, summary=describe(code).title)
    return verdict([step], proven=False, called=True, latency_ms=1)


@dataclass
class Turn:
    """A trial of one connection, which answers as it is told to."""

    connection_id: str
    answer: Callable[[], CheckReport]
    places: frozenset[str]
    first_failure: bool = True
    seconds: float = 0.0

    async def run(self, total_ms: int) -> CheckReport:  # noqa: ARG002 - some heed no limit
        await asyncio.sleep(self.seconds)
        return self.answer()


@dataclass
class World:
    """Connections with their intervals, and all that is stored about their monitors."""

    intervals: dict[str, str] = field(default_factory=dict)
    history: dict[tuple[str, datetime], CheckReport] = field(default_factory=dict)
    dialled: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    mark: datetime | None = None
    queue: list[tuple[Sweep, timedelta]] = field(default_factory=list)
    answers: dict[str, Callable[[], CheckReport]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    place_of: Callable[[str], str] = lambda connection_id: f"https://{connection_id}:443"
    paused: set[str] = field(default_factory=set)
    kill_at_record: int = 0
    """The so many-th record from now on ends the process, half of the page recorded."""
    lost_records: int = 0
    """The next so many records fail before anything of them is stored."""
    canary_reached: bool | None = None
    canary_asked: int = 0

    # ------------------------------------------------------------------ the dispatcher's ports

    def watermark(self) -> datetime | None:
        return self.mark

    def advance(self, minute: datetime) -> None:
        self.mark = max(self.mark or minute, minute)

    def occupied(self, interval: str, phase: int, lanes: int) -> list[Slot]:
        found = {lane_of_sort_key(sk, lanes) for sk in self.index(slot_pk(interval, phase))}
        return [Slot(interval, phase, lane, lanes) for lane in sorted(found)]

    def send(self, orders: Iterable[SweepOrder]) -> None:
        self.queue += [(order.sweep, order.delay) for order in orders]

    # ------------------------------------------------------------------ the runner's ports

    def members(self, sweep: Sweep, limit: int) -> MemberPage:
        found = sorted(sk for sk in self.index(sweep.pk) if sweep.low <= sk <= sweep.high)
        taken = tuple(found[:limit])
        return MemberPage(
            keys=tuple(Key("ORG#o", f"CON#{sk.partition('#')[2]}") for sk in taken),
            sort_keys=taken,
            rest=sweep.after(taken[-1]) if len(found) > limit else None,
        )

    def prepare(self, members: MemberPage, minute: datetime) -> Sequence[MonitoredTest]:
        ids = [key.sk.removeprefix("CON#") for key in members.keys]
        return [
            self._turn(connection_id, minute)
            for connection_id in ids
            if connection_id not in self.paused
            and is_due(connection_id, self.intervals[connection_id], minute)
            and (connection_id, minute) not in self.history
        ]

    def record(self, tested: Sequence[tuple[MonitoredTest, CheckReport]], minute: datetime) -> None:
        if self.lost_records:
            self.lost_records -= 1
            raise TemporarilyUnavailable
        self.kill_at_record -= 1
        for number, (trial, report) in enumerate(tested):
            if self.kill_at_record == 0 and number == len(tested) // 2:
                raise Killed
            # The identity's condition: who comes second changes nothing.
            self.history.setdefault((trial.connection_id, minute), report)

    async def reached(self) -> bool | None:
        self.canary_asked += 1
        return self.canary_reached

    # ------------------------------------------------------------------ what tests do with it

    def join(self, ids: Iterable[str], interval: str) -> None:
        self.intervals |= dict.fromkeys(ids, interval)

    def delivery(self, size: int = 10) -> list[SweepMessage]:
        """The next messages of the queue, for the first time."""
        taken, self.queue = self.queue[:size], self.queue[size:]
        return [SweepMessage(str(number), sweep, 1) for number, (sweep, _) in enumerate(taken)]

    def expected(self, minutes: Iterable[datetime]) -> set[tuple[str, datetime]]:
        return {
            (connection_id, minute)
            for minute in minutes
            for connection_id, interval in self.intervals.items()
            if is_due(connection_id, interval, minute)
        }

    def _turn(self, connection_id: str, minute: datetime) -> Turn:
        answer = self.answers.get(connection_id, passed)

        def answered() -> CheckReport:
            self.dialled[connection_id, minute] += 1
            return answer()

        return Turn(
            connection_id,
            answered,
            frozenset({self.place_of(connection_id)}),
            seconds=self.seconds.get(connection_id, 0.0),
        )

    def index(self, pk: str) -> Iterator[str]:
        """The sort keys under a partition key of the index."""
        for connection_id, interval in self.intervals.items():
            place = _place(connection_id, interval)
            if place["monitor_slot_pk"] == pk:
                yield place["monitor_slot_sk"]


def every_interval(ids: Sequence[str]) -> dict[str, str]:
    """The ids over all intervals, evenly."""
    names = sorted(MINUTES_OF)
    return {one: names[number % len(names)] for number, one in enumerate(ids)}
