"""The tests of connections and endpoints in the events table, for 90 days.

    a test               CON#<id>, SRC#<id>, DST#<id>   <asked for at>#<test id>
    the last that passed                  the same pk   PASSED

The sort key is made of the test's id alone, which says when it was asked for: whoever repeats a
test meets what stands there, and one test is read by its key. An item without `finished_at` waits
or runs; whoever writes the finished one first has recorded the test, and that is the truth then.

What waits or runs has a **deadline**. After it, nothing is started or recorded any more but the
failure that every reader tells from then on: a test whose message was lost, or whose function was
killed, does not stay queued for ever.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from patchbay.checks.codes import Code
from patchbay.checks.report import CheckReport
from patchbay.checks.roles import Role
from patchbay.checks.verdict import undialed_report
from patchbay.connection_tests.changes import Fingerprint, PassedTest
from patchbay.connection_tests.identity import TestIdentity
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
    at_most,
    less_or_absent,
    without,
)
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import new_id
from patchbay.platform.lists import Listing, ListQuery, Lists

KEPT: Final = timedelta(days=90)
"""What the API promises of a history; longer than any month to compare with, and then it goes."""

TO_FINISH: Final = timedelta(minutes=5)
"""From the call to the deadline. A queue that works starts a test within seconds; a caller who
polls should not wait much longer to be told that something is wrong on our side."""

TO_RUN: Final = timedelta(seconds=90)
"""The time limit of the function that runs queued tests (template.yaml): a claim lasts as long,
and a test is not started later than this before its deadline."""

_AFTER_ALL_TIMES: Final = ":"
"""Sorts behind every text that begins with a digit."""


class TestSubjectKind(StrEnum):
    """What is tested; the value names it in paths and messages."""

    CONNECTION = "connection"
    SOURCE = Role.SOURCE
    DESTINATION = Role.DESTINATION


class TestSubject(NamedTuple):
    """A connection, source or destination of an organization, whether it is there or not."""

    organization_id: str
    kind: TestSubjectKind
    id: str

    @property
    def role(self) -> Role | None:
        return None if self.kind is TestSubjectKind.CONNECTION else Role(self.kind)

    @property
    def pk(self) -> str:
        return f"{self.id[:3].upper()}#{self.id}"

    def href(self, test_id: str) -> str:
        """The path of one of its tests."""
        return (
            f"/v1/organizations/{self.organization_id}/knowledge/connectors"
            f"/{self.kind}s/{self.id}/tests/{test_id}"
        )


class TestRecord(NamedTuple):
    """A finished test as it stands in the history: what everything else is derived from."""

    test: RecordedTest
    fingerprint: Fingerprint | None


class TestClaim(StrEnum):
    """What became of the wish to run a queued test."""

    OURS = "ours"
    HELD = "held"
    """Somebody else is at it."""
    OVERDUE = "overdue"
    DONE = "done"
    """It is finished, or was taken back."""


class TestHistory:
    """The tests of one table; the cursors' key is in the other one."""

    def __init__(self, events: Table, seal: CursorSeal) -> None:
        self._table = events
        self._lists = Lists(events, seal)

    @staticmethod
    def keys_of(subject: TestSubject, identity: TestIdentity) -> tuple[Key, Key]:
        """Where a test stands, and where the mark of the last that passed does."""
        return _key(subject, identity), _passed_key(subject)

    def standing(self, subject: TestSubject, identity: TestIdentity) -> TestRecord | None:
        """A test as it was recorded; None if it was not, or not yet."""
        item = self._table.get(_key(subject, identity))
        return _standing(item) if item and "finished_at" in item else None

    def finish(
        self,
        subject: TestSubject,
        identity: TestIdentity,
        test: RecordedTest,
        fingerprint: Fingerprint | None,
    ) -> TestRecord:
        """Records a finished test; the answer is what stands there, of whoever was first."""
        item = _item(subject, identity, test)
        item["finished_at"] = to_sortable(_finished_at(test))
        if fingerprint:
            item["fingerprint"] = fingerprint.model_dump_json()
        try:
            self._table.write(Put(item, without("finished_at")))
        except ConditionFailed as standing:
            if standing.item is None:
                raise
            item = standing.item
        return _standing(item)

    def last_passed(self, subject: TestSubject, now: datetime) -> PassedTest | None:
        """The last test that passed, unless it is older than the history."""
        item = self._table.get(_passed_key(subject))
        if item is None or item["expires_at"] <= epoch_seconds(now):
            return None
        return PassedTest.model_validate_json(item["passed"])

    def note_passed(self, subject: TestSubject, passed: PassedTest) -> None:
        """The newest wins; the same once more changes nothing."""
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

    def enqueue(self, subject: TestSubject, identity: TestIdentity, now: datetime) -> RecordedTest:
        """A test that waits. One that stands there already is the same, by a repeated call."""
        queued = RecordedTest.queued(identity.test_id, subject.href(identity.test_id), identity.at)
        item = _item(subject, identity, queued) | {"deadline": epoch_seconds(now, TO_FINISH)}
        try:
            self._table.write(Put(item, ABSENT))
        except ConditionFailed as standing:
            if standing.item is None:
                raise
            return _read(standing.item, now)
        return queued

    def take_back(self, subject: TestSubject, identity: TestIdentity) -> None:
        """A test that could not be sent to the queue and that nobody has claimed goes."""
        untouched = without("claim") & without("finished_at")
        try:
            self._table.write(Delete(_key(subject, identity), untouched))
        except ConditionFailed:
            return

    def claim(self, subject: TestSubject, identity: TestIdentity, now: datetime) -> TestClaim:
        """Whether the caller may run a queued test, for `TO_RUN` from now."""
        mine = new_id("clm", now)
        free = without("claimed_until") | at_most("claimed_until", epoch_seconds(now))
        early = epoch_seconds(now, TO_RUN)
        claimed = Update(
            _key(subject, identity),
            values={
                "claim": mine,
                "claimed_until": early,
                "started_at": to_sortable(now),
            },
            condition=PRESENT & without("finished_at") & free & _not_before("deadline", early),
        )
        try:
            self._table.write(claimed)
        except ConditionFailed as standing:
            if standing.item is None or "finished_at" in standing.item:
                return TestClaim.DONE
            if standing.item.get("claim") == mine:
                return TestClaim.OURS  # our own write, repeated after its reply was lost
            if standing.item["deadline"] < epoch_seconds(now):
                return TestClaim.OVERDUE
            return TestClaim.HELD
        return TestClaim.OURS

    def settle(
        self, subject: TestSubject, identity: TestIdentity, now: datetime
    ) -> TestRecord | None:
        """What stands there of a test that is finished, or whose deadline is over: then its failure
        is written down. None if it was taken back."""
        item = self._table.get(_key(subject, identity))
        if item is None:
            return None
        return self.finish(subject, identity, _read(item, now), None)

    def refuse(
        self, subject: TestSubject, identity: TestIdentity, reason: str, now: datetime
    ) -> TestRecord:
        """Ends a queued test that could not be begun, as somebody else's setting has it."""
        queued = RecordedTest.queued(identity.test_id, subject.href(identity.test_id), identity.at)
        report = _nothing_seen("config_invalid", reason)
        ended = queued.model_copy(update={**TestFindings.told(report), "finished_at": now})
        return self.finish(subject, identity, ended, None)

    def test(self, subject: TestSubject, test_id: str, now: datetime) -> RecordedTest:
        """Raises `NotFound`."""
        identity = TestIdentity.read(test_id)
        item = self._table.get(_key(subject, identity)) if identity else None
        if item is None or item["expires_at"] <= epoch_seconds(now):
            raise NotFound("test")
        return _read(item, now)

    def tests(self, subject: TestSubject, query: ListQuery, now: datetime) -> Listing[RecordedTest]:
        """Newest first. Raises `InvalidCursor`."""
        scope = Lists.scope(subject.organization_id, subject.pk, "tests", query)
        page = self._table.query(
            subject.pk,
            between=(to_sortable(now - KEPT), _AFTER_ALL_TIMES),
            # One more than asked for tells whether this page is the last.
            limit=query.limit + 1,
            start=self._lists.position(query, scope, now),
            newest_first=True,
        )
        shown = page.items[: query.limit]
        more = len(page.items) > query.limit
        position = {name: shown[-1][name] for name in ("pk", "sk")} if more else page.last_key
        return Listing(
            items=[_read(item, now) for item in shown],
            next_cursor=self._lists.next_cursor(position, scope, now),
        )


