"""A stranger reads everything that is public, and learns nothing about who made it, or where."""

import json
from typing import Any

import pytest

from patchbay.tenancy.access import Permission
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.documented import ROUTES, Names
from tests.integration.story import create_connection, create_source, publish_integration

EIGHTEEN = {
    "id",
    "workspaceId",
    "slug",
    "name",
    "description",
    "iconUrl",
    "publisher",
    "trustTier",
    "currentVersion",
    "manifest",
    "variablesSchema",
    "authConfig",
    "visibility",
    "createdBy",
    "deletedAt",
    "retentionTier",
    "createdAt",
    "updatedAt",
}
BLANK = {"workspaceId": "", "createdBy": "", "publishedBy": ""}
PUBLISHER = "initech"


def key_id_of(tenant: Tenant) -> str:
    [key] = tenant.client.get(f"/v1/organizations/{tenant.organization_id}/api-keys").json["items"]
    key_id: str = key["id"]
    return key_id


def own_names(tenant: Tenant) -> list[str]:
    """What only an organization knows of itself."""
    return [tenant.organization_id, tenant.space_id, f'"{tenant.space_slug}"', key_id_of(tenant)]


@pytest.fixture(params=["public", "unlisted"])
def integration(request: pytest.FixtureRequest, tenant: Tenant) -> dict[str, Any]:
    """An integration of one organization that all others may use, and one that it depends on."""
    shared = {"publisher": PUBLISHER, "visibility": request.param}
    publish_integration(tenant, slug="base", **shared)
    manifest = {
        "roles": ["source", "destination"],
        "members": [{"name": "folder", "kind": "folder"}],
        "dependencies": [{"integration": f"{PUBLISHER}/base", "version": "^1.0.0"}],
    }
    return publish_integration(tenant, manifest=manifest, **shared)


def test_no_answer_tells_a_stranger_who_made_what_it_uses(
    tenant: Tenant, stranger: Tenant, integration: dict[str, Any]
) -> None:
    # Given a stranger with a source, a destination, and a connection of it
    used = f"{PUBLISHER}/crm"
    source = create_source(stranger, integration=used)
    body = {"name": "x", "integration": used, "variables": {"path": "me"}}
    destination = stranger.client.post(
        f"{stranger.connectors}/destinations", body | {"secrets": {"api_key": "key"}}
    ).json
    connection = create_connection(stranger, source, destination_id=destination["id"])
    stranger.client.patch(f"{stranger.connectors}/sources/{source['id']}", {"name": "y"})
    # When it reads each route that there is, and is refused what it may not do
    names = Names.of(
        {
            "organization_id": stranger.organization_id,
            "slug": stranger.space_slug,
            "publisher": PUBLISHER,
            "integration_slug": "crm",
            "integration_id": integration["id"],
            "version": "1.0.0",
            "source_id": source["id"],
            "destination_id": destination["id"],
            "connection_id": connection["id"],
        }
    )
    answers: dict[str, Answer] = {}
    for route in ROUTES:
        if set(route.parameters) <= set(names.names) and not route.required:
            if route.method == "GET":
                answers[route.name] = stranger.client.call("GET", names.path(route), None)
            elif "integration_id" in route.parameters:
                text = json.dumps(names.body(route))
                answers[route.name] = stranger.client.call(route.method, names.path(route), text)
    for edit in (
        {"visibility": "public", "manifest": {"dependencies": [{"integration": used}]}},
        {"publisher": PUBLISHER},
    ):
        draft = {"workspaceId": stranger.space_id, "publisher": "globex", "slug": "own"}
        made = stranger.client.post("/v1/integrations", {**draft, "name": "Own", **edit})
        answers[f"create {edit}"] = made
        path = f"/v1/integrations/{made.json.get('id', integration['id'])}/publish?dry_run=true"
        answers[f"publish {edit}"] = stranger.client.post(path, {"version": "1.0.0"})
    # Then it has read what is public, and nothing of the others
    assert answers["get_catalog_entry"].status == 200
    assert answers["get_source_release"].status == answers["get_destination_release"].status == 200
    for name, answer in answers.items():
        told = [one for one in own_names(tenant) if one in answer.text + str(answer.headers)]
        assert not told, (name, answer.text)


@pytest.mark.parametrize("integration", ["public"], indirect=True)
def test_a_stranger_sees_all_fields_of_the_contract_and_three_of_them_blank(
    tenant: Tenant, stranger: Tenant, operator: Tenant, integration: dict[str, Any]
) -> None:
    paths = {
        stranger: f"{stranger.connectors}/sources/"
        f"{create_source(stranger, integration=f'{PUBLISHER}/crm')['id']}/release",
        tenant: f"{tenant.connectors}/sources/"
        f"{create_source(tenant, integration=f'{PUBLISHER}/crm')['id']}/release",
    }
    entry = f"/v1/catalog/{PUBLISHER}/crm"
    for path in (entry, paths[stranger]):
        seen = stranger.client.get(path).json
        assert set(seen) >= EIGHTEEN
        assert {name: seen[name] for name in BLANK} == BLANK
    # Its owner sees them, as ever
    for path in (entry, paths[tenant]):
        seen = tenant.client.get(path).json
        assert seen["workspaceId"] == tenant.space_id
        assert seen["createdBy"] == seen["publishedBy"] == key_id_of(tenant)
    assert integration["createdBy"] == key_id_of(tenant)


def test_what_the_operator_does_for_a_tenant_does_not_name_the_operators_key(
    tenant: Tenant, operator: Tenant
) -> None:
    # Given an operator that builds, publishes, and manages for a tenant
    organization = f"/v1/organizations/{tenant.organization_id}"
    publish_integration(Tenant(*tenant_fields(tenant), client=operator.client))
    key = operator.client.post(
        f"{organization}/api-keys", {"name": "support", "permissions": [Permission.READ]}
    ).json
    assert operator.client.patch(f"/spaces/{tenant.space_slug}", {"name": "Renamed"}).status == 200
    # When the tenant reads what was made, and the audit trail
    mine = tenant.client.get("/v1/integrations").json["items"]
    versions = tenant.client.get(f"/v1/integrations/{mine[0]['id']}/versions").json["items"]
    events = tenant.client.get(f"{organization}/audit-events").json["items"]
    # Then it was the operator, and no more
    assert {mine[0]["createdBy"], versions[0]["publishedBy"], key["created_by"]} == {"operator"}
    assert {event["subject"] for event in events} == {"operator", "patchbay"}
    secret = key_id_of(operator)
    for text in (json.dumps(mine), json.dumps(versions), json.dumps(events)):
        assert secret not in text
        assert operator.organization_id not in text
    # And the filter does not tell, either
    by_key = f"{organization}/audit-events?subject={secret}"
    assert tenant.client.get(by_key).json["items"] == []
    assert (
        len(tenant.client.get(f"{organization}/audit-events?subject=operator").json["items"]) == 4
    )
    # The operator finds out which of its keys it was
    assert len(operator.client.get(by_key).json["items"]) == 4


def tenant_fields(tenant: Tenant) -> tuple[str, str, str]:
    return tenant.organization_id, tenant.space_id, tenant.space_slug
