"""Reads what the tests of a page of plans need: together, and most of it from the plans.

A page of 50 tests of one space costs one query of its plans, and one batch each of pauses, runs,
and releases.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from patchbay.connection_tests.monitored_tests import MonitoredTests
from patchbay.connection_tests.packed_tests import streak_test
from patchbay.connection_tests.tester import Tester
from patchbay.connections.health_state import HealthState
from patchbay.connections.keys import endpoint_key
from patchbay.connections.plan_store import unpacked
from patchbay.connections.plans import Group, MonitorPlan
from patchbay.connections.steady_health import StreakTest, pending, streak_of
from patchbay.connections.vault import Vault
from patchbay.connections.wheel import minute_number, moment_of
from patchbay.egress.guard import EgressGuard
from patchbay.monitors.planned_tests import (
    PlannedTest,
    TestBefore,
    TestItems,
    connection_key_of,
    own_keys,
    shared_keys,
)
from patchbay.monitors.run_recorder import RunRecorder, StoodRuns, TestedGroup
from patchbay.monitors.store import WheelPage
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, Key, ReadAhead
from patchbay.platform.logging import log_exception
from patchbay.runs.model import Cell, Run, RunEntry, RunKey
from patchbay.runs.store import RunStore
from patchbay.tenancy.keys import organization_key, space_key


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
        runs: RunStore,
        tests: MonitoredTests,
        tester: Tester,
        recorder: RunRecorder,
        vault: Vault,
        guard: EgressGuard,
        clock: Clock,
    ) -> None:
        self._integrations = integrations
        self._runs = runs
        self._tests = tests
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
        plans = self._due(found.plans, number)
        read = self._live([plan for plan in plans if not plan.health], shared=False)
        plans = [
            plan if plan.health else plan.known_as(read[plan.connection_id].connection)
            for plan in plans
            if plan.health or plan.connection_id in read
        ]
        groups = self._groups(plans, number)
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

    # ------------------------------------------------------------ what is due

    def _due(self, items: Iterable[Item], minute: int) -> list[MonitorPlan]:
        plans = []
        for item in items:
            try:
                plan = MonitorPlan.read(item)
            except Exception as error:
                log_exception("plan not readable", error, plan=item["sk"])
                continue
            if plan.is_due(minute):
                plans.append(plan)
        keys = {key for plan in plans for key in _pause_keys(plan)}
        pauses = self._integrations.get_all(keys, consistent=False)
        return [plan for plan in plans if not _is_paused(plan, pauses)]

    def _groups(self, plans: Sequence[MonitorPlan], minute: int) -> list[TestedGroup]:
        by_group: defaultdict[Group, list[MonitorPlan]] = defaultdict(list)
        for plan in plans:
            by_group[plan.group].append(plan)
        keys = {group: _run_key(group, minute) for group in by_group}
        before = {group: _one_before(group, key) for group, key in keys.items()}
        runs = self._runs.find([*keys.values(), *before.values()])
        lacking = [
            key.of_connection(plan.connection_id)
            for group, members in by_group.items()
            for key in (before[group], keys[group])
            for plan in members
            if _may_be_single(plan, key, keys[group], runs)
        ]
        singles = self._runs.find(lacking) if lacking else {}
        return [
            self._group(key, by_group[group], before[group], runs, singles)
            for group, key in keys.items()
        ]

    def _group(
        self,
        key: RunKey,
        plans: Sequence[MonitorPlan],
        before: RunKey,
        runs: Mapping[RunKey, Run],
        singles: Mapping[RunKey, Run],
    ) -> TestedGroup:
        standing = _entries(key, plans, runs, singles)
        previous = _entries(before, plans, runs, singles)
        older: Run | None = None
        if before not in runs and any(plan.since <= before.minute for plan in plans):
            older = self._runs.newest_before(before)
        known = {}
        for plan in plans:
            entry, at = previous.get(plan.connection_id), moment_of(before.minute)
            newest = streak_test(at, entry) if entry else None
            if entry is None and older and plan.connection_id in older.by_connection:
                newest = streak_test(
                    moment_of(older.key.minute), older.by_connection[plan.connection_id]
                )
            stored = HealthState.decode(plan.health["state"])
            known[plan.connection_id] = TestBefore(
                stored,
                self._unwritten(plan, stored, newest, moment_of(key.minute)),
                entry,
                at if entry else None,
            )
        of_spaces: defaultdict[str, list[RunEntry]] = defaultdict(list)
        spaces = {plan.connection_id: plan.space_id for plan in plans}
        for connection_id, entry in previous.items():
            of_spaces[spaces[connection_id]].append(entry)
        return TestedGroup(
            key,
            plans,
            known,
            Run(before, {one: tuple(of) for one, of in of_spaces.items()}) if previous else None,
            standing,
            StoodRuns(
                runs.get(key), tuple(r for k, r in singles.items() if k.minute == key.minute)
            ),
        )

    def _unwritten(
        self, plan: MonitorPlan, stored: HealthState, found: StreakTest | None, minute: datetime
    ) -> tuple[StreakTest, ...]:
        """The tests before a minute that the stored health may not have. `found` is the newest, if
        the runs of its group tell. More is read if a write was lost, and after a platform fault,
        which has the streak before it, if the health has another."""
        if found is None and stored.at is None:
            return ()
        if found and (
            pending(stored, found) is None if found.seen else found.streak == streak_of(stored)
        ):
            return (found,)
        now = self._clock()
        tests = self._tests.unwritten(plan.connection_id, plan.space_id, stored, now, minute)
        return tests or ((found,) if found else ())

    # ------------------------------------------------------------ what tests read

    def _of_snapshot(self, plan: MonitorPlan, under_edit: frozenset[str]) -> TestItems | None:
        """None if it has none, or one that must not be used."""
        if plan.snapshot is None:
            return None
        try:
            found: dict[Key, Item] = unpacked(plan.snapshot)
            connection = {**found[connection_key_of(plan)], **plan.health}
        except Exception as error:
            log_exception("snapshot not readable", error, connection=plan.connection_id)
            return None
        endpoints = (connection["source_id"], connection["destination_id"])
        if not under_edit.isdisjoint(endpoints):
            return None
        needed = (endpoint_key(plan.organization_id, one) for one in endpoints if one)
        if not all(key in found for key in needed):
            return None
        others = {key: found.get(key) for key in own_keys(connection)}
        return TestItems(connection, others, is_live=False)

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
        missing = [plan for plan in plans if plan.connection_id not in found]
        return self._with_shared(found | self._live(missing, shared=False))

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
            connection_id: TestItems(item, {k: others.get(k) for k in own_keys(item)}, is_live=True)
            for connection_id, item in mine.items()
        }
        return self._with_shared(found) if shared else found

    def _with_shared(self, found: Mapping[str, TestItems]) -> dict[str, TestItems]:
        keys = {
            connection_id: list(shared_keys(items.stored)) for connection_id, items in found.items()
        }
        shared = self._integrations.get_all({key for of in keys.values() for key in of})
        stored = (item for items in found.values() for item in items.stored)
        self._vault.read_ahead([*stored, *shared.values()], self._clock())
        return {
            connection_id: replace(
                items,
                others={**items.others, **{key: shared.get(key) for key in keys[connection_id]}},
            )
            for connection_id, items in found.items()
        }


def _run_key(group: Group, minute: int) -> RunKey:
    return RunKey(Cell.read(group.cell), minute, group.slot)


def _one_before(group: Group, key: RunKey) -> RunKey:
    return key._replace(minute=key.minute - group.interval.minutes)


def _may_be_single(plan: MonitorPlan, key: RunKey, now: RunKey, runs: Mapping[RunKey, Run]) -> bool:
    """Whether a test of this run's minute may have a run of its own."""
    run = runs.get(key)
    if run and plan.connection_id in run.by_connection:
        return False
    # A single stands only beside the run of its group.
    return run is not None and (key == now or plan.is_due(key.minute))


def _entries(
    key: RunKey,
    plans: Sequence[MonitorPlan],
    runs: Mapping[RunKey, Run],
    singles: Mapping[RunKey, Run],
) -> dict[str, RunEntry]:
    found = {}
    run = runs.get(key)
    for plan in plans:
        connection_id = plan.connection_id
        for one in (run, singles.get(key.of_connection(connection_id))):
            if one and connection_id in one.by_connection:
                found[connection_id] = one.by_connection[connection_id]
                break
    return found


def _names(connection: Item, plan: MonitorPlan) -> bool:
    """Whether the item of a connection names this plan."""
    return any((pk, sk) == plan.key for pk, sk, *_ in connection.get("plans", ()))


def _pause_keys(plan: MonitorPlan) -> Iterator[Key]:
    yield organization_key(plan.organization_id)
    yield space_key(plan.organization_id, plan.space)


def _is_paused(plan: MonitorPlan, items: Mapping[Key, Item]) -> bool:
    """Also for an organization that is being erased: it is gone before its connections are."""
    organization = items.get(organization_key(plan.organization_id), {"paused": True})
    space = items.get(space_key(plan.organization_id, plan.space), {})
    return bool(organization.get("paused") or space.get("paused"))
