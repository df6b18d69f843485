"""Reads the history of what exists, without loading what a test needs."""

from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.identity import TestSubject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connection_tests.subjects import TestSubjects
from patchbay.platform.clock import Clock
from patchbay.platform.lists import Listing, ListQuery


class TestReader:
    def __init__(self, subjects: TestSubjects, history: TestHistory, clock: Clock) -> None:
        self._subjects = subjects
        self._history = history
        self._clock = clock

    def test(self, subject: TestSubject, test_id: str) -> RecordedTest:
        """Raises `NotFound`."""
        space_id = self._subjects.space_of(subject)
        return self._history.test(subject, space_id, test_id, self._clock())

    def page(self, subject: TestSubject, query: ListQuery) -> Listing[RecordedTest]:
        """The history, newest first. Raises `NotFound`, `InvalidCursor`."""
        space_id = self._subjects.space_of(subject)
        return self._history.tests(subject, space_id, query, self._clock())
