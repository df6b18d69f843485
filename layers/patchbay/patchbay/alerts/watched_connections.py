"""The connections of a space, as far as alerts ask about them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from patchbay.connections.health_status import HealthStatus
from patchbay.connections.keys import connection_key, connections_of_space_pk, failing_of_space_pk
from patchbay.platform.clock import from_text
from patchbay.platform.dynamodb import Item, Table


@dataclass(frozen=True, slots=True)
class WatchedConnection:
    """The health of a connection, and whether it is active. `checked_at` is its last test."""

    id: str
    lifecycle: str
    status: HealthStatus
    checked_at: datetime | None


class WatchedConnections:
    """Reads connections from the integrations table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of_space(self, space_id: str) -> list[WatchedConnection]:
        """All connections of a space, read from the index."""
        items = self._table.query_all(
            connections_of_space_pk(space_id),
            index="by_owner",
            attributes=("id", "status", "health", "space_id"),
        )
        return [_connection(item) for item in items]

    def failing(self, space_id: str) -> list[WatchedConnection]:
        """The connections of a space whose health is failing, read from the sparse index. If there
        are none, it costs half a read unit."""
        items = self._table.query_all(failing_of_space_pk(space_id), index="failing")
        found = []
        for item in items:
            connection_id, _, status = item["failing_sk"].partition("#")
            found.append(
                WatchedConnection(connection_id, item["status"], HealthStatus(status), None)
            )
        return found

    def by_id(
        self, organization_id: str, space_id: str, connection_ids: Iterable[str]
    ) -> dict[str, WatchedConnection]:
        """Leaves out the ids that do not exist or are in another space."""
        keys = [connection_key(organization_id, connection_id) for connection_id in connection_ids]
        items = self._table.get_all(keys).values()
        return {i["id"]: _connection(i) for i in items if i["space_id"] == space_id}

    def one(
        self, organization_id: str, space_id: str, connection_id: str
    ) -> WatchedConnection | None:
        """None if it does not exist or is in another space."""
        item = self._table.get(connection_key(organization_id, connection_id))
        if item is None or item["space_id"] != space_id:
            return None
        return _connection(item)


def _connection(item: Item) -> WatchedConnection:
    checked_at = item["health"].get("checked_at")
    return WatchedConnection(
        id=item["id"],
        lifecycle=item["status"],
        status=HealthStatus(item["health"]["status"]),
        checked_at=from_text(checked_at) if checked_at else None,
    )
