"""The registry over the API: the Integration entity, its releases and the catalog."""

import socket
from typing import Any
from urllib.parse import quote

import pytest

import registry
from patchbay.registry.store import RegistryStore
from tests.integration.api import Answer, sample_event
from tests.integration.conftest import Tenant
from tests.integration.story import create_source, publish_integration

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
    assert list(created) == [*FIELDS, "key"]
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


@pytest.mark.enable_socket
def test_the_schema_of_an_editor_is_no_field_and_no_schema_is_fetched(tenant: Tenant) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        named = {"$schema": f"http://127.0.0.1:{server.getsockname()[1]}/mine.json"}

        # At the top, it is a field like others that are not known
        answer = tenant.client.post("/v1/integrations", draft(tenant, **named))
        assert (answer.status, answer.pointers) == (400, ["/$schema"])

        # Within a document, it is a keyword of JSON Schema, and may only name the dialect
        for place, pointer in (
            ({"variablesSchema": REGION | named}, "/variablesSchema/$schema"),
            ({"manifest": MANIFEST | {"secretsSchema": named}}, "/manifest/secretsSchema/$schema"),
            ({"manifest": MANIFEST | named}, "/manifest/$schema"),
            ({"authConfig": {"type": "none"} | named}, "/authConfig/$schema"),
        ):
            created = create(tenant, **place, slug=f"crm-{len(pointer)}")
            refused = publish(tenant, created, "1.0.0")
            assert (refused.code, refused.pointers) == ("NOT_PUBLISHABLE", [pointer])
        dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        created = create(tenant, variablesSchema=REGION | dialect)
        assert publish(tenant, created, "1.0.0").status == 201

        with pytest.raises(BlockingIOError):
            server.accept()


def test_each_field_has_its_rule(tenant: Tenant) -> None:
    deep: dict[str, Any] = {}
    for _ in range(20):
        deep = {"a": deep}
    for name, value in {
        "slug": "-crm",
        "publisher": "!!",
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
        "/manifest/roles/0",
        "/variablesSchema/type",
    ]
    undeclared = create(tenant, slug="two", variablesSchema={})
    answer = publish(tenant, undeclared, "1.0.0")
    assert answer.pointers == ["/manifest/checks/steps/0/request/url"]
    assert publish(tenant, undeclared, "1.0").pointers == ["/version"]
    path = f"/v1/integrations/{undeclared['id']}"
    assert tenant.client.get(path).json["currentVersion"] is None


def test_the_catalog_shows_what_is_public_and_published(tenant: Tenant, stranger: Tenant) -> None:
    catalog = "/v1/catalog"
    integration = create(tenant, visibility="public")
    assert stranger.client.get(catalog).json["items"] == []
    publish(tenant, integration, "1.0.0")
    [entry] = stranger.client.get(catalog).json["items"]
    assert (entry["publisher"], entry["slug"]) == ("acme", "crm")
    assert entry["currentVersion"] == "1.0.0"
    # The newest release takes the entry over
    publish(tenant, integration, "1.1.0")
    [entry] = stranger.client.get(catalog).json["items"]
    assert entry["currentVersion"] == "1.1.0"
    # One entry has all 18 fields and the published documents
    one = stranger.client.get(f"{catalog}/acme/crm").json
    assert set(FIELDS) <= set(one)
    assert one["manifest"] == MANIFEST
    # Unlisted: by its name only; private: for its owner only
    path = f"/v1/integrations/{integration['id']}"
    tenant.client.patch(path, {"visibility": "unlisted"})
    assert stranger.client.get(catalog).json["items"] == []
    assert stranger.client.get(f"{catalog}/acme/crm").status == 200
    tenant.client.patch(path, {"visibility": "private"})
    assert stranger.client.get(f"{catalog}/acme/crm").code == "INTEGRATION_NOT_FOUND"
    assert tenant.client.get(f"{catalog}/acme/crm").status == 200


