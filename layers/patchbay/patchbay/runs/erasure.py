"""Taking a space out of the runs: what is its own, and what it has in runs of a pool.

A run of a pool has tests of several spaces. Those of an erased one are taken out of it: the run
stays under its key, as the others in it are counted by it, and as the key must not be put again.
"""

from collections.abc import Iterator

from patchbay.platform.dynamodb import ConditionFailed, Item, Key, Put, Table, equals
from patchbay.runs.codec import decode_run, encode_run, spaces_in
from patchbay.runs.day import OpenDay, read_day, read_hours
from patchbay.runs.keys import (
    hours_key,
    note_key,
    read_run_key,
    runs_between,
    runs_pk,
    segments_pk,
)
from patchbay.runs.model import MINUTES_OF_DAY, Cell, CellKind, Run


def own_partitions(space_id: str) -> list[str]:
    """The partitions that have runs and segments of one space alone."""
    cells = (Cell.of_space(space_id), Cell.of_space(space_id, at_once=True))
    return [*map(runs_pk, cells), segments_pk(space_id)]


class SharedRuns:
    """What a space shares with others on one of its days."""

    def __init__(self, table: Table, space_id: str, item: Item) -> None:
        """`item` is the day as it is stored."""
        self._table = table
        self._space_id = space_id
        self._day = read_day(space_id, item)

    def cells(self) -> list[Cell]:
        """Where the runs of the space on this day are, or were."""
        if isinstance(self._day, OpenDay):
            return self._day.cells
        item = self._table.get(hours_key(self._space_id, self._day.day))
        names = {series.cell for series in read_hours(self._space_id, item).bits} if item else set()
        return [Cell.of_name_within(self._space_id, name) for name in sorted(names)]

    def notes(self) -> list[Key]:
        """The fold notes that name the space on this day."""
        return [note_key(cell, self._space_id, self._day.day) for cell in self.cells()]

    def strip(self) -> Iterator[int]:
        """Takes the space out of the runs of pools. Yields 1 for each run that had it, and 0 for
        any other, so that the caller may stop in between: repeating it goes on."""
        first = self._day.day * MINUTES_OF_DAY
        for cell in self.cells():
            if cell.kind is not CellKind.POOL:
                continue
            between = runs_between(first, first + MINUTES_OF_DAY - 1)
            for item in self._table.query_all(runs_pk(cell), between=between):
                yield self._stripped(cell, item)

    def _stripped(self, cell: Cell, item: Item) -> int:
        key = read_run_key(cell, item["sk"])
        if self._space_id not in spaces_in(key, item["b"]):
            return 0
        run = decode_run(key, item["b"])
        others = {one: entries for one, entries in run.entries.items() if one != self._space_id}
        left = {**item, "b": encode_run(Run(key, others))}
        try:
            self._table.write(Put(left, equals("b", item["b"])))
        except ConditionFailed as failed:
            # Another erasure took its own space out.
            return self._stripped(cell, failed.item) if failed.item else 0
        return 1
