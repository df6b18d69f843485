"""Endpoints and connections in the integrations table.

    source, destination   ORG#<org>   SRC#<id>, DST#<id>   `uses` counts the connections of it
    sealed secret         ORG#<org>   SECRET#<endpoint id>
    connection            ORG#<org>   CON#<id>             in by_owner under its space, in
                                                           monitor_slot while it is monitored,
                                                           in failing while its health is
    use of an endpoint    ORG#<org>   USE#<endpoint id>#<connection id>

Whoever makes a connection counts itself in at its endpoints and its space, in one transaction: what
is in use is never deleted, whoever comes first.

Configurations are judged by the release of the source. So whoever writes a connection's has the
condition that the source still is of that release, and changes its `users_revision`; an upgrade of
the source has the condition that this is still what it was when all connections were looked at.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from patchbay.checks.roles import Role
from patchbay.connections.health_status import FAILING, HealthStatus
from patchbay.connections.keys import (
    connection_key,
    connections_of_space_pk,
    endpoint_key,
    failing_of_space_pk,
    key_of,
    secret_key,
    use_key,
)
from patchbay.connections.model import (
    Connection,
    ConnectionQuery,
    Endpoint,
    Health,
    Lifecycle,
    RequiredAction,
    id_prefix,
)
from patchbay.connections.wheel import on_the_wheel
from patchbay.platform.actor import DEPLOYMENT, Actor, acting
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import to_sortable, to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import Conflict, InvalidInput, NotFound, TemporarilyUnavailable
from patchbay.platform.ids import is_id
from patchbay.platform.lists import FILTERED_READ, Listing, ListQuery, Lists, position_of
from patchbay.platform.revisions import IfMatch, require_match, serially
from patchbay.platform.strict_json import compact
from patchbay.registry.keys import still_installable, use_of_release
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import organization_key, organization_pk, use_of_space

if TYPE_CHECKING:
    from patchbay.connections.announcements import Announcement
    from patchbay.connections.health_state import AutoDisable, HealthObservation, HealthUpdate

_MAX_USERS_TOLD = 20
_ENDPOINT_DOCUMENTS = ("variables", "members", "binding")
_OF_CONNECTIONS: Final = ("uses", "users_revision")
"""Attributes of an endpoint that its connections change."""
_FAILING: Final = ("failing_pk", "failing_sk")
_OF_TESTS: Final = (
    *("health", "required_action", "checked_at", "state"),
    *_FAILING,
)
"""Attributes of a connection that its tests change."""
_OBSERVERS: Final = 10
"""Tests and edits of one connection at once that an observation outlasts."""
_JOINED_READ: Final = 100
"""Items that a filtered page reads where each leads to another one: a BatchGetItem."""
_MAX_READS: Final = 10


@dataclass(frozen=True, slots=True)
class SecretChange:
    """The writes of an endpoint's secrets, and the names of those that were entered."""

    writes: Sequence[Write] = ()
    entered: Sequence[str] = ()


