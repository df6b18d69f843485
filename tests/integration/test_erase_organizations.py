"""An erasure leaves nothing of an organization, and everything of the others."""

import ast
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import erase_organizations
from local.provider import Provider
from patchbay.checks.roles import Role
from patchbay.checks.token_calls import IssuedTokens
from patchbay.connection_tests import identity
from patchbay.connections.announcements import OUTBOX_PKS, UNDIVIDED_PK
from patchbay.connections.keys import (
    application_key,
    drop_key,
    endpoint_key,
    flow_failure_key,
    flow_key,
    listed_flow_key,
)
from patchbay.deployment import Deployment
from patchbay.erasure.eraser import RESERVE_SECONDS, Eraser
from patchbay.erasure.families import FAMILIES, Family, Fate, TableName, family_of
from patchbay.erasure.store import LEASE, SETTLED, ErasureStore
from patchbay.grants.client_origin import ClientOrigin
from patchbay.health.model import Event, EventStatus
from patchbay.health.periods import periods_of
from patchbay.health.shards import bucket_key, bucket_puts
from patchbay.health.store import EventStore
from patchbay.platform.clock import to_text, utc_now
from patchbay.platform.dynamodb import Delete, Key, Put, Table, Update
from patchbay.platform.ids import new_id
from patchbay.runs.model import Cell
from patchbay.runs.reader import RunReader
from patchbay.tenancy.access import Permission
from patchbay.tenancy.api_key_store import CACHED_FOR
from patchbay.tenancy.install_tokens import InstallTokens
from patchbay.tenancy.keys import organization_pause_key
from tests.integration.account import stored_items
from tests.integration.alerting import create_rule, evaluate
from tests.integration.alerting import report as report_events
from tests.integration.api import ENVIRONMENTS, ROOT, sample_event, start_cold
from tests.integration.authorizing import (
    authorization_server,
    enter_application,
    publish_tracker,
)
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.documented import Names
from tests.integration.monitoring import this_minute, tick
from tests.integration.story import (
    SECRET,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.table_calls import Attempt, Carry, Reply, meeting
from tests.integration.test_ingest_events import delivered, envelope
from tests.integration.test_isolation import everything_of
from tests.unit.runs.recorded_runs import Monitors, connections

pytestmark = pytest.mark.enable_socket

EXTERNAL_ID = "customer-8123"
EVERY_ROLE = {"roles": ["source", "destination"]}
_KEY_LIKE = re.compile(r"[A-Z][A-Z_]+#")
_OF_INDEXES = {"ALERTS#", "CATALOGUE#", "GRANTS#", "OUTBOX#", "ORG#", "SPACE#"}
"""Partitions of indexes alone: their items are in families by their own keys."""
_OF_ERASURES = {"INTEGRATION#", "SUBJECT#"}
"""The kinds of marks."""
_OF_LISTS = {"EXPORT#"}
"""What cursors are bound to."""

TABLES = {"IntegrationsTable": TableName.INTEGRATIONS, "EventsTable": TableName.EVENTS}


class Killed(BaseException):
    """The end of a process."""


class Death:
    """Within the block, the process dies at a write: before it, or after it was `applied`."""

    def __init__(self, after: int, *, applied: bool) -> None:
        self.came = False
        self._left = after
        self._applied = applied

    @contextmanager
    def awaited(self) -> Iterator[None]:
        with suppress(Killed), meeting(self._meet):
            yield

    def _meet(self, attempt: Attempt, carry: Carry) -> Reply:
        if self.came:
            raise Killed
        if attempt.operation.endswith(("Query", "GetItem")):
            return carry()
        self._left -= 1
        if self._left == 0:
            self.came = True
            if self._applied:
                carry()
            raise Killed
        return carry()


class Context:
    """Of an invocation with this much time left, at each look one second less."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> float:
        self.seconds -= 1
        return self.seconds * 1000


def erase(operator: Tenant, tenant: Tenant, **headers: str) -> Any:
    path = f"/v1/organizations/{tenant.organization_id}?confirm={tenant.organization_id}"
    answer = operator.client.delete(path, **headers)
    assert answer.status == 202, answer.text
    return answer.json


def work(at: datetime, seconds: float = 100_000) -> dict[str, int]:
    start_cold("erase_organizations")
    erase_organizations.deployment.clock = lambda: at
    done: dict[str, int] = erase_organizations.handler(
        sample_event("erase_organizations"), Context(seconds)
    )
    return done


def erased(operator: Tenant, tenant: Tenant) -> dict[str, Any]:
    """The report of an erasure that was asked for and carried out."""
    erase(operator, tenant)
    work(utc_now())
    work(utc_now() + SETTLED)
    return report(operator, tenant)


def report(operator: Tenant, tenant: Tenant) -> dict[str, Any]:
    answer = operator.client.get(f"/v1/organizations/{tenant.organization_id}/erasure")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def items() -> dict[tuple[str, str, str], str]:
    """All items of both tables, as text."""
    return {
        (name, item["pk"]["S"], item["sk"]["S"]): json.dumps(item, sort_keys=True, default=repr)
        for name in TABLES
        for item in stored_items(name)
    }


def family(place: tuple[str, str, str]) -> Family | None:
    table, pk, sk = place
    return family_of(TABLES[table], Key(pk, sk))


def ids_of(names: Names) -> list[str]:
    """Whatever of a tenant's names is an id."""
    return [name for name in names.names.values() if len(name) > 20]


def mentions(ids: list[str]) -> dict[tuple[str, str, str], str]:
    """The items that have one of these ids."""
    return {p: text for p, text in items().items() if any(one in text for one in ids)}


def fate(place: tuple[str, str, str]) -> Fate:
    one = family(place)
    return one.fate if one else Fate.ERASED


def is_lasting(place: tuple[str, str, str]) -> bool:
    """Whether other requests do not change an item in passing."""
    return not place[1].startswith(("LIMIT#", "IDEM#", "SYSTEM"))


def world(tenant: Tenant, operator: Tenant) -> Names:
    """Everything that a tenant may have, in every family of items, and what it had."""
    publish_integration(
        operator, publisher="shared", slug="crm", manifest=EVERY_ROLE, visibility="public"
    )
    names = everything_of(tenant)
    path = f"/v1/organizations/{tenant.organization_id}"
    assert operator.client.patch(path, {"external_id": EXTERNAL_ID}).status == 200
    page = {"status_page": {"enabled": True}}
    assert tenant.client.patch(f"/spaces/{tenant.space_slug}", page).status == 200
    spaces = f"{path}/spaces"
    assert tenant.client.post(spaces, {"slug": "paused", "name": "Paused"}).status == 201
    assert tenant.client.patch("/spaces/paused", {"paused": True}).status == 200
    client, tested = tenant.client, f"{tenant.connectors}/connections"
    create_source(tenant, integration="shared/crm")
    draft = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "old", "name": "Old"}
    old = client.post("/v1/integrations", draft, idempotency_key="once").json
    assert client.delete(f"/v1/integrations/{old['id']}").status == 204
    connection = create_connection(tenant, create_source(tenant))
    assert client.post(f"{tested}/{connection['id']}/test?mode=async", None).status == 202
    assert client.delete(f"{tested}/{connection['id']}").status == 204
    deployment = Deployment(ENVIRONMENTS["run_monitors"])
    announced = {"organization_id": tenant.organization_id, "connection_id": connection["id"]}
    waiting = {"what": "connection.failing", "detail": announced}
    for sk in (f"GRANT#{connection['source_id']}", f"USAGE#{connection['id']}"):
        deployment.integrations.write(Put({"pk": f"ORG#{tenant.organization_id}", "sk": sk}))
    flow = {"organization_id": tenant.organization_id, "variables": "{}"}
    deployment.integrations.write(Put({**flow_key("hash")._asdict(), **flow}))
    listed = listed_flow_key(tenant.organization_id, "hash")
    deployment.integrations.write(Put(listed._asdict()))
    for pk in (UNDIVIDED_PK, OUTBOX_PKS[-1]):
        outbox = {"pk": pk, "sk": "2026-02-17T10:00:00.000Z#evt_1"}
        deployment.integrations.write(Put(outbox | waiting))
    failed = flow_failure_key(tenant.organization_id, names.names["session_id"])
    deployment.integrations.write(Put({**failed._asdict(), "outcome": "denied"}))
    monitor_with_a_plan(deployment, tenant)
    count_on_a_side_shard(deployment.events, tenant)
    record_in_runs(deployment.events, tenant, connection["id"])
    return names.and_({"old_integration": old["id"], "old_connection": connection["id"]})


