"""The tests of a page of monitored connections: read together, recorded together.

A page of 250 tests costs three rounds of batch reads instead of a thousand single ones. The stores
that read are the same that serve a single test: they find their items read ahead.

Only what costs the same for every connection is done for the page as a whole. What a tenant decides
the cost of (its schemas, templates, secrets) is left to the preparation of each test.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS
from patchbay.connection_tests.changes import PassedTest
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.history import TestHistory, TestRecord
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.recorder import TestRecorder, TestToRecord
from patchbay.connection_tests.tester import PreparedTest, Tester
from patchbay.connection_tests.time_budgets import TimeBudget
from patchbay.connections.connection_items import read_connection
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_items import grant_key_of
from patchbay.connections.health_state import HealthState, first_failure
from patchbay.connections.keys import connection_key, endpoint_key, secret_key
from patchbay.connections.plan_moves import PlanMoves
from patchbay.connections.vault import Vault
from patchbay.connections.wheel import is_due, minute_number
from patchbay.egress.guard import EgressGuard
from patchbay.monitors.plan_reader import DuePlans, PlanReader
from patchbay.monitors.reprobes import crashed_test
from patchbay.monitors.run_recorder import Announce
from patchbay.monitors.store import WheelPage
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, Key, ReadAhead
from patchbay.platform.errors import NotFound, PatchbayError, TemporarilyUnavailable
from patchbay.platform.logging import log_exception
from patchbay.registry.keys import release_key
from patchbay.tenancy.keys import organization_key, space_key

_WRITERS: Final = 20
MAX_RELEASES_AHEAD: Final = 25
"""The releases of an organization that are read ahead. Further ones are read by the test that needs
them, in the time of that organization."""


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """The monitored test of one connection. `prepared` is None if preparing it crashed."""

    identity: TestIdentity
    connection: Connection
    prepared: PreparedTest | None
    last_passed: PassedTest | None
    tester: Tester
    guard: EgressGuard
    clock: Clock

    @property
    def connection_id(self) -> str:
        return self.connection.id

    @property
    def organization_id(self) -> str:
        return self.connection.organization_id

    @property
    def targets(self) -> frozenset[str]:
        return self.prepared.targets if self.prepared else frozenset()

    @property
    def first_failure(self) -> bool:
        return first_failure(HealthState.decode(self.connection.state))

    @property
    def worked_before(self) -> bool:
        return HealthState.decode(self.connection.state).successes > 0

    async def run(self, total_ms: int) -> FinishedTest:
        if self.prepared is None:
            return self.crashed()
        budget = TimeBudget(total_ms, min(total_ms, DEFAULT_TIMEOUT_MS))
        return await self.tester.run(self.prepared, self.guard, budget)

    def crashed(self) -> FinishedTest:
        return crashed_test(self.connection, self.prepared, self.clock())


@dataclass(frozen=True, slots=True)
class DueConnection:
    """A connection that is due: its test is not prepared yet.

    `context` is where the items of the page are read ahead.
    """

    unprepared: ConnectionTest
    context: Context = field(repr=False)

    @property
    def key(self) -> Key:
        return connection_key(self.organization_id, self.unprepared.connection_id)

    @property
    def organization_id(self) -> str:
        return self.unprepared.connection.organization_id

    def prepare(self) -> ConnectionTest | None:
        """The test, ready to run; None if the connection can no longer be tested. Blocks.

        Raises `TemporarilyUnavailable` if the table does not respond.
        """
        return self.context.run(self._prepare)

    def _prepare(self) -> ConnectionTest | None:
        test = self.unprepared
        try:
            return replace(test, prepared=test.tester.prepare_connection(test.connection))
        except TemporarilyUnavailable:
            raise
        except NotFound:
            return None  # its endpoint has been deleted since it was read
        except Exception as error:
            log_exception("test not prepared", error, connection=test.connection_id)
            return test


@dataclass(frozen=True, slots=True)
class DueConnections:
    """The connections of a page that are due, and where their results go."""

    due: Sequence[DueConnection]
    recorder: TestRecorder
    announce: Announce

    def record(self, results: Sequence[tuple[ConnectionTest, FinishedTest]]) -> None:
        """Records tests with their results.

        Raises `TemporarilyUnavailable` if some of them were not written.
        """
        if not results:
            return
        finished = [
            TestToRecord(test.identity, result, test.last_passed) for test, result in results
        ]
        with ThreadPoolExecutor(_WRITERS) as pool:
            announcements = self.recorder.record_all(finished, trigger="monitor", spread=pool.map)
        self.announce(announcements)


class PageReader:
    """Reads what the tests of a page need. Made once per process.

    Both tables are the ones that the stores of tester and recorder use.
    """

    def __init__(
        self,
        integrations: ReadAhead,
        events: ReadAhead,
        tester: Tester,
        recorder: TestRecorder,
        history: TestHistory,
        vault: Vault,
        guard: EgressGuard,
        announce: Announce,
        clock: Clock,
        plans: PlanReader,
        moves: PlanMoves,
    ) -> None:
        self._plans = plans
        self._moves = moves
        self._integrations = integrations
        self._events = events
        self._tester = tester
        self._recorder = recorder
        self._history = history
        self._vault = vault
        self._guard = guard
        self._announce = announce
        self._clock = clock

    def read(self, found: WheelPage, minute: datetime) -> DueConnections | DuePlans:
        """The connections that are due at this minute.

        Those that have plans are read by a reader of their own. For others:

        1. Leave out connections that have left the wheel or changed their phase since the index was
           read, and those whose space or organization is paused.
        2. Leave out tests that are in the history, but repeat what follows from them: their writer
           may have died before that.
        3. See to it that they get plans.
        """
        if found.plans:
            return self._plans.read(found, minute)
        candidates = list(self._due(self._integrations.get_all(found.keys).values(), minute))
        identities = [
            TestIdentity.scheduled(TestSubject.connection(one.organization_id, one.id), minute)
            for one in candidates
        ]
        history_keys = [key for one in identities for key in self._history.keys_of(one)]
        with ExitStack() as ahead:
            items = ahead.enter_context(self._integrations.ahead(_keys_to_read(candidates)))
            ahead.enter_context(self._events.ahead(history_keys))
            more = [*_release_keys(items.values()), *_grant_keys(items.values())]
            granted = ahead.enter_context(self._integrations.ahead(more))
            self._vault.read_ahead([*items.values(), *granted.values()], self._clock())
            recorded: list[tuple[TestRecord, Connection | None]] = []
            due: list[DueConnection] = []
            for connection, identity in zip(candidates, identities, strict=True):
                if _is_paused(connection, items):
                    continue
                if record := self._history.record(identity):
                    recorded.append((record, connection))
                else:
                    due.append(DueConnection(self._test(connection, identity), copy_context()))
        if recorded:
            self._announce(self._recorder.follow_up(recorded))
        self._adopt(one for one in candidates if not _is_paused(one, items))
        return DueConnections(due, self._recorder, self._announce)

    def _adopt(self, connections: Iterable[Connection]) -> None:
        """Begins to give plans to those that have none. The tests of this minute don't need them,
        so what fails here is left to the next sweep."""
        now = self._clock()

        def adopt(space: tuple[str, str, str]) -> None:
            try:
                self._moves.adopt(*space, now)
            except PatchbayError as error:
                log_exception("space not adopted", error, space=space[2])

        spaces = {
            (one.organization_id, one.space, one.space_id) for one in connections if not one.plans
        }
        if spaces:
            with ThreadPoolExecutor(_WRITERS) as pool:
                list(pool.map(adopt, spaces))

    def _due(self, items: Iterable[Item], minute: datetime) -> Iterator[Connection]:
        for item in items:
            try:
                connection = read_connection(item)
            except Exception as error:
                log_exception("connection not readable", error, connection=item["sk"])
                continue
            if is_due_by_index(connection, minute):
                yield connection

    def _test(self, connection: Connection, identity: TestIdentity) -> ConnectionTest:
        return ConnectionTest(
            identity,
            connection,
            None,
            self._history.last_passed(identity.subject, None, self._clock()),
            self._tester,
            self._guard,
            self._clock,
        )


def _keys_to_read(due: Sequence[Connection]) -> Iterator[Key]:
    """What tests read under keys that follow from their connections."""
    for one in due:
        organization_id = one.organization_id
        yield organization_key(organization_id)
        yield space_key(organization_id, one.space)
        for endpoint_id in filter(None, (one.source_id, one.destination_id)):
            yield endpoint_key(organization_id, endpoint_id)
            yield secret_key(organization_id, endpoint_id)


def _release_keys(items: Iterable[Item]) -> Iterator[Key]:
    """The releases of the endpoints. Of each organization only a few: a release may have 200 KB."""
    seen: defaultdict[str, set[Key]] = defaultdict(set)
    for item in items:
        if "integration_id" in item and "version" in item:
            key, releases = release_key(item["integration_id"], item["version"]), seen[item["pk"]]
            if len(releases) < MAX_RELEASES_AHEAD:
                releases.add(key)
                yield key


def _grant_keys(items: Iterable[Item]) -> Iterator[Key]:
    """The grants of the endpoints that may have one."""
    endpoints = (item for item in items if "integration_id" in item and "secrets_set" in item)
    yield from filter(None, map(grant_key_of, endpoints))


def is_due_by_index(connection: Connection, minute: datetime) -> bool:
    """Whether a connection that the index has is due at this minute, and no plan has the minute."""
    if not connection.is_monitored:
        return False
    first = connection.planned_from
    if connection.plans and (first is None or minute_number(minute) >= first):
        return False
    return is_due(connection.id, connection.monitor.interval, minute)


def _is_paused(connection: Connection, items: dict[Key, Item]) -> bool:
    """Also for an organization that is being erased: it is gone before its connections are."""
    organization = items.get(organization_key(connection.organization_id), {"paused": True})
    space = items.get(space_key(connection.organization_id, connection.space), {})
    return bool(organization.get("paused") or space.get("paused"))