class ConnectionStore:
    """The endpoints and connections of organizations."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    def create_endpoint(
        self, endpoint: Endpoint, sealed: Item | None, *connected: Write, uses: int = 0
    ) -> Endpoint:
        """Stores an endpoint with its sealed secrets, and counts it at its release: all or nothing.

        Returns what stands there: where this request is repeated, that of the first time. Raises
        `NotFound` for an organization that is not there, `InvalidInput` if the release has been
        withdrawn meanwhile, `TransactionRefused` if the data keys were rotated meanwhile.
        """
        writes: list[Write] = [
            Put({**_endpoint_item(endpoint), "uses": uses}, ABSENT),
            use_of_release(endpoint.integration_id, endpoint.version, +1),
            # The operator reaches every organization, also one that is not there.
            Check(organization_key(endpoint.organization_id), PRESENT),
            still_installable(endpoint.integration_id),
        ]
        if sealed:
            writes += [Put(sealed, ABSENT), key_of(sealed)]
        try:
            told = _told(
                endpoint, Action.CREATED, after=endpoint, secrets_entered=endpoint.secrets_set
            )
            self._table.transact([*writes, *connected, told])
        except TransactionRefused as refused:
            if 2 in refused.failed:
                raise NotFound("organization") from None
            # This id can only be there already by this request, or the one that it repeats.
            if standing := refused.failed.get(0):
                return _endpoint(standing)
            if refused.failed.keys() & {1, 3}:
                raise InvalidInput.at("/integration", "has just been deleted") from None
            raise
        return endpoint

    def create_connected(
        self, source: Endpoint, sealed: Item | None, connection: Connection, space: Space
    ) -> tuple[Endpoint, Connection]:
        """A source and a connection of it: both or neither. Returns and raises as the two alone."""
        use = Put(use_key(source.organization_id, source.id, connection.id)._asdict())
        put = Put(_connection_item(connection), ABSENT)
        told = _told(connection, Action.CREATED, after=connection)
        stands = self.create_endpoint(
            source, sealed, put, use_of_space(space, +1), use, told, uses=1
        )
        if stands is source:
            return source, connection
        return stands, self.connection(connection.organization_id, connection.id)

    def replace_endpoint(self, old: Endpoint, new: Endpoint, secrets: SecretChange) -> None:
        """Writes a new revision with its secrets, and counts it at its new release.

        Raises `TransactionRefused` if somebody else came in between.
        """
        self._table.transact(_endpoint_change(old, new, secrets))

    def change_connected(
        self,
        source: tuple[Endpoint, Endpoint],
        secrets: SecretChange,
        connection: tuple[Connection, Connection],
    ) -> None:
        """A source and a connection of it, from what they were to what they are now.

        Raises `TransactionRefused` if somebody else came in between.
        """
        self._table.transact(
            [*_endpoint_change(*source, secrets), *_connection_change(*connection)]
        )

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
                        *_endpoint_delete(endpoint, uses=0),
                        _told(endpoint, Action.DELETED, before=endpoint),
                    ]
                )
            except TransactionRefused as refused:
                standing = refused.failed.get(0)
                if standing and standing["uses"] > 0:
                    raise Conflict(
                        f"The {role.value} is used by connections.",
                        "IN_USE",
                        used_by=self._ids_of_users(organization_id, endpoint_id),
                    ) from None
                raise
            return endpoint

        return serially(attempt)

    def create_connection(self, connection: Connection, space: Space, version: str) -> Connection:
        """`version` is the release of the source by which its configurations were judged.

        Returns what stands there, as `create_endpoint`. Raises `TransactionRefused` if space,
        source or destination are not there, or the source is of another release.
        """
        organization_id, destination_id = connection.organization_id, connection.destination_id
        writes: list[Write] = [
            Put(_connection_item(connection), ABSENT),
            use_of_space(space, +1),
            _judged(connection, version, uses=+1),
            Put(use_key(organization_id, connection.source_id, connection.id)._asdict()),
        ]
        if destination_id:
            writes += _use_of(organization_id, destination_id, connection.id)
        writes.append(_told(connection, Action.CREATED, after=connection))
        try:
            self._table.transact(writes)
        except TransactionRefused as refused:
            # This id can only be there already by this request, or the one that it repeats.
            if standing := refused.failed.get(0):
                return _connection(standing)
            raise
        return connection

    def change_connection(self, old: Connection, new: Connection, version: str | None) -> None:
        """Writes a new revision; its uses of endpoints move with it.

        `version` is the release of the source by which its configurations were judged, None if
        they are as they were. Raises `TransactionRefused` if somebody else came in between.
        """
        writes = _connection_change(old, new)
        if version is not None:
            writes.append(_judged(new, version))
        self._table.transact(writes)

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

    @staticmethod
    def of_item(item: Item) -> Connection:
        """A connection that was read elsewhere, by its key."""
        return _connection(item)

    def connections(
        self, organization_id: str, query: ConnectionQuery, space: Space | None, now: datetime
    ) -> Listing[Connection]:
        """Of an organization, one of its spaces or one of its endpoints; oldest first.

        Where filters leave few, a page may be short and still have a next one. Raises
        `InvalidCursor`.
        """
        whole = _whole_list(organization_id, query, space)
        scope = Lists.scope(organization_id, whole.pk, whole.prefix, query)
        start = self._lists.position(query, scope, now)
        filtered = query.filters().keys() - {whole.chosen_by}
        joined = whole.leads_to_connections or query.category is not None
        page = self._table.query(
            whole.pk,
            prefix=whole.prefix,
            index=whole.index,
            # One more than asked for tells whether this page is the last.
            limit=(_JOINED_READ if joined else FILTERED_READ) if filtered else query.limit + 1,
            start=start,
        )
        connections = (
            self._users(organization_id, page.items)
            if whole.leads_to_connections
            else _connections(page.items)
        )
        sources = self.sources(organization_id, connections.values()) if query.category else {}
        found: list[Connection] = []
        for item in page.items:
            if len(found) == query.limit:
                break
            start = position_of(item, whole.index)
            connection = connections.get(item["sk"])
            if connection and _is_asked_for(connection, query, sources):
                found.append(connection)
        else:
            start = page.last_key
        return Listing(items=found, next_cursor=self._lists.next_cursor(start, scope, now))

    def connected(
        self,
        organization_id: str,
        query: ListQuery,
        keep: Callable[[Connection, Endpoint], bool],
        now: datetime,
    ) -> Listing[tuple[Connection, Endpoint]]:
        """Connections of an organization with their sources, oldest first.

        It reads on until the page is full, through 10,000 connections at most: only then may a
        page be short and still have a next one. Raises `InvalidCursor`.
        """
        pk = organization_pk(organization_id)
        scope = Lists.scope(organization_id, pk, "CON#", query)
        start = self._lists.position(query, scope, now)
        found: list[tuple[Connection, Endpoint]] = []
        for _ in range(_MAX_READS):
            page = self._table.query(pk, prefix="CON#", limit=FILTERED_READ, start=start)
            connections = _connections(page.items)
            sources = self.sources(organization_id, connections.values())
            for item in page.items:
                if len(found) == query.limit:
                    cursor = self._lists.next_cursor(start, scope, now)
                    return Listing(items=found, next_cursor=cursor)
                start = position_of(item, None)
                connection = connections[item["sk"]]
                source = sources.get(connection.source_id)
                if source and keep(connection, source):
                    found.append((connection, source))
            if (start := page.last_key) is None:
                break
        return Listing(items=found, next_cursor=self._lists.next_cursor(start, scope, now))

    def sources(
        self, organization_id: str, connections: Iterable[Connection]
    ) -> dict[str, Endpoint]:
        """The sources of connections by their ids, in one call for 100."""
        keys = {endpoint_key(organization_id, c.source_id) for c in connections}
        return {e.id: e for e in map(_endpoint, self._table.get_all(keys).values())}

    def users(self, organization_id: str, endpoint_id: str) -> list[Connection]:
        """All connections of an endpoint."""
        uses = self._table.query_all(
            organization_pk(organization_id), prefix=use_key(organization_id, endpoint_id, "").sk
        )
        return list(self._users(organization_id, list(uses)).values())

    def delete_connection(
        self,
        organization_id: str,
        connection_id: str,
        space: Space,
        if_match: IfMatch,
        *,
        with_source: bool = False,
    ) -> Endpoint | None:
        """Its events stay until they expire. Raises `NotFound`, `PreconditionFailed`.

        `with_source` deletes the source too, with its secrets, if it was made with the connection
        and no other one uses it. Returns the source that is gone.
        """

        def attempt() -> Endpoint | None:
            connection = self.connection(organization_id, connection_id)
            require_match(if_match, connection.revision)
            source = self._source_only_of(connection) if with_source else None
            writes: list[Write] = [
                Delete(
                    connection_key(organization_id, connection_id),
                    equals("revision", connection.revision),
                ),
                use_of_space(space, -1),
            ]
            for endpoint_id in _endpoints_of(connection):
                if source and endpoint_id == source.id:
                    writes += [Delete(use_key(organization_id, source.id, connection_id))]
                    writes += _endpoint_delete(source, uses=1)
                else:
                    writes += _no_use_of(organization_id, endpoint_id, connection_id)
            writes.append(_told(connection, Action.DELETED, before=connection))
            if source:
                writes.append(_told(source, Action.DELETED, before=source))
            self._table.transact(writes)
            return source

        return serially(attempt)

    def _source_only_of(self, connection: Connection) -> Endpoint | None:
        """The source that was made with a connection, if nobody else uses it."""
        if not connection.owns_source:
            return None
        item = self._table.get(endpoint_key(connection.organization_id, connection.source_id))
        return _endpoint(item) if item and item["uses"] == 1 else None

    def observe(
        self,
        connection: Connection,
        seen: "HealthObservation",
        action: RequiredAction,
        disable: "AutoDisable | None" = None,
    ) -> "list[Announcement]":
        """Takes what a test saw into the connection's health: one write, and no read before it.

        `connection` is what the caller has read; somebody else's test since then is found by the
        write's condition. An observation that is not newer than the last changes nothing, so that
        one that comes again does not count again. Returns what is to be told to the bus: it stands
        in the outbox already, written together with the state. Raises `TemporarilyUnavailable` if
        others are faster on and on.
        """
        # Tests need these, and no reader does.
        from patchbay.connections.announcements import Announcement
        from patchbay.connections.health_state import NO_AUTO_DISABLE, HealthState, next_state

        for _ in range(_OBSERVERS):
            step = next_state(
                HealthState.decode(connection.state),
                seen,
                monitored=connection.is_monitored,
                disable=disable or NO_AUTO_DISABLE,
            )
            if step is None:
                return []
            told = [Announcement.of(connection, step.state, seen, what) for what in step.announced]
            writes: list[Put] = [Put(one.item()) for one in told]
            if step.disables:
                writes.append(_disabled(connection, seen))
            try:
                self._apply(_observed(connection, step, seen, action), writes)
            except _Overtaken as overtaken:
                if overtaken.item is None:
                    return []  # deleted meanwhile
                connection = _connection(overtaken.item)
            else:
                return told
        raise TemporarilyUnavailable

    def _apply(self, update: Update, with_it: Sequence[Put]) -> None:
        try:
            if with_it:
                self._table.transact([update, *with_it])
            else:
                self._table.write(update)
        except ConditionFailed as failed:
            raise _Overtaken(failed.item) from None
        except TransactionRefused as refused:
            raise _Overtaken(refused.failed[0]) from None

    def _users(self, organization_id: str, uses: Sequence[Item]) -> dict[str, Connection]:
        """The connections that uses of an endpoint lead to, by the sort key of the use."""
        keys = {use["sk"]: connection_key(organization_id, _user(use)) for use in uses}
        there = self._table.get_all(keys.values())
        # One that is missing was deleted between the two reads.
        return {sk: _connection(there[key]) for sk, key in keys.items() if key in there}

    def _ids_of_users(self, organization_id: str, endpoint_id: str) -> list[str]:
        page = self._table.query(
            organization_pk(organization_id),
            prefix=use_key(organization_id, endpoint_id, "").sk,
            limit=_MAX_USERS_TOLD,
        )
        return [_user(item) for item in page.items]


@dataclass(eq=False)
class _Overtaken(Exception):
    """Somebody else changed what the state of a connection follows from; what stands there now."""

    item: Item | None


def _observed(
    connection: Connection, step: "HealthUpdate", seen: "HealthObservation", action: RequiredAction
) -> Update:
    """The write of a state after an observation; what a caller stated ends with it."""
    health = Health(
        status=step.state.status,
        since=step.state.since,
        checked_at=seen.ended,
        latency_ms=seen.latency_ms,
        error_code=seen.error_code,
        error_message=seen.error_message,
        consecutive_failures=step.state.failures,
        consecutive_successes=step.state.successes,
    )
    values = {
        **_health_attributes(health, action),
        "state": step.state.encode(),
        "stated_status": None,
    }
    if seen.status is HealthStatus.CONNECTED:
        # Kept through later failures: how long ago it last worked.
        values["last_success_at"] = to_text(seen.ended)
    standing = PRESENT & equals("state", connection.state)
    failing = _failing_attributes(connection, health.status)
    values |= failing
    remove: tuple[str, ...] = () if failing else _FAILING
    if step.announced:
        # What is told names the connection as it is, and is not told of one that has just left.
        standing &= equals("revision", connection.revision)
    if step.disables:
        values |= {
            "status": Lifecycle.DISABLED.value,
            "revision": connection.revision + 1,
            "updated_at": to_text(seen.at),
        }
        remove += tuple(_wheel_attributes(connection))
    return Update(
        connection_key(connection.organization_id, connection.id),
        values=values,
        remove=remove,
        condition=standing,
    )


def _disabled(connection: Connection, seen: "HealthObservation") -> Put:
    """The audit event of a disabling: nobody asked for it, whoever's test it was that decided."""
    after = connection.model_copy(update={"status": Lifecycle.DISABLED})
    with acting(Actor(DEPLOYMENT, seen.ended)):
        return _told(connection, Action.CHANGED, before=connection, after=after)


