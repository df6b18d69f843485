"""The registry over the API: the Integration entity, its releases and the catalogue."""

from typing import Any

import registry
from tests.integration.api import Answer, sample_event
from tests.integration.conftest import Tenant

FIELDS = [
    *("id", "workspaceId", "slug", "name", "description", "iconUrl", "publisher", "trustTier"),
    *("currentVersion", "manifest", "variablesSchema", "authConfig", "visibility", "createdBy"),
    *("deletedAt", "retentionTier", "createdAt", "updatedAt"),
]

MANIFEST: dict[str, Any] = {
    "checks": {
        "steps": [
            {
                "name": "whoami",
                "kind": "http",
                "request": {"url": "https://{{variables.region}}.api.example.com/v1/me"},
            }
        ]
    }
}
REGION = {
    "type": "object",
    "properties": {"region": {"type": "string", "enum": ["eu", "us"]}},
    "required": ["region"],
}


def draft(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    return {
        "workspaceId": tenant.space_id,
        "publisher": "acme",
        "slug": "crm",
        "name": "CRM",
        "manifest": MANIFEST,
        "variablesSchema": REGION,
        "authConfig": {"type": "api_key"},
        **changes,
    }


def create(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    answer = tenant.client.post("/v1/integrations", draft(tenant, **changes))
    assert answer.status == 201, answer.text
    created: dict[str, Any] = answer.json
    return created


def publish(tenant: Tenant, integration: dict[str, Any], version: str) -> Answer:
    path = f"/v1/integrations/{integration['id']}/publish"
    return tenant.client.post(path, {"version": version})


def test_the_sample_event_lists_the_integrations_of_its_organization(deployed: object) -> None:
    answer = registry.handler(sample_event("registry"), None)
    assert answer["statusCode"] == 200
    assert answer["body"] == '{"items":[],"next_cursor":null}'


def test_an_integration_has_all_18_fields_of_the_contract(tenant: Tenant) -> None:
    created = create(tenant)
    assert list(created) == FIELDS
    assert created["currentVersion"] is None
    assert created["deletedAt"] is None
    assert created["retentionTier"] is None
    assert created["trustTier"] == "community"
    assert created["visibility"] == "private"
    assert created["createdBy"].startswith("key_")
    assert tenant.client.get(f"/v1/integrations/{created['id']}").json == created
    assert tenant.client.get("/v1/integrations").json["items"] == [created]


def test_what_the_server_sets_is_refused_from_a_client(tenant: Tenant) -> None:
    for name in ("id", "createdAt", "updatedAt", "currentVersion", "createdBy", "deletedAt"):
        answer = tenant.client.post("/v1/integrations", draft(tenant, **{name: None}))
        assert answer.status == 400
        assert answer.pointers == [f"/{name}"]
    assert tenant.client.get("/v1/integrations").json["items"] == []


def test_each_field_has_its_rule(tenant: Tenant) -> None:
    deep: dict[str, Any] = {}
    for _ in range(20):
        deep = {"a": deep}
    for name, value in {
        "slug": "-crm",
        "publisher": "Acme",
        "name": "",
        "description": "x" * 2001,
        "iconUrl": "http://example.com/icon.png",
        "manifest": {"x": "y" * 65_536},
        "variablesSchema": deep,
        "authConfig": [],
        "visibility": "secret",
        "retentionTier": "forever",
        "trustTier": "best",
        "workspaceId": "00000000-0000-0000-0000-000000000000",
    }.items():
        answer = tenant.client.post("/v1/integrations", draft(tenant, **{name: value}))
        assert answer.code == "VALIDATION_ERROR", name
        assert answer.pointers[0].startswith(f"/{name}")
    assert tenant.client.get("/v1/integrations").json["items"] == []


def test_publisher_and_slug_are_unique_and_a_publisher_has_one_owner(
    tenant: Tenant, stranger: Tenant
) -> None:
    create(tenant)
    again = tenant.client.post("/v1/integrations", draft(tenant))
    assert again.code == "SLUG_TAKEN"
    foreign = stranger.client.post("/v1/integrations", draft(stranger, slug="other"))
    assert foreign.code == "PUBLISHER_TAKEN"
    assert stranger.client.get("/v1/integrations").json["items"] == []
    # A refused create claims nothing: the slug of the same publisher is still free
    create(tenant, slug="other")


def test_a_trust_tier_above_community_is_the_operators_to_give(
    tenant: Tenant, operator: Tenant
) -> None:
    trusted = draft(tenant, trustTier="verified_partner")
    assert tenant.client.post("/v1/integrations", trusted).code == "PERMISSION_DENIED"
    created = create(tenant)
    path = f"/v1/integrations/{created['id']}"
    patch = {"trustTier": "verified_partner"}
    assert tenant.client.patch(path, patch).code == "PERMISSION_DENIED"
    assert operator.client.patch(path, patch).json["trustTier"] == "verified_partner"


def test_a_patch_merges_and_answers_412_to_an_old_etag(tenant: Tenant) -> None:
    created = create(tenant, description="old")
    path = f"/v1/integrations/{created['id']}"
    etag = tenant.client.get(path).headers["etag"]
    changed = tenant.client.patch(
        path, {"description": None, "manifest": {"roles": ["source"]}}, if_match=etag
    )
    assert changed.json["description"] is None
    assert changed.json["manifest"] == {**MANIFEST, "roles": ["source"]}
    assert tenant.client.patch(path, {"name": "x"}, if_match=etag).status == 412
    assert tenant.client.patch(path, {"name": "x"}, if_match="*").status == 200
    # A required field can't be removed, an address can't be changed
    assert tenant.client.patch(path, {"name": None}).pointers == ["/name"]
    assert tenant.client.patch(path, {"slug": "other"}).pointers == ["/slug"]


def test_publishing_snapshots_the_draft_for_ever(tenant: Tenant) -> None:
    # Given a published integration
    integration = create(tenant)
    released = publish(tenant, integration, "1.0.0")
    assert released.status == 201
    assert released.json["currentVersion"] == "1.0.0"
    # When its draft goes on
    path = f"/v1/integrations/{integration['id']}"
    tenant.client.patch(path, {"manifest": {"checks": None}, "name": "New"})
    # Then the release is what it was
    assert tenant.client.get(path).json["currentVersion"] == "1.0.0"
    assert tenant.client.get(f"{path}/versions/1.0.0").json["manifest"] == MANIFEST
    # And the same version can't be another content, nor a lower one come after it
    assert publish(tenant, integration, "1.0.0").code == "VERSION_EXISTS"
    assert publish(tenant, integration, "0.9.0").code == "VERSION_EXISTS"
    assert publish(tenant, integration, "2.0.0").status == 201
    versions = tenant.client.get(f"{path}/versions").json["items"]
    assert [release["version"] for release in versions] == ["2.0.0", "1.0.0"]


def test_publishing_the_same_again_is_the_same_release(tenant: Tenant) -> None:
    integration = create(tenant)
    first = publish(tenant, integration, "1.0.0")
    again = publish(tenant, integration, "1.0.0")
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json


def test_a_prerelease_does_not_become_the_current_version(tenant: Tenant) -> None:
    integration = create(tenant)
    assert publish(tenant, integration, "1.0.0-beta.2").json["currentVersion"] is None
    assert publish(tenant, integration, "1.0.0-beta.1").code == "VERSION_EXISTS"
    assert publish(tenant, integration, "1.0.0").json["currentVersion"] == "1.0.0"


def test_what_can_not_be_published_says_why_all_at_once(tenant: Tenant) -> None:
    integration = create(
        tenant,
        variablesSchema={"type": "objekt"},
        authConfig={"type": "magic"},
        manifest={"roles": ["spectator"], "checcks": {}},
    )
    answer = publish(tenant, integration, "1.0.0")
    assert answer.status == 422
    assert answer.code == "NOT_PUBLISHABLE"
    assert answer.pointers == [
        "/authConfig/type",
        "/manifest/checcks",
        "/manifest/roles",
        "/variablesSchema/type",
    ]
    undeclared = create(tenant, slug="two", variablesSchema={})
    answer = publish(tenant, undeclared, "1.0.0")
    assert answer.pointers == ["/manifest/checks/steps/0/request/url"]
    assert publish(tenant, undeclared, "1.0").pointers == ["/version"]
    path = f"/v1/integrations/{undeclared['id']}"
    assert tenant.client.get(path).json["currentVersion"] is None


def test_the_catalogue_shows_what_is_public_and_published(tenant: Tenant, stranger: Tenant) -> None:
    catalogue = "/v1/catalog"
    integration = create(tenant, visibility="public")
    assert stranger.client.get(catalogue).json["items"] == []
    publish(tenant, integration, "1.0.0")
    [entry] = stranger.client.get(catalogue).json["items"]
    assert (entry["publisher"], entry["slug"]) == ("acme", "crm")
    assert entry["currentVersion"] == "1.0.0"
    # The newest release takes the entry over
    publish(tenant, integration, "1.1.0")
    [entry] = stranger.client.get(catalogue).json["items"]
    assert entry["currentVersion"] == "1.1.0"
    # One entry has all 18 fields and the published documents
    one = stranger.client.get(f"{catalogue}/acme/crm").json
    assert set(FIELDS) <= set(one)
    assert one["manifest"] == MANIFEST
    # Unlisted: by its name only; private: for its owner only
    path = f"/v1/integrations/{integration['id']}"
    tenant.client.patch(path, {"visibility": "unlisted"})
    assert stranger.client.get(catalogue).json["items"] == []
    assert stranger.client.get(f"{catalogue}/acme/crm").status == 200
    tenant.client.patch(path, {"visibility": "private"})
    assert stranger.client.get(f"{catalogue}/acme/crm").code == "INTEGRATION_NOT_FOUND"
    assert tenant.client.get(f"{catalogue}/acme/crm").status == 200


def test_a_deleted_integration_leaves_lists_and_catalogue_and_can_not_change(
    tenant: Tenant,
) -> None:
    integration = create(tenant, visibility="public")
    publish(tenant, integration, "1.0.0")
    path = f"/v1/integrations/{integration['id']}"
    assert tenant.client.delete(path).status == 204
    assert tenant.client.get("/v1/integrations").json["items"] == []
    assert tenant.client.get("/v1/catalog").json["items"] == []
    assert tenant.client.get("/v1/catalog/acme/crm").status == 404
    assert tenant.client.get(path).json["deletedAt"] is not None
    assert tenant.client.patch(path, {"name": "x"}).code == "CONFLICT"
    assert publish(tenant, integration, "2.0.0").code == "CONFLICT"
    # Its releases stay, for the endpoints that are made of them
    assert tenant.client.get(f"{path}/versions/1.0.0").status == 200


def test_another_tenant_finds_nothing_of_an_integration(tenant: Tenant, stranger: Tenant) -> None:
    integration = create(tenant, visibility="public")
    publish(tenant, integration, "1.0.0")
    path = f"/v1/integrations/{integration['id']}"
    foreign = stranger.client
    # The very answer that an integration which does not exist gets
    missing = foreign.get("/v1/integrations/int_01K0Z3NDEKTSV4RRFFQ69G5FAV")
    assert foreign.get(path).code == missing.code == "INTEGRATION_NOT_FOUND"
    assert foreign.patch(path, {"name": "Mine"}).status == 404
    assert foreign.delete(path).status == 404
    assert foreign.post(f"{path}/publish", {"version": "6.6.6"}).status == 404
    assert foreign.get(f"{path}/versions").status == 404
    assert foreign.get(f"{path}/versions/1.0.0").status == 404
    wrong = foreign.post("/v1/integrations", draft(tenant, publisher="globex"))
    assert wrong.pointers == ["/workspaceId"]
    assert tenant.client.get(path).json["name"] == "CRM"
