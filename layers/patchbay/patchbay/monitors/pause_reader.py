"""Finds what is paused among the plans of a page.

What is paused has a mark (see `patchbay.tenancy.store`). One query of the marks says of hundreds of
spaces that they are not paused, where reading each of them costs half a unit. No more marks are
read than is worth it: what sorts after the last of them is looked at itself, as is everything while
not all pauses are marked yet.
"""

from collections.abc import Sequence
from typing import Final

from patchbay.connections.plans import MonitorPlan
from patchbay.platform.dynamodb import Item, Key, Table
from patchbay.tenancy.keys import (
    PAUSED,
    organization_key,
    organization_pause_key,
    space_key,
    space_pause_key,
)

FEW: Final = 2
"""So many items cost no more than the query: those of a page of one space."""

MARKS_OF_A_UNIT: Final = 75
"""A mark has at most 52 bytes, and a read unit 4 KB."""

MARKS_PER_ITEM: Final = 8
"""So many marks cost a fifth of the item that they may spare."""


class PauseReader:
    def __init__(self, table: Table) -> None:
        self._table = table

    def running(self, plans: Sequence[MonitorPlan], *, are_marked: bool) -> list[MonitorPlan]:
        """The plans whose space and organization are not paused; `are_marked` says that all that is
        paused has a mark. Raises `TemporarilyUnavailable`."""
        items = {mark: key for plan in plans for mark, key in _marks_of(plan).items()}
        paused: set[Key] = set()
        unknown = set(items)
        if are_marked and len(items) > FEW:
            limit = max(MARKS_OF_A_UNIT, MARKS_PER_ITEM * len(items))
            page = self._table.query(PAUSED, limit=limit, attributes=("pk", "sk"))
            marks = [Key(item["pk"], item["sk"]) for item in page.items]
            paused = unknown.intersection(marks)
            unknown = {mark for mark in unknown if page.last_key and mark > marks[-1]}
        found = self._table.get_all((items[mark] for mark in unknown), consistent=False)
        paused |= {mark for mark in unknown if _is_paused(items[mark], found.get(items[mark]))}
        return [plan for plan in plans if paused.isdisjoint(_marks_of(plan))]


def _marks_of(plan: MonitorPlan) -> dict[Key, Key]:
    """The marks that it would have if it were paused, each with the key of what says so."""
    return {
        organization_pause_key(plan.organization_id): organization_key(plan.organization_id),
        space_pause_key(plan.space_id): space_key(plan.organization_id, plan.space),
    }


def _is_paused(key: Key, item: Item | None) -> bool:
    """Also for an organization that is being erased: it is gone before its connections are."""
    if item is None:
        return key == organization_key(key.pk.partition("#")[2])
    return bool(item.get("paused"))
