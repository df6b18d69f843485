"""The tests of connections and endpoints in the events table, for 90 days.

What monitors test is in runs (`monitored_tests`), and shown in one list with what is here:

    a test                  CON#<id>, SRC#<id>, DST#<id>   <asked for at>#<test id>
    the last that passed    the same pk                    PASSED

The id of a test says when it was asked for, so its key follows from the id: a test that is repeated
finds its item, and one test is read by its key. An item without `finished_at` is queued or running.
The first writer of the finished test records it, and that record is the truth from then on.

A queued or running test has a **deadline**. After it nothing is started or recorded but the failure
that every reader returns from then on: a test whose message was lost, or whose function was killed,
does not stay queued forever.

If the caller asked to follow it, a running test has the steps so far, in an attribute of its own:
the finished test takes its place.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from patchbay.checks.codes import Code
from patchbay.checks.live_steps import steps_of, text_of
from patchbay.checks.report import Step
from patchbay.checks.verdict import undialed_report
from patchbay.connection_tests.changes import Fingerprint, PassedTest
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.model import RecordedTest, TestFindings
from patchbay.platform.clock import epoch_seconds, from_text, to_sortable
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Condition,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    Update,
    all_before,
    at_most,
    exists,
    less_or_absent,
    without,
)
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import new_id
from patchbay.platform.lists import Listing, ListQuery, Lists, Position, Stretch, merged

if TYPE_CHECKING:
    from patchbay.connection_tests.monitored_tests import MonitoredTests
    from patchbay.connections.connection_model import Connection
    from patchbay.connections.steady_health import StreakTest

KEPT: Final = timedelta(days=90)
"""What the API promises of a history: long enough to compare any month with the one before."""

TO_FINISH: Final = timedelta(minutes=5)
"""From the call to the deadline. A healthy queue starts a test within seconds, and a caller who
polls should learn soon that something is wrong on our side."""

TO_RUN: Final = timedelta(seconds=90)
"""The time limit of the function that runs queued tests (template.yaml). A claim lasts as long, and
a test is not started later than this before its deadline."""

_AHEAD: Final = timedelta(days=1)
"""Clocks differ: a test may have been asked for at a time that has not come here."""
_LAST_FEW: Final = 5


class TestRecord(NamedTuple):
    """A finished test as the history has it: what everything else is derived from."""

    identity: TestIdentity
    test: RecordedTest
    fingerprint: Fingerprint | None

    @property
    def at(self) -> datetime:
        return self.test.finished_at or self.identity.at


class TestClaim(StrEnum):
    """The result of trying to claim a queued test."""

    OURS = "ours"
    HELD = "held"
    """Another runner has it."""
    OVERDUE = "overdue"
    DONE = "done"
    """It is finished, or was taken back."""


class TestHistory:
    """The tests of the events table; the key that seals cursors is in the integrations table.

    What reads has the space of a connection, whose runs are read too; None for an endpoint.
    """

    def __init__(
        self, events: Table, seal: CursorSeal, monitored: "Callable[[], MonitoredTests]"
    ) -> None:
        self._table = events
        self._lists = Lists(events, seal)
        self._monitored = monitored

    @staticmethod
    def keys_of(identity: TestIdentity) -> tuple[Key, Key]:
        """The keys of a test, and of the last test of its subject that passed."""
        return _key(identity), _passed_key(identity.subject)

    def record(self, identity: TestIdentity) -> TestRecord | None:
        """None for a test that is not finished."""
        item = self._table.get(_key(identity))
        return _record(identity, item) if item and "finished_at" in item else None

    def finish(
        self, identity: TestIdentity, test: RecordedTest, fingerprint: Fingerprint | None
    ) -> TestRecord:
        """Records a finished test. Returns the first record, which may be another writer's."""
        item = _item(identity, test)
        item["finished_at"] = to_sortable(_finished_at(test))
        if fingerprint:
            item["fingerprint"] = fingerprint.model_dump_json()
        try:
            self._table.write(Put(item, without("finished_at")))
        except ConditionFailed as existing:
            if existing.item is None:
                raise
            item = existing.item
        return _record(identity, item)

    def last_passed(
        self, subject: TestSubject, space_id: str | None, now: datetime
    ) -> PassedTest | None:
        """The last test that passed, unless it is older than the history.

        A monitor's test that passes leaves the mark as it is, until one fails.
        """
        marked = self._marked(subject, now)
        if space_id is None:
            return marked
        since = marked.at if marked else now - KEPT
        newest = self._monitored().last_passed(subject, space_id, since, now)
        found = [passed for passed in (marked, newest) if passed]
        return max(found, key=lambda passed: passed.at, default=None)

    def unwritten(self, connection: "Connection", now: datetime) -> "tuple[StreakTest, ...]":
        """The tests of a monitor that the health of a connection does not have yet."""
        if not connection.plans:
            return ()
        from patchbay.connections.health_state import HealthState

        state = HealthState.decode(connection.state)
        return self._monitored().unwritten(connection.id, connection.space_id, state, now)

    def _marked(self, subject: TestSubject, now: datetime) -> PassedTest | None:
        item = self._table.get(_passed_key(subject))
        if item is None or item["expires_at"] <= epoch_seconds(now):
            return None
        return PassedTest.model_validate_json(item["passed"])

    def note_passed(self, subject: TestSubject, passed: PassedTest) -> None:
        """Keeps the newest; repeating it changes nothing."""
        at = to_sortable(passed.at)
        item = {
            **_passed_key(subject)._asdict(),
            "passed": passed.model_dump_json(),
            "passed_at": at,
            "expires_at": epoch_seconds(passed.at, KEPT),
        }
        try:
            self._table.write(Put(item, less_or_absent("passed_at", at)))
        except ConditionFailed:
            return

    def enqueue(self, identity: TestIdentity, now: datetime) -> RecordedTest:
        """Adds a queued test. Returns the existing one if the call is a repetition."""
        queued = RecordedTest.queued(identity.test_id, identity.href, identity.at)
        item = _item(identity, queued) | {"deadline": epoch_seconds(now, TO_FINISH)}
        try:
            self._table.write(Put(item, ABSENT))
        except ConditionFailed as existing:
            if existing.item is None:
                raise
            return read_test(existing.item, now)
        return queued

    def take_back(self, identity: TestIdentity) -> None:
        """Removes a test that could not be sent to the queue, if no runner has claimed it."""
        untouched = without("claim") & without("finished_at")
        try:
            self._table.write(Delete(_key(identity), untouched))
        except ConditionFailed:
            return

    def claim(self, identity: TestIdentity, now: datetime) -> TestClaim:
        """Whether the caller may run a queued test, for `TO_RUN` from now."""
        mine = new_id("clm", now)
        free = without("claimed_until") | at_most("claimed_until", epoch_seconds(now))
        early = epoch_seconds(now, TO_RUN)
        claimed = Update(
            _key(identity),
            values={
                "claim": mine,
                "claimed_until": early,
                "started_at": to_sortable(now),
            },
            remove=["steps_so_far"],
            condition=PRESENT & without("finished_at") & free & _not_before("deadline", early),
        )
        try:
            self._table.write(claimed)
        except ConditionFailed as existing:
            if existing.item is None or "finished_at" in existing.item:
                return TestClaim.DONE
            if existing.item.get("claim") == mine:
                return TestClaim.OURS  # our own write, repeated after its reply was lost
            if existing.item["deadline"] < epoch_seconds(now):
                return TestClaim.OVERDUE
            return TestClaim.HELD
        return TestClaim.OURS

    def tell(self, identity: TestIdentity, steps: Iterable[Step]) -> None:
        """Shows the steps so far of a test that was claimed. One that has finished, or was taken
        back, stays as it is."""
        told = Update(
            _key(identity),
            values={"steps_so_far": text_of(steps)},
            condition=exists("claim") & without("finished_at"),
        )
        try:
            self._table.write(told)
        except ConditionFailed:
            return

    def settle(self, identity: TestIdentity, now: datetime) -> TestRecord | None:
        """The record of a finished test. A test past its deadline is recorded as failed first.

        None if the test was taken back.
        """
        item = self._table.get(_key(identity))
        if item is None:
            return None
        return self.finish(identity, read_test(item, now), None)

    def refuse(self, identity: TestIdentity, reason: str, now: datetime) -> TestRecord:
        """Ends a queued test that can't start because of how its subject is set up."""
        queued = RecordedTest.queued(identity.test_id, identity.href, identity.at)
        report = undialed_report("queue", "config_invalid", reason)
        ended = queued.model_copy(update={**TestFindings.fields_of(report), "finished_at": now})
        return self.finish(identity, ended, None)

    def test(
        self, subject: TestSubject, space_id: str | None, test_id: str, now: datetime
    ) -> RecordedTest:
        """Raises `NotFound`."""
        identity = TestIdentity.read(subject, test_id)
        if identity is None or identity.at < now - KEPT:
            raise NotFound("test")
        if item := self._table.get(_key(identity)):
            return read_test(item, now)
        test = self._monitored().test(subject, space_id, test_id, now) if space_id else None
        if test is None:
            raise NotFound("test")
        return test

    def newest(
        self, subject: TestSubject, space_id: str | None, now: datetime
    ) -> RecordedTest | None:
        """The newest test of a subject that is finished; None if it has none among the last few."""
        stored = self._stored(subject, now, to_sortable(now + _AHEAD), _LAST_FEW)
        finished = {key: test for key, test in stored.items.items() if test.finished}
        if space_id:
            finished |= self._monitored().newest(subject, space_id, now - KEPT, now).items
        return finished[max(finished)] if finished else None

    def tests(
        self, subject: TestSubject, space_id: str | None, query: ListQuery, now: datetime
    ) -> Listing[RecordedTest]:
        """Newest first. Raises `InvalidCursor`."""

        def page(start: Position | None) -> _Page:
            before = start["sk"] if start else to_sortable(now + _AHEAD)
            both = self._stored(subject, now, before, query.limit)
            if space_id:
                of_runs = self._monitored().tests(
                    subject,
                    space_id,
                    since=now - KEPT,
                    before=before,
                    limit=query.limit,
                    now=now,
                )
                both = merged(query.limit, both, of_runs)
            return _Page(list(both.items.values()), {"sk": both.reached} if both.reached else None)

        return self._lists.computed(subject.organization_id, _pk(subject), query, now, page)

    def _stored(
        self, subject: TestSubject, now: datetime, before: str, limit: int
    ) -> Stretch[RecordedTest]:
        """Those that were stored by themselves, before a sort key."""
        since = to_sortable(now - KEPT)
        if before <= since:
            return Stretch({}, None)
        page = self._table.query(
            _pk(subject),
            between=(since, all_before(before)),
            # One more than requested shows whether this page is the last.
            limit=limit + 1,
            newest_first=True,
        )
        tests = {item["sk"]: read_test(item, now) for item in page.items[:limit]}
        if len(page.items) <= limit and page.last_key is None:
            return Stretch(tests, None)
        return Stretch(tests, page.items[:limit][-1]["sk"])


