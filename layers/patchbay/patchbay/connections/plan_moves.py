"""Moves the plans of a space: to another layout, or out of the index `monitor_slot`.

    work   PLANS   SPACE#<space id>

The work on a space has `first`, the minute from which its plans are moved, `due`, when the next
pass is to be made, and `passes`, how many were made.

1. What decides to move writes the new layout, which begins 15 minutes later, and the work, in one
   transaction.
2. Each minute, the work that is due is done: a pass over the connections of the space. A connection
   gets a plan from `first` on, and its old plan ends there, in one transaction. It is skipped if it
   has that plan, or was edited just now. The pass is repeated twice, a minute apart each, because
   the index that lists the connections is behind the table.
3. The last pass, an hour after `first`, deletes the plans that ended, takes connections out of
   the index `monitor_slot`, and ends the work. Until then the sweeps of missed minutes need them.

A pass may be cut off anywhere: the next one goes on with what is left. A connection that only a
late pass finds is moved at a later minute of its own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from patchbay.connections.connection_items import plan_of, plans_are, read_connection
from patchbay.connections.connection_model import Connection
from patchbay.connections.keys import (
    BY_SPACE,
    PLAN_WORK,
    connection_key,
    connections_of_space_pk,
    move_key,
)
from patchbay.connections.layouts import MARGIN, NOTICE, Layout, decided, may_change
from patchbay.connections.planner import Planner, is_layout, layout_values, monitored_in
from patchbay.connections.plans import Group, MonitorPlan, PlanPlace
from patchbay.connections.wheel import INDEX_ATTRIBUTES, minute_number
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Condition,
    ConditionFailed,
    Contended,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.logging import log_exception
from patchbay.tenancy.keys import space_key

SPACES: Final = "SPACE#"
EARLY_PASSES: Final = 3
SETTLED: Final = timedelta(minutes=61)
"""After the last minute of an old plan: missed minutes are caught up for an hour."""

_MINUTE: Final = timedelta(minutes=1)
_WRITERS: Final = 10

RESERVE_SECONDS: Final = 15.0
"""No space is begun when less is left of the function's time."""


@dataclass(frozen=True, slots=True)
class MoveWork:
    """The moves of one space. `first` and `due` are minutes."""

    space_id: str
    organization_id: str
    space: str
    first: int
    due: int
    passes: int = 0

    @property
    def key(self) -> Key:
        return move_key(self.space_id)

    @property
    def is_last(self) -> bool:
        return self.passes >= EARLY_PASSES

    @classmethod
    def read(cls, item: Item) -> "MoveWork":
        return cls(
            item["sk"].removeprefix(SPACES),
            item["organization_id"],
            item["space"],
            item["first"],
            item["due"],
            item["passes"],
        )

    def item(self) -> Item:
        return {
            **self.key._asdict(),
            "organization_id": self.organization_id,
            "space": self.space,
            "first": self.first,
            "due": self.due,
            "passes": self.passes,
        }

    def after_pass(self, now: int) -> "MoveWork":
        passes = self.passes + 1
        last = max(self.first, now + MARGIN) + SETTLED // _MINUTE
        return replace(self, passes=passes, due=now + 1 if passes < EARLY_PASSES else last)


