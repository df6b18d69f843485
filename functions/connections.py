"""Sources, destinations and connections."""

from functools import cache
from typing import Any

from patchbay.connections.configuring import Configurator
from patchbay.connections.model import (
    Connection,
    ConnectionQuery,
    EditQuery,
    EditReport,
    Endpoint,
    EndpointPatch,
    NewConnection,
    NewEndpoint,
)
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.idempotency import Idempotency
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.revisions import FIRST_REVISION
from patchbay.platform.settings import ConnectionsSettings
from patchbay.registry.manifest import Role
from patchbay.registry.model import Release
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.access import Permission, admit
from patchbay.tenancy.store import TenancyStore


@cache
def _settings() -> ConnectionsSettings:
    return ConnectionsSettings.from_env()


@cache
def _table() -> Table:
    return Table(_settings().integrations_table)


@cache
def _store() -> ConnectionStore:
    return ConnectionStore(_table())


@cache
def _idempotency() -> Idempotency:
    return Idempotency(_table())


api = HttpApi(admit, tag="Connections", idempotency=_idempotency)

BASE = "/v1/organizations/<organization_id>/knowledge/connectors"


@cache
def _configurator() -> Configurator:
    # What a binding is made of is needed by writes alone, and would slow down every cold start.
    from patchbay.checks.binding import binding_of

    return Configurator(
        TenancyStore(_table()),
        RegistryStore(_table()),
        _store(),
        Vault(_table(), _settings().vault_key_id),
        binding_of,
    )


@api.post(f"{BASE}/sources", permission=Permission.MANAGE, status=201)
def create_source(organization_id: str, body: NewEndpoint, stamp: Stamp) -> Reply[Endpoint]:
    """Create a source of a release, with variables and secrets."""
    return _created(organization_id, Role.SOURCE, body, stamp)


@api.get(f"{BASE}/sources", permission=Permission.READ)
def list_sources(organization_id: str, query: ListQuery) -> Listing[Endpoint]:
    """List the sources of an organization."""
    return _store().endpoints(organization_id, Role.SOURCE, query, utc_now())


@api.get(f"{BASE}/sources/<source_id>", permission=Permission.READ)
def get_source(organization_id: str, source_id: str) -> Reply[Endpoint]:
    """Read a source; of its secrets, which ones are set."""
    return _read(organization_id, Role.SOURCE, source_id)


@api.get(f"{BASE}/sources/<source_id>/release", permission=Permission.READ)
def get_source_release(organization_id: str, source_id: str) -> Reply[Release]:
    """Read the release that a source is made of, also of a deleted integration."""
    return _release(organization_id, Role.SOURCE, source_id)


@api.patch(f"{BASE}/sources/<source_id>", permission=Permission.MANAGE, failures=(422,))
def change_source(
    organization_id: str,
    source_id: str,
    query: EditQuery,
    body: EndpointPatch,
    if_match: str | None,
) -> Reply[Endpoint] | Reply[EditReport]:
    """Change or upgrade a source (JSON merge patch), or see with `dry_run` what follows."""
    return _changed(organization_id, Role.SOURCE, source_id, query, body, if_match)


