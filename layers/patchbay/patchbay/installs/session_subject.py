"""What a session is for, as it is now: its release and, for a repair, the connection.

What its creator could install may have changed since. That is told to the end user in words: none
of it is theirs to mend.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.checks.roles import Role
from patchbay.connections.connection_model import Connection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.release_finder import ReleaseFinder
from patchbay.installs.model import InstallOutcome, InstallSession
from patchbay.platform.errors import Conflict, InvalidInput, NotFound
from patchbay.registry.model import Release
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

_OF_CREATOR: Final = frozenset({"/integration", "/version", "/space"})
"""Pointers into what the creator of the session chose."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A connection to repair, and its source."""

    connection: Connection
    source: Endpoint


@dataclass(frozen=True, slots=True)
class SessionSubject:
    """`repaired` is None for a session that makes a connection."""

    release: Release
    repaired: Repaired | None = None

    @property
    def source(self) -> Endpoint | None:
        return self.repaired.source if self.repaired else None


class SessionSubjects:
    """Reads what sessions are for."""

    def __init__(
        self,
        tenants: TenancyStore,
        registry: RegistryStore,
        endpoints: EndpointStore,
        connections: ConnectionStore,
    ) -> None:
        self._tenants = tenants
        self._registry = registry
        self._releases = ReleaseFinder(registry)
        self._endpoints = endpoints
        self._connections = connections

    def of(self, session: InstallSession, now: datetime) -> SessionSubject:
        """Raises `Conflict` if it can't be installed or repaired any more."""
        if session.connection_id is not None:
            return self._repaired(session.organization_id, session.connection_id)
        with told_to_the_end_user():
            release = self._releases.installable(
                session.organization_id, session.integration, session.version, now
            )
        # After a purge, publisher and slug may be those of another integration.
        if release.id != session.integration_id:
            raise no_longer_possible()
        return SessionSubject(release)

    def organization_name(self, organization_id: str) -> str:
        """For whom a session connects. Raises `NotFound`."""
        return self._tenants.organization(organization_id).name

    def space(self, session: InstallSession) -> Space:
        """The space of the new connection. Raises `Conflict` if it was deleted."""
        with told_to_the_end_user():
            space = self._tenants.own_space(session.organization_id, session.space, "/space")
        if space.id != session.space_id:
            raise no_longer_possible()
        return space

    def made(self, organization_id: str, outcome: InstallOutcome) -> tuple[Endpoint, Connection]:
        """What a session made or repaired. Raises `NotFound` if that was deleted since."""
        source = self._endpoints.get(organization_id, Role.SOURCE, outcome.source_id)
        return source, self._connections.get(organization_id, outcome.connection_id)

    def other_connections(self, repaired: Repaired) -> int:
        """How many connections use the source of a connection beside it."""
        source = repaired.source
        return max(0, self._endpoints.uses(source.organization_id, source.id) - 1)

    def _repaired(self, organization_id: str, connection_id: str) -> SessionSubject:
        try:
            connection = self._connections.get(organization_id, connection_id)
            source = self._endpoints.get(organization_id, Role.SOURCE, connection.source_id)
        except NotFound:
            raise no_longer_possible() from None
        if source.secret_ref is not None:
            raise no_longer_possible()
        release = self._registry.release(source.integration_id, source.version)
        return SessionSubject(release, Repaired(connection, source))


@contextmanager
def told_to_the_end_user() -> Iterator[None]:
    """Raises `Conflict` in place of what points at a choice of the session's creator."""
    try:
        yield
    except InvalidInput as refused:
        if any(problem.pointer in _OF_CREATOR for problem in refused.problems):
            raise no_longer_possible() from None
        raise


def no_longer_possible() -> Conflict:
    return Conflict(
        "This can't be connected any more: something changed since the link was made. Go back to "
        "the app that sent you, and start again.",
        "INSTALL_NOT_POSSIBLE",
    )
