"""What recording, counting, and closing a day of monitors costs, in request units a test.

    PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.runs

The stores of the product run against a DynamoDB in memory for a whole day at 5 minutes, the first
runs with their notes, days, and shapes, the folds, and the closing with its segments included. A
write costs a unit for each KB begun, two in a transaction; a read one for each 4 KB begun. The
bench `monitors` has the other calls of a test, and the price.
"""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from bench.health import item_bytes
from bench.report import Row, table
from patchbay.connections.wheel import minute_number
from patchbay.health.monitor_runs import MonitorRuns
from patchbay.health.periods import sort_keys_since
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Item, Table
from patchbay.platform.ids import ulid_text
from patchbay.runs.folding import DayCloser
from patchbay.runs.model import Cell, Run, RunEntry, RunKey, shape_id
from patchbay.runs.reader import RunReader
from patchbay.runs.segments import kept_for
from patchbay.runs.store import RunStore
from tests.simulator.memory_dynamodb import MemoryClient

DAY: Final = datetime(2026, 2, 16, tzinfo=UTC)
INTERVAL: Final = 5
KEPT: Final = kept_for(35)
READ_BUDGET: Final = 0.4
"""Of the 0.8 read units of a test, what recording and folding may use."""
SUMMARY_BUDGET: Final = 7

_SHAPE: Final = (
    b'{"status":"succeeded","message":"The connection works","steps":"about a kilobyte"}'
)


