"""The monitors' own reads and writes in the integrations table.

    watermark   SYSTEM    MONITORS   the last minute that was dispatched
    network     NETWORK   REACHED    when a server of our own choice was last reached, each way

and the index `monitor_slot`, whose attributes are written with the connections.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.connections.wheel import slot_pk
from patchbay.monitors.wheel import Slot, Sweep, lane_of_sort_key
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import (
    AFTER_ALL,
    ConditionFailed,
    Key,
    Table,
    Update,
    less_or_absent,
)
from patchbay.tenancy.keys import organization_pk

_INDEX: Final = "monitor_slot"
_BEFORE_ALL: Final = "0"
WATERMARK: Final = Key("SYSTEM", "MONITORS")
NETWORK: Final = Key("NETWORK", "REACHED")


@dataclass(frozen=True, slots=True)
class WheelPage:
    """Some connections of a sweep, in the order of their sort keys, by their keys in the table.

    `rest` is the rest of the sweep after them, None at its end.
    """

    keys: tuple[Key, ...]
    sort_keys: tuple[str, ...]
    rest: Sweep | None


class MonitorStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def watermark(self) -> datetime | None:
        """The minute up to which everything has been dispatched; None before the first."""
        item = self._table.get(WATERMARK)
        return from_text(item["minute"]) if item else None

    def advance(self, minute: datetime) -> None:
        """Moves the watermark to this minute; it never moves back."""
        text = to_text(minute)
        try:
            self._table.write(
                Update(WATERMARK, values={"minute": text}, condition=less_or_absent("minute", text))
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
        half a read unit.
        """
        return list(self._occupied(interval, phase, lanes))

    def _occupied(self, interval: str, phase: int, lanes: int) -> Iterator[Slot]:
        low = _BEFORE_ALL
        while True:
            page = self._table.query(
                slot_pk(interval, phase), index=_INDEX, between=(low, AFTER_ALL), limit=1
            )
            if not page.items:
                return
            lane = lane_of_sort_key(page.items[0][f"{_INDEX}_sk"], lanes)
            slot = Slot(interval, phase, lane, lanes)
            yield slot
            low = slot.high

    def read_page(self, sweep: Sweep, limit: int) -> WheelPage:
        """The next connections of a sweep.

        The index is slightly behind the table. A connection that was just added is tested the next
        time it is due; the caller reads the connections themselves, so one that was just removed is
        not tested.
        """
        page = self._table.query(
            sweep.pk, index=_INDEX, between=(sweep.low, sweep.high), limit=limit
        )
        taken = page.items
        if sweep.organization_id is not None:
            own = organization_pk(sweep.organization_id)
            taken = [item for item in page.items if item["pk"] == own]
        return WheelPage(
            keys=tuple(Key(item["pk"], item["sk"]) for item in taken),
            sort_keys=tuple(item[f"{_INDEX}_sk"] for item in taken),
            rest=sweep.after(page.items[-1][f"{_INDEX}_sk"]) if page.last_key else None,
        )
