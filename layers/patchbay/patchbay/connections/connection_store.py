"""Connections in the integrations table. Their items are described in `connection_items`."""

from collections.abc import Callable, Iterator, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Final

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
from patchbay.connections.endpoint_items import begin_use, judged, use, user_of
from patchbay.connections.health_status import FAILING
from patchbay.connections.keys import connection_key, use_key
from patchbay.connections.planner import Planned, Planner
from patchbay.platform.audit import Action
from patchbay.platform.dynamodb import ABSENT, Item, Put, Table, TransactionRefused
from patchbay.platform.errors import NotFound
from patchbay.platform.ids import is_id
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.tenancy.keys import use_of_space
from patchbay.tenancy.model import Space
from patchbay.tenancy.quotas import Counted, Quotas
from patchbay.tenancy.wakes import Wake, wake_nobody

if TYPE_CHECKING:
    from patchbay.connections.caught_up_health import CaughtUpHealth

_AT_ONCE: Final = 25


class ConnectionStore:
    """The connections of organizations."""

    def __init__(
        self,
        table: Table,
        quotas: Quotas,
        planner: Planner,
        caught_up: "Callable[[], CaughtUpHealth]",
        wake: Wake = wake_nobody,
    ) -> None:
        """`caught_up` is made when it is first needed."""
        self._table = table
        self._quotas = quotas
        self._planner = planner
        self._caught_up = caught_up
        self._wake = wake

    def create(self, connection: Connection, space: Space, version: str) -> Connection:
        """Stores a connection; `version` is the release of the source that judged it.

        Returns the stored connection: if this request is repeated, that of the first time. Raises
        `QuotaExceeded`, and `TransactionRefused` if space, source or destination do not exist, or
        the source has another release.
        """
        organization_id, destination_id = connection.organization_id, connection.destination_id
        connection, of_space = self._planner.begun(connection)
        writes: list[Counted] = [
            Put(connection_item(connection), ABSENT),
            use_of_space(space, +1, of_space),
            judged(connection, version, uses=+1),
            use(organization_id, connection.source_id, connection.id),
        ]
        if destination_id:
            writes += begin_use(organization_id, destination_id, connection.id)
        writes += plan_writes(None, connection)
        writes.append(audited(connection, Action.CREATED, after=connection))
        writes += connection_counts(connection)
        self.wake_if_down(None, connection)
        try:
            self._quotas.transact(writes)
        except TransactionRefused as refused:
            # This id can only exist already by this request, or the one that it repeats.
            if current := refused.failed.get(0):
                return read_connection(current)
            raise
        return connection

    def change(self, old: Connection, new: Connection, version: str | None) -> None:
        """Writes a new revision; its uses of endpoints move with it.

        `version` is the release of the source that judged its configurations, None if they are as
        they were. Raises `TransactionRefused` if it was changed in between, and `QuotaExceeded` if
        it would begin to be monitored.
        """
        planned = self.planned(old, new)
        writes = [*connection_change(old, planned.connection), *planned.checks]
        if version is not None:
            writes.append(judged(new, version))
        self.wake_if_down(old, new)
        self._quotas.transact(writes)

    def planned(self, old: Connection, new: Connection) -> Planned:
        """Before a write of an edited connection: its plans, with its health written before they
        become others. Raises `TransactionRefused`."""
        planned = self._planner.changed(old, new)
        if old.plans and old.plans != planned.connection.plans:
            self._caught_up().before_change(old, new.updated_at)
        return planned

    def wake_if_down(self, old: Connection | None, new: Connection) -> None:
        """Before a write of a connection: wakes its space if it may be down from then on. Its
        health may be another than was read, so a connection that begins to be watched counts too.
        """
        begins = old is not None and old.status is not new.status
        if begins or new.health.status in FAILING:
            self._wake([new.space_id])

    def get(self, organization_id: str, connection_id: str) -> Connection:
        """Raises `NotFound`."""
        item = (
            self._table.get(connection_key(organization_id, connection_id))
            if is_id("con", connection_id)
            else None
        )
        if item is None:
            raise NotFound("connection")
        return read_connection(item)

    def of_endpoint(self, organization_id: str, endpoint_id: str) -> Iterator[Connection]:
        """All connections of an endpoint, a few in memory at a time: each may have 32 KB."""
        key = use_key(organization_id, endpoint_id, "")
        uses = self._table.query_all(key.pk, prefix=key.sk)
        for some in batched(uses, _AT_ONCE, strict=False):
            yield from self.of_uses(organization_id, some).values()

    def of_uses(self, organization_id: str, uses: Sequence[Item]) -> dict[str, Connection]:
        """The connections that uses of an endpoint name, by the sort key of the use."""
        keys = {use["sk"]: connection_key(organization_id, user_of(use)) for use in uses}
        found = self._table.get_all(keys.values())
        # One that is missing was deleted between the two reads.
        return {sk: read_connection(found[key]) for sk, key in keys.items() if key in found}

    def delete(
        self, organization_id: str, connection_id: str, space: Space, if_match: IfMatch
    ) -> None:
        """Deletes a connection; its events stay until they expire.

        Raises `NotFound`, `PreconditionFailed`.
        """

        def attempt() -> None:
            connection = self.get(organization_id, connection_id)
            require_match(if_match, connection.revision)
            self._quotas.transact(connection_delete(connection, space))

        serially(attempt)
