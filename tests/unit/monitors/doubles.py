"""A world of monitors in memory, with faults on request: the ports of dispatcher and sweeper.

The history works as the real one does: a test is recorded under its identity, once.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.verdict import verdict
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connections.wheel import MonitorInterval, is_due, on_the_wheel, slot_pk
from patchbay.monitors.own_network import OwnEvidence
from patchbay.monitors.reprobes import crashed_test
from patchbay.monitors.store import WheelPage
from patchbay.monitors.sweep_queue import SweepMessage, SweepOrder
from patchbay.monitors.wheel import Slot, Sweep, lane_of_sort_key
from patchbay.platform.clock import utc_now
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


def finished(report: CheckReport) -> FinishedTest:
    now = datetime.now(UTC)
    return FinishedTest(None, None, report, (), now, now)


@dataclass
class FakeTest:
    """A monitored test with a given result, due and ready alike."""

    connection_id: str
    result: Callable[[], CheckReport]
    targets: frozenset[str]
    first_failure: bool = True
    worked_before: bool = True
    seconds: float = 0.0
    organization_id: str = "o"
    preparing: Callable[[], None] = lambda: None
    is_prepared: bool = True

    @property
    def key(self) -> Key:
        return Key(f"ORG#{self.organization_id}", f"CON#{self.connection_id}")

    @property
    def unprepared(self) -> "FakeTest":
        return replace(self, is_prepared=False)

    def prepare(self) -> "FakeTest":
        self.preparing()
        return self

    async def run(self, total_ms: int) -> FinishedTest:  # noqa: ARG002 - some ignore the limit
        if not self.is_prepared:
            return self.crashed()
        await asyncio.sleep(self.seconds)
        return finished(self.result())

    def crashed(self) -> FinishedTest:
        return finished(crashed_test(None, None, utc_now()).report)


@dataclass
class FakePage:
    """The tests of a page at one minute, which are recorded in the world's history."""

    world: "World"
    minute: datetime
    due: Sequence[FakeTest]

    def record(self, results: Sequence[tuple[FakeTest, FinishedTest]]) -> None:
        world = self.world
        if world.lost_records:
            world.lost_records -= 1
            raise TemporarilyUnavailable
        world.kill_at_record -= 1
        for number, (test, result) in enumerate(results):
            if world.kill_at_record == 0 and number == len(results) // 2:
                raise Killed
            # The condition on the identity: a second writer changes nothing.
            world.history.setdefault((test.connection_id, self.minute), result.report)


