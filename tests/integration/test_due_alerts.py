"""Which spaces are evaluated at a minute: those that were woken, and the others in their turn."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from patchbay.alerts.keys import rules_of_lane_pk
from patchbay.alerts.schedule import (
    INDEX_PK,
    INDEX_SK,
    LOOK_MINUTES,
    QUARTER_MINUTES,
    SETTLE_MINUTES,
    lane_of,
    phase_of,
)
from patchbay.alerts.wakes import COVERED, watch_key
from patchbay.connections.health_status import HealthStatus
from patchbay.connections.wheel import minute_number
from patchbay.deployment import Deployment
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Item, Key, Table, Update
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.alerting import RATE, alerts, create_rule, evaluate_due, report
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration
from tests.integration.test_evaluate_alerts import be

BUS = {"kind": "eventbridge"}
MINUTE = timedelta(minutes=1)
DOWN = {"kind": "connection_down"}


def watch(tenant: Tenant) -> Item:
    item = Table("IntegrationsTable").get(watch_key(tenant.space_id))
    assert item is not None
    return item


def settled(tenant: Tenant) -> datetime:
    """Evaluates until the space is quiet. Returns a minute before its look."""
    now = utc_now().replace(second=20, microsecond=0)
    for minute in range(SETTLE_MINUTES + 1):
        evaluate_due(now + minute * MINUTE)
    now += (SETTLE_MINUTES + 1) * MINUTE
    assert watch(tenant)[INDEX_PK].startswith("ALERTS#QUIET#")
    return now + MINUTE if is_looked_at(tenant, now) else now


def is_looked_at(tenant: Tenant, now: datetime) -> bool:
    return minute_number(now) % LOOK_MINUTES == phase_of(tenant.space_id)


def is_due(tenant: Tenant, now: datetime) -> bool:
    return tenant.space_id in Deployment().watched_spaces.due(now)


def looks(tenant: Tenant, now: datetime) -> list[int]:
    """The minutes of two hours in which a quiet space is looked at."""
    return [at for at in range(2 * LOOK_MINUTES) if is_due(tenant, now + at * MINUTE)]


def test_a_quiet_space_is_looked_at_each_hour(tenant: Tenant) -> None:
    create_rule(tenant, channels=[BUS])
    first, second = looks(tenant, settled(tenant))
    assert second - first == LOOK_MINUTES


def test_a_quiet_space_of_a_release_before_is_looked_at_each_quarter_until_it_moves(
    tenant: Tenant,
) -> None:
    create_rule(tenant, channels=[BUS])
    now = settled(tenant)
    table, key = Table("IntegrationsTable"), watch_key(tenant.space_id)
    of_now = watch(tenant)[INDEX_SK]
    # Given an entry as it was put before; that of now is in the same partition, which releases
    # before look at as a whole
    table.write(Update(key, values={INDEX_SK: tenant.space_id}))
    first, *others = looks(tenant, now)
    assert others == [first + number * QUARTER_MINUTES for number in range(1, 8)]
    evaluate_due(now + first * MINUTE)
    assert watch(tenant)[INDEX_SK] == of_now
    assert len(looks(tenant, now)) == 2


def test_looks_of_missed_minutes_are_made_up_for(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule(tenant, channels=[BUS])
    now = settled(tenant)
    look = now + looks(tenant, now)[0] * MINUTE
    with monkeypatch.context() as broken:
        broken.setattr(Table, "write", lambda *_: _raise())
        report(tenant, EventStatus.ERROR, look - 2 * MINUTE, number=50)
    # Given that the index is not readable in the minute of its look, nor for a while
    evaluate_due(look - MINUTE)
    assert alerts(tenant) == []
    with monkeypatch.context() as broken:
        broken.setattr(Table, "query", lambda *_, **__: _raise())
        for minute in range(3):
            with pytest.raises(TemporarilyUnavailable):
                evaluate_due(look + minute * MINUTE)
    # When another process runs then
    start_cold()
    evaluate_due(look + 30 * MINUTE)
    # Then it has looked at the space
    assert [alert["state"] for alert in alerts(tenant)] == ["firing"]


def _raise() -> None:
    raise TemporarilyUnavailable


def test_an_error_is_evaluated_in_the_next_minute_and_a_success_is_not(tenant: Tenant) -> None:
    create_rule(tenant, channels=[BUS])
    now = settled(tenant)
    report(tenant, EventStatus.SUCCESS, now)
    report(tenant, EventStatus.ERROR, now, number=1, platform_fault=True)
    assert not is_due(tenant, now)
    report(tenant, EventStatus.ERROR, now, number=50)
    assert is_due(tenant, now + MINUTE)
    evaluate_due(now + MINUTE)
    assert [alert["state"] for alert in alerts(tenant)] == ["firing"]
    # And while it fires, each minute
    assert is_due(tenant, now + 30 * MINUTE)
    assert is_due(tenant, now + 31 * MINUTE)


def test_a_space_without_rules_is_not_woken(tenant: Tenant) -> None:
    report(tenant, EventStatus.ERROR, utc_now())
    assert Table("IntegrationsTable").get(watch_key(tenant.space_id)) is None


def test_a_wake_stands_for_those_of_some_minutes(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule(tenant, channels=[BUS])
    now = settled(tenant)
    written: list[Update] = []
    read: list[Key] = []
    write, get_all = Table.write, Table.get_all

    def note(table: Table, one: Update) -> None:
        written.append(one)
        write(table, one)

    def note_read(table: Table, keys: Iterable[Key], *, consistent: bool) -> dict[Key, Item]:
        read.extend(keys := list(keys))
        return get_all(table, keys, consistent=consistent)

    monkeypatch.setattr(Table, "write", note)
    monkeypatch.setattr(Table, "get_all", note_read)
    store = Deployment(clock=lambda: now)
    for _ in range(20):
        store.wake([tenant.space_id])
    assert (len(written), len(read)) == (1, 1)
    # Another process does not know that, and reads it
    Deployment(clock=lambda: now + COVERED * MINUTE).wake([tenant.space_id])
    assert (len(written), len(read)) == (1, 2)
    assert watch(tenant)["woken"] == minute_number(now)
    later = now + (COVERED + 1) * MINUTE
    Deployment(clock=lambda: later).wake([tenant.space_id])
    assert watch(tenant)["woken"] == minute_number(later)


def test_a_space_without_rules_costs_a_read_in_some_minutes(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("written")

    monkeypatch.setattr(Table, "write", fail)
    Deployment().wake([tenant.space_id])


def test_a_wake_that_fails_fails_nothing_else(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule(tenant, channels=[BUS])
    now = settled(tenant)

    with monkeypatch.context() as broken:
        broken.setattr(Table, "write", lambda *_: _raise())
        assert not Deployment(clock=lambda: now).wake([tenant.space_id])
        report(tenant, EventStatus.ERROR, now, number=50)
    # The next look finds it
    for minute in range(LOOK_MINUTES + 1):
        evaluate_due(now + minute * MINUTE)
    assert [alert["state"] for alert in alerts(tenant)] == ["firing"]


def test_a_wake_during_an_evaluation_is_not_lost(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule(tenant, channels=[BUS])
    now = settled(tenant)
    while not is_looked_at(tenant, now):
        now += MINUTE
    # Given an evaluation that has read the counts and would move the space
    here = Deployment()
    spaces = here.watched_spaces
    Deployment(clock=lambda: now - 5 * MINUTE).wake([tenant.space_id])
    read = spaces.read(tenant.space_id, now)
    # When an error wakes the space in between
    Deployment(clock=lambda: now).wake([tenant.space_id])
    spaces.settle(read, now, None, is_firing=False)
    # Then the space is still due
    assert is_due(tenant, now + MINUTE)
    # As it is after an evaluation in the minute of the wake, whose other errors wake nobody
    spaces.settle(spaces.read(tenant.space_id, now), now, None, is_firing=False)
    assert is_due(tenant, now + MINUTE)
    later = now + SETTLE_MINUTES * MINUTE
    spaces.settle(spaces.read(tenant.space_id, later), later, None, is_firing=False)
    assert not is_due(tenant, later + MINUTE)


def test_a_space_waits_for_the_minute_at_which_time_may_change_something(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = {"kind": "stale", "after_seconds": 600}
    now = utc_now()
    # Given a space that would be looked at later than that
    phase = (minute_number(now) - 1) % LOOK_MINUTES
    monkeypatch.setattr("patchbay.alerts.schedule.phase_of", lambda _: phase)
    create_rule(tenant, condition=stale, channels=[BUS])
    for minute in range(7):
        evaluate_due(now + minute * MINUTE)
    assert watch(tenant)[INDEX_SK][:4] == str(now.year)
    assert not is_due(tenant, now + 7 * MINUTE)
    for minute in range(7, 12):
        evaluate_due(now + minute * MINUTE)
    [alert] = alerts(tenant)
    assert (alert["state"], alert["condition"]) == ("firing", "stale")


@pytest.fixture
def failing(tenant: Tenant) -> dict[str, Any]:
    """A paused connection whose health is failing."""
    publish_integration(tenant)
    connection = create_connection(tenant, create_source(tenant))
    be(tenant, connection["id"], HealthStatus.ERROR, utc_now())
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.patch(path, {"status": "paused"}).status == 200
    return connection


@pytest.mark.parametrize("what", ["tested", "stated", "resumed", "space", "organization"])
def test_what_may_let_a_rule_fire_wakes_its_space(
    tenant: Tenant, operator: Tenant, failing: dict[str, Any], what: str
) -> None:
    other = create_connection(tenant, create_source(tenant))
    organization = f"/v1/organizations/{tenant.organization_id}"
    for client, path in ((tenant.client, "/spaces/acme"), (operator.client, organization)):
        assert client.patch(path, {"paused": True}).status == 200
    create_rule(tenant, condition=DOWN, channels=[BUS])
    now = settled(tenant)
    happens: dict[str, Callable[[], Any]] = {
        "tested": lambda: be(tenant, other["id"], HealthStatus.ERROR, utc_now()),
        "stated": lambda: tenant.client.post(
            "/integrations/connection/update/v1.0.0",
            {"connectionId": failing["id"], "status": "connected"},
        ),
        "resumed": lambda: tenant.client.patch(
            f"{tenant.connectors}/connections/{failing['id']}", {"status": "active"}
        ),
        "space": lambda: tenant.client.patch("/spaces/acme", {"paused": False}),
        "organization": lambda: operator.client.patch(organization, {"paused": False}),
    }
    # What has woken the space in this minute, by the real clock, was long ago
    start_cold()
    key = watch_key(tenant.space_id)
    Table("IntegrationsTable").write(Update(key, values={"woken": 0}))
    assert not is_due(tenant, now)
    answer = happens[what]()
    assert answer is None or answer.status == 200, answer.text
    assert is_due(tenant, now)


def test_rules_of_before_there_were_watches_are_found_and_get_one(tenant: Tenant) -> None:
    table = Table("IntegrationsTable")
    made = create_rule(tenant, channels=[BUS])
    # Given a rule as it was stored before
    lane = rules_of_lane_pk(lane_of(tenant.space_id))
    [rule] = table.query(f"SPACE#{tenant.space_id}", prefix="RULE#").items
    index = {INDEX_PK: lane, INDEX_SK: f"{tenant.space_id}#{made['id']}"}
    table.write(Update(Key(rule["pk"], rule["sk"]), values=index))
    removed = [INDEX_PK, INDEX_SK, "changes", "woken"]
    table.write(Update(watch_key(tenant.space_id), remove=removed))
    now = utc_now()
    report(tenant, EventStatus.ERROR, now, kind=IntegrationType.WEBHOOK)
    # When all lanes of the old form had their turn
    for minute in range(4):
        evaluate_due(now + minute * MINUTE)
    # Then it was evaluated, and the watch stands for it
    assert [alert["state"] for alert in alerts(tenant)] == ["firing"]
    assert table.query(lane, index="monitor_slot").items == []
    assert is_due(tenant, now + 4 * MINUTE)


def test_a_disabled_rule_is_in_no_index_and_an_edit_puts_it_back(tenant: Tenant) -> None:
    made = create_rule(tenant, enabled=False, condition=RATE, channels=[BUS])
    now = utc_now()
    evaluate_due(now)
    assert INDEX_PK not in watch(tenant)
    path = f"/spaces/acme/alert-rules/{made['id']}"
    assert tenant.client.patch(path, {"enabled": True}).status == 200
    assert is_due(tenant, now)
