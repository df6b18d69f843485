"""Sources, destinations and connections."""

from typing import TYPE_CHECKING, Any

from patchbay.checks.roles import Role
from patchbay.connections.connection_model import (
    Connection,
    ConnectionPatch,
    ConnectionQuery,
    NewConnection,
)
from patchbay.connections.data_key_model import (
    DataKey,
    DataKeys,
    DeletedDataKeys,
    DeletionQuery,
    Resealed,
)
from patchbay.connections.endpoint_model import (
    CreateQuery,
    EditQuery,
    EditReport,
    Endpoint,
    EndpointPatch,
    EndpointQuery,
    NewEndpoint,
)
from patchbay.connections.operation_models import (
    ConnectionRecord,
    ConnectionRecords,
    CreateConnection,
    DeleteConnection,
    Deleted,
    ListConnections,
    UpdateConnection,
)
from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.revisions import FIRST_REVISION
from patchbay.tenancy.access import Permission, Principal

if TYPE_CHECKING:
    from patchbay.connection_tests.model import TestedEndpoint
    from patchbay.grants.grant_view import GrantRemoved, GrantView
    from patchbay.registry.model import Release

deployment = Deployment(at_start=("endpoints", "connections", "connection_lists"))
api = HttpApi("Connections", lambda: deployment)

BASE = "/v1/organizations/<organization_id>/knowledge/connectors"
KEYS = "/v1/organizations/<organization_id>/data-keys"
OPERATIONS = "/integrations/connection"


def _of_change() -> dict[int, Any]:
    """The answers of a change of an endpoint, for the document."""
    from patchbay.connection_tests.model import TestedEndpoint

    return {200: Endpoint | TestedEndpoint | EditReport}


def _of_create() -> dict[int, Any]:
    from patchbay.connection_tests.model import TestedEndpoint

    return {201: Endpoint | TestedEndpoint}


def _of_release() -> dict[int, Any]:
    from patchbay.registry.model import Release

    return {200: Release}


def _of_grant() -> dict[int, Any]:
    from patchbay.grants.grant_view import GrantView

    return {200: GrantView}


def _of_removal() -> dict[int, Any]:
    from patchbay.grants.grant_view import GrantRemoved

    return {200: GrantRemoved}


@api.post(
    f"{BASE}/sources",
    permission=Permission.MANAGE,
    status=201,
    failures=(422, 429),
    answers=_of_create,
)
def create_source(
    organization_id: str, query: CreateQuery, body: NewEndpoint, stamp: Stamp, domain_name: str
) -> "Reply[Endpoint] | Reply[TestedEndpoint]":
    """Create a source from a release, with variables and secrets; `test` tests it first."""
    return _created(organization_id, Role.SOURCE, query, body, stamp, domain_name)


@api.get(f"{BASE}/sources", permission=Permission.READ)
def list_sources(organization_id: str, query: EndpointQuery) -> Listing[Endpoint]:
    """List the sources of an organization, by release, environment, account, or name."""
    return deployment.endpoints.page(organization_id, Role.SOURCE, query, utc_now())


@api.get(f"{BASE}/sources/<source_id>", permission=Permission.READ)
def get_source(organization_id: str, source_id: str) -> Reply[Endpoint]:
    """Read a source; its secrets are shown by name only."""
    return _read(organization_id, Role.SOURCE, source_id)


@api.get(f"{BASE}/sources/<source_id>/release", permission=Permission.READ, answers=_of_release)
def get_source_release(organization_id: str, source_id: str) -> "Reply[Release]":
    """Read the release of a source, even if its integration is deleted."""
    return _release(organization_id, Role.SOURCE, source_id)


@api.patch(
    f"{BASE}/sources/<source_id>",
    permission=Permission.MANAGE,
    failures=(422, 429),
    answers=_of_change,
)
def change_source(
    organization_id: str,
    source_id: str,
    query: EditQuery,
    body: EndpointPatch,
    if_match: str | None,
    domain_name: str,
) -> "Reply[Endpoint] | Reply[TestedEndpoint] | Reply[EditReport]":
    """Change or upgrade a source (merge patch); `dry_run` previews, `test` tests first."""
    return _changed(organization_id, Role.SOURCE, source_id, query, body, if_match, domain_name)


