"""The tests of monitors as the history shows them, read from runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from patchbay.connection_tests.changes import PassedTest
from patchbay.connection_tests.identity import TestIdentity, TestSubject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connection_tests.packed_tests import EntryBefore, streak_test, unpack
from patchbay.connections.health_state import HealthState
from patchbay.connections.steady_health import StreakTest, pending, unwritten
from patchbay.connections.wheel import MonitorInterval, moment_of
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import AFTER_ALL
from patchbay.platform.lists import Stretch
from patchbay.runs.model import TimedEntry
from patchbay.runs.reader import RunReader
from patchbay.runs.run_items import RUNS_KEPT

_LONGEST_INTERVAL: Final = MonitorInterval.DAY.duration
_TESTS_OF_A_PAGE: Final = 20
_MOST_PAGES: Final = 5
_AHEAD: Final = timedelta(days=1)
"""Clocks differ: a test may be of a minute that has not come here."""


class MonitoredTests:
    """The tests that monitors made of connections. `space_id` is the space of the subject."""

    def __init__(self, runs: RunReader) -> None:
        self._runs = runs

    def tests(
        self,
        subject: TestSubject,
        space_id: str,
        *,
        since: datetime,
        before: str,
        limit: int,
        now: datetime,
    ) -> Stretch[RecordedTest]:
        """The newest tests before a sort key, at most `limit`, by a bounded number of queries."""
        # What has changed in a test is told by the one before it, which may not be shown.
        found = self._runs.tests(
            space_id,
            subject.id,
            since=since - _LONGEST_INTERVAL,
            before=before,
            limit=limit + 1,
            now=now,
        )
        tests, reached = list(found.items.values()), found.reached
        shown = [key for key in found.items if key >= to_sortable(since)][:limit]
        if len(shown) < len(tests):
            reached = shown[-1] if len(shown) == limit else None
        elif tests and reached is not None:
            tests += self._before(subject, space_id, shown[-1], tests[-1], now)
        return Stretch(self._unpacked(subject, shown, tests), reached)

    def test(
        self, subject: TestSubject, space_id: str, test_id: str, now: datetime
    ) -> RecordedTest | None:
        """None if no run has it."""
        identity = TestIdentity.read(subject, test_id)
        if identity is None or identity != TestIdentity.scheduled(subject, identity.at):
            return None
        key = f"{to_sortable(identity.at)}#{test_id}"
        found = self._runs.tests(
            space_id, subject.id, since=identity.at, before=f"{key}{AFTER_ALL}", limit=1, now=now
        )
        tests = list(found.items.values())
        if not tests:
            return None
        tests += self._before(subject, space_id, key, tests[0], now)
        return next(iter(self._unpacked(subject, [key], tests).values()), None)

    def newest(
        self, subject: TestSubject, space_id: str, since: datetime, now: datetime
    ) -> Stretch[RecordedTest]:
        """The newest test, if there is one."""
        before = to_sortable(now + _AHEAD)
        return self.tests(subject, space_id, since=since, before=before, limit=1, now=now)

    def last_passed(
        self, subject: TestSubject, space_id: str, since: datetime, now: datetime
    ) -> PassedTest | None:
        """The newest test, if it passed. One before it is in the mark of the last that passed."""
        before = to_sortable(now + _AHEAD)
        found = self._runs.tests(space_id, subject.id, since=since, before=before, limit=1, now=now)
        for minute, entry in found.items.values():
            shape = self._runs.shapes(subject.id, [entry.shape]).get(entry.shape)
            if shape is not None:
                return EntryBefore(moment_of(minute), entry, shape).passed(subject)
        return None

    def unwritten(
        self,
        connection_id: str,
        space_id: str,
        state: HealthState,
        now: datetime,
        until: datetime | None = None,
    ) -> tuple[StreakTest, ...]:
        """The tests before `until` that a stored state does not have, in their order: the newest,
        and those before it up to one that the state is steady in. Platform faults are left out."""
        since = state.at or now - RUNS_KEPT
        before, limit = to_sortable(until or now + _AHEAD), 1
        tests: list[StreakTest] = []
        for _ in range(_MOST_PAGES):
            found = self._runs.tests(
                space_id, connection_id, since=since, before=before, limit=limit, now=now
            )
            for minute, entry in found.items.values():
                if entry.fault:
                    continue
                test = streak_test(moment_of(minute), entry)
                if unwritten(state, test) is None:
                    return tuple(reversed(tests))
                tests.append(test)
                if pending(state, test) is None:
                    return tuple(reversed(tests))
            if found.reached is None:
                break
            before, limit = found.reached, _TESTS_OF_A_PAGE
        return tuple(reversed(tests))

    def _before(
        self, subject: TestSubject, space_id: str, sort_key: str, test: TimedEntry, now: datetime
    ) -> list[TimedEntry]:
        """The test before this one, if that says what has changed."""
        if test.entry.extra:
            return []
        since = moment_of(test.minute) - _LONGEST_INTERVAL
        found = self._runs.tests(
            space_id, subject.id, since=since, before=sort_key, limit=1, now=now
        )
        return list(found.items.values())

    def _unpacked(
        self, subject: TestSubject, keys: Sequence[str], tests: Sequence[TimedEntry]
    ) -> dict[str, RecordedTest]:
        """The tests of these sort keys. There may be one more, which the last one follows."""
        shapes = self._runs.shapes(subject.id, {timed.entry.shape for timed in tests})
        earlier = [*tests[1:], None]
        return {
            key: unpack(
                subject,
                moment_of(timed.minute),
                timed.entry,
                shapes[timed.entry.shape],
                _entry_before(before, shapes),
            ).test
            for key, timed, before in zip(keys, tests, earlier, strict=False)
            if timed.entry.shape in shapes
        }


def _entry_before(before: TimedEntry | None, shapes: Mapping[bytes, bytes]) -> EntryBefore | None:
    if before is None or before.entry.shape not in shapes:
        return None
    shape = shapes[before.entry.shape]
    return EntryBefore(moment_of(before.minute), before.entry, shape)
