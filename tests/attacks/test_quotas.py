"""A tenant that makes as much as it can: it stops at its quotas, and its neighbor does not."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from patchbay.egress.guard import MAX_DIALS
from patchbay.outbound import Limits, main, outbound, table
from patchbay.platform.dynamodb import Delete, Table
from patchbay.registry.keys import deleted_key
from patchbay.tenancy.quotas import NAMES
from tests.integration.alerting import RATE
from tests.integration.api import ROOT, Answer, start_cold
from tests.integration.conftest import Tenant
from tests.integration.story import (
    SECRET,
    create_connection,
    create_source,
    operation_input,
    publish_integration,
)

BUS = {"kind": "eventbridge"}


@pytest.fixture
def three_of_each(tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment where an organization may have three things of each kind."""
    for name in NAMES:
        monkeypatch.setenv(f"MAX_{name.upper()}", "3")
    start_cold()


def refused(answer: Answer, quota: str) -> bool:
    """Whether an answer says that this quota is used up, with the limit and the use."""
    if answer.status < 300:
        return False
    assert (answer.status, answer.code) == (409, "QUOTA_EXCEEDED"), answer.text
    assert answer.json["error"]["details"] == {"quota": quota, "limit": 3, "used": 3}
    return True


def organization(tenant: Tenant) -> str:
    return f"/v1/organizations/{tenant.organization_id}"


def space(tenant: Tenant, number: int) -> Answer:
    body = {"slug": f"{tenant.space_slug}-{number}", "name": "Space"}
    return tenant.client.post(f"{organization(tenant)}/spaces", body)


def key(tenant: Tenant, _: int) -> Answer:
    body = {"name": "key", "permissions": ["platform.integration.read"]}
    return tenant.client.post(f"{organization(tenant)}/api-keys", body)


def draft(tenant: Tenant, number: int) -> Answer:
    body = {
        "workspaceId": tenant.space_id,
        "publisher": tenant.space_slug,
        "slug": f"i{number}",
        "name": "Draft",
    }
    return tenant.client.post("/v1/integrations", body)


def rule(tenant: Tenant, _: int) -> Answer:
    body = {"name": "Rule", "condition": RATE}
    return tenant.client.post(f"/spaces/{tenant.space_slug}/alert-rules", body)


def channel(tenant: Tenant, _: int) -> Answer:
    body = {"name": "Rule", "condition": RATE, "channels": [BUS]}
    return tenant.client.post(f"/spaces/{tenant.space_slug}/alert-rules", body)


@pytest.mark.parametrize(
    ("make", "quota", "there"),
    [
        (space, "spaces", 1),
        (key, "api_keys", 1),
        (draft, "integrations", 0),
        (rule, "alert_rules", 0),
    ],
)
def test_a_tenant_in_a_hurry_gets_exactly_its_quota(
    three_of_each: None, tenant: Tenant, stranger: Tenant, make: Any, quota: str, there: int
) -> None:
    # Given a route that was called before: a router makes it ready without a lock
    answers = [make(tenant, 8)]
    # When eight threads create at once
    with ThreadPoolExecutor(8) as pool:
        answers += pool.map(lambda number: make(tenant, number), range(8))
    # Then there are exactly three, and each other answer says why
    assert sum(not refused(answer, quota) for answer in answers) == 3 - there
    # And a neighbor is not affected
    assert make(stranger, 0).status == 201


def test_deleting_gives_back_and_a_new_key_gives_nothing(
    three_of_each: None, tenant: Tenant
) -> None:
    made = [key(tenant, number).json for number in range(2)]
    assert refused(key(tenant, 0), "api_keys")
    path = f"{organization(tenant)}/api-keys/{made[0]['id']}"
    assert tenant.client.delete(path).status == 204
    assert tenant.client.delete(path).status == 404
    assert not refused(key(tenant, 0), "api_keys")
    assert refused(key(tenant, 0), "api_keys")


def test_a_restore_takes_room_again(three_of_each: None, tenant: Tenant) -> None:
    made = [draft(tenant, number).json["id"] for number in range(3)]
    # Given one that is deleted, and another in its place
    assert tenant.client.delete(f"/v1/integrations/{made[0]}").status == 204
    assert draft(tenant, 7).status == 201
    # Then it can't come back
    restore = f"/v1/integrations/{made[0]}/restore"
    assert refused(tenant.client.call("POST", restore, None), "integrations")
    assert tenant.client.delete(f"/v1/integrations/{made[1]}").status == 204
    assert tenant.client.call("POST", restore, None).status == 200


