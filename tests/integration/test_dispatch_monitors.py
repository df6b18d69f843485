"""The dispatcher on moto: what it reads, sends, and leaves."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import dispatch_monitors
from patchbay.connections.announcements import Announcement
from patchbay.connections.health_state import AnnouncementType
from patchbay.connections.keys import drop_key
from patchbay.deployment import Deployment
from patchbay.monitors.announcer import Announcer
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.wheel import Slot, Sweep, lane_of_sort_key
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.api import sample_event
from tests.integration.conftest import Tenant
from tests.integration.monitoring import (
    MINUTE,
    Bus,
    Context,
    deliver,
    dispatch,
    monitored,
    put_into_the_index,
    this_minute,
)
from tests.integration.story import create_connection, create_source


@pytest.fixture(autouse=True, params=["plans", "index"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Connections with plans, and those that are in the index of the wheel."""
    if request.param == "index":
        put_into_the_index(monkeypatch)
    return str(request.param)


def store() -> MonitorStore:
    return Deployment().monitors


def test_the_sample_event_moves_the_watermark_and_sends_nothing(deployed: object) -> None:
    dispatch_monitors.handler(sample_event("dispatch_monitors"), Context())
    assert store().watermark() is not None
    assert deliver() == []


def test_a_slot_with_connections_is_sent_and_no_other(tenant: Tenant, form: str) -> None:
    # Given three monitored connections, and others without a monitor
    made = list(monitored(tenant, 9, ["a", "b", "c"]).values())
    base = f"{tenant.connectors}/connections"
    resting = list(monitored_again(tenant, ["d", "e", "f"]))
    tenant.client.patch(f"{base}/{resting[0]['id']}", {"status": "paused"})
    tenant.client.patch(f"{base}/{resting[1]['id']}", {"monitor": {"enabled": False}})
    tenant.client.delete(f"{base}/{resting[2]['id']}")
    # When a minute is dispatched
    now = this_minute()
    dispatch(now)
    # Then there is one message for each lane with one of the three
    bodies = [json.loads(record["body"]) for record in deliver()]
    places = [sort_key for s in store().occupied("1m", 0, 64) for sort_key in members_of(s)]
    slots = {f"{PKS[form]}#{lane_of_sort_key(sort_key, 4)}" for sort_key in places}
    assert sorted(body["slot"] for body in bodies) == sorted(slots)
    assert connections_at(places) == sorted(one["id"] for one in made)


def monitored_again(tenant: Tenant, paths: list[str]) -> Iterator[dict[str, Any]]:
    for path in paths:
        source = create_source(tenant, variables={"path": path})
        yield create_connection(tenant, source, monitor={"enabled": True, "interval": "1m"})


def members_of(slot: Slot) -> tuple[str, ...]:
    return store().read_page(Sweep.of(slot, this_minute()), 100).sort_keys


def connections_at(sort_keys: Iterable[str]) -> list[str]:
    return sorted(sort_key.rpartition("#")[2] for sort_key in sort_keys)


def test_the_watermark_never_goes_back(integrations_table: Table) -> None:
    watermark = MonitorStore(integrations_table)
    now = this_minute()
    assert watermark.watermark() is None
    for minute in (now, now - MINUTE, now):
        watermark.advance(minute)
    assert watermark.watermark() == now


def test_the_wheel_is_read_page_by_page_in_its_order(tenant: Tenant, form: str) -> None:
    made = monitored(tenant, 9, [f"p{number}" for number in range(7)])
    rest: Sweep | None = Sweep.of(Slot("1m", 0, 0, 1, form == "plans"), this_minute())
    seen: list[str] = []
    sizes: list[int] = []
    while rest:
        page = store().read_page(rest, 3)
        sizes.append(len(page.keys))
        seen += page.sort_keys
        rest = page.rest
    assert connections_at(seen) == sorted(one["id"] for one in made.values())
    # A group of plans is not divided.
    assert sizes[0] == {"plans": 7, "index": 3}[form]


def left_behind(tenant: Tenant) -> Announcement:
    one = next(iter(monitored(tenant, 9, ["me"]).values()))
    detail = {"id": "evt_1", "connection_id": one["id"], "error_code": None}
    announcement = Announcement("evt_1", AnnouncementType.FAILING, utc_now() - 5 * MINUTE, detail)
    Table("IntegrationsTable").write(Put(announcement.item()))
    return announcement


def test_an_announcement_that_was_left_behind_is_sent_by_the_next_dispatch(
    tenant: Tenant,
) -> None:
    bus = Bus()
    announcement = left_behind(tenant)
    dispatch(this_minute())
    [event] = bus.events()
    assert (event["detail-type"], event["detail"]) == ("connection.failing", announcement.detail)
    assert Table("IntegrationsTable").get(announcement.key) is None
    dispatch(this_minute() + MINUTE)
    assert list(bus.events()) == []


def test_an_announcement_that_the_bus_does_not_accept_stays(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcement = left_behind(tenant)

    class Out:
        def put_events(self, **_: Any) -> dict[str, Any]:
            return {"Entries": [{"ErrorCode": "ThrottlingException"}]}

    Announcer(Table("IntegrationsTable"), "integrations", Out()).send_left_behind(utc_now())  # type: ignore[arg-type]  # a stand-in
    assert Table("IntegrationsTable").get(announcement.key) is not None


def test_while_the_bus_is_out_edits_are_finished_all_the_same(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an announcement, and an edit whose editor died before it had dropped snapshots
    table = Table("IntegrationsTable")
    announcement = left_behind(tenant)
    source_id = create_source(tenant)["id"]
    mark = drop_key(source_id, 2)
    table.write(Put({**mark._asdict(), "organization_id": tenant.organization_id}))
    # When the bus is out, minute after minute
    monkeypatch.setattr(Announcer, "_send", out)
    with pytest.raises(TemporarilyUnavailable):
        dispatch(this_minute())
    # Then the edit is finished, and the announcement waits for the bus
    assert table.get(mark) is None
    assert table.get(announcement.key) is not None


def out(*_: object) -> None:
    raise TemporarilyUnavailable


def test_a_dispatch_that_is_late_raises_an_alarm_and_says_by_how_much(
    deployed: object, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    now = this_minute()
    dispatch(now - 90 * MINUTE)
    dispatch(now)
    late = json.loads(capsys.readouterr().out)
    [dispatched] = [vars(line) for line in caplog.records if line.message == "monitors dispatched"]
    assert (late["late"], late["what"], late["seconds"]) == (1, "dispatch of monitors", 89 * 60)
    assert dispatched["minutes_skipped"] == 30
    # One that is in time says nothing, which costs nothing
    caplog.clear()
    dispatch(now + MINUTE)
    assert (capsys.readouterr().out, caplog.records) == ("", [])


PKS = {"plans": "WHEEL#1m#0", "index": "1m#0"}
