"""Organizations, spaces and API keys."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.erasure.model import Erasure, ErasureQuery, ExportedThing
from patchbay.platform.audit import AuditEvent, AuditQuery
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.revisions import FIRST_REVISION
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.model import (
    ApiKey,
    IssuedApiKey,
    NewApiKey,
    NewOrganization,
    NewSpace,
    Organization,
    OrganizationPatch,
    OrganizationQuery,
    OrganizationQuota,
    Space,
    SpacePatch,
)
from patchbay.tenancy.status_links import with_link

deployment = Deployment(at_start=("tenants", "api_keys"))
api = HttpApi("Tenancy", lambda: deployment)


@api.post("/v1/organizations", permission=Permission.ADMIN, status=201)
def create_organization(body: NewOrganization, stamp: Stamp) -> Organization:
    """Create an organization."""
    return deployment.tenants.create_organization(body, stamp)


@api.get("/v1/organizations", permission=Permission.ADMIN)
def list_organizations(caller: Principal, query: OrganizationQuery) -> Listing[Organization]:
    """List the organizations of the deployment, or find one by its external id."""
    return deployment.tenants.organizations(caller, query, utc_now())


@api.get("/v1/organizations/<organization_id>", permission=Permission.READ)
def get_organization(organization_id: str) -> Reply[Organization]:
    """Read an organization."""
    organization = deployment.tenants.organization(organization_id)
    return Reply(organization, organization.revision)


@api.patch("/v1/organizations/<organization_id>", permission=Permission.ADMIN)
def change_organization(
    organization_id: str, body: OrganizationPatch, if_match: str | None
) -> Reply[Organization]:
    """Change an organization, or pause all its monitors (JSON merge patch)."""
    changed = deployment.tenants.change_organization(organization_id, body, if_match, utc_now())
    return Reply(changed, changed.revision)


@api.get("/v1/organizations/<organization_id>/export", permission=Permission.ADMIN)
def export_organization(
    caller: Principal, organization_id: str, query: ListQuery
) -> Listing[ExportedThing]:
    """List everything that an organization has, without secrets."""
    return deployment.organization_export.page(caller, organization_id, query, utc_now())


@api.delete(
    "/v1/organizations/<organization_id>",
    permission=Permission.ADMIN,
    status=202,
    failures=(409,),
    checks_owner=True,
)
def erase_organization(
    caller: Principal, organization_id: str, query: ErasureQuery, if_match: str | None
) -> Erasure:
    """Close an organization, and erase it with everything that it has."""
    return deployment.organization_closer.close(
        caller, organization_id, query.confirm, if_match, utc_now()
    )


@api.get(
    "/v1/organizations/<organization_id>/erasure",
    permission=Permission.ADMIN,
    checks_owner=True,
)
def get_erasure(organization_id: str) -> Erasure:
    """Read how far the erasure of an organization is, and what it leaves."""
    return deployment.erasures.erasure(organization_id)


@api.get("/v1/organizations/<organization_id>/quotas", permission=Permission.READ)
def list_quotas(organization_id: str) -> Listing[OrganizationQuota]:
    """List how many things of each kind an organization may have, and how many it has."""
    deployment.tenants.organization(organization_id)
    return Listing(items=deployment.quotas.of(organization_id), next_cursor=None)


@api.post("/v1/organizations/<organization_id>/spaces", permission=Permission.MANAGE, status=201)
def create_space(organization_id: str, body: NewSpace, stamp: Stamp) -> Reply[Space]:
    """Create a space."""
    space = deployment.tenants.create_space(organization_id, body, stamp)
    return Reply(space, space.revision)


@api.get("/v1/organizations/<organization_id>/spaces", permission=Permission.READ)
def list_spaces(
    caller: Principal, organization_id: str, query: ListQuery, domain_name: str
) -> Listing[Space]:
    """List the spaces of an organization."""
    listed = deployment.tenants.spaces(organization_id, query, utc_now())
    origin = deployment.public_url(domain_name)
    return Listing(
        items=[with_link(space, caller, origin) for space in listed.items],
        next_cursor=listed.next_cursor,
    )


@api.get("/spaces/<slug>", permission=Permission.READ, in_space=True)
def get_space(caller: Principal, space: Space, domain_name: str) -> Reply[Space]:
    """Read a space."""
    return Reply(with_link(space, caller, deployment.public_url(domain_name)), space.revision)


@api.patch("/spaces/<slug>", permission=Permission.MANAGE, in_space=True)
def change_space(
    caller: Principal, space: Space, body: SpacePatch, if_match: str | None, domain_name: str
) -> Reply[Space]:
    """Change a space (JSON merge patch), or make a status page of it."""
    changed = deployment.tenants.change_space(space.slug, body, if_match, utc_now())
    return Reply(with_link(changed, caller, deployment.public_url(domain_name)), changed.revision)


@api.delete("/spaces/<slug>", permission=Permission.MANAGE, status=204)
def delete_space(space: Space, if_match: str | None) -> None:
    """Delete an empty space, and revoke the keys that are for it alone."""
    deployment.api_keys.delete_space(space.slug, if_match)


@api.post("/v1/organizations/<organization_id>/api-keys", permission=Permission.MANAGE, status=201)
def issue_api_key(
    caller: Principal, organization_id: str, body: NewApiKey, stamp: Stamp
) -> IssuedApiKey:
    """Issue an API key that expires no later than yours; only this answer has its secret."""
    return deployment.api_keys.issue_for(caller, organization_id, body, stamp)


@api.get("/v1/organizations/<organization_id>/api-keys", permission=Permission.MANAGE)
def list_api_keys(organization_id: str, query: ListQuery) -> Listing[ApiKey]:
    """List the API keys of an organization, without their secrets."""
    return deployment.api_keys.page(organization_id, query, utc_now())


@api.get("/v1/organizations/<organization_id>/api-keys/<key_id>", permission=Permission.MANAGE)
def get_api_key(organization_id: str, key_id: str) -> Reply[ApiKey]:
    """Read an API key, without its secret."""
    return Reply(deployment.api_keys.get(organization_id, key_id), FIRST_REVISION)


@api.delete(
    "/v1/organizations/<organization_id>/api-keys/<key_id>",
    permission=Permission.MANAGE,
    status=204,
)
def revoke_api_key(
    caller: Principal, organization_id: str, key_id: str, if_match: str | None
) -> None:
    """Revoke an API key that has no permission that yours lacks."""
    deployment.api_keys.revoke_for(caller, organization_id, key_id, if_match)


@api.get(
    "/v1/organizations/<organization_id>/audit-events",
    permission=Permission.MANAGE,
    checks_owner=True,
)
def list_audit_events(
    caller: Principal, organization_id: str, query: AuditQuery
) -> Listing[AuditEvent]:
    """List the changes in an organization in the last 400 days, newest first."""
    deployment.authorize_trail(caller, organization_id)
    return deployment.audit_trail.events(
        organization_id, query, utc_now(), to_operator=caller.is_operator
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
