"""Events and health over the API: every event that is sent is counted."""

from datetime import timedelta
from typing import Any

import health
from patchbay.platform.clock import to_text, utc_now
from patchbay.tenancy.access import Permission
from tests.integration.api import sample_event
from tests.integration.conftest import Tenant, new_tenant

EVENTS, HEALTH = "/spaces/acme/integration-events", "/spaces/acme/integration-health"
FIELDS = [
    *("space_id", "period_days", "total_events", "success_count", "error_count", "success_rate"),
    *("last_success_at", "last_error_at", "by_integration_type"),
]


def event(kind: str, status: str, **more: Any) -> dict[str, Any]:
    return {"integration_type": kind, "status": status, **more}


def test_the_sample_event_asks_for_a_space_that_does_not_exist(deployed: object) -> None:
    answer = health.handler(sample_event("health"), None)
    assert answer["statusCode"] == 404
    assert '"SPACE_NOT_FOUND"' in answer["body"]


def test_a_space_without_events_has_no_data(tenant: Tenant) -> None:
    summary = tenant.client.get(HEALTH).json
    assert list(summary)[:9] == FIELDS
    assert summary == {
        "space_id": tenant.space_id,
        "period_days": 30,
        "total_events": 0,
        "success_count": 0,
        "error_count": 0,
        "success_rate": 0.0,
        "last_success_at": None,
        "last_error_at": None,
        "by_integration_type": [],
        "no_data": True,
        "platform_faults": 0,
    }


def test_the_summary_counts_the_events_that_were_sent(tenant: Tenant) -> None:
    # Given 17 events of two types over two days
    now = utc_now().replace(microsecond=0)
    earlier = to_text(now - timedelta(days=2))
    batch = [
        *(event("metadata_sync", "SUCCESS", occurred_at=earlier) for _ in range(11)),
        *(event("metadata_sync", "ERROR", error_code="timeout") for _ in range(1)),
        *(event("webhook", "SUCCESS", duration_ms=12) for _ in range(5)),
    ]
    answer = tenant.client.post(EVENTS, {"events": batch})
    assert answer.status == 200
    assert answer.json == {"accepted": 17, "duplicates": 0}
    # Then the summary of 30 days counts all of them
    summary = tenant.client.get(HEALTH).json
    assert (summary["total_events"], summary["success_count"]) == (17, 16)
    assert (summary["error_count"], summary["success_rate"]) == (1, 94.12)
    kinds = [(t["integration_type"], t["total"]) for t in summary["by_integration_type"]]
    assert kinds == [("metadata_sync", 12), ("webhook", 5)]
    # And that of one day counts those of today
    today = tenant.client.get(f"{HEALTH}?days=1").json
    assert (today["period_days"], today["total_events"]) == (1, 6)
    assert today["success_rate"] == 83.33


def test_an_event_sent_again_is_counted_once(tenant: Tenant) -> None:
    at = to_text(utc_now())
    batch = {"events": [event("webhook", "SUCCESS", id=f"e{n}", occurred_at=at) for n in range(3)]}
    assert tenant.client.post(EVENTS, batch).json == {"accepted": 3, "duplicates": 0}
    assert tenant.client.post(EVENTS, batch).json == {"accepted": 0, "duplicates": 3}
    twice = {"events": [*batch["events"][:1], event("webhook", "ERROR", id="e9", occurred_at=at)]}
    assert tenant.client.post(EVENTS, twice).json == {"accepted": 1, "duplicates": 1}
    assert tenant.client.get(HEALTH).json["total_events"] == 4


def test_events_are_listed_newest_first_and_filtered(tenant: Tenant) -> None:
    now = utc_now().replace(microsecond=0)
    batch = [
        event("webhook", "SUCCESS", id="old", occurred_at=to_text(now - timedelta(days=3))),
        event("webhook", "ERROR", id="mid", occurred_at=to_text(now - timedelta(hours=1))),
        event("alert", "ERROR", id="new", occurred_at=to_text(now)),
    ]
    tenant.client.post(EVENTS, {"events": batch})

    def listed(query: str) -> list[str]:
        return [item["id"] for item in tenant.client.get(f"{EVENTS}?{query}").json["items"]]

    assert listed("") == ["new", "mid", "old"]
    assert listed("status=ERROR") == ["new", "mid"]
    assert listed("integration_type=webhook&status=ERROR") == ["mid"]
    assert listed(f"until={to_text(now - timedelta(days=1))}") == ["old"]
    first = tenant.client.get(f"{EVENTS}?limit=2").json
    assert [item["id"] for item in first["items"]] == ["new", "mid"]
    rest = tenant.client.get(f"{EVENTS}?limit=2&cursor={first['next_cursor']}").json
    assert [item["id"] for item in rest["items"]] == ["old"]
    assert tenant.client.get(f"{EVENTS}?cursor={first['next_cursor']}&status=ERROR").status == 400