@dataclass(frozen=True, slots=True)
class _WholeList:
    """The narrowest key that holds all connections of a query, and which filter chose it.

    With `leads_to_connections` its items are uses of an endpoint.
    """

    pk: str
    prefix: str = ""
    index: str | None = None
    chosen_by: str = ""
    leads_to_connections: bool = False


def _whole_list(organization_id: str, query: ConnectionQuery, space: Space | None) -> _WholeList:
    for field in ("source_id", "destination_id"):
        if endpoint_id := getattr(query, field):
            key = use_key(organization_id, endpoint_id, "")
            return _WholeList(key.pk, key.sk, chosen_by=field, leads_to_connections=True)
    if space:
        return _WholeList(connections_of_space_pk(space.id), index="by_owner", chosen_by="space")
    return _WholeList(organization_pk(organization_id), "CON#")


def _is_asked_for(
    connection: Connection, query: ConnectionQuery, sources: Mapping[str, Endpoint]
) -> bool:
    """Whether a connection meets all filters of a query, the one that chose the list included."""
    source = sources.get(connection.source_id)
    return (
        query.space in (None, connection.space)
        and query.source_id in (None, connection.source_id)
        and query.destination_id in (None, connection.destination_id)
        and query.status in (None, connection.status)
        and query.health in (None, connection.health.status)
        and (query.category is None or (source is not None and source.category == query.category))
    )


