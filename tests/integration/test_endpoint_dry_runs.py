"""Tests of sources and destinations that are not stored, and creates that are tested first."""

import json
from dataclasses import replace
from typing import Any

import pytest

import checks
import connections
from local.provider import Provider
from patchbay.checks.roles import Role
from patchbay.connections.vault import SecretScope
from patchbay.platform.clock import utc_now
from tests.integration.api import Answer, sample_event
from tests.integration.conftest import Tenant
from tests.integration.story import PATIENT_MS, SECRET, calling, publish_integration

pytestmark = pytest.mark.enable_socket

RIGHT: dict[str, Any] = {"variables": {"path": "me"}, "secrets": {"api_key": SECRET}}
CONFIGURED = {"type": "object", "properties": {"depth": {"type": "integer", "minimum": 1}}}


def published(tenant: Tenant, server: Provider) -> dict[str, Any]:
    manifest = calling(server.port) | {
        "roles": ["source", "destination"],
        "configurationSchema": CONFIGURED,
    }
    return publish_integration(tenant, manifest=manifest)


def dry_run(tenant: Tenant, role: str = "sources", **body: Any) -> Answer:
    return tenant.client.post(f"{tenant.connectors}/{role}/test", body)


def stored(tenant: Tenant) -> list[Any]:
    return [
        tenant.client.get(f"{tenant.connectors}/{things}").json["items"]
        for things in ("sources", "destinations", "connections")
    ]


def problems(answer: Answer) -> dict[str, str]:
    return {e["pointer"]: e["message"] for e in answer.json["error"]["details"]["errors"]}


@pytest.mark.parametrize("role", ["sources", "destinations"])
def test_values_are_tested_before_anything_is_stored(
    tenant: Tenant, server: Provider, role: str
) -> None:
    published(tenant, server)
    # When a wrong key is tried, and then the right one
    wrong = dry_run(tenant, role, integration="acme/crm", **RIGHT | {"secrets": {"api_key": "no"}})
    right = dry_run(tenant, role, integration="acme/crm", **RIGHT)
    # Then each result says what a stored one would say
    assert (wrong.status, wrong.json["code"], wrong.json["blame"]) == (
        *(200, "auth_invalid", "customer"),
    )
    assert (right.status, right.json["status"], right.json["verified"]) == (200, "succeeded", True)
    assert right.json["account"] == "octocat"
    assert [h.get("authorization") for _, h in server.requests] == ["Bearer no", f"Bearer {SECRET}"]
    # And nothing is stored: no endpoint, no event
    assert stored(tenant) == [[], [], []]
    assert tenant.client.get("/spaces/acme/integration-events").json["items"] == []


def test_a_draft_is_tried_without_a_version(tenant: Tenant, server: Provider) -> None:
    # Given an integration that was never published, and whose check is wrong
    draft = tenant.client.post(
        "/v1/integrations",
        {
            "workspaceId": tenant.space_id,
            "publisher": "acme",
            "slug": "draft",
            "name": "Draft",
            "variablesSchema": {"type": "object", "properties": {"path": {"type": "string"}}},
            "authConfig": {"type": "api_key"},
            "manifest": calling(server.port) | {"checks": {"steps": [{"kind": "nonsense"}]}},
        },
    ).json
    refused = dry_run(tenant, integration_id=draft["id"], **RIGHT)
    assert (refused.status, refused.code) == (422, "NOT_PUBLISHABLE")
    assert any(pointer.startswith("/manifest/checks/steps/0") for pointer in problems(refused))
    # When its author corrects it, and tries again
    own = f"/v1/integrations/{draft['id']}"
    assert tenant.client.patch(own, {"manifest": calling(server.port)}).status == 200
    assert dry_run(tenant, integration_id=draft["id"], **RIGHT).json["account"] == "octocat"
    # And edits it once more: then each try is of the draft as it is at that time
    url = f"http://127.0.0.1:{server.port}/403"
    step = {"name": "other", "kind": "http", "request": {"url": url}}
    edit = {"manifest": {"checks": {"timeoutMs": PATIENT_MS, "steps": [step]}}}
    assert tenant.client.patch(own, edit).status == 200
    assert dry_run(tenant, integration_id=draft["id"], **RIGHT).json["code"] == "permission_denied"
    # Then there is still no release
    assert tenant.client.get(own).json["currentVersion"] is None
    assert tenant.client.get(f"{own}/versions").json["items"] == []