@api.delete(
    f"{BASE}/sources/<source_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_source(
    organization_id: str, source_id: str, if_match: str | None, domain_name: str
) -> None:
    """Delete a source that no connection uses, and its secrets; revoke its grant."""
    _delete(organization_id, Role.SOURCE, source_id, if_match, domain_name)


@api.get(f"{BASE}/sources/<source_id>/grant", permission=Permission.READ, answers=_of_grant)
def get_source_grant(organization_id: str, source_id: str, domain_name: str) -> "Reply[GrantView]":
    """Read what a provider granted to a source: status, scopes, and expiry, no tokens."""
    return _grant(organization_id, Role.SOURCE, source_id, domain_name)


@api.delete(f"{BASE}/sources/<source_id>/grant", permission=Permission.MANAGE, answers=_of_removal)
def delete_source_grant(organization_id: str, source_id: str, domain_name: str) -> "GrantRemoved":
    """Remove the grant of a source, and revoke its tokens at the provider."""
    desk = deployment.grant_desk(domain_name)
    return desk.remove(organization_id, Role.SOURCE, source_id, utc_now())


@api.post(
    f"{BASE}/destinations",
    permission=Permission.MANAGE,
    status=201,
    failures=(422, 429),
    answers=_of_create,
)
def create_destination(
    organization_id: str, query: CreateQuery, body: NewEndpoint, stamp: Stamp, domain_name: str
) -> "Reply[Endpoint] | Reply[TestedEndpoint]":
    """Create a destination from a release, with variables and secrets; `test` tests it first."""
    return _created(organization_id, Role.DESTINATION, query, body, stamp, domain_name)


@api.get(f"{BASE}/destinations", permission=Permission.READ)
def list_destinations(organization_id: str, query: EndpointQuery) -> Listing[Endpoint]:
    """List the destinations of an organization, by release, environment, account, or name."""
    return deployment.endpoints.page(organization_id, Role.DESTINATION, query, utc_now())


@api.get(f"{BASE}/destinations/<destination_id>", permission=Permission.READ)
def get_destination(organization_id: str, destination_id: str) -> Reply[Endpoint]:
    """Read a destination; its secrets are shown by name only."""
    return _read(organization_id, Role.DESTINATION, destination_id)


@api.get(
    f"{BASE}/destinations/<destination_id>/release", permission=Permission.READ, answers=_of_release
)
def get_destination_release(organization_id: str, destination_id: str) -> "Reply[Release]":
    """Read the release of a destination, even if its integration is deleted."""
    return _release(organization_id, Role.DESTINATION, destination_id)


@api.patch(
    f"{BASE}/destinations/<destination_id>",
    permission=Permission.MANAGE,
    failures=(422, 429),
    answers=_of_change,
)
def change_destination(
    organization_id: str,
    destination_id: str,
    query: EditQuery,
    body: EndpointPatch,
    if_match: str | None,
    domain_name: str,
) -> "Reply[Endpoint] | Reply[TestedEndpoint] | Reply[EditReport]":
    """Change or upgrade a destination (merge patch); `dry_run` previews, `test` tests first."""
    return _changed(
        organization_id, Role.DESTINATION, destination_id, query, body, if_match, domain_name
    )


@api.delete(
    f"{BASE}/destinations/<destination_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_destination(
    organization_id: str, destination_id: str, if_match: str | None, domain_name: str
) -> None:
    """Delete a destination that no connection uses, and its secrets; revoke its grant."""
    _delete(organization_id, Role.DESTINATION, destination_id, if_match, domain_name)


@api.get(
    f"{BASE}/destinations/<destination_id>/grant", permission=Permission.READ, answers=_of_grant
)
def get_destination_grant(
    organization_id: str, destination_id: str, domain_name: str
) -> "Reply[GrantView]":
    """Read what a provider granted to a destination: status, scopes, and expiry, no tokens."""
    return _grant(organization_id, Role.DESTINATION, destination_id, domain_name)