def test_releases_are_counted_over_all_integrations_and_restores(
    three_of_each: None, tenant: Tenant
) -> None:
    first = publish_integration(tenant)["id"]
    second = publish_integration(tenant, slug="other")["id"]

    def publish(integration_id: str, version: str) -> Answer:
        path = f"/v1/integrations/{integration_id}/publish"
        return tenant.client.post(path, {"version": version})

    assert publish(first, "2.0.0").status == 201
    assert refused(publish(second, "2.0.0"), "releases")
    # The same release again is no new one
    assert publish(first, "2.0.0").status == 200
    # A deleted integration makes room for its two
    assert tenant.client.delete(f"/v1/integrations/{first}").status == 204
    assert publish(second, "2.0.0").status == 201
    assert publish(second, "3.0.0").status == 201
    restore = f"/v1/integrations/{first}/restore"
    assert refused(tenant.client.call("POST", restore, None), "releases")


def test_deleting_does_not_fill_the_table(
    three_of_each: None, tenant: Tenant, integrations_table: Table
) -> None:
    def delete(integration_id: str) -> Answer:
        return tenant.client.delete(f"/v1/integrations/{integration_id}")

    # Given a deleted integration with one release, which counts as two until its purge
    first = publish_integration(tenant)["id"]
    assert delete(first).status == 204
    assert delete(first).status == 204
    drafts = [draft(tenant, number).json["id"] for number in range(3)]
    # When one more is deleted, and another
    assert delete(drafts[0]).status == 204
    assert refused(delete(drafts[1]), "deleted_releases")
    # Then that one is still there, and can be worked with
    assert tenant.client.get(f"/v1/integrations/{drafts[1]}").json["deletedAt"] is None
    # A restore makes room for one
    restore = f"/v1/integrations/{drafts[0]}/restore"
    assert tenant.client.call("POST", restore, None).status == 200
    assert delete(drafts[0]).status == 204
    assert refused(delete(drafts[1]), "deleted_releases")
    # And so does the purge, in which DynamoDB removes what has expired
    integrations_table.write(Delete(deleted_key(tenant.organization_id, first)))
    assert delete(drafts[1]).status == 204


def test_sources_destinations_and_operations_share_one_quota(
    three_of_each: None, tenant: Tenant
) -> None:
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    create_source(tenant)
    body = {"name": "x", "integration": "acme/crm", "variables": {"path": "me"}}
    body |= {"secrets": {"api_key": SECRET}}
    assert tenant.client.post(f"{tenant.connectors}/destinations", body).status == 201
    operation = "/integrations/connection/create/v1.0.0"
    made = tenant.client.post(operation, operation_input(tenant))
    assert made.status == 200
    for path in (f"{tenant.connectors}/sources", f"{tenant.connectors}/destinations"):
        assert refused(tenant.client.post(path, body), "endpoints")
    assert refused(tenant.client.post(operation, operation_input(tenant)), "endpoints")
    # Deleting by the operation makes room for a source, too
    undo = {"connectionId": made.json["id"]}
    assert tenant.client.post("/integrations/connection/delete/v1.0.0", undo).status == 200
    assert tenant.client.post(f"{tenant.connectors}/sources", body).status == 201


