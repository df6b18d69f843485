"""The steps that several tests begin with: a published integration, a source, a connection."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.conftest import Tenant  # which has the secret from here

SECRET = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"


def publish_integration(tenant: "Tenant", **changes: Any) -> dict[str, Any]:
    """An integration with an `api_key` whose check asks `http://127.0.0.1:<port>/<path>`."""
    body = {
        "workspaceId": tenant.space_id,
        "publisher": "acme",
        "slug": "crm",
        "name": "CRM",
        "variablesSchema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["path"],
            "properties": {
                "path": {"type": "string", "minLength": 1, "x-binding": "free"},
                "page_size": {"type": "integer", "default": 50},
            },
        },
        "authConfig": {"type": "api_key"},
        "manifest": {"roles": ["source"]},
        **changes,
    }
    created = tenant.client.post("/v1/integrations", body)
    assert created.status == 201, created.text
    path = f"/v1/integrations/{created.json['id']}/publish"
    released = tenant.client.post(path, {"version": "1.0.0"})
    assert released.status == 201, released.text
    integration: dict[str, Any] = created.json
    return integration


PATIENT_MS = 10_000
"""For a test that must not end by its deadline, however busy the machine is."""


def calling(port: int, timeout_ms: int = PATIENT_MS) -> dict[str, Any]:
    """A manifest that asks the server on this port of loopback."""
    url = f"http://127.0.0.1:{port}/{{{{variables.path}}}}"
    step = {
        "name": "whoami",
        "kind": "http",
        "request": {"method": "GET", "url": url},
        "account": "/login",
    }
    return {
        "roles": ["source"],
        "configurationSchema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"depth": {"type": "integer", "minimum": 1}},
        },
        "checks": {"timeoutMs": timeout_ms, "steps": [step]},
    }


def create_source(tenant: "Tenant", **changes: Any) -> dict[str, Any]:
    body = {
        "name": "Our CRM",
        "integration": "acme/crm",
        "variables": {"path": "me"},
        "secrets": {"api_key": SECRET},
        **changes,
    }
    answer = tenant.client.post(f"{tenant.connectors}/sources", body)
    assert answer.status == 201, answer.text
    source: dict[str, Any] = answer.json
    return source


def create_connection(tenant: "Tenant", source: dict[str, Any], **changes: Any) -> dict[str, Any]:
    body = {"name": "CRM", "source_id": source["id"], "space": tenant.space_slug, **changes}
    answer = tenant.client.post(f"{tenant.connectors}/connections", body)
    assert answer.status == 201, answer.text
    connection: dict[str, Any] = answer.json
    return connection


def operation_input(tenant: "Tenant", **changes: Any) -> dict[str, Any]:
    """The input of the operation that creates a connection: its required fields, and changes."""
    return {
        "tenantId": tenant.organization_id,
        "integrationKey": "acme.crm",
        "integrationVersion": 1,
        "label": "Acme CRM",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": "patchbay://none",
        "config": {"path": "me"},
        **changes,
    }
