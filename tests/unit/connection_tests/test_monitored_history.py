"""The history of a connection that monitors and callers test: one list, whatever stores it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from patchbay.checks.report import Step
from patchbay.connection_tests.changes import Fingerprint, PassedTest, WhatChanged
from patchbay.connection_tests.finished_test import FinishedTest
from patchbay.connection_tests.history import TestHistory as History
from patchbay.connection_tests.identity import TestIdentity as Identity
from patchbay.connection_tests.identity import TestSubject as Subject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connection_tests.monitored_tests import MonitoredTests
from patchbay.connection_tests.packed_tests import extra_of, pack
from patchbay.connections.wheel import minute_number
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import Stamp, derived_id
from patchbay.platform.lists import ListQuery
from patchbay.runs.folding import DayCloser
from patchbay.runs.model import Cell, Run, RunKey
from patchbay.runs.reader import RunReader
from patchbay.runs.store import RunStore
from tests.simulator.memory_dynamodb import MemoryClient
from tests.unit.connection_tests.test_packed_tests import CONNECTION, SUBJECT, recorded, simple

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
START = datetime(2026, 2, 16, 22, 0, tzinfo=UTC)
KEPT = timedelta(days=91)
STEP = timedelta(minutes=5)
FAILED = Step.failed("tcp", "connection_refused", "No answer.", category="gate", mandatory=True)
PASSED = Step(name="tcp", category="gate", mandatory=True, status="passed", summary="Open.")
ALONE = Subject.connection(SUBJECT.organization_id, derived_id("con", START, "alone"))


class Monitored:
    """A connection that its monitor and callers test; `truth` has what was found, oldest first."""

    def __init__(self, cell: Cell) -> None:
        self.table = Table("events", MemoryClient())
        self.now = START
        seal = CursorSeal(Table("integrations", MemoryClient()))
        monitored = MonitoredTests(RunReader(self.table))
        self.history = History(self.table, seal, lambda: monitored)
        self.truth: list[RecordedTest] = []
        self._cell = cell
        self._runs = RunStore(self.table, lambda: self.now, KEPT)
        self._last_passed: PassedTest | None = None
        self._before: PassedTest | None = None

    def monitor(self, finished: FinishedTest) -> None:
        """Records a test of this minute, with a test of another connection, and goes on."""
        key = RunKey(self._cell, minute_number(self.now), "5m#0")
        one_before = key._replace(minute=key.minute - 5)
        previous = self._runs.find([one_before]).get(one_before)
        before = previous.by_connection.get(CONNECTION) if previous else None
        # What passed one interval before is what is compared with, if a caller's test did not pass
        # since then or did.
        follows = before is not None and before.passed
        test = recorded(finished, self._before if follows else self._last_passed, self.now)
        extra = b"" if follows else extra_of(test.what_changed)
        if before and before.passed and not finished.report.passed and self._before:
            # A success that ends leaves its mark.
            self.history.note_passed(SUBJECT, self._before)
        own = pack(CONNECTION, self.now, finished, streak=1, extra=extra)
        other = pack(ALONE.id, self.now, finished, streak=1, extra=extra_of(None))
        run = Run(key, {SPACE: (own.entry, other.entry)})
        self._runs.record(run, {CONNECTION: own.shape, ALONE.id: other.shape}, previous)
        self._note(test, finished.fingerprint)
        if test.succeeded:
            self._before = self._last_passed
        self.now += STEP

    def call(self, finished: FinishedTest) -> None:
        """Records a manual test between two minutes."""
        at = self.now - timedelta(seconds=100)
        identity = Identity.called(SUBJECT, Stamp(at, bytes(16)))
        finished = replace(finished, started_at=at, finished_at=at + timedelta(milliseconds=900))
        since = self.history.last_passed(SUBJECT, SPACE, self.now)
        test = recorded(finished, self._last_passed, self.now).model_copy(
            update={"id": identity.test_id, "href": identity.href, "trigger": "manual"}
        )
        assert since == self._last_passed
        self.history.finish(identity, test, finished.fingerprint)
        if test.succeeded and finished.fingerprint:
            passed = PassedTest(
                test_id=test.id, at=finished.finished_at, fingerprint=finished.fingerprint
            )
            self.history.note_passed(SUBJECT, passed)
        self._note(test, finished.fingerprint)

    def close_days(self) -> None:
        DayCloser(self.table, lambda: self.now, KEPT).run(timedelta(minutes=5))

    def pages(self, limit: int) -> Iterator[list[RecordedTest]]:
        cursor = None
        while True:
            query = ListQuery(limit=limit, cursor=cursor)
            page = self.history.tests(SUBJECT, SPACE, query, self.now)
            yield page.items
            if (cursor := page.next_cursor) is None:
                return

    def _note(self, test: RecordedTest, fingerprint: Fingerprint | None) -> None:
        self.truth.append(test)
        if test.succeeded and fingerprint and test.finished_at:
            self._last_passed = PassedTest(
                test_id=test.id, at=test.finished_at, fingerprint=fingerprint
            )


def found(world: Monitored, *steps: Step, variable: str = "eu") -> FinishedTest:
    """What a test at this moment found, with a fingerprint."""
    base = simple(*steps, latency_ms=world.now.minute + 1)
    started_at = world.now + timedelta(milliseconds=1234)
    return FinishedTest(
        None,
        Fingerprint(endpoints={}, configurations={"region": variable}),
        base.report,
        (),
        started_at,
        started_at + timedelta(milliseconds=77),
    )


@pytest.fixture(params=["space", "busy", "pool"])
def world(request: pytest.FixtureRequest) -> Monitored:
    """Three hours over a midnight: some fail, a variable changes, and a caller tests too."""
    cells = {
        "space": Cell.of_space(SPACE),
        "busy": Cell.of_space(SPACE, at_once=True),
        "pool": Cell.of_pool(2),
    }
    world = Monitored(cells[request.param])
    for number in range(36):
        step = FAILED if number % 7 in (5, 6) else PASSED
        world.monitor(found(world, step, variable="eu" if number < 20 else "us"))
        if number % 9 == 4:
            world.call(found(world, PASSED if number % 2 else FAILED))
    return world


def assert_shown(world: Monitored) -> None:
    newest_first = world.truth[::-1]
    for limit in (1, 7, 100):
        assert [test for page in world.pages(limit) for test in page] == newest_first
    for test in (newest_first[0], newest_first[5], world.truth[0], world.truth[12]):
        assert world.history.test(SUBJECT, SPACE, test.id, world.now) == test
    assert world.history.newest(SUBJECT, SPACE, world.now) == newest_first[0]


def test_the_history_is_whole_while_days_are_open_and_closed(world: Monitored) -> None:
    assert_shown(world)
    world.now = START + timedelta(hours=4)
    world.close_days()
    assert_shown(world)
    world.now = START + timedelta(days=2)
    world.close_days()
    assert_shown(world)
    world.now = START + timedelta(days=60)
    assert_shown(world)


def test_what_changed_names_the_last_test_that_passed(world: Monitored) -> None:
    changes = [test.what_changed for test in world.truth]
    assert changes[0] is None
    assert any(isinstance(one, WhatChanged) and one.configurations for one in changes)
    [shown] = list(world.pages(100))
    assert [test.what_changed for test in shown][::-1] == changes


def test_no_test_is_lost_or_shown_twice_while_a_day_is_closed(world: Monitored) -> None:
    world.now = START + timedelta(hours=4)
    expected = world.truth[::-1]
    shown: list[RecordedTest] = []
    for number, page in enumerate(world.pages(4)):
        shown += page
        if number == 3:
            world.close_days()
    assert shown == expected


def test_a_test_that_is_too_old_is_gone(world: Monitored) -> None:
    first = world.truth[0]
    world.now = START + timedelta(days=90, minutes=1)
    with pytest.raises(NotFound):
        world.history.test(SUBJECT, SPACE, first.id, world.now)
    shown = [test for page in world.pages(100) for test in page]
    assert shown == world.truth[:0:-1]


def test_a_test_is_found_under_its_own_connection_only(world: Monitored) -> None:
    test = next(one for one in world.truth if one.trigger == "monitor")
    for subject in (ALONE, Subject(SUBJECT.organization_id, SUBJECT.kind, "con_x")):
        with pytest.raises(NotFound):
            world.history.test(subject, SPACE, test.id, world.now)
    for unknown in ("tst_01KHMFJK8G0000000000000000", "tst_x"):
        with pytest.raises(NotFound):
            world.history.test(SUBJECT, SPACE, unknown, world.now)
