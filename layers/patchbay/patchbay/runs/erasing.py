"""Erasing a space from the runs of a pool. All other runs of a space are under its own keys."""

from patchbay.platform.dynamodb import ConditionFailed, Put, Table, equals
from patchbay.runs.model import Cell, Run
from patchbay.runs.run_items import RunItem, runs_of_cell


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
