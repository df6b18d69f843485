"""Recording runs and counting them, exactly once whatever is repeated or cut off.

1. Before the first run of a cell on a day, each of its spaces has a fold note and a day that names
   the cell. Shapes are stored before a run that uses them.
2. A run is put once. A worker that finds one there takes it for the truth: a test that it lacks
   becomes a single, put once under a key of its own, and only after the run of its group stands.
3. A run that stands late is counted at once, in the write that sets its bit, before its message is
   acknowledged. So is each run of a busy cell. All others are counted by a fold.
4. A fold takes the runs of a cell that are older than `GRACE` into the days of their spaces. A run
   that it can miss stands late, and is counted at once.

A write that was applied and whose reply was lost meets itself when it is repeated: a run finds its
own entries, and a count finds its bit.
"""

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Final

from patchbay.connections.wheel import minute_number
from patchbay.health.shards import BUCKETS_KEPT
from patchbay.platform.clock import Clock, epoch_seconds
from patchbay.platform.dynamodb import (
    ABSENT,
    Condition,
    ConditionFailed,
    Item,
    Put,
    Table,
    TransactionRefused,
    equals,
    pause_seconds,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.runs.day import (
    GRACE,
    LATE,
    ClosedDay,
    OpenDay,
    SpaceRun,
    read_day,
    read_hours,
)
from patchbay.runs.keys import (
    day_key,
    hours_key,
    late_chunk_key,
    note_key,
    shape_key,
)
from patchbay.runs.model import (
    MINUTES_OF_DAY,
    Cell,
    CellKind,
    Run,
    RunEntry,
    RunKey,
    TimedEntry,
    interval_of,
    start_of_day,
)
from patchbay.runs.run_items import RUNS_KEPT, RunItem, runs_at, runs_of_cell
from patchbay.runs.segments import chunk_item, encode_chunk

SHAPES_KEPT: Final = timedelta(days=94)
"""From the last time that a shape was stored, which is at most a day before it was used. The
history of tests, which shows shapes, goes back 90 days."""

MOST_LATE: Final = timedelta(days=3)
"""A run is recorded at most so long after its minute. One that stands is stored for a day longer,
so that a repetition finds it."""

_ATTEMPTS: Final = 10
_TAIL_BYTES: Final = 6_000
_POOL_TAIL_BYTES: Final = 12_000
"""A fold is due when the runs since the last one have this size. A fold of a pool writes a day for
each space, so it is rarer."""
_POOL_MINUTES: Final = 90
"""A pool's tail is at most this long, as other spaces of the pool may fill it."""
_MOST_RUNS: Final = 64


class RunTooLate(Exception):
    """The run's minute is too long ago: it is not recorded."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What stands after `record`: the run of the group, and singles of what it lacks."""

    run: Run
    singles: tuple[Run, ...] = ()

    @property
    def entries(self) -> dict[str, RunEntry]:
        """What stands, by connection."""
        found = dict(self.run.by_connection)
        for single in self.singles:
            found |= single.by_connection
        return found


class RunStore:
    """The runs of cells and the counts of their spaces' days.

    `kept` is how long segments are stored (`segments.kept_for`).
    """

    def __init__(self, table: Table, clock: Clock, kept: timedelta) -> None:
        self._table = table
        self._clock = clock
        self._kept = kept

    def find(self, keys: Iterable[RunKey]) -> dict[RunKey, Run]:
        """The runs that stand under these keys, read together."""
        return runs_at(self._table, keys)

    def newest_before(self, key: RunKey) -> Run | None:
        """The newest run of a group before this one that is still stored."""
        first = key.minute - RUNS_KEPT // timedelta(minutes=1)
        runs = runs_of_cell(self._table, key.cell, first, key.minute - 1, newest_first=True)
        return next((one.run for one in runs if one.key.series == key.series), None)

    def record(
        self, run: Run, shapes: Mapping[str, bytes], previous: Run | None = None
    ) -> Recorded:
        """Records the tests of a group; counted exactly once. Returns what stands.

        `shapes` has the content of the shape of each entry by connection; `previous` has the
        entries of one interval before, those of singles too. Raises `TemporarilyUnavailable`, and
        then may be repeated, with other entries too. Raises `RunTooLate`.
        """
        self._prepare(run, shapes, previous)
        item, stands = self._put_once(run)
        self._count_if_due(stands)
        singles = self._put_singles(run.without(stands.by_connection))
        self._fold_if_due(stands, len(item.packed))
        return Recorded(stands, singles)

    def settle(self, runs: Iterable[Run]) -> None:
        """Counts runs that stand, if that can't wait: who put them may have died before."""
        for run in runs:
            self._count_if_due(run)

    def count(self, run: Run) -> None:
        """Counts a run in the days of all its spaces, if it is not counted yet."""
        for space_id, entries in run.entries.items():
            self._count(space_id, SpaceRun(run.key, entries))

    def fold(self, cell: Cell, space_ids: Iterable[str], minute: int, since: int) -> None:
        """Takes the runs of a cell up to `GRACE` before `minute`, which is now, into the days of
        these spaces, of the days since another minute."""
        upto = minute - GRACE
        spaces = list(space_ids) if cell.space_id is None else [cell.space_id]
        for day in range(min(since, upto) // MINUTES_OF_DAY, upto // MINUTES_OF_DAY + 1):
            self._fold_day(cell, spaces, day, upto)

    # ------------------------------------------------------------ before a run

    def _prepare(self, run: Run, shapes: Mapping[str, bytes], previous: Run | None) -> None:
        if self._minute() - run.key.minute > MOST_LATE // timedelta(minutes=1):
            raise RunTooLate
        known = previous if previous and previous.key.day == run.key.day else None
        for space_id in run.entries:
            if known is None or space_id not in known.entries:
                self._announce(space_id, run.key)
        before = previous.by_connection if previous else {}
        for _, entry in run.all_entries():
            last = before.get(entry.connection_id)
            if (
                previous is None
                or last is None
                or last.shape != entry.shape
                or _is_renewed(entry.connection_id, previous.key.minute, run.key.minute)
            ):
                self._put_shape(entry, shapes[entry.connection_id])

    def _announce(self, space_id: str, key: RunKey) -> None:
        """Says that a space has runs in this cell on this day."""
        self._put_note(space_id, key.cell, key.day)
        item: Item | None = None
        for attempt in range(_ATTEMPTS):
            day = read_day(space_id, item) if item else OpenDay.begin(space_id, key.day)
            if isinstance(day, ClosedDay) or key.cell.within_space in day.through:
                return
            try:
                self._write_day(day.with_cell(key.cell, key.minute))
            except ConditionFailed as failed:
                item = failed.item
                _wait(attempt)
            else:
                return
        raise TemporarilyUnavailable

    def _put_note(self, space_id: str, cell: Cell, day: int) -> None:
        note: Item = {
            **note_key(cell, space_id, day)._asdict(),
            # A closing deletes the note only with the value that it read.
            "put": secrets.token_hex(4),
            "expires_at": epoch_seconds(start_of_day(day), BUCKETS_KEPT),
        }
        self._table.write(Put(note))

    def _put_shape(self, entry: RunEntry, content: bytes) -> None:
        item: Item = {
            **shape_key(entry.connection_id, entry.shape)._asdict(),
            "shape": content,
            "expires_at": epoch_seconds(self._clock(), SHAPES_KEPT),
        }
        self._table.write(Put(item))

    # ------------------------------------------------------------ the run

    def _put_once(self, run: Run) -> tuple[RunItem, Run]:
        """The run that stands: this one, or the one that was there."""
        item = RunItem.of(run)
        try:
            self._table.write(item.put)
        except ConditionFailed as failed:
            if failed.item is None:
                raise TemporarilyUnavailable from None
            item = RunItem.read(run.key.cell, failed.item)
            return item, item.run
        return item, run

    def _put_singles(self, run: Run) -> tuple[Run, ...]:
        found = []
        for space_id, entry in run.all_entries():
            key = run.key.of_connection(entry.connection_id)
            _, stands = self._put_once(Run(key, {space_id: (entry,)}))
            self._count_if_due(stands)
            found.append(stands)
        return tuple(found)

    # ------------------------------------------------------------ counting

    def _count_if_due(self, run: Run) -> None:
        """The clock is read after the run was put: a fold that passes this minute, at least
        `GRACE` after it, has seen the run, or it is late here."""
        if run.key.cell.at_once or self._minute() - run.key.minute >= LATE:
            self.count(run)

    def _count(self, space_id: str, run: SpaceRun) -> None:
        item = self._table.get(day_key(space_id, run.key.day))
        for attempt in range(_ATTEMPTS):
            day = read_day(space_id, item) if item else OpenDay.begin(space_id, run.key.day)
            if isinstance(day, ClosedDay):
                if self._count_after_closing(day, run):
                    return
                item = self._table.get(day_key(space_id, run.key.day))
            else:
                if self._count_open(day, run):
                    self._remind(space_id, run.key)
                    return
                item = self._table.get(day_key(space_id, run.key.day))
            _wait(attempt)
        raise TemporarilyUnavailable

    def _count_open(self, day: OpenDay, run: SpaceRun) -> bool:
        """Whether the run is counted; False if another writer changed the day."""
        if day.is_counted(run.key):
            return True
        if run.key.cell.within_space not in day.through:
            day = day.with_cell(run.key.cell, run.key.minute)
        try:
            self._write_day(day.counting([run]))
        except ConditionFailed:
            return False
        return True

    def _remind(self, space_id: str, key: RunKey) -> None:
        """Puts the note again if the day is over, so that the day is closed.

        A closing that did not see the run may be about to delete the note.
        """
        if self._minute() >= (key.day + 1) * MINUTES_OF_DAY:
            self._put_note(space_id, key.cell, key.day)

    def _count_after_closing(self, day: ClosedDay, run: SpaceRun) -> bool:
        """As `_count_open`. What was recorded after the closing has a segment chunk of its own."""
        item = self._table.get(hours_key(day.space_id, day.day))
        if item is None:
            return False
        hours = read_hours(day.space_id, item)
        if hours.is_counted(run.key):
            return True
        if hours.revision != day.revision:
            return False
        late = [TimedEntry(run.key.minute, entry) for entry in run.entries]
        key = late_chunk_key(day.space_id, run.key)
        unchanged = equals("rev", day.revision)
        try:
            self._table.transact(
                [
                    Put(day.counting([run]).item, unchanged),
                    Put(hours.counting([run]).item, unchanged),
                    Put(chunk_item(key, day.day, encode_chunk(day.day, late), self._kept)),
                ]
            )
        except TransactionRefused:
            return False
        return True

    # ------------------------------------------------------------ folding

    def _fold_if_due(self, run: Run, size: int) -> None:
        """A fold that fails is left to the next one, or to the closing of the day."""
        interval = interval_of(run.key.slot).minutes
        every = runs_between_folds(run.key.cell, interval, size)
        if run.key.cell.at_once or run.key.minute // interval % every:
            return
        try:
            now = self._minute()
            self.fold(run.key.cell, run.entries, now, now - GRACE - every * interval)
        except TemporarilyUnavailable:
            logger.warning("fold postponed", cell=str(run.key.cell))

    def _fold_day(self, cell: Cell, space_ids: Iterable[str], day: int, upto: int) -> None:
        last = min(upto, (day + 1) * MINUTES_OF_DAY - 1)
        days = [
            found
            for found in self._open_days(space_ids, day)
            if found.through.get(cell.within_space, last) < last
        ]
        if not days:
            return
        first = min(found.through[cell.within_space] for found in days) + 1
        runs = list(runs_of_cell(self._table, cell, first, last))
        for found in days:
            mine = [of for run in runs if (of := run.of_space(found.space_id))]
            self._pass(found, mine, cell, last)

    def _open_days(self, space_ids: Iterable[str], day: int) -> list[OpenDay]:
        """The days are read before the runs: a run that is counted in between changes its day."""
        keys = {day_key(space_id, day): space_id for space_id in space_ids}
        items = self._table.get_all(keys)
        found = [read_day(keys[key], item) for key, item in items.items()]
        return [day for day in found if isinstance(day, OpenDay)]

    def _pass(self, day: OpenDay, runs: Iterable[SpaceRun], cell: Cell, last: int) -> None:
        for attempt in range(_ATTEMPTS):
            if day.through.get(cell.within_space, last) >= last:
                return
            tail = [run for run in runs if day.is_in_tail(run.key)]
            try:
                self._write_day(day.counting(tail).passing(cell, last))
            except ConditionFailed as failed:
                standing = read_day(day.space_id, failed.item) if failed.item else None
                if not isinstance(standing, OpenDay):
                    return
                day = standing
                _wait(attempt)
            else:
                return

    def _write_day(self, day: OpenDay) -> None:
        self._table.write(Put(day.item, _as_read(day.revision)))

    def _minute(self) -> int:
        return minute_number(self._clock())


def runs_between_folds(cell: Cell, interval: int, size: int) -> int:
    """Each how-many-th run of a slot folds, by the minutes of its interval and its own bytes."""
    if cell.kind is CellKind.POOL:
        most = min(_POOL_TAIL_BYTES // max(size, 1), _POOL_MINUTES // interval)
    else:
        most = _TAIL_BYTES // max(size, 1)
    return max(1, min(most, _MOST_RUNS))


def _as_read(revision: int) -> Condition:
    return equals("rev", revision) if revision else ABSENT


def _is_renewed(connection_id: str, before: int, minute: int) -> bool:
    """Whether a shape that is still in use is stored again: once a day, at a time of day that
    differs between connections."""
    offset = int.from_bytes(blake2b(connection_id.encode(), digest_size=4).digest())
    return (before + offset) // MINUTES_OF_DAY != (minute + offset) // MINUTES_OF_DAY


def _wait(attempt: int) -> None:
    time.sleep(pause_seconds(attempt))
