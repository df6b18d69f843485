"""The turns of a page of connections: what they need is read together, what they found is written
as one.

A page of 250 tests costs three rounds of batch reads instead of a thousand single ones. The stores
that read are those that serve a single test: they find their items read ahead.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS
from patchbay.checks.report import CheckReport
from patchbay.connection_tests.changes import PassedTest
from patchbay.connection_tests.history import TestHistory, TestSubject, TestSubjectKind
from patchbay.connection_tests.identity import TestIdentity
from patchbay.connection_tests.tester import (
    EndedTest,
    FinishedTest,
    FollowUp,
    PreparedTest,
    Tester,
    TimeBudget,
)
from patchbay.connections.announcements import Announcement
from patchbay.connections.health_state import HealthState, first_failure
from patchbay.connections.keys import endpoint_key, secret_key
from patchbay.connections.model import Connection
from patchbay.connections.store import ConnectionStore
from patchbay.connections.wheel import is_due
from patchbay.egress.guard import EgressGuard
from patchbay.monitors.reprobes import MonitoredTest, crash_report
from patchbay.monitors.store import MemberPage
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, Key, ReadAhead
from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from patchbay.platform.logging import log_exception
from patchbay.registry.keys import release_key
from patchbay.tenancy.store import organization_key, space_key

_WRITERS: Final = 20


@dataclass(eq=False)
class ConnectionMonitorTest:
    """One connection's test, prepared; `prepared` is None if that failed through us."""

    subject: TestSubject
    identity: TestIdentity
    connection: Connection
    prepared: PreparedTest | None
    passed: PassedTest | None
    tester: Tester
    guard: EgressGuard
    clock: Clock
    runs: list[FinishedTest] = field(default_factory=list)

    @property
    def connection_id(self) -> str:
        return self.connection.id

    @property
    def places(self) -> frozenset[str]:
        parts = self.prepared.parts.values() if self.prepared else ()
        return frozenset(
            place for part in parts for place in part.endpoint.binding.get("destination", ())
        )

    @property
    def first_failure(self) -> bool:
        return first_failure(HealthState.decode(self.connection.state))

    async def run(self, total_ms: int) -> CheckReport:
        if self.prepared is None:
            return crash_report()
        budget = TimeBudget(total_ms, min(total_ms, DEFAULT_TIMEOUT_MS))
        finished = await self.tester.run(self.prepared, self.guard, budget)
        self.runs.append(finished)
        return finished.report

    def ended(self, report: CheckReport) -> EndedTest:
        """The turn with the report that counts: that of one of its runs, or a judgement on it."""
        now = self.clock()
        finished = next((run for run in self.runs if run.report is report), None)
        if finished is None:
            last = self.runs[-1] if self.runs else FinishedTest(report, (), now, now)
            finished = replace(last, report=report)
        prepared = self.prepared or PreparedTest({}, (), connection=self.connection)
        return EndedTest(self.subject, self.identity, prepared, finished, self.passed)


class ConnectionPageTests:
    """Where a page's members become tests, and its results a history. Made once per process.

    Both tables are the ones that the tester's stores use.
    """

    def __init__(
        self,
        integrations: ReadAhead,
        events: ReadAhead,
        tester: Tester,
        history: TestHistory,
        guard: EgressGuard,
        announce: Callable[[Sequence[Announcement]], None],
        clock: Clock,
    ) -> None:
        self._integrations = integrations
        self._events = events
        self._tester = tester
        self._history = history
        self._guard = guard
        self._announce = announce
        self._clock = clock

    def prepare(self, members: MemberPage, minute: datetime) -> Sequence[MonitoredTest]:
        """Those who are to be tested at this minute.

        1. Who left the wheel since the index was read, or is of another phase, is not; nor is who
           belongs to a space or organization that is paused.
        2. Who stands in the history has been tested. What follows from that is done again, for
           whoever recorded it may have died before.
        """
        due = list(self._due(self._integrations.get_all(members.keys).values(), minute))
        subjects = [
            TestSubject(one.organization_id, TestSubjectKind.CONNECTION, one.id) for one in due
        ]
        turns = [TestIdentity.scheduled(one.id, minute) for one in due]
        stands = [
            key
            for pair in zip(subjects, turns, strict=True)
            for key in self._history.keys_of(*pair)
        ]
        with ExitStack() as ahead:
            found = ahead.enter_context(self._integrations.ahead(_needs(due)))
            ahead.enter_context(self._events.ahead(stands))
            ahead.enter_context(self._integrations.ahead(_releases(found.values())))
            recorded: list[FollowUp] = []
            trials: list[MonitoredTest] = []
            for connection, subject, identity in zip(due, subjects, turns, strict=True):
                if _is_paused(connection, found):
                    continue
                if standing := self._history.standing(subject, identity):
                    recorded.append(FollowUp(subject, identity, connection, standing))
                elif turn := self._turn(connection, subject, identity):
                    trials.append(turn)
        if recorded:
            self._announce(self._tester.follow(recorded))
        return trials

    def record(self, tested: Sequence[tuple[MonitoredTest, CheckReport]], minute: datetime) -> None:
        """Raises `TemporarilyUnavailable` if some of it did not get through."""
        del minute  # it is in each test's identity
        ended = [
            trial.ended(report)
            for trial, report in tested
            if isinstance(trial, ConnectionMonitorTest)
        ]
        if not ended:
            return
        with ThreadPoolExecutor(_WRITERS) as pool:
            told = self._tester.record_all(ended, trigger="monitor", spread=pool.map)
        self._announce(told)

    def _due(self, items: Iterable[Item], minute: datetime) -> Iterator[Connection]:
        for item in items:
            try:
                connection = ConnectionStore.of_item(item)
            except Exception as error:
                log_exception("connection not readable", error, connection=item["sk"])
                continue
            interval = connection.monitor.interval
            if connection.is_monitored and is_due(connection.id, interval, minute):
                yield connection

    def _turn(
        self, connection: Connection, subject: TestSubject, identity: TestIdentity
    ) -> ConnectionMonitorTest | None:
        prepared: PreparedTest | None = None
        try:
            prepared = self._tester.prepare_connection(connection)
        except TemporarilyUnavailable:
            raise
        except NotFound:
            return None  # its endpoint went with it, since it was read
        except Exception as error:
            # One connection that can't be prepared must not keep its neighbours from their test.
            log_exception("test not prepared", error, connection=connection.id)
        passed = self._history.last_passed(subject, self._clock())
        return ConnectionMonitorTest(
            subject,
            identity,
            connection,
            prepared,
            passed,
            self._tester,
            self._guard,
            self._clock,
        )


def _needs(due: Sequence[Connection]) -> Iterator[Key]:
    """What a test reads by keys that its connection tells."""
    for one in due:
        organization_id = one.organization_id
        yield organization_key(organization_id)
        yield space_key(organization_id, one.space)
        for endpoint_id in filter(None, (one.source_id, one.destination_id)):
            yield endpoint_key(organization_id, endpoint_id)
            yield secret_key(organization_id, endpoint_id)


def _releases(items: Iterable[Item]) -> Iterator[Key]:
    for item in items:
        if "integration_id" in item and "version" in item:
            yield release_key(item["integration_id"], item["version"])


def _is_paused(connection: Connection, found: dict[Key, Item]) -> bool:
    organization = found.get(organization_key(connection.organization_id), {})
    space = found.get(space_key(connection.organization_id, connection.space), {})
    return bool(organization.get("paused") or space.get("paused"))
