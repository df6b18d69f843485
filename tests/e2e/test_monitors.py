"""Monitors on the local cloud: the schedule, the queue and the functions as they are deployed."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.emulator import REGION
from local.provider import provider
from local.sam import STACK_NAME
from tests.e2e.harness import Stack, Tenant, Watched
from tests.e2e.test_alerts import create_rule, told
from tests.integration.receiver import receiving

MINUTE = timedelta(minutes=1)


def until[T](read: Callable[[], T], holds: Callable[[T], bool], seconds: float) -> T:
    """What is read once it holds."""
    deadline = time.monotonic() + seconds
    while not holds(found := read()):
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    return found


class Schedule:
    """Fires the dispatcher for a chosen minute, as EventBridge does for the present one."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._function = self._physical("DispatchMonitorsFunction")
        self._queue = self._physical("MonitorQueue")

    def fire(self, minute: datetime) -> None:
        event = json.dumps({"time": minute.isoformat()})
        answer = self._stack.aws("lambda").invoke(FunctionName=self._function, Payload=event)
        assert "FunctionError" not in answer, answer["Payload"].read()

    def run_ahead(self, minute: datetime) -> None:
        """Fires for a minute to come: until then the real schedule has nothing to do.

        The minutes up to it are made up for some seconds later, and a connection that exists by
        then is tested: this waits until that is over.
        """
        self.fire(minute)
        until(self._waiting, lambda messages: messages == 0, 120)

    def _waiting(self) -> int:
        states = [f"ApproximateNumberOfMessages{state}" for state in ("", "Delayed", "NotVisible")]
        answer = self._stack.aws("sqs").get_queue_attributes(
            QueueUrl=self._queue, AttributeNames=states
        )
        return sum(int(answer["Attributes"][state]) for state in states)

    def _physical(self, name: str) -> str:
        resource = self._stack.aws("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=name
        )
        return str(resource["StackResourceDetail"]["PhysicalResourceId"])


@pytest.fixture(scope="module")
def by_itself(watched: Watched) -> dict[str, Any]:
    """What the real schedule has made of a monitored connection: its space's and its own health,
    and its tests."""
    tenant, path = watched.tenant, watched.path
    summary = f"/spaces/{tenant.slug}/integration-health"
    space = until(lambda: tenant.get(summary), lambda h: h["total_events"] > 0, 240)
    # The connection is told after the history.
    own = until(lambda: tenant.get(path)["health"], lambda h: h["status"] != "unknown", seconds=60)
    tests = tenant.get(f"{path}/tests")["items"]
    # Nobody is there any more: it may go
    assert tenant.client.call("DELETE", path).status == 204
    return {"space": space, "own": own, "tests": tests}


@pytest.fixture
def schedule(stack: Stack, by_itself: dict[str, Any]) -> Schedule:
    """Of our own, once the real one has done its work: it rests as long as this one is ahead."""
    return Schedule(stack)


def test_a_connection_with_a_monitor_shows_up_in_the_health_of_its_space_by_itself(
    by_itself: dict[str, Any],
) -> None:
    space = by_itself["space"]
    assert space["success_count"] == space["total_events"]
    assert by_itself["own"]["status"] == "connected"
    assert {test["trigger"] for test in by_itself["tests"]} == {"monitor"}


def test_a_server_that_goes_down_and_comes_up_again_is_told_to_a_webhook(
    stack: Stack, tenant: Tenant, schedule: Schedule
) -> None:
    with receiving() as receiver:
        secret = create_rule(tenant, receiver, {"kind": "connection_down"})

        def verified(number: int) -> dict[str, Any]:
            return told(stack, receiver, number).verified(secret)

        goes_down_and_comes_up(tenant, schedule, verified)
        assert len(receiver.requests) == 2
    # And the summary of the space counts each of the tests
    health = tenant.get(f"/spaces/{tenant.slug}/integration-health")
    assert (health["success_count"], health["error_count"]) == (3, 3)


def goes_down_and_comes_up(
    tenant: Tenant, schedule: Schedule, told: Callable[[int], dict[str, Any]]
) -> None:
    # Given a monitored connection, and a clock that runs ahead of the real one
    minute = datetime.now(UTC).replace(second=0, microsecond=0) + 3 * MINUTE
    schedule.run_ahead(minute)

    def tick(path: str, in_a_row: int) -> dict[str, Any]:
        nonlocal minute
        minute += MINUTE
        known = len(tenant.get(f"{path}/tests")["items"])
        schedule.fire(minute)
        until(lambda: tenant.get(f"{path}/tests")["items"], lambda t: len(t) > known, 120)
        # The connection is told after the history.
        return until(
            lambda: tenant.get(path)["health"],
            lambda h: h["consecutive_failures"] + h["consecutive_successes"] == in_a_row,
            60,
        )

    with provider() as server:
        port = server.port
        path = tenant.monitored(port)
        assert tick(path, 1)["status"] == "connected"
    # When its server is gone for three minutes, then the third failure in a row is an outage
    down = [tick(path, number) for number in (1, 2, 3)]
    assert [h["status"] for h in down] == ["connected", "connected", "disconnected"]
    assert down[-1]["error_code"] == "connection_refused"
    firing = told(0)
    assert firing["type"] == "alert.firing"
    assert firing["data"]["subject"]["id"] == path.rpartition("/")[2]
    # And when it is back, the second success in a row is its end
    with provider(port):
        back = [tick(path, number) for number in (1, 2)]
    assert [h["status"] for h in back] == ["disconnected", "connected"]
    resolved = told(1)
    assert (resolved["type"], resolved["data"]["resolution"]) == ("alert.resolved", "recovered")
    assert resolved["data"]["alert_id"] == firing["data"]["alert_id"]


def test_a_monitor_reads_the_secret_that_a_source_refers_to(
    stack: Stack, tenant: Tenant, schedule: Schedule
) -> None:
    with provider() as server:
        # Given a monitored connection of a source that refers to a secret, which permits it
        tenant.publish_asking(server.port)
        name = f"patchbay/{tenant.organization_id}/tracker"
        source = {
            "name": "x",
            "integration": f"{tenant.slug}/tracker",
            "variables": {"path": "me"},
            "secret_ref": f"aws://secretsmanager/{REGION}/{name}",
        }
        source_id = tenant.post(f"{tenant.connectors}/sources", source).body["id"]
        secrets = stack.aws("secretsmanager")
        secrets.create_secret(Name=name, SecretString='{"api_key": "right-key"}')
        refused = tenant.post(f"{tenant.connectors}/sources/{source_id}/test", {}, 200).body
        shown = re.search(r"Key=(\S+),Value='([^']*)'", refused["message"])
        assert shown, refused
        secrets.tag_resource(SecretId=name, Tags=[{"Key": shown[1], "Value": shown[2]}])
        monitor = {"enabled": True, "interval": "1m"}
        connection = {"name": "x", "source_id": source_id, "space": tenant.slug, "monitor": monitor}
        made = tenant.post(f"{tenant.connectors}/connections", connection).body["id"]
        # When minutes pass, of which other tests may have used up the first ones
        tests = f"{tenant.connectors}/connections/{made}/tests"
        minute = datetime.now(UTC).replace(second=0, microsecond=0) + 3 * MINUTE

        def tick() -> list[dict[str, Any]]:
            nonlocal minute
            minute += MINUTE
            schedule.fire(minute)
            found: list[dict[str, Any]] = tenant.get(tests)["items"]
            return found

        [*_, first] = until(tick, bool, 240)
        # Then the function may read it, by the policies of the template
        assert (first["status"], first["trigger"]) == ("succeeded", "monitor")
