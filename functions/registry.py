"""Integrations, their releases, and the catalog."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, Reply
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.registry.model import (
    CatalogEntry,
    CatalogQuery,
    Integration,
    IntegrationPatch,
    IntegrationQuery,
    NewIntegration,
    Publication,
    PublishQuery,
    PublishReport,
    Release,
    ReleasePatch,
    ReleaseSummary,
)
from patchbay.tenancy.access import Permission, Principal

deployment = Deployment(at_start=("registry", "authoring"))
api = HttpApi("Registry", lambda: deployment)


@api.post("/v1/integrations", permission=Permission.MANAGE, status=201)
def create_integration(caller: Principal, body: NewIntegration, stamp: Stamp) -> Reply[Integration]:
    """Create an integration as a draft."""
    integration = deployment.authoring.create(caller, body, stamp)
    return Reply(integration, integration.revision)


@api.get("/v1/integrations", permission=Permission.READ)
def list_integrations(caller: Principal, query: IntegrationQuery) -> Listing[Integration]:
    """List the integrations of your organization."""
    return deployment.registry.integrations(caller.organization_id, query, utc_now())


@api.get("/v1/integrations/<integration_id>", permission=Permission.READ)
def get_integration(caller: Principal, integration_id: str) -> Reply[Integration]:
    """Read an integration."""
    integration = deployment.authoring.integration(caller, integration_id, utc_now())
    return Reply(integration, integration.revision)


@api.patch("/v1/integrations/<integration_id>", permission=Permission.MANAGE)
def change_integration(
    caller: Principal, integration_id: str, body: IntegrationPatch, if_match: str | None
) -> Reply[Integration]:
    """Change an integration's draft (JSON merge patch)."""
    integration = deployment.authoring.change(caller, integration_id, body, if_match, utc_now())
    return Reply(integration, integration.revision)


@api.delete(
    "/v1/integrations/<integration_id>",
    permission=Permission.MANAGE,
    status=204,
)
def delete_integration(caller: Principal, integration_id: str, if_match: str | None) -> None:
    """Delete an integration until it is purged; endpoints keep its releases."""
    deployment.authoring.delete(caller, integration_id, if_match, utc_now())


@api.post(
    "/v1/integrations/<integration_id>/restore",
    permission=Permission.MANAGE,
    failures=(409,),
)
def restore_integration(caller: Principal, integration_id: str) -> Reply[Integration]:
    """Restore a deleted integration that has not been purged."""
    restored = deployment.authoring.restore(caller, integration_id, utc_now())
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
    """Publish the draft as an immutable release; `dry_run` reports what prevents it."""
    if query.dry_run:
        report = deployment.authoring.preview(caller, integration_id, body, stamp.now)
        return Reply(report, status=200)
    release, made = deployment.authoring.publish(caller, integration_id, body, stamp.now)
    return Reply(release, release.remarks_revision, status=201 if made else 200)


@api.get("/v1/integrations/<integration_id>/versions", permission=Permission.READ)
def list_releases(
    caller: Principal, integration_id: str, query: ListQuery
) -> Listing[ReleaseSummary]:
    """List the releases of an integration, highest version first."""
    return deployment.authoring.releases(caller, integration_id, query, utc_now())


@api.get("/v1/integrations/<integration_id>/versions/<version>", permission=Permission.READ)
def get_release(caller: Principal, integration_id: str, version: str) -> Reply[Release]:
    """Read a release."""
    release = deployment.authoring.release(caller, integration_id, version, utc_now())
    return Reply(release, release.remarks_revision)


@api.patch("/v1/integrations/<integration_id>/versions/<version>", permission=Permission.MANAGE)
def change_release(
    caller: Principal,
    integration_id: str,
    version: str,
    body: ReleasePatch,
    if_match: str | None,
) -> Reply[Release]:
    """Deprecate or yank a release, or change its changelog (JSON merge patch)."""
    release = deployment.authoring.remark(
        caller, integration_id, version, body, if_match, utc_now()
    )
    return Reply(release, release.remarks_revision)


@api.get("/v1/catalog", permission=Permission.READ)
def list_catalog(caller: Principal, query: CatalogQuery) -> Listing[CatalogEntry]:
    """Search and filter the public integrations, by publisher or name."""
    return deployment.registry.catalog(caller, query, utc_now())


@api.get("/v1/catalog/<publisher>/<slug>", permission=Permission.READ)
def get_catalog_entry(caller: Principal, publisher: str, slug: str) -> Reply[Release]:
    """Read the current release of an integration; strangers do not see who made it, or where."""
    entry = deployment.registry.installable(
        publisher, slug, None, caller.organization_id, utc_now()
    )
    return Reply(entry.shown_to(caller.organization_id), entry.revision)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
