"""How sources and destinations are stored, and the writes that count their connections.

    source, destination   ORG#<org>   SRC#<id>, DST#<id>   `uses` counts its connections
    use of an endpoint    ORG#<org>   USE#<endpoint id>#<connection id>

What makes a connection counts it at its endpoints, in one transaction, so nothing that is used is
ever deleted.

Configurations are judged by the release of the source. So a write of a connection's configurations
has the condition that the source still has that release, and changes its `users_revision`; an
upgrade of the source has the condition that `users_revision` is still what it was when all
connections were looked at.
"""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final, NamedTuple

from patchbay.connections.audit_events import audited
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_model import OF_GRANTS, Endpoint, EndpointFilters
from patchbay.connections.keys import (
    APPLICATIONS,
    application_key,
    drop_key,
    endpoint_key,
    grant_key,
    secret_key,
    use_key,
)
from patchbay.connections.quotas import ENDPOINT_QUOTA
from patchbay.platform.audit import Action
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Delete,
    Item,
    Key,
    Put,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.strict_json import compact
from patchbay.registry.release_uses import begin_use_of_release, end_use_of_release
from patchbay.registry.version_ranges import VersionRange
from patchbay.tenancy.quotas import Count, Counted

_DOCUMENTS: Final = ("variables", "members", "binding")
"""Attributes that are stored as JSON texts."""
_OF_CONNECTIONS: Final = ("uses", "users_revision")
"""Attributes that connections change."""


class SecretChange(NamedTuple):
    """The writes of an endpoint's secrets, and the names of those that were entered."""

    writes: Sequence[Write] = ()
    entered: Sequence[str] = ()


def endpoint_item(endpoint: Endpoint, uses: int = 0) -> Item:
    return {
        **endpoint_key(endpoint.organization_id, endpoint.id)._asdict(),
        **endpoint.model_dump(mode="json"),
        "variables": compact(endpoint.variables).decode(),
        "binding": compact(endpoint.binding).decode(),
        "members": compact([member.model_dump() for member in endpoint.members]).decode(),
        "granted_by": endpoint.granted_by,
        "revision": endpoint.revision,
        "uses": uses,
        "users_revision": endpoint.users_revision,
    }


def read_endpoint(item: Item) -> Endpoint:
    documents = {name: json.loads(item[name]) for name in _DOCUMENTS}
    for member in documents["members"]:
        # Copies of earlier versions were promised to stay as they are.
        member.setdefault("detached", member["forked"])
    return Endpoint.model_validate({**item, **documents})


def chosen_by(query: EndpointFilters) -> Callable[[Item], bool]:
    """Whether the item of an endpoint meets the filters of a query."""
    wanted = {
        name: value
        for name in ("integration", "environment", "external_account_id")
        if (value := getattr(query, name)) is not None
    }
    matches = cache(VersionRange.parse(query.version).matches) if query.version else None

    def is_chosen(item: Item) -> bool:
        return all(item[name] == value for name, value in wanted.items()) and (
            matches is None or matches(item["version"])
        )

    return is_chosen


def grant_key_of(item: Item) -> Key | None:
    """The key of the grant of an endpoint that may have one, by the endpoint's item."""
    if item.get("granted_at") is None and OF_GRANTS.isdisjoint(item["secrets_set"]):
        return None
    return grant_key(item["organization_id"], item["id"])


def endpoint_change(old: Endpoint, new: Endpoint, secrets: SecretChange) -> list[Write]:
    """The writes of a new revision, with its secrets; the endpoint's own comes first."""
    kept = ("pk", "sk", *_OF_CONNECTIONS)
    unchanged = equals("revision", old.revision)
    if new.version != old.version:
        unchanged &= equals("users_revision", old.users_revision)
    writes: list[Write] = [
        Update(
            endpoint_key(old.organization_id, old.id),
            values={n: v for n, v in endpoint_item(new).items() if n not in kept},
            condition=unchanged,
        ),
        *secrets.writes,
        Put(drop_mark(new)),
    ]
    if new.granted_by != old.granted_by:
        writes += [*use_of_application(old, -1), *use_of_application(new, +1)]
    if new.version != old.version:
        writes.append(end_use_of_release(old.integration_id, old.version, old.id))
        writes += begin_use_of_release(new.integration_id, new.version, new.id)
    return [*writes, audited(new, Action.CHANGED, old, new, secrets.entered)]