def monitor_with_a_plan(deployment: Deployment, tenant: Tenant) -> None:
    """A monitored connection whose space is moved, an edit whose snapshots are not dropped yet, and
    the shape of a test."""
    monitor = {"enabled": True, "interval": "5m"}
    connection = create_connection(tenant, create_source(tenant), monitor=monitor)
    moves = deployment.plan_moves
    moves.adopt(tenant.organization_id, tenant.space_slug, tenant.space_id, utc_now())
    moves.go_on(utc_now(), lambda: 100.0)
    mark = drop_key(connection["source_id"], 2)._asdict()
    deployment.integrations.write(Put({**mark, "organization_id": tenant.organization_id}))
    shape = {"pk": f"CON#{connection['id']}", "sk": "SHAPE#0123456789ab", "shape": b"{}"}
    deployment.events.write(Put(shape))


def record_in_runs(events: Table, tenant: Tenant, connection_id: str) -> None:
    """A test of today in a run of the space, and one in a pool's; and a day that is closed, whose
    tests are in segments."""
    tested = {tenant.space_id: [connection_id]}
    for cell in (Cell.of_space(tenant.space_id), Cell.of_pool(5)):
        monitors = Monitors(events, cell, tested, utc_now() - timedelta(days=2))
        monitors.run_once(monitors.now.replace(second=0, microsecond=0))
        monitors.now = utc_now()
        monitors.close_days()
        monitors.run_once(monitors.now.replace(second=0, microsecond=0))
    assert events.query(f"SPACE#{tenant.space_id}#S").items