def test_if_one_event_is_invalid_nothing_of_the_call_is_stored(tenant: Tenant) -> None:
    good = event("webhook", "SUCCESS")
    far = to_text(utc_now() + timedelta(minutes=6))
    for bad, pointer in (
        (event("webhooks", "SUCCESS"), "/events/1/integration_type"),
        (event("webhook", "success"), "/events/1/status"),
        (event("webhook", "SUCCESS", duration_ms=-1), "/events/1/duration_ms"),
        (event("webhook", "SUCCESS", duration_ms="12"), "/events/1/duration_ms"),
        (event("webhook", "SUCCESS", occurred_at="yesterday"), "/events/1/occurred_at"),
        (event("webhook", "SUCCESS", occurred_at=far), "/events/1/occurred_at"),
        (event("webhook", "SUCCESS", occurred_at="2020-01-01T00:00:00Z"), "/events/1/occurred_at"),
        (event("webhook", "SUCCESS", id="e1"), "/events/1/occurred_at"),
        (event("webhook", "SUCCESS", platform_fault=True), "/events/1/platform_fault"),
        (event("webhook", "SUCCESS", connection_id="con_1"), "/events/1/connection_id"),
    ):
        answer = tenant.client.post(EVENTS, {"events": [good, bad]})
        assert answer.status == 400, bad
        assert answer.pointers == [pointer]
    assert tenant.client.post(EVENTS, {"events": []}).pointers == ["/events"]
    assert tenant.client.post(EVENTS, {"events": [good] * 101}).pointers == ["/events"]
    assert tenant.client.get(HEALTH).json["total_events"] == 0
    assert tenant.client.get(EVENTS).json["items"] == []


def test_days_are_1_to_366(tenant: Tenant) -> None:
    for days in ("0", "367", "-1", "1.5", "month", ""):
        assert tenant.client.get(f"{HEALTH}?days={days}").pointers == ["/query/days"], days
    assert tenant.client.get(f"{HEALTH}?days=366").status == 200


def test_writing_and_reading_need_their_own_permissions(tenant: Tenant, stranger: Tenant) -> None:
    batch = {"events": [event("webhook", "SUCCESS")]}
    reader = new_tenant("reader", [Permission.READ])
    writer = new_tenant("writer", [Permission.WRITE_EVENTS])
    own = "/spaces/{}/integration-{}"
    refused = reader.client.post(own.format("reader", "events"), batch)
    assert refused.code == "PERMISSION_DENIED"
    assert writer.client.post(own.format("writer", "events"), batch).status == 200
    assert writer.client.get(own.format("writer", "health")).code == "PERMISSION_DENIED"
    # The space of another tenant is not found
    assert stranger.client.post(EVENTS, batch).code == "SPACE_NOT_FOUND"
    assert stranger.client.get(EVENTS).status == 404
    assert stranger.client.get(HEALTH).status == 404
    assert tenant.client.get(HEALTH).json["total_events"] == 0


def test_events_without_ids_are_counted_once_under_one_idempotency_key(tenant: Tenant) -> None:
    batch = {"events": [event("webhook", "SUCCESS")] * 3}
    first = tenant.client.post(EVENTS, batch, idempotency_key="delivery-1")
    again = tenant.client.post(EVENTS, batch, idempotency_key="delivery-1")
    assert first.json == again.json == {"accepted": 3, "duplicates": 0}
    assert again.headers["idempotent-replayed"] == "true"
    assert tenant.client.get(HEALTH).json["total_events"] == 3
    # Without a key, every call is a new one
    tenant.client.post(EVENTS, batch)
    assert tenant.client.get(HEALTH).json["total_events"] == 6
