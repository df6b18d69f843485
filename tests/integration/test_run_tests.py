"""Tests with mode=async: from the call through the queue to the history."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

import checks
import run_tests
from local.provider import Provider
from patchbay.connection_tests import history, identity
from patchbay.connection_tests import queue as test_queue
from patchbay.connection_tests import tester as engine
from patchbay.connections.keys import endpoint_key
from patchbay.health.store import EventStore
from patchbay.platform import aws as services
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Delete, Key, Table
from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from patchbay.platform.ids import Stamp
from tests.integration.api import Answer, sample_event, start_cold
from tests.integration.conftest import Tenant
from tests.integration.faults import lost_replies
from tests.integration.story import (
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket


def ask(tenant: Tenant, connection: dict[str, Any], **headers: str) -> Answer:
    path = f"{tenant.connectors}/connections/{connection['id']}/test?mode=async"
    return tenant.client.call("POST", path, None, headers)


def delivered() -> dict[str, Any]:
    """All messages of the queue, as Lambda hands them to the function."""
    sqs = services.client("sqs")
    url = sqs.get_queue_url(QueueName="TestQueue")["QueueUrl"]
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return {
        "Records": [
            {"messageId": message["MessageId"], "body": message["Body"]}
            for message in received.get("Messages", [])
        ]
    }


def run(event: dict[str, Any]) -> list[str]:
    answer = run_tests.handler(event, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def read(tenant: Tenant, href: str) -> dict[str, Any]:
    answer = tenant.client.get(href)
    assert answer.status == 200, answer.text
    test: dict[str, Any] = answer.json
    return test


def events(tenant: Tenant) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = tenant.client.get("/spaces/acme/integration-events").json["items"]
    return items


def leases(tenant: Tenant) -> list[str]:
    item = Table("IntegrationsTable").get(Key(f"LIMIT#{tenant.organization_id}", "tests"))
    return [name for name in item or {} if name.startswith("lease_")]


def identity_of(tenant: Tenant, connection: dict[str, Any], test_id: str) -> identity.TestIdentity:
    subject = identity.TestSubject.connection(tenant.organization_id, connection["id"])
    return identity.TestIdentity(subject, test_id)


def at(moment: datetime) -> None:
    """Sets the clocks of the functions."""
    start_cold("checks", "run_tests")
    checks.deployment.clock = run_tests.deployment.clock = lambda: moment


def test_the_sample_event_is_a_test_that_is_gone_and_needs_no_retry(deployed: object) -> None:
    assert run(sample_event("run_tests")) == []


def test_a_queued_test_responds_at_once_is_run_by_the_queue_and_polled(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    # When a test is asked for
    answer = ask(tenant, connection)
    # Then it is queued, and nothing is dialed yet
    assert answer.status == 202
    queued = answer.json
    assert queued["status"] == "queued"
    assert answer.headers["location"] == queued["href"]
    assert read(tenant, queued["href"]) == queued
    assert server.requests == []
    assert leases(tenant) == [f"lease_{queued['id']}"]
    # And the queue runs it
    assert run(delivered()) == []
    done = read(tenant, queued["href"])
    assert (done["status"], done["mode"], done["account"]) == ("succeeded", "async", "octocat")
    assert done["queued_at"] == queued["queued_at"] <= done["started_at"] <= done["finished_at"]
    assert len(events(tenant)) == 1
    assert leases(tenant) == []


def test_a_redelivered_message_changes_nothing(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    queued = ask(tenant, connection).json
    event = delivered()
    assert run({"Records": event["Records"] * 2}) in ([], [event["Records"][0]["messageId"]])
    assert run(event) == []
    assert len(server.requests) == 1
    assert len(events(tenant)) == 1
    assert read(tenant, queued["href"])["status"] == "succeeded"


def test_a_test_that_another_runner_has_claimed_is_left_to_it(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    queued = ask(tenant, connection).json
    test = identity_of(tenant, connection, queued["id"])
    assert checks.deployment.test_history.claim(test, utc_now()) is history.TestClaim.OURS
    event = delivered()
    assert run(event) == [event["Records"][0]["messageId"]]
    assert server.requests == []
    assert read(tenant, queued["href"])["status"] == "running"


def test_repeating_a_call_for_a_running_test_keeps_its_lease(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    # Given a queued test that is running
    stamp = Stamp.fresh(utc_now())
    subject = identity.TestSubject.connection(tenant.organization_id, connection["id"])
    tests = checks.deployment.on_demand_tests("api.patchbay.example.net")
    queued = tests.enqueue(subject, stamp, follow=False)
    test = identity.TestIdentity(subject, queued.id)
    assert checks.deployment.test_history.claim(test, utc_now()) is history.TestClaim.OURS
    # When the call is repeated
    again = tests.enqueue(subject, stamp, follow=False)
    # Then it is the same test, and still counts as one in flight
    assert (again.id, again.status) == (queued.id, "running")
    assert leases(tenant) == [f"lease_{queued.id}"]


def test_a_claim_whose_reply_is_lost_is_a_claim(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    queued = ask(tenant, connection).json
    event = delivered()
    with lost_replies("UpdateItem", "PutItem", "TransactWriteItems"):
        assert run(event) == []
    assert read(tenant, queued["href"])["status"] == "succeeded"
    assert len(events(tenant)) == 1


@pytest.mark.parametrize(
    ("claimed", "code"), [(False, "budget_exhausted"), (True, "internal_error")]
)
def test_a_lost_message_does_not_leave_a_test_queued_forever(
    tenant: Tenant,
    connection: dict[str, Any],
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
    claimed: bool,
    code: str,
) -> None:
    # Given a test whose message was lost, or whose function was killed
    queued = ask(tenant, connection).json
    event = delivered()
    if claimed:
        test = identity_of(tenant, connection, queued["id"])
        checks.deployment.test_history.claim(test, utc_now())
    # When its deadline has passed
    at(utc_now() + history.TO_FINISH + timedelta(seconds=2))
    # Then every reader gets its failure, which is our fault
    found = read(tenant, queued["href"])
    assert (found["status"], found["code"], found["blame"]) == ("failed", code, "platform")
    # And a late message settles it with the same result, and dials nothing
    assert run(event) == []
    assert read(tenant, queued["href"]) == found
    assert run(event) == []
    assert server.requests == []
    summary = tenant.client.get("/spaces/acme/integration-health").json
    assert (summary["total_events"], summary["platform_faults"]) == (0, 1)
    # And the connection is not blamed
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.get(path).json["health"]["status"] == "unknown"


def test_an_outage_of_the_queue_is_503_and_leaves_nothing(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(*_: object) -> None:
        raise TemporarilyUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(test_queue.TestQueue, "send", out)
        refused = ask(tenant, connection, idempotency_key="once")
    assert refused.status == 503
    tests = f"{tenant.connectors}/connections/{connection['id']}/tests"
    assert tenant.client.get(tests).json["items"] == []
    assert leases(tenant) == []
    # The same request works when the queue is back
    queued = ask(tenant, connection, idempotency_key="once")
    assert queued.status == 202
    assert run(delivered()) == []
    assert read(tenant, queued.json["href"])["status"] == "succeeded"


def test_an_idempotency_key_returns_the_same_queued_test(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    first = ask(tenant, connection, idempotency_key="once")
    again = ask(tenant, connection, idempotency_key="once")
    assert again.json == first.json
    assert again.headers["location"] == first.headers["location"]
    run(delivered())
    assert len(server.requests) == 1


def test_one_bad_message_does_not_affect_the_others(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given two tests, one of which hits a fault of ours, and a message that is not a test
    other = create_connection(tenant, create_source(tenant))
    hrefs = {c["id"]: ask(tenant, c).json["href"] for c in (connection, other)}
    event = delivered()
    event["Records"].append({"messageId": "odd", "body": '{"no": "test"}'})
    prepare = engine.Tester.prepare

    def crashing(tester: Any, subject: identity.TestSubject) -> Any:
        if subject.id == other["id"]:
            raise RuntimeError
        return prepare(tester, subject)

    monkeypatch.setattr(engine.Tester, "prepare", crashing)
    # When they come in one batch
    come_back = run(event)
    # Then the good one is done, and the others come back
    [bad] = [r["messageId"] for r in event["Records"] if other["id"] in r["body"]]
    assert sorted(come_back) == sorted([bad, "odd"])
    assert read(tenant, hrefs[connection["id"]])["status"] == "succeeded"


def test_a_test_whose_runner_dies_before_its_event_is_completed_by_its_message(
    tenant: Tenant,
    connection: dict[str, Any],
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a test that was recorded, and nothing else
    def dying(*_: object) -> None:
        raise RuntimeError

    queued = ask(tenant, connection).json
    event = delivered()
    with monkeypatch.context() as patched:
        patched.setattr(EventStore, "add", dying)
        assert run(event) == [event["Records"][0]["messageId"]]
    assert events(tenant) == []
    # When its message comes back
    assert run(event) == []
    # Then the event exists, and nothing was dialed again
    assert [e["id"] for e in events(tenant)] == [queued["id"].replace("tst_", "evt_")]
    assert len(server.requests) == 1


def test_a_test_of_a_connection_that_has_been_deleted_is_done(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    ask(tenant, connection)
    tenant.client.delete(f"{tenant.connectors}/connections/{connection['id']}")
    assert run(delivered()) == []
    assert server.requests == []
    assert leases(tenant) == []


def test_a_queued_test_of_a_connection_that_has_been_disabled_fails_at_once(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    # Given a queued test of a connection that is then disabled
    queued = ask(tenant, connection).json
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.patch(path, {"status": "disabled"}).status == 200
    before = tenant.client.get(path).json
    # When it is delivered
    event = delivered()
    assert run(event) == []
    # Then it has failed, and says why, and whose move it is
    found = read(tenant, queued["href"])
    assert (found["status"], found["code"], found["blame"]) == (
        "failed",
        "config_invalid",
        "customer",
    )
    assert "the connection is disabled" in found["message"]
    assert (found["queued_at"], found["started_at"]) == (queued["queued_at"], None)
    assert leases(tenant) == []
    # And nothing was dialed or counted, even if the message comes again
    assert run(event) == []
    assert read(tenant, queued["href"]) == found
    assert server.requests == []
    assert events(tenant) == []
    assert tenant.client.get(path).json == before


def test_a_queued_test_whose_endpoint_is_gone_fails_at_once(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    # Given a queued test of a connection whose source is gone, which the API would not allow
    queued = ask(tenant, connection).json
    Table("IntegrationsTable").write(
        Delete(endpoint_key(tenant.organization_id, connection["source_id"]))
    )
    assert run(delivered()) == []
    found = read(tenant, queued["href"])
    assert (found["status"], found["code"]) == ("failed", "config_invalid")
    assert "there is no such source" in found["message"]


def test_an_endpoint_that_is_replaced_between_two_reads_is_read_again(
    tenant: Tenant,
    connection: dict[str, Any],
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queued = ask(tenant, connection).json
    prepare, gone = engine.Tester.prepare, iter([True])

    def meanwhile(tester: Any, subject: identity.TestSubject) -> Any:
        if next(gone, False):
            raise NotFound("destination")
        return prepare(tester, subject)

    monkeypatch.setattr(engine.Tester, "prepare", meanwhile)
    assert run(delivered()) == []
    assert read(tenant, queued["href"])["status"] == "succeeded"


def test_a_queued_test_must_not_dial_its_own_api(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("api.example.com", "gateway.example.net", "connect.acme.com", "go.acme.com"):
        manifest = calling(1024)
        manifest["checks"]["steps"][0]["request"]["url"] = f"https://{host}/v1/catalog"
        slug = host.partition(".")[0]
        publish_integration(tenant, slug=slug, manifest=manifest)
        source = create_source(tenant, integration=f"acme/{slug}")
        answer = tenant.client.call(
            "POST", f"{tenant.connectors}/sources/{source['id']}/test?mode=async", None
        )
        event = delivered()
        # The API's own name, which the template sets; the host that was called; and a custom
        # domain of the operator.
        body = json.loads(event["Records"][0]["body"]) | {"domain_name": "gateway.example.net"}
        event["Records"][0]["body"] = json.dumps(body)
        assert run(event) == []
        done = read(tenant, answer.json["href"])
        assert done["code"] == "egress_blocked"
        assert [s["detail"] for s in done["steps"] if s["status"] == "failed"] == ["name"]


def test_a_dry_run_has_no_asynchronous_form(tenant: Tenant, connection: dict[str, Any]) -> None:
    answer = tenant.client.post(
        f"{tenant.connectors}/connections/test?mode=async", {"source_id": connection["source_id"]}
    )
    assert answer.status == 400
    assert answer.pointers == ["/query/mode"]
    other = tenant.client.call(
        "POST", f"{tenant.connectors}/connections/{connection['id']}/test?mode=later", None
    )
    assert other.pointers == ["/query/mode"]