class PlanMoves:
    """The moves of plans in the integrations table."""

    def __init__(self, table: Table, planner: Planner) -> None:
        self._table = table
        self._planner = planner

    def review(
        self, group: Group, plans: Sequence[MonitorPlan], minute: int, now: datetime
    ) -> None:
        """Decides whether spaces whose connections were due together need another layout. Nothing
        is read while the group shows no reason for that. Raises `TemporarilyUnavailable`."""
        counts = Counter((plan.organization_id, plan.space, plan.space_id) for plan in plans)
        for (organization_id, space, space_id), count in counts.items():
            if may_change(group, space_id, count, minute, pools=self._planner.pools()):
                self._review(organization_id, space, space_id, now)

    def adopt(self, organization_id: str, space: str, space_id: str, now: datetime) -> None:
        """Begins to give plans to the connections of a space that are in the index; a repetition
        changes nothing. Raises `TemporarilyUnavailable`."""
        try:
            self._planner.layout(organization_id, space)
        except TransactionRefused:
            return  # the next sweep tries again
        first = minute_number(now + NOTICE)
        work = MoveWork(space_id, organization_id, space, first, minute_number(now))
        with suppress(ConditionFailed):
            self._table.write(Put(work.item(), ABSENT))

    def go_on(self, now: datetime, seconds_left: Callable[[], float]) -> int:
        """Does the work that is due. Returns how many spaces there are still to move."""
        minute = minute_number(now)
        waiting = [MoveWork.read(item) for item in self._table.query_all(PLAN_WORK, prefix=SPACES)]
        for work in waiting:
            if work.due > minute or seconds_left() < RESERVE_SECONDS:
                continue
            try:
                self._pass(work, minute, seconds_left)
            except Exception as error:
                # Any exception: one space must not hold up the others.
                log_exception("plans not moved", error, space=work.space_id)
        return len(waiting)

    # ---------------------------------------------------------------- decisions

    def _review(self, organization_id: str, space: str, space_id: str, now: datetime) -> None:
        key = space_key(organization_id, space)
        item = self._table.get(key)
        if item is None or item["id"] != space_id or "layout" not in item:
            return
        old = Layout.read(item["layout"])
        if minute_number(now - SETTLED) < old.since:
            return  # it is being moved
        form = decided(old.form, monitored_in(self._table, space_id), pools=self._planner.pools())
        if form == old.form:
            return
        kept = form.kind == old.form.kind
        cell = old.cell if kept else self._planner.cell(form, space_id)
        first = minute_number(now + NOTICE)
        new = old.then(cell, form.bands, first)
        work = MoveWork(space_id, organization_id, space, first, minute_number(now))
        unchanged = PRESENT & equals("id", space_id) & is_layout(old)
        with suppress(TransactionRefused):  # others decided first, or the last move goes on
            self._table.transact(
                [
                    Update(key, values=layout_values(new), condition=unchanged),
                    Put(work.item(), ABSENT),
                ]
            )

    # ---------------------------------------------------------------- passes

    def _pass(self, work: MoveWork, minute: int, seconds_left: Callable[[], float]) -> None:
        space = self._table.get(space_key(work.organization_id, work.space))
        if space is None or space["id"] != work.space_id or "layout" not in space:
            self._end(work)
            return
        layout = Layout.read(space["layout"])

        def move(item: Item) -> bool:
            if seconds_left() < RESERVE_SECONDS:
                return False
            return self._settle(item, layout, work, minute)

        found = self._table.query_all(connections_of_space_pk(work.space_id), index=BY_SPACE)
        with ThreadPoolExecutor(_WRITERS) as pool:
            complete = all(pool.map(move, found))
        if not complete:
            return  # again in a minute
        if work.is_last:
            self._end(work)
            return
        with suppress(ConditionFailed):
            changed = PRESENT & equals("passes", work.passes)
            self._table.write(Put(work.after_pass(minute).item(), changed))

    def _settle(self, item: Item, layout: Layout, work: MoveWork, minute: int) -> bool:
        """Whether the connection is as it should be after this pass."""
        try:
            connection = read_connection(item)
        except ValueError as error:
            log_exception("connection not readable", error, connection=item["sk"])
            return True
        moved = moved_plans(connection, layout, work.first, minute)
        ended = minute - SETTLED // _MINUTE
        if work.is_last:
            moved = tuple(p for p in moved if p.until is None or p.until > ended)
        writes = _moving(connection, moved)
        leaves_index = work.is_last and any(name in item for name in INDEX_ATTRIBUTES)
        is_settled = not work.is_last or all(place.until is None for place in moved)
        if leaves_index and moved and _planned_from(connection, moved) > ended:
            leaves_index = is_settled = False
        if leaves_index:
            writes = _out_of_index(connection, writes)
        try:
            if writes:
                self._table.transact(writes)
        except (TransactionRefused, Contended):
            return False
        # What a late pass has moved still has a plan that ends, or is still needed in the index.
        return is_settled

    def _end(self, work: MoveWork) -> None:
        with suppress(ConditionFailed):
            self._table.write(Delete(work.key, equals("passes", work.passes)))


def moved_plans(
    connection: Connection, layout: Layout, first: int, minute: int
) -> tuple[PlanPlace, ...]:
    """The plans of a connection after it is moved, from `first` on or, if that is too soon, as soon
    as possible."""
    if not connection.is_monitored:
        return connection.plans
    target = layout.group(connection.monitor.interval, connection.id).plan_key(connection.id)
    plans = connection.plans
    if plans and plans[-1].key == target:
        return plans
    start = max(first, layout.since, minute + MARGIN)
    if plans and plans[-1].since >= start:
        start = plans[-1].since  # it would not have begun before
        plans = plans[:-1]
    elif plans:
        plans = (*plans[:-1], plans[-1]._replace(until=start))
    return (*plans, PlanPlace(*target, start))


def _planned_from(connection: Connection, plans: tuple[PlanPlace, ...]) -> int:
    """The first minute that sweeps of the index leave to the plans."""
    return plans[0].since if connection.planned_from is None else connection.planned_from


def _moving(connection: Connection, plans: tuple[PlanPlace, ...]) -> list[Write]:
    """The writes that give a connection other plans; none if they are the same."""
    if plans == connection.plans:
        return []
    values: Item = {"plans": plans}
    if not connection.plans:
        values["planned_from"] = plans[0].since
    gone = {place.key for place in connection.plans} - {place.key for place in plans}
    return [
        Update(
            connection_key(connection.organization_id, connection.id),
            values=values if plans else {},
            remove=() if plans else ("plans",),
            condition=_unchanged(connection),
        ),
        *(Put(plan_of(connection, p).item()) for p in plans if p not in connection.plans),
        *(Delete(key) for key in sorted(gone)),
    ]


def _out_of_index(connection: Connection, writes: list[Write]) -> list[Write]:
    own = writes[0] if writes else None
    if isinstance(own, Update):
        return [replace(own, remove=(*own.remove, *INDEX_ATTRIBUTES)), *writes[1:]]
    key = connection_key(connection.organization_id, connection.id)
    return [Update(key, remove=INDEX_ATTRIBUTES, condition=_unchanged(connection))]


def _unchanged(connection: Connection) -> Condition:
    return PRESENT & equals("revision", connection.revision) & plans_are(connection)
