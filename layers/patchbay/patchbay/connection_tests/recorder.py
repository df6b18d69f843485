"""Recording a test that has run, and what follows from it.

1. The history: the first writer of a test records it. Repeating the test returns that record,
   and everything below follows from the record, not from the repetition.
2. The event in the connection's space. Its id is the test's, so it is counted once.
3. The mark of the last test that passed, which later failures are compared with.
4. The health of the connection, unless the failure is our own fault.

Each step may be repeated, so a crash, a retry, or a redelivery ends in one item, one event, and one
count. Steps 2 and 4 are for connections only. All of it blocks.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from patchbay.connection_tests.changes import PassedTest, WhatChanged
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.history import TestHistory, TestRecord
from patchbay.connection_tests.identity import TestIdentity, TestSubjectKind
from patchbay.connection_tests.model import (
    RecordedTest,
    TestFindings,
    TestMode,
    TestTrigger,
    health_status,
)
from patchbay.connection_tests.subjects import TestSubjects
from patchbay.connections.announcements import Announcement
from patchbay.connections.connection_model import Connection
from patchbay.connections.health_recorder import HealthRecorder
from patchbay.connections.health_state import NO_AUTO_DISABLE, AutoDisable, HealthObservation
from patchbay.connections.required_actions import required_action
from patchbay.health.model import Event, event_of_test
from patchbay.health.store import EventStore
from patchbay.platform.clock import Clock


@dataclass(frozen=True, slots=True)
class TestToRecord:
    """`last_passed` is the last test of the same subject that passed before."""

    identity: TestIdentity
    finished: FinishedTest
    last_passed: PassedTest | None


class Spread(Protocol):
    """Like `map`, in any order of execution; `ThreadPoolExecutor.map` is one."""

    def __call__[T, R](self, do: Callable[[T], R], things: Iterable[T], /) -> Iterable[R]: ...


class TestRecorder:
    def __init__(
        self,
        subjects: TestSubjects,
        health: HealthRecorder,
        events: EventStore,
        history: TestHistory,
        clock: Clock,
        disable: AutoDisable = NO_AUTO_DISABLE,
    ) -> None:
        self._subjects = subjects
        self._health = health
        self._events = events
        self._history = history
        self._clock = clock
        self._disable = disable

    def record(
        self,
        identity: TestIdentity,
        finished: FinishedTest,
        *,
        trigger: TestTrigger,
        mode: TestMode = "sync",
    ) -> RecordedTest:
        """Returns the test as the history has it, which another writer may have recorded first.

        Raises `TemporarilyUnavailable`; then repeat it, with this test or another run of it.
        """
        space_id = finished.connection.space_id if finished.connection else None
        last_passed = self._history.last_passed(identity.subject, space_id, finished.finished_at)
        record = self._write(TestToRecord(identity, finished, last_passed), trigger, mode)
        self.follow_up([(record, finished.connection)])
        return record.test

    def record_all(
        self, tests: Sequence[TestToRecord], *, trigger: TestTrigger, spread: Spread = map
    ) -> list[Announcement]:
        """Records many tests: each as if it were alone, their events together.

        `spread` does independent writes concurrently. Returns what to announce on the bus. Raises
        `TemporarilyUnavailable` if some of it was not written; then repeat all of it.
        """
        records = spread(lambda test: self._write(test, trigger, "sync"), tests)
        connections = [test.finished.connection for test in tests]
        return self.follow_up(list(zip(records, connections, strict=True)), spread)

    def follow_up(
        self, recorded: Sequence[tuple[TestRecord, Connection | None]], spread: Spread = map
    ) -> list[Announcement]:
        """Steps 2 to 4 for tests that are in the history. Raises `TemporarilyUnavailable`."""
        events = [event_of(record, connection) for record, connection in recorded if connection]
        if events:
            self._events.add(events, self._clock())
        announced = spread(lambda one: self._note(*one), recorded)
        return [announcement for each in announced for announcement in each]

    def settle(self, identity: TestIdentity) -> None:
        """Ends a queued test that must not run, or not again.

        A test past its deadline is recorded as every reader returns it. For a test that is already
        recorded, everything that follows is repeated: its writer may have died before that.
        Raises `NotFound` for a connection that has been deleted.
        """
        record = self._history.settle(identity, self._clock())
        if record is None or record.test.refused:
            return
        subject = identity.subject
        connection = None
        if subject.kind is TestSubjectKind.CONNECTION:
            connection = self._subjects.connection(subject)
        self.follow_up([(record, connection)])

    def refuse(self, identity: TestIdentity, reason: str) -> None:
        """Ends a queued test that can't start. Nothing was dialed, so nothing follows from it.

        Raises `NotFound` if its subject is gone: then its tests can no longer be read.
        """
        self._subjects.require(identity.subject)
        self._history.refuse(identity, reason, self._clock())

    def _write(self, one: TestToRecord, trigger: TestTrigger, mode: TestMode) -> TestRecord:
        identity, finished, fingerprint = one.identity, one.finished, one.finished.fingerprint
        what_changed = None
        if one.last_passed and fingerprint:
            what_changed = WhatChanged.since(one.last_passed, fingerprint)
        test = RecordedTest(
            **TestFindings.fields_of(finished.report),
            capabilities=finished.capabilities,
            id=identity.test_id,
            href=identity.href,
            trigger=trigger,
            mode=mode,
            queued_at=identity.at if mode == "async" else None,
            started_at=finished.started_at,
            finished_at=finished.finished_at,
            what_changed=what_changed,
        )
        return self._history.finish(identity, test, fingerprint)

    def _note(self, record: TestRecord, connection: Connection | None) -> list[Announcement]:
        test = record.test
        if test.succeeded and record.fingerprint:
            passed = PassedTest(test_id=test.id, at=record.at, fingerprint=record.fingerprint)
            self._history.note_passed(record.identity.subject, passed)
        if connection is None or test.blame == "platform":
            return []
        return self._health.record(
            connection,
            observation_of(record),
            required_action(test.code),
            self._disable,
            before=self._history.unwritten(connection, self._clock()),
        )


def event_of(record: TestRecord, connection: Connection) -> Event:
    """The event of a connection's test. Its id and time follow from the record, so a repetition
    finds the event that exists."""
    test = record.test
    event = event_of_test(
        connection.space_id,
        connection.id,
        passed=test.succeeded,
        latency_ms=test.latency_ms or 0,
        code=test.code,
        platform_fault=test.blame == "platform",
        now=record.at,
    )
    return event.model_copy(update={"id": record.identity.event_id})


def observation_of(record: TestRecord) -> HealthObservation:
    """What the test says about its connection's health."""
    test = record.test
    return HealthObservation(
        at=record.identity.at,
        status=health_status(test),
        latency_ms=test.latency_ms or 0,
        finished_at=record.at,
        error_code=test.code,
        error_message=None if test.succeeded else test.message,
        certificate_expires_at=test.certificate_expires_at,
    )
