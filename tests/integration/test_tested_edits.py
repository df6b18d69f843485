"""Edits that are tested before they are stored, and secrets that never go elsewhere."""

import json
from collections.abc import Callable
from typing import Any

import pytest

import connections
from local.provider import Provider
from patchbay.checks import runner
from patchbay.checks.roles import Role
from patchbay.connection_tests import endpoint_part as testing
from patchbay.connections.endpoint_editor import EndpointEditor
from patchbay.connections.vault import SecretScope
from patchbay.platform.clock import utc_now
from tests.integration.api import sample_event, start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import PATIENT_MS, SECRET, create_source, publish_integration

pytestmark = pytest.mark.enable_socket

SCHEMA = {
    "type": "object",
    "properties": {
        "host": {"type": "string", "format": "hostname"},
        "path": {"type": "string", "x-binding": "free"},
        "user": {"type": "string"},
    },
}


@pytest.fixture
def path(tenant: Tenant, server: Provider) -> str:
    """The path of a source at 127.0.0.1 whose host is a variable."""
    url = f"http://{{{{variables.host}}}}:{server.port}/{{{{variables.path}}}}"
    step = {"name": "whoami", "kind": "http", "request": {"url": url}, "account": "/login"}
    manifest = {
        "roles": ["source", "destination"],
        "checks": {"timeoutMs": PATIENT_MS, "steps": [step]},
    }
    publish_integration(tenant, variablesSchema=SCHEMA, manifest=manifest)
    source = create_source(tenant, variables={"host": "127.0.0.1", "path": "me"})
    return f"{tenant.connectors}/sources/{source['id']}"


def stored_secrets(tenant: Tenant, path: str) -> dict[str, str]:
    endpoint = connections.deployment.endpoints.get(
        tenant.organization_id, Role.SOURCE, path.rpartition("/")[2]
    )
    return connections.deployment.vault.open(SecretScope.of(endpoint, endpoint.binding), utc_now())


def sent(server: Provider) -> list[str | None]:
    return [headers.get("authorization") for _, headers in server.requests]


def test_a_new_secret_that_works_takes_the_place_of_the_old_one(
    tenant: Tenant, server: Provider, path: str
) -> None:
    # Given a provider that accepts another key from now on
    server.valid_key = "rotated-key"
    # When the key is rotated with a test
    edit = {"secrets": {"api_key": "rotated-key"}}
    answer = tenant.client.patch(f"{path}?test=true", edit)
    # Then the new one was tested and stored, and the report is returned
    assert answer.status == 200
    assert answer.headers["etag"] == '"2"'
    assert answer.json["test"]["status"] == "succeeded"
    assert answer.json["test"]["verified"] is True
    assert answer.json["test"]["account"] == "octocat"
    assert sent(server) == ["Bearer rotated-key"]
    assert stored_secrets(tenant, path) == {"api_key": "rotated-key"}
    endpoint = {name: value for name, value in answer.json.items() if name != "test"}
    assert tenant.client.get(path).json == endpoint
    # And the test adds no event
    assert tenant.client.get("/spaces/acme/integration-events").json["items"] == []


def test_a_new_secret_that_does_not_work_changes_nothing(
    tenant: Tenant, server: Provider, path: str
) -> None:
    before = tenant.client.get(path)
    edit = {"name": "New", "secrets": {"api_key": "mistyped"}}
    answer = tenant.client.patch(f"{path}?test=true", edit)
    assert (answer.status, answer.code) == (422, "TEST_FAILED")
    report = answer.json["error"]["details"]["test"]
    assert (report["status"], report["code"]) == ("failed", "auth_invalid")
    assert [step["name"] for step in report["steps"]][-1] == "whoami"
    assert sent(server) == ["Bearer mistyped"]
    assert "mistyped" not in answer.text
    after = tenant.client.get(path)
    assert (after.json, after.headers["etag"]) == (before.json, before.headers["etag"])
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


