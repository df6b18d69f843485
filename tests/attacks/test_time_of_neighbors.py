"""A tenant stores what is costly to prepare: its neighbors' tests run in their minute all the same.

A tenant whose own tests are slow may get them late. Nobody else's wait for them.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from local.provider import Provider
from patchbay.connection_tests import tester as testing
from patchbay.connections.connection_model import Connection
from tests.integration import test_run_tests as queued
from tests.integration.conftest import Tenant
from tests.integration.monitoring import (
    deliver,
    dispatch,
    history,
    monitored,
    run,
    this_minute,
)
from tests.integration.story import (
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket

CONNECTIONS = 20
MONITOR = {"enabled": True, "interval": "1m"}


def compute(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def slow_for(
    monkeypatch: pytest.MonkeyPatch, organization_id: str, work: Callable[[], None]
) -> None:
    """Preparing a connection of this organization does this work first."""
    undisturbed = testing.Tester.prepare_connection

    def prepare(tester: testing.Tester, connection: Connection, *read: Any) -> testing.PreparedTest:
        if connection.organization_id == organization_id:
            work()
        return undisturbed(tester, connection, *read)

    monkeypatch.setattr(testing.Tester, "prepare_connection", prepare)


@pytest.mark.parametrize(
    "work",
    [lambda: time.sleep(60.0), lambda: compute(0.5)],
    ids=["a fake that blocks", "a computation"],
)
def test_twenty_connections_that_are_costly_to_prepare_do_not_delay_a_neighbor(
    tenant: Tenant,
    stranger: Tenant,
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[], None],
) -> None:
    # Given a neighbor with a monitor, and 20 connections of a stranger in the same minute
    [mine] = monitored(tenant, server.port, ["me"]).values()
    publish_integration(stranger, publisher="globex", manifest=calling(server.port))
    source = create_source(stranger, integration="globex/crm")
    for _ in range(CONNECTIONS):
        create_connection(stranger, source, monitor=MONITOR)
    slow_for(monkeypatch, stranger.organization_id, work)
    # When the minute is swept
    dispatch(this_minute())
    started = time.monotonic()
    assert run(deliver()) == []
    # Then the neighbor's test ran and passed within its minute
    assert time.monotonic() - started < 45
    [test] = history(tenant, mine)
    assert test["status"] == "succeeded"


def test_schemas_as_slow_as_they_may_be_do_not_delay_a_neighbor(
    tenant: Tenant, stranger: Tenant, server: Provider
) -> None:
    # Given a stranger whose configurations are validated by a schema as large as it may be
    [mine] = monitored(tenant, server.port, ["me"]).values()
    manifest, configurations = costly_configurations(calling(server.port))
    publish_integration(stranger, publisher="globex", manifest=manifest)
    source = create_source(stranger, integration="globex/crm")
    for _ in range(CONNECTIONS):
        create_connection(stranger, source, configurations=configurations, monitor=MONITOR)
    dispatch(this_minute())
    started, cpu = time.monotonic(), time.process_time()
    assert run(deliver()) == []
    assert time.monotonic() - started < 45
    assert time.process_time() - cpu < 15
    [test] = history(tenant, mine)
    assert test["status"] == "succeeded"


def costly_configurations(manifest: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Many branches, each with a pattern, tried on many strings; accepted by the last one."""
    branches = [{"pattern": f"^[a-y]{{1,9}}{number:03}$"} for number in range(60)]
    items = {"anyOf": [*branches, {"type": "string"}]}
    schema = {"type": "object", "properties": {"list": {"type": "array", "items": items}}}
    return {**manifest, "configurationSchema": schema}, {"list": ["zzzzzzzz"] * 60}


def test_a_queued_test_that_can_not_be_prepared_delays_no_other_of_its_batch(
    tenant: Tenant, stranger: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a queued test of a neighbor, and three of a stranger whose preparation hangs
    monkeypatch.setattr("patchbay.connection_tests.preparation.PREPARATION_SECONDS", 1.0)
    publish_integration(tenant, manifest=calling(server.port))
    mine = create_connection(tenant, create_source(tenant))
    publish_integration(stranger, publisher="globex", manifest=calling(server.port))
    theirs = create_connection(stranger, create_source(stranger, integration="globex/crm"))
    asked = [queued.ask(stranger, theirs) for _ in range(3)]
    answer = queued.ask(tenant, mine)
    slow_for(monkeypatch, stranger.organization_id, lambda: time.sleep(60.0))
    # When the batch runs
    started = time.monotonic()
    assert queued.run(queued.delivered()) == []
    # Then all of it ends soon, and only the stranger's own tests did not run
    assert time.monotonic() - started < 20
    assert queued.read(tenant, answer.json["href"])["status"] == "succeeded"
    for one in asked:
        test = queued.read(stranger, one.json["href"])
        assert (test["code"], test["blame"]) == ("budget_exhausted", "platform")
