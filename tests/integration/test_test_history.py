"""A test is recorded exactly once, whatever happens in between."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import checks
from local.provider import Provider
from patchbay.connection_tests import history, identity, reader
from patchbay.connections.health_recorder import HealthRecorder
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.health.store import EventStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from patchbay.platform.ids import Stamp, time_of
from patchbay.platform.lists import ListQuery
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.faults import lost_replies
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket
GUARD = EgressGuard(EgressPolicy.parse("127.0.0.1/32:1024-65535"))
MINUTE = datetime(2026, 11, 1, 10, 7, tzinfo=UTC)


def subject_of(tenant: Tenant, connection: dict[str, Any]) -> identity.TestSubject:
    return identity.TestSubject.connection(tenant.organization_id, connection["id"])


def path_of(tenant: Tenant, connection: dict[str, Any]) -> str:
    return f"{tenant.connectors}/connections/{connection['id']}"


def checked(tenant: Tenant, connection: dict[str, Any], query: str = "", **headers: str) -> Answer:
    path = f"{path_of(tenant, connection)}/test{query}"
    return tenant.client.call("POST", path, None, headers)


def listed(tenant: Tenant, connection: dict[str, Any], query: str = "") -> Any:
    answer = tenant.client.get(f"{path_of(tenant, connection)}/tests{query}")
    assert answer.status == 200, answer.text
    return answer.json


def events(tenant: Tenant) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = tenant.client.get("/spaces/acme/integration-events").json["items"]
    return items


def counted(tenant: Tenant) -> int:
    total: int = tenant.client.get("/spaces/acme/integration-health").json["total_events"]
    return total


def test_a_test_is_stored_and_read_again_as_it_was_returned(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    answer = checked(tenant, connection)
    assert answer.status == 200
    said = answer.json
    assert (said["status"], said["mode"], said["trigger"]) == ("succeeded", "sync", "manual")
    assert said["started_at"] <= said["finished_at"]
    assert said["href"] == f"{path_of(tenant, connection)}/tests/{said['id']}"
    assert tenant.client.get(said["href"]).json == said
    assert listed(tenant, connection) == {"items": [said], "next_cursor": None}
    [event] = events(tenant)
    assert event["id"] == said["id"].replace("tst_", "evt_")
    assert event["occurred_at"] == said["finished_at"]


def test_the_tests_of_sources_and_destinations_are_stored_too_and_add_no_event(
    tenant: Tenant, server: Provider
) -> None:
    manifest = calling(server.port) | {"roles": ["source", "destination"]}
    publish_integration(tenant, manifest=manifest)
    source = create_source(tenant)
    body = {
        "name": "d",
        "integration": "acme/crm",
        "variables": {"path": "401"},
        "secrets": {"api_key": "x"},
    }
    destination = tenant.client.post(f"{tenant.connectors}/destinations", body).json
    for kind, endpoint in (("sources", source), ("destinations", destination)):
        path = f"{tenant.connectors}/{kind}/{endpoint['id']}"
        said = tenant.client.call("POST", f"{path}/test", None).json
        assert tenant.client.get(f"{path}/tests").json["items"] == [said]
        assert tenant.client.get(f"{path}/tests/{said['id']}").json == said
    assert events(tenant) == []


def test_a_history_is_paged_newest_first_under_a_sealed_cursor(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    made = [checked(tenant, connection).json["id"] for _ in range(5)]
    page = listed(tenant, connection, "?limit=2")
    seen = [test["id"] for test in page["items"]]
    while page["next_cursor"]:
        page = listed(tenant, connection, f"?limit=2&cursor={page['next_cursor']}")
        seen += [test["id"] for test in page["items"]]
    assert seen == made[::-1]
    # A cursor of one connection is not valid for another
    other = create_connection(tenant, create_source(tenant))
    cursor = listed(tenant, connection, "?limit=2")["next_cursor"]
    refused = tenant.client.get(f"{path_of(tenant, other)}/tests?limit=2&cursor={cursor}")
    assert refused.code == "INVALID_CURSOR"


def test_another_tenant_and_a_wrong_id_find_nothing(
    tenant: Tenant, stranger: Tenant, connection: dict[str, Any]
) -> None:
    said = checked(tenant, connection).json
    assert stranger.client.get(said["href"]).status == 404
    theirs = f"{stranger.connectors}/connections/{connection['id']}/tests"
    assert stranger.client.get(theirs).code == "CONNECTION_NOT_FOUND"
    for wrong in ("nonsense", "tst_01K0Z3NDEKTSV4RRFFQ69G5FAV", "tst_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"):
        answer = tenant.client.get(f"{path_of(tenant, connection)}/tests/{wrong}")
        assert answer.code == "TEST_NOT_FOUND"
    # The test of a connection is not found under another kind
    assert tenant.client.get(said["href"].replace("/connections/con", "/sources/con")).status == 404


def test_a_test_repeated_under_its_key_is_the_same_test(
    tenant: Tenant, connection: dict[str, Any], server: Provider
) -> None:
    first = checked(tenant, connection, idempotency_key="once")
    again = checked(tenant, connection, idempotency_key="once")
    assert again.json == first.json
    assert len(server.requests) == 1
    assert len(listed(tenant, connection)["items"]) == counted(tenant) == 1


class Crash(Exception):
    """The function is killed here."""


def crashing(*_: object, **__: object) -> None:
    raise Crash


@pytest.mark.parametrize(
    "victim",
    [
        (EventStore, "add"),
        (HealthRecorder, "record"),
        (history.TestHistory, "note_passed"),
        None,
    ],
    ids=["before the event", "before the health", "before the mark", "after all"],
)
def test_after_any_crash_a_repetition_ends_in_one_item_one_event_one_count(
    tenant: Tenant,
    connection: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    victim: tuple[Any, str] | None,
) -> None:
    # Given the test of a monitor that was recorded up to here
    tester = checks.deployment.tester
    subject = subject_of(tenant, connection)
    test = identity.TestIdentity.scheduled(subject, MINUTE)
    with monkeypatch.context() as patched:
        if victim:
            patched.setattr(*victim, crashing)
            with pytest.raises(Crash):
                tester.test(test, GUARD, trigger="monitor")
        else:
            tester.test(test, GUARD, trigger="monitor")
    [recorded] = listed(tenant, connection)["items"]
    # When its message comes again, and the provider responds differently by then
    changed = {"variables": {"path": "500"}}
    tenant.client.patch(f"{tenant.connectors}/sources/{connection['source_id']}", changed)
    again = tester.test(test, GUARD, trigger="monitor")
    # Then the first record is the truth, and everything else follows from it, once
    assert again.status == "succeeded"
    assert listed(tenant, connection)["items"] == [recorded]
    assert [event["status"] for event in events(tenant)] == ["SUCCESS"]
    assert counted(tenant) == 1
    read = tenant.client.get(path_of(tenant, connection)).json["health"]
    assert (read["status"], read["checked_at"]) == ("connected", recorded["finished_at"])
    passed = checks.deployment.test_history.last_passed(subject, None, utc_now())
    assert passed is not None
    assert passed.test_id == test.test_id


def test_a_test_whose_every_reply_is_lost_once_is_recorded_once(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    with lost_replies("PutItem", "UpdateItem", "TransactWriteItems"):
        said = checked(tenant, connection)
    assert said.status == 200, said.text
    assert [test["id"] for test in listed(tenant, connection)["items"]] == [said.json["id"]]
    assert counted(tenant) == 1


def test_a_history_that_can_not_be_written_is_503_and_leaves_nothing(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out(*_: object) -> None:
        raise TemporarilyUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(history.TestHistory, "finish", out)
        assert checked(tenant, connection).status == 503
    assert (listed(tenant, connection)["items"], counted(tenant)) == ([], 0)


def test_an_older_test_that_ends_later_does_not_overwrite_a_newer_success(
    events_table: Table, tenant: Tenant, connection: dict[str, Any]
) -> None:
    kept = checks.deployment.test_history
    subject = subject_of(tenant, connection)
    newer = checked(tenant, connection).json
    passed = kept.last_passed(subject, None, utc_now())
    assert passed is not None
    older = passed.model_copy(update={"test_id": "tst_x", "at": passed.at - timedelta(seconds=1)})
    kept.note_passed(subject, older)
    after = kept.last_passed(subject, None, utc_now())
    assert after is not None
    assert after.test_id == newer["id"]


def test_a_failure_says_what_has_changed_since_the_last_success(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    source = f"{tenant.connectors}/sources/{connection['source_id']}"
    assert checked(tenant, connection).json["what_changed"] is None
    # Nothing changed
    working = checked(tenant, connection).json
    assert working["what_changed"]["variables"] == []
    # A variable and the secret changed
    edit = {"variables": {"path": "401"}, "secrets": {"api_key": "another-key"}}
    tenant.client.patch(source, edit)
    failed = checked(tenant, connection)
    assert failed.json["what_changed"] == {
        "test_id": working["id"],
        "at": working["finished_at"],
        "variables": ["source.path"],
        "secret_version": ["source"],
        "release": [],
        "configurations": [],
    }
    assert SECRET not in failed.text
    # Changed back, it passes, and the next comparison is with that test
    tenant.client.patch(source, {"variables": {"path": "me"}, "secrets": {"api_key": SECRET}})
    mended = checked(tenant, connection).json
    assert mended["status"] == "succeeded"
    assert mended["what_changed"]["test_id"] == working["id"]
    again = checked(tenant, connection).json["what_changed"]
    assert (again["test_id"], again["secret_version"]) == (mended["id"], [])


def test_an_upgrade_is_named_with_both_releases(tenant: Tenant, connection: dict[str, Any]) -> None:
    checked(tenant, connection)
    found = tenant.client.get("/v1/catalog/acme/crm").json
    path = f"/v1/integrations/{found['id']}/publish"
    tenant.client.patch(f"/v1/integrations/{found['id']}", {"description": "newer"})
    tenant.client.post(path, {"version": "1.1.0"})
    tenant.client.patch(
        f"{tenant.connectors}/sources/{connection['source_id']}", {"version": "1.1.0"}
    )
    assert checked(tenant, connection).json["what_changed"]["release"] == [
        {"role": "source", "before": "1.0.0", "now": "1.1.0"}
    ]


def test_a_test_older_than_90_days_is_gone_before_the_table_expires_it(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    said = checked(tenant, connection).json

    def after(days: int) -> datetime:
        return time_of(said["id"]) + timedelta(days=days, minutes=1)

    def reader_at(now: datetime) -> reader.TestReader:
        deployment = checks.deployment
        return reader.TestReader(deployment.test_subjects, deployment.test_history, lambda: now)

    subject = subject_of(tenant, connection)
    assert reader_at(after(days=89)).test(subject, said["id"]).id == said["id"]
    later = reader_at(after(days=90))
    assert later.page(subject, ListQuery()).items == []
    with pytest.raises(NotFound):
        later.test(subject, said["id"])


def test_an_identity_says_its_time_and_is_the_same_for_the_same_scheduled_minute() -> None:
    subject = identity.TestSubject.connection("org_1", "con_1")
    scheduled = identity.TestIdentity.scheduled(subject, MINUTE)
    assert scheduled == identity.TestIdentity.scheduled(subject, MINUTE)
    other = identity.TestSubject.connection("org_1", "con_2")
    assert scheduled.test_id != identity.TestIdentity.scheduled(other, MINUTE).test_id
    assert scheduled.at == MINUTE
    called = identity.TestIdentity.called(subject, Stamp.fresh(MINUTE))
    assert called.at == MINUTE
    with pytest.raises(ValueError, match="tst_"):
        identity.TestIdentity(subject, "tst_nonsense")