@api.delete(
    f"{BASE}/destinations/<destination_id>/grant", permission=Permission.MANAGE, answers=_of_removal
)
def delete_destination_grant(
    organization_id: str, destination_id: str, domain_name: str
) -> "GrantRemoved":
    """Remove the grant of a destination, and revoke its tokens at the provider."""
    desk = deployment.grant_desk(domain_name)
    return desk.remove(organization_id, Role.DESTINATION, destination_id, utc_now())


@api.post(f"{BASE}/connections", permission=Permission.MANAGE, status=201)
def create_connection(organization_id: str, body: NewConnection, stamp: Stamp) -> Reply[Connection]:
    """Create a connection in a space, from a source and an optional destination."""
    connection = deployment.connection_editor.create(organization_id, body, stamp)
    return Reply(connection, connection.revision)


@api.get(f"{BASE}/connections", permission=Permission.READ, in_space=True)
def list_connections(
    caller: Principal, organization_id: str, query: ConnectionQuery
) -> Listing[Connection]:
    """List the connections of an organization, by space, endpoint, state, or their source."""
    space = deployment.tenants.listed_space(caller, organization_id, query.space, "/query/space")
    now = utc_now()
    page = deployment.connection_lists.page(organization_id, query.within(space), space, now)
    shown = deployment.shown_connections.all(page.items, now)
    return page.model_copy(update={"items": shown})


@api.get(f"{BASE}/connections/<connection_id>", permission=Permission.READ, in_space=True)
def get_connection(organization_id: str, connection_id: str) -> Reply[Connection]:
    """Read a connection."""
    connection = deployment.connections.get(organization_id, connection_id)
    return Reply(deployment.shown_connections.one(connection, utc_now()), connection.revision)


@api.patch(
    f"{BASE}/connections/<connection_id>",
    permission=Permission.MANAGE,
    in_space=True,
    failures=(409,),
)
def change_connection(
    caller: Principal,
    organization_id: str,
    connection_id: str,
    body: ConnectionPatch,
    if_match: str | None,
) -> Reply[Connection]:
    """Change a connection (JSON merge patch); its source and its space stay."""
    if "destination_id" in body.model_fields_set:
        caller.require_whole_organization()
    now = utc_now()
    changed = deployment.connection_editor.change(
        organization_id, connection_id, body, if_match, now
    )
    return Reply(deployment.shown_connections.one(changed, now), changed.revision)


@api.delete(
    f"{BASE}/connections/<connection_id>",
    permission=Permission.MANAGE,
    in_space=True,
    status=204,
)
def delete_connection(organization_id: str, connection_id: str, if_match: str | None) -> None:
    """Delete a connection; its source and its destination stay."""
    deployment.connection_editor.delete(organization_id, connection_id, if_match)


@api.post(f"{OPERATIONS}/create/v1.0.0", permission=Permission.MANAGE, failures=(404, 422))
def integrations_connection_create(
    caller: Principal, body: CreateConnection, stamp: Stamp
) -> ConnectionRecord:
    """Create a source and a connection (operation integrations.connection.create)."""
    deployment.authorize_tenant(caller, Permission.MANAGE, body.tenant_id)
    return deployment.operations.create(body, stamp)


@api.post(f"{OPERATIONS}/update/v1.0.0", permission=Permission.MANAGE, failures=(404, 409, 422))
def integrations_connection_update(
    caller: Principal, body: UpdateConnection, stamp: Stamp
) -> ConnectionRecord:
    """Change a connection and its source (operation integrations.connection.update)."""
    del stamp  # it is what makes the route repeatable; a repetition may come hours after it
    return deployment.operations.update(caller.organization_id, body, utc_now())


@api.post(f"{OPERATIONS}/delete/v1.0.0", permission=Permission.MANAGE, failures=(404,))
def integrations_connection_delete(
    caller: Principal, body: DeleteConnection, stamp: Stamp, domain_name: str
) -> Deleted:
    """Delete a connection and its own source (operation integrations.connection.delete)."""
    deployment.grant_desk(domain_name).delete_connection(
        deployment.connections.get(caller.organization_id, body.connection_id),
        lambda: deployment.operations.delete(caller.organization_id, body.connection_id, stamp.now),
        stamp.now,
    )
    return Deleted()


