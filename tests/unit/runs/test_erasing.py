"""A space is erased from the runs that it shares, and the others keep theirs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from patchbay.platform.dynamodb import Table
from patchbay.runs.erasing import erase_from_pool
from patchbay.runs.model import Cell
from patchbay.runs.run_items import runs_of_cell
from tests.simulator.memory_dynamodb import MemoryClient
from tests.unit.runs.recorded_runs import Monitors, connections

ONE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
OTHER = "7d1d5f0c-1111-4222-8333-0123456789ab"
START = datetime(2026, 2, 16, 9, tzinfo=UTC)
POOL = Cell.of_pool(3)


def test_a_space_is_erased_from_the_runs_of_its_pool() -> None:
    client: Any = MemoryClient()
    table = Table("events", client)
    spaces = {ONE: connections(2, "one"), OTHER: connections(1, "other")}
    monitors = Monitors(table, POOL, spaces, START)
    monitors.run_until(START + timedelta(minutes=20))
    monitors.run_once(monitors.now, left_out=[spaces[ONE][0]])
    monitors.run_alone(monitors.now, ONE, spaces[ONE][0])
    first = monitors.key(START).minute
    before = {run.key: run.of_space(OTHER) for run in runs_of_cell(table, POOL, first, first + 60)}

    erased = erase_from_pool(table, POOL, ONE, first, first + 60)

    after = list(runs_of_cell(table, POOL, first, first + 60))
    assert erased == 6
    assert all(run.of_space(ONE) is None for run in after)
    assert {run.key: run.of_space(OTHER) for run in after} == before
    assert erase_from_pool(table, POOL, ONE, first, first + 60) == 0
