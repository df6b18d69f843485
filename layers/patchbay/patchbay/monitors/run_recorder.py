"""Records the tests of groups as runs, and does what follows from them.

1. The spaces of failures are woken, also of those that stand: what is cut off after this has woken
   them for nothing. What could not be woken is woken when all of this is repeated.
2. The snapshots of tests that read live items are kept with their plans.
3. The run of each group is put once. What stands is the truth, whichever sweep wrote it; a test
   that the run lacks becomes a single.
4. From what stands follows the health of the connection, unless its entry says all of that, and the
   mark of the last test that passed, when a success ends.

Each step may be repeated. All of it blocks.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from patchbay.checks.code_numbers import code_of
from patchbay.checks.report import CheckReport
from patchbay.connection_tests.changes import WhatChanged
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.identity import TestSubject
from patchbay.connection_tests.model import TestFindings
from patchbay.connection_tests.packed_tests import (
    EntryBefore,
    PackedTest,
    extra_of,
    pack,
    streak_test,
    unpack,
)
from patchbay.connections.announcements import Announcement
from patchbay.connections.connection_items import read_connection
from patchbay.connections.connection_model import Connection
from patchbay.connections.health_recorder import HealthRecorder
from patchbay.connections.health_state import (
    AutoDisable,
    HealthObservation,
    HealthState,
    next_state,
)
from patchbay.connections.plan_moves import PlanMoves
from patchbay.connections.plan_store import PlanStore
from patchbay.connections.plans import MonitorPlan
from patchbay.connections.required_actions import required_action
from patchbay.connections.steady_health import (
    changes_nothing,
    is_full,
    is_one_more_success,
    pending,
    streak_of,
)
from patchbay.connections.wheel import moment_of
from patchbay.monitors.planned_tests import PlannedTest, TestBefore, connection_key_of
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, ReadAhead
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import log_exception
from patchbay.runs.model import Run, RunEntry, RunKey
from patchbay.runs.reader import RunReader
from patchbay.runs.store import RunStore, RunTooLate
from patchbay.tenancy.wakes import Wake

_WRITERS: Final = 20

type Announce = Callable[[Sequence[Announcement]], None]


@dataclass(frozen=True, slots=True)
class TestedGroup:
    """Plans of a group that are due together. `stood` are the runs of its minute that stand, and
    `standing` has the tests of its plans in them, by connection."""

    key: RunKey
    plans: Sequence[MonitorPlan]
    before: Mapping[str, TestBefore]
    previous: Run | None
    standing: Mapping[str, RunEntry]
    stood: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class _Noted:
    """A test that stands, and the connection that it is about. `seen` is None for a platform fault
    before which not all is written."""

    connection: Connection
    before: TestBefore
    entry: RunEntry
    seen: HealthObservation | None


class RunRecorder:
    """Made once per process."""

    def __init__(
        self,
        table: ReadAhead,
        store: RunStore,
        reader: RunReader,
        history: TestHistory,
        health: HealthRecorder,
        plans: PlanStore,
        moves: PlanMoves,
        announce: Announce,
        clock: Clock,
        disable: AutoDisable,
        wake: Wake,
    ) -> None:
        self._table = table
        self._store = store
        self._reader = reader
        self._history = history
        self._health = health
        self._plans = plans
        self._moves = moves
        self._announce = announce
        self._clock = clock
        self._disable = disable
        self._writers = ThreadPoolExecutor(_WRITERS, thread_name_prefix="record")
        self._wake = wake

    def record(
        self,
        groups: Sequence[TestedGroup],
        results: Sequence[tuple[PlannedTest, FinishedTest]],
    ) -> None:
        """Records tests with their results, and repeats what follows from those that stand.

        Raises `TemporarilyUnavailable` if some of it was not written, or a space not woken.
        """
        mine: defaultdict[str, dict[str, tuple[PlannedTest, FinishedTest]]] = defaultdict(dict)
        keys = {plan.connection_id: _name(group) for group in groups for plan in group.plans}
        for test, finished in results:
            mine[keys[test.connection_id]][test.connection_id] = (test, finished)
        awake = self._wake({*_failed_spaces(results), *_spaces_of_standing_failures(groups)})
        pool = self._writers
        list(pool.map(self._keep, [test for test, _ in results if test.has_live_items]))
        noted = pool.map(lambda group: self._recorded(group, mine[_name(group)]), groups)
        follow = [one for of_group in noted for one in of_group]
        announced = [one for each in pool.map(self._follow_up, follow) for one in each]
        if announced:
            self._announce(announced)
        for group in groups:
            self._review(group)
        if not awake:
            raise TemporarilyUnavailable

    # ------------------------------------------------------------ the run

    def _recorded(
        self, group: TestedGroup, mine: Mapping[str, tuple[PlannedTest, FinishedTest]]
    ) -> list[_Noted]:
        """What has to be done for the tests of a group that stand."""
        packed = {
            connection_id: self._packed(test, finished)
            for connection_id, (test, finished) in mine.items()
        }
        entries: defaultdict[str, list[RunEntry]] = defaultdict(list)
        for connection_id, one in packed.items():
            entries[mine[connection_id][0].plan.space_id].append(one.entry)
        found = dict(group.standing)
        try:
            if packed:
                run = Run(group.key, {space: tuple(of) for space, of in entries.items()})
                shapes = {connection_id: one.shape for connection_id, one in packed.items()}
                found |= self._store.record(run, shapes, group.previous).entries
            # Their writer may have died before it counted what came late.
            self._store.settle(group.stood)
        except RunTooLate as error:
            log_exception("tests too late to record", error, cell=str(group.key.cell))
            return []
        return self._noted(group, mine, packed, found)

    def _packed(self, test: PlannedTest, finished: FinishedTest) -> PackedTest:
        state = HealthState() if test.state.disabled else test.state
        report = finished.report
        if report.blame == "platform":
            streak = streak_of(state)
        else:
            streak = (state.successes if report.passed else state.failures) + 1
        packed = pack(test.connection_id, test.minute, finished, streak=streak)
        extra = self._extra(test, finished, packed)
        return PackedTest(replace(packed.entry, extra=extra), packed.shape) if extra else packed

    def _extra(self, test: PlannedTest, finished: FinishedTest, packed: PackedTest) -> bytes:
        """What has changed, if it does not follow from the entry before."""
        before = test.before
        entry = before.entry
        if entry and not before.tested_since:
            if entry.passed:
                return b""
            if entry.extra and entry.shape == packed.entry.shape:
                return entry.extra
        fingerprint, is_passed = finished.fingerprint, finished.report.passed
        # A success that a failure has ended is marked.
        space_id = test.plan.space_id if entry is None or entry.passed else None
        if fingerprint is None and (is_passed or space_id is None):
            return extra_of(None)
        passed = self._history.last_passed(test.subject, space_id, finished.finished_at)
        if passed and not is_passed:
            self._history.note_passed(test.subject, passed)
        return extra_of(WhatChanged.since(passed, fingerprint) if passed and fingerprint else None)

    # ------------------------------------------------------------ what follows

    def _noted(
        self,
        group: TestedGroup,
        mine: Mapping[str, tuple[PlannedTest, FinishedTest]],
        packed: Mapping[str, PackedTest],
        found: Mapping[str, RunEntry],
    ) -> list[_Noted]:
        noted = []
        minute = moment_of(group.key.minute)
        for plan in group.plans:
            connection_id = plan.connection_id
            entry = found.get(connection_id)
            if entry is None:
                continue
            before = group.before[connection_id]
            own = packed.get(connection_id)
            if entry.fault:
                # It has the streak before it, and not when the last test of that was.
                ends = before.is_unwritten or (before.entry and before.entry.passed)
                if ends and (item := self._stored(plan)):
                    noted.append(_Noted(read_connection(item), before, entry, None))
            elif own and own.entry == entry:
                test, finished = mine[connection_id]
                if test.connection is None or _is_one_more(test, minute, finished.report):
                    continue
                seen = _observed(minute, entry, finished)
                if not self._is_steady(test.connection, before, entry, seen):
                    noted.append(_Noted(test.connection, before, entry, seen))
            elif not _is_known(before, entry, minute) and (item := self._stored(plan)):
                stood = self._stood(plan.organization_id, minute, entry)
                noted.append(_Noted(read_connection(item), before, entry, stood))
        return noted

    def _stored(self, plan: MonitorPlan) -> Item | None:
        return self._table.reread(connection_key_of(plan))

    def _is_steady(
        self,
        connection: Connection,
        before: TestBefore,
        entry: RunEntry,
        seen: HealthObservation,
    ) -> bool:
        update = next_state(before.state, seen, monitored=True, disable=self._disable)
        action = required_action(code_of(entry.code))
        return update is not None and changes_nothing(connection, update, seen, action)

    def _stood(
        self, organization_id: str, minute: datetime, entry: RunEntry
    ) -> HealthObservation | None:
        """What a test saw that stands in a run."""
        shape = self._reader.shapes(entry.connection_id, [entry.shape]).get(entry.shape)
        if shape is None:
            return streak_test(minute, entry).seen
        subject = TestSubject.connection(organization_id, entry.connection_id)
        return _observed(minute, entry, unpack(subject, minute, entry, shape).test)

    def _follow_up(self, noted: _Noted) -> list[Announcement]:
        before, seen = noted.before, noted.seen
        ends_success = before.entry and before.entry.passed and not (seen and seen.passed)
        if ends_success and before.entry and before.entry_at:
            self._mark(noted.connection, before.entry_at, before.entry)
        if seen is None:
            return self._before_fault(noted.connection, before)
        return self._health.record(
            noted.connection,
            seen,
            required_action(code_of(noted.entry.code)),
            self._disable,
            before=before.tests,
            in_run=True,
        )

    def _before_fault(self, connection: Connection, before: TestBefore) -> list[Announcement]:
        if not before.is_unwritten:
            return []
        *earlier, newest = before.tests
        if newest.seen is None:
            return []
        if not earlier and not pending(before.stored, newest):
            self._health.catch_up(connection, newest)
            return []
        seen = newest.seen
        if before.entry and before.entry_at == newest.at:
            seen = self._stood(connection.organization_id, newest.at, before.entry) or seen
        action = required_action(newest.code)
        return self._health.record(
            connection, seen, action, self._disable, before=earlier, in_run=True
        )

    def _mark(self, connection: Connection, at: datetime, entry: RunEntry) -> None:
        """A success has ended: later failures are compared with it."""
        shape = self._reader.shapes(connection.id, [entry.shape]).get(entry.shape)
        subject = TestSubject.connection(connection.organization_id, connection.id)
        passed = EntryBefore(at, entry, shape).passed(subject) if shape else None
        if passed:
            self._history.note_passed(subject, passed)

    def _keep(self, test: PlannedTest) -> None:
        if test.items is None:
            return
        try:
            self._plans.keep(test.plan, test.items.connection, test.items.stored)
        except TemporarilyUnavailable as error:
            log_exception("snapshot not kept", error, connection=test.connection_id)

    def _review(self, group: TestedGroup) -> None:
        plans, now = group.plans, self._clock()
        if not plans:
            return
        try:
            self._moves.review(plans[0].group, plans, group.key.minute, now)
        except TemporarilyUnavailable as error:
            log_exception("layout not reviewed", error, cell=str(group.key.cell))


def _failed_spaces(results: Iterable[tuple[PlannedTest, FinishedTest]]) -> Iterator[str]:
    """Those with a test that is counted as an error, which rules look at."""
    for test, finished in results:
        if not finished.report.passed and finished.report.blame != "platform":
            yield test.plan.space_id


def _spaces_of_standing_failures(groups: Iterable[TestedGroup]) -> Iterator[str]:
    """The same for tests whose writer may have died, or failed, before it woke them."""
    for group in groups:
        for plan in group.plans:
            entry = group.standing.get(plan.connection_id)
            if entry and not entry.passed and not entry.fault:
                yield plan.space_id


def _is_known(before: TestBefore, entry: RunEntry, minute: datetime) -> bool:
    """Whether nothing is to be written for a test that another sweep recorded."""
    state = before.stored
    if state.at is not None and state.at >= minute:
        return True
    return entry.passed and is_full(state) and not state.is_failing


def _is_one_more(test: PlannedTest, minute: datetime, report: CheckReport) -> bool:
    """Whether a test is one of many that passed, and its connection is not to be written."""
    return (
        report.passed
        and test.connection is not None
        and not test.has_live_items
        and test.connection.stated_status is None
        and is_one_more_success(
            test.before.stored, test.state, minute, report.certificate_expires_at
        )
    )


def _name(group: TestedGroup) -> str:
    return f"{group.key.cell} {group.key.slot}"


def _observed(
    minute: datetime, entry: RunEntry, test: FinishedTest | TestFindings
) -> HealthObservation:
    report = test.report if isinstance(test, FinishedTest) else test
    seen = streak_test(minute, entry).seen
    if seen is None:
        raise ValueError("a platform fault says nothing about a connection")
    return replace(
        seen,
        error_message=None if entry.passed else report.message,
        certificate_expires_at=report.certificate_expires_at,
    )