def test_an_edit_is_tested_with_the_secrets_that_it_keeps(
    tenant: Tenant, server: Provider, path: str
) -> None:
    edit = {"variables": {"path": "403"}}
    refused = tenant.client.patch(f"{path}?test=true", edit)
    assert refused.json["error"]["details"]["test"]["code"] == "permission_denied"
    assert tenant.client.patch(f"{path}?test=true", {"name": "x"}).status == 200
    assert [asked for asked, _ in server.requests] == ["/403", "/me"]
    assert sent(server) == [f"Bearer {SECRET}"] * 2


def test_a_destination_is_tested_too(tenant: Tenant, server: Provider, path: str) -> None:
    body = {"name": "d", "integration": "acme/crm", "secrets": {"api_key": "x"}}
    variables = {"host": "127.0.0.1", "path": "me"}
    destinations = f"{tenant.connectors}/destinations"
    made = tenant.client.post(destinations, {**body, "variables": variables}).json
    own = f"{destinations}/{made['id']}?test=true"
    assert tenant.client.patch(own, {"name": "y"}).code == "TEST_FAILED"
    assert tenant.client.patch(own, {"secrets": {"api_key": SECRET}}).status == 200


def test_a_tested_edit_must_not_call_its_own_api(tenant: Tenant, path: str) -> None:
    # Given an edit that leads to the host name of the API
    own = "api.patchbay.example.net"
    edit = {"variables": {"host": own, "path": "me"}, "secrets": {"api_key": "new"}}
    event = sample_event("connections")
    route = "PATCH " + path.replace(tenant.organization_id, "{organization_id}")
    route = route.rpartition("/")[0] + "/{source_id}"
    event |= {"routeKey": route, "rawPath": path, "rawQueryString": "test=true"}
    event |= {"body": json.dumps(edit)}
    context = event["requestContext"]
    context |= {"routeKey": route, "domainName": own}
    context["http"] |= {"path": path, "method": "PATCH"}
    context["authorizer"]["lambda"]["organization_id"] = tenant.organization_id
    # When it is tested
    answer = connections.handler(event, None)
    # Then nothing is dialed
    assert answer["statusCode"] == 422
    report = json.loads(answer["body"])["error"]["details"]["test"]
    assert [s["detail"] for s in report["steps"] if s["status"] == "failed"] == ["name"]


def test_an_edit_that_is_rejected_anyway_is_not_tested(
    tenant: Tenant, server: Provider, path: str
) -> None:
    tested = f"{path}?test=true"
    assert tenant.client.patch(tested, {"secrets": {"nope": "x"}}).pointers == ["/secrets/nope"]
    assert tenant.client.patch(tested, {"name": "x"}, if_match='"7"').status == 412
    both = tenant.client.patch(f"{path}?test=true&dry_run=true", {"name": "x"})
    assert both.pointers == ["/query/test"]
    missing = f"{tenant.connectors}/sources/src_01K0Z3NDEKTSV4RRFFQ69G5FAV?test=true"
    assert tenant.client.patch(missing, {"name": "x"}).code == "SOURCE_NOT_FOUND"
    assert server.requests == []


@pytest.mark.parametrize(
    ("if_match", "status", "code"),
    [(None, 409, "CONFLICT"), ('"1"', 412, "PRECONDITION_FAILED")],
)
def test_what_is_stored_is_what_was_tested(
    tenant: Tenant,
    server: Provider,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
    if_match: str | None,
    status: int,
    code: str,
) -> None:
    # Given another edit of the source while an edit of it is tested

    async def and_then_edited(*arguments: Any, **options: Any) -> Any:
        report = await runner.run(*arguments, **options)
        assert tenant.client.patch(path, {"variables": {"path": "500"}}).status == 200
        return report

    monkeypatch.setattr(testing, "run", and_then_edited)
    headers = {"if_match": if_match} if if_match else {}
    answer = tenant.client.patch(f"{path}?test=true", {"name": "tested"}, **headers)
    # Then the test says nothing about the source as it is now
    assert (answer.status, answer.code) == (status, code)
    read = tenant.client.get(path).json
    assert (read["name"], read["variables"]["path"]) == ("Our CRM", "500")
    assert len(server.requests) == 1


