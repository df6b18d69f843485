"""A tenant tries to decide about its neighbors: to hide their outages, to slow them, to use up what
they share.

Each story begins with a victim for whom all is well, and an attacker with every permission of a
tenant, or several of them.
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import pytest

from local.provider import Provider, provider
from patchbay.connections.data_keys import KeyRing
from patchbay.connections.keys import data_key_key
from patchbay.deployment import Deployment
from patchbay.monitors.canary import OwnNetwork
from patchbay.monitors.own_network import OwnEvidence
from patchbay.platform import aws as services
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Key, Table, Update
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.monitoring import (
    MINUTE,
    health,
    history,
    monitored,
    plan_from_the_first_minute,
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

EVERY_MINUTE = {"enabled": True, "interval": "1m"}


@pytest.fixture(autouse=True)
def _one_page_a_minute(deployed: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections are tested and judged together, and re-probes follow at once."""
    plan_from_the_first_minute(monkeypatch)
    monkeypatch.setenv("MONITOR_LANES", "1")
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool | None]:
    """What our own servers show: nothing, until a test sets it."""
    seen: dict[str, bool | None] = {}

    async def look(_: OwnNetwork) -> OwnEvidence:
        return OwnEvidence(**seen)

    monkeypatch.setattr(OwnNetwork, "look", look)
    return seen


@contextmanager
def serving() -> Iterator[Provider]:
    with provider() as served:
        served.valid_key = SECRET
        yield served


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def monitor_each(attacker: Tenant, ports: Sequence[int]) -> list[dict[str, Any]]:
    """A monitored connection of this organization to each of these ports."""
    made = []
    for port in ports:
        slug = f"port-{port}"
        publisher = attacker.space_slug
        publish_integration(attacker, publisher=publisher, slug=slug, manifest=calling(port))
        source = create_source(attacker, integration=f"{publisher}/{slug}")
        made.append(create_connection(attacker, source, monitor=EVERY_MINUTE))
    return made


def error_count(tenant: Tenant) -> int:
    path = f"/spaces/{tenant.space_slug}/integration-health"
    count: int = tenant.client.get(path).json["error_count"]
    return count


def assert_outage_is_told(victim: Tenant, connection: dict[str, Any]) -> None:
    assert history(victim, connection)[0]["code"] == "connection_refused"
    assert error_count(victim) == 3
    assert health(victim, connection)["status"] == "disconnected"


def test_one_organization_with_many_dead_targets_does_not_hide_an_outage(
    tenant: Tenant, stranger: Tenant
) -> None:
    # Given a victim that is connected, and a neighbor whose targets are all closed
    now = this_minute() - 20 * MINUTE
    with serving() as served:
        [connection] = monitored(tenant, served.port, ["me"]).values()
        monitor_each(stranger, [closed_port() for _ in range(8)])
        tick(now)
        assert health(tenant, connection)["status"] == "connected"
    # When the victim's provider stops
    for minute in range(1, 4):
        tick(now + minute * MINUTE)
    # Then its errors are counted, and its connection is disconnected
    assert_outage_is_told(tenant, connection)


def test_an_organization_that_takes_its_own_targets_down_at_once_does_not_hide_an_outage(
    tenant: Tenant, stranger: Tenant
) -> None:
    now = this_minute() - 20 * MINUTE
    # Given a neighbor whose targets work, until it stops them together with the victim's provider
    with ExitStack() as everything:
        served = everything.enter_context(serving())
        [connection] = monitored(tenant, served.port, ["me"]).values()
        own = [everything.enter_context(serving()).port for _ in range(6)]
        monitor_each(stranger, own)
        tick(now)
    for minute in range(1, 4):
        tick(now + minute * MINUTE)
    assert_outage_is_told(tenant, connection)


@pytest.mark.parametrize("proven", [True, None])
def test_colluding_organizations_never_outweigh_what_we_have_seen_ourselves(
    tenant: Tenant, evidence: dict[str, bool | None], proven: bool | None
) -> None:
    # Given six organizations of one attacker, all of whose targets worked and then stop
    now = this_minute() - 20 * MINUTE
    with ExitStack() as everything:
        served = everything.enter_context(serving())
        [connection] = monitored(tenant, served.port, ["me"]).values()
        for number in range(6):
            colluding = new_tenant(f"colluding-{number}", TENANT_PERMISSIONS)
            monitor_each(colluding, [everything.enter_context(serving()).port])
        tick(now)
    evidence["internet"] = proven
    for minute in range(1, 4):
        tick(now + minute * MINUTE)
    # When a server of our own choice can be reached, they change nothing
    if proven:
        assert_outage_is_told(tenant, connection)
    # Without any evidence of our own, it is as if the whole deployment were offline
    else:
        assert history(tenant, connection)[0]["code"] == "monitor_offline"
        assert health(tenant, connection)["status"] == "connected"


