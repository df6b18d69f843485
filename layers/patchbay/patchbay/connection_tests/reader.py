"""Reads the history of what exists, without loading what a test needs."""

from patchbay.connection_tests.history import TestHistory
from patchbay.connection_tests.identity import TestSubject
from patchbay.connection_tests.model import RecordedTest
from patchbay.connections.model import Connection, Lifecycle
from patchbay.connections.store import ConnectionStore
from patchbay.platform.clock import Clock
from patchbay.platform.errors import Conflict
from patchbay.platform.lists import Listing, ListQuery


class TestReader:
    def __init__(self, store: ConnectionStore, history: TestHistory, clock: Clock) -> None:
        self._store = store
        self._history = history
        self._clock = clock

    def test(self, subject: TestSubject, test_id: str) -> RecordedTest:
        """Raises `NotFound`."""
        require_subject(self._store, subject)
        return self._history.test(subject, test_id, self._clock())

    def page(self, subject: TestSubject, query: ListQuery) -> Listing[RecordedTest]:
        """The history, newest first. Raises `NotFound`, `InvalidCursor`."""
        require_subject(self._store, subject)
        return self._history.tests(subject, query, self._clock())


def require_subject(
    store: ConnectionStore, subject: TestSubject, *, testable: bool = False
) -> None:
    """Raises `NotFound` for a subject that does not exist in its organization.

    With `testable` it also raises `Conflict` for a connection that is disabled.
    """
    if subject.role:
        store.endpoint(subject.organization_id, subject.role, subject.id)
        return
    connection = store.connection(subject.organization_id, subject.id)
    if testable:
        require_enabled(connection)


def require_enabled(connection: Connection) -> None:
    """Raises `Conflict`."""
    if connection.status is Lifecycle.DISABLED:
        raise Conflict("The connection is disabled: activate it to test it.")
