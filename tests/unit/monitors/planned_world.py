"""A space whose connections have plans: what sweeps are made of, on tables in memory.

Nothing is dialed: each test finds what it is told to. The clock stands until it is moved.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from patchbay.checks.codes import Code
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.verdict import verdict
from patchbay.connection_tests.changes import Fingerprint
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.monitored_tests import MonitoredTests
from patchbay.connection_tests.recorder import TestRecorder
from patchbay.connection_tests.tester import PreparedTest
from patchbay.connections.caught_up_health import CaughtUpHealth
from patchbay.connections.connection_items import connection_item, plan_writes, read_connection
from patchbay.connections.connection_model import Connection, Monitor
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.connection_summaries import ConnectionStatus, ConnectionSummaries
from patchbay.connections.health_recorder import HealthRecorder
from patchbay.connections.health_state import NO_AUTO_DISABLE, HealthState
from patchbay.connections.keys import BY_SPACE, FAILING_INDEX, connection_key
from patchbay.connections.plan_moves import PlanMoves
from patchbay.connections.plan_store import PlanStore
from patchbay.connections.planner import Planner
from patchbay.connections.plans import MonitorPlan
from patchbay.connections.shown_connections import ShownConnections
from patchbay.connections.wheel import MonitorInterval, minute_number
from patchbay.health.store import EventStore
from patchbay.monitors.group_reader import GroupReader
from patchbay.monitors.pause_reader import PauseReader
from patchbay.monitors.plan_reader import DuePlans, PlanReader
from patchbay.monitors.planned_tests import PlannedTest
from patchbay.monitors.run_recorder import RunRecorder
from patchbay.monitors.store import WheelPage
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Item, Key, Put, ReadAhead
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import new_id
from patchbay.runs.reader import RunReader
from patchbay.runs.store import RunStore
from patchbay.tenancy.keys import organization_key, space_key
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.wakes import wake_nobody
from tests.sample_connection import sample_connection
from tests.simulator.memory_dynamodb import MemoryClient

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORGANIZATION, SPACE = "org_1", "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
KEPT = timedelta(days=91)
CODES: Mapping[str, Code | None] = {
    ".": None,
    "x": "auth_invalid",
    "l": "rate_limited",
    "d": "dns_error",
    "!": "internal_error",
}
"""The outcomes of tests: one passes, three fail, and the last is a platform fault."""


def report_of(outcome: str, number: int) -> CheckReport:
    code = CODES[outcome]
    if code is None:
        step = Step(name="s", status="passed", summary="Fine.")
    else:
        step = Step.failed("s", code, f"{code}.")
    return verdict([step], proven=code is None, called=True, latency_ms=number)


class IndexedClient(MemoryClient):
    """With the indexes by space, and of those that fail. `refuses` is asked before each write."""

    _INDEXES = (BY_SPACE, FAILING_INDEX)

    def query(self, **request: Any) -> Any:
        index = request.get("IndexName")
        if index not in self._INDEXES:
            return super().query(**request)
        pk = request["ExpressionAttributeValues"][":pk"]
        return {"Items": [i for i in self.scan_items() if i.get(f"{index}_pk") == pk]}


class FailingHealth(HealthRecorder):
    """The next writes of health fail, if that is set."""

    fails = False

    def record(self, *args: Any, **named: Any) -> Any:
        if self.fails:
            raise TemporarilyUnavailable
        return super().record(*args, **named)


class FoundTests:
    """In place of the tester: each test finds what it is told to."""

    def __init__(self, world: "PlannedWorld") -> None:
        self._world = world

    def prepare_connection(self, connection: Connection, _: object = None) -> PreparedTest:
        fingerprint = Fingerprint.of({}, {"number": self._world.configurations})
        return PreparedTest({}, (), connection, fingerprint)

    async def run(self, prepared: PreparedTest, *_: object) -> FinishedTest:
        connection = prepared.connection
        assert connection
        return self._world.finished(connection, prepared.fingerprint)


class PlannedWorld:
    """`outcomes` is what the tests of a connection find; by default, all passes."""

    def __init__(self) -> None:
        self.now = NOON
        self.configurations = 1
        self.outcomes: dict[str, str] = {}
        self.number = 0
        self.client = IndexedClient()
        self.table = ReadAhead("integrations", self.client)
        self.events = ReadAhead("events", MemoryClient())
        self.quotas = Quotas(self.table, lambda _: 10_000)
        self.planner = Planner(self.table, pools=lambda: True)
        self.plan_store = PlanStore(self.table)
        self.run_store = RunStore(self.events, self.clock, KEPT)
        self.run_reader = RunReader(self.events)
        monitored = MonitoredTests(self.run_reader)
        self.history = TestHistory(self.events, CursorSeal(self.table), lambda: monitored)
        self.health = FailingHealth(self.table, self.quotas)
        self.announced: list[str] = []
        recorder = RunRecorder(
            self.table,
            self.run_store,
            self.run_reader,
            self.history,
            self.health,
            self.plan_store,
            PlanMoves(self.table, self.planner),
            lambda many: self.announced.extend(one.type for one in many),
            self.clock,
            NO_AUTO_DISABLE,
            wake_nobody,
        )
        unsealed: Any = SimpleNamespace(read_ahead=lambda *_: [])
        nothing: Any = None
        found: Any = FoundTests(self)
        self.reader = PlanReader(
            self.table,
            PauseReader(self.table),
            GroupReader(self.run_store, monitored, self.clock),
            found,
            recorder,
            unsealed,
            nothing,
            self.clock,
        )
        self.on_demand = TestRecorder(
            nothing,
            self.health,
            EventStore(self.events, 35, self.run_reader),
            self.history,
            self.clock,
        )
        caught_up = CaughtUpHealth(self.run_reader, self.health)
        self.connections = ConnectionStore(self.table, self.quotas, self.planner, lambda: caught_up)
        self.shown = ShownConnections(self.run_reader)
        self.summaries = ConnectionSummaries(self.table, self.run_reader, self.clock)
        for key, more in (
            (organization_key(ORGANIZATION), {}),
            (space_key(ORGANIZATION, "main"), {"id": SPACE, "uses": 0}),
        ):
            self.table.write(Put({**key._asdict(), **more}))

    def clock(self) -> datetime:
        return self.now

    def add(self, number: int = 1, interval: MonitorInterval = MonitorInterval.MINUTE) -> str:
        connection = self.planner.begun(
            sample_connection(
                id=f"con_{number:026d}",
                organization_id=ORGANIZATION,
                source_id=f"src_{number:026d}",
                space_id=SPACE,
                monitor=Monitor(enabled=True, interval=interval),
                created_at=NOON,
                updated_at=NOON,
            )
        ).connection
        self.table.transact([Put(connection_item(connection)), *plan_writes(None, connection)])
        return connection.id

    # ------------------------------------------------------------ tests

    def finished(self, connection: Connection, fingerprint: Fingerprint | None) -> FinishedTest:
        started = self.now
        outcome = self.outcomes.get(connection.id, ".")
        self.number += 1
        number = self.number
        if outcome == "!":
            fingerprint = None
        return FinishedTest(
            connection,
            fingerprint,
            report_of(outcome, number),
            (),
            started,
            started + timedelta(milliseconds=number),
        )

    def read(self, minute: datetime) -> DuePlans:
        """The plans that are due at a minute, as a sweep of all lanes reads them."""
        under_edit = self.plan_store.endpoints_under_edit()
        number = minute_number(minute)
        items = [
            item
            for plan in self.plans()
            if number % plan.group.interval.minutes == plan.group.phase
            and (item := self.table.get(plan.key))
        ]
        items.sort(key=lambda item: str(item["sk"]))
        keys = tuple(Key(item["pk"], item["sk"]) for item in items)
        sort_keys = tuple(key.sk for key in keys)
        page = WheelPage(keys, sort_keys, None, tuple(items), under_edit)
        return self.reader.read(page, minute)

    def ran(self, page: DuePlans) -> list[tuple[PlannedTest, FinishedTest]]:
        prepared = [test for one in page.due if (test := one.prepare())]
        return [(test, asyncio.run(test.run(10_000))) for test in prepared]

    def sweep(self, minute: datetime | None = None, leaving: Sequence[str] = ()) -> None:
        """The tests of a minute, by default this one, but for those that are put off."""
        page = self.read(minute or self.now)
        page.record([one for one in self.ran(page) if one[0].connection_id not in leaving])

    def tests(self, connection_id: str, outcomes: str) -> None:
        """A test a minute, with these outcomes."""
        for outcome in outcomes:
            self.now += MINUTE
            self.outcomes[connection_id] = outcome
            self.sweep()

    def test_now(self, connection_id: str, outcome: str) -> None:
        """A caller tests a connection."""
        self.outcomes[connection_id] = outcome
        subject = TestSubject.connection(ORGANIZATION, connection_id)
        identity = TestIdentity(subject, new_id("tst", self.now))
        connection = self.connection(connection_id)
        fingerprint = Fingerprint.of({}, {"number": self.configurations})
        finished = self.finished(connection, fingerprint)
        self.on_demand.record(identity, finished, trigger="manual")

    # ------------------------------------------------------------ what is stored, and shown

    def item(self, connection_id: str) -> Item:
        item = self.table.get(connection_key(ORGANIZATION, connection_id))
        assert item
        return item

    def connection(self, connection_id: str) -> Connection:
        return read_connection(self.item(connection_id))

    def shown_one(self, connection_id: str) -> Connection:
        return self.shown.one(self.connection(connection_id), self.now)

    def state(self, connection_id: str) -> HealthState:
        """As it is shown."""
        return HealthState.decode(self.shown_one(connection_id).state)

    def status(self, connection_id: str) -> ConnectionStatus:
        return self.summaries.by_id(ORGANIZATION, SPACE, [connection_id])[connection_id]

    def plans(self) -> list[MonitorPlan]:
        return [
            MonitorPlan.read(item)
            for typed in self.client.scan_items()
            if typed["pk"]["S"].startswith("WHEEL#")
            and (item := self.table.get(Key(typed["pk"]["S"], typed["sk"]["S"])))
        ]