class Meter(MemoryClient):
    """Counts the units of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.written = self.read = 0.0
        self.queries = 0

    def take(self) -> tuple[float, float]:
        found = self.written, self.read
        self.written = self.read = 0.0
        return found

    def get_item(self, **request: Any) -> Any:
        answer = super().get_item(**request)
        self.read += _read_units([answer["Item"]] if "Item" in answer else [], request)
        return answer

    def batch_get_item(self, **request: Any) -> Any:
        [asked] = request["RequestItems"].values()
        answer = super().batch_get_item(**request)
        [items] = answer["Responses"].values()
        self.read += sum(_read_units([item], asked) for item in items)
        self.read += (len(asked["Keys"]) - len(items)) * _read_units([], asked)
        return answer

    def query(self, **request: Any) -> Any:
        answer = super().query(**request)
        self.read += _read_units(answer["Items"], request)
        self.queries += 1
        return answer

    def _single(self, kind: str, request: Any) -> Any:
        self.written += _write_units(request)
        return super()._single(kind, request)

    def transact_write_items(self, **whole: Any) -> Any:
        for action in whole["TransactItems"]:
            [request] = action.values()
            self.written += 2 * _write_units(request)
        return super().transact_write_items(**whole)


def _read_units(items: list[Any], request: Any) -> float:
    units = max(1, -(-sum(map(item_bytes, items)) // 4096))
    return units if request.get("ConsistentRead") else units / 2


def _write_units(request: Any) -> int:
    return -(-item_bytes(request.get("Item") or request["Key"]) // 1024)


class Monitors:
    """Monitors of one cell for a day. Another `number` is another cell."""

    def __init__(self, spaces: int, connections: int, number: int = 1) -> None:
        self._chance = chance = random.Random(number)  # noqa: S311 - repeatable
        self.meter = Meter()
        client: Any = self.meter
        self.table = Table("events", client)
        self.spaces = {
            str(UUID(bytes=chance.randbytes(16))): [
                f"con_{ulid_text(b'\\x01\\x9b' + chance.randbytes(14))}" for _ in range(connections)
            ]
            for _ in range(spaces)
        }
        self.now = DAY
        self.cell = Cell.of_pool(number) if spaces > 1 else Cell.of_space(next(iter(self.spaces)))
        self.tests = 0
        self._store = RunStore(self.table, lambda: self.now, KEPT)
        self._usual = {
            c: chance.randrange(80, 400) for found in self.spaces.values() for c in found
        }
        self._streak = 20_000

    def record_until(self, end: datetime) -> None:
        while self.now < end:
            key = RunKey(self.cell, minute_number(self.now), f"{INTERVAL}m#0")
            entries = {s: tuple(map(self._entry, found)) for s, found in self.spaces.items()}
            run = Run(key, entries)
            shapes = dict.fromkeys(self._usual, _SHAPE)
            before = key._replace(minute=key.minute - INTERVAL)
            self._store.record(run, shapes, self._store.find([before]).get(before))
            self.tests += len(self._usual)
            self._streak += 1
            self.now += timedelta(minutes=INTERVAL)

    def items(self) -> Iterator[Item]:
        """All that is stored."""
        for pk in {item["pk"]["S"] for item in self.meter.scan_items()}:
            yield from self.table.query_all(pk)

    def close(self) -> None:
        self.now += timedelta(hours=2)
        DayCloser(self.table, lambda: self.now, KEPT).run(timedelta(hours=1))

    def _entry(self, connection_id: str) -> RunEntry:
        latency = self._usual[connection_id] + self._chance.randrange(40)
        times = (0, 0, 0, 0, self._chance.randrange(5, 30), latency - 20, latency, 0)
        return RunEntry(
            connection_id,
            True,
            False,
            0,
            shape_id(_SHAPE),
            self._chance.randrange(50, 9_000),
            latency + 4,
            latency,
            times,
            self._streak,
        )


SHAPES: Final = (
    ("50 a space", 1, 50, 0.1),
    ("5 a space", 1, 5, 0.25),
    ("1 a space, 16 in a pool", 16, 1, 0.3),
    ("1 a space, 32 in a pool", 32, 1, 0.3),
    ("3 a space, 8 in a pool", 8, 3, 0.3),
    # What the first and the last would be without pools.
    ("1 a space, no pool", 1, 1, None),
    ("3 a space, no pool", 1, 3, None),
)


def rows_of_shape(name: str, spaces: int, connections: int, budget: float | None) -> Iterator[Row]:
    monitors = Monitors(spaces, connections)
    monitors.record_until(DAY + timedelta(days=1))
    recorded, read = monitors.meter.take()
    day_items = [i for i in monitors.meter.scan_items() if i["sk"]["S"].endswith("#M")]
    largest = max(map(item_bytes, day_items))
    began = time.process_time()
    monitors.close()
    seconds = time.process_time() - began
    closing, closing_read = monitors.meter.take()
    chunks = [i for i in monitors.meter.scan_items() if i["pk"]["S"].endswith("#S")]
    tests = monitors.tests
    yield Row(f"runs, {name}: a test", (recorded + closing) / tests, "WRU", budget)
    yield Row(f"runs, {name}: of it the closing", closing / tests, "WRU")
    yield Row(f"runs, {name}: CPU of closing, a test", seconds / tests * 1e6, "µs")
    yield Row(f"runs, {name}: a test", (read + closing_read) / tests, "RRU", READ_BUDGET)
    yield Row(f"runs, {name}: a day", largest, "B", 1024)
    yield Row(f"runs, {name}: a segment", sum(map(item_bytes, chunks)) / tests, "B a test", 12)
    yield _summary(name, spaces, connections)


def _summary(name: str, spaces: int, connections: int) -> Row:
    """The worst moment: the last minute before a fold, with the tail of the day before."""
    monitors = Monitors(spaces, connections)
    monitors.record_until(DAY + timedelta(hours=22))
    space_id = next(iter(monitors.spaces))
    most = 0.0
    while monitors.now < DAY + timedelta(hours=25):
        monitors.record_until(monitors.now + timedelta(minutes=INTERVAL))
        monitors.meter.take()
        runs: MonitorRuns = RunReader(monitors.table)
        store = EventStore(monitors.table, 35, runs)
        start = monitors.now.replace(minute=0) - timedelta(days=1)
        store.counts_between(space_id, sort_keys_since(start))
        most = max(most, monitors.meter.take()[1])
    return Row(f"runs, {name}: what a summary reads of two open days", most, "RRU", SUMMARY_BUDGET)


def rows() -> list[Row]:
    return [row for shape in SHAPES for row in rows_of_shape(*shape)]


if __name__ == "__main__":
    print(table(rows()))