def test_monitors_are_counted_however_they_begin(
    three_of_each: None, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_CONNECTIONS", "9")
    monkeypatch.setenv("MAX_MONITORED_TESTS_PER_DAY", "10000")
    start_cold()
    publish_integration(tenant)
    source = create_source(tenant)
    on = {"monitor": {"enabled": True, "interval": "1m"}}
    made = [create_connection(tenant, source, **on)["id"] for _ in range(3)]
    path = f"{tenant.connectors}/connections"
    # By a create
    body = {"name": "x", "source_id": source["id"], "space": tenant.space_slug}
    assert refused(tenant.client.post(path, body | on), "monitored_connections")
    # By an edit
    idle = create_connection(tenant, source)["id"]
    assert refused(tenant.client.patch(f"{path}/{idle}", on), "monitored_connections")
    # By resuming, while another has taken the place of the paused one
    assert tenant.client.patch(f"{path}/{made[0]}", {"status": "paused"}).status == 200
    assert tenant.client.patch(f"{path}/{idle}", on).status == 200
    resume = tenant.client.patch(f"{path}/{made[0]}", {"status": "active"})
    assert refused(resume, "monitored_connections")
    # By the operation
    connected = {"connectionId": made[0], "status": "connected"}
    update = tenant.client.post("/integrations/connection/update/v1.0.0", connected)
    assert refused(update, "monitored_connections")
    # What is refused can still be changed otherwise, tested, and deleted
    assert tenant.client.patch(f"{path}/{made[0]}", {"name": "y"}).status == 200
    assert tenant.client.delete(f"{path}/{made[1]}").status == 204
    assert tenant.client.patch(f"{path}/{made[0]}", {"status": "active"}).status == 200


def test_monitors_are_counted_by_how_often_they_test(
    three_of_each: None, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_MONITORED_TESTS_PER_DAY", "300")
    start_cold()
    publish_integration(tenant)
    source = create_source(tenant)

    def every(interval: str) -> dict[str, Any]:
        return {"monitor": {"enabled": True, "interval": interval}}

    slow = create_connection(tenant, source, **every("24h"))["id"]
    create_connection(tenant, source, **every("5m"))
    # Eleven more tests a day are left: too few for once an hour, or a minute
    path = f"{tenant.connectors}/connections/{slow}"
    for interval in ("1h", "1m"):
        more = tenant.client.patch(path, every(interval))
        assert more.code == "QUOTA_EXCEEDED"
        details = {"quota": "monitored_tests_per_day", "limit": 300, "used": 289}
        assert more.json["error"]["details"] == details
    assert tenant.client.delete(path).status == 204


def test_channels_are_counted_over_all_rules(three_of_each: None, tenant: Tenant) -> None:
    rules = f"/spaces/{tenant.space_slug}/alert-rules"
    made = channel(tenant, 0).json
    assert tenant.client.patch(f"{rules}/{made['id']}", {"channels": [BUS] * 3}).status == 200
    assert refused(channel(tenant, 0), "alert_channels")
    four = tenant.client.patch(f"{rules}/{made['id']}", {"channels": [BUS] * 4})
    assert refused(four, "alert_channels")
    assert tenant.client.delete(f"{rules}/{made['id']}").status == 204
    assert channel(tenant, 0).status == 201


def test_more_keys_are_not_more_requests(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [tenant.client.key, *(key(tenant, n).json["key"] for n in range(4))]
    # Given a deployment where an organization may make five requests a minute
    monkeypatch.setenv("REQUESTS_PER_MINUTE", "5")
    start_cold("authorizer")
    # When each of its keys makes three
    path = f"/spaces/{tenant.space_slug}"
    answers = [tenant.client.with_key(one).get(path) for one in keys for _ in range(3)]
    # Then five pass, and the others say which limit it is
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 10
    details = {"quota": "requests_per_minute", "limit": 5, "used": 5}
    assert answers[-1].json["error"]["details"] == details
    assert int(answers[-1].headers["retry-after"]) > 0
    assert stranger.client.get(f"/spaces/{stranger.space_slug}").status == 200


def test_who_has_no_key_takes_no_tenants_turn(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_PER_MINUTE", "5")
    monkeypatch.setenv("UNAUTHENTICATED_REQUESTS_PER_MINUTE", "3")
    start_cold("authorizer")
    path = f"/spaces/{tenant.space_slug}"
    wrong = [None, "nonsense", f"{tenant.client.key}x", "pb_aaaaaaaa_wrong", None, "a.b.c"]
    answers = [tenant.client.with_key(one).get(path) for one in wrong]
    # All that are not recognized share one bucket
    assert [answer.code for answer in answers] == ["UNAUTHENTICATED"] * 3 + ["RATE_LIMITED"] * 3
    details = {"quota": "unauthenticated_requests_per_minute", "limit": 3, "used": 3}
    assert answers[-1].json["error"]["details"] == details
    assert [tenant.client.get(path).status for _ in range(6)] == [200] * 5 + [429]


def test_every_way_to_test_is_one_of_the_tests_of_the_organization(
    tenant: Tenant, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_integration(tenant, manifest={"roles": ["source", "destination"]})
    source = create_source(tenant)
    connection = create_connection(tenant, source)
    connectors = tenant.connectors
    monkeypatch.setenv("TESTS_PER_MINUTE", "1")
    start_cold()
    edit = {"variables": {"path": "you"}, "secrets": {"api_key": SECRET}}
    ways: list[tuple[str, str, Any]] = [
        ("POST", f"{connectors}/connections/test", {"source_id": source["id"]}),
        ("POST", f"{connectors}/sources/{source['id']}/test", None),
        ("POST", f"{connectors}/sources/{source['id']}/test?mode=async", None),
        ("POST", f"{connectors}/connections/{connection['id']}/test", None),
        ("POST", f"{connectors}/connections/{connection['id']}/test?mode=async", None),
        ("POST", "/integrations/connection/test/v1.0.0", {"connectionId": connection["id"]}),
        ("PATCH", f"{connectors}/sources/{source['id']}?test=true", edit),
    ]

    def tried(way: tuple[str, str, Any]) -> Answer:
        method, path, body = way
        return tenant.client.call(method, path, None if body is None else json.dumps(body))

    assert tried(ways[0]).status == 200
    for way in ways:
        refusal = tried(way)
        assert (refusal.status, refusal.code) == (429, "RATE_LIMITED"), (way, refusal.text)
        details = {"quota": "tests_per_minute", "limit": 1, "used": 1}
        assert refusal.json["error"]["details"] == details
    # And a second key does not help, while a neighbor is not affected
    second = tenant.client.post(
        f"{organization(tenant)}/api-keys",
        {"name": "k", "permissions": ["platform.integration.manage"]},
    ).json["key"]
    assert tenant.client.with_key(second).call("POST", ways[1][1], None).status == 429
    dry = {"source_id": source["id"]}
    assert stranger.client.post(f"{stranger.connectors}/connections/test", dry).status == 404


@pytest.mark.enable_socket
def test_a_manifest_of_redirects_opens_no_more_connections_than_a_test_may(tenant: Tenant) -> None:
    # Given a server that redirects on and on, and twenty steps that follow it
    with redirecting() as server:
        url = f"http://127.0.0.1:{server.server_port}"
        steps = [
            {
                "name": f"step {number}",
                "kind": "http",
                "category": "capability",
                "capability": "metadata_sync",
                "mandatory": number == 19,
                "retry": True,
                "request": {"method": "GET", "url": f"{url}/{number}", "redirects": 5},
            }
            for number in range(20)
        ]
        checks = {"timeoutMs": 20_000, "steps": steps}
        manifest = {"roles": ["source"], "capabilities": ["metadata_sync"], "checks": checks}
        publish_integration(tenant, manifest=manifest)
        source = create_source(tenant)
        tested = tenant.client.call(
            "POST", f"{tenant.connectors}/sources/{source['id']}/test", None
        )
    # Then the test ends at its bound, and says so
    assert len(server.paths) == MAX_DIALS
    blocked = [one for one in tested.json["steps"] if one["code"] == "egress_blocked"]
    assert blocked
    assert f"at most {MAX_DIALS} connections" in blocked[-1]["summary"]


def test_what_a_tenant_can_make_us_send_is_what_the_page_says(template: dict[str, Any]) -> None:
    defaults = {name: p["Default"] for name, p in template["Parameters"].items() if "Default" in p}
    limits = Limits(
        tests_per_minute=defaults["TestsPerMinute"],
        monitored_connections=defaults["MaxMonitoredConnections"],
        monitored_tests_per_day=defaults["MaxMonitoredTestsPerDay"],
        deliveries_per_minute=defaults["DeliveriesPerMinute"],
        uses_per_minute=defaults["UsesPerMinute"],
    )
    assert table(limits) in (ROOT / "docs" / "security.md").read_text()


def test_the_operator_can_print_the_table_of_other_limits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limits = Limits(1, 2, 1440, 3, 4)
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in limits._asdict().items()]
    assert main(arguments) == 0
    assert capsys.readouterr().out == table(limits)
    most = {bound.what: bound.most for bound in outbound(limits)}
    assert most["requests of one test"] == 2 * MAX_DIALS
    assert most["requests a minute of monitors, on average"] == 3 * 2 * MAX_DIALS


class Redirecting(ThreadingHTTPServer):
    """Redirects every request to a path that it has not had."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), self.Handler)

    class Handler(BaseHTTPRequestHandler):
        server: "Redirecting"

        def do_GET(self) -> None:
            self.server.paths.append(self.path)
            self.send_response(302)
            self.send_header("Location", f"/{len(self.server.paths) + 100}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass


@contextmanager
def redirecting() -> Iterator[Redirecting]:
    with Redirecting() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