@api.get(f"{OPERATIONS}/list/v1.0.0", permission=Permission.READ, failures=(404,))
def integrations_connection_list(caller: Principal, query: ListConnections) -> ConnectionRecords:
    """List the connections of a tenant (operation integrations.connection.list)."""
    deployment.authorize_tenant(caller, Permission.READ, query.tenant_id)
    return deployment.operations.list_records(query, utc_now())


@api.get(KEYS, permission=Permission.MANAGE)
def list_data_keys(organization_id: str) -> DataKeys:
    """List the data keys that an organization's secrets are sealed under."""
    return deployment.vault.keys.keys(organization_id)


@api.post(KEYS, permission=Permission.MANAGE, status=201, failures=(409,))
def rotate_data_key(organization_id: str, stamp: Stamp) -> DataKey:
    """Rotate the data key: new secrets use the new key, and old ones still open."""
    return deployment.vault.keys.rotate(organization_id, stamp)


@api.post(f"{KEYS}/reseal", permission=Permission.MANAGE)
def reseal_secrets(organization_id: str, query: ListQuery) -> Resealed:
    """Reseal one page of an organization's secrets under the current data key."""
    return deployment.vault.reseal(organization_id, query, utc_now())


@api.delete(f"{KEYS}/<number>", permission=Permission.MANAGE, status=204, failures=(409,))
def delete_data_key(organization_id: str, number: str) -> None:
    """Delete an old data key that no secret uses."""
    deployment.vault.delete_key(organization_id, number)


@api.delete(KEYS, permission=Permission.ADMIN)
def delete_data_keys(organization_id: str, query: DeletionQuery) -> DeletedDataKeys:
    """Delete data keys; secrets that are sealed under them can never be opened again."""
    return deployment.vault.delete_keys(organization_id, query, utc_now())


def _created(
    organization_id: str,
    role: Role,
    query: CreateQuery,
    body: NewEndpoint,
    stamp: Stamp,
    domain_name: str,
) -> "Reply[Endpoint] | Reply[TestedEndpoint]":
    new = (organization_id, role, body, stamp)
    if query.test:
        tested = deployment.tested_edits(domain_name).create(*new)
        return Reply(tested, tested.revision)
    endpoint = deployment.endpoint_creator.create(*new)
    return Reply(endpoint, endpoint.revision)


def _read(organization_id: str, role: Role, endpoint_id: str) -> Reply[Endpoint]:
    endpoint = deployment.endpoints.get(organization_id, role, endpoint_id)
    return Reply(endpoint, endpoint.revision)


def _release(organization_id: str, role: Role, endpoint_id: str) -> "Reply[Release]":
    endpoint = deployment.endpoints.get(organization_id, role, endpoint_id)
    release = deployment.registry.release(endpoint.integration_id, endpoint.version)
    return Reply(release.shown_to(organization_id), FIRST_REVISION)


def _changed(
    organization_id: str,
    role: Role,
    endpoint_id: str,
    query: EditQuery,
    body: EndpointPatch,
    if_match: str | None,
    domain_name: str,
) -> "Reply[Endpoint] | Reply[TestedEndpoint] | Reply[EditReport]":
    edited, now = (organization_id, role, endpoint_id, body), utc_now()
    if query.dry_run:
        return Reply(deployment.endpoint_editor.preview(*edited, now))
    if query.test:
        tested = deployment.tested_edits(domain_name).change(*edited, if_match, now)
        return Reply(tested, tested.revision)
    changed = deployment.endpoint_editor.change(*edited, if_match, now)
    return Reply(changed, changed.revision)


def _delete(
    organization_id: str, role: Role, endpoint_id: str, if_match: str | None, domain_name: str
) -> None:
    desk = deployment.grant_desk(domain_name)
    desk.delete_endpoint(organization_id, role, endpoint_id, if_match, utc_now())


def _grant(
    organization_id: str, role: Role, endpoint_id: str, domain_name: str
) -> "Reply[GrantView]":
    desk = deployment.grant_desk(domain_name)
    return Reply(*desk.view(organization_id, role, endpoint_id, utc_now()))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
