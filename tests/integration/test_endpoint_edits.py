"""Editing and upgrading endpoints: what may keep its secrets, and what has to give them again."""

import json
from pathlib import Path
from typing import Any

import pytest

import connections
from patchbay.connections.vault import Place
from patchbay.platform.clock import utc_now
from patchbay.registry.manifest import Role
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import SECRET

CORPUS = Path(__file__).parents[1] / "unit/checks/egress.jsonl"
# Not splitlines: a row holds a line separator of Unicode.
ROWS = {row["id"]: row for row in map(json.loads, CORPUS.read_text().strip().split("\n"))}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "format": "hostname"},
        "team": {"type": "string"},
        "user": {"type": "string"},
        "ca_bundle": {"type": "string"},
        "proxy": {"type": "string"},
        "token_url": {"type": "string"},
    },
}


def manifest(path: str = "/me") -> dict[str, Any]:
    url = "https://{{variables.host}}/{{variables.team}}" + path
    return {"checks": {"steps": [{"name": "whoami", "kind": "http", "request": {"url": url}}]}}


def publish(tenant: Tenant, version: str, **changes: Any) -> None:
    found = tenant.client.get("/v1/catalog/acme/crm")
    content = {
        "variablesSchema": SCHEMA,
        "manifest": manifest(),
        "authConfig": {"type": "api_key"},
        **changes,
    }
    if found.status == 404:
        address = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "crm"}
        made = tenant.client.post("/v1/integrations", {**address, "name": "CRM", **content}).json
    else:
        made = found.json
        tenant.client.patch(f"/v1/integrations/{made['id']}", content)
    answer = tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": version})
    assert answer.status == 201, answer.text


def create(tenant: Tenant, **changes: Any) -> str:
    body = {
        "name": "CRM",
        "integration": "acme/crm",
        "variables": {"host": "api.example.com", "team": "a"},
        "secrets": {"api_key": SECRET},
        **changes,
    }
    answer = tenant.client.post(f"{tenant.connectors}/sources", body)
    assert answer.status == 201, answer.text
    return f"{tenant.connectors}/sources/{answer.json['id']}"


def stored_secrets(tenant: Tenant, path: str) -> dict[str, str]:
    """What the vault opens for the endpoint as it is now."""
    endpoint_id = path.rpartition("/")[2]
    endpoint = connections._store().endpoint(tenant.organization_id, Role.SOURCE, endpoint_id)
    vault = connections._configurator()._vault
    return vault.open(Place.of(endpoint, endpoint.binding), utc_now())


def verdict(answer: Answer) -> str:
    """The answer in the words of the corpus."""
    if answer.status == 200:
        return "allow"
    if answer.status == 422 and answer.code == "SECRET_REENTRY_REQUIRED":
        return "deny:secret_binding"
    return f"deny:{answer.code}"


EDITS: dict[str, dict[str, Any]] = {
    "K01": {"variables": {"host": "evil.example.net"}},
    "K06": {"variables": {"ca_bundle": "-----BEGIN CERTIFICATE-----"}},
    "K07": {"variables": {"proxy": "http://evil.example.net:3128"}},
    "K08": {"variables": {"token_url": "https://evil.example.net/token"}},
    "K14": {"variables": {"host": "evil.example.net"}, "secrets": {"api_key": SECRET}},
    "K16": {"variables": {"host": "API.Example.COM."}},
}


@pytest.mark.parametrize("row", sorted(EDITS))
def test_an_edit_keeps_its_secrets_only_where_they_already_go(tenant: Tenant, row: str) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    before = tenant.client.get(path)
    answer = tenant.client.patch(path, EDITS[row])
    assert verdict(answer) == ROWS[row]["expected"]
    if answer.status == 200:
        assert stored_secrets(tenant, path) == {"api_key": SECRET}
    else:
        # Refused: every secret that would go along is named, and nothing has changed
        assert answer.pointers == ["/secrets/api_key"]
        assert tenant.client.get(path).json == before.json
    assert SECRET not in answer.text


