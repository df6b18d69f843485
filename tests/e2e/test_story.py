"""The main job over HTTP, through the deployed template: from a draft to the health of a space."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from local.provider import Provider, provider
from tests.e2e.harness import AT_ONCE, Stack, Tenant


def test_health_is_what_the_tests_of_a_real_server_found(tenant: Tenant, server: Provider) -> None:
    # Given an integration, and connections to a server that answers 200, 401, 500 and nothing
    tenant.publish_asking(server.port, timeout_ms=3000)
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


def test_concurrent_events_are_all_counted(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.slug}/integration-events"
    batch = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}] * 10}

    def send(number: int) -> int:
        # What was counted before its reply was lost is a duplicate the next time
        answer = tenant.insist(path, batch, f"batch-{number}")
        return int(answer.body["accepted"] + answer.body["duplicates"])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(pool.map(send, range(16))) == 160
    assert tenant.get(f"/spaces/{tenant.slug}/integration-health")["total_events"] == 160


def test_a_delivery_that_is_sent_again_is_counted_once(tenant: Tenant) -> None:
    path = f"/spaces/{tenant.slug}/integration-events"
    batch = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}] * 4}
    key = {"Idempotency-Key": "delivery"}
    answers = [tenant.client.call("POST", path, batch, headers=key) for _ in range(3)]
    assert {answer.status for answer in answers} == {200}
    assert tenant.get(f"/spaces/{tenant.slug}/integration-health")["total_events"] == 4


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
