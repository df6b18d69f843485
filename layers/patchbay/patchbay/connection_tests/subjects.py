"""Looks up what a test is of."""

from patchbay.connection_tests.identity import TestSubject
from patchbay.connections.connection_model import Connection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.lifecycle import Lifecycle
from patchbay.platform.errors import Conflict


class TestSubjects:
    """The connections and endpoints that tests name."""

    def __init__(self, endpoints: EndpointStore, connections: ConnectionStore) -> None:
        self._endpoints = endpoints
        self._connections = connections

    def require(self, subject: TestSubject, *, testable: bool = False) -> None:
        """Raises `NotFound` for a subject that does not exist in its organization.

        With `testable` it also raises `Conflict` for a connection that is disabled.
        """
        if subject.role:
            self._endpoints.get(subject.organization_id, subject.role, subject.id)
            return
        connection = self.connection(subject)
        if testable:
            require_enabled(connection)

    def space_of(self, subject: TestSubject) -> str | None:
        """The space of a connection; None for an endpoint. Raises `NotFound` as `require`."""
        if subject.role:
            self.require(subject)
            return None
        return self.connection(subject).space_id

    def connection(self, subject: TestSubject) -> Connection:
        """The connection that a subject names. Raises `NotFound`."""
        return self._connections.get(subject.organization_id, subject.id)


def require_enabled(connection: Connection) -> None:
    """Raises `Conflict`."""
    if connection.status is Lifecycle.DISABLED:
        raise Conflict("The connection is disabled: activate it to test it.")
