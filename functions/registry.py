"""Integrations, their releases and the catalogue."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.errors import Conflict, InvalidInput, PermissionDenied, Problem
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.platform.revisions import FIRST_REVISION
from patchbay.registry.dependencies import Dependencies
from patchbay.registry.model import (
    CatalogueEntry,
    CatalogueQuery,
    Integration,
    IntegrationPatch,
    IntegrationQuery,
    NewIntegration,
    Publication,
    PublishQuery,
    PublishReport,
    Release,
    ReleaseSummary,
    TrustTier,
)
from patchbay.registry.publishing import problems_of
from patchbay.tenancy.access import Permission, Principal, authorize

deployment = Deployment(at_start=("registry", "tenants"))
api = HttpApi("Registry", lambda: deployment)


def _owned(caller: Principal, permission: Permission, integration_id: str) -> Integration:
    integration = deployment.registry.integration(integration_id, utc_now())
    authorize(caller, permission, integration.organization_id, "integration")
    return integration


def _require_trust(caller: Principal, tier: TrustTier | None) -> None:
    """A tier above community is the operator's to give."""
    if tier not in (None, TrustTier.COMMUNITY) and not caller.is_operator:
        raise PermissionDenied(Permission.ADMIN)


@api.post("/v1/integrations", permission=Permission.MANAGE, status=201)
def create_integration(caller: Principal, body: NewIntegration, stamp: Stamp) -> Reply[Integration]:
    """Create an integration as a draft."""
    _require_trust(caller, body.trust_tier)
    workspace = deployment.tenants.space_by_id(body.workspace_id)
    if workspace is None or (
        workspace.organization_id != caller.organization_id and not caller.is_operator
    ):
        raise InvalidInput.at("/workspaceId", "is no space of yours")
    integration = deployment.registry.create(body, workspace, caller.subject, stamp)
    return Reply(integration, integration.revision)


@api.get("/v1/integrations", permission=Permission.READ)
def list_integrations(caller: Principal, query: IntegrationQuery) -> Listing[Integration]:
    """List the integrations of your organization."""
    return deployment.registry.integrations(caller.organization_id, query, utc_now())


@api.get("/v1/integrations/<integration_id>", permission=Permission.READ)
def get_integration(caller: Principal, integration_id: str) -> Reply[Integration]:
    """Read an integration."""
    integration = _owned(caller, Permission.READ, integration_id)
    return Reply(integration, integration.revision)


@api.patch("/v1/integrations/<integration_id>", permission=Permission.MANAGE)
def change_integration(
    caller: Principal, integration_id: str, body: IntegrationPatch, if_match: str | None
) -> Reply[Integration]:
    """Change an integration's draft (JSON merge patch)."""
    owned = _owned(caller, Permission.MANAGE, integration_id)
    if body.trust_tier is not owned.trust_tier:
        _require_trust(caller, body.trust_tier)
    integration = deployment.registry.change(integration_id, body, if_match, utc_now())
    return Reply(integration, integration.revision)


@api.delete(
    "/v1/integrations/<integration_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_integration(caller: Principal, integration_id: str, if_match: str | None) -> None:
    """Delete an integration softly: its releases stay readable to the endpoints made of them."""
    integration = _owned(caller, Permission.MANAGE, integration_id)
    if workspace := deployment.tenants.space_by_id(integration.workspace_id):
        deployment.registry.delete(integration_id, workspace, if_match, utc_now())


@api.post(
    "/v1/integrations/<integration_id>/restore",
    permission=Permission.MANAGE,
    failures=(409,),
)
def restore_integration(caller: Principal, integration_id: str) -> Reply[Integration]:
    """Take the delete of an integration back, until it is purged."""
    integration = _owned(caller, Permission.MANAGE, integration_id)
    workspace = deployment.tenants.space_by_id(integration.workspace_id)
    if workspace is None:
        raise Conflict("The workspace of the integration is gone.")
    restored = deployment.registry.restore(integration_id, workspace, utc_now())
    return Reply(restored, restored.revision)


@api.post(
    "/v1/integrations/<integration_id>/publish",
    permission=Permission.MANAGE,
    status=201,
    failures=(422,),
    answers=lambda: {200: Release | PublishReport},
)
def publish_integration(
    caller: Principal, integration_id: str, query: PublishQuery, body: Publication, stamp: Stamp
) -> Reply[Release] | Reply[PublishReport]:
    """Publish the draft as an immutable release, or see with `dry_run` what speaks against it."""
    owner = _owned(caller, Permission.MANAGE, integration_id).organization_id
    dependencies = Dependencies(deployment.registry, owner, stamp.now)

    def problems(draft: Integration) -> list[Problem]:
        return problems_of(draft) + dependencies.problems_of(draft)

    if query.dry_run:
        found = deployment.registry.publish_problems(
            integration_id, body.version, problems, stamp.now
        )
        return Reply(PublishReport.of(body.version, found), status=200)
    release, made = deployment.registry.publish(
        integration_id, body.version, caller.subject, problems, stamp.now
    )
    return Reply(release, FIRST_REVISION, status=201 if made else 200)


@api.get("/v1/integrations/<integration_id>/versions", permission=Permission.READ)
def list_releases(
    caller: Principal, integration_id: str, query: ListQuery
) -> Listing[ReleaseSummary]:
    """List the releases of an integration, highest version first."""
    _owned(caller, Permission.READ, integration_id)
    return deployment.registry.releases(integration_id, caller.organization_id, query, utc_now())


@api.get("/v1/integrations/<integration_id>/versions/<version>", permission=Permission.READ)
def get_release(caller: Principal, integration_id: str, version: str) -> Reply[Release]:
    """Read a release."""
    _owned(caller, Permission.READ, integration_id)
    return Reply(deployment.registry.release(integration_id, version), FIRST_REVISION)


@api.get("/v1/catalog", permission=Permission.READ)
def list_catalogue(caller: Principal, query: CatalogueQuery) -> Listing[CatalogueEntry]:
    """Search the public integrations by publisher or name, and filter them."""
    return deployment.registry.catalogue(caller, query, utc_now())


@api.get("/v1/catalog/<publisher>/<slug>", permission=Permission.READ)
def get_catalogue_entry(caller: Principal, publisher: str, slug: str) -> Reply[Release]:
    """Read the current release of an integration by its publisher and slug."""
    entry = deployment.registry.installable(
        publisher, slug, None, caller.organization_id, utc_now()
    )
    return Reply(entry, entry.revision)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