@dataclass
class World:
    """Connections with their intervals, and everything that is stored about their monitors."""

    intervals: dict[str, MonitorInterval] = field(default_factory=dict)
    history: dict[tuple[str, datetime], CheckReport] = field(default_factory=dict)
    dialed: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    mark: datetime | None = None
    queue: list[SweepOrder] = field(default_factory=list)
    answers: dict[str, Callable[[], CheckReport]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    target_of: Callable[[str], str] = lambda connection_id: f"https://{connection_id}:443"
    paused: set[str] = field(default_factory=set)
    organizations: dict[str, str] = field(default_factory=dict)
    """Of connections that are not of the organization `o`."""
    preparing: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What preparing a connection's test does; it blocks."""
    kill_at_record: int = 0
    """How many records from now one ends the process, with half of its page recorded."""
    lost_records: int = 0
    """How many of the next records fail before anything is stored."""
    lost_reads: int = 0
    """How many of the next reads of the index fail."""
    lost_sends: int = 0
    """How many of the next sends fail before anything is sent."""
    failing_before: set[str] = field(default_factory=set)
    evidence: OwnEvidence = field(default_factory=OwnEvidence)
    looks: int = 0

    # ------------------------------------------------------------------ the dispatcher's ports

    def watermark(self) -> datetime | None:
        return self.mark

    def advance(self, minute: datetime) -> None:
        self.mark = max(self.mark or minute, minute)

    def occupied(self, interval: str, phase: int, lanes: int) -> list[Slot]:
        found = {lane_of_sort_key(sk, lanes) for sk in self.index(slot_pk(interval, phase))}
        return [Slot(interval, phase, lane, lanes) for lane in sorted(found)]

    def send(self, orders: Iterable[SweepOrder]) -> None:
        orders = list(orders)
        if self.lost_sends and orders:
            self.lost_sends -= 1
            raise TemporarilyUnavailable
        self.queue += orders

    # ------------------------------------------------------------------ the sweeper's ports

    def read_page(self, sweep: Sweep, limit: int) -> WheelPage:
        if self.lost_reads:
            self.lost_reads -= 1
            raise TemporarilyUnavailable
        found = sorted(sk for sk in self.index(sweep.pk) if sweep.low <= sk <= sweep.high)
        taken = found[:limit]
        rest = sweep.after(taken[-1]) if len(found) > limit else None
        keys = {sk: self._key(sk.partition("#")[2]) for sk in taken}
        if sweep.organization_id:
            keys = {sk: k for sk, k in keys.items() if k.pk == f"ORG#{sweep.organization_id}"}
        return WheelPage(keys=tuple(keys.values()), sort_keys=tuple(keys), rest=rest)

    def read(self, found: WheelPage, minute: datetime) -> FakePage:
        ids = [key.sk.removeprefix("CON#") for key in found.keys]
        tests = [
            self._test(connection_id, minute)
            for connection_id in ids
            if connection_id not in self.paused
            and is_due(connection_id, self.intervals[connection_id], minute)
            and (connection_id, minute) not in self.history
        ]
        return FakePage(self, minute, tests)

    async def look(self) -> OwnEvidence:
        self.looks += 1
        return self.evidence

    async def look_if_due(self) -> None:
        pass

    # ------------------------------------------------------------------ for the tests

    def join(self, ids: Iterable[str], interval: MonitorInterval) -> None:
        self.intervals |= dict.fromkeys(ids, interval)

    def delivery(self, size: int = 10) -> list[SweepMessage]:
        """The next messages of the queue, delivered for the first time."""
        taken, self.queue = self.queue[:size], self.queue[size:]
        return [
            SweepMessage(str(number), order.sweep.delivered(), 1 + order.attempts)
            for number, order in enumerate(taken)
        ]

    def expected(self, minutes: Iterable[datetime]) -> set[tuple[str, datetime]]:
        return {
            (connection_id, minute)
            for minute in minutes
            for connection_id, interval in self.intervals.items()
            if is_due(connection_id, interval, minute)
        }

    def _key(self, connection_id: str) -> Key:
        return Key(f"ORG#{self.organizations.get(connection_id, 'o')}", f"CON#{connection_id}")

    def _test(self, connection_id: str, minute: datetime) -> FakeTest:
        answer = self.answers.get(connection_id, passed)

        def result() -> CheckReport:
            self.dialed[connection_id, minute] += 1
            return answer()

        return FakeTest(
            connection_id,
            result,
            frozenset({self.target_of(connection_id)}),
            seconds=self.seconds.get(connection_id, 0.0),
            worked_before=connection_id not in self.failing_before,
            organization_id=self.organizations.get(connection_id, "o"),
            preparing=self.preparing.get(connection_id, lambda: None),
        )

    def index(self, pk: str) -> Iterator[str]:
        """The sort keys under a partition key of the index."""
        for connection_id, interval in self.intervals.items():
            place = _place(connection_id, interval)
            if place["monitor_slot_pk"] == pk:
                yield place["monitor_slot_sk"]


def every_interval(ids: Sequence[str]) -> dict[str, MonitorInterval]:
    """Spreads the ids evenly over all intervals."""
    names = sorted(MonitorInterval)
    return {one: names[number % len(names)] for number, one in enumerate(ids)}