@api.delete(
    f"{BASE}/sources/<source_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_source(organization_id: str, source_id: str, if_match: str | None) -> None:
    """Delete a source that no connection uses, with its secrets."""
    _delete(organization_id, Role.SOURCE, source_id, if_match)


@api.post(f"{BASE}/destinations", permission=Permission.MANAGE, status=201)
def create_destination(organization_id: str, body: NewEndpoint, stamp: Stamp) -> Reply[Endpoint]:
    """Create a destination of a release, with variables and secrets."""
    return _created(organization_id, Role.DESTINATION, body, stamp)


@api.get(f"{BASE}/destinations", permission=Permission.READ)
def list_destinations(organization_id: str, query: ListQuery) -> Listing[Endpoint]:
    """List the destinations of an organization."""
    return _store().endpoints(organization_id, Role.DESTINATION, query, utc_now())


@api.get(f"{BASE}/destinations/<destination_id>", permission=Permission.READ)
def get_destination(organization_id: str, destination_id: str) -> Reply[Endpoint]:
    """Read a destination; of its secrets, which ones are set."""
    return _read(organization_id, Role.DESTINATION, destination_id)


@api.get(f"{BASE}/destinations/<destination_id>/release", permission=Permission.READ)
def get_destination_release(organization_id: str, destination_id: str) -> Reply[Release]:
    """Read the release that a destination is made of, also of a deleted integration."""
    return _release(organization_id, Role.DESTINATION, destination_id)


@api.patch(f"{BASE}/destinations/<destination_id>", permission=Permission.MANAGE, failures=(422,))
def change_destination(
    organization_id: str,
    destination_id: str,
    query: EditQuery,
    body: EndpointPatch,
    if_match: str | None,
) -> Reply[Endpoint] | Reply[EditReport]:
    """Change or upgrade a destination (JSON merge patch), or see with `dry_run` what follows."""
    return _changed(organization_id, Role.DESTINATION, destination_id, query, body, if_match)


@api.delete(
    f"{BASE}/destinations/<destination_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_destination(organization_id: str, destination_id: str, if_match: str | None) -> None:
    """Delete a destination that no connection uses, with its secrets."""
    _delete(organization_id, Role.DESTINATION, destination_id, if_match)


@api.post(f"{BASE}/connections", permission=Permission.MANAGE, status=201)
def create_connection(organization_id: str, body: NewConnection, stamp: Stamp) -> Reply[Connection]:
    """Create a connection of a source, and optionally a destination, in a space."""
    connection = _configurator().create_connection(organization_id, body, stamp)
    return Reply(connection, connection.revision)


@api.get(f"{BASE}/connections", permission=Permission.READ)
def list_connections(organization_id: str, query: ConnectionQuery) -> Listing[Connection]:
    """List the connections of an organization, or of one of its spaces."""
    space = None
    if query.space:
        space = _configurator().space(organization_id, query.space, "/query/space")
    return _store().connections(organization_id, query, space, utc_now())


@api.get(f"{BASE}/connections/<connection_id>", permission=Permission.READ)
def get_connection(organization_id: str, connection_id: str) -> Reply[Connection]:
    """Read a connection."""
    connection = _store().connection(organization_id, connection_id)
    return Reply(connection, connection.revision)


@api.delete(
    f"{BASE}/connections/<connection_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_connection(organization_id: str, connection_id: str, if_match: str | None) -> None:
    """Delete a connection; what it is made of stays."""
    connection = _store().connection(organization_id, connection_id)
    space = _configurator().space(organization_id, connection.space, "/space")
    _store().delete_connection(organization_id, connection_id, space, if_match)


def _created(organization_id: str, role: Role, body: NewEndpoint, stamp: Stamp) -> Reply[Endpoint]:
    endpoint = _configurator().create_endpoint(organization_id, role, body, stamp)
    return Reply(endpoint, endpoint.revision)


def _read(organization_id: str, role: Role, endpoint_id: str) -> Reply[Endpoint]:
    endpoint = _store().endpoint(organization_id, role, endpoint_id)
    return Reply(endpoint, endpoint.revision)


def _release(organization_id: str, role: Role, endpoint_id: str) -> Reply[Release]:
    endpoint = _store().endpoint(organization_id, role, endpoint_id)
    release = RegistryStore(_table()).release(endpoint.integration_id, endpoint.version)
    return Reply(release, FIRST_REVISION)


def _changed(
    organization_id: str,
    role: Role,
    endpoint_id: str,
    query: EditQuery,
    body: EndpointPatch,
    if_match: str | None,
) -> Reply[Endpoint] | Reply[EditReport]:
    configurator, now = _configurator(), utc_now()
    if query.dry_run:
        return Reply(configurator.preview(organization_id, role, endpoint_id, body, now))
    changed = configurator.change_endpoint(organization_id, role, endpoint_id, body, if_match, now)
    return Reply(changed, changed.revision)


def _delete(organization_id: str, role: Role, endpoint_id: str, if_match: str | None) -> None:
    _configurator().delete_endpoint(organization_id, role, endpoint_id, if_match, utc_now())


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
