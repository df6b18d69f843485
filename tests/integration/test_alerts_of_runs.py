"""Alert rules about what monitors record as runs: they are woken before it, and read what no fold
has counted yet."""

from datetime import timedelta
from typing import Any

import pytest

from local.provider import Provider
from patchbay.alerts.schedule import INDEX_PK, INDEX_SK
from patchbay.alerts.wakes import RuleWaker, watch_key
from patchbay.deployment import Deployment
from patchbay.platform.dynamodb import Item, Table, Update
from patchbay.runs.store import RunStore
from tests.integration.alerting import alerts, create_rule, evaluate, evaluate_due
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.monitoring import (
    MINUTE,
    deliver,
    dispatch,
    health,
    history,
    monitored,
    plan_from_the_first_minute,
    run,
    this_minute,
    tick,
)
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket

RATE = {
    "kind": "success_rate",
    "threshold": 90,
    "short_window_seconds": 900,
    "long_window_seconds": 900,
    "minimum_events": 1,
}
DOWN = {"kind": "connection_down"}
STALE = {"kind": "stale", "after_seconds": 300, "integration_type": "connection_test"}
BUS = {"kind": "eventbridge"}


@pytest.fixture(autouse=True)
def _planned(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_from_the_first_minute(monkeypatch)
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))
    # No space is looked at before its turn
    monkeypatch.setattr("patchbay.alerts.schedule.phase_of", lambda _: 0)


class Killed(BaseException):
    """The process ends here."""


def watch(tenant: Tenant) -> Item:
    item = Table("IntegrationsTable").get(watch_key(tenant.space_id))
    assert item is not None
    return item


def put_to_sleep(*tenants: Tenant) -> None:
    """As if their rules had been made long ago."""
    start_cold()
    for tenant in tenants:
        asleep = {INDEX_PK: "ALERTS#QUIET#0", INDEX_SK: tenant.space_id, "woken": 0}
        Table("IntegrationsTable").write(Update(watch_key(tenant.space_id), values=asleep))


def is_awake(tenant: Tenant) -> bool:
    return bool(watch(tenant)[INDEX_PK].startswith("ALERTS#DUE#"))


def states(tenant: Tenant) -> list[str]:
    return [alert["state"] for alert in alerts(tenant)]