def test_the_draft_of_another_organization_is_not_there(
    tenant: Tenant, stranger: Tenant, server: Provider
) -> None:
    draft = published(tenant, server)
    answer = dry_run(stranger, integration_id=draft["id"], **RIGHT)
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")
    nowhere = dry_run(stranger, integration_id="int_01K0Z3NDEKTSV4RRFFQ69G5FAV", **RIGHT)
    assert problems(answer) == problems(nowhere)
    assert list(problems(answer)) == ["/integration_id"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "/integration_id"),
        ({"integration": "acme/crm", "integration_id": "int_x"}, "/integration_id"),
        ({"integration_id": "int_x", "version": "1.0.0"}, "/version"),
        ({"integration": "acme/nothing"}, "/integration"),
        ({"integration": "acme/crm", "version": "^9.0.0"}, "/version"),
        ({"integration": "acme/crm", "variables": {}}, "/variables/path"),
        ({"integration": "acme/crm", "secrets": {"pass_word": "x"}}, "/secrets/pass_word"),
        ({"integration": "acme/crm", "configurations": {"depth": 0}}, "/configurations/depth"),
        ({"integration": "acme/crm", "name": "x"}, "/name"),
    ],
)
def test_what_is_wrong_is_pointed_at_and_nothing_is_dialed(
    tenant: Tenant, server: Provider, body: dict[str, Any], at: str
) -> None:
    published(tenant, server)
    answer = dry_run(tenant, **RIGHT | body)
    assert answer.status in (400, 422)
    assert at in problems(answer)
    assert SECRET not in answer.text
    assert server.requests == []


def test_a_dry_run_counts_as_a_test_of_its_organization(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tenant, server)
    limit = replace(checks.deployment.test_limit, per_minute=1)
    monkeypatch.setattr(checks.deployment, "test_limit", limit)
    assert dry_run(tenant, integration="acme/crm", **RIGHT).status == 200
    assert dry_run(tenant, integration="acme/crm", **RIGHT).status == 429
    assert len(server.requests) == 1


def test_a_dry_run_must_not_call_its_own_api(tenant: Tenant, server: Provider) -> None:
    own = "api.patchbay.example.net"
    step = {"name": "own", "kind": "http", "request": {"url": f"https://{own}/"}}
    publish_integration(tenant, manifest={"checks": {"steps": [step]}})
    event = sample_event("checks")
    path = f"{tenant.connectors}/sources/test"
    route = "POST " + path.replace(tenant.organization_id, "{organization_id}")
    event |= {"routeKey": route, "rawPath": path}
    event |= {"body": json.dumps({"integration": "acme/crm", **RIGHT})}
    context = event["requestContext"]
    context |= {"routeKey": route, "domainName": own}
    context["http"] |= {"path": path, "method": "POST"}
    context["authorizer"]["lambda"]["organization_id"] = tenant.organization_id
    report = json.loads(checks.handler(event, None)["body"])
    assert [s["detail"] for s in report["steps"] if s["status"] == "failed"] == ["name"]


def test_a_source_is_created_only_if_it_works(tenant: Tenant, server: Provider) -> None:
    published(tenant, server)
    path = f"{tenant.connectors}/sources"
    body = {"name": "Our CRM", "integration": "acme/crm", **RIGHT}
    # When it is created with a mistyped key
    refused = tenant.client.post(f"{path}?test=true", body | {"secrets": {"api_key": "mistyped"}})
    # Then the report says why, and nothing is stored
    assert (refused.status, refused.code) == (422, "TEST_FAILED")
    assert refused.json["error"]["details"]["test"]["code"] == "auth_invalid"
    assert "mistyped" not in refused.text
    assert stored(tenant) == [[], [], []]
    # When the key is right, then what was tested is stored
    made = tenant.client.post(f"{path}?test=true", body)
    assert (made.status, made.headers["etag"]) == (201, '"1"')
    assert made.json["test"]["account"] == "octocat"
    source = {name: value for name, value in made.json.items() if name != "test"}
    assert tenant.client.get(f"{path}/{source['id']}").json == source
    endpoint = connections.deployment.endpoints.get(
        tenant.organization_id, Role.SOURCE, source["id"]
    )
    scope = SecretScope.of(endpoint, endpoint.binding)
    assert connections.deployment.vault.open(scope, utc_now()) == {"api_key": SECRET}


def test_a_repeated_create_is_tested_and_stored_once(tenant: Tenant, server: Provider) -> None:
    published(tenant, server)
    path = f"{tenant.connectors}/sources?test=true"
    body = {"name": "Our CRM", "integration": "acme/crm", **RIGHT}
    first, second = (tenant.client.post(path, body, idempotency_key="once") for _ in range(2))
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json
    assert len(server.requests) == 1
    assert len(stored(tenant)[0]) == 1
