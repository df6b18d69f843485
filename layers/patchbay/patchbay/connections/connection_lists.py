"""Lists of connections: of an organization, one of its spaces, or one of its endpoints."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.connections.connection_items import read_connection
from patchbay.connections.connection_model import Connection, ConnectionQuery
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.keys import BY_SPACE, CONNECTIONS, connections_of_space_pk, use_key
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Table
from patchbay.platform.lists import FILTERED_READ, Listing, Lists, position_of
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.model import Space

_JOINED_READ: Final = 100
"""Items that a filtered page reads where each leads to another one: a BatchGetItem."""


class ConnectionLists:
    """Pages of connections, oldest first."""

    def __init__(
        self, table: Table, endpoints: EndpointStore, connections: ConnectionStore
    ) -> None:
        self._table = table
        self._endpoints = endpoints
        self._connections = connections
        self._lists = Lists(table, CursorSeal(table))

    def page(
        self, organization_id: str, query: ConnectionQuery, space: Space | None, now: datetime
    ) -> Listing[Connection]:
        """The connections that meet all filters of a query; `space` is the one that it names.

        If filters leave few, a page may be short and still have a next one. Raises `InvalidCursor`.
        """
        whole = _whole_list(organization_id, query, space)
        scope = Lists.scope(organization_id, whole.pk, whole.prefix, query)
        start = self._lists.position(query, scope, now)
        filtered = query.filters().keys() - {whole.chosen_by}
        joined = whole.of_uses or query.category is not None
        page = self._table.query(
            whole.pk,
            prefix=whole.prefix,
            index=whole.index,
            # One more than asked for shows whether this page is the last.
            limit=(_JOINED_READ if joined else FILTERED_READ) if filtered else query.limit + 1,
            start=start,
        )
        connections = (
            self._connections.of_uses(organization_id, page.items)
            if whole.of_uses
            else {item["sk"]: read_connection(item) for item in page.items}
        )
        sources = (
            self._endpoints.sources_of(organization_id, connections.values())
            if query.category
            else {}
        )
        found: list[Connection] = []
        for item in page.items:
            if len(found) == query.limit:
                break
            start = position_of(item, whole.index)
            connection = connections.get(item["sk"])
            if connection and _meets(connection, query, sources):
                found.append(connection)
        else:
            start = page.last_key
        return Listing(items=found, next_cursor=self._lists.next_cursor(start, scope, now))


@dataclass(frozen=True, slots=True)
class _WholeList:
    """The narrowest key that holds all connections of a query, and which filter chose it.

    Its items are connections, or with `of_uses` the uses of an endpoint, which name them.
    """

    pk: str
    prefix: str = ""
    index: str | None = None
    chosen_by: str = ""
    of_uses: bool = False


def _whole_list(organization_id: str, query: ConnectionQuery, space: Space | None) -> _WholeList:
    for field in ("source_id", "destination_id"):
        if endpoint_id := getattr(query, field):
            key = use_key(organization_id, endpoint_id, "")
            return _WholeList(key.pk, key.sk, chosen_by=field, of_uses=True)
    if space:
        return _WholeList(connections_of_space_pk(space.id), index=BY_SPACE, chosen_by="space")
    return _WholeList(organization_pk(organization_id), CONNECTIONS)


def _meets(connection: Connection, query: ConnectionQuery, sources: Mapping[str, Endpoint]) -> bool:
    """Whether a connection meets all filters of a query, even the one that chose the list."""
    source = sources.get(connection.source_id)
    return (
        query.space in (None, connection.space)
        and query.source_id in (None, connection.source_id)
        and query.destination_id in (None, connection.destination_id)
        and query.status in (None, connection.status)
        and query.health in (None, connection.health.status)
        and (query.category is None or (source is not None and source.category == query.category))
    )
