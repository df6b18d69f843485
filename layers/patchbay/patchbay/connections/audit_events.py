"""The audit events of sources, destinations, and connections."""

from collections.abc import Mapping, Sequence
from typing import Any

from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_model import Endpoint
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.dynamodb import Put


def audited(
    thing: Endpoint | Connection,
    action: Action,
    before: Endpoint | Connection | None = None,
    after: Endpoint | Connection | None = None,
    secrets_entered: Sequence[str] = (),
) -> Put:
    """The audit event of a change, for the end of the change's transaction.

    `secrets_entered` are the names of new secrets.
    """
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


def used(connection: Connection, action: Action, described: Mapping[str, Any]) -> Put:
    """The audit event of a use of a connection's credentials; `described` says which."""
    return recorded(
        connection.organization_id, Entity.CONNECTION, connection.id, action, after=described
    )
