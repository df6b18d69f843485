"""Events from the bus, through a queue that may deliver a message again."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest

import ingest_events
from patchbay.health.store import EventStore
from patchbay.platform.clock import from_text, to_text, utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import NotFound
from patchbay.platform.kept_connections import NoAnswer
from patchbay.tenancy.store import TenancyStore
from tests.integration.api import sample_event
from tests.integration.conftest import Tenant
from tests.integration.table_calls import Attempt, Carry, Reply, meeting

SYNC = {"integration_type": "metadata_sync", "status": "SUCCESS", "duration_ms": 812}


def envelope(tenant: Tenant, number: int = 1, **detail: Any) -> dict[str, Any]:
    """An event as EventBridge makes it, an hour ago."""
    return {
        "version": "0",
        "id": f"c2d1a1de-6f2e-4a1b-8f6e-{number:012}",
        "detail-type": "integration.event",
        "source": "acme.sync",
        "account": "000000000000",
        "time": to_text((utc_now() - timedelta(hours=1)).replace(microsecond=0)),
        "region": "eu-central-1",
        "resources": [],
        "detail": {
            "organization_id": tenant.organization_id,
            "space": tenant.space_slug,
            "events": [SYNC],
        }
        | detail,
    }


def delivered(*bodies: dict[str, Any] | str) -> list[int]:
    """The positions of the messages that the queue must deliver again."""
    records = [
        {
            "messageId": f"message-{number}",
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        for number, body in enumerate(bodies)
    ]
    failures = ingest_events.handler({"Records": records}, None)["batchItemFailures"]
    return [int(failure["itemIdentifier"].removeprefix("message-")) for failure in failures]


def unreachable(attempt: Attempt, carry: Carry) -> Reply:
    if attempt.operation == "TransactWriteItems":
        raise NoAnswer("no connection: timeout")
    return carry()


def listed(tenant: Tenant) -> list[dict[str, Any]]:
    path = f"/spaces/{tenant.space_slug}/integration-events?limit=100"
    items: list[dict[str, Any]] = tenant.client.get(path).json["items"]
    return items


def counted(tenant: Tenant) -> int:
    path = f"/spaces/{tenant.space_slug}/integration-health"
    total: int = tenant.client.get(path).json["total_events"]
    return total


def test_the_sample_event_is_of_a_space_that_does_not_exist(deployed: object) -> None:
    answer = ingest_events.handler(sample_event("ingest_events"), None)
    assert answer == {
        "batchItemFailures": [{"itemIdentifier": "5f6d1f0e-7c1c-4d9e-9a53-0f6f3f6f2d10"}]
    }


def test_messages_are_counted_by_slug_and_by_id_of_the_space(tenant: Tenant) -> None:
    by_id = envelope(tenant, 2, space=tenant.space_id)

    assert delivered(envelope(tenant), by_id) == []

    assert counted(tenant) == 2


def test_an_event_without_id_and_time_gets_both_from_the_envelope(tenant: Tenant) -> None:
    message = envelope(tenant, events=[SYNC, SYNC])

    assert delivered(message) == []

    first, second = listed(tenant)
    assert first["occurred_at"] == second["occurred_at"]
    assert from_text(first["occurred_at"]) == from_text(message["time"])
    assert first["id"] != second["id"]
    assert first["received_at"] > first["occurred_at"]


def test_a_message_that_is_delivered_again_is_counted_once(tenant: Tenant) -> None:
    message = envelope(tenant, events=[SYNC] * 3)

    # In another batch, and twice in the same batch
    assert delivered(message) == []
    assert delivered(message, envelope(tenant, 2), message) == []

    assert counted(tenant) == 4


def test_equal_messages_are_different_events(tenant: Tenant) -> None:
    assert delivered(envelope(tenant, 1), envelope(tenant, 2)) == []
    assert counted(tenant) == 2


def test_the_same_event_over_the_api_and_the_bus_is_counted_once(tenant: Tenant) -> None:
    own = SYNC | {"id": "run-1", "occurred_at": to_text(utc_now())}
    tenant.client.post(f"/spaces/{tenant.space_slug}/integration-events", {"events": [own]})

    assert delivered(envelope(tenant, events=[own])) == []

    assert counted(tenant) == 1


def test_the_messages_of_a_space_share_the_writes_of_its_buckets(tenant: Tenant) -> None:
    delivered(*(envelope(tenant, number) for number in range(20)))

    [day] = Table("EventsTable").query(f"SPACE#{tenant.space_id}", prefix="D#").items
    assert (day["revision"], counted(tenant)) == (1, 20)


def test_an_invalid_message_is_refused_and_the_others_are_stored(
    tenant: Tenant, stranger: Tenant, log: io.StringIO
) -> None:
    wrong: dict[str, dict[str, Any] | str] = {
        "": "{not json",
        "/detail-type": envelope(tenant) | {"detail-type": "something.else"},
        "/detail": {name: v for name, v in envelope(tenant).items() if name != "detail"},
        "/detail/space": envelope(tenant, space="nowhere"),
        # The space of another organization is like one that does not exist
        "/detail/organization_id": envelope(tenant) | {"detail": {"space": "acme", "events": []}},
        "/detail/events/0/status": envelope(tenant, events=[SYNC | {"status": "s3cr3t-status"}]),
        "/detail/events/0/?": envelope(tenant, events=[SYNC | {"s3cr3t-name": 1}]),
        "/detail/events/0/occurred_at": envelope(tenant, events=[SYNC | {"id": "x"}]),
        "/detail/events": envelope(tenant, events=[SYNC] * 101),
    }
    foreign = envelope(tenant, organization_id=stranger.organization_id)

    refused = delivered(*wrong.values(), foreign, envelope(tenant, 7))

    assert refused == list(range(len(wrong) + 1))
    assert (counted(tenant), counted(stranger)) == (1, 0)
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    refusals = [line for line in lines if line["message"] == "message refused"]
    fields = [line["fields"] for line in refusals]
    assert fields[-1] == ["/detail/space"]
    for expected, found in zip(wrong, fields, strict=False):
        assert expected in found
    assert TEXT not in log.getvalue()


def test_a_message_is_stored_as_a_whole_or_not_at_all(tenant: Tenant) -> None:
    old = {**SYNC, "occurred_at": "2020-01-01T00:00:00Z"}
    assert delivered(envelope(tenant, events=[SYNC, old])) == [0]
    assert counted(tenant) == 0


def test_an_envelope_from_the_future_is_refused(tenant: Tenant) -> None:
    ahead = to_text((utc_now() + timedelta(hours=1)).replace(microsecond=0))
    assert delivered(envelope(tenant) | {"time": ahead}) == [0]


TEXT = "s3cr3t"
"""The text of an exception, which may quote a message and must not be logged."""


def test_an_unexpected_exception_affects_one_message(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def unexpected(_: TenancyStore, slug: str) -> None:
        raise ZeroDivisionError(TEXT) if slug == "odd" else NotFound("space")

    monkeypatch.setattr(TenancyStore, "space", unexpected)
    good = envelope(tenant, space=tenant.space_id)

    # The first message cannot be read; later, its space cannot be written to
    assert delivered(envelope(tenant, 2, space="odd"), good) == [0]
    monkeypatch.setattr(EventStore, "add", unexpected_in_store)
    assert delivered(good) == [0]

    assert len(list(Table("EventsTable").query(f"SPACE#{tenant.space_id}").items)) == 2
    assert '"error":"ZeroDivisionError"' in log.getvalue()
    assert TEXT not in log.getvalue()


def unexpected_in_store(*_: Any) -> None:
    raise ZeroDivisionError(TEXT)


def test_an_outage_postpones_everything_and_a_redrive_counts_it_once(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given messages during an outage of the table, one of them stored before
    messages = [envelope(tenant, number) for number in range(3)]
    assert delivered(messages[0]) == []
    monkeypatch.setattr("time.sleep", lambda _: None)
    with meeting(unreachable):
        assert delivered(*messages) == [0, 1, 2]

    # When they are delivered again
    assert delivered(*messages) == []

    # Then each is counted once
    assert counted(tenant) == 3