def count_on_a_side_shard(table: Table, tenant: Tenant) -> None:
    """As a writer that met others does, so that the day has to be folded."""
    now = utc_now()
    report_events(tenant, EventStatus.SUCCESS, now, number=1)
    for period in periods_of(now):
        key = bucket_key(tenant.space_id, period, 3)
        table.transact(list(bucket_puts(key, period, table.get(key), ())))


def test_nothing_of_an_organization_is_left(operator: Tenant, tenant: Tenant) -> None:
    """Of a tenant that has something in every family, and had what it deleted.

    A family that is not listed would be erased only with its partition, and is not exported.
    """
    ids = ids_of(world(tenant, operator))
    places = items()
    assert [place for place in places if family(place) is None] == []
    there = {one for place in places if (one := family(place))}
    assert [one for one in FAMILIES if one not in there and one.fate is not Fate.SHARED] == []
    assert len(mentions(ids)) > 50
    found = erased(operator, tenant)
    left = mentions(ids)
    assert {place for place in left if fate(place) is Fate.ERASED} == set()
    assert (found["status"], found["left"], found["failures"]) == ("erased", 0, 0)
    assert found["removed"]["connections"] >= 1
    assert found["removed"]["tests"] >= 1
    # What stays says nothing of whom it was about
    stays = [text for place, text in items().items() if place in left]
    assert [text for text in stays if "Acme" in text or EXTERNAL_ID in text] == []
    trail = [text for place, text in left.items() if fate(place) is Fate.STRIPPED]
    assert len(trail) > 10
    assert [
        text for text in trail if "CRM" in text or "key_" in json.loads(text)["subject"]["S"]
    ] == []