def _connections(items: Sequence[Item]) -> dict[str, Connection]:
    return {item["sk"]: _connection(item) for item in items}


def _user(use: Item) -> str:
    """The connection that a use of an endpoint names."""
    connection_id: str = use["sk"].rpartition("#")[2]
    return connection_id


def _endpoints_of(connection: Connection) -> list[str]:
    return [connection.source_id, *filter(None, [connection.destination_id])]


def _use_of(organization_id: str, endpoint_id: str, connection_id: str) -> list[Write]:
    """One more connection of an endpoint, which must be there."""
    return [
        _count(organization_id, endpoint_id, +1),
        Put(use_key(organization_id, endpoint_id, connection_id)._asdict()),
    ]


def _no_use_of(organization_id: str, endpoint_id: str, connection_id: str) -> list[Write]:
    return [
        _count(organization_id, endpoint_id, -1),
        Delete(use_key(organization_id, endpoint_id, connection_id)),
    ]


def _count(organization_id: str, endpoint_id: str, change: int) -> Update:
    return Update(
        endpoint_key(organization_id, endpoint_id), add={"uses": change}, condition=PRESENT
    )


def _judged(connection: Connection, version: str, uses: int = 0) -> Update:
    """That configurations were judged by this release of the source, which must still be its."""
    return Update(
        endpoint_key(connection.organization_id, connection.source_id),
        add={"users_revision": 1, "uses": uses},
        condition=PRESENT & equals("version", version),
    )