def test_a_rotation_of_the_data_key_during_the_edit_needs_no_second_test(
    tenant: Tenant, server: Provider, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = EndpointEditor.secret_change

    def and_then_rotated(self: EndpointEditor, *arguments: Any) -> Any:
        monkeypatch.setattr(EndpointEditor, "secret_change", writes)
        made = writes(self, *arguments)
        keys = f"/v1/organizations/{tenant.organization_id}/data-keys"
        assert tenant.client.call("POST", keys, None).status == 201
        return made

    monkeypatch.setattr(EndpointEditor, "secret_change", and_then_rotated)
    edit = {"secrets": {"api_key": SECRET}}
    assert tenant.client.patch(f"{path}?test=true", edit).status == 200
    assert stored_secrets(tenant, path) == {"api_key": SECRET}
    assert len(server.requests) == 1


ELSEWHERE: dict[str, dict[str, Any]] = {
    "host": {"variables": {"host": "127.0.0.2"}},
    "user": {"variables": {"user": "mallory"}},
    "variables reset": {"variables": None},
}
"""Edits that would send the kept secret to another destination, or as another user."""

ASKING: dict[str, Callable[[Tenant, str, dict[str, Any]], Any]] = {
    "edit": lambda tenant, path, edit: tenant.client.patch(path, edit),
    "dry run": lambda tenant, path, edit: tenant.client.patch(f"{path}?dry_run=true", edit),
    "test": lambda tenant, path, edit: tenant.client.patch(f"{path}?test=true", edit),
}


@pytest.mark.parametrize("how", sorted(ASKING))
@pytest.mark.parametrize("edit", sorted(ELSEWHERE))
def test_no_edit_sends_a_stored_secret_to_another_destination(
    tenant: Tenant, server: Provider, path: str, how: str, edit: str
) -> None:
    before = tenant.client.get(path).json
    answer = ASKING[how](tenant, path, ELSEWHERE[edit])
    if how == "dry run":
        assert (answer.json["valid"], answer.json["secrets_to_enter"]) == (False, ["api_key"])
    else:
        assert (answer.status, answer.code) == (422, "SECRET_REENTRY_REQUIRED")
        assert answer.pointers == ["/secrets/api_key"]
    # Nothing was dialed, and the source is unchanged
    assert server.requests == []
    assert tenant.client.get(path).json == before


def test_entering_one_secret_does_not_take_along_another(
    tenant: Tenant, server: Provider, path: str
) -> None:
    auth = {"type": "oauth2", "tokenUrl": "https://a.example/token"}
    url = f"http://{{{{variables.host}}}}:{server.port}/me"
    step = {"name": "whoami", "kind": "http", "request": {"url": url}}
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": "acme",
        "slug": "oauth",
        "name": "OAuth",
        "variablesSchema": SCHEMA,
        "authConfig": {**auth, "grantType": "client_credentials"},
        "manifest": {"checks": {"timeoutMs": PATIENT_MS, "steps": [step]}},
    }
    made = tenant.client.post("/v1/integrations", draft).json
    tenant.client.post(f"/v1/integrations/{made['id']}/publish", {"version": "1.0.0"})
    secrets = {"access_token": SECRET, "client_secret": "stays-here"}
    source = create_source(
        tenant, integration="acme/oauth", variables={"host": "127.0.0.1"}, secrets=secrets
    )
    own = f"{tenant.connectors}/sources/{source['id']}"
    edit = {"variables": {"host": "127.0.0.2"}, "secrets": {"access_token": "mine"}}
    for query in ("", "?test=true"):
        assert tenant.client.patch(own + query, edit).pointers == ["/secrets/client_secret"]
    assert server.requests == []