def test_a_plan_that_a_move_writes_while_its_connection_is_erased_goes_too(
    operator: Tenant, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    world(tenant, operator)
    undisturbed = Eraser._subject
    written: list[Key] = []

    def moved_meanwhile(eraser: Eraser, run: Any, pk: str, seconds_left: Any) -> None:
        """The eraser has read the connection, and its plans, before this."""
        undisturbed(eraser, run, pk, seconds_left)
        table, connection = Deployment().integrations, Key(f"ORG#{tenant.organization_id}", pk)
        item = table.get(connection) if pk.startswith("CON#") else None
        if item and "plans" in item and not written:
            other = Key("WHEEL#5m#1", f"00#s1#0#{item['id']}")
            change = Update(connection, values={"plans": [*item["plans"], [*other, 7, None]]})
            table.transact([change, Put({**other._asdict(), "organization_id": "x"})])
            written.append(other)

    monkeypatch.setattr(Eraser, "_subject", moved_meanwhile)
    erased(operator, tenant)
    [other] = written
    assert Deployment().integrations.get(other) is None


def test_no_run_has_a_test_of_an_organization_that_was_erased(
    operator: Tenant, stranger: Tenant, tenant: Tenant, events_table: Table
) -> None:
    """In runs of its own, and in those of a pool, which the others in it keep."""
    spaces = {tenant.space_id: connections(2, of="own"), stranger.space_id: connections(1, of="s")}
    pool = Monitors(events_table, Cell.of_pool(3), spaces, utc_now() - timedelta(minutes=40))
    pool.run_until(utc_now())
    own = Cell.of_space(tenant.space_id)
    alone = Monitors(events_table, own, {tenant.space_id: connections(1, of="own")}, utc_now())
    alone.run_once(alone.now.replace(second=0, microsecond=0))
    erased(operator, tenant)
    runs = list(events_table.query_all("POOL#3#R"))
    assert len(runs) == len(pool.of_space(stranger.space_id))
    assert [run for run in runs if UUID(tenant.space_id).bytes in run["b"]] == []
    left = [place for place in items() if tenant.space_id in "".join(map(str, place))]
    assert left == []
    page = EventStore(events_table, 35, RunReader(events_table)).list_events(
        stranger.space_id, now=utc_now(), limit=100
    )
    assert page.items == pool.of_space(stranger.space_id)


def test_what_others_have_is_byte_for_byte_the_same(operator: Tenant, stranger: Tenant) -> None:
    """Even the counts of the releases and the OAuth applications that the tenant used."""
    publish_integration(
        operator, publisher="shared", slug="crm", manifest=EVERY_ROLE, visibility="public"
    )
    theirs = create_source(stranger, integration="shared/crm")
    table = Table("IntegrationsTable")
    shared = application_key(operator.organization_id, theirs["integration_id"])
    table.write(Put({**shared._asdict(), "uses": 3}))
    before = {place: text for place, text in items().items() if is_lasting(place)}
    tenant = new_tenant("acme", TENANT_PERMISSIONS)
    publish_integration(tenant, publisher="acme", manifest=EVERY_ROLE)
    source = create_source(tenant, integration="shared/crm")
    create_connection(tenant, source)
    granted = {"granted_by": operator.organization_id}
    table.write(Update(endpoint_key(tenant.organization_id, source["id"]), values=granted))
    table.write(Update(shared, add={"uses": 1}))
    assert {p: t for p, t in items().items() if is_lasting(p)} != before
    erased(operator, tenant)
    after = {place: text for place, text in items().items() if is_lasting(place)}
    assert {place: text for place, text in after.items() if place in before} == before
    left = {place[1:] for place in after.keys() - before.keys() if place[1][:6] != "AUDIT#"}
    assert left == {
        (f"ORG#{tenant.organization_id}", "ERASURE"),
        ("PUB#acme", "OWNER"),
        ("SLUG#acme", "CLAIM"),
    }


def test_a_closed_organization_is_reached_by_nobody(
    operator: Tenant, tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    """At once, but for the minute for which an authorizer may know a key."""
    made = create_rule(tenant)
    erase(operator, tenant)
    start_cold()
    assert tenant.client.get(f"/v1/organizations/{tenant.organization_id}").status == 401
    for path in (
        f"/v1/organizations/{tenant.organization_id}",
        f"/v1/organizations/{tenant.organization_id}/spaces",
        f"{tenant.connectors}/connections/{connection['id']}",
        f"/spaces/{tenant.space_slug}/alert-rules/{made['id']}",
    ):
        assert operator.client.get(path).status == 404, path
    listed = operator.client.get("/v1/organizations?limit=100").json["items"]
    assert tenant.organization_id not in [one["id"] for one in listed]
    # Events are refused, by the API and by the bus
    event = {"events": [{"integration_type": "webhook", "status": "SUCCESS"}]}
    events = f"/spaces/{tenant.space_slug}/integration-events"
    assert operator.client.post(events, event).status == 404
    assert delivered(envelope(tenant)) == [0]
    # and neither monitors nor alerts run
    assert evaluate(utc_now())["alert_notifications"] == 0


def test_monitors_of_a_closed_organization_stop(
    operator: Tenant, tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    interval = {"monitor": {"enabled": True, "interval": "1m"}}
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.patch(path, interval).status == 200
    # A plan that an edit makes begins two minutes later.
    now = this_minute()
    tick(now + timedelta(minutes=2))
    seen = len(server.requests)
    assert seen
    erase(operator, tenant)
    tick(now + timedelta(minutes=3))
    assert len(server.requests) == seen


def test_a_closed_organization_is_marked_as_paused_until_nothing_of_it_is_left(
    operator: Tenant, tenant: Tenant, connection: dict[str, Any]
) -> None:
    mark = organization_pause_key(tenant.organization_id)
    table = Table("IntegrationsTable")
    erase(operator, tenant)
    assert table.get(mark)
    # As an earlier release closed it
    table.write(Delete(mark))
    work(utc_now())
    assert table.get(mark)
    work(utc_now() + SETTLED)
    assert report(operator, tenant)["status"] == "erased"
    assert table.get(mark) is None


def test_what_was_under_way_leaves_nothing(
    operator: Tenant, tenant: Tenant, connection: dict[str, Any]
) -> None:
    """Processes that read before the organization was closed, and write after it was swept."""
    erase(operator, tenant)
    work(utc_now())
    late = utc_now()
    deployment = Deployment(ENVIRONMENTS["run_tests"], clock=lambda: late)
    report_events(tenant, EventStatus.SUCCESS, late)
    subject = identity.TestSubject.connection(tenant.organization_id, connection["id"])
    deployment.test_history.enqueue(identity.TestIdentity(subject, new_id("tst", late)), late)
    pk = f"ORG#{tenant.organization_id}"
    for sk in ("SECRET#src_1", "DATAKEY#1", "QUOTAS", "NEWFAMILY#1"):
        deployment.integrations.write(Put({"pk": pk, "sk": sk, "of": tenant.organization_id}))
    ids = [tenant.organization_id, tenant.space_id, connection["id"]]
    work(utc_now() + SETTLED)
    found = report(operator, tenant)
    assert {place for place in mentions(ids) if fate(place) is Fate.ERASED} == set()
    assert (found["status"], found["left"]) == ("erased", 0)
    assert found["removed"]["other"] == 1


def test_no_function_works_longer_than_an_erasure_waits(template: dict[str, Any]) -> None:
    default = template["Globals"]["Function"]["Timeout"]
    longest = max(
        resource["Properties"].get("Timeout", default)
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    )
    assert CACHED_FOR + timedelta(seconds=longest) < SETTLED
    own = template["Resources"]["EraseOrganizationsFunction"]["Properties"]["Timeout"]
    assert timedelta(seconds=own) < LEASE


@pytest.mark.parametrize("seed", range(3))
def test_an_eraser_may_die_anywhere(
    seed: int, operator: Tenant, tenant: Tenant, connection: dict[str, Any]
) -> None:
    """Before or after any write; another one goes on when the lease has ended."""
    report_events(tenant, EventStatus.ERROR, utc_now())
    ids = [tenant.organization_id, tenant.space_id, connection["id"], connection["source_id"]]
    erase(operator, tenant)
    dice = random.Random(seed)  # noqa: S311 - guards nothing
    at, deaths = utc_now(), 0
    while report(operator, tenant)["status"] != "erased":
        at += LEASE + timedelta(seconds=1)
        death = Death(after=dice.randrange(1, 12 + deaths), applied=dice.random() < 0.5)
        with death.awaited():
            work(at)
        deaths += death.came
        assert deaths < 200
    assert deaths > 3
    assert {place for place in mentions(ids) if fate(place) is Fate.ERASED} == set()
    assert not list(Table("IntegrationsTable").query_all("ERASURES"))


def test_a_run_ends_in_time_and_the_next_goes_on(
    operator: Tenant, tenant: Tenant, connection: dict[str, Any]
) -> None:
    erase(operator, tenant)
    at, runs = utc_now() + SETTLED, 0
    while report(operator, tenant)["status"] != "erased":
        runs += 1
        assert runs < 100
        work(at + timedelta(minutes=runs), RESERVE_SECONDS + 25)
    assert runs > 3
    ids = [tenant.organization_id, tenant.space_id, connection["id"]]
    assert {place for place in mentions(ids) if fate(place) is Fate.ERASED} == set()


def test_one_process_at_a_time_works_on_an_erasure(operator: Tenant, tenant: Tenant) -> None:
    erase(operator, tenant)
    store = ErasureStore(Table("IntegrationsTable"))
    now = utc_now()
    run = store.begin(tenant.organization_id, now)
    assert run
    assert store.begin(tenant.organization_id, now) is None
    assert store.begin(tenant.organization_id, now + LEASE + timedelta(seconds=1))
    store.finish(run, now)  # whose lease has ended
    assert report(operator, tenant)["finished_at"] is None


def test_a_failing_erasure_waits_and_holds_up_no_other(
    operator: Tenant, tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object, item: dict[str, Any]) -> None:
        if item["pk"] == f"ORG#{tenant.organization_id}":
            raise RuntimeError

    monkeypatch.setattr("patchbay.erasure.eraser.close_key", fails)
    erase(operator, tenant)
    erase(operator, stranger)
    at = utc_now()
    assert work(at)["erasures_failed"] == 1
    assert work(at + timedelta(seconds=59))["erasures_failed"] == 0
    for hour in range(1, 6):
        done = work(at + timedelta(hours=hour))
    assert done["erasures_stuck"] == 1
    found = report(operator, tenant)
    assert (found["failures"], found["error_code"]) == (6, "INTERNAL_ERROR")
    assert report(operator, stranger)["status"] == "erased"
    # When the cause is gone, it goes on by itself
    monkeypatch.undo()


def exported(operator: Tenant, tenant: Tenant, limit: int = 100) -> list[dict[str, Any]]:
    path = f"/v1/organizations/{tenant.organization_id}/export?limit={limit}"
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = operator.client.get(path + cursor)
        assert answer.status == 200, answer.text
        assert len(answer.json["items"]) <= limit
        found += answer.json["items"]
        if answer.json["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.json['next_cursor']}"


def test_an_export_has_everything_but_secrets(
    operator: Tenant, tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = world(tenant, operator)
    create_source(stranger, integration="shared/crm")
    found = exported(operator, tenant)
    assert {one["kind"] for one in found} == {
        "organization",
        "space",
        "api_key",
        "source",
        "destination",
        "connection",
        "grant",
        "usage",
        "install_session",
        "oauth_application",
        "data_key",
        "integration",
        "release",
        "alert_rule",
        "alert",
        "delivery",
        "event_count",
        "event",
        "test",
        "audit_event",
    }
    text = json.dumps(found)
    for name in ("connection_id", "source_id", "rule_id", "alert_id", "delivery_id", "key_id"):
        assert names.names[name] in text, name
    for secret in (SECRET, tenant.client.key or "", "digest", "sealed", "wrapped", "whsec_"):
        assert secret not in text
    assert stranger.organization_id not in text
    # Page by page, it is the same, and each thing is there once
    assert exported(operator, tenant, limit=7) == found
    connections = [one["content"]["id"] for one in found if one["kind"] == "connection"]
    listed = tenant.client.get(f"{tenant.connectors}/connections?limit=100").json["items"]
    assert connections == sorted(one["id"] for one in listed)
    # A page is bounded by bytes and queries, too: it may be empty and still have a next one
    monkeypatch.setattr("patchbay.erasure.export.MAX_QUERIES", 5)
    monkeypatch.setattr("patchbay.erasure.export.MAX_PAGE_BYTES", 2000)
    assert exported(operator, tenant) == found


def test_an_export_has_what_monitors_found_in_a_pool_and_nothing_of_its_others(
    operator: Tenant, tenant: Tenant, stranger: Tenant, events_table: Table
) -> None:
    # Given two organizations whose monitors share runs, on a day that is over and on this one
    spaces = {tenant.space_id: connections(2, of="own"), stranger.space_id: connections(1, of="s")}
    start = utc_now() - timedelta(days=1, minutes=40)
    pool = Monitors(events_table, Cell.of_pool(3), spaces, start)
    pool.run_until(start + timedelta(minutes=90))
    pool.now = utc_now() - timedelta(minutes=30)
    pool.run_until(utc_now())
    report_events(tenant, EventStatus.ERROR, utc_now())
    mine = pool.of_space(tenant.space_id)

    for is_closed in (False, True):
        if is_closed:
            pool.close_days()
        # When one of them is exported
        found = exported(operator, tenant)

        # Then it has each of its tests as an event, and counts that add up, and nothing of others
        events = [one["content"]["id"] for one in found if one["kind"] == "event"]
        assert set(events) >= {event.id for event in mine}
        assert len(events) == len(set(events)) == len(mine) + 10
        counted = sum(not event.platform_fault for event in events_of(found))
        for period in ("hour", "day"):
            counts = [
                tally
                for one in found
                if one["kind"] == "event_count" and one["content"]["period"] == period
                for tally in one["content"]["by_integration_type"].values()
            ]
            assert sum(one["success"] + one["errors"] for one in counts) == counted
        assert stranger.space_id not in json.dumps(found)
        assert exported(operator, tenant, limit=7) == found


def events_of(found: list[dict[str, Any]]) -> list[Event]:
    return [Event.model_validate(one["content"]) for one in found if one["kind"] == "event"]


def test_an_export_is_for_the_operator(operator: Tenant, tenant: Tenant, stranger: Tenant) -> None:
    path = f"/v1/organizations/{tenant.organization_id}/export"
    assert tenant.client.get(path).status == 403
    cursor = operator.client.get(f"{path}?limit=1").json["next_cursor"]
    theirs = f"/v1/organizations/{stranger.organization_id}/export"
    assert operator.client.get(f"{theirs}?cursor={cursor}").code == "INVALID_CURSOR"
    erase(operator, tenant)
    assert operator.client.get(path).status == 404


def grant_to(tenant: Tenant, served: Provider, name: str = "tracker") -> dict[str, Any]:
    """A source whose tokens were granted through a browser."""
    integration = publish_tracker(tenant, served.port, slug=name)
    enter_application(tenant, served, integration=f"acme/{name}")
    source = create_source(tenant, integration=f"acme/{name}", variables={}, secrets={})
    deployment = Deployment(ENVIRONMENTS["connections"])
    organization_id, now = tenant.organization_id, utc_now()
    endpoint = deployment.endpoints.get(organization_id, Role.SOURCE, source["id"])
    release = deployment.registry.release(integration["id"], "1.0.0")
    issued = IssuedTokens("an-access-token", "a-refresh-token", 3600)
    origin = ClientOrigin(organization_id)
    item = deployment.grants.new_item(endpoint, release, issued, origin, now)
    granted = {"granted_at": to_text(now), "granted_by": organization_id}
    key = endpoint_key(organization_id, source["id"])
    deployment.integrations.transact([Put(item), Update(key, values=granted)])
    return source


def test_what_was_granted_is_revoked_at_its_provider(
    operator: Tenant, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its tokens can be opened; a provider that does not answer holds up nothing."""
    with authorization_server(tmp_path, monkeypatch) as served:
        grant_to(tenant, served)
        create_source(tenant, integration="acme/tracker", variables={}, secrets={})
        erase(operator, tenant)
        work(utc_now())
        asked = [path for path, _ in served.requests]
        assert asked.count("/oauth/revoke") == 2
    found = report(operator, tenant)
    assert (found["status"], found["grants_not_revoked"]) == ("waiting", 0)
    assert found["removed"]["grants"] == 1


def test_a_grant_that_is_not_revoked_is_told(
    operator: Tenant, tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with authorization_server(tmp_path, monkeypatch) as served:
        grant_to(tenant, served)
    # The provider is gone
    erase(operator, tenant)
    work(utc_now())
    work(utc_now() + SETTLED)
    found = report(operator, tenant)
    assert (found["status"], found["grants_not_revoked"]) == ("erased", 1)


def test_names_stay_taken(operator: Tenant, tenant: Tenant, stranger: Tenant) -> None:
    """A dashboard or a producer that still has the slug must not meet a stranger."""
    publish_integration(tenant)
    erased(operator, tenant)
    body = {"slug": tenant.space_slug, "name": "Mine"}
    taken = stranger.client.post(f"/v1/organizations/{stranger.organization_id}/spaces", body)
    assert (taken.status, taken.code) == (409, "SLUG_TAKEN")
    draft = {"workspaceId": stranger.space_id, "publisher": "Acme", "slug": "new", "name": "New"}
    taken = stranger.client.post("/v1/integrations", draft)
    assert (taken.status, taken.code) == (409, "PUBLISHER_TAKEN")


def test_an_external_id_is_free_when_the_erasure_is_finished(
    operator: Tenant, tenant: Tenant
) -> None:
    """A customer who comes back is another organization, and does not meet the old one."""
    path = f"/v1/organizations/{tenant.organization_id}"
    assert operator.client.patch(path, {"external_id": EXTERNAL_ID}).status == 200
    erase(operator, tenant)
    back = {"name": "Acme", "external_id": EXTERNAL_ID}
    assert operator.client.post("/v1/organizations", back).status == 409
    work(utc_now())
    work(utc_now() + SETTLED)
    made = operator.client.post("/v1/organizations", back)
    assert made.status == 201
    assert made.json["id"] != tenant.organization_id


def test_an_install_session_of_a_closed_organization_is_refused(
    operator: Tenant, tenant: Tenant
) -> None:
    publish_integration(tenant)
    path = f"/v1/organizations/{tenant.organization_id}/install-sessions"
    made = tenant.client.post(path, {"integration": "acme/crm", "space": tenant.space_slug})
    assert made.status == 201, made.text
    tokens = InstallTokens(Table("IntegrationsTable"))
    assert tokens.holder(made.json["token"])
    erase(operator, tenant)
    assert tokens.holder(made.json["token"]) is None


def test_an_erasure_is_accepted_once(operator: Tenant, tenant: Tenant) -> None:
    first = erase(operator, tenant)
    assert first["status"] == "queued"
    again = erase(operator, tenant, if_match='"7"')
    assert again == first
    work(utc_now())
    assert report(operator, tenant)["status"] == "waiting"
    work(utc_now() + SETTLED)
    last = report(operator, tenant)
    assert erase(operator, tenant) == last
    assert {one["what"] for one in last["kept"]} == {"audit_trail", "backups", "names"}
    trail = operator.client.get(f"/v1/organizations/{tenant.organization_id}/audit-events").json
    assert [one["action"] for one in trail["items"]][:2] == ["erased", "deleted"]


def test_an_erasure_needs_the_operator_and_a_confirmation(
    operator: Tenant, tenant: Tenant, stranger: Tenant
) -> None:
    path = f"/v1/organizations/{tenant.organization_id}"
    refused = operator.client.delete(path)
    assert (refused.status, refused.pointers) == (400, ["/query/confirm"])
    refused = operator.client.delete(f"{path}?confirm={stranger.organization_id}")
    assert (refused.status, refused.pointers) == (400, ["/query/confirm"])
    confirmed = f"{path}?confirm={tenant.organization_id}"
    assert operator.client.delete(confirmed, if_match='"7"').status == 412
    for caller in (tenant, stranger):
        assert caller.client.delete(confirmed).status == 403
        assert caller.client.get(f"{path}/erasure").status == 403
    nobody = "org_01ARZ3NDEKTSV4RRFFQ69G5FAV"
    assert operator.client.delete(f"/v1/organizations/{nobody}?confirm={nobody}").status == 404
    assert operator.client.get(f"/v1/organizations/{nobody}/erasure").status == 404
    assert operator.client.get(f"{path}/erasure").status == 404
    assert operator.client.get(path).status == 200


def test_an_operator_is_not_erased(operator: Tenant) -> None:
    path = f"/v1/organizations/{operator.organization_id}"
    refused = operator.client.delete(f"{path}?confirm={operator.organization_id}")
    assert (refused.status, refused.code) == (409, "OPERATOR_ORGANIZATION")
    another = new_tenant("another", [Permission.ADMIN])
    path = f"/v1/organizations/{another.organization_id}?confirm={another.organization_id}"
    refused = operator.client.delete(path)
    assert (refused.status, refused.code) == (409, "OPERATOR_ORGANIZATION")
    assert refused.json["error"]["details"] == {"keys": 1}


def test_what_others_use_is_not_erased(operator: Tenant, tenant: Tenant, stranger: Tenant) -> None:
    integration = publish_integration(tenant, visibility="public")
    create_source(tenant)
    theirs = create_source(stranger)
    path = f"/v1/organizations/{tenant.organization_id}?confirm={tenant.organization_id}"
    refused = operator.client.delete(path)
    assert (refused.status, refused.code) == (409, "IN_USE")
    assert refused.json["error"]["details"] == {"integrations": [integration["id"]], "endpoints": 1}
    assert stranger.organization_id not in refused.text
    gone = stranger.client.delete(f"{stranger.connectors}/sources/{theirs['id']}")
    assert gone.status == 204
    assert operator.client.delete(path).status == 202


def test_a_release_that_others_use_at_the_last_moment_stays_theirs(
    operator: Tenant, tenant: Tenant, stranger: Tenant
) -> None:
    publish_integration(tenant, visibility="public")
    erase(operator, tenant)
    source = create_source(stranger)
    work(utc_now())
    work(utc_now() + SETTLED)
    found = report(operator, tenant)
    assert found["status"] == "erased"
    assert "releases" in [one["what"] for one in found["kept"]]
    path = f"{stranger.connectors}/sources/{source['id']}"
    assert stranger.client.get(f"{path}/release").status == 200
    refused = stranger.client.post(
        f"{stranger.connectors}/sources",
        {"name": "Another", "integration": "acme/crm", "variables": {"path": "me"}},
    )
    assert refused.status in (400, 404)


def test_every_key_of_the_code_is_of_a_family() -> None:
    """Also of items that no test has made: a new prefix fails here until it has a family."""
    known = {prefix for one in FAMILIES for prefix in (one.pk, one.sk)}
    known |= _OF_INDEXES | _OF_ERASURES | _OF_LISTS
    package = ROOT / "layers" / "patchbay" / "patchbay"
    found = {
        begins[0]: path.name
        for path in package.rglob("*.py")
        if path.parent.name not in ("checks", "egress", "protocols", "kinds")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if "\n" not in node.value and (begins := _KEY_LIKE.match(node.value))
    }
    assert len(found) > 20
    assert {prefix: name for prefix, name in found.items() if prefix not in known} == {}
