"""Creates, changes, and deletes connections."""

from datetime import datetime

from patchbay.checks.roles import Role
from patchbay.connections.connection_changes import (
    changed_connection,
    new_connection,
    settled_connection,
)
from patchbay.connections.connection_model import Connection, ConnectionPatch, NewConnection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.lifecycle import Lifecycle
from patchbay.platform.errors import InvalidConfig, InvalidInput, NotFound
from patchbay.platform.ids import Stamp
from patchbay.platform.revisions import IfMatch, changes_nothing, require_match, serially
from patchbay.platform.strict_json import same
from patchbay.registry.recipes import recipe_of
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.store import TenancyStore


class ConnectionEditor:
    """Edits connections. Their configurations must satisfy the release of their source."""

    def __init__(
        self,
        tenants: TenancyStore,
        registry: RegistryStore,
        endpoints: EndpointStore,
        connections: ConnectionStore,
    ) -> None:
        self._tenants = tenants
        self._registry = registry
        self._endpoints = endpoints
        self._connections = connections

    def create(self, organization_id: str, new: NewConnection, stamp: Stamp) -> Connection:
        """Stores a new connection. Raises `InvalidInput` and `InvalidConfig` with a pointer to each
        field."""

        def attempt() -> Connection:
            source = self._named(organization_id, Role.SOURCE, new.source_id)
            if new.destination_id:
                self._named(organization_id, Role.DESTINATION, new.destination_id)
            space = self._tenants.own_space(organization_id, new.space, "/space")
            connection = new_connection(organization_id, new, space, stamp)
            connection = self._judged(connection, source)
            return self._connections.create(connection, space, source.version)

        return serially(attempt)

    def change(
        self,
        organization_id: str,
        connection_id: str,
        patch: ConnectionPatch,
        if_match: IfMatch,
        now: datetime,
    ) -> Connection:
        """Stores an edit. Raises `NotFound`, `PreconditionFailed`, `InvalidInput` and
        `InvalidConfig` with a pointer to each field, `Conflict` for a status that it can't become.
        """

        def attempt() -> Connection:
            old = self._connections.get(organization_id, connection_id)
            require_match(if_match, old.revision)
            new = changed_connection(old, patch, now)
            if changes_nothing(old, new):
                return old
            if new.destination_id and new.destination_id != old.destination_id:
                self._named(organization_id, Role.DESTINATION, new.destination_id)
            new, version = self.judged(old, new)
            if changes_nothing(old, new):
                return old  # null took a value away, and the default is the same
            self._connections.change(old, new, version)
            return new

        return serially(attempt)

    def delete(self, organization_id: str, connection_id: str, if_match: IfMatch) -> None:
        """Deletes a connection; its source and its destination stay.

        Raises `NotFound`, `PreconditionFailed`.
        """
        connection = self._connections.get(organization_id, connection_id)
        space = self._tenants.own_space(organization_id, connection.space, "/space")
        self._connections.delete(organization_id, connection_id, space, if_match)

    def judged(self, old: Connection, new: Connection) -> tuple[Connection, str | None]:
        """A changed connection with the defaults of its configurations, and the release of the
        source that judged them; None if they are as they were. A connection that stops being a
        draft is judged, too. Raises `InvalidConfig`.
        """
        finished = old.status is Lifecycle.DRAFT is not new.status
        if same(new.configurations, old.configurations) and not finished:
            return new, None
        source = self._named(new.organization_id, Role.SOURCE, new.source_id)
        return self._judged(new, source), source.version

    def _judged(self, connection: Connection, source: Endpoint) -> Connection:
        """The connection with the defaults of its configurations. A draft may be unfinished.

        Raises `InvalidConfig`.
        """
        recipe = recipe_of(self._registry.release(source.integration_id, source.version))
        problems = recipe.configuration_problems(connection.configurations)
        if problems and connection.status is not Lifecycle.DRAFT:
            raise InvalidConfig(problems)
        return settled_connection(connection, recipe)

    def _named(self, organization_id: str, role: Role, endpoint_id: str) -> Endpoint:
        try:
            return self._endpoints.get(organization_id, role, endpoint_id)
        except NotFound:
            raise InvalidInput.at(
                f"/{role.value}_id", f"is not a {role.value} of this organization"
            ) from None
