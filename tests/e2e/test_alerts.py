"""Alerts on the local cloud: real functions, queue, and a real receiver.

That the schedule evaluates by itself is seen where docs/alerts.md waits for it.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.provider import provider
from patchbay.platform.clock import to_text
from tests.e2e.harness import Stack, Tenant
from tests.integration.receiver import Received, Receiver, receiving

_DELIVERY_SECONDS = 100
"""The queue wakes the sender at once; the schedule would within a minute."""

_TESTS_SECONDS = 120
"""For the few tests after which a connection's health is another."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as served:
        yield served


def evaluate(stack: Stack, at: datetime) -> None:
    """Invokes the deployed function as the schedule of that minute would."""
    client = stack.aws("lambda")
    names = [f["FunctionName"] for f in client.list_functions()["Functions"]]
    [name] = [name for name in names if "EvaluateAlerts" in name]
    answer = client.invoke(FunctionName=name, Payload=json.dumps({"time": to_text(at)}))
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    assert told["alert_spaces_failed"] == 0


def until[T](seconds: float, look: Callable[[], T | None]) -> T:
    """What `look` finds, at last."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.5)
    raise AssertionError(f"nothing came within {seconds:.0f} s")


def message(receiver: Receiver, number: int, seconds: float = _DELIVERY_SECONDS) -> Received:
    return until(
        seconds, lambda: receiver.requests[number] if len(receiver.requests) > number else None
    )


def told(stack: Stack, receiver: Receiver, number: int) -> Received:
    """The receiver's message of this number, after an evaluation."""
    evaluate(stack, datetime.now(UTC).replace(microsecond=0))
    return message(receiver, number)


def create_rule(tenant: Tenant, receiver: Receiver, condition: dict[str, Any]) -> str:
    """A rule that tells the receiver; the answer is the webhook's secret."""
    body = {
        "name": "Watch",
        "condition": condition,
        "channels": [{"kind": "webhook", "url": receiver.url}],
    }
    made = tenant.post(f"/spaces/{tenant.slug}/alert-rules", body).body
    [secret] = made["secrets"].values()
    return str(secret)


def report(tenant: Tenant, status: str) -> None:
    events = [{"integration_type": "webhook", "status": status}] * 100
    tenant.post(f"/spaces/{tenant.slug}/integration-events", {"events": events}, 200)


def test_an_outage_and_its_end_reach_a_real_receiver_once(
    stack: Stack, tenant: Tenant, receiver: Receiver
) -> None:
    secret = create_rule(
        tenant, receiver, {"kind": "success_rate", "threshold": 60, "minimum_events": 10}
    )
    # What is decided at a minute to come would be sent then: the minutes that are past
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    report(tenant, "ERROR")
    evaluate(stack, now)
    firing = message(receiver, 0)
    assert firing.verified(secret)["type"] == "alert.firing"
    [alert] = tenant.get(f"/spaces/{tenant.slug}/alerts?state=firing")["items"]
    assert firing.verified(secret)["data"]["alert_id"] == alert["id"]
    # Evaluated again and again it stays one outage
    for minutes in (1, 2, 3):
        evaluate(stack, now + timedelta(minutes=minutes))
    report(tenant, "SUCCESS")
    report(tenant, "SUCCESS")
    evaluate(stack, now + timedelta(minutes=4))
    resolved = message(receiver, 1)
    assert resolved.verified(secret)["type"] == "alert.resolved"
    assert resolved.id != firing.id
    assert len(receiver.requests) == 2

    def delivered() -> list[dict[str, Any]] | None:
        path = f"/spaces/{tenant.slug}/alerts/{alert['id']}/deliveries"
        found: list[dict[str, Any]] = tenant.get(path)["items"]
        return found if {d["status"] for d in found} == {"delivered"} else None

    sent = until(_DELIVERY_SECONDS, delivered)
    assert [d["notification_id"] for d in sent] == [resolved.id, firing.id]


def test_a_connection_whose_server_goes_down_and_comes_up_is_told(
    stack: Stack, tenant: Tenant, receiver: Receiver
) -> None:
    # Given a connection that works, and a rule that tells when one does not
    with provider() as server:
        port = server.port
        tenant.publish_asking(port)
        _, connection_id = tenant.connect("me")
        assert is_now(tenant, connection_id, "connected")
    secret = create_rule(tenant, receiver, {"kind": "connection_down"})
    # When its server is gone
    until(_TESTS_SECONDS, lambda: is_now(tenant, connection_id, "disconnected"))
    firing = told(stack, receiver, 0).verified(secret)
    assert firing["type"] == "alert.firing"
    subject = firing["data"]["subject"]
    assert (subject["kind"], subject["id"]) == ("connection", connection_id)
    # And comes up again
    with provider(port):
        until(_TESTS_SECONDS, lambda: is_now(tenant, connection_id, "connected"))
    resolved = told(stack, receiver, 1).verified(secret)
    assert (resolved["type"], resolved["data"]["resolution"]) == ("alert.resolved", "recovered")
    assert resolved["data"]["alert_id"] == firing["data"]["alert_id"]


def is_now(tenant: Tenant, connection_id: str, status: str) -> bool | None:
    """Tests a connection; whether its health is that now."""
    body = {"connectionId": connection_id}
    tenant.post("/integrations/connection/test/v1.0.0", body, 200)
    connection = tenant.get(f"{tenant.connectors}/connections/{connection_id}")
    return True if connection["health"]["status"] == status else None
