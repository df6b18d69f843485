"""Spaces whose monitors recorded runs, and the same tests as a plain list to compare with."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from patchbay.connections.plans import Group
from patchbay.connections.wheel import MonitorInterval, minute_number
from patchbay.health.model import Event
from patchbay.platform.dynamodb import Table
from patchbay.platform.ids import derived_id
from patchbay.runs.folding import DayCloser
from patchbay.runs.model import Cell, Run, RunEntry, RunKey, TimedEntry, shape_id
from patchbay.runs.reader import event_of
from patchbay.runs.store import RunStore

KEPT = timedelta(days=91)
SHAPE = b'{"test":{}}'
_CODES = (0, 18, 24)


class Recorded(NamedTuple):
    space_id: str
    timed: TimedEntry

    @property
    def event(self) -> Event:
        return event_of(self.space_id, self.timed)


class Monitors:
    """Monitors of one cell in one slot, at a time that moves on."""

    def __init__(
        self,
        table: Table,
        cell: Cell,
        spaces: Mapping[str, Sequence[str]],
        now: datetime,
        interval: MonitorInterval = MonitorInterval.FIVE_MINUTES,
        seed: int = 0,
    ) -> None:
        """`spaces` has the connections of each space."""
        self.cell = cell
        self.spaces = spaces
        self.now = now
        self.recorded: list[Recorded] = []
        self.store = RunStore(table, lambda: self.now, KEPT)
        self.closer = DayCloser(table, lambda: self.now, KEPT)
        self._interval = interval
        self._random = random.Random(seed)  # noqa: S311 - repeatable

    def key(self, at: datetime) -> RunKey:
        return RunKey(self.cell, minute_number(at), Group(self._interval, str(self.cell)).slot)

    def run_once(self, at: datetime, left_out: Sequence[str] = ()) -> None:
        """Records a run of a minute, without some connections. It is late if that is long ago."""
        run = Run(
            self.key(at),
            {
                space_id: entries
                for space_id, connections in self.spaces.items()
                if (entries := tuple(self.entry(c) for c in connections if c not in left_out))
            },
        )
        self._record(run, self.store.record(run, _shapes(run), self._before(run)).entries)

    def run_alone(self, at: datetime, space_id: str, connection_id: str) -> None:
        """Records one connection's test, which the run of its group lacks."""
        run = Run(self.key(at), {space_id: (self.entry(connection_id),)})
        self._record(run, self.store.record(run, _shapes(run), self._before(run)).entries)

    def run_until(self, end: datetime) -> None:
        """Records a run every interval until a time."""
        step = self._interval.duration
        while self.now < end:
            self.run_once(self.now.replace(second=0, microsecond=0))
            self.now += step

    def close_days(self) -> None:
        self.closer.run(timedelta(minutes=5))

    def of_space(self, space_id: str) -> list[Event]:
        """The events of a space, newest first."""
        events = [one.event for one in self.recorded if one.space_id == space_id]
        return sorted(events, key=lambda event: (event.occurred_at, event.id), reverse=True)

    def entry(self, connection_id: str) -> RunEntry:
        code = self._random.choice(_CODES)
        latency = self._random.randrange(1, 3000)
        return RunEntry(
            connection_id=connection_id,
            passed=not code,
            fault=self._random.random() < 0.1 and bool(code),
            code=code,
            shape=shape_id(SHAPE),
            start_ms=self._random.randrange(2000),
            took_ms=latency + 3,
            latency_ms=latency,
            times=(1, 2, latency),
            streak=1,
            extra=b"[]",
        )

    def _before(self, run: Run) -> Run | None:
        key = run.key._replace(minute=run.key.minute - self._interval.minutes)
        return self.store.find([key]).get(key)

    def _record(self, run: Run, stands: dict[str, RunEntry]) -> None:
        for space_id, entry in run.all_entries():
            timed = TimedEntry(run.key.minute, stands[entry.connection_id])
            self.recorded.append(Recorded(space_id, timed))


def connections(number: int, of: str) -> list[str]:
    """Ids that are the same in each run of the tests."""
    at = datetime(2026, 2, 1, tzinfo=UTC)
    return [derived_id("con", at, of, str(n)) for n in range(number)]


def _shapes(run: Run) -> dict[str, bytes]:
    return {entry.connection_id: SHAPE for _, entry in run.all_entries()}
