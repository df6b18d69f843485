"""Gives connections that begin to be monitored their places on the wheel.

    pools   SYSTEM   POOLS   `spaces`: how many spaces were ever given a place in a pool

The layout of a space is decided with its first monitored connection. A transaction that writes
plans has the condition that the layout is still the one that they follow from.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from patchbay.connections.connection_model import Connection
from patchbay.connections.keys import BY_SPACE, SYSTEM, connections_of_space_pk
from patchbay.connections.layouts import (
    MARGIN,
    POOL,
    SPACES_OF_POOL,
    Form,
    Layout,
    decided,
)
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.wheel import MonitorInterval, minute_number
from patchbay.platform.dynamodb import (
    PRESENT,
    Check,
    Condition,
    ConditionFailed,
    Contended,
    Item,
    Key,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
    pause_seconds,
    without,
)
from patchbay.tenancy.keys import space_key

POOLS: Final = Key(SYSTEM, "POOLS")
FIRST_LAYOUT: Final = 1
_ATTEMPTS: Final = 8


class Planned(NamedTuple):
    """A connection with its plans, and what must hold of its space for them, if anything."""

    connection: Connection
    condition: Condition | None = None

    @property
    def checks(self) -> list[Write]:
        """The condition as a write of its own."""
        if self.condition is None:
            return []
        key = space_key(self.connection.organization_id, self.connection.space)
        return [Check(key, self.condition)]


class Planner:
    """`pools` says whether small spaces share runs."""

    def __init__(self, table: Table, *, pools: Callable[[], bool]) -> None:
        self._table = table
        self.pools = pools

    def begun(self, connection: Connection) -> Planned:
        """A new connection with its plans. Raises `TransactionRefused` if its space is gone."""
        if not connection.is_monitored:
            return Planned(connection)
        return self._placed(connection, minute_number(connection.created_at))

    def changed(self, old: Connection, new: Connection) -> Planned:
        """An edited connection with its plans: the old ones, unless its monitoring changes."""
        if not new.is_monitored:
            return Planned(new.model_copy(update={"plans": ()}))
        if old.is_monitored and old.monitor.interval is new.monitor.interval:
            return Planned(new)
        first = minute_number(new.updated_at) + MARGIN
        planned_from = first
        if old.planned_from is not None:
            # The index, which may have the connection still, has no minute of its plans before.
            planned_from = min(old.planned_from, first)
        return self._placed(new.model_copy(update={"planned_from": planned_from}), first)

    def layout(self, organization_id: str, space: str) -> Layout:
        """The layout of a space, decided now if it has none.

        Raises `TransactionRefused` if the space is gone, or was given one just now.
        """
        item = self._table.get(space_key(organization_id, space))
        if item is None:
            raise TransactionRefused({})
        if "layout" in item:
            return Layout.read(item["layout"])
        form = decided(None, monitored_in(self._table, item["id"]), pools=self.pools())
        layout = Layout(FIRST_LAYOUT, self.cell(form, item["id"]), form.bands)
        condition = PRESENT & equals("id", item["id"]) & without("layout_number")
        key = space_key(organization_id, space)
        try:
            self._table.write(Update(key, values=layout_values(layout), condition=condition))
        except ConditionFailed:
            raise TransactionRefused({}) from None
        return layout

    def cell(self, form: Form, space_id: str) -> str:
        """A cell of this form for a space: of the pools, the one that is filled now."""
        if form.kind != POOL:
            return f"{form.kind}{space_id}"
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(pause_seconds(attempt))
            spaces = (self._table.get(POOLS) or {}).get("spaces", 0)
            unchanged = equals("spaces", spaces) if spaces else without("spaces")
            try:
                self._table.write(Update(POOLS, values={"spaces": spaces + 1}, condition=unchanged))
            except ConditionFailed:
                continue
            return f"{POOL}{spaces // SPACES_OF_POOL}"
        raise Contended

    def _placed(self, connection: Connection, first: int) -> Planned:
        layout = self.layout(connection.organization_id, connection.space)
        places = layout.places(connection.monitor.interval, connection.id, first)
        condition = equals("id", connection.space_id) & is_layout(layout)
        return Planned(connection.model_copy(update={"plans": places}), condition)


def layout_values(layout: Layout) -> Item:
    """The attributes of a space with this layout."""
    return {"layout": layout.encode(), "layout_number": layout.number}


def is_layout(layout: Layout) -> Condition:
    return equals("layout_number", layout.number)


def monitored_in(table: Table, space_id: str) -> Counter[MonitorInterval]:
    """The monitored connections of a space by their interval, as the index has them."""
    connections = table.query_all(
        connections_of_space_pk(space_id), index=BY_SPACE, attributes=("status", "monitor")
    )
    return Counter(
        MonitorInterval(item["monitor"]["interval"])
        for item in connections
        if item["monitor"]["enabled"] and item["status"] == Lifecycle.ACTIVE
    )
