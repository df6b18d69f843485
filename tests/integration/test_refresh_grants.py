"""The wheel of grants: what nobody uses is refreshed before it dies, and ends are announced."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import refresh_grants
from local.provider import Provider
from patchbay.connections.announcements import OUTBOX_PKS
from patchbay.connections.keys import grant_key
from patchbay.grants.grant_store import SHARDS, GrantStore
from patchbay.grants.timing import KEEP_ALIVE
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Put, Table, Update
from tests.integration.alerting import Context
from tests.integration.api import sample_event, start_cold
from tests.integration.authorizing import authorization_server, publish_tracker
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection
from tests.integration.table_calls import Attempt, Carry, Reply, meeting
from tests.integration.test_grants import check, created, grant_of, later, pasted, refreshes

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def served(
    deployed: dict[str, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Provider]:
    with authorization_server(tmp_path, monkeypatch) as server:
        yield server


def turn(served: Provider, **by: float) -> None:
    """Runs the wheel once, this much later."""
    later(served, **by)
    start_cold("refresh_grants")
    passed = timedelta(seconds=served.oauth._later)
    refresh_grants.deployment.clock = lambda: utc_now() + passed
    refresh_grants.handler(sample_event("refresh_grants"), Context())


def told() -> list[dict[str, Any]]:
    items = chain.from_iterable(map(Table("IntegrationsTable").query_all, OUTBOX_PKS))
    return [{"what": item["what"], **item["detail"]} for item in items]


def changed(tenant: Tenant, path: str, **values: Any) -> None:
    """A grant that the provider gave other terms."""
    key = grant_key(tenant.organization_id, path.rpartition("/")[2])
    Table("IntegrationsTable").write(Update(key, values=values))


def test_an_unused_refresh_token_is_refreshed_once(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)

    turn(served, days=1)
    assert refreshes(served) == 1
    turn(served, days=KEEP_ALIVE.days)
    assert refreshes(served) == 2
    turn(served, minutes=5)
    assert refreshes(served) == 2
    assert grant_of(tenant, path)["generation"] == 2


def test_one_that_ends_sooner_is_refreshed_sooner(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served, refresh_seconds=2 * 86_400))
    check(tenant, path)

    turn(served, days=1)

    assert refreshes(served) == 2
    assert grant_of(tenant, path)["status"] == "active"


def test_a_refused_refresh_token_is_announced_once(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    source = tenant.client.get(path).json
    connection = create_connection(tenant, source)
    check(tenant, path)
    served.oauth.faults = ["invalid_grant"]

    for _ in range(3):
        turn(served, days=KEEP_ALIVE.days)

    [event] = told()
    assert (event["what"], event["connection_id"]) == ("connection.reauthorize", connection["id"])
    assert event["endpoint_id"] == source["id"]
    assert refreshes(served) == 2


def test_an_end_that_nothing_can_move_is_announced_at_21_7_and_1_days(
    tenant: Tenant, served: Provider
) -> None:
    # Given an access that ends in 30 days, with nothing to renew it
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    source = tenant.client.get(path).json
    create_connection(tenant, source)
    check(tenant, path)
    turn(served, days=KEEP_ALIVE.days)
    ends = utc_now() + timedelta(seconds=served.oauth._later) + timedelta(days=30)
    at = ends.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    changed(tenant, path, renewed_by=None, expires_at=at)

    # When the wheel turns each day, it is told three times, and then that it has ended
    kinds: list[str] = []
    for _ in range(34):
        turn(served, days=1)
        assert len(told()) <= len(kinds) + 1
        kinds = [event["what"] for event in told()]
    assert kinds == ["connection.expiring"] * 3 + ["connection.reauthorize"]
    assert {event["access_ends_at"] for event in told()} == {at}
    grant = grant_of(tenant, path)
    assert (grant["status"], grant["end"]["reason"]) == ("reauthorize", "expired")


def test_a_provider_that_fails_is_asked_again_later(tenant: Tenant, served: Provider) -> None:
    publish_tracker(tenant, served.port)
    path = created(tenant, pasted(served))
    check(tenant, path)
    served.oauth.faults = ["500"]

    turn(served, days=KEEP_ALIVE.days)
    assert grant_of(tenant, path)["status"] == "failing"
    turn(served, minutes=61)
    assert grant_of(tenant, path)["status"] == "active"


def test_an_idle_turn_only_asks_the_index(deployed: dict[str, Table]) -> None:
    asked: list[str] = []

    def note(attempt: Attempt, carry: Carry) -> Reply:
        asked.append(attempt.request["IndexName"])
        return carry()

    with meeting(note):
        refresh_grants.handler(sample_event("refresh_grants"), Context())
    assert asked == ["monitor_slot"] * SHARDS


def test_an_organization_with_many_due_grants_hides_no_other(deployed: dict[str, Table]) -> None:
    table = deployed["IntegrationsTable"]

    def due_since(organization_id: str, minute: int, number: int) -> None:
        key = grant_key(organization_id, f"src_{number:02}")
        place = {
            "monitor_slot_pk": "GRANTS#0",
            "monitor_slot_sk": f"2026-02-17T10:{minute:02}:00.000Z#src_{number:02}",
        }
        table.write(Put({**key._asdict(), **place}))

    for number in range(25):
        due_since("org_many", number, number)
    due_since("org_one", 50, 0)

    due = GrantStore(table).due(0, utc_now(), limit=10, of_one=3)

    found = [(one.organization_id, one.endpoint_id) for one in due]
    assert found == [*(("org_many", f"src_0{n}") for n in range(3)), ("org_one", "src_00")]