def drop_mark(endpoint: Endpoint) -> Item:
    """Says that snapshots of its connections may be older than this revision of an endpoint."""
    key = drop_key(endpoint.id, endpoint.revision)
    return {**key._asdict(), "organization_id": endpoint.organization_id}


def endpoint_delete(endpoint: Endpoint, uses: int) -> list[Counted]:
    """The writes that delete an endpoint, with its secrets and its grant, if it has this many
    connections.

    The endpoint's own write comes first; the audit event is not among them.
    """
    return [
        Delete(
            endpoint_key(endpoint.organization_id, endpoint.id),
            equals("revision", endpoint.revision) & equals("uses", uses),
        ),
        Delete(secret_key(endpoint.organization_id, endpoint.id)),
        Delete(grant_key(endpoint.organization_id, endpoint.id)),
        *use_of_application(endpoint, -1),
        end_use_of_release(endpoint.integration_id, endpoint.version, endpoint.id),
        Count(endpoint.organization_id, ENDPOINT_QUOTA, -1),
    ]


def use_of_application(endpoint: Endpoint, change: int) -> list[Write]:
    """Counts the grant of an endpoint at the OAuth application that it was connected through, which
    must exist; nothing for an endpoint without one. `with_gone_applications` ends uses of one that
    was erased."""
    if endpoint.granted_by is None:
        return []
    key = application_key(endpoint.granted_by, endpoint.integration_id)
    return [Update(key, add={"uses": change}, condition=PRESENT)]


def with_gone_applications[W: (Write, Counted)](
    transact: Callable[[Sequence[W]], None], writes: Sequence[W]
) -> None:
    """Does the writes, even if an OAuth application whose use they end was erased with its owner.

    Nothing is counted at one that is gone: that it is gone is the condition in place of the count.
    So if it comes or goes in between, all of it is refused. Raises as `transact`.
    """
    try:
        transact(writes)
    except TransactionRefused as refused:
        gone = {
            number
            for number, standing in refused.failed.items()
            if standing is None and _ends_use_of_application(writes[number])
        }
        if not gone or refused.failed.keys() - gone:
            raise
        transact(
            [
                Check(write.key, ABSENT) if n in gone and isinstance(write, Update) else write
                for n, write in enumerate(writes)
            ]
        )


def _ends_use_of_application(write: Counted) -> bool:
    return (
        isinstance(write, Update)
        and write.key.sk.startswith(APPLICATIONS)
        and write.add.get("uses") == -1
    )


def begin_use(organization_id: str, endpoint_id: str, connection_id: str) -> list[Write]:
    """One more connection of an endpoint, which must exist."""
    return [
        _count(organization_id, endpoint_id, +1),
        use(organization_id, endpoint_id, connection_id),
    ]


def end_use(organization_id: str, endpoint_id: str, connection_id: str) -> list[Write]:
    return [
        _count(organization_id, endpoint_id, -1),
        Delete(use_key(organization_id, endpoint_id, connection_id)),
    ]


def use(organization_id: str, endpoint_id: str, connection_id: str) -> Put:
    """The item that names a connection of an endpoint."""
    return Put(use_key(organization_id, endpoint_id, connection_id)._asdict())


def user_of(use: Item) -> str:
    """The id of the connection that uses an endpoint."""
    connection_id: str = use["sk"].rpartition("#")[2]
    return connection_id


def judged(connection: Connection, version: str, uses: int = 0) -> Update:
    """Configurations were judged by this release of the source, which must still have it."""
    return Update(
        endpoint_key(connection.organization_id, connection.source_id),
        add={"users_revision": 1, "uses": uses},
        condition=PRESENT & equals("version", version),
    )


def _count(organization_id: str, endpoint_id: str, change: int) -> Update:
    return Update(
        endpoint_key(organization_id, endpoint_id), add={"uses": change}, condition=PRESENT
    )
