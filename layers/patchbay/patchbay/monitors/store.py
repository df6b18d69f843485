"""The monitors' own reads and writes in the integrations table.

    watermark   SYSTEM    MONITORS   the last minute that was dispatched; in `marked` again, if by
                                     a release that marks pauses (see `pause_survey`)
    network     NETWORK   REACHED    when a server of our own choice was last reached, each way

and the members of the wheel, which are written with the connections: plans, and the index
`monitor_slot` for connections that have none yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from patchbay.connections.plan_store import PlanStore
from patchbay.monitors.wheel import Slot, Sweep, lane_of_sort_key
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import (
    AFTER_ALL,
    ConditionFailed,
    Item,
    Key,
    Table,
    Update,
    less_or_absent,
)
from patchbay.tenancy.keys import organization_pk

_INDEX: Final = "monitor_slot"
_BEFORE_ALL: Final = "0"
MAX_PAGE: Final = 400
"""The most plans that a page has, if their group is larger than a page: as many as tests are in
flight. What is left of the group is recorded test by test."""
WATERMARK: Final = Key("SYSTEM", "MONITORS")
NETWORK: Final = Key("NETWORK", "REACHED")


@dataclass(frozen=True, slots=True)
class WheelPage:
    """Some connections of a sweep, in the order of their sort keys, by their keys in the table.

    `rest` is the rest of the sweep after them, None at its end. For a sweep of plans, the keys are
    those of the plans, whose items are in `plans`.
    """

    keys: tuple[Key, ...]
    sort_keys: tuple[str, ...]
    rest: Sweep | None
    plans: tuple[Item, ...] = ()
    under_edit: frozenset[str] = frozenset()
    """Endpoints that were being edited when the plans were read: see `plan_store`."""
    pauses_are_marked: bool = False
    """As of the sweep."""


class MonitorStore:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._plans = PlanStore(table)

    def watermark(self) -> datetime | None:
        """The minute up to which everything has been dispatched; None before the first."""
        item = self._table.get(WATERMARK)
        return from_text(item["minute"]) if item else None

    def advance(self, minute: datetime) -> None:
        """Moves the watermark to this minute; it never moves back."""
        text = to_text(minute)
        try:
            self._table.write(
                Update(
                    WATERMARK,
                    values={"minute": text, "marked": text},
                    condition=less_or_absent("minute", text),
                )
            )
        except ConditionFailed:
            return  # another dispatcher was faster, or botocore repeated our own write

    def reached_at(self, way: str) -> datetime | None:
        """When any process last noted that it reached the servers that stand for this way."""
        item = self._table.get(NETWORK) or {}
        return from_text(item[way]) if way in item else None

    def note_reached(self, way: str, now: datetime) -> None:
        self._table.write(Update(NETWORK, values={way: to_text(now)}))

    def occupied(self, interval: str, phase: int, lanes: int) -> list[Slot]:
        """The slots of an interval and phase that have connections.

        One query of one item for each slot, and a last one that finds nothing: an empty phase costs
        one and a half read units.
        """
        return [
            slot
            for has_plans in (True, False)
            for slot in self._occupied(interval, phase, lanes, has_plans)
        ]

    def _occupied(self, interval: str, phase: int, lanes: int, has_plans: bool) -> Iterator[Slot]:
        low = _BEFORE_ALL
        while True:
            slot = Slot(interval, phase, 0, lanes, has_plans)
            found = self._members(slot.pk, low, AFTER_ALL, 1, has_plans)
            if not found.sort_keys:
                return
            slot = replace(slot, lane=lane_of_sort_key(found.sort_keys[0], lanes))
            yield slot
            low = slot.high

    def read_page(self, sweep: Sweep, limit: int) -> WheelPage:
        """The next connections of a sweep.

        A group of plans is read whole, up to `MAX_PAGE`, as its tests are recorded together.

        What is read is slightly behind the table. A connection that was just added is tested the
        next time it is due; the caller reads the connections of the index themselves, so one that
        was just removed is not tested.
        """
        under_edit = self._plans.endpoints_under_edit() if sweep.has_plans else frozenset[str]()
        found = self._members(sweep.pk, sweep.low, sweep.high, limit, sweep.has_plans)
        items, sort_keys = found.items, found.sort_keys
        if found.is_cut and sweep.has_plans:
            group = sort_keys[-1].rpartition("#")[0]
            high = min(f"{group}#{AFTER_ALL}", sweep.high)
            low = sweep.after(sort_keys[-1]).low
            if more := max(0, MAX_PAGE - len(items)):
                rest = self._members(sweep.pk, low, high, more, sweep.has_plans)
                items, sort_keys = items + rest.items, sort_keys + rest.sort_keys
        after = sweep.after(sort_keys[-1]) if found.is_cut else None
        taken = [
            (item, sort_key)
            for item, sort_key in zip(items, sort_keys, strict=True)
            if sweep.organization_id is None or _is_of(item, sweep.organization_id)
        ]
        return WheelPage(
            keys=tuple(Key(item["pk"], item["sk"]) for item, _ in taken),
            sort_keys=tuple(sort_key for _, sort_key in taken),
            rest=after,
            plans=tuple(item for item, _ in taken) if sweep.has_plans else (),
            under_edit=under_edit,
            pauses_are_marked=sweep.pauses_are_marked,
        )

    def _members(self, pk: str, low: str, high: str, limit: int, has_plans: bool) -> "_Members":
        index = None if has_plans else _INDEX
        page = self._table.query(pk, index=index, between=(low, high), limit=limit)
        name = "sk" if has_plans else f"{_INDEX}_sk"
        return _Members(page.items, [item[name] for item in page.items], bool(page.last_key))


@dataclass(frozen=True, slots=True)
class _Members:
    """Members of the wheel. `is_cut` if there may be more of them in the range."""

    items: list[Item]
    sort_keys: list[str]
    is_cut: bool


def _is_of(item: Item, organization_id: str) -> bool:
    """Whether a plan, or the key of a connection, belongs to an organization."""
    if "organization_id" in item:
        return bool(item["organization_id"] == organization_id)
    return bool(item["pk"] == organization_pk(organization_id))
