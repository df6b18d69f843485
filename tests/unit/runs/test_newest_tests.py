"""The newest tests of connections, and what is left of a space that is erased."""

from datetime import UTC, datetime, timedelta

import pytest

from patchbay.connections.newest_tests import NewestTest
from patchbay.connections.newest_tests import TestedConnection as Asked
from patchbay.connections.plans import Group, PlanPlace
from patchbay.connections.wheel import MonitorInterval, minute_number
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Delete, Table
from patchbay.runs.erasing import SharedRuns, own_partitions
from patchbay.runs.keys import day_key
from patchbay.runs.model import Cell
from patchbay.runs.reader import RunReader
from tests.simulator.memory_dynamodb import MemoryClient
from tests.unit.runs.recorded_runs import Monitors, connections

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
OTHER_SPACE = "c2d1a1de-6f2e-4a1b-8f6e-1f0a4d1f9b11"
OWN, OTHERS = connections(3, of="own"), connections(2, of="other")
STEP = timedelta(minutes=5)
CELLS = {
    "space": (Cell.of_space(SPACE), {SPACE: OWN}),
    "busy": (Cell.of_space(SPACE, at_once=True), {SPACE: OWN}),
    "pool": (Cell.of_pool(3), {SPACE: OWN, OTHER_SPACE: OTHERS}),
}


@pytest.fixture
def table() -> Table:
    return Table("events", MemoryClient())


@pytest.fixture(params=CELLS)
def monitors(request: pytest.FixtureRequest, table: Table) -> Monitors:
    cell, spaces = CELLS[request.param]
    phase = Group(MonitorInterval.FIVE_MINUTES, str(cell)).phase
    start = datetime(2026, 2, 16, 22, 0, tzinfo=UTC) + timedelta(minutes=phase)
    return Monitors(table, cell, spaces, start)


def asked_of(monitors: Monitors, *, planned: bool) -> list[Asked]:
    group = Group(MonitorInterval.FIVE_MINUTES, str(monitors.cell))
    since = 0 if planned else minute_number(monitors.now) + 1
    return [
        Asked(one, SPACE, (PlanPlace(*group.plan_key(one), since),), may_lag=True) for one in OWN
    ]


def expected(monitors: Monitors) -> dict[str, tuple[datetime, int]]:
    """Minute and latency of the newest test of each connection that is no platform fault."""
    newest: dict[str, tuple[datetime, int]] = {}
    for event in reversed(monitors.of_space(SPACE)):
        if not event.platform_fault and event.connection_id and event.duration_ms is not None:
            newest[event.connection_id] = event.occurred_at, event.duration_ms
    return newest


def figures(found: dict[str, NewestTest]) -> dict[str, tuple[datetime, int]]:
    return {connection_id: (one.at, one.latency_ms) for connection_id, one in found.items()}


@pytest.mark.parametrize("planned", [True, False])
def test_the_newest_test_is_found_while_it_runs_and_long_after(
    table: Table, monitors: Monitors, planned: bool
) -> None:
    reader = RunReader(table)
    for _ in range(9):
        monitors.run_until(monitors.now + STEP)
        asked = asked_of(monitors, planned=planned)
        assert figures(reader.newest(asked, monitors.now)) == expected(monitors)
    # One that was put off
    monitors.run_once(monitors.now, left_out=[OWN[1]])
    monitors.run_alone(monitors.now, SPACE, OWN[1])
    # When its space is paused
    for ago in (timedelta(minutes=2), timedelta(hours=1), timedelta(days=1), timedelta(days=80)):
        monitors.now += ago
        monitors.close_days()
        asked = asked_of(monitors, planned=planned)
        assert figures(reader.newest(asked, monitors.now)) == expected(monitors)


def test_a_connection_whose_tests_are_stored_with_it_is_not_looked_for(table: Table) -> None:
    item = {"id": OWN[0], "space_id": SPACE, "state": {"seen": 10}}
    assert Asked.of_item(item) is None
    place = PlanPlace("WHEEL#5m#1", f"0000#p3#0#{OWN[0]}", 7)
    planned = Asked.of_item({**item, "plans": [list(place)], "planned_from": 7})
    assert planned == Asked(OWN[0], SPACE, (place,), may_lag=True, written_until=7)
    unsteady = Asked.of_item({**item, "plans": [list(place)], "state": {"seen": 9}})
    assert unsteady == Asked(OWN[0], SPACE, (place,), may_lag=False)


@pytest.mark.parametrize("closed", [False, True])
def test_an_erased_space_is_taken_out_of_the_runs_of_a_pool(table: Table, closed: bool) -> None:
    monitors = Monitors(table, *CELLS["pool"], datetime(2026, 2, 16, 10, 0, tzinfo=UTC))
    monitors.run_until(monitors.now + timedelta(hours=2))
    if closed:
        monitors.now += timedelta(days=1)
        monitors.close_days()
    kept = monitors.of_space(OTHER_SPACE)
    key = day_key(SPACE, monitors.key(kept[0].occurred_at).day)
    item = table.get(key)
    assert item

    # When it is interrupted, and goes on
    erasing = SharedRuns(table, SPACE, item).erase()
    before = sum(next(erasing) for _ in range(11))
    after = sum(SharedRuns(table, SPACE, item).erase())
    assert before > 0
    assert before + after == len(kept) // len(OTHERS)
    assert sum(SharedRuns(table, SPACE, item).erase()) == 0

    # Then nothing of it is in the pool, and everything of the other is
    for run in table.query_all("POOL#3#R"):
        assert bytes.fromhex(SPACE.replace("-", "")) not in run["b"]
    table.write(Delete(key))
    for pk in own_partitions(SPACE):
        for left in table.query_all(pk):
            assert closed
            assert left["pk"].endswith("#S")
    events = EventStore(table, 35, RunReader(table))
    page = events.list_events(OTHER_SPACE, now=monitors.now, limit=100)
    assert page.items == kept
    assert events.list_events(SPACE, now=monitors.now, limit=100).items == []
