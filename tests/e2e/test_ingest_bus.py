"""The second entrance as deployed: bus, rule, queue, function, dead letters and their redrive."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.harness import Stack, Tenant
from tests.simulator.__main__ import simulate

SECONDS = 240


@pytest.fixture(scope="module")
def aws(stack: Stack) -> Callable[[str], Any]:
    """Clients of the local cloud, with the operator's credentials."""
    return stack.aws


@pytest.fixture(scope="module")
def outputs(aws: Callable[[str], Any]) -> dict[str, str]:
    [stack] = aws("cloudformation").describe_stacks(StackName="patchbay-local")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def put(aws: Callable[[str], Any], bus: str, *details: dict[str, Any]) -> None:
    entries = [
        {
            "EventBusName": bus,
            "Source": "acme.sync",
            "DetailType": "integration.event",
            "Detail": json.dumps(detail),
        }
        for detail in details
    ]
    assert aws("events").put_events(Entries=entries)["FailedEntryCount"] == 0


def eventually(ask: Callable[[], Any], wanted: Any) -> None:
    """Queues deliver when they do: asks until the answer is right, or for four minutes."""
    deadline = time.monotonic() + SECONDS
    while (told := ask()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    assert told == wanted


def total(tenant: Tenant) -> int:
    return int(tenant.get(f"/spaces/{tenant.slug}/integration-health")["total_events"])


def impatient(aws: Callable[[str], Any], url: str) -> None:
    sqs = aws("sqs")
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
    redrive = json.loads(answer["Attributes"]["RedrivePolicy"]) | {"maxReceiveCount": 2}
    attributes = {"VisibilityTimeout": "10", "RedrivePolicy": json.dumps(redrive)}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def waiting(aws: Callable[[str], Any], url: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def test_events_on_the_bus_are_counted_and_what_is_wrong_is_put_aside(
    tenant: Tenant, stack: Stack, aws: Callable[[str], Any], outputs: dict[str, str]
) -> None:
    # Given two messages on the bus, which are counted
    queue, dead = outputs["IngestQueueUrl"], outputs["IngestDeadLetterQueueUrl"]
    bus = outputs["IntegrationBusName"]
    sync = {"integration_type": "metadata_sync", "status": "SUCCESS", "duration_ms": 812}
    good = {"organization_id": tenant.organization_id, "space": tenant.slug, "events": [sync]}
    put(aws, bus, good, good | {"space": tenant.space_id, "events": [sync, sync]})
    eventually(lambda: total(tenant), 3)

    # When three come that are wrong, and one that is right, and the queue gives up after two
    # deliveries and seconds, where the template's takes five, and minutes between them
    impatient(aws, queue)
    late = f"s-{uuid.uuid4().hex[:12]}"
    put(
        aws,
        bus,
        good | {"organization_id": stack.organization_id},
        good | {"events": [sync | {"status": "MAYBE"}]},
        good,
        good | {"space": late},
    )

    # Then the right one is counted, and the others end up among the dead letters
    eventually(lambda: total(tenant), 4)
    eventually(lambda: waiting(aws, dead), 3)

    # When the space that was not there is made, and all of them are sent once more
    tenant.post(f"{tenant.organization}/spaces", {"slug": late, "name": "Late"})
    moved: list[dict[str, Any]] = []
    while len(moved) < 3:
        moved += (
            aws("sqs").receive_message(QueueUrl=dead, MaxNumberOfMessages=10).get("Messages", [])
        )
    for message in [*moved, *moved]:
        aws("sqs").send_message(QueueUrl=queue, MessageBody=message["Body"])
    for message in moved:
        aws("sqs").delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])

    # Then its event is counted once, and what is still wrong comes back
    path = f"/spaces/{late}/integration-health"
    eventually(lambda: tenant.get(path)["total_events"], 1)
    eventually(lambda: waiting(aws, dead), 4)
    assert (tenant.get(path)["total_events"], total(tenant)) == (1, 4)


def test_the_counts_are_exact_under_faults_on_the_emulator_too(stack: Stack) -> None:
    outcome = simulate(stack.account, events=3000, seed=7)
    assert outcome.differences == [], str(outcome)
