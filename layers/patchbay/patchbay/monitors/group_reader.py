"""What is known of the connections of a group before they are tested.

The runs of a group's minute and of the one before are read in one batch for all groups of a page.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from patchbay.connection_tests.monitored_tests import MonitoredTests
from patchbay.connection_tests.packed_tests import streak_test
from patchbay.connections.health_state import HealthState
from patchbay.connections.plans import Group, MonitorPlan
from patchbay.connections.steady_health import StreakTest, pending, streak_of
from patchbay.connections.wheel import minute_number, moment_of
from patchbay.monitors.planned_tests import TestBefore
from patchbay.monitors.run_recorder import TestedGroup
from patchbay.platform.clock import Clock
from patchbay.runs.model import Cell, Run, RunEntry, RunKey, interval_of
from patchbay.runs.store import RunStore


class GroupReader:
    """Made once per process."""

    def __init__(self, runs: RunStore, tests: MonitoredTests, clock: Clock) -> None:
        self._runs = runs
        self._tests = tests
        self._clock = clock

    def read(self, plans: Sequence[MonitorPlan], minute: int) -> list[TestedGroup]:
        """The groups of plans that are due at a minute."""
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
        newer = self._newer(key)
        known = {}
        for plan in plans:
            entry, at = previous.get(plan.connection_id), moment_of(before.minute)
            newest = streak_test(at, entry) if entry else None
            if entry is None and older and plan.connection_id in older.by_connection:
                newest = streak_test(
                    moment_of(older.key.minute), older.by_connection[plan.connection_id]
                )
            if newer and plan.connection_id in newer.by_connection:
                # Whatever a test of an older minute finds, it does not change the health.
                newest = streak_test(
                    moment_of(newer.key.minute), newer.by_connection[plan.connection_id]
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
            tuple(
                run
                for at, run in [(key, runs.get(key)), *singles.items()]
                if run and at._replace(single=None) == key
            ),
        )

    def _newer(self, key: RunKey) -> Run | None:
        """The newest run of a group, if this one is late and not the newest."""
        now = minute_number(self._clock())
        if now < key.minute + interval_of(key.slot).minutes:
            return None
        found = self._runs.newest_before(key._replace(minute=now + 1))
        return found if found and found.key.minute > key.minute else None

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
