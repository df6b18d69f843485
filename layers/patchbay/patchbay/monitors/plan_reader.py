"""Reads what the tests of a page of plans need: together, and most of it from the plans.

A page of 50 tests of one space costs one query of its plans, and one read each of pauses, runs, and
releases.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from patchbay.connection_tests.tester import Tester
from patchbay.connections.plans import MonitorPlan
from patchbay.connections.snapshots import own_keys, snapshot_of
from patchbay.connections.vault import Vault
from patchbay.connections.wheel import minute_number
from patchbay.egress.guard import EgressGuard
from patchbay.monitors.group_reader import GroupReader
from patchbay.monitors.pause_reader import PauseReader
from patchbay.monitors.planned_tests import (
    PlannedTest,
    TestItems,
    connection_key_of,
)
from patchbay.monitors.run_recorder import RunRecorder, TestedGroup
from patchbay.monitors.store import WheelPage
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, ReadAhead
from patchbay.platform.logging import log_exception


@dataclass(frozen=True, slots=True)
class DuePlans:
    """The connections of a page of plans that are due, and where their results go."""

    due: Sequence[PlannedTest]
    groups: Sequence[TestedGroup]
    recorder: RunRecorder

    def record(self, results: Sequence[tuple[Any, Any]]) -> None:
        """Records tests with their results. Raises `TemporarilyUnavailable`."""
        self.recorder.record(self.groups, results)


class PlanReader:
    """Made once per process."""

    def __init__(
        self,
        integrations: ReadAhead,
        pauses: PauseReader,
        groups: GroupReader,
        tester: Tester,
        recorder: RunRecorder,
        vault: Vault,
        guard: EgressGuard,
        clock: Clock,
    ) -> None:
        self._integrations = integrations
        self._pauses = pauses
        self._groups = groups
        self._tester = tester
        self._recorder = recorder
        self._vault = vault
        self._guard = guard
        self._clock = clock

    def read(self, found: WheelPage, minute: datetime) -> DuePlans:
        """The connections that are due at this minute.

        1. Leave out plans of other minutes, and of spaces and organizations that are paused.
        2. Leave out tests that stand in a run, but repeat what follows from them: their writer may
           have died before that.

        A plan that was written by an edit or a move knows nothing of the health: that is read with
        the connection.
        """
        number = minute_number(minute)
        due_plans = _due(found.plans, number)
        plans = self._pauses.running(due_plans, are_marked=found.pauses_are_marked)
        read = self._live([plan for plan in plans if not plan.health], shared=False)
        plans = [
            plan if plan.health else plan.known_as(read[plan.connection_id].connection)
            for plan in plans
            if plan.health or plan.connection_id in read
        ]
        groups = self._groups.read(plans, number)
        done = {
            connection_id: entry
            for group in groups
            for connection_id, entry in group.standing.items()
        }
        items = self._items(
            [plan for plan in plans if plan.connection_id not in done], found.under_edit, read
        )
        due = [
            PlannedTest(
                plan,
                minute,
                group.before[plan.connection_id],
                items.get(plan.connection_id),
                self._tester,
                self._guard,
                self._clock,
                self,
                self._integrations,
            )
            for group in groups
            for plan in group.plans
            if plan.connection_id not in done
        ]
        return DuePlans(due, groups, self._recorder)

    def live(self, plan: MonitorPlan) -> TestItems | None:
        """The items as they stand; None if the plan is not the connection's any more."""
        return self._live([plan]).get(plan.connection_id)

    # ------------------------------------------------------------ what tests read

    def _of_snapshot(self, plan: MonitorPlan, under_edit: frozenset[str]) -> TestItems | None:
        """None if it has none, or one that must not be used."""
        if plan.snapshot is None:
            return None
        try:
            snapshot = snapshot_of(plan.snapshot)
        except Exception as error:
            log_exception("snapshot not readable", error, connection=plan.connection_id)
            return None
        if not snapshot.is_whole or not under_edit.isdisjoint(snapshot.endpoint_ids):
            return None
        view = snapshot.with_health(plan.health)
        return TestItems(view.item, snapshot.others, view)

    def _items(
        self,
        plans: Sequence[MonitorPlan],
        under_edit: frozenset[str],
        read: Mapping[str, TestItems],
    ) -> dict[str, TestItems]:
        """By connection. One that is missing is gone, or has no such plan any more. `read` has
        those that were read already."""
        found = {
            plan.connection_id: items
            for plan in plans
            if (items := read.get(plan.connection_id) or self._of_snapshot(plan, under_edit))
        }
        found |= self._live([p for p in plans if p.connection_id not in found], shared=False)
        resealed = self._resealed([p for p in plans if p.connection_id in found], found)
        # The others were read ahead to find these.
        return self._with_shared(found | resealed, resealed)

    def _resealed(
        self, plans: Sequence[MonitorPlan], found: Mapping[str, TestItems]
    ) -> dict[str, TestItems]:
        """The items of the plans whose snapshots are sealed under a data key that is gone, if they
        are sealed under another by now."""
        stored = [item for plan in plans for item in found[plan.connection_id].stored]
        gone = {id(item) for item in self._vault.read_ahead(stored, self._clock())}
        stale = [
            plan
            for plan in plans
            if not found[plan.connection_id].is_live
            and any(id(item) in gone for item in found[plan.connection_id].stored)
        ]
        live = self._live(stale, shared=False)
        return {one: new for one, new in live.items() if not found[one].is_same(new)}

    def _live(self, plans: Sequence[MonitorPlan], *, shared: bool = True) -> dict[str, TestItems]:
        if not plans:
            return {}
        connections = self._integrations.get_all(map(connection_key_of, plans))
        mine = {
            plan.connection_id: item
            for plan in plans
            if (item := connections.get(connection_key_of(plan))) and _names(item, plan)
        }
        others = self._integrations.get_all(
            [key for item in mine.values() for key in own_keys(item)]
        )
        found = {
            connection_id: TestItems(item, {k: others.get(k) for k in own_keys(item)})
            for connection_id, item in mine.items()
        }
        return self._with_shared(found, found) if shared else found

    def _with_shared(
        self, found: Mapping[str, TestItems], fresh: Mapping[str, TestItems]
    ) -> dict[str, TestItems]:
        """These items with what they share with others. Of the `fresh` ones nothing was read
        ahead before."""
        keys = {connection_id: items.shared_keys for connection_id, items in found.items()}
        shared = self._integrations.get_all({key for of in keys.values() for key in of})
        own = (item for items in fresh.values() for item in items.stored)
        self._vault.read_ahead([*own, *shared.values()], self._clock())
        return {
            connection_id: TestItems(
                items.connection,
                {**items.others, **{key: shared.get(key) for key in keys[connection_id]}},
                items.view,
            )
            for connection_id, items in found.items()
        }


def _names(connection: Item, plan: MonitorPlan) -> bool:
    """Whether the item of a connection names this plan."""
    return any((pk, sk) == plan.key for pk, sk, *_ in connection.get("plans", ()))


def _due(items: Iterable[Item], minute: int) -> list[MonitorPlan]:
    plans = []
    for item in items:
        try:
            plan = MonitorPlan.read(item)
        except Exception as error:
            log_exception("plan not readable", error, plan=item["sk"])
            continue
        if plan.is_due(minute):
            plans.append(plan)
    return plans