def test_a_secret_entered_for_another_destination_goes_there_without_the_stored_one(
    tenant: Tenant, server: Provider, path: str
) -> None:
    edit = {"variables": {"host": "127.0.0.2"}, "secrets": {"api_key": "mine"}}
    answer = tenant.client.patch(f"{path}?test=true", edit)
    # 127.0.0.2 may not be dialed here
    report = answer.json["error"]["details"]["test"]
    assert (answer.code, report["code"]) == ("TEST_FAILED", "egress_blocked")
    assert server.requests == []
    assert stored_secrets(tenant, path) == {"api_key": SECRET}


@pytest.mark.parametrize(
    "body",
    [
        {"variables": {"host": "127.0.0.2"}},
        {"configurations": {"host": "127.0.0.2", "variables": {"host": "127.0.0.2"}}},
        {"configurations": {"url": "http://127.0.0.2/", "base_url": "http://127.0.0.2/"}},
        {"secrets": {"api_key": "x"}},
        {"secret_ref": "aws://secretsmanager/eu-central-1/patchbay/x"},
    ],
)
def test_a_dry_run_never_sends_a_stored_secret_where_its_body_says(
    tenant: Tenant, server: Provider, path: str, body: dict[str, Any]
) -> None:
    request = {"source_id": path.rpartition("/")[2], **body}
    answer = tenant.client.post(f"{tenant.connectors}/connections/test", request)
    if "configurations" in body:
        # Configurations do not decide where a test goes
        assert answer.json["status"] == "succeeded"
        assert [headers["host"] for _, headers in server.requests] == [f"127.0.0.1:{server.port}"]
    else:
        [field] = body
        assert answer.pointers == [f"/{field}"]
        assert server.requests == []


def test_a_tested_edit_counts_toward_the_limits_of_tests(
    tenant: Tenant, server: Provider, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_PER_MINUTE", "1")
    start_cold("connections")
    assert tenant.client.patch(f"{path}?test=true", {"name": "One"}).status == 200
    refused = tenant.client.patch(f"{path}?test=true", {"name": "Two"})
    # Then the second one is not tested, not stored, and says when to retry
    assert (refused.status, refused.code) == (429, "RATE_LIMITED")
    assert 0 < int(refused.headers["retry-after"]) <= 120
    assert len(server.requests) == 1
    assert tenant.client.get(path).json["name"] == "One"
    # And edits without a test are not affected
    assert tenant.client.patch(path, {"name": "Three"}).status == 200


def test_a_tested_edit_returns_its_lease(
    tenant: Tenant, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_IN_FLIGHT", "1")
    start_cold("connections")
    failing = {"secrets": {"api_key": "mistyped"}}
    assert tenant.client.patch(f"{path}?test=true", failing).status == 422
    assert tenant.client.patch(f"{path}?test=true", {"name": "Next"}).status == 200


def test_a_tested_edit_does_not_resolve_the_name_of_the_api(tenant: Tenant, path: str) -> None:
    # When an edit leads to the host name of the API
    own = "api.patchbay.example.net"
    event = sample_event("connections")
    route = "PATCH /v1/organizations/{organization_id}/knowledge/connectors/sources/{source_id}"
    event |= {
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "test=true",
        "body": json.dumps({"variables": {"host": own}, "secrets": {"api_key": "new"}}),
    }
    event["requestContext"] |= {"domainName": own, "routeKey": route}
    event["requestContext"]["http"] |= {"method": "PATCH", "path": path}
    event["requestContext"]["authorizer"]["lambda"]["organization_id"] = tenant.organization_id
    answer = json.loads(connections.handler(event, None)["body"])
    # Then the name is blocked, and is not even resolved
    report = answer["error"]["details"]["test"]
    [failed] = [step for step in report["steps"] if step["status"] == "failed"]
    assert (failed["code"], failed["detail"]) == ("egress_blocked", "name")
