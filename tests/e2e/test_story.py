"""The main job over HTTP, through the deployed template: from a draft to the health of a space."""

import http.client
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.client import Answer, Client
from local.provider import Provider, provider
from tests.e2e.harness import Stack

TENANT = ["platform.integration.read", "platform.integration.manage", "platform.events.write"]


class Tenant:
    """An organization of its own, so that a test counts nothing but its own events."""

    def __init__(self, stack: Stack) -> None:
        self.slug = f"s-{uuid.uuid4().hex[:12]}"
        made = stack.client.call("POST", "/v1/organizations", {"name": self.slug})
        self.organization_id = made.body["id"]
        self.organization = f"/v1/organizations/{self.organization_id}"
        self.connectors = f"{self.organization}/knowledge/connectors"
        key = {"name": "test", "permissions": TENANT}
        issued = stack.client.call("POST", f"{self.organization}/api-keys", key)
        self.client = Client(stack.api_url, issued.body["key"])
        space = {"slug": self.slug, "name": "Space"}
        self.space_id = self.post(f"{self.organization}/spaces", space).body["id"]

    def post(self, path: str, body: dict[str, Any], status: int = 201) -> Answer:
        answer = self.client.call("POST", path, body)
        assert answer.status == status, answer.body
        return answer

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    def publish_asking(self, port: int) -> None:
        """An integration whose check asks the server on this port of loopback."""
        url = f"http://127.0.0.1:{port}/{{{{variables.path}}}}"
        steps = [{"name": "whoami", "kind": "http", "request": {"url": url}}]
        draft = {
            "workspaceId": self.space_id,
            "publisher": self.slug,
            "slug": "tracker",
            "name": "Tracker",
            "variablesSchema": {"properties": {"path": {"type": "string"}}, "required": ["path"]},
            "authConfig": {"type": "api_key"},
            "manifest": {"checks": {"timeoutMs": 1000, "steps": steps}},
        }
        integration_id = self.post("/v1/integrations", draft).body["id"]
        self.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})

    def connect(self, path: str) -> tuple[str, str]:
        """A source that asks for this path, and a connection of it."""
        source = {
            "name": path,
            "integration": f"{self.slug}/tracker",
            "variables": {"path": path},
            "secrets": {"api_key": "right-key"},
        }
        source_id = self.post(f"{self.connectors}/sources", source).body["id"]
        connection = {"name": path, "source_id": source_id, "space": self.slug}
        return source_id, self.post(f"{self.connectors}/connections", connection).body["id"]


@pytest.fixture
def tenant(stack: Stack) -> Tenant:
    return Tenant(stack)


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as served:
        yield served


def test_health_is_what_the_tests_of_a_real_server_found(tenant: Tenant, server: Provider) -> None:
    # Given an integration, and connections to a server that answers 200, 401, 500 and nothing
    tenant.publish_asking(server.port)
    expected = {
        "me": ("connected", None),
        "401": ("error", "auth_invalid"),
        "500": ("error", "provider_error"),
        "silent": ("error", "provider_timeout"),
    }
    connections = {path: tenant.connect(path) for path in expected}
    # When each is tried in a dry run, and then tested
    for path, (source_id, connection_id) in connections.items():
        dry = tenant.post(f"{tenant.connectors}/connections/test", {"source_id": source_id}, 200)
        assert dry.body["status"] == ("failed" if expected[path][1] else "succeeded")
        body = {"connectionId": connection_id}
        tested = tenant.post("/integrations/connection/test/v1.0.0", body, 200).body
        assert (tested["status"], tested.get("errorCode")) == expected[path]
    # And a server that is not there at all
    gone = {"connectionId": connections["me"][1]}
    # Then each test is an event and no dry run is
    health = tenant.get(f"/spaces/{tenant.slug}/integration-health")
    assert health["space_id"] == tenant.space_id
    assert (health["total_events"], health["success_count"], health["error_count"]) == (4, 1, 3)
    assert health["success_rate"] == 25.0
    assert [t["integration_type"] for t in health["by_integration_type"]] == ["connection_test"]
    # And events that the product reports are counted with them
    batch = [{"integration_type": "webhook", "status": "SUCCESS"}] * 6
    added = tenant.post(f"/spaces/{tenant.slug}/integration-events", {"events": batch}, 200)
    assert added.body == {"accepted": 6, "duplicates": 0}
    health = tenant.get(f"/spaces/{tenant.slug}/integration-health?days=1")
    assert (health["total_events"], health["success_rate"]) == (10, 70.0)
    events = tenant.get(f"/spaces/{tenant.slug}/integration-events")["items"]
    assert len(events) == 10
    # And everything can be taken down again
    for source_id, connection_id in connections.values():
        paths = (f"connections/{connection_id}", f"sources/{source_id}")
        for path in paths:
            answer = tenant.client.call("DELETE", f"{tenant.connectors}/{path}")
            assert answer.status == 204
    assert tenant.client.call("POST", "/integrations/connection/test/v1.0.0", gone).status == 404