def test_a_reference_to_a_secret_of_others_is_no_field_of_an_endpoint(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    for row in ("K17", "K18"):
        assert ROWS[row]["expected"].startswith("deny")
        answer = tenant.client.patch(path, {"secret_ref": ROWS[row]["target"]["secret_ref"]})
        assert answer.pointers == ["/secret_ref"]


def test_a_label_edit_needs_no_secret(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant, environment="live")
    edit = {"name": "New name", "environment": None, "variables": {"team": "b"}}
    changed = tenant.client.patch(path, edit).json
    assert (changed["name"], changed["environment"]) == ("New name", None)
    assert changed["variables"] == {"host": "api.example.com", "team": "b"}
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


def test_a_secret_is_replaced_removed_and_never_guessed_from_a_mask(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    assert tenant.client.patch(path, {"secrets": {"api_key": "********"}}).pointers == [
        "/secrets/api_key"
    ]
    tenant.client.patch(path, {"secrets": {"api_key": "another"}})
    assert stored_secrets(tenant, path) == {"api_key": "another"}
    assert tenant.client.patch(path, {"secrets": {"api_key": None}}).json["secrets_set"] == []
    assert stored_secrets(tenant, path) == {}
    # Without a stored secret any edit is free
    assert tenant.client.patch(path, {"variables": {"host": "x.example.net"}}).status == 200


def test_of_two_edits_with_one_etag_the_second_is_told(tenant: Tenant) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    etag = tenant.client.get(path).headers["etag"]
    assert tenant.client.patch(path, {"name": "a"}, if_match=etag).status == 200
    assert tenant.client.patch(path, {"name": "b"}, if_match=etag).status == 412
    assert tenant.client.patch(path, {"name": None}).pointers == ["/name"]
    assert tenant.client.patch(path, {"integration": "acme/x"}).pointers == ["/integration"]


def test_an_upgrade_is_previewed_and_then_made(tenant: Tenant) -> None:
    # Given a source of 1.0.0, and a release that knows other variables
    publish(tenant, "1.0.0")
    path = create(tenant)
    stricter = {
        **SCHEMA,
        "required": ["region"],
        "properties": {**SCHEMA["properties"], "region": {"enum": ["eu", "us"]}},
    }
    publish(tenant, "2.0.0", variablesSchema=stricter)
    # When its upgrade is previewed
    preview = tenant.client.patch(f"{path}?dry_run=true", {"version": "^2.0.0"})
    # Then what becomes invalid is told, and nothing has changed
    assert preview.json == {
        "version": "2.0.0",
        "valid": False,
        "errors": [{"pointer": "/variables/region", "message": "is required"}],
        "secrets_to_enter": [],
        "connections": [],
    }
    assert tenant.client.patch(path, {"version": "2.0.0"}).code == "CONNECTOR_INVALID_CONFIG"
    assert tenant.client.get(path).json["version"] == "1.0.0"
    # And with what it asks for, it is made, and the secrets come along
    edit = {"version": "^2.0.0", "variables": {"region": "eu"}}
    assert tenant.client.patch(f"{path}?dry_run=true", edit).json["valid"] is True
    upgraded = tenant.client.patch(path, edit)
    assert upgraded.json["version"] == "2.0.0"
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


def test_an_upgrade_to_a_release_that_sends_secrets_elsewhere_needs_them_again(
    tenant: Tenant,
) -> None:
    publish(tenant, "1.0.0")
    path = create(tenant)
    other = manifest()
    other["checks"]["steps"][0]["request"]["url"] = "https://collector.example.net/me"
    publish(tenant, "1.1.0", manifest=other)
    preview = tenant.client.patch(f"{path}?dry_run=true", {"version": "1.1.0"}).json
    assert (preview["valid"], preview["secrets_to_enter"]) == (False, ["api_key"])
    refused = tenant.client.patch(path, {"version": "1.1.0"})
    assert refused.json["error"]["details"]["changed"] == ["destination"]
    entered = {"version": "1.1.0", "secrets": {"api_key": "fresh"}}
    assert tenant.client.patch(path, entered).status == 200
    assert stored_secrets(tenant, path) == {"api_key": "fresh"}


def test_a_source_takes_a_range_of_versions(tenant: Tenant) -> None:
    for version in ("1.0.0", "1.4.0", "2.0.0"):
        publish(tenant, version)
    path = create(tenant, version="^1.0.0")
    assert tenant.client.get(path).json["version"] == "1.4.0"
    body = {"name": "x", "integration": "acme/crm", "version": "^3.0.0"}
    assert tenant.client.post(f"{tenant.connectors}/sources", body).pointers == ["/version"]
