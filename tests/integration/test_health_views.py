"""Health over time, by connection, and by space, over the API."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from patchbay.connections.keys import connections_of_space_pk
from patchbay.deployment import Deployment
from patchbay.health import connection_overview as connections
from patchbay.health import organization_overview as organization
from patchbay.health.model import Event, event_of_test
from patchbay.health.summary import window_start
from patchbay.platform.clock import floor_to_hour, from_text, to_text, utc_now
from patchbay.platform.dynamodb import Key, Put, Table
from patchbay.platform.ids import new_id
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant

HEALTH = "/spaces/acme/integration-health"
EVENTS = "/spaces/acme/integration-events"


def send(tenant: Tenant, slug: str, *events: dict[str, Any]) -> None:
    answer = tenant.client.post(f"/spaces/{slug}/integration-events", {"events": list(events)})
    assert answer.status == 200, answer.text


def event(status: str, at: datetime, kind: str = "webhook", **more: Any) -> dict[str, Any]:
    return {"integration_type": kind, "status": status, "occurred_at": to_text(at), **more}


def platform_fault(space_id: str, at: datetime) -> Event:
    return event_of_test(
        space_id,
        new_id("con", at),
        passed=False,
        latency_ms=9000,
        code="secret_store_unavailable",
        platform_fault=True,
        now=at,
    )


# ---------------------------------------------------------------- platform faults


def test_platform_faults_are_counted_as_errors_only_on_request(tenant: Tenant) -> None:
    # Given a success and, later, a platform fault
    now = utc_now()
    send(tenant, "acme", event("SUCCESS", now - timedelta(hours=2), "connection_test"))
    store = Deployment().event_store
    store.add([platform_fault(tenant.space_id, now - timedelta(hours=1))], now)
    # Then no total of the summary counts it
    answer = tenant.client.get(HEALTH).json
    assert tenant.client.get(f"{HEALTH}?exclude_blame=platform").json == answer
    assert (answer["total_events"], answer["success_rate"], answer["platform_faults"]) == (
        1,
        100.0,
        1,
    )
    assert answer["last_error_at"] is None
    # And on request it is an error of its type at its time
    answer = tenant.client.get(f"{HEALTH}?exclude_blame=none").json
    assert (answer["total_events"], answer["error_count"], answer["success_rate"]) == (2, 1, 50.0)
    # By the contract in whole seconds
    assert answer["last_error_at"] == to_text((now - timedelta(hours=1)).replace(microsecond=0))
    [of_type] = answer["by_integration_type"]
    assert (of_type["integration_type"], of_type["errors"]) == ("connection_test", 1)
    assert of_type["last_event_at"] == answer["last_error_at"]
    # And so in the series, where no percentile includes its duration
    for blame, errors in (("platform", 0), ("none", 1)):
        path = f"{HEALTH}/series?interval=hour&days=1&exclude_blame={blame}"
        points = tenant.client.get(path).json["points"]
        assert sum(point["errors"] for point in points) == errors
        assert sum(point["platform_faults"] for point in points) == 1
        assert sum(point["latency"]["count"] for point in points) == 0


def test_types_that_are_excluded_do_not_count(tenant: Tenant) -> None:
    # Given events of three types, one of which is a platform fault of a test
    now = utc_now()
    send(
        tenant,
        "acme",
        event("SUCCESS", now),
        event("ERROR", now, "alert"),
        event("ERROR", now, "connection_test"),
    )

    def totals(path: str, *of: str) -> list[Any]:
        answer = tenant.client.get(path)
        assert answer.status == 200, answer.text
        return [answer.json[name] for name in of]

    # Then all of them count by default, and without tests those of the contract
    counts = ("total_events", "error_count", "success_rate")
    assert totals(HEALTH, *counts) == [3, 2, 33.33]
    assert totals(f"{HEALTH}?exclude_type=connection_test", *counts) == [2, 1, 50.0]
    assert totals(f"{HEALTH}?exclude_type=connection_test,alert", *counts) == [1, 0, 100.0]
    [types] = totals(f"{HEALTH}?exclude_type=alert&exclude_blame=none", "by_integration_type")
    assert "alert" not in {one["integration_type"] for one in types}
    # And the same in the series, and in the comparison of spaces
    [points] = totals(f"{HEALTH}/series?exclude_type=connection_test", "points")
    assert sum(point["total"] for point in points) == 2
    spaces = f"/v1/organizations/{tenant.organization_id}/integration-health"
    [[space]] = totals(f"{spaces}?exclude_type=connection_test", "items")
    assert space["total_events"] == 2
    for wrong in ("fax", "", "alert,", "alert;webhook"):
        refused = tenant.client.get(f"{HEALTH}?exclude_type={wrong}")
        assert refused.pointers == ["/query/exclude_type"]


# ---------------------------------------------------------------- series


def test_a_series_of_days_has_every_day(tenant: Tenant) -> None:
    now = utc_now()
    send(
        tenant,
        "acme",
        event("SUCCESS", now - timedelta(days=2), duration_ms=80),
        event("ERROR", now - timedelta(days=2), "alert"),
        event("SUCCESS", now),
    )
    answer = tenant.client.get(f"{HEALTH}/series?days=7").json
    assert (answer["space_id"], answer["period_days"]) == (tenant.space_id, 7)
    assert (answer["interval"], answer["integration_type"]) == ("day", None)
    points = answer["points"]
    assert from_text(points[0]["starts_at"]) == window_start(now, 7)
    assert [p["starts_at"][11:] for p in points[1:]] == ["00:00:00Z"] * (len(points) - 1)
    assert sum(p["total"] for p in points) == 3
    [day] = [p for p in points if p["total"] == 2]
    assert (day["success"], day["errors"], day["success_rate"]) == (1, 1, 50.0)
    assert day["latency"] == {"count": 1, "mean_ms": 80, "p50_ms": 75, "p95_ms": 98}
    assert day["no_data"] is False
    assert {p["no_data"] for p in points if p["total"] == 0} == {True}


def test_a_series_of_hours_and_of_one_type(tenant: Tenant) -> None:
    now = utc_now()
    send(tenant, "acme", event("SUCCESS", now), event("SUCCESS", now, "alert"))
    answer = tenant.client.get(f"{HEALTH}/series?days=2&interval=hour&integration_type=alert").json
    assert answer["integration_type"] == "alert"
    assert len(answer["points"]) in (49, 50)  # 50 if an hour begins during the test
    assert sum(p["total"] for p in answer["points"]) == 1


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("days=32&interval=hour", "/query/days"),
        ("days=0", "/query/days"),
        ("days=367", "/query/days"),
        ("interval=week", "/query/interval"),
        ("integration_type=fax", "/query/integration_type"),
        ("exclude_blame=us", "/query/exclude_blame"),
        ("limit=5", "/query/limit"),
    ],
)
def test_an_impossible_series_is_refused(tenant: Tenant, query: str, pointer: str) -> None:
    assert tenant.client.get(f"{HEALTH}/series?{query}").pointers == [pointer]
    assert tenant.client.get(f"{HEALTH}/series?days=31&interval=hour").status == 200


# ---------------------------------------------------------------- connections


def put_connection(
    tenant: Tenant,
    name: str,
    status: str,
    *,
    ago: int | None = None,
    minutes: int = 60,
    **more: Any,
) -> None:
    """Writes a connection with a status since so many minutes; `ago` is of its last success."""
    now = utc_now()
    connection_id = new_id("con", now)
    table = Table("IntegrationsTable")
    health = {
        "status": status,
        "since": more.pop("since", to_text(now - timedelta(minutes=minutes))),
        "checked_at": to_text(now),
        "latency_ms": 3,
        "error_code": None if status == "connected" else "auth_invalid",
        "error_message": None,
    }
    success = {"last_success_at": to_text(now - timedelta(minutes=ago))} if ago is not None else {}
    item = {
        **Key(f"ORG#{tenant.organization_id}", f"CON#{connection_id}")._asdict(),
        "id": connection_id,
        "name": name,
        "status": more.pop("lifecycle", "active"),
        "health": health,
        "required_action": "none",
        "monitor": {"enabled": False, "interval": "5m"},
        "created_at": to_text(now - timedelta(days=3)),
        "configurations": "{}",
        "by_owner_pk": connections_of_space_pk(tenant.space_id),
        "by_owner_sk": connection_id,
    }
    table.write(Put({**item, **success, **more}))


def names(tenant: Tenant, query: str = "") -> list[str]:
    return [one["name"] for one in tenant.client.get(f"{HEALTH}/connections{query}").json["items"]]


def test_connections_are_listed_worst_first(tenant: Tenant) -> None:
    quarter: dict[str, Any] = {"monitor": {"enabled": True, "interval": "15m"}}
    put_connection(tenant, "fine", "connected", ago=20, **quarter)
    put_connection(tenant, "unmonitored", "connected", ago=9000)
    put_connection(tenant, "untested", "unknown")
    put_connection(tenant, "stale", "connected", ago=31, **quarter)
    put_connection(tenant, "never", "unknown", **quarter)
    put_connection(tenant, "gone", "disconnected", ago=5)
    put_connection(tenant, "paused", "error", lifecycle="paused", **quarter)
    put_connection(tenant, "broken", "error", minutes=5, required_action="reauthorize")
    put_connection(tenant, "broken for long", "error", minutes=500)

    listed = names(tenant)

    assert listed[:3] == ["broken for long", "broken", "gone"]
    assert set(listed[3:5]) == {"stale", "never"}
    assert listed[5] == "untested"
    assert set(listed[6:8]) == {"fine", "unmonitored"}
    assert listed[8] == "paused"
    items = {one["name"]: one for one in tenant.client.get(f"{HEALTH}/connections").json["items"]}
    assert [name for name, one in items.items() if one["stale"]] in (
        ["stale", "never"],
        ["never", "stale"],
    )
    stale = items["stale"]
    assert (stale["interval_seconds"], stale["seconds_since_success"] // 60) == (900, 31)
    assert items["never"]["last_success_at"] is items["never"]["seconds_since_success"] is None
    assert items["paused"]["interval_seconds"] is None
    assert items["broken"]["required_action"] == "reauthorize"
    assert (items["gone"]["error_code"], items["gone"]["required_action"]) == (
        "auth_invalid",
        "none",
    )


def test_a_connection_is_stale_after_two_intervals_of_being_monitored(
    tenant: Tenant, operator: Tenant
) -> None:
    now = utc_now()
    minute: dict[str, Any] = {"monitor": {"enabled": True, "interval": "1m"}}

    def since(minutes: int) -> dict[str, Any]:
        return {"watched_since": to_text(now - timedelta(minutes=minutes))}

    put_connection(tenant, "just enabled", "unknown", **minute, **since(1))
    put_connection(tenant, "just resumed", "connected", ago=500, **minute, **since(1))
    put_connection(tenant, "silent", "connected", ago=500, **minute, **since(3))

    def stale() -> list[str]:
        items = tenant.client.get(f"{HEALTH}/connections").json["items"]
        return [one["name"] for one in items if one["stale"]]

    assert stale() == ["silent"]
    # In a pause nothing is tested, so nothing is stale, and after it the time starts over
    organization = f"/v1/organizations/{tenant.organization_id}"
    for client, path in ((tenant.client, "/spaces/acme"), (operator.client, organization)):
        assert client.patch(path, {"paused": True}).status == 200
        items = tenant.client.get(f"{HEALTH}/connections").json["items"]
        assert [(one["stale"], one["interval_seconds"]) for one in items] == [(False, None)] * 3
        assert client.patch(path, {"paused": False}).status == 200
        assert stale() == []


def test_within_a_rank_the_longest_is_first_to_the_millisecond(tenant: Tenant) -> None:
    for name, since in (
        ("later", "2026-02-17T10:00:00.500Z"),
        ("first", "2026-02-17T10:00:00Z"),
        ("last", "2026-02-17T10:00:01Z"),
    ):
        put_connection(tenant, name, "error", since=since)

    assert names(tenant) == ["first", "later", "last"]


def test_pages_of_connections_go_on_over_blocks(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given seven connections and blocks of four
    monkeypatch.setattr(connections, "BLOCK", 4)
    statuses = ["connected", "error", "connected", "error", "connected", "error", "connected"]
    for number, status in enumerate(statuses):
        put_connection(tenant, f"c{number}", status, ago=1)

    # When they are read in pages of two
    seen, cursors, path = [], [], f"{HEALTH}/connections?limit=2"
    while True:
        page = tenant.client.get(path).json
        seen.append([one["name"] for one in page["items"]])
        if page["next_cursor"] is None:
            break
        cursors.append(page["next_cursor"])
        path = f"{HEALTH}/connections?limit=2&cursor={page['next_cursor']}"

    # Then each is listed once, worst first in its block
    assert [name for page in seen for name in page] == [
        *("c1", "c3", "c0", "c2"),
        *("c5", "c4", "c6"),
    ]
    # And a cursor is only valid for its own list
    other = f"/spaces/globex/integration-health/connections?cursor={cursors[0]}"
    assert stranger.client.get(other).code == "INVALID_CURSOR"


def test_a_full_last_block_has_no_next_page(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BLOCK", 2)
    for number in range(2):
        put_connection(tenant, f"c{number}", "connected")
    assert tenant.client.get(f"{HEALTH}/connections?limit=2").json["next_cursor"] is None


# ---------------------------------------------------------------- an organization


def add_space(tenant: Tenant, slug: str) -> None:
    path = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert tenant.client.post(path, {"slug": slug, "name": slug.title()}).status == 201


def test_spaces_are_compared_worst_first(tenant: Tenant) -> None:
    # Given a space that got worse, one that got better, and one without events
    now = utc_now()
    add_space(tenant, "worse")
    add_space(tenant, "quiet")
    before = window_start(now, 7) - timedelta(milliseconds=1)
    recent = floor_to_hour(now) - timedelta(milliseconds=1)
    send(tenant, "acme", event("SUCCESS", recent), event("ERROR", before), event("SUCCESS", before))
    send(tenant, "worse", event("ERROR", recent), event("SUCCESS", window_start(now, 7)))
    send(tenant, "worse", event("SUCCESS", before), event("SUCCESS", before))
    store = Deployment().event_store
    store.add([platform_fault(tenant.space_id, now)], now)

    # When they are compared over a week
    path = f"/v1/organizations/{tenant.organization_id}/integration-health"
    answer = tenant.client.get(f"{path}?days=7").json

    # Then each has its own summary, that of the previous week, and the difference
    assert answer["next_cursor"] is None
    assert [one["slug"] for one in answer["items"]] == ["worse", "acme", "quiet"]
    worse, acme, quiet = answer["items"]
    assert (worse["total_events"], worse["success_rate"]) == (2, 50.0)
    assert worse["previous"] == {
        "total_events": 2,
        "success_count": 2,
        "error_count": 0,
        "success_rate": 100.0,
        "no_data": False,
    }
    assert worse["difference"] == {"total_events": 0, "success_rate": -50.0}
    assert acme["difference"] == {"total_events": -1, "success_rate": 50.0}
    assert (acme["name"], acme["platform_faults"]) == ("acme", 1)
    assert (quiet["no_data"], quiet["difference"]["success_rate"]) == (True, None)
    for one in answer["items"]:
        own = tenant.client.get(f"/spaces/{one['slug']}/integration-health?days=7").json
        for field in ("space_id", "period_days", "total_events", "error_count", "success_rate"):
            assert one[field] == own[field]
        assert len(one["series"]) in (7, 8)
        assert sum(point["total"] for point in one["series"]) == one["total_events"]
    assert set(worse["series"][0]) == {"starts_at", "total", "errors", "success_rate", "no_data"}


def test_spans_that_are_compared_are_equally_long(tenant: Tenant) -> None:
    # Given an event in each hour of two days, and more in the hour that is not over
    now = utc_now()
    start = floor_to_hour(now) - timedelta(days=2)
    hours = [start + timedelta(hours=number, minutes=1) for number in range(48)]
    send(tenant, "acme", *(event("SUCCESS", at) for at in hours), event("ERROR", now))
    path = f"/v1/organizations/{tenant.organization_id}/integration-health"
    [one] = tenant.client.get(f"{path}?days=1").json["items"]
    # Then the period has them, and the comparison has not
    assert (one["total_events"], one["error_count"]) == (25, 1)
    assert one["previous"] == one["compared"]
    assert one["compared"]["total_events"] == 24
    assert one["difference"] == {"total_events": 0, "success_rate": 0.0}


def test_spaces_are_compared_with_platform_faults_as_errors_on_request(tenant: Tenant) -> None:
    # Given a space with a success and a platform fault, now and in the previous week
    now = utc_now()
    store = Deployment().event_store
    for at in (now, window_start(now, 7) - timedelta(hours=1)):
        send(tenant, "acme", event("SUCCESS", at))
        store.add([platform_fault(tenant.space_id, at)], now)
    path = f"/v1/organizations/{tenant.organization_id}/integration-health?days=7"
    # Then no total counts the faults unless it is requested
    [apart] = tenant.client.get(path).json["items"]
    assert tenant.client.get(f"{path}&exclude_blame=platform").json["items"] == [apart]
    assert (apart["total_events"], apart["platform_faults"]) == (1, 1)
    [answer] = tenant.client.get(f"{path}&exclude_blame=none").json["items"]
    assert (answer["total_events"], answer["success_rate"], answer["platform_faults"]) == (
        2,
        50.0,
        1,
    )
    assert answer["previous"]["error_count"] == 1
    assert sum(point["errors"] for point in answer["series"]) == 1
    # And a cursor is only valid for one of the lists
    add_space(tenant, "quiet")
    cursor = tenant.client.get(f"{path}&limit=1").json["next_cursor"]
    assert tenant.client.get(f"{path}&limit=1&cursor={cursor}").status == 200
    other = f"{path}&limit=1&cursor={cursor}&exclude_blame=none"
    assert tenant.client.get(other).code == "INVALID_CURSOR"


def test_a_period_before_the_stored_counts_is_not_compared(tenant: Tenant) -> None:
    path = f"/v1/organizations/{tenant.organization_id}/integration-health"
    [comparable] = tenant.client.get(f"{path}?days=199").json["items"]
    [too_far] = tenant.client.get(f"{path}?days=366").json["items"]
    assert comparable["previous"]["no_data"] is True
    assert too_far["previous"] is too_far["difference"] is None
    assert tenant.client.get(f"{path}?days=367").pointers == ["/query/days"]


def test_pages_of_spaces_keep_their_order_over_blocks(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given six spaces and blocks of four
    monkeypatch.setattr(organization, "BLOCK", 4)
    now = utc_now()
    for number in range(5):
        add_space(tenant, f"b{number}")
        send(tenant, f"b{number}", *[event("SUCCESS", now)] * number, event("ERROR", now))
    path = f"/v1/organizations/{tenant.organization_id}/integration-health?limit=1"

    # When they are read one by one, and a space is deleted in between
    seen, cursor = [], ""
    while cursor is not None:
        page = tenant.client.get(path + cursor).json
        seen += [one["slug"] for one in page["items"]]
        if cursor == "":
            assert tenant.client.delete("/spaces/b1").status == 204
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

    # Then b0 (0%), b2, and acme (no data) are ranked together, followed by b3 and b4
    assert seen == ["b0", "b2", "acme", "b3", "b4"]


def test_an_organization_is_visible_to_its_own_readers_and_the_operator(
    tenant: Tenant, stranger: Tenant, operator: Tenant
) -> None:
    path = f"/v1/organizations/{tenant.organization_id}/integration-health"
    assert stranger.client.get(path).status == 404
    assert operator.client.get(path).json["items"][0]["slug"] == "acme"
    writer = new_tenant("writer", TENANT_PERMISSIONS[2:])
    own = f"/v1/organizations/{writer.organization_id}/integration-health"
    assert writer.client.get(own).code == "PERMISSION_DENIED"
    for view in ("series", "connections"):
        assert stranger.client.get(f"{HEALTH}/{view}").code == "SPACE_NOT_FOUND"
        denied = writer.client.get(f"/spaces/writer/integration-health/{view}")
        assert denied.code == "PERMISSION_DENIED"


def test_a_cursor_of_ninety_nine_spaces_is_accepted(tenant: Tenant) -> None:
    for number in range(99):
        add_space(tenant, f"a-space-with-a-name-that-is-rather-long-{number:02}")
    path = f"/v1/organizations/{tenant.organization_id}/integration-health?limit=1&days=1"
    first = tenant.client.get(path).json
    assert len(first["next_cursor"]) < 4096
    rest = tenant.client.get(f"{path}&cursor={first['next_cursor']}")
    assert len(rest.json["items"]) == 1
