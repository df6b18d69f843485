"""What tests read from the snapshots of plans, and when they must not."""

from collections.abc import Callable
from typing import Any

import pytest

from local.provider import Provider
from patchbay.connections.keys import PLAN_WORK, secret_key
from patchbay.connections.plan_store import PlanStore
from patchbay.connections.plans import MonitorPlan
from patchbay.connections.snapshots import snapshot_of
from patchbay.deployment import Deployment
from patchbay.monitors.planned_tests import PlannedTest
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Item, Key, Table
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.monitoring import (
    MINUTE,
    health,
    history,
    monitored,
    plan_from_the_first_minute,
    this_minute,
    tick_after_quiet,
)
from tests.integration.story import SECRET

pytestmark = pytest.mark.enable_socket


@pytest.fixture(autouse=True)
def _with_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    plan_from_the_first_minute(monkeypatch)
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))


@pytest.fixture
def connection(tenant: Tenant, server: Provider) -> dict[str, Any]:
    """A connection that was tested: its plan has a snapshot."""
    [made] = monitored(tenant, server.port, ["me"]).values()
    tick_after_quiet(this_minute() - 9 * MINUTE)
    assert snapshot(tenant, made)
    server.requests.clear()
    return made


def plan_of(tenant: Tenant, connection: dict[str, Any]) -> MonitorPlan:
    stored = Deployment().connections.get(tenant.organization_id, connection["id"])
    item = Table("IntegrationsTable").get(stored.plans[0].key)
    assert item
    return MonitorPlan.read(item)


def snapshot(tenant: Tenant, connection: dict[str, Any]) -> dict[Key, Item]:
    packed = plan_of(tenant, connection).snapshot
    return snapshot_of(packed).items if packed else {}


def sent_keys(server: Provider) -> list[str]:
    return [" ".join(headers.values()) for _, headers in server.requests]


def enter(tenant: Tenant, connection: dict[str, Any], secret: str) -> None:
    path = f"{tenant.connectors}/sources/{connection['source_id']}"
    assert tenant.client.patch(path, {"secrets": {"api_key": secret}}).status == 200


def test_a_test_reads_neither_its_connection_nor_its_endpoints_again(
    tenant: Tenant, connection: dict[str, Any], server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_keys(monkeypatch)
    tick_after_quiet(this_minute() - 8 * MINUTE)
    assert len(server.requests) == 1
    assert not {key.sk.partition("#")[0] for key in read} & {"CON", "SRC", "SECRETS"}


def read_keys(monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """The keys that are read from now on."""
    read: list[Key] = []

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Table, asked: Any, **more: Any) -> Any:
            keys = [asked] if isinstance(asked, Key) else list(asked)
            read.extend(keys)
            return method(self, asked if isinstance(asked, Key) else keys, **more)

        return call

    monkeypatch.setattr(Table, "reread", counted(Table.reread))
    monkeypatch.setattr(Table, "get_all", counted(Table.get_all))
    return read


@pytest.mark.parametrize("dies", [False, True])
def test_what_was_replaced_is_not_sent_again(
    tenant: Tenant,
    connection: dict[str, Any],
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
    dies: bool,
) -> None:
    def died(*_: object, **__: object) -> None:
        raise TemporarilyUnavailable

    if dies:  # its editor, before the snapshots were dropped, and the dispatcher
        monkeypatch.setattr(PlanStore, "_drop", died)
        monkeypatch.setattr(PlanStore, "drop_left_behind", lambda _: 0)
    server.valid_key = "fresh"
    enter(tenant, connection, "fresh")
    assert bool(snapshot(tenant, connection)) is dies
    for ago in (8, 7):
        tick_after_quiet(this_minute() - ago * MINUTE)
    assert len(server.requests) == 2
    assert not any(SECRET in key for key in sent_keys(server))
    assert health(tenant, connection)["consecutive_successes"] == 3
    marks = list(Table("IntegrationsTable").query_all(PLAN_WORK))
    assert bool(marks) is dies


def test_a_failure_that_an_edit_has_ended_does_not_count(
    tenant: Tenant, connection: dict[str, Any], server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, edits = PlannedTest.prepare, ["fresh"]

    def prepared_and_edited(self: PlannedTest) -> PlannedTest | None:
        test = prepare(self)
        if edits:
            enter(tenant, connection, edits[0])
            server.valid_key = edits.pop()
        return test

    monkeypatch.setattr(PlannedTest, "prepare", prepared_and_edited)
    tick_after_quiet(this_minute() - 8 * MINUTE)
    assert [test["status"] for test in history(tenant, connection)] == ["succeeded"] * 2
    assert health(tenant, connection)["consecutive_successes"] == 2
    # And the next test has what was read
    tick_after_quiet(this_minute() - 7 * MINUTE)
    assert "fresh" in sent_keys(server)[-1]


def test_secrets_that_are_sealed_again_are_opened_and_kept(
    tenant: Tenant, connection: dict[str, Any], server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given secrets that are sealed again, and a data key that is deleted after it
    keys = f"/v1/organizations/{tenant.organization_id}/data-keys"
    assert tenant.client.call("POST", keys, None).status == 201
    assert tenant.client.call("POST", f"{keys}/reseal", None).json["resealed"] == 1
    tick_after_quiet(this_minute() - 8 * MINUTE)
    assert tenant.client.delete(f"{keys}/1").status == 204
    # Then functions that do not have that key in memory test with what is stored now
    key = secret_key(tenant.organization_id, connection["source_id"])
    assert snapshot(tenant, connection)[key]["data_key"] == 1
    start_cold("run_monitors")
    tick_after_quiet(this_minute() - 7 * MINUTE)
    assert health(tenant, connection)["consecutive_successes"] == 3
    assert snapshot(tenant, connection)[key]["data_key"] == 2
    # And once: it is in the snapshot
    start_cold("run_monitors")
    read = read_keys(monkeypatch)
    tick_after_quiet(this_minute() - 6 * MINUTE)
    assert health(tenant, connection)["consecutive_successes"] == 4
    assert key not in read


def test_secrets_whose_key_was_destroyed_do_not_open_from_a_snapshot(
    tenant: Tenant,
    operator: Tenant,
    connection: dict[str, Any],
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = f"/v1/organizations/{tenant.organization_id}/data-keys"
    confirmed = f"{keys}?through=1&confirm={tenant.organization_id}"
    assert operator.client.delete(confirmed).status == 200
    start_cold("run_monitors")
    for ago in (8, 7):
        tick_after_quiet(this_minute() - ago * MINUTE)
    assert server.requests == []
    assert [test["code"] for test in history(tenant, connection)[:2]] == ["secret_not_found"] * 2
    assert health(tenant, connection)["consecutive_failures"] == 2
    # And what is not there any more is not stored again each time
    revision = plan_of(tenant, connection).revision
    monkeypatch.setattr(
        "patchbay.connections.health_recorder.HealthRecorder.record", lambda *_, **__: []
    )
    tick_after_quiet(this_minute() - 6 * MINUTE)
    assert plan_of(tenant, connection).revision == revision


def test_another_deployment_key_leaves_snapshots_as_they_are(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    keys = Deployment().vault.keys
    keys.deployment_keys.rotate(utc_now())
    assert keys.rewrap(tenant.organization_id, utc_now()).rewrapped == 1
    start_cold("run_monitors")
    before = snapshot(tenant, connection)
    tick_after_quiet(this_minute() - 8 * MINUTE)
    assert health(tenant, connection)["consecutive_successes"] == 2
    assert snapshot(tenant, connection) == before
