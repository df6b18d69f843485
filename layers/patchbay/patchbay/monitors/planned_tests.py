"""The test of a connection that has a plan.

It is prepared from the snapshot of its plan. A failure that an edit may have ended counts only if
the items are still what the snapshot has: otherwise the test runs again, with the items as they
stand.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Final, Protocol

from patchbay.checks.codes import CodeCategory
from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS
from patchbay.checks.report import CheckReport
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.identity import TestSubject
from patchbay.connection_tests.preparation import PreparationOverdue, prepared_in_time
from patchbay.connection_tests.tester import PreparedTest, Tester
from patchbay.connection_tests.time_budgets import TimeBudget
from patchbay.connections.connection_items import read_connection
from patchbay.connections.connection_model import Connection
from patchbay.connections.health_state import HealthState, first_failure
from patchbay.connections.keys import connection_key
from patchbay.connections.plans import MonitorPlan
from patchbay.connections.snapshots import SnapshotView, own_keys, shared_keys
from patchbay.connections.steady_health import StreakTest, overlaid, unwritten
from patchbay.egress.guard import EgressGuard
from patchbay.monitors.reprobes import crashed_test
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, Key, ReadAhead
from patchbay.platform.errors import Conflict, NotFound, TemporarilyUnavailable
from patchbay.platform.logging import log_exception
from patchbay.runs.model import RunEntry

_MAY_BE_EDITED: Final = frozenset[CodeCategory]({"config", "auth", "permission", "platform"})
"""Categories of failures that an edit of the connection or of its endpoints may have ended."""
_LEAST_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class TestItems:
    """What a test reads: its connection, its endpoints, their secrets, releases, and grants.

    Of the optional ones, those that are not there are None.
    """

    connection: Item
    others: Mapping[Key, Item | None]
    view: SnapshotView | None = None
    """What they were taken from; None if they were read now."""

    @property
    def is_live(self) -> bool:
        return self.view is None

    @property
    def stored(self) -> list[Item]:
        """The items beside the connection that a snapshot has."""
        if self.view:
            return self.view.snapshot.stored
        return [item for key in own_keys(self.connection) if (item := self.others.get(key))]

    @property
    def shared_keys(self) -> list[Key]:
        """The keys of what it shares with others: releases, and grants."""
        return self.view.snapshot.shared_keys if self.view else list(shared_keys(self.stored))

    def is_same(self, other: "TestItems") -> bool:
        """Whether a test of the other would find the same, as far as edits go."""
        if self.connection["revision"] != other.connection["revision"]:
            return False
        return all(
            _edited(self.others.get(key)) == _edited(other.others.get(key))
            for key in own_keys(self.connection)
        )


class ReadsItems(Protocol):
    def live(self, plan: MonitorPlan) -> TestItems | None:
        """The items as they stand; None if the plan is not the connection's any more."""
        ...


@dataclass(frozen=True, slots=True)
class TestBefore:
    """What is known of a connection before its test.

    `stored` is its health as it was written, `state` what follows from the `tests` of runs that it
    may not have: usually the newest. `entry` is that of one interval before.
    """

    stored: HealthState
    tests: tuple[StreakTest, ...] = ()
    entry: RunEntry | None = None
    entry_at: datetime | None = None

    @property
    def state(self) -> HealthState:
        return reduce(overlaid, self.tests, self.stored)

    @property
    def is_unwritten(self) -> bool:
        return any(unwritten(self.stored, test) for test in self.tests)

    @property
    def tested_since(self) -> bool:
        """Whether a caller tested the connection after the entry."""
        at = self.stored.at
        return at is not None and self.entry_at is not None and at > self.entry_at


@dataclass(slots=True)
class PlannedTest:
    """The monitored test of one connection, due and ready alike."""

    plan: MonitorPlan
    minute: datetime
    before: TestBefore
    items: TestItems | None
    tester: Tester
    guard: EgressGuard
    clock: Clock
    reader: ReadsItems
    table: ReadAhead
    state: HealthState = field(init=False)
    connection: Connection | None = field(init=False, default=None)
    prepared: PreparedTest | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        self.state = self.before.state

    @property
    def key(self) -> Key:
        return self.plan.key

    @property
    def connection_id(self) -> str:
        return self.plan.connection_id

    @property
    def organization_id(self) -> str:
        return self.plan.organization_id

    @property
    def subject(self) -> TestSubject:
        return TestSubject.connection(self.organization_id, self.connection_id)

    @property
    def unprepared(self) -> "PlannedTest":
        return replace(self)

    @property
    def has_live_items(self) -> bool:
        """Whether it reads items as they stand: its connection is not that of its plan."""
        return self.items is not None and self.items.is_live

    @property
    def targets(self) -> frozenset[str]:
        return self.prepared.targets if self.prepared else frozenset()

    @property
    def first_failure(self) -> bool:
        return first_failure(self.state)

    @property
    def worked_before(self) -> bool:
        return self.state.successes > 0

    def prepare(self) -> "PlannedTest | None":
        """The test, ready to run; None if the connection can no longer be tested. Blocks.

        Raises `TemporarilyUnavailable` if the table does not respond.
        """
        try:
            if self.items and self._prepare(self.items):
                return self
            if self.items is None or self.items.is_live:
                return None
            items = self.reader.live(self.plan)
            return self if items and self._prepare_live(items) else None
        except TemporarilyUnavailable:
            raise
        except Exception as error:
            log_exception("test not prepared", error, connection=self.connection_id)
            return self

    async def run(self, total_ms: int) -> FinishedTest:
        loop = asyncio.get_running_loop()
        ends = loop.time() + total_ms / 1000
        finished = await self._run(total_ms)
        before = self.items
        if before is None or before.is_live or not _may_be_edited(finished.report):
            return finished
        try:
            items = await asyncio.to_thread(self.reader.live, self.plan)
            if items is None or items.is_same(before):
                return finished
            left = ends - loop.time()
            if left < _LEAST_SECONDS:
                return finished
            if not await prepared_in_time(lambda: self._prepare_live(items)):
                return finished
        except (TemporarilyUnavailable, PreparationOverdue) as error:
            log_exception("test not repeated", error, connection=self.connection_id)
            return finished
        return await self._run(max(0, int((ends - loop.time()) * 1000)))

    def crashed(self) -> FinishedTest:
        return crashed_test(self.connection, self.prepared, self.clock())

    async def _run(self, total_ms: int) -> FinishedTest:
        if self.prepared is None:
            return self.crashed()
        budget = TimeBudget(total_ms, min(total_ms, DEFAULT_TIMEOUT_MS))
        return await self.tester.run(self.prepared, self.guard, budget)

    def _prepare_live(self, items: TestItems) -> bool:
        self.items = items
        return self._prepare(items)

    def _prepare(self, items: TestItems) -> bool:
        """Whether the connection can be tested."""
        view = items.view
        self.connection = view.connection if view else read_connection(items.connection)
        endpoints = view.snapshot.endpoints if view else None
        with self.table.known(items.others):
            try:
                self.prepared = self.tester.prepare_connection(self.connection, endpoints)
            except (NotFound, Conflict):
                return False
        return True


def connection_key_of(plan: MonitorPlan) -> Key:
    return connection_key(plan.organization_id, plan.connection_id)


def _may_be_edited(report: CheckReport) -> bool:
    return not report.passed and report.category in _MAY_BE_EDITED


def _edited(item: Item | None) -> object:
    """What an edit changes of an endpoint, or of secrets."""
    if item is None:
        return None
    return item["revision"] if "revision" in item else (item["nonce"], item["sealed"])