class _Page(NamedTuple):
    items: list[RecordedTest]
    next_start: Position | None


def _overdue(test: RecordedTest, deadline: datetime) -> RecordedTest:
    """A test that has not finished by its deadline, as every reader returns it. Pure.

    That it did not start, or did not end, is our fault.
    """
    code: Code = "internal_error" if test.started_at else "budget_exhausted"
    summary = (
        "The test was cut off before it ended."
        if test.started_at
        else "The test was not started in time."
    )
    report = undialed_report("queue", code, summary)
    ended = TestFindings.fields_of(report) | {"steps": (*test.steps, *report.steps)}
    return test.model_copy(update={**ended, "finished_at": deadline})


def _not_before(attribute: str, seconds: int) -> Condition:
    return Condition(f"#{attribute} >= :early", {f"#{attribute}": attribute}, {":early": seconds})


def _pk(subject: TestSubject) -> str:
    return f"{subject.id[:3].upper()}#{subject.id}"


def _key(identity: TestIdentity) -> Key:
    return Key(_pk(identity.subject), f"{to_sortable(identity.at)}#{identity.test_id}")


def _passed_key(subject: TestSubject) -> Key:
    return Key(_pk(subject), "PASSED")


def _item(identity: TestIdentity, test: RecordedTest) -> Item:
    return {
        **_key(identity)._asdict(),
        "test": test.model_dump_json(exclude_defaults=True),
        "expires_at": epoch_seconds(identity.at, KEPT),
    }


def read_test(item: Item, now: datetime) -> RecordedTest:
    test = RecordedTest.model_validate_json(item["test"])
    if "finished_at" in item:
        return test
    if "started_at" in item:
        so_far = steps_of(item["steps_so_far"]) if "steps_so_far" in item else ()
        test = test.running(from_text(item["started_at"]), so_far)
    if epoch_seconds(now) > item["deadline"]:
        return _overdue(test, datetime.fromtimestamp(item["deadline"], now.tzinfo))
    return test


def _record(identity: TestIdentity, item: Item) -> TestRecord:
    text = item.get("fingerprint")
    return TestRecord(
        identity,
        RecordedTest.model_validate_json(item["test"]),
        Fingerprint.model_validate_json(text) if text else None,
    )


def _finished_at(test: RecordedTest) -> datetime:
    if test.finished_at is None:
        raise ValueError("only a finished test is recorded")
    return test.finished_at