def _told(
    thing: Endpoint | Connection,
    action: Action,
    before: Endpoint | Connection | None = None,
    after: Endpoint | Connection | None = None,
    secrets_entered: Sequence[str] = (),
) -> Put:
    """The audit event of a change, for the end of its transaction."""
    entity = Entity(thing.role.value) if isinstance(thing, Endpoint) else Entity.CONNECTION
    return recorded(
        thing.organization_id,
        entity,
        thing.id,
        action,
        before=before,
        after=after,
        secrets_entered=secrets_entered,
    )


def _endpoint_change(old: Endpoint, new: Endpoint, secrets: SecretChange) -> list[Write]:
    kept = ("pk", "sk", *_OF_CONNECTIONS)
    standing = equals("revision", old.revision)
    if new.version != old.version:
        standing &= equals("users_revision", old.users_revision)
    writes: list[Write] = [
        Update(
            endpoint_key(old.organization_id, old.id),
            values={n: v for n, v in _endpoint_item(new).items() if n not in kept},
            condition=standing,
        ),
        *secrets.writes,
    ]
    if new.version != old.version:
        writes.append(use_of_release(old.integration_id, old.version, -1))
        writes.append(use_of_release(new.integration_id, new.version, +1))
        writes.append(still_installable(new.integration_id))
    told = _told(new, Action.CHANGED, old, new, secrets.entered)
    return [*writes, told]