def test_a_deleted_integration_leaves_lists_and_catalog_and_can_not_change(
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


def test_a_list_of_integrations_is_filtered_and_finds_deleted_ones(tenant: Tenant) -> None:
    crm = create(tenant, name="Customer Relations", visibility="public")
    mail = create(tenant, slug="mail", publisher="Acme Labs", description="Sends LETTERS.")

    def found(query: str) -> list[str]:
        listed = tenant.client.get(f"/v1/integrations?{query}").json["items"]
        return [integration["id"] for integration in listed]

    for query, expected in {
        "slug=crm": [crm],
        "publisher=acme": [crm],
        "publisher=Acme%20Labs": [mail],
        "publisher=acme-labs": [mail],
        "visibility=public": [crm],
        "visibility=private&q=letters": [mail],
        "q=relations": [crm],
        "q=MAI": [mail],
        "q=nothing": [],
        f"workspaceId={tenant.space_id}&slug=mail": [mail],
        "deleted=true": [],
    }.items():
        assert found(query) == [integration["id"] for integration in expected], query
    # When one is deleted, it is in a list of its own until it is restored
    path = f"/v1/integrations/{mail['id']}"
    tenant.client.delete(path)
    assert found("") == [crm["id"]]
    assert found("deleted=true") == found("deleted=true&q=letters") == [mail["id"]]
    assert found("deleted=true&slug=crm") == []
    tenant.client.post(f"{path}/restore", {})
    assert (found("deleted=true"), len(found("deleted=false"))) == ([], 2)
    # And what can't be restored any more is in none
    tenant.client.patch(path, {"retentionTier": "none"})
    tenant.client.delete(path)
    assert found("deleted=true") == []
    # And the catalog has `q` and `slug`, too
    publish(tenant, crm, "1.0.0")
    for query, count in {"q=RELATIONS": 1, "q=x": 0, "slug=crm": 1, "slug=mail&q=a": 0}.items():
        assert len(tenant.client.get(f"/v1/catalog?{query}").json["items"]) == count, query


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


def test_a_dry_run_of_a_publish_tells_everything_and_stores_nothing(tenant: Tenant) -> None:
    # Given a draft with several things wrong
    broken = create(tenant, slug="broken", authConfig={"type": "oauth2"}, variablesSchema={})
    path = f"/v1/integrations/{broken['id']}/publish?dry_run=true"
    # When its publish is tried
    answer = tenant.client.post(path, {"version": "one"})
    # Then everything is told at once, the version too
    assert answer.status == 200
    assert answer.json["publishable"] is False
    assert [error["pointer"] for error in answer.json["errors"]] == [
        "/authConfig/authorizationUrl",
        "/authConfig/tokenUrl",
        "/manifest/checks/steps/0/request/url",
        "/version",
    ]
    # And of a good draft it says so, and publishes nothing
    good = create(tenant)
    path = f"/v1/integrations/{good['id']}"
    report = tenant.client.post(f"{path}/publish?dry_run=true", {"version": "1.0.0"}).json
    assert report == {"version": "1.0.0", "publishable": True, "errors": []}
    assert tenant.client.get(path).json["currentVersion"] is None
    assert tenant.client.get(f"{path}/versions").json["items"] == []
    publish(tenant, good, "1.0.0")
    tenant.client.patch(path, {"description": "x", "manifest": {"roles": ["source"]}})
    again = tenant.client.post(f"{path}/publish?dry_run=true", {"version": "0.9.0"}).json
    assert [error["pointer"] for error in again["errors"]] == ["/version"]


def test_a_manifest_is_held_to_its_rules(tenant: Tenant) -> None:
    for number, (manifest, pointer) in enumerate(
        [
            ({"capabilities": ["telepathy"]}, "/manifest/capabilities/0"),
            ({"members": [{"name": "m"}]}, "/manifest/members/0/kind"),
            (
                {"members": [{"name": "m", "kind": "map"}, {"name": "m", "kind": "map"}]},
                "/manifest/members/1",
            ),
            ({"members": [{"name": "m", "kind": "map", "fork": True}]}, "/manifest/members/0/fork"),
            ({"dependencies": [{"integration": "acme"}]}, "/manifest/dependencies/0/integration"),
            (
                {"dependencies": [{"integration": "acme/x", "version": "latest"}]},
                "/manifest/dependencies/0/version",
            ),
            (
                {"dependencies": [{"integration": "acme/missing"}]},
                "/manifest/dependencies/0/integration",
            ),
            ({"defaults": {"color": "red"}}, "/manifest/defaults/color"),
            ({"defaults": {"region": "mars"}}, "/manifest/defaults/region"),
            ({"secretsSchema": {"type": 7}}, "/manifest/secretsSchema/type"),
        ]
    ):
        integration = create(tenant, slug=f"m{number}", manifest=manifest)
        answer = publish(tenant, integration, "1.0.0")
        assert answer.code == "NOT_PUBLISHABLE", manifest
        assert answer.pointers == [pointer]


def test_dependencies_must_be_there_in_range_and_must_not_lead_back(
    tenant: Tenant, stranger: Tenant
) -> None:
    def depending(on: str, version: str = "*") -> dict[str, Any]:
        return {"dependencies": [{"integration": on, "version": version}]}

    # Given a ← b, both published
    a = create(tenant, slug="a", manifest={})
    publish(tenant, a, "1.0.0")
    b = create(tenant, slug="b", manifest=depending("acme/a", "^1.0.0"))
    assert publish(tenant, b, "1.0.0").status == 201
    # Then a range that nothing meets is refused
    far = create(tenant, slug="c", manifest=depending("acme/a", "^2.0.0"))
    assert publish(tenant, far, "1.0.0").pointers == ["/manifest/dependencies/0/version"]
    # And a can't depend on b, nor on itself
    for other in ("acme/b", "acme/a"):
        path = f"/v1/integrations/{a['id']}"
        tenant.client.patch(path, {"manifest": depending(other)})
        refused = publish(tenant, a, "1.1.0")
        assert refused.pointers == ["/manifest/dependencies/0/integration"]
    # And nobody depends on what is private to another organization
    spy = create(stranger, publisher="globex", manifest=depending("acme/a"))
    assert publish(stranger, spy, "1.0.0").pointers == ["/manifest/dependencies/0/integration"]


def test_a_deleted_integration_can_be_restored_with_its_releases(tenant: Tenant) -> None:
    integration = create(tenant, visibility="public")
    publish(tenant, integration, "1.0.0")
    path = f"/v1/integrations/{integration['id']}"
    tenant.client.delete(path)
    # Its slug stays taken while it can be restored
    assert tenant.client.post("/v1/integrations", draft(tenant)).code == "SLUG_TAKEN"
    restored = tenant.client.post(f"{path}/restore", {})
    assert restored.status == 200
    assert restored.json["deletedAt"] is None
    assert [i["id"] for i in tenant.client.get("/v1/integrations").json["items"]] == [
        integration["id"]
    ]
    assert len(tenant.client.get("/v1/catalog").json["items"]) == 1
    assert publish(tenant, integration, "1.0.0").status == 200
    # Restoring what is not deleted changes nothing
    etag = tenant.client.get(path).headers["etag"]
    tenant.client.post(f"{path}/restore", {})
    assert tenant.client.get(path).headers["etag"] == etag


def test_without_retention_a_deleted_integration_is_gone_at_once(tenant: Tenant) -> None:
    integration = create(tenant, retentionTier="none")
    publish(tenant, integration, "1.0.0")
    path = f"/v1/integrations/{integration['id']}"
    assert tenant.client.delete(path).status == 204
    assert tenant.client.get(path).code == "INTEGRATION_NOT_FOUND"
    assert tenant.client.post(f"{path}/restore", {}).status == 404
    assert create(tenant)["id"] != integration["id"]


def test_the_catalog_is_searched_by_publisher_or_name_and_filtered(
    tenant: Tenant, stranger: Tenant, operator: Tenant
) -> None:
    # Given four public integrations of two publishers
    for slug, name, manifest, auth in (
        ("mail", "Mail Pro", {"roles": ["source"], "capabilities": ["webhook"]}, "none"),
        ("maps", "Maps", {"roles": ["destination"]}, "none"),
        ("crm", "CRM", {"capabilities": ["metadata_sync", "webhook"]}, "api_key"),
    ):
        changes = {"slug": slug, "name": name, "manifest": manifest, "visibility": "public"}
        publish(tenant, create(tenant, **changes, authConfig={"type": auth}), "1.0.0")
    other = create(stranger, publisher="globex", slug="mail", name="mail", visibility="public")
    publish(stranger, other, "1.0.0")
    operator.client.patch(f"/v1/integrations/{other['id']}", {"trustTier": "vendor_official"})

    def found(query: str) -> list[str]:
        items = tenant.client.get(f"/v1/catalog?{query}").json["items"]
        return [f"{item['publisher']}/{item['slug']}" for item in items]

    # Then each search finds its own, in order
    assert found("") == ["acme/crm", "acme/mail", "acme/maps", "globex/mail"]
    assert found("publisher=ac") == ["acme/crm", "acme/mail", "acme/maps"]
    assert found("name=Ma") == ["globex/mail", "acme/mail", "acme/maps"]
    assert found("name=mail&publisher=acme") == ["acme/mail"]
    assert found("capability=webhook") == ["acme/crm", "acme/mail"]
    assert found("role=destination") == ["acme/crm", "acme/maps", "globex/mail"]
    assert found("authType=api_key") == ["acme/crm", "globex/mail"]
    assert found("trustTier=vendor_official") == ["globex/mail"]
    assert found("role=source&authType=none&capability=webhook") == ["acme/mail"]
    assert tenant.client.get("/v1/catalog?role=spectator").pointers == ["/query/role"]
    # And pages of a filtered list lose nothing
    seen, cursor = [], ""
    for _ in range(5):
        page = tenant.client.get(f"/v1/catalog?name=ma&limit=1{cursor}").json
        seen += [item["slug"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
        if page["next_cursor"] is None:
            break
    assert seen == ["mail", "mail", "maps"]


def test_a_release_of_a_deleted_integration_serves_its_endpoints_and_no_new_ones(
    tenant: Tenant,
) -> None:
    # Given a source of a release
    integration = create(tenant, retentionTier="none", authConfig={"type": "none"})
    publish(tenant, integration, "1.0.0")
    body = {"name": "s", "integration": "acme/crm", "variables": {"region": "eu"}}
    source = tenant.client.post(f"{tenant.connectors}/sources", body).json
    # When the integration is deleted, and gone
    assert tenant.client.delete(f"/v1/integrations/{integration['id']}").status == 204
    # Then the source still has its release, and there are no new ones
    tested = tenant.client.post(
        f"{tenant.connectors}/connections/test", {"source_id": source["id"]}
    )
    assert tested.status == 200
    assert tested.json["steps"][0]["name"] == "config"
    refused = tenant.client.post(f"{tenant.connectors}/sources", body)
    assert refused.pointers == ["/integration"]
    # And the release goes with its last endpoint
    tenant.client.delete(f"{tenant.connectors}/sources/{source['id']}")
    table = registry.deployment.integrations
    [release] = table.query(f"INT#{integration['id']}", prefix="REL#").items
    assert "expires_at" in release


def test_defaults_members_and_dependencies_are_honoured_when_an_endpoint_is_made(
    tenant: Tenant,
) -> None:
    # Given a release with all three
    publish(tenant, create(tenant, slug="base", manifest={}, authConfig={"type": "none"}), "1.2.0")
    schema = {
        "properties": {
            "region": {"type": "string", "default": "us"},
            "size": {"type": "integer", "default": 10},
            "team": {"type": "string"},
        }
    }
    manifest = {
        "defaults": {"region": "eu", "team": "core"},
        "members": [
            {"name": "map", "kind": "mapping", "content": {"a": 1}, "forkOnInstall": True},
            {"name": "board", "kind": "dashboard", "content": {"b": 2}},
        ],
        "dependencies": [{"integration": "acme/base", "version": "^1.0.0"}],
    }
    integration = create(
        tenant, variablesSchema=schema, manifest=manifest, authConfig={"type": "none"}
    )
    publish(tenant, integration, "1.0.0")
    # When a source is made of it
    body = {"name": "s", "integration": "acme/crm", "variables": {"team": "sales"}}
    source = tenant.client.post(f"{tenant.connectors}/sources", body).json
    # Then what is given counts most, then the manifest's defaults, then the schema's
    assert source["variables"] == {"region": "eu", "size": 10, "team": "sales"}
    # And forked members are copies, others are references
    assert source["members"] == [
        {"name": "map", "kind": "mapping", "forked": True, "detached": False, "content": {"a": 1}},
        {
            "name": "board",
            "kind": "dashboard",
            "forked": False,
            "detached": False,
            "content": None,
        },
    ]
    [dependency] = source["dependencies"]
    assert (dependency["integration"], dependency["version"]) == ("acme/base", "1.2.0")
    read = tenant.client.get(f"{tenant.connectors}/sources/{source['id']}").json
    assert read == source


def test_an_auth_type_that_is_none_of_ours_never_reaches_the_catalog(
    tenant: Tenant, stranger: Tenant
) -> None:
    for number, kind in enumerate((None, 7, ["api_key"], "magic")):
        broken = create(tenant, slug=f"b{number}", visibility="public", authConfig={"type": kind})
        assert publish(tenant, broken, "1.0.0").pointers == ["/authConfig/type"]
    assert stranger.client.get("/v1/catalog").json["items"] == []


def test_documents_up_to_their_limits_are_stored_in_any_script(tenant: Tenant) -> None:
    text = "é" * 32_000
    documents = {
        "manifest": {"checks": {}, "x": text},
        "variablesSchema": {"x": text},
        "authConfig": {"type": "none", "x": text},
    }
    created = create(tenant, **documents)
    read = tenant.client.get(f"/v1/integrations/{created['id']}").json
    assert {name: read[name] for name in documents} == documents


def test_a_version_longer_than_any_is_not_found(tenant: Tenant) -> None:
    path = f"/v1/integrations/{create(tenant)['id']}/versions"
    assert tenant.client.get(f"{path}/{'1' * 3000}.0.0").code == "RELEASE_NOT_FOUND"
    assert tenant.client.get(f"{path}/1.0.0-{'a' * 1100}").status == 404


def test_no_endpoint_is_made_of_what_was_deleted_meanwhile(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a release that is in use, so that it stays
    integration = create(tenant, authConfig={"type": "none"})
    publish(tenant, integration, "1.0.0")
    sources = f"{tenant.connectors}/sources"
    body = {"name": "s", "integration": "acme/crm", "variables": {"region": "eu"}}
    assert tenant.client.post(sources, body).status == 201
    # When the integration is deleted between another source's look at it and its write
    found = RegistryStore.installable

    def overtaken(*arguments: Any) -> Any:
        release = found(*arguments)
        monkeypatch.setattr(RegistryStore, "installable", found)
        assert tenant.client.delete(f"/v1/integrations/{integration['id']}").status == 204
        return release

    monkeypatch.setattr(RegistryStore, "installable", overtaken)
    # Then that source is not made
    assert tenant.client.post(sources, body).pointers == ["/integration"]
    assert len(tenant.client.get(sources).json["items"]) == 1


def test_defaults_may_refer_to_any_part_of_their_schema(tenant: Tenant) -> None:
    schema: dict[str, Any] = {
        "definitions": {"r": {"type": "string"}},
        "properties": {
            "region": {"type": "string"},
            "b": {"$ref": "#/properties/region", "default": "x"},
            "c": {"$ref": "#/definitions/r", "default": "y"},
        },
    }
    assert publish(tenant, create(tenant, variablesSchema=schema), "1.0.0").status == 201
    schema["properties"]["c"]["default"] = 7
    bad = create(tenant, slug="bad", variablesSchema=schema)
    assert publish(tenant, bad, "1.0.0").pointers == ["/variablesSchema/properties/c/default"]


def test_what_nobody_could_make_an_endpoint_of_is_not_published(tenant: Tenant) -> None:
    publish(tenant, create(tenant, slug="private", manifest={}), "1.0.0")
    oauth = {"type": "oauth2", "grantType": "client_credentials"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"variablesSchema": {"type": "array"}, "manifest": {}}, "/variablesSchema/type"),
        (
            {"manifest": {"configurationSchema": {"type": "array"}}},
            "/manifest/configurationSchema/type",
        ),
        (
            {"manifest": {"secretsSchema": {"properties": {"pin": {"type": "integer"}}}}},
            "/manifest/secretsSchema/properties/pin/type",
        ),
        ({"manifest": {"roles": ["source", "source"]}}, "/manifest/roles"),
        (
            {"manifest": {"members": [{"name": "m", "kind": "k", "forkOnInstall": "yes"}]}},
            "/manifest/members/0/forkOnInstall",
        ),
        (
            {
                "visibility": "public",
                "manifest": {"dependencies": [{"integration": "acme/private"}]},
            },
            "/manifest/dependencies/0/integration",
        ),
        ({"authConfig": {**oauth, "tokenUrl": "https://?"}}, "/authConfig/tokenUrl"),
        ({"authConfig": {**oauth, "tokenUrl": "https://u:p@a.b/"}}, "/authConfig/tokenUrl"),
    ]
    for number, (changes, pointer) in enumerate(cases):
        draft_of = create(tenant, slug=f"n{number}", **changes)
        assert publish(tenant, draft_of, "1.0.0").pointers == [pointer]


def test_a_release_is_the_same_only_with_the_same_content(tenant: Tenant) -> None:
    integration = create(tenant, variablesSchema={**REGION, "const": True})
    path = f"/v1/integrations/{integration['id']}"
    publish(tenant, integration, "1.0.0")
    for patch in ({"variablesSchema": {"const": 1}}, {"name": "Other"}):
        tenant.client.patch(path, patch)
        assert publish(tenant, integration, "1.0.0").code == "VERSION_EXISTS"
    built = publish(tenant, integration, "1.0.0+build")
    assert built.code == "VERSION_EXISTS"
    assert built.json["error"]["details"] == {"highest": "1.0.0"}


def test_a_dry_run_agrees_with_the_publish_of_what_is_there(tenant: Tenant) -> None:
    base = create(tenant, slug="base", manifest={})
    publish(tenant, base, "1.0.0")
    manifest = {"dependencies": [{"integration": "acme/base"}]}
    integration = create(tenant, manifest=manifest)
    publish(tenant, integration, "1.0.0")
    tenant.client.delete(f"/v1/integrations/{base['id']}")
    path = f"/v1/integrations/{integration['id']}/publish"
    assert publish(tenant, integration, "1.0.0").status == 200
    again = tenant.client.post(f"{path}?dry_run=true", {"version": "1.0.0"}).json
    assert again["publishable"] is True


def test_an_endpoints_release_is_read_by_its_owner_whatever_became_of_it(
    tenant: Tenant, stranger: Tenant
) -> None:
    member = {"name": "board", "kind": "dashboard", "content": {"b": 2}}
    integration = create(
        tenant,
        visibility="public",
        retentionTier="none",
        manifest={"members": [member]},
        authConfig={"type": "none"},
    )
    publish(tenant, integration, "1.0.0")
    body = {"name": "s", "integration": "acme/crm", "variables": {"region": "eu"}}
    source = stranger.client.post(f"{stranger.connectors}/sources", body).json
    tenant.client.delete(f"/v1/integrations/{integration['id']}")
    path = f"{stranger.connectors}/sources/{source['id']}/release"
    release = stranger.client.get(path)
    assert release.json["version"] == "1.0.0"
    assert release.json["manifest"]["members"] == [member]
    assert tenant.client.get(path).status == 404


def test_an_unchanged_trust_tier_may_be_sent_back(tenant: Tenant, operator: Tenant) -> None:
    path = f"/v1/integrations/{create(tenant)['id']}"
    operator.client.patch(path, {"trustTier": "verified_partner"})
    echoed = tenant.client.patch(path, {"trustTier": "verified_partner", "name": "New"})
    assert echoed.status == 200
    assert tenant.client.patch(path, {"trustTier": "first_party"}).status == 403


@pytest.mark.parametrize(
    ("publisher", "key"), [("Acme, Inc.", "acme-inc"), ("my_co", "my-co"), ("Aeontel", "aeontel")]
)
def test_a_publisher_is_free_text_with_a_key(
    tenant: Tenant, stranger: Tenant, publisher: str, key: str
) -> None:
    # Given an integration under the name as it is written
    made = publish_integration(tenant, publisher=publisher, visibility="public")
    assert (made["publisher"], made["key"]) == (publisher, f"{key}/crm")
    # Then its address, and the bodies that name it, have the key
    entry = stranger.client.get(f"/v1/catalog/{key}/crm").json
    assert (entry["publisher"], entry["key"]) == (publisher, f"{key}/crm")
    [found] = stranger.client.get(f"/v1/catalog?publisher={quote(publisher)}").json["items"]
    assert (found["publisher"], found["key"]) == (publisher, f"{key}/crm")
    source = create_source(tenant, integration=f"{key}/crm")
    assert source["integration"] == f"{key}/crm"
    # And other spellings are the same publisher
    for spelling in (key, publisher.upper(), f" {publisher} "):
        body = {"publisher": spelling, "slug": "crm", "name": "x"}
        taken = stranger.client.post("/v1/integrations", {**body, "workspaceId": stranger.space_id})
        assert taken.code == "PUBLISHER_TAKEN", spelling
        again = tenant.client.post("/v1/integrations", {**body, "workspaceId": tenant.space_id})
        assert again.code == "SLUG_TAKEN"


def test_a_reserved_publisher_is_reserved_in_every_spelling(tenant: Tenant) -> None:
    for publisher in ("Stripe, Inc.", "Stripe™", "STRIPE", "Git_Hub"):
        body = {"publisher": publisher, "slug": "x", "name": "x", "workspaceId": tenant.space_id}
        assert tenant.client.post("/v1/integrations", body).code == "PUBLISHER_RESERVED", publisher


def test_a_variable_that_its_schema_calls_secret_is_not_published(tenant: Tenant) -> None:
    secret = {"type": "string", "writeOnly": True}
    password = {"type": "string", "format": "password"}
    made = create(
        tenant,
        variablesSchema={
            "properties": {
                "region": {"type": "string"},
                "dsn": secret,
                "inner": {"properties": {"token": password}},
                "either": {"oneOf": [{"type": "integer"}, secret]},
                "many": {"items": {"$ref": "#/$defs/login"}},
                "format": {"enum": [{"writeOnly": True, "format": "password"}]},
                "writeOnly": {"default": True, "type": "boolean"},
                "shown": {"type": "string", "writeOnly": False},
            },
            "$defs": {"login": password},
        },
        manifest=MANIFEST | {"configurationSchema": {"properties": {"hook_key": password}}},
    )
    refused = tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": "1.0.0"})
    assert refused.code == "NOT_PUBLISHABLE"
    assert refused.pointers == [
        "/manifest/configurationSchema/properties/hook_key",
        "/variablesSchema/$defs/login",
        "/variablesSchema/properties/dsn",
        "/variablesSchema/properties/either/oneOf/1",
        "/variablesSchema/properties/inner/properties/token",
    ]
    for problem in refused.json["error"]["details"]["errors"]:
        assert "declare it in manifest.secretsSchema" in problem["message"]


def edited_and_published(
    tenant: Tenant, integration: dict[str, Any], version: str, **more: Any
) -> Answer:
    """A publish of a draft that differs from all that was published before."""
    path = f"/v1/integrations/{integration['id']}"
    tenant.client.patch(path, {"description": version})
    return tenant.client.post(f"{path}/publish", {"version": version, **more})


def test_a_fix_follows_a_newer_major_version_and_a_beta(tenant: Tenant) -> None:
    integration = create(tenant, visibility="public")
    path = f"/v1/integrations/{integration['id']}"
    # Given 1.0.0 and a beta of 2.0.0, then 2.0.0 itself
    for version in ("1.0.0", "2.0.0-beta.1", "1.0.1", "2.0.0", "1.0.2", "1.1.0-beta.1", "1.0.3"):
        answer = edited_and_published(tenant, integration, version)
        # Then each fix of 1 is taken
        assert answer.status == 201, (version, answer.text)
    # And the current version is the highest that is no pre-release
    assert tenant.client.get(path).json["currentVersion"] == "2.0.0"
    assert tenant.client.get("/v1/catalog/acme/crm").json["version"] == "2.0.0"
    # But within a line nothing goes back, and no line begins below the others
    said = {}
    for version in ("1.0.2-rc.1", "1.0.0-rc.1", "2.0.0-rc.1", "2.0.0-beta.0", "0.9.0"):
        refused = edited_and_published(tenant, integration, version)
        assert refused.code == "VERSION_EXISTS", version
        said[version] = refused.json["error"]["message"]
    # And the message says which of both it was
    assert said["1.0.0-rc.1"] == (
        "Version 1.0.3 is already released; a new version must be higher than every earlier one "
        "of its line, which is 1.x."
    )
    assert said["0.9.0"] == (
        "Version 2.0.0 is already released; a new line, here 0.9.x, must begin above every "
        "earlier version."
    )


def test_a_range_has_npms_grammar_and_an_error_names_it(tenant: Tenant) -> None:
    integration = create(tenant, variablesSchema={}, manifest={}, authConfig={"type": "none"})
    for version in ("1.0.0", "1.4.0", "2.1.0"):
        edited_and_published(tenant, integration, version)

    def made(version: str) -> Answer:
        body = {"name": "s", "integration": "acme/crm", "version": version}
        return tenant.client.post(f"{tenant.connectors}/sources", body)

    for text, best in {
        "^1.0": "1.4.0",
        "1.x": "1.4.0",
        ">= 1.0.0": "2.1.0",
        "~1.0.0 || ^2.0.0": "2.1.0",
        "1.0 - 1.4": "1.4.0",
        "v1.0.0": "1.0.0",
        "1.0.0+any": "1.0.0",
    }.items():
        assert made(text).json["version"] == best, text
    assert made("latest").problems == [
        ("/version", "is not a range of versions such as ^1.2.0, 1.x, or ^1.0.0 || ^2.0.0")
    ]
    assert made("^3").problems == [("/version", "no release matches ^3 (the current one is 2.1.0)")]
    operation = {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 7,
        "label": "CRM",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": "patchbay://none",
        "config": {},
    }
    answer = tenant.client.post("/integrations/connection/create/v1.0.0", operation)
    assert answer.problems == [
        ("/integrationVersion", "no release matches 7.x (the current one is 2.1.0)")
    ]
    path = f"{tenant.connectors}/sources/{made('1.0.0').json['id']}"
    for version, why in (("^9", "no release matches ^9"), ("next", "is not a range of versions")):
        [(pointer, message)] = tenant.client.patch(path, {"version": version}).problems
        assert pointer == "/version"
        assert message.startswith(why)
    needing = {"dependencies": [{"integration": "acme/crm", "version": "^5 || ^6"}]}
    refused = publish(tenant, create(tenant, slug="more", manifest=needing), "1.0.0")
    assert refused.problems == [
        (
            "/manifest/dependencies/0/version",
            "no release matches ^5 || ^6 (the current one is 2.1.0)",
        )
    ]


def test_a_release_has_a_changelog_and_can_be_deprecated(tenant: Tenant, stranger: Tenant) -> None:
    integration = create(tenant, visibility="public")
    path = f"/v1/integrations/{integration['id']}/versions/1.0.0"
    first = edited_and_published(tenant, integration, "1.0.0", changelog="First.\nFor all.")
    assert first.json["changelog"] == "First.\nFor all."
    # When the author deprecates it
    read = tenant.client.get(path)
    reason = "Use acme/crm2: this API ends in May."
    changed = tenant.client.patch(path, {"deprecated": reason}, if_match=read.headers["etag"])
    # Then everybody who looks for it is told, and can still use it
    assert (changed.status, changed.json["deprecated"]) == (200, reason)
    assert changed.json["changelog"] == "First.\nFor all."
    [summary] = tenant.client.get(f"/v1/integrations/{integration['id']}/versions").json["items"]
    assert (summary["deprecated"], summary["yanked"]) == (reason, None)
    [entry] = stranger.client.get("/v1/catalog").json["items"]
    assert (entry["deprecated"], entry["currentVersion"]) == (reason, "1.0.0")
    assert stranger.client.get("/v1/catalog/acme/crm").json["deprecated"] == reason
    # And the ETag is another one; the same again changes nothing
    assert (
        tenant.client.patch(path, {"changelog": "x"}, if_match=read.headers["etag"]).status == 412
    )
    again = tenant.client.patch(path, {"deprecated": reason})
    assert again.headers["etag"] == changed.headers["etag"]
    # And null takes it back
    assert tenant.client.patch(path, {"deprecated": None}).json["deprecated"] is None
    [entry] = stranger.client.get("/v1/catalog").json["items"]
    assert entry["deprecated"] is None
    # And the audit trail has it all
    trail = f"/v1/organizations/{tenant.organization_id}/audit-events?entity=integration"
    events = [e for e in tenant.client.get(trail).json["items"] if e["action"] == "remarked"]
    assert [event["after"]["deprecated"] for event in events] == [None, reason]
    assert events[0]["after"]["version"] == "1.0.0"


def test_nothing_new_is_made_of_a_yanked_release(tenant: Tenant, stranger: Tenant) -> None:
    # Given two releases, and sources of both
    content: dict[str, Any] = {
        "variablesSchema": {},
        "manifest": {},
        "authConfig": {"type": "none"},
    }
    integration = create(tenant, visibility="public", **content)
    path = f"/v1/integrations/{integration['id']}"
    for version in ("1.0.0", "1.1.0"):
        edited_and_published(tenant, integration, version)
    sources = f"{tenant.connectors}/sources"

    def made(**changes: Any) -> Answer:
        return tenant.client.post(sources, {"name": "s", "integration": "acme/crm", **changes})

    old, new = made(version="1.0.0").json, made().json
    # When the newer one is yanked
    yanked = tenant.client.patch(f"{path}/versions/1.1.0", {"yanked": "It deletes invoices."})
    assert yanked.json["yanked"] == "It deletes invoices."
    # Then the older one is the current one again, everywhere
    assert tenant.client.get(path).json["currentVersion"] == "1.0.0"
    assert stranger.client.get("/v1/catalog").json["items"][0]["currentVersion"] == "1.0.0"
    assert made().json["version"] == made(version="^1.0.0").json["version"] == "1.0.0"
    # And by its version it can't be used either: why is told
    assert made(version="1.1.0").problems == [("/version", "1.1.0 is yanked: It deletes invoices.")]
    assert made(version="~1.1.0").problems == [
        ("/version", "no release matches ~1.1.0 (the current one is 1.0.0): 1.1.0 is yanked")
    ]
    upgrade = tenant.client.patch(f"{sources}/{old['id']}", {"version": "1.1.0"})
    assert upgrade.pointers == ["/version"]
    # And what has it keeps it, can be edited, and is told
    kept = f"{sources}/{new['id']}"
    assert tenant.client.patch(kept, {"name": "renamed"}).json["version"] == "1.1.0"
    assert tenant.client.get(f"{kept}/release").json["yanked"] == "It deletes invoices."
    # And a fix of it is the current one
    assert edited_and_published(tenant, integration, "1.1.1").json["currentVersion"] == "1.1.1"
    # And without any release left, nothing can be made, until one is back
    for version in ("1.0.0", "1.1.1"):
        tenant.client.patch(f"{path}/versions/{version}", {"yanked": "All of it is broken."})
    assert tenant.client.get(path).json["currentVersion"] is None
    assert stranger.client.get("/v1/catalog").json["items"] == []
    assert made().problems == [
        ("/integration", "has no release that is not a pre-release or yanked")
    ]
    assert tenant.client.patch(f"{path}/versions/1.0.0", {"yanked": None}).status == 200
    assert made().json["version"] == "1.0.0"
    # And a stranger can do none of that
    assert stranger.client.patch(f"{path}/versions/1.0.0", {"yanked": "x"}).status == 404
