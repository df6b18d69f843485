"""Endpoints and connections in the integrations table.

    source, destination   ORG#<org>   SRC#<id>, DST#<id>   `uses` counts the connections of it
    sealed secret         ORG#<org>   SECRET#<endpoint id>
    connection            ORG#<org>   CON#<id>             in by_owner under its space
    use of an endpoint    ORG#<org>   USE#<endpoint id>#<connection id>

Whoever makes a connection counts itself in at its endpoints and its space, in one transaction: what
is in use is never deleted, whoever comes first.
"""

import json
from datetime import datetime

from patchbay.connections.model import (
    UNTESTED,
    Connection,
    ConnectionQuery,
    Endpoint,
    Health,
    HealthStatus,
    Lifecycle,
    NewConnection,
    id_prefix,
)
from patchbay.connections.vault import secret_key
from patchbay.platform.clock import to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
    less_or_absent,
)
from patchbay.platform.errors import Conflict, InvalidInput, NotFound
from patchbay.platform.ids import Stamp, is_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import compact
from patchbay.registry.manifest import Role
from patchbay.registry.store import still_installable, use_of_release
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import organization_key, organization_pk, use_of_space

_MAX_USERS_TOLD = 20
_ENDPOINT_DOCUMENTS = ("variables", "members", "binding")


def endpoint_key(organization_id: str, endpoint_id: str) -> Key:
    """The sort key names the role as the id does: `SRC#src_…`, `DST#dst_…`."""
    return Key(organization_pk(organization_id), f"{endpoint_id[:3].upper()}#{endpoint_id}")


def connection_key(organization_id: str, connection_id: str) -> Key:
    return Key(organization_pk(organization_id), f"CON#{connection_id}")


def use_key(organization_id: str, endpoint_id: str, connection_id: str) -> Key:
    return Key(organization_pk(organization_id), f"USE#{endpoint_id}#{connection_id}")


def connections_of_space_pk(space_id: str) -> str:
    """Of by_owner; its sort key is the connection's id."""
    return f"SPACE#{space_id}#CON"


