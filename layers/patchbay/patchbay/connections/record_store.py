"""A connection and its source as one record, which the operations work on.

Nothing is stored but the two: each method writes both in one transaction, or neither.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from patchbay.connections.audit_events import audited
from patchbay.connections.connection_items import (
    connection_change,
    connection_counts,
    connection_delete,
    connection_item,
    plan_writes,
    read_connection,
)
from patchbay.connections.connection_model import Connection
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_items import (
    SecretChange,
    endpoint_change,
    read_endpoint,
    use,
    with_gone_applications,
)
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.keys import CONNECTIONS, endpoint_key
from patchbay.connections.plan_store import PlanStore
from patchbay.connections.planner import Planner
from patchbay.platform.audit import Action
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import ABSENT, Item, Put, Table
from patchbay.platform.lists import Listing, ListQuery, Lists, position_of
from patchbay.platform.revisions import serially
from patchbay.platform.strict_json import compact
from patchbay.registry.release_uses import ReleaseUses
from patchbay.tenancy.keys import organization_pk, use_of_space
from patchbay.tenancy.model import Space
from patchbay.tenancy.quotas import Counted, Quotas

_MAX_READS: Final = 100
_AT_ONCE: Final = 100
MAX_PAGE_BYTES: Final = 2 << 20
"""Of the documents of the connections and sources of a page: a response has at most 6 MB."""


class RecordStore:
    """Connections with their sources."""

    def __init__(
        self,
        table: Table,
        quotas: Quotas,
        endpoints: EndpointStore,
        connections: ConnectionStore,
        planner: Planner,
        plans: PlanStore,
    ) -> None:
        self._table = table
        self._planner = planner
        self._plans = plans
        self._transact = ReleaseUses(table).within(quotas.transact)
        self._endpoints = endpoints
        self._connections = connections
        self._lists = Lists(table, CursorSeal(table))

    def create(
        self,
        source: Endpoint,
        sealed: Item | None,
        connection: Connection,
        space: Space,
        also: Sequence[Counted] = (),
        granted: Item | None = None,
    ) -> tuple[Endpoint, Connection]:
        """Stores a source and a connection of it, and `also` writes what belongs to them.

        `granted` is the item of the source's grant. Returns and raises as `EndpointStore.create`.
        """
        self._connections.wake_if_down(None, connection)
        connection, of_space = self._planner.begun(connection)
        stored = self._endpoints.create(
            source,
            sealed,
            Put(connection_item(connection), ABSENT),
            *plan_writes(None, connection),
            use_of_space(space, +1, of_space),
            use(source.organization_id, source.id, connection.id),
            audited(connection, Action.CREATED, after=connection),
            *connection_counts(connection),
            *also,
            uses=1,
            granted=granted,
        )
        if stored is source:
            return source, connection
        return stored, self._connections.get(connection.organization_id, connection.id)

    def change(
        self,
        source: tuple[Endpoint, Endpoint],
        secrets: SecretChange,
        connection: tuple[Connection, Connection],
        also: Sequence[Counted] = (),
    ) -> None:
        """Writes new revisions, and `also` what belongs to them. Each pair is the old and the new
        one, or twice the same object if it stays as it is.

        Raises `TransactionRefused` if one that changes was changed in between.
        """
        writes: list[Counted] = [*also]
        if source[0] is not source[1]:
            writes += endpoint_change(*source, secrets)
        if connection[0] is not connection[1]:
            planned = self._connections.planned(*connection)
            writes += [*connection_change(connection[0], planned.connection), *planned.checks]
            self._connections.wake_if_down(*connection)
        if writes:
            with_gone_applications(self._transact, writes)
        if source[0] is not source[1]:
            new = source[1]
            self._plans.drop_now(new.organization_id, new.id, new.revision)

    def delete(self, organization_id: str, connection_id: str, space: Space) -> Endpoint | None:
        """Deletes a connection; with its source, if that was created with it and no other
        connection uses it.

        Returns the source that was deleted. Raises `NotFound`.
        """

        def attempt() -> Endpoint | None:
            connection = self._connections.get(organization_id, connection_id)
            source = self._own_source(connection)
            writes = connection_delete(connection, space, source)
            with_gone_applications(self._transact, writes)
            return source

        return serially(attempt)

    def page(
        self,
        organization_id: str,
        query: ListQuery,
        keep: Callable[[Connection, Endpoint], bool],
        now: datetime,
    ) -> Listing[tuple[Connection, Endpoint]]:
        """Connections of an organization with their sources, oldest first.

        It reads on until the page is full, through 10,000 connections and 2 MB at most: only then
        may a page be short and still have a next one. Raises `InvalidCursor`.
        """
        pk = organization_pk(organization_id)
        scope = Lists.scope(organization_id, pk, CONNECTIONS, query)
        start = self._lists.position(query, scope, now)
        found: list[tuple[Connection, Endpoint]] = []
        left = MAX_PAGE_BYTES
        for _ in range(_MAX_READS):
            page = self._table.query(pk, prefix=CONNECTIONS, limit=_AT_ONCE, start=start)
            connections = [read_connection(item) for item in page.items]
            sources = self._endpoints.sources_of(organization_id, connections)
            for item, connection in zip(page.items, connections, strict=True):
                if len(found) == query.limit or left < 0:
                    cursor = self._lists.next_cursor(start, scope, now)
                    return Listing(items=found, next_cursor=cursor)
                start = position_of(item, None)
                source = sources.get(connection.source_id)
                left -= len(item["configurations"]) + (
                    len(compact(source.variables)) if source else 0
                )
                if source and keep(connection, source):
                    found.append((connection, source))
            if (start := page.last_key) is None:
                break
        return Listing(items=found, next_cursor=self._lists.next_cursor(start, scope, now))

    def _own_source(self, connection: Connection) -> Endpoint | None:
        """The source that was created with a connection, if no other connection uses it."""
        if not connection.owns_source:
            return None
        item = self._table.get(endpoint_key(connection.organization_id, connection.source_id))
        return read_endpoint(item) if item and item["uses"] == 1 else None
