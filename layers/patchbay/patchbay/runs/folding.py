"""Closing the days that are over: all runs counted, the entries in segments, two small items left.

The fold notes say which spaces had runs in which cell on a day. Those of a lane are read oldest
first. Days of one cell are closed together, as a pool's runs are read once for all its spaces:

1. The days are read, then all runs of the day, of each cell that a day names.
2. The entries of a space are written as chunks, whose keys have an id of this closing.
3. One transaction, on the condition that the day is still as it was read, writes its counts, its
   hours, and the id of the closing. Until then, nobody reads the chunks.
4. The notes are deleted, unless one was put again in between.

A closing that is interrupted or refused leaves chunks that no day names: they are deleted or
expire. A run that came in between, and is not in the chunks, changes the day, so that the closing
is refused, or is counted after the closing, with a chunk of its own.
"""

import heapq
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final

from patchbay.connections.wheel import minute_number
from patchbay.health.shards import LANES, spread_days_pk
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import (
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    equals,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import log_exception, logger
from patchbay.runs.day import ClosedDay, OpenDay, SpaceRun, closed, read_day
from patchbay.runs.keys import (
    chunk_key,
    chunks_of_closing,
    day_key,
    day_text,
    notes_until,
    read_note_key,
    segments_pk,
)
from patchbay.runs.model import MINUTES_OF_DAY, Cell, start_of_day
from patchbay.runs.run_items import RunItem, runs_of_cell
from patchbay.runs.segments import DaySegment, chunk_item

CLOSED_AFTER: Final = 70
"""Minutes after the end of a day. A delivery that comes later has the price of a transaction."""

_MOST_COLLECTED: Final = 400_000
"""Entries that are collected before chunks of them are written, some 10 MB: a busy day has several
parts, each with all connections and a stretch of time."""
_LANES_AT_ONCE: Final = 4


@dataclass(slots=True)
class Closings:
    """What the closing did: how many groups of days of one cell it closed, what is left, and what
    failed. `oldest` is the first day that is over and has notes left."""

    closed: int = 0
    oldest: int | None = None
    unexpected: list[Exception] = field(default_factory=list)

    def lag(self, now: datetime) -> timedelta:
        """How long the oldest day that is not closed has been over; zero if there is none."""
        return timedelta(0) if self.oldest is None else now - start_of_day(self.oldest + 1)


@dataclass(frozen=True, slots=True)
class _Note:
    key: Key
    put: str
    day: int
    cell: Cell
    space_id: str


class DayCloser:
    """Closes the days of all spaces. `kept` is how long segments are stored."""

    def __init__(self, table: Table, clock: Clock, kept: timedelta) -> None:
        self._table = table
        self._clock = clock
        self._kept = kept

    def run(self, budget: timedelta) -> Closings:
        """Closes the days that are over, oldest first in each lane, until `budget` is used."""
        last, until = self.last_over(), self._clock() + budget
        with ThreadPoolExecutor(_LANES_AT_ONCE) as lanes:
            done = list(lanes.map(lambda lane: self.close_lane(lane, last, until), range(LANES)))
        return Closings(
            sum(one.closed for one in done),
            min((one.oldest for one in done if one.oldest is not None), default=None),
            [error for one in done for error in one.unexpected],
        )

    def last_over(self) -> int:
        """The last day that can be closed now."""
        return (minute_number(self._clock()) - CLOSED_AFTER) // MINUTES_OF_DAY - 1

    def close_lane(self, lane: int, last: int, until: datetime) -> Closings:
        """Closes the days of one lane up to the day `last`, included."""
        done = Closings()
        for (day, cell), notes in groupby(self._notes(lane, last), lambda n: (n.day, n.cell)):
            left: Sequence[_Note] = list(notes)
            if self._clock() <= until:
                try:
                    left = self.close(cell, day, left)
                except TemporarilyUnavailable:
                    logger.warning("closing postponed", cell=str(cell), day=day_text(day))
                except Exception as error:
                    log_exception("closing failed", error, cell=str(cell), day=day_text(day))
                    done.unexpected.append(error)
                else:
                    done.closed += not left
            if left:
                done.oldest = min(day, day if done.oldest is None else done.oldest)
            if self._clock() > until:
                break
        return done

    def close(self, cell: Cell, day: int, notes: Sequence[_Note]) -> list[_Note]:
        """Closes the days of the spaces that have a note of this cell. Returns what is left."""
        keys = {day_key(note.space_id, day): note.space_id for note in notes}
        items = self._table.get_all(keys)
        found = [read_day(keys[key], item) for key, item in items.items()]
        waiting = [one for one in found if isinstance(one, OpenDay)]
        alone = [one for one in waiting if one.cells != [cell]]
        together = [one for one in waiting if one.cells == [cell]]
        for group in (together, *([one] for one in alone)):
            self._close_together(group, day)
        # A day that was just closed is looked at again before its note goes.
        settled = {one.space_id for one in found if isinstance(one, ClosedDay)}
        absent = set(keys.values()) - {one.space_id for one in found}
        closed_now = self._closed(keys, [one.space_id for one in waiting])
        done = settled | absent | closed_now
        return [note for note in notes if note.space_id not in done or not self._delete(note)]

    def _closed(self, keys: dict[Key, str], space_ids: Iterable[str]) -> set[str]:
        wanted = set(space_ids)
        items = self._table.get_all(key for key, space_id in keys.items() if space_id in wanted)
        return {
            keys[key]
            for key, item in items.items()
            if isinstance(read_day(keys[key], item), ClosedDay)
        }

    def _close_together(self, days: Sequence[OpenDay], day: int) -> None:
        """Closes days whose runs are in the same cells, which are read once."""
        if not days:
            return
        closing = secrets.token_hex(4)
        first, last = day * MINUTES_OF_DAY, (day + 1) * MINUTES_OF_DAY - 1
        runs = heapq.merge(
            *(runs_of_cell(self._table, cell, first, last) for cell in days[0].cells),
            key=lambda run: run.key.minute,
        )
        collected = [_Collected(self._table, one, closing, self._kept) for one in days]
        for run in runs:
            for one in collected:
                one.add(run)
        for one in collected:
            one.close()

    def _delete(self, note: _Note) -> bool:
        try:
            self._table.write(Delete(note.key, equals("put", note.put)))
        except ConditionFailed as failed:
            return failed.item is None
        return True

    def _notes(self, lane: int, last: int) -> Iterator[_Note]:
        pk = spread_days_pk(lane)
        for item in self._table.query_all(pk, between=notes_until(last)):
            day, cell, space_id = read_note_key(item["sk"])
            yield _Note(Key(pk, item["sk"]), item["put"], day, cell, space_id)


class _Collected:
    """A day on its way to be closed."""

    def __init__(self, table: Table, day: OpenDay, closing: str, kept: timedelta) -> None:
        self._table = table
        self._kept = kept
        self._day = day
        self._closing = closing
        self._uncounted: list[SpaceRun] = []
        self._segment = DaySegment(day.day)
        self._parts = 0

    def add(self, run: RunItem) -> None:
        mine = run.of_space(self._day.space_id)
        if mine is None:
            return
        self._segment.add(run.key.minute, mine.entries)
        if not self._day.is_counted(run.key):
            self._uncounted.append(mine)
        if self._segment.entries >= _MOST_COLLECTED:
            self._write_part()

    def close(self) -> None:
        self._write_part()
        day, hours = closed(self._day.counting(self._uncounted), self._closing, self._parts)
        unchanged = equals("rev", self._day.revision)
        try:
            self._table.transact([Put(day.item, unchanged), Put(hours.item)])
        except TransactionRefused as refused:
            if not self._is_ours(refused.failed.get(0)):
                logger.info("closing met a writer", space_id=day.space_id, day=day_text(day.day))
                self._discard()

    def _is_ours(self, item: Item | None) -> bool:
        """Whether it was applied before and only its reply was lost."""
        return item is not None and item.get("closing") == self._closing

    def _write_part(self) -> None:
        if not self._segment.entries:
            return
        for first, chunk in self._segment.chunks():
            key = chunk_key(self._day.space_id, self._day.day, self._closing, self._parts, first)
            self._table.write(Put(chunk_item(key, self._day.day, chunk, self._kept)))
        self._segment = DaySegment(self._day.day)
        self._parts += 1

    def _discard(self) -> None:
        """Deletes the chunks of a closing that did not happen."""
        pk = segments_pk(self._day.space_id)
        between = chunks_of_closing(self._day.day, self._closing)
        for item in self._table.query_all(pk, between=between, attributes=("sk",)):
            self._table.write(Delete(Key(pk, item["sk"])))