def _endpoint_delete(endpoint: Endpoint, uses: int) -> list[Write]:
    """With its secrets, if it has this many connections; the endpoint's own write comes first."""
    return [
        Delete(
            endpoint_key(endpoint.organization_id, endpoint.id),
            equals("revision", endpoint.revision) & equals("uses", uses),
        ),
        Delete(secret_key(endpoint.organization_id, endpoint.id)),
        use_of_release(endpoint.integration_id, endpoint.version, -1),
    ]


def _connection_change(old: Connection, new: Connection) -> list[Write]:
    kept = {"pk", "sk", *_OF_TESTS}
    standing = equals("revision", old.revision)
    if old.stated_status or new.stated_status:
        # A test ends what was stated before it, without a new revision.
        standing &= equals("checked_at", _checked(old.health))
    before, after = _connection_item(old), _connection_item(new)
    writes: list[Write] = [
        Update(
            connection_key(old.organization_id, old.id),
            values={n: v for n, v in after.items() if n not in kept},
            remove=[n for n in before if n not in after],
            condition=standing,
        )
    ]
    if old.destination_id != new.destination_id:
        if old.destination_id:
            writes += _no_use_of(old.organization_id, old.destination_id, old.id)
        if new.destination_id:
            writes += _use_of(new.organization_id, new.destination_id, new.id)
    return [*writes, _told(new, Action.CHANGED, before=old, after=new)]


def _endpoint_item(endpoint: Endpoint) -> Item:
    return {
        **endpoint_key(endpoint.organization_id, endpoint.id)._asdict(),
        **endpoint.model_dump(mode="json"),
        "variables": compact(endpoint.variables).decode(),
        "binding": compact(endpoint.binding).decode(),
        "members": compact([member.model_dump() for member in endpoint.members]).decode(),
        "revision": endpoint.revision,
        "uses": 0,
        "users_revision": endpoint.users_revision,
    }


def _endpoint(item: Item) -> Endpoint:
    documents = {name: json.loads(item[name]) for name in _ENDPOINT_DOCUMENTS}
    return Endpoint.model_validate({**item, **documents})


def _connection_item(connection: Connection) -> Item:
    return {
        **connection_key(connection.organization_id, connection.id)._asdict(),
        **connection.model_dump(mode="json"),
        **_health_attributes(connection.health, connection.required_action),
        "configurations": compact(connection.configurations).decode(),
        "owns_source": connection.owns_source,
        "state": connection.state,
        "stated_status": connection.stated_status,
        "revision": connection.revision,
        "by_owner_pk": connections_of_space_pk(connection.space_id),
        "by_owner_sk": connection.id,
        **_wheel_attributes(connection),
        **_failing_attributes(connection, connection.health.status),
    }


def _failing_attributes(connection: Connection, status: HealthStatus) -> Item:
    """What puts a connection among the failing ones of its space, none for any other."""
    if status not in FAILING:
        return {}
    return {
        "failing_pk": failing_of_space_pk(connection.space_id),
        "failing_sk": f"{connection.id}#{status.value}",
    }


def _wheel_attributes(connection: Connection) -> Item:
    """What puts a connection on the wheel of monitors, none for one that is to rest."""
    if not connection.is_monitored:
        return {}
    return on_the_wheel(connection.id, connection.monitor.interval)


def _health_attributes(health: Health, action: RequiredAction) -> Item:
    return {
        "health": health.model_dump(mode="json"),
        "required_action": action.value,
        "checked_at": _checked(health),
    }


def _checked(health: Health) -> str:
    """When a connection was tested, to compare; empty, which is less, if it never was."""
    return to_sortable(health.checked_at) if health.checked_at else ""


def _connection(item: Item) -> Connection:
    return Connection.model_validate({**item, "configurations": json.loads(item["configurations"])})