class ConnectionStore:
    """The endpoints and connections of organizations."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    def create_endpoint(self, endpoint: Endpoint, sealed: Item | None) -> None:
        """Stores an endpoint with its sealed secrets, and counts it at its release: all or nothing.

        Raises `NotFound` for an organization that is not there, `InvalidInput` if the release has
        been withdrawn meanwhile.
        """
        writes: list[Write] = [
            Put(_endpoint_item(endpoint), ABSENT),
            use_of_release(endpoint.integration_id, endpoint.version, +1),
            # The operator reaches every organization, also one that is not there.
            Check(organization_key(endpoint.organization_id), PRESENT),
            still_installable(endpoint.integration_id),
        ]
        if sealed:
            writes.append(Put(sealed, ABSENT))
        try:
            self._table.transact(writes)
        except TransactionRefused as refused:
            if 2 in refused.failed:
                raise NotFound("organization") from None
            # This id can only be there already by this request, or the one that it repeats.
            if 0 not in refused.failed:
                raise InvalidInput.at("/integration", "has just been deleted") from None

    def replace_endpoint(self, old: Endpoint, new: Endpoint, secrets: Write | None) -> None:
        """Writes a new revision with its secrets, and counts it at its new release.

        Raises `TransactionRefused` if somebody else came in between.
        """
        item = _endpoint_item(new)
        writes: list[Write] = [
            Update(
                endpoint_key(old.organization_id, old.id),
                # All but the keys, and the count of connections, which others change.
                values={n: v for n, v in item.items() if n not in ("pk", "sk", "uses")},
                condition=equals("revision", old.revision),
            )
        ]
        if secrets:
            writes.append(secrets)
        if new.version != old.version:
            writes.append(use_of_release(old.integration_id, old.version, -1))
            writes.append(use_of_release(new.integration_id, new.version, +1))
            writes.append(still_installable(new.integration_id))
        self._table.transact(writes)

    def endpoint(self, organization_id: str, role: Role, endpoint_id: str) -> Endpoint:
        """Raises `NotFound` (SOURCE_NOT_FOUND, DESTINATION_NOT_FOUND)."""
        item = (
            self._table.get(endpoint_key(organization_id, endpoint_id))
            if is_id(id_prefix(role), endpoint_id)
            else None
        )
        if item is None:
            raise NotFound(role.value)
        return _endpoint(item)

    def endpoints(
        self, organization_id: str, role: Role, query: ListQuery, now: datetime
    ) -> Listing[Endpoint]:
        return self._lists.page(
            organization_id,
            query,
            now,
            _endpoint,
            pk=organization_pk(organization_id),
            prefix=f"{id_prefix(role).upper()}#",
        )

    def delete_endpoint(
        self, organization_id: str, role: Role, endpoint_id: str, if_match: IfMatch
    ) -> Endpoint:
        """With its secrets. Raises `NotFound`, `PreconditionFailed`, `Conflict` IN_USE."""

        def attempt() -> Endpoint:
            endpoint = self.endpoint(organization_id, role, endpoint_id)
            require_match(if_match, endpoint.revision)
            try:
                self._table.transact(
                    [
                        Delete(
                            endpoint_key(organization_id, endpoint_id),
                            equals("revision", endpoint.revision) & equals("uses", 0),
                        ),
                        Delete(secret_key(organization_id, endpoint_id)),
                        use_of_release(endpoint.integration_id, endpoint.version, -1),
                    ]
                )
            except TransactionRefused as refused:
                standing = refused.failed.get(0)
                if standing and standing["uses"] > 0:
                    raise Conflict(
                        f"The {role.value} is used by connections.",
                        "IN_USE",
                        used_by=self._users(organization_id, endpoint_id),
                    ) from None
                raise
            return endpoint

        return serially(attempt)

    def create_connection(
        self, organization_id: str, new: NewConnection, space: Space, stamp: Stamp
    ) -> Connection:
        """Raises `InvalidInput` for an endpoint that is not there (any more)."""
        connection = Connection(
            **new.model_dump(exclude={"space"}),
            id=stamp.id("con"),
            organization_id=organization_id,
            space=space.slug,
            space_id=space.id,
            status=Lifecycle.ACTIVE,
            health=UNTESTED,
            created_at=stamp.now,
            updated_at=stamp.now,
            revision=1,
        )
        endpoints = _endpoints_of(connection)
        try:
            self._table.transact(
                [
                    Put(_connection_item(connection), ABSENT),
                    use_of_space(space, +1),
                    *(_count(organization_id, endpoint_id, +1) for _, endpoint_id in endpoints),
                    *(
                        Put(use_key(organization_id, endpoint_id, connection.id)._asdict())
                        for _, endpoint_id in endpoints
                    ),
                ]
            )
        except TransactionRefused as refused:
            if 0 not in refused.failed:
                gone = [("space", ""), *endpoints]
                raise InvalidInput.at(
                    f"/{gone[min(refused.failed) - 1][0]}", "has just been deleted"
                ) from None
        return connection

    def connection(self, organization_id: str, connection_id: str) -> Connection:
        """Raises `NotFound`."""
        item = (
            self._table.get(connection_key(organization_id, connection_id))
            if is_id("con", connection_id)
            else None
        )
        if item is None:
            raise NotFound("connection")
        return _connection(item)

    def connections(
        self, organization_id: str, query: ConnectionQuery, space: Space | None, now: datetime
    ) -> Listing[Connection]:
        """Of an organization, or of one space of it; oldest first."""
        if space:
            return self._lists.page(
                organization_id,
                query,
                now,
                _connection,
                pk=connections_of_space_pk(space.id),
                index="by_owner",
            )
        return self._lists.page(
            organization_id,
            query,
            now,
            _connection,
            pk=organization_pk(organization_id),
            prefix="CON#",
        )

    def delete_connection(
        self, organization_id: str, connection_id: str, space: Space, if_match: IfMatch
    ) -> None:
        """Raises `NotFound`, `PreconditionFailed`. Its events stay until they expire."""

        def attempt() -> None:
            connection = self.connection(organization_id, connection_id)
            require_match(if_match, connection.revision)
            endpoints = [endpoint_id for _, endpoint_id in _endpoints_of(connection)]
            self._table.transact(
                [
                    Delete(
                        connection_key(organization_id, connection_id),
                        equals("revision", connection.revision),
                    ),
                    use_of_space(space, -1),
                    *(_count(organization_id, endpoint_id, -1) for endpoint_id in endpoints),
                    *(
                        Delete(use_key(organization_id, endpoint_id, connection_id))
                        for endpoint_id in endpoints
                    ),
                ]
            )

        serially(attempt)

    def record_health(self, connection: Connection, health: Health) -> None:
        """Keeps the newest word on a connection: a test that ended earlier changes nothing."""
        checked_at = to_text(health.checked_at) if health.checked_at else ""
        # Kept through later failures: how long ago it last worked.
        success = {"last_success_at": checked_at} if health.status is HealthStatus.CONNECTED else {}
        try:
            self._table.write(
                Update(
                    connection_key(connection.organization_id, connection.id),
                    values={
                        "health": health.model_dump(mode="json"),
                        "checked_at": checked_at,
                        **success,
                    },
                    condition=PRESENT & less_or_absent("checked_at", checked_at),
                )
            )
        except ConditionFailed:
            return  # deleted meanwhile, or a later test was faster

    def _users(self, organization_id: str, endpoint_id: str) -> list[str]:
        prefix = use_key(organization_id, endpoint_id, "").sk
        page = self._table.query(
            organization_pk(organization_id), prefix=prefix, limit=_MAX_USERS_TOLD
        )
        return [item["sk"].removeprefix(prefix) for item in page.items]


def _endpoints_of(connection: Connection) -> list[tuple[str, str]]:
    """The field of each endpoint and its id."""
    named = [
        ("source_id", connection.source_id),
        ("destination_id", connection.destination_id),
    ]
    return [(field, endpoint_id) for field, endpoint_id in named if endpoint_id]


def _count(organization_id: str, endpoint_id: str, change: int) -> Update:
    return Update(
        endpoint_key(organization_id, endpoint_id), add={"uses": change}, condition=PRESENT
    )


def _endpoint_item(endpoint: Endpoint) -> Item:
    return {
        **endpoint_key(endpoint.organization_id, endpoint.id)._asdict(),
        **endpoint.model_dump(mode="json"),
        "variables": compact(endpoint.variables).decode(),
        "binding": compact(endpoint.binding).decode(),
        "members": compact([member.model_dump() for member in endpoint.members]).decode(),
        "revision": endpoint.revision,
        "uses": 0,
    }


def _endpoint(item: Item) -> Endpoint:
    documents = {name: json.loads(item[name]) for name in _ENDPOINT_DOCUMENTS}
    return Endpoint.model_validate({**item, **documents})


def _connection_item(connection: Connection) -> Item:
    return {
        **connection_key(connection.organization_id, connection.id)._asdict(),
        **connection.model_dump(mode="json"),
        "configurations": compact(connection.configurations).decode(),
        "revision": connection.revision,
        "by_owner_pk": connections_of_space_pk(connection.space_id),
        "by_owner_sk": connection.id,
    }


def _connection(item: Item) -> Connection:
    return Connection.model_validate({**item, "configurations": json.loads(item["configurations"])})