def test_a_server_that_is_gone_is_disconnected(tenant: Tenant) -> None:
    with provider() as server:
        tenant.publish_asking(server.port)
        _, connection_id = tenant.connect("me")
    body = {"connectionId": connection_id}
    answer = tenant.post("/integrations/connection/test/v1.0.0", body, 200).body
    assert (answer["status"], answer["errorCode"]) == ("disconnected", "connection_refused")


def test_one_of_many_concurrent_creates_wins(tenant: Tenant) -> None:
    draft = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.slug,
        "slug": "once",
        "name": "Once",
    }

    def create(_: int) -> int:
        return tenant.client.call("POST", "/v1/integrations", draft).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(8)))
    assert statuses == [201, *[409] * 7]
    assert len(tenant.get("/v1/integrations")["items"]) == 1


def test_concurrent_events_are_all_counted(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.slug}/integration-events"
    batch = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}] * 10}

    def send(_: int) -> int:
        answer = tenant.client.call("POST", path, batch)
        return int(answer.body["accepted"]) if answer.status == 200 else 0

    with ThreadPoolExecutor(8) as pool:
        accepted = sum(pool.map(send, range(16)))
    assert accepted > 0
    assert tenant.get(f"/spaces/{tenant.slug}/integration-health")["total_events"] == accepted


def test_every_failure_has_the_envelope_at_the_gateway_too(stack: Stack, tenant: Tenant) -> None:
    own = f"/spaces/{tenant.slug}"
    key = tenant.client.api_key
    foreign = f"/spaces/{stack.space_slug}"
    large = json.dumps({"name": "x" * 300_000})
    for method, path, auth, body, status, code in (
        ("GET", own, None, None, 401, "UNAUTHENTICATED"),
        ("GET", own, "Bearer pb_aaaaaaaa_" + "A" * 43, None, 401, "UNAUTHENTICATED"),
        ("GET", own, f"Basic {key}", None, 401, "UNAUTHENTICATED"),
        ("GET", "/nowhere", None, None, 404, "NOT_FOUND"),
        ("PUT", own, None, "{}", 405, "METHOD_NOT_ALLOWED"),
        ("GET", foreign, f"Bearer {key}", None, 404, "SPACE_NOT_FOUND"),
        ("GET", "/v1/organizations", f"Bearer {key}", None, 403, "PERMISSION_DENIED"),
        ("PATCH", own, f"Bearer {key}", "{", 400, "INVALID_JSON"),
        ("PATCH", own, f"Bearer {key}", '{"name": 1}', 400, "VALIDATION_ERROR"),
        ("PATCH", own, f"Bearer {key}", large, 413, "PAYLOAD_TOO_LARGE"),
    ):
        answered, envelope = raw(stack, method, path, auth, body)
        assert (answered, envelope["error"]["code"]) == (status, code), (method, path)
        assert envelope["success"] is False
        assert envelope["error"]["status"] == status
    assert tenant.get(own)["name"] == "Space"


def test_the_reference_is_open_to_everybody(stack: Stack) -> None:
    status, document = raw(stack, "GET", "/openapi.json", None, None)
    assert status == 200
    assert document["openapi"].startswith("3.1")


def raw(
    stack: Stack, method: str, path: str, authorization: str | None, body: str | None
) -> tuple[int, dict[str, Any]]:
    """A request with exactly these headers."""
    connection = http.client.HTTPConnection(urlsplit(stack.api_url).netloc, timeout=35)
    headers = {"Authorization": authorization} if authorization else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content: dict[str, Any] = json.loads(answer.read())
    connection.close()
    return answer.status, content
