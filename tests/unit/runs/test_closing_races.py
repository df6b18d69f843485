"""A day changes just as the closing writes it, or deletes the note that led there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patchbay.connections.wheel import minute_number
from patchbay.health.shards import LANES
from patchbay.platform.dynamodb import Table
from patchbay.runs.day import ClosedDay, OpenDay, read_day
from patchbay.runs.folding import DayCloser, _Collected
from patchbay.runs.keys import chunks_of_closing, day_key, segments_pk
from patchbay.runs.model import Cell, Run, RunEntry, RunKey, shape_id
from patchbay.runs.segments import decode_chunk
from patchbay.runs.store import RunStore
from tests.simulator.memory_dynamodb import MemoryClient
from tests.simulator.runs_mutants import RARE, SHARED_CHUNKS, RuleBroken, broken

SPACE = "7d1d5f0c-1111-4222-8333-0123456789ab"
CONNECTION = "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"
MINUTE = datetime(2026, 2, 16, 9, tzinfo=UTC)
NOW = datetime(2026, 2, 17, 5, tzinfo=UTC)
SHAPE = b"{}"


class Race:
    """A run of a space, and the closing of its day, which meets it at some points."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client: Any = MemoryClient()
        self.table = Table("events", client)
        self._patch = monkeypatch

    def record(self, now: datetime = NOW, minute: datetime = MINUTE) -> None:
        entry = RunEntry(CONNECTION, True, False, 0, shape_id(SHAPE), 1, 2, 3, (), 1)
        run = Run(RunKey(Cell.of_pool(1), minute_number(minute), "5m#0"), {SPACE: (entry,)})
        self._store(now).record(run, {CONNECTION: SHAPE})

    def fold(self) -> None:
        minute = minute_number(NOW)
        self._store().fold(Cell.of_pool(1), [SPACE], minute, minute_number(MINUTE))

    def close(self) -> None:
        closer = DayCloser(self.table, lambda: NOW, timedelta(days=91))
        for lane in range(LANES):
            closer.close_lane(lane, closer.last_over(), NOW + timedelta(hours=1))

    def before_deleting(self, work: Callable[[], None]) -> None:
        """Does the work when the closing has read all and is about to delete a note."""
        delete = DayCloser._delete

        def later(closer: DayCloser, note: Any) -> bool:
            self._patch.setattr(DayCloser, "_delete", delete)
            work()
            return delete(closer, note)

        self._patch.setattr(DayCloser, "_delete", later)

    def before_closing(self, work: Callable[[], None]) -> None:
        """Does the work when the closing has read a day and is about to write it."""
        close = _Collected.close

        def later(collected: _Collected) -> None:
            self._patch.setattr(_Collected, "close", close)
            work()
            close(collected)

        self._patch.setattr(_Collected, "close", later)

    def at_first_day(self, work: Callable[[Callable[[], None]], None]) -> None:
        """Does the work when the recorder is about to write its first day, and passes it that."""
        write = RunStore._write_day

        def later(store: RunStore, day: OpenDay) -> None:
            self._patch.setattr(RunStore, "_write_day", write)
            work(lambda: write(store, day))

        self._patch.setattr(RunStore, "_write_day", later)

    @property
    def closed(self) -> bool:
        key = day_key(SPACE, minute_number(MINUTE) // 1440)
        item = self.table.get(key)
        return item is not None and isinstance(read_day(SPACE, item), ClosedDay)

    @property
    def in_segments(self) -> int:
        """How many tests the segments of the closed day have."""
        item = self.table.get(day_key(SPACE, minute_number(MINUTE) // 1440))
        assert item
        day = read_day(SPACE, item)
        assert isinstance(day, ClosedDay)
        chunks = self.table.query_all(
            segments_pk(SPACE), between=chunks_of_closing(day.day, day.closing)
        )
        found = (rows for one in chunks for rows in decode_chunk(day.day, one["b"]).values())
        return sum(map(len, found))

    def put_note(self) -> None:
        self._store()._put_note(SPACE, Cell.of_pool(1), minute_number(MINUTE) // 1440)

    def _store(self, now: datetime = NOW) -> RunStore:
        return RunStore(self.table, lambda: now, timedelta(days=91))


def recorded_before_the_note_goes(race: Race) -> None:
    """A first delivery has ended after its note; the second records while the closing runs."""
    race.put_note()
    race.before_deleting(race.record)
    race.close()


def opened_before_the_note_goes(race: Race) -> None:
    """The closing reads between the note and the day, and deletes the note after the day is there,
    before the run is."""

    def closing(write_day: Callable[[], None]) -> None:
        race.before_deleting(write_day)
        race.close()

    race.at_first_day(closing)
    race.record()


def folded_before_it_is_closed(race: Race) -> None:
    """A fold changes the day, so that the closing is refused."""
    race.record(MINUTE)
    race.before_closing(race.fold)
    race.close()


RACES = (recorded_before_the_note_goes, opened_before_the_note_goes, folded_before_it_is_closed)


@pytest.mark.parametrize("interleaved", RACES)
def test_the_next_closing_finds_the_day(
    monkeypatch: pytest.MonkeyPatch, interleaved: Callable[[Race], None]
) -> None:
    race = Race(monkeypatch)

    interleaved(race)

    assert not race.closed
    race.close()
    assert race.closed


@pytest.mark.parametrize(("rule", "interleaved"), list(zip(RARE, RACES, strict=True)))
def test_without_the_rule_nobody_finds_it(
    monkeypatch: pytest.MonkeyPatch, rule: RuleBroken, interleaved: Callable[[Race], None]
) -> None:
    race = Race(monkeypatch)

    with broken(rule):
        interleaved(race)

    race.close()
    assert not race.closed


def closed_twice(race: Race) -> None:
    """A closing has read a day. A late run comes, and another closing closes the day with it."""

    def another() -> None:
        race.record(minute=MINUTE + timedelta(minutes=5))
        race.close()

    race.record(MINUTE)
    race.before_closing(another)
    race.close()


def test_the_slower_of_two_closings_leaves_the_segments_of_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    race = Race(monkeypatch)

    closed_twice(race)

    assert race.in_segments == 2
    with broken(SHARED_CHUNKS):
        race = Race(monkeypatch)
        closed_twice(race)
        assert race.in_segments == 1