def overdue(test: RecordedTest, deadline: datetime) -> RecordedTest:
    """What is told of a test that has not finished by its deadline. Pure: the same each time.

    Whose fault it is that it did not start, or did not end, is known: ours.
    """
    code: Code = "internal_error" if test.started_at else "budget_exhausted"
    summary = (
        "The test was cut off before it had ended."
        if test.started_at
        else "The test was not started in time."
    )
    report = _nothing_seen(code, summary)
    return test.model_copy(update={**TestFindings.told(report), "finished_at": deadline})


def _nothing_seen(code: Code, summary: str) -> CheckReport:
    return undialed_report("queue", code, summary)


def _not_before(attribute: str, seconds: int) -> Condition:
    return Condition(f"#{attribute} >= :early", {f"#{attribute}": attribute}, {":early": seconds})


def _key(subject: TestSubject, identity: TestIdentity) -> Key:
    return Key(subject.pk, f"{to_sortable(identity.at)}#{identity.test_id}")


def _passed_key(subject: TestSubject) -> Key:
    return Key(subject.pk, "PASSED")


def _item(subject: TestSubject, identity: TestIdentity, test: RecordedTest) -> Item:
    return {
        **_key(subject, identity)._asdict(),
        "test": test.model_dump_json(exclude_defaults=True),
        "expires_at": epoch_seconds(identity.at, KEPT),
    }


def _read(item: Item, now: datetime) -> RecordedTest:
    test = RecordedTest.model_validate_json(item["test"])
    if "finished_at" in item:
        return test
    if "started_at" in item:
        test = test.running(from_text(item["started_at"]))
    if epoch_seconds(now) > item["deadline"]:
        return overdue(test, datetime.fromtimestamp(item["deadline"], now.tzinfo))
    return test


def _standing(item: Item) -> TestRecord:
    text = item.get("fingerprint")
    return TestRecord(
        RecordedTest.model_validate_json(item["test"]),
        Fingerprint.model_validate_json(text) if text else None,
    )


def _finished_at(test: RecordedTest) -> datetime:
    if test.finished_at is None:
        raise ValueError("only a finished test is recorded")
    return test.finished_at
