"""Plans are moved minute by minute, in passes that may end anywhere."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from patchbay.connections.connection_items import (
    connection_change,
    connection_item,
    plan_writes,
    read_connection,
)
from patchbay.connections.connection_model import Connection, Monitor
from patchbay.connections.keys import BY_SPACE, connection_key
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.plan_moves import PlanMoves
from patchbay.connections.plan_store import PlanStore
from patchbay.connections.planner import Planner
from patchbay.connections.plans import WHEEL, MonitorPlan
from patchbay.connections.snapshots import packed, snapshot_of
from patchbay.connections.wheel import MonitorInterval, is_due, minute_number
from patchbay.platform.dynamodb import Item, Key, Put, Table, Update
from patchbay.tenancy.keys import space_key
from tests.sample_connection import sample_connection
from tests.simulator.memory_dynamodb import MemoryClient

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ORGANIZATION, SPACE = "org_1", "0d1f"


class _Died(Exception):
    """The process of a pass ended."""


class IndexedClient(MemoryClient):
    """With the index of the connections of a space; it dies before a write, if that is set."""

    dies_after: Iterator[bool] | None = None

    def query(self, **request: Any) -> Any:
        if request.get("IndexName") != BY_SPACE:
            return super().query(**request)
        pk = request["ExpressionAttributeValues"][":pk"]
        return {"Items": [i for i in self.scan_items() if i.get(f"{BY_SPACE}_pk") == pk]}

    def transact_write_items(self, **whole: Any) -> Any:
        self._may_die()
        return super().transact_write_items(**whole)

    def put_item(self, **request: Any) -> Any:
        self._may_die()
        return super().put_item(**request)

    def delete_item(self, **request: Any) -> Any:
        self._may_die()
        return super().delete_item(**request)

    def _may_die(self) -> None:
        if self.dies_after is not None and next(self.dies_after):
            raise _Died


class World:
    def __init__(self, *, pools: bool = True) -> None:
        self.client = IndexedClient()
        self.table = Table("integrations", self.client)
        self.planner = Planner(self.table, pools=lambda: pools)
        self.moves = PlanMoves(self.table, self.planner)
        self.table.write(Put({**space_key(ORGANIZATION, SPACE)._asdict(), "id": SPACE, "uses": 0}))

    def connection(self, number: int) -> Connection:
        item = self.table.get(connection_key(ORGANIZATION, f"con_{number:026d}"))
        assert item
        return read_connection(item)

    def add(self, number: int, *, planned: bool) -> None:
        connection = sample_connection(
            id=f"con_{number:026d}",
            organization_id=ORGANIZATION,
            space=SPACE,
            space_id=SPACE,
            created_at=NOON,
            updated_at=NOON,
        )
        if planned:
            connection = self.planner.begun(connection).connection
        self.table.transact([Put(connection_item(connection)), *plan_writes(None, connection)])

    def plans(self) -> list[MonitorPlan]:
        return [
            MonitorPlan.read(item)
            for typed in self.client.scan_items()
            if typed["pk"]["S"].startswith(WHEEL)
            and (item := self.table.get(Key(typed["pk"]["S"], typed["sk"]["S"])))
        ]

    def tested_by(self, minute: int) -> list[tuple[str, str]]:
        """What sweeps test at a minute: connections, by the index or by a plan."""
        tested = [
            (plan.connection_id, "plan")
            for plan in self.plans()
            if minute % plan.group.interval.minutes == plan.group.phase and plan.is_due(minute)
        ]
        for typed in self.client.scan_items():
            if "monitor_slot_pk" not in typed:
                continue
            item: Item = self.table.get(Key(typed["pk"]["S"], typed["sk"]["S"])) or {}
            one = read_connection(item)
            moment = NOON + (minute - minute_number(NOON)) * MINUTE
            if one.planned_from is not None and minute >= one.planned_from:
                continue
            if is_due(one.id, one.monitor.interval, moment):
                tested.append((one.id, "index"))
        return tested


def often(number: int) -> Iterator[bool]:
    """At every `number`th write."""
    return (n % number == 0 for n in count(1))


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_space_in_the_index_gets_plans_and_no_minute_is_tested_twice(number: int) -> None:
    world = World()
    for one in range(9):
        world.add(one, planned=False)
    first = minute_number(NOON)
    world.moves.adopt(ORGANIZATION, SPACE, SPACE, NOON)
    world.moves.adopt(ORGANIZATION, SPACE, SPACE, NOON)
    seen: dict[str, list[int]] = {f"con_{one:026d}": [] for one in range(9)}
    kinds = set()
    for minute in range(first, first + 100):
        for connection_id, kind in world.tested_by(minute):
            seen[connection_id].append(minute)
            kinds.add(kind)
        world.client.dies_after = often(number + 1) if number > 0 and minute % 2 else None
        world.moves.go_on(NOON + (minute - first) * MINUTE, lambda: 100.0)
        world.client.dies_after = None
    assert kinds == {"index", "plan"}
    for minutes in seen.values():
        gaps = [after - before for before, after in pairwise(minutes)]
        # The interval, but once where its phase becomes that of its space.
        assert len([gap for gap in gaps if gap != 5]) <= 1
        assert all(0 < gap < 10 for gap in gaps)
    assert not any("monitor_slot_pk" in item for item in world.client.scan_items())
    assert len({(plan.key.pk, plan.key.sk[:4]) for plan in world.plans()}) == 1
    assert world.moves.go_on(NOON + 100 * MINUTE, lambda: 100.0) == 0


def test_a_pass_that_is_hours_late_takes_no_minute_from_sweeps_that_are_late() -> None:
    world = World()
    for one in range(3):
        world.add(one, planned=False)
    first = minute_number(NOON)
    world.moves.adopt(ORGANIZATION, SPACE, SPACE, NOON)
    found: dict[int, list[tuple[str, str]]] = {}
    for passed in range(300):
        found[passed] = world.tested_by(first + passed)
        # The dispatcher was down for two hours, and catches up on one
        if passed >= 120:
            world.moves.go_on(NOON + passed * MINUTE, lambda: 100.0)
            assert world.tested_by(first + passed - 59) == found[passed - 59]
    assert not any("monitor_slot_pk" in item for item in world.client.scan_items())
    assert {kind for tests in found.values() for _, kind in tests} == {"index", "plan"}


@pytest.mark.parametrize("ends", [Lifecycle.PAUSED, Lifecycle.DISABLED])
def test_a_connection_that_is_monitored_no_more_leaves_the_index(ends: Lifecycle) -> None:
    # Given a connection that has a plan, and is still in the index
    world = World()
    world.add(1, planned=False)
    world.moves.adopt(ORGANIZATION, SPACE, SPACE, NOON)
    world.moves.go_on(NOON, lambda: 100.0)
    old = world.connection(1)
    assert old.plans
    # When it is paused, or disabled
    new = old.model_copy(update={"status": ends, "revision": 2, "plans": ()})
    [update, *_] = connection_change(old, new)
    assert isinstance(update, Update)
    world.table.write(update)
    # Then it is on the wheel no more, which the count of monitored connections follows from
    assert not any("monitor_slot_pk" in item for item in world.client.scan_items())


def test_a_space_that_grew_leaves_its_pool() -> None:
    world = World()
    for one in range(8):
        world.add(one, planned=True)
    before = world.plans()
    assert {plan.group.cell for plan in before} == {"p0"}
    now = minute_number(NOON)
    world.moves.review(before[0].group, before, now, NOON)
    for passed in range(90):
        for plan in world.plans():
            assert (
                sum(
                    p.is_due(now + passed)
                    for p in world.plans()
                    if p.connection_id == plan.connection_id
                )
                == 1
            )
        world.moves.go_on(NOON + passed * MINUTE, lambda: 100.0)
    after = world.plans()
    assert {plan.group.cell for plan in after} == {f"s{SPACE}"}
    assert len(after) == 8
    for plan in after:
        assert [place.key for place in world.connection(int(plan.connection_id[4:])).plans] == [
            plan.key
        ]


def test_an_edit_meets_a_move() -> None:
    world = World()
    world.add(1, planned=True)
    old = world.connection(1)
    hourly = Monitor(enabled=True, interval=MonitorInterval.HOUR)
    new = old.model_copy(update={"monitor": hourly, "updated_at": NOON + MINUTE, "revision": 2})
    planned = world.planner.changed(old, new)
    [place] = planned.connection.plans
    assert place.pk.startswith("WHEEL#1h#")
    assert place.since == minute_number(NOON) + 3
    assert len(planned.checks) == 1
    paused = old.model_copy(update={"status": Lifecycle.PAUSED})
    assert world.planner.changed(old, paused).connection.plans == ()
    renamed = old.model_copy(update={"name": "other"})
    assert world.planner.changed(old, renamed).connection.plans == old.plans


def test_an_edit_leaves_the_minutes_of_plans_to_plans_while_the_index_has_the_connection() -> None:
    world = World()
    world.add(1, planned=False)
    world.moves.adopt(ORGANIZATION, SPACE, SPACE, NOON)
    world.moves.go_on(NOON, lambda: 100.0)
    old = world.connection(1)
    assert old.planned_from == minute_number(NOON) + 15

    for status in (Lifecycle.PAUSED, Lifecycle.ACTIVE):
        edited_at = NOON + 40 * MINUTE
        new = old.model_copy(update={"status": status, "updated_at": edited_at})
        new = new.model_copy(update={"monitor": Monitor(enabled=True, interval="1h")})
        old = world.planner.changed(old, new).connection

    assert [place.since for place in old.plans] == [minute_number(NOON) + 42]
    assert old.planned_from == minute_number(NOON) + 15


def test_a_snapshot_is_kept_unless_the_plan_was_written_since() -> None:
    world = World()
    world.add(1, planned=True)
    plans = PlanStore(world.table)
    [plan] = world.plans()
    item = connection_item(world.connection(1))
    secret = {"pk": "ORG#org_1", "sk": "SECRET#src_1", "sealed": b"\x00\xff"}
    plans.keep(plan, item, [secret])
    [kept] = world.plans()
    assert kept.snapshot
    assert snapshot_of(kept.snapshot).items[Key("ORG#org_1", "SECRET#src_1")] == secret
    assert kept.health["required_action"] == "none"
    plans.keep(plan, item, [])
    assert world.plans() == [kept]


def test_what_an_editor_leaves_is_dropped_later() -> None:
    world = World()
    world.add(1, planned=True)
    plans = PlanStore(world.table)
    [plan] = world.plans()
    plans.keep(plan, connection_item(world.connection(1)), [])
    use = {"pk": f"ORG#{ORGANIZATION}", "sk": f"USE#src_1#{plan.connection_id}"}
    mark = {"pk": "PLANS", "sk": "DROP#src_1#7", "organization_id": ORGANIZATION}
    world.table.transact([Put(use), Put(mark)])
    assert plans.endpoints_under_edit() == {"src_1"}
    [before] = world.plans()
    assert plans.drop_left_behind() == 1
    [after] = world.plans()
    assert before.snapshot
    assert after.snapshot is None
    assert after.revision != before.revision
    assert plans.endpoints_under_edit() == frozenset()
    # A test that read before the edit does not bring its snapshot back.
    plans.keep(before, connection_item(world.connection(1)), [])
    assert world.plans() == [after]


def test_items_of_a_snapshot_are_what_they_were() -> None:
    items = [{"pk": "a", "sk": "b", "n": 1, "l": [None, True], "b": b"x"}]
    assert list(snapshot_of(packed(items[0], items[1:])).items.values()) == items
