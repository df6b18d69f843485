"""Erasing a space from the runs of a pool. All other runs of a space are under its own keys."""

from collections.abc import Iterator
from typing import Final

from patchbay.platform.dynamodb import ConditionFailed, Item, Key, Put, Table, equals
from patchbay.runs.day import OpenDay, read_day, read_hours
from patchbay.runs.keys import hours_key, note_key, runs_pk, segments_pk
from patchbay.runs.model import MINUTES_OF_DAY, Cell, CellKind, Run
from patchbay.runs.run_items import RunItem, runs_of_cell

_AT_ONCE: Final = 60
"""Minutes of a pool after which an erasure may stop."""


def own_partitions(space_id: str) -> list[str]:
    """The partitions that have runs and segments of one space alone."""
    cells = (Cell.of_space(space_id), Cell.of_space(space_id, at_once=True))
    return [*map(runs_pk, cells), segments_pk(space_id)]


class SharedRuns:
    """What a space shares with others on one of its days; `item` is the day as it is stored."""

    def __init__(self, table: Table, space_id: str, item: Item) -> None:
        self._table = table
        self._space_id = space_id
        self._day = read_day(space_id, item)

    def cells(self) -> list[Cell]:
        """Where the runs of the space on this day are, or were."""
        if isinstance(self._day, OpenDay):
            return self._day.cells
        item = self._table.get(hours_key(self._space_id, self._day.day))
        return read_hours(self._space_id, item).cells if item else []

    def notes(self) -> list[Key]:
        """The fold notes that name the space on this day."""
        return [note_key(cell, self._space_id, self._day.day) for cell in self.cells()]

    def erase(self) -> Iterator[int]:
        """Erases the space from the runs of pools, an hour at a time. Yields how many had it."""
        start = self._day.day * MINUTES_OF_DAY
        for cell in self.cells():
            if cell.kind is not CellKind.POOL:
                continue
            for first in range(start, start + MINUTES_OF_DAY, _AT_ONCE):
                last = first + _AT_ONCE - 1
                yield erase_from_pool(self._table, cell, self._space_id, first, last)


def erase_from_pool(table: Table, pool: Cell, space_id: str, first: int, last: int) -> int:
    """Takes the entries of a space out of the pool's runs of these minutes, ends included.

    Returns how many runs had any. A run stays, without entries if there are no others, so that what
    was recorded is not recorded again. May be repeated.
    """
    erased = 0
    for item in runs_of_cell(table, pool, first, last):
        left: RunItem | None = item
        while left and space_id in left.spaces:
            left = _without(table, left, space_id)
            erased += left is None
    return erased


def _without(table: Table, item: RunItem, space_id: str) -> RunItem | None:
    """None if it was written; otherwise the run as another erasure left it."""
    run = item.run
    others = {name: entries for name, entries in run.entries.items() if name != space_id}
    put = RunItem.of(Run(run.key, others)).put
    try:
        table.write(Put(put.item, equals("b", item.packed)))
    except ConditionFailed as failed:
        return RunItem.read(run.key.cell, failed.item) if failed.item else None
    return None