def test_colluding_organizations_whose_targets_never_worked_do_not_hide_an_outage(
    tenant: Tenant,
) -> None:
    # Given six organizations of one attacker, each with a target of its own that was always dead
    now = this_minute() - 20 * MINUTE
    with serving() as served:
        [connection] = monitored(tenant, served.port, ["me"]).values()
        for number in range(6):
            monitor_each(new_tenant(f"dead-{number}", TENANT_PERMISSIONS), [closed_port()])
        tick(now)
    # When the victim's provider stops, and nothing is known of our own network
    for minute in range(1, 4):
        tick(now + minute * MINUTE)
    # Then they say nothing new: the outage is told
    assert_outage_is_told(tenant, connection)


def test_a_tenant_does_not_hide_that_the_deployment_is_offline(
    tenant: Tenant, stranger: Tenant, evidence: dict[str, bool | None]
) -> None:
    # Given a neighbor with many targets that are reached even when the internet is not
    now = this_minute() - 20 * MINUTE
    with serving() as beside_us:
        with serving() as served:
            [connection] = monitored(tenant, served.port, ["me"]).values()
            monitor_each(stranger, [beside_us.port])
            tick(now)
        # When our own servers are out of reach, though they were reached before
        evidence["internet"] = False
        for minute in range(1, 4):
            tick(now + minute * MINUTE)
    # Then no connection is blamed, and the neighbor's own results stand
    assert history(tenant, connection)[0]["code"] == "monitor_offline"
    assert health(tenant, connection)["status"] == "connected"
    assert error_count(tenant) == 0


def test_a_deployment_with_one_organization_is_told_of_its_outages(
    tenant: Tenant,
) -> None:
    now = this_minute() - 20 * MINUTE
    with ExitStack() as everything:
        ports = [everything.enter_context(serving()).port for _ in range(6)]
        connections = monitor_each(tenant, ports)
        tick(now)
    for minute in range(1, 4):
        tick(now + minute * MINUTE)
    assert {health(tenant, one)["status"] for one in connections} == {"disconnected"}


# ---------------------------------------------------------------- what organizations share


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    """The keys of all items that are read from now on."""
    seen: list[Key] = []
    undisturbed = Table.get

    def get(table: Table, key: Key, **named: Any) -> Any:
        seen.append(key)
        return undisturbed(table, key, **named)

    monkeypatch.setattr(Table, "get", get)
    return seen


def issued_key(tenant: Tenant, name: str) -> str:
    path = f"/v1/organizations/{tenant.organization_id}/api-keys"
    answer = tenant.client.post(path, {"name": name, "permissions": ["platform.integration.read"]})
    assert answer.status == 201, answer.text
    key: str = answer.json["key"]
    return key


def test_guesses_at_a_key_do_not_use_up_the_reads_of_its_partition(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a key whose prefix strangers know, because it is not secret
    key = issued_key(tenant, "victim")
    prefix = key.split("_")[1]
    authenticator = Deployment().authenticator
    read = reads(monkeypatch)
    # When they try secrets for it
    now = utc_now()
    for number in range(100):
        assert authenticator.context(f"Bearer pb_{prefix}_{number:043}", now) == {}
    # Then its item is read once, and the key itself still works
    assert authenticator.context(f"Bearer {key}", now) != {}
    assert len([one for one in read if one.pk == f"APIKEY#{prefix}"]) == 1


def test_an_organization_with_many_keys_does_not_slow_down_the_requests_of_others(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.tenancy.authentication.MAX_CACHED", 4)
    monkeypatch.setattr("patchbay.tenancy.api_key_store.MAX_KNOWN", 4)
    victim = issued_key(tenant, "victim")
    many = [issued_key(stranger, f"k{number}") for number in range(8)]
    authenticator, now = Deployment().authenticator, utc_now()
    assert authenticator.context(f"Bearer {victim}", now) != {}
    for key in many:
        assert authenticator.context(f"Bearer {key}", now) != {}
    read = reads(monkeypatch)
    assert authenticator.context(f"Bearer {victim}", now) != {}
    assert read == []


def test_an_organization_whose_keys_are_slow_to_unwrap_holds_up_no_other(
    tenant: Tenant, stranger: Tenant
) -> None:
    # Given data keys of two organizations, one of which only KMS opens, and a KMS that does not
    # answer for it
    kms, key_id = services.client("kms"), Deployment().settings.vault_key_id
    now, table = utc_now(), Table("IntegrationsTable")
    for one in (tenant, stranger):
        KeyRing(table, key_id, kms).current(one.organization_id, now)
    key = data_key_key(stranger.organization_id, 1)
    table.write(Update(key, remove=("deployment_key", "rewrapped")))
    asked, answer = threading.Event(), threading.Event()

    class Kms:
        def decrypt(self, **named: Any) -> Any:
            if named["EncryptionContext"] == {"organization": stranger.organization_id}:
                asked.set()
                answer.wait(30)
            return kms.decrypt(**named)

    ring = KeyRing(Table("IntegrationsTable"), key_id, cast(Any, Kms()))
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(ring.key, stranger.organization_id, 1, now)
        assert asked.wait(10)
        # When the other one's key is needed, then it does not wait
        quick = pool.submit(ring.key, tenant.organization_id, 1, now)
        try:
            assert len(quick.result(timeout=10)) == 32
            assert not slow.done()
        finally:
            answer.set()
        assert len(slow.result(timeout=10)) == 32
