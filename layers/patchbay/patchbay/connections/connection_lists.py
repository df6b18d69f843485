"""Lists of connections: of an organization, one of its spaces, or one of its endpoints."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from patchbay.connections.connection_items import read_connection
from patchbay.connections.connection_model import Connection, ConnectionQuery
from patchbay.connections.connection_store import ConnectionStore
from patchbay.connections.endpoint_items import chosen_by
from patchbay.connections.endpoint_store import EndpointStore
from patchbay.connections.keys import BY_SPACE, CONNECTIONS, connections_of_space_pk, use_key
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Item, Table
from patchbay.platform.lists import FILTERED_READ, Listing, Lists, has_text, position_of
from patchbay.tenancy.keys import organization_pk
from patchbay.tenancy.model import Space

_AT_ONCE: Final = 100
"""Items that are read together where each leads to another one: a BatchGetItem."""
_MAX_READS: Final = 10
"""Of `_AT_ONCE` items, for a page: as many as any filtered list reads."""
_MAX_BYTES: Final = 2 << 20
"""Of the documents of sources that a page reads, give or take those of one read."""


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
        joined = bool(filtered) and (whole.of_uses or query.asks_about_sources)
        found: list[Connection] = []
        left = _MAX_BYTES
        for _ in range(_MAX_READS if joined else 1):
            page = self._table.query(
                whole.pk,
                prefix=whole.prefix,
                index=whole.index,
                # One more than asked for shows whether this page is the last.
                limit=(_AT_ONCE if joined else FILTERED_READ) if filtered else query.limit + 1,
                start=start,
            )
            chosen, read = self._chosen(organization_id, query, whole, page.items)
            for item in page.items:
                if len(found) == query.limit:
                    cursor = self._lists.next_cursor(start, scope, now)
                    return Listing(items=found, next_cursor=cursor)
                start = position_of(item, whole.index)
                if item["sk"] in chosen:
                    found.append(chosen[item["sk"]])
            left -= read
            if (start := page.last_key) is None or left < 0:
                break
        return Listing(items=found, next_cursor=self._lists.next_cursor(start, scope, now))

    def _chosen(
        self, organization_id: str, query: ConnectionQuery, whole: "_WholeList", items: list[Item]
    ) -> tuple[dict[str, Connection], int]:
        """Those of the items that meet all filters, by their sort keys, and how many bytes of
        documents their sources have."""
        connections = (
            self._connections.of_uses(organization_id, items)
            if whole.of_uses
            else {item["sk"]: read_connection(item) for item in items}
        )
        met = {sk: one for sk, one in connections.items() if _meets(one, query)}
        if not query.asks_about_sources:
            return met, 0
        sources = self._endpoints.source_items(organization_id, met.values())
        is_chosen = chosen_by(query)
        of_sources = {
            source_id
            for source_id, item in sources.items()
            if query.category in (None, item["category"]) and is_chosen(item)
        }
        read = sum(len(item["variables"]) + len(item["members"]) for item in sources.values())
        return {sk: one for sk, one in met.items() if one.source_id in of_sources}, read


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


def _meets(connection: Connection, query: ConnectionQuery) -> bool:
    """Whether a connection meets the filters of a query, even the one that chose the list; those
    that are about its source aside."""
    return (
        query.space in (None, connection.space)
        and query.source_id in (None, connection.source_id)
        and query.destination_id in (None, connection.destination_id)
        and query.status in (None, connection.status)
        and query.health in (None, connection.health.status)
        and has_text(query.q, connection.name)
    )