def test_all_spaces_of_a_pool_are_awake_though_the_process_ends_when_their_run_stands(
    tenant: Tenant, stranger: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two spaces in a pool, each with a connection that fails
    for number, one in enumerate((tenant, stranger)):
        publisher = f"publisher-{number}"
        publish_integration(one, publisher=publisher, manifest=calling(server.port))
        source = create_source(one, integration=f"{publisher}/crm", variables={"path": "401"})
        create_connection(one, source, monitor={"enabled": True, "interval": "1m"})
        create_rule(one, condition=RATE, channels=[BUS])
    put_to_sleep(tenant, stranger)
    now = this_minute()
    dispatch(now)
    records = deliver()

    def crash(*_: object) -> None:
        raise Killed

    # When the process ends right after the put of their run, and before all that follows from it
    with monkeypatch.context() as broken:
        broken.setattr(RunStore, "_count_if_due", crash)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - a group of task groups
            run(records)
    # Then the next evaluation has both spaces, and reads the run, which nobody has counted
    assert is_awake(tenant)
    assert is_awake(stranger)
    evaluate_due(now + MINUTE)
    assert (states(tenant), states(stranger)) == (["firing"], ["firing"])


@pytest.mark.parametrize("dies", [False, True])
def test_a_wake_that_fails_is_made_when_the_sweep_is_repeated(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch, *, dies: bool
) -> None:
    monkeypatch.setattr("patchbay.monitors.sweeper.AGAIN", timedelta(0))
    [connection] = monitored(tenant, server.port, ["401"]).values()
    create_rule(tenant, condition=RATE, channels=[BUS])
    put_to_sleep(tenant)
    now = this_minute()
    dispatch(now)
    records = deliver()

    def crash(*_: object) -> None:
        raise Killed

    # Given a sweep that cannot wake the rules, and that may also die when its run stands
    with monkeypatch.context() as broken:
        broken.setattr(RuleWaker, "_wake", lambda *_: False)
        if dies:
            broken.setattr(RunStore, "_count_if_due", crash)
            with pytest.raises(BaseException):  # noqa: B017, PT011 - a group of task groups
                run(records)
        else:
            assert run(records) == []
            records = deliver()
    assert not is_awake(tenant)
    # When it is delivered again
    start_cold("run_monitors")
    assert run(records) == []
    # Then they are awake, and nothing was tested twice
    assert is_awake(tenant)
    assert len(history(tenant, connection)) == 1
    evaluate_due(now + MINUTE)
    assert states(tenant) == ["firing"]


def test_health_of_before_is_not_written_until_its_rules_are_awake(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.monitors.sweeper.AGAIN", timedelta(0))
    [connection] = monitored(tenant, server.port, ["401"]).values()
    create_rule(tenant, condition=DOWN, channels=[BUS])
    now = this_minute() - 10 * MINUTE
    for number in range(2):
        tick(now + number * MINUTE)
    assert health(tenant, connection)["status"] == "unknown"
    put_to_sleep(tenant)
    # Given a failure with which the connection is down
    dispatch(now + 2 * MINUTE)
    records = deliver()
    with monkeypatch.context() as broken:
        broken.setattr(RuleWaker, "_wake", lambda *_: False)
        assert run(records) == []
    assert Deployment().connection_summaries.failing(tenant.space_id) == []
    # When its sweep is repeated
    start_cold("run_monitors")
    assert run(deliver()) == []
    # Then it is down, and its rule sees that
    assert is_awake(tenant)
    evaluate_due(now + 3 * MINUTE)
    assert states(tenant) == ["firing"]


def test_a_wake_precedes_what_it_announces(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitored(tenant, server.port, ["401"])
    create_rule(tenant, condition=RATE, channels=[BUS])
    put_to_sleep(tenant)
    awake: list[bool] = []
    record = RunStore.record

    def noting(store: RunStore, *given: Any) -> Any:
        awake.append(is_awake(tenant))
        return record(store, *given)

    monkeypatch.setattr(RunStore, "record", noting)
    tick(this_minute())
    assert awake == [True]


def test_successes_and_platform_faults_wake_nobody(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchbay.connections.vault import Vault
    from patchbay.platform.errors import TemporarilyUnavailable

    monitored(tenant, server.port, ["me"])
    create_rule(tenant, condition=RATE, channels=[BUS])
    put_to_sleep(tenant)
    now = this_minute() - MINUTE
    tick(now)
    assert not is_awake(tenant)

    def out(*_: object, **__: object) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(Vault, "open", out)
    start_cold("run_monitors")
    tick(now + MINUTE)
    assert not is_awake(tenant)


def test_rules_fire_and_recover_by_runs_that_no_fold_has_counted(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunStore, "_fold_if_due", lambda *_: None)
    server.valid_key = "another"
    monitored(tenant, server.port, ["me"])
    of_conditions = {
        create_rule(tenant, condition=one, channels=[BUS])["id"]: str(one["kind"])
        for one in (RATE, DOWN)
    }

    def firing() -> set[str]:
        return {of_conditions[a["rule_id"]] for a in alerts(tenant) if a["state"] == "firing"}

    now = this_minute() - 30 * MINUTE
    tick(now)
    evaluate(now + MINUTE)
    assert firing() == {"success_rate"}
    for number in (1, 2):
        tick(now + number * MINUTE)
    evaluate(now + 3 * MINUTE)
    assert firing() == {"success_rate", "connection_down"}
    server.valid_key = SECRET
    for number in (3, 4):
        tick(now + number * MINUTE)
    evaluate(now + 5 * MINUTE)
    assert firing() == {"success_rate"}
    for number in range(5, 20):
        tick(now + number * MINUTE)
    evaluate(now + 20 * MINUTE)
    assert firing() == set()


def test_a_success_in_the_tail_is_no_silence(tenant: Tenant, server: Provider) -> None:
    monitored(tenant, server.port, ["me"])
    create_rule(tenant, condition=STALE, channels=[BUS])
    at = this_minute()
    tick(at)
    evaluate(at + 4 * MINUTE)
    assert states(tenant) == []
    evaluate(at + 7 * MINUTE)
    assert states(tenant) == ["firing"]


def test_what_goes_on_failing_writes_nothing_while_its_alert_fires(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitored(tenant, server.port, ["401"])
    create_rule(tenant, condition=RATE, channels=[BUS])
    now = this_minute() - 20 * MINUTE
    tick(now)
    evaluate(now + MINUTE)
    assert states(tenant) == ["firing"]
    written: list[Update] = []
    write = Table.write

    def note(table: Table, one: Any) -> None:
        if one.key == watch_key(tenant.space_id):
            written.append(one)
        write(table, one)

    monkeypatch.setattr(Table, "write", note)
    for number in range(1, 8):
        start_cold("run_monitors")
        tick(now + number * MINUTE)
    # Half an hour later, which no wake of some minutes stands for
    Deployment(clock=lambda: now + 50 * MINUTE).wake([tenant.space_id])
    assert written == []
