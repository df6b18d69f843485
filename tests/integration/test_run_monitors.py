"""The sweeper on moto, against real servers on loopback: every due test once in the history."""

import json
from random import Random
from typing import Any

import pytest

import run_monitors
from local.provider import Provider
from patchbay.connection_tests import history as checks_history
from patchbay.connection_tests import tester as testing
from patchbay.connections.announcements import LANES, OUTBOX_PKS
from patchbay.connections.health_recorder import HealthRecorder
from patchbay.connections.health_state import AutoDisable
from patchbay.health.store import EventStore
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.sweep_queue import SweepOrder
from patchbay.monitors.wheel import Sweep
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import Key, Table
from patchbay.runs.store import RunStore
from tests.integration.api import sample_event, start_cold
from tests.integration.conftest import Tenant
from tests.integration.monitoring import (
    MINUTE,
    Bus,
    Context,
    deliver,
    dispatch,
    health,
    history,
    monitored,
    plan_from_the_first_minute,
    put_into_the_index,
    run,
    run_until_quiet,
    survey_pauses,
    this_minute,
    tick,
    tick_after_quiet,
)
from tests.integration.story import (
    SECRET,
    calling,
    create_connection,
    create_source,
    publish_integration,
)

pytestmark = pytest.mark.enable_socket


@pytest.fixture(autouse=True, params=["plans", "index"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Connections with plans, and those that are in the index of the wheel."""
    {"plans": plan_from_the_first_minute, "index": put_into_the_index}[request.param](monkeypatch)
    return str(request.param)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Re-probes follow at once: no test here is about their pauses."""
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))


def counted(tenant: Tenant) -> tuple[int, int]:
    summary = tenant.client.get(f"/spaces/{tenant.space_slug}/integration-health").json
    return summary["success_count"], summary["error_count"]


def test_the_sample_event_is_of_a_slot_without_connections(deployed: object) -> None:
    answer = run_monitors.handler(sample_event("run_monitors"), Context())
    assert answer == {"batchItemFailures": []}


def test_a_minute_tests_every_connection_and_every_view_shows_it(
    tenant: Tenant, server: Provider
) -> None:
    # Given monitored connections to a server that answers one and refuses the other
    made = monitored(tenant, server.port, ["me", "401"])
    # When a minute passes
    now = this_minute()
    tick(now)
    # Then each has one test in its history, as of that minute, made by its monitor
    for path, connection in made.items():
        [test] = history(tenant, connection)
        assert test["trigger"] == "monitor"
        assert test["status"] == ("succeeded" if path == "me" else "failed")
    # And the space counts them, and the connections have their health
    assert counted(tenant) == (1, 1)
    good = health(tenant, made["me"])
    assert (good["status"], good["consecutive_successes"]) == ("connected", 1)
    bad = health(tenant, made["401"])
    # One failure is not yet an outage.
    assert (bad["status"], bad["error_code"]) == ("unknown", "auth_invalid")
    assert bad["consecutive_failures"] == 1


def test_an_outage_and_its_end_are_each_announced_once(tenant: Tenant, server: Provider) -> None:
    bus = Bus()
    [connection] = monitored(tenant, server.port, ["me"]).values()
    now = this_minute() - 20 * MINUTE
    tick(now)
    server.valid_key = "another"
    for number in range(1, 6):
        tick(now + number * MINUTE)
        failing = health(tenant, connection)["status"] == "error"
        assert failing is (number >= 3)
    server.valid_key = SECRET
    for number in range(6, 9):
        tick(now + number * MINUTE)
        assert (health(tenant, connection)["status"] == "connected") is (number >= 7)
    announced = {event["detail-type"]: event["detail"] for event in bus.events()}
    assert set(announced) == {"connection.failing", "connection.recovered"}
    failing_event = announced["connection.failing"]
    assert failing_event["connection_id"] == connection["id"]
    assert failing_event["occurred_at"] == to_sortable(now + 3 * MINUTE)
    assert (failing_event["status"], failing_event["error_code"]) == ("error", "auth_invalid")
    assert SECRET not in json.dumps(announced)
    # And nothing is left in the outbox
    assert [Table("IntegrationsTable").query(pk).items for pk in OUTBOX_PKS] == [[]] * LANES


def test_a_message_that_comes_again_is_dialed_and_recorded_once(
    tenant: Tenant, server: Provider
) -> None:
    [connection] = monitored(tenant, server.port, ["me"]).values()
    dispatch(this_minute())
    records = deliver()
    for _ in range(3):
        assert run(records) == []
    assert len(server.requests) == 1
    assert len(history(tenant, connection)) == 1
    assert counted(tenant) == (1, 0)


def test_a_monitor_does_not_call_a_custom_domain_of_the_api(tenant: Tenant) -> None:
    manifest = calling(1024)
    manifest["checks"]["steps"][0]["request"]["url"] = "https://connect.acme.com/v1/catalog"
    publish_integration(tenant, manifest=manifest)
    monitor = {"enabled": True, "interval": "1m"}
    connection = create_connection(tenant, create_source(tenant), monitor=monitor)
    tick(this_minute())
    [test] = history(tenant, connection)
    assert test["code"] == "egress_blocked"


NOT_SWEEPS = [
    "",
    "no json",
    "[]",
    "{}",
    '{"minute": 5, "slot": "1m#0#0", "low": "0000", "high": "ffff~"}',
    '{"minute": "2026-02-17T10:00:00Z", "slot": "odd", "low": "0000", "high": "ffff~"}',
    '{"minute": "2026-02-17T10:00:00Z", "slot": ["1m"], "low": 1, "high": null}',
]


def test_a_message_that_is_not_a_sweep_comes_back_alone_and_is_logged(
    tenant: Tenant, server: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a sweep among messages that are not ours
    [connection] = monitored(tenant, server.port, ["me"]).values()
    dispatch(this_minute())
    count = {"ApproximateReceiveCount": "1"}
    odd = [
        {"messageId": f"odd-{number}", "body": body, "attributes": count}
        for number, body in enumerate(NOT_SWEEPS)
    ]
    caplog.clear()
    # When they come in one batch
    come_back = run([*odd, *deliver()])
    # Then the sweep is done, and each of the others comes back and is logged
    assert sorted(come_back) == [record["messageId"] for record in odd]
    assert len(history(tenant, connection)) == 1
    named = {getattr(record, "message_id", None) for record in caplog.records}
    assert named >= {record["messageId"] for record in odd}


def test_a_batch_without_any_sweep_comes_back_whole(deployed: object) -> None:
    record = {"messageId": "odd", "body": "{", "attributes": {"ApproximateReceiveCount": "1"}}
    assert run([record]) == ["odd"]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(
    "victims",
    [
        {"index": (checks_history.TestHistory, "finish"), "plans": (RunStore, "record")},
        {"index": (EventStore, "add"), "plans": (RunStore, "_count_if_due")},
        {"index": (HealthRecorder, "record"), "plans": (HealthRecorder, "record")},
    ],
    ids=["before the history", "before the events", "before the health"],
)
def test_a_crash_in_the_middle_of_a_page_is_completed_by_the_next_delivery(
    tenant: Tenant,
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    victims: dict[str, tuple[Any, str]],
) -> None:
    # Given a page of connections, in the middle of which the process ends
    made = monitored(tenant, server.port, ["me", "401", "200", "500"])
    dispatch(this_minute())
    records = deliver()
    owner, name = victims[form]
    left = iter([True, False])
    undisturbed = getattr(owner, name)

    def crashing(*given: Any, **named: Any) -> Any:
        if owner in (EventStore, RunStore) or not next(left, False):
            raise Killed
        return undisturbed(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, crashing)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - a group of task groups
            run(records)
    # When its messages come again, split into single connections, until the queue is empty
    assert run([r | {"attributes": {"ApproximateReceiveCount": "2"}} for r in records]) == []
    while again := deliver():
        assert run(again) == []
    # Then every test is recorded once, counted once, and the health follows from them
    assert {path: len(history(tenant, one)) for path, one in made.items()} == dict.fromkeys(made, 1)
    assert counted(tenant) == (2, 2)
    statuses = {path: health(tenant, one)["status"] for path, one in made.items()}
    assert statuses == {"me": "connected", "200": "connected", "401": "unknown", "500": "unknown"}


def test_however_a_group_is_cut_each_connection_has_one_test(
    tenant: Tenant, server: Provider
) -> None:
    # Given the message of a minute, as messages for parts of it: some doubled, some overlapping
    made = monitored(tenant, server.port, ["me", "200", "401", "403", "500"])
    now = this_minute()
    dispatch(now)
    found = [(record, json.loads(record["body"])) for record in deliver()]
    chance = Random(7)  # noqa: S311 - cuts, guards nothing
    for record, body in found:
        sweep = Sweep.decode(body)
        keys = MonitorStore(Table("IntegrationsTable")).read_page(sweep, 100).sort_keys
        for _ in range(6):
            first, last = sorted(chance.choices(keys, k=2))
            part = SweepOrder(sweep.only(first, last)).encode()
            assert run([record | {"body": json.dumps(part)}]) == []
        # When the whole comes last, and twice
        for attempts in ("1", "1"):
            whole = {"attributes": {"ApproximateReceiveCount": attempts}}
            assert run([record | whole]) == []
    # Then each has one test, which is counted once, and was dialed once
    assert {path: len(history(tenant, one)) for path, one in made.items()} == dict.fromkeys(made, 1)
    assert counted(tenant) == (2, 3)
    for one in made.values():
        seen = health(tenant, one)
        assert seen["consecutive_failures"] + seen["consecutive_successes"] == 1


@pytest.mark.parametrize("place", ["prepare_connection", "run"])
def test_a_test_that_ends_its_process_takes_no_other_with_it(
    tenant: Tenant,
    stranger: Tenant,
    server: Provider,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    # Given connections of two organizations, in one pool if they have plans, and one whose test
    # ends the process: by a crash, by its memory, or by the time of the function
    monkeypatch.setattr("patchbay.monitors.sweeper.SMALL_SWEEP", 2)
    made = monitored(tenant, server.port, ["me", "401", "200"])
    publish_integration(tenant, slug="shared", manifest=calling(server.port), visibility="public")
    source = create_source(stranger, integration="acme/shared", variables={"path": "me"})
    theirs = create_connection(stranger, source, monitor={"enabled": True, "interval": "1m"})
    poison = made.pop("200")["id"]
    undisturbed = getattr(testing.Tester, place)

    def ending(self: Any, given: Any, *more: Any) -> Any:
        connection = getattr(given, "connection", given)
        if connection.id == poison:
            raise Killed
        return undisturbed(self, given, *more)

    monkeypatch.setattr(testing.Tester, place, ending)

    # When two minutes pass, each until its messages are done or dead letters
    start = this_minute() - 5 * MINUTE
    for number in (1, 2):
        dispatch(start + number * MINUTE)
        assert run_until_quiet() == [poison]

        # Then only its own test is missing, and each other is recorded and counted once
        assert history(tenant, {"id": poison}) == []
        assert {path: len(history(tenant, one)) for path, one in made.items()} == {
            "me": number,
            "401": number,
        }
        assert len(history(stranger, theirs)) == number
        assert (counted(tenant), counted(stranger)) == ((number, number), (number, 0))
        assert health(tenant, made["me"])["consecutive_successes"] == number
        assert health(tenant, made["401"])["consecutive_failures"] == number
        assert health(stranger, theirs)["consecutive_successes"] == number


def test_a_group_that_is_larger_than_a_page_is_cut(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = monitored(tenant, server.port, ["me", "200", "401", "403", "500"])
    monkeypatch.setattr("patchbay.monitors.store.MAX_PAGE", 3)
    read_page = MonitorStore.read_page
    sizes = []

    def small(self: MonitorStore, sweep: Sweep, limit: int) -> Any:
        page = read_page(self, sweep, min(limit, 2))
        sizes.append(len(page.keys))
        return page

    monkeypatch.setattr(MonitorStore, "read_page", small)
    start = this_minute() - 5 * MINUTE
    for number in (1, 2):
        tick(start + number * MINUTE)
        assert {len(history(tenant, one)) for one in made.values()} == {number}
        assert counted(tenant) == (2 * number, 3 * number)
    assert max(sizes) <= 3


@pytest.mark.parametrize("form", ["plans"], indirect=True)
def test_a_late_single_is_counted_when_another_test_of_its_message_is_not_recorded_yet(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a late part of a group whose run stands: its first test is put, and not counted, when
    # the process ends
    monitored(tenant, server.port, ["me", "200", "401"])
    dispatch(this_minute() - 20 * MINUTE)
    [record] = deliver()
    sweep = Sweep.decode(json.loads(record["body"]))
    keys = MonitorStore(Table("IntegrationsTable")).read_page(sweep, 100).sort_keys
    parts = [
        record | {"body": json.dumps(SweepOrder(sweep.only(first, last)).encode())}
        for first, last in ((keys[0], keys[0]), (keys[1], keys[2]))
    ]
    assert run([parts[0]]) == []
    count, left = RunStore._count_if_due, iter([True])

    def ending(self: RunStore, given: Any) -> None:
        if given.key.single and next(left, False):
            raise Killed
        count(self, given)

    with monkeypatch.context() as patched:
        patched.setattr(RunStore, "_count_if_due", ending)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - a group of task groups
            run([parts[1]])
    # When the part comes again as a whole
    assert run([parts[1]]) == []
    assert sum(counted(tenant)) == 3


def test_a_missed_hour_is_in_the_history_minute_by_minute(tenant: Tenant, server: Provider) -> None:
    [connection] = monitored(tenant, server.port, ["me"], interval="15m").values()
    now = this_minute()
    dispatch(now - 60 * MINUTE)
    deliver()  # which are lost
    dispatch(now)
    assert run(later(now)) == []
    assert len(history(tenant, connection)) == 4
    assert counted(tenant) == (4, 0)


def later(now: Any) -> list[dict[str, Any]]:
    """All messages of the queue, the delayed ones too."""
    from moto.sqs.models import sqs_backends

    backend = sqs_backends["123456789012"]["eu-central-1"]
    for message in backend.get_queue("MonitorQueue")._messages:
        message.delayed_until = 0
    return deliver()


def test_a_connection_that_is_paused_after_the_dispatch_is_not_tested(
    tenant: Tenant, server: Provider
) -> None:
    made = monitored(tenant, server.port, ["me", "200"])
    now = this_minute()
    base = f"{tenant.connectors}/connections"
    dispatch(now)
    records = deliver()
    tenant.client.patch(f"{base}/{made['me']['id']}", {"status": "paused"})
    run(records)
    assert history(tenant, made["me"]) == []
    assert len(history(tenant, made["200"])) == 1


def test_a_space_or_an_organization_that_is_paused_pauses_its_monitors(
    tenant: Tenant, operator: Tenant, server: Provider
) -> None:
    [connection] = monitored(tenant, server.port, ["me"]).values()
    space, organization = (
        f"/spaces/{tenant.space_slug}",
        f"/v1/organizations/{tenant.organization_id}",
    )
    now = this_minute() - 10 * MINUTE
    for number, (client, path) in enumerate(
        [(tenant.client, space), (operator.client, organization)]
    ):
        assert client.patch(path, {"paused": True}).status == 200
        tick(now + 2 * number * MINUTE)
        assert len(history(tenant, connection)) == number
        assert client.patch(path, {"paused": False}).status == 200
        tick(now + (2 * number + 1) * MINUTE)
        assert len(history(tenant, connection)) == number + 1


@pytest.mark.parametrize("marked", [False, True])
def test_of_several_spaces_those_that_run_are_tested(
    tenant: Tenant, operator: Tenant, server: Provider, *, marked: bool
) -> None:
    """Whether sweeps read marks of pauses, or the spaces themselves."""
    survey_pauses(is_done=marked)
    one = monitored(tenant, server.port, ["me"])["me"]
    spaces = f"/v1/organizations/{tenant.organization_id}/spaces"
    assert tenant.client.post(spaces, {"slug": "two", "name": "Two"}).status == 201
    source, monitor = create_source(tenant), {"enabled": True, "interval": "1m"}
    two = create_connection(tenant, source, space="two", monitor=monitor)
    minutes = (this_minute() - (10 - number) * MINUTE for number in range(5))

    def tested() -> tuple[int, int]:
        tick_after_quiet(next(minutes))
        return len(history(tenant, one)), len(history(tenant, two))

    space, organization = "/spaces/two", f"/v1/organizations/{tenant.organization_id}"
    assert tenant.client.patch(space, {"paused": True}).status == 200
    assert tested() == (1, 0)
    assert tenant.client.patch(space, {"paused": False}).status == 200
    assert tested() == (2, 1)
    assert operator.client.patch(organization, {"paused": True}).status == 200
    assert tested() == (2, 1)
    assert operator.client.patch(organization, {"paused": False}).status == 200
    assert tested() == (3, 2)


def test_an_outage_of_the_vault_counts_against_no_one(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from patchbay.connections.vault import Vault
    from patchbay.platform.errors import TemporarilyUnavailable

    [connection] = monitored(tenant, server.port, ["me"]).values()

    def out(*_: object, **__: object) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(Vault, "open", out)
    tick(this_minute())
    [test] = history(tenant, connection)
    assert (test["status"], test["blame"]) == ("failed", "platform")
    assert counted(tenant) == (0, 0)
    assert health(tenant, connection)["status"] == "unknown"
    assert server.requests == []


def test_the_data_keys_of_a_page_are_read_and_opened_together(
    tenant: Tenant, stranger: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given monitored connections of two organizations, and a function that has no key in memory
    [mine] = monitored(tenant, server.port, ["me"]).values()
    publish_integration(tenant, slug="shared", manifest=calling(server.port), visibility="public")
    source = create_source(stranger, integration="acme/shared", variables={"path": "me"})
    theirs = create_connection(stranger, source, monitor={"enabled": True, "interval": "1m"})
    start_cold("run_monitors")
    single: list[str] = []
    reread = Table.reread

    def seen(table: Table, key: Key) -> Any:
        single.append(key.sk)
        return reread(table, key)

    # When both are tested
    with monkeypatch.context() as patched:
        patched.setattr(Table, "reread", seen)
        tick(this_minute())
    # Then no data key was read by itself
    for owner, connection in ((tenant, mine), (stranger, theirs)):
        assert [test["status"] for test in history(owner, connection)] == ["succeeded"]
    assert [sk for sk in single if sk.startswith("DATAKEY#")] == []


def test_a_connection_that_can_not_be_prepared_does_not_affect_the_others(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = monitored(tenant, server.port, ["me", "200"])
    prepare = testing.Tester.prepare_connection

    def sometimes(self: Any, connection: Any, *read: Any) -> Any:
        if connection.id == made["me"]["id"]:
            raise KeyError("an item that can't be read")
        return prepare(self, connection, *read)

    monkeypatch.setattr(testing.Tester, "prepare_connection", sometimes)
    tick(this_minute())
    [broken] = history(tenant, made["me"])
    assert (broken["code"], broken["blame"]) == ("internal_error", "platform")
    [whole] = history(tenant, made["200"])
    assert whole["status"] == "succeeded"


def test_a_connection_that_keeps_failing_is_announced_and_then_disabled(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a deployment that disables after three failures and a day
    monkeypatch.setenv("AUTO_DISABLE_FAILURES", "3")
    monkeypatch.setenv("AUTO_DISABLE_DAYS", "1")
    assert AutoDisable(3, 1).notice.total_seconds() == 12 * 3600
    bus = Bus()
    [connection] = monitored(tenant, server.port, ["401"], interval="1h").values()
    start = this_minute() - 40 * 60 * MINUTE
    # When a connection fails for two days, hour by hour
    hours = [start + number * MINUTE for number in range(60)]
    [due] = [minute for minute in hours if _is_due(tenant, connection, minute)]
    for hour in range(40):
        tick_after_quiet(due + hour * 60 * MINUTE)
    # Then it was announced, disabled, and not tested any more
    announced = [event["detail-type"].removeprefix("connection.") for event in bus.events()]
    assert announced == ["failing", "disabling", "disabled"]
    read = tenant.client.get(f"{tenant.connectors}/connections/{connection['id']}").json
    assert read["status"] == "disabled"
    last = history(tenant, connection)[0]
    # And the audit trail says that the platform did it, once, at the end of the last test
    path = f"/v1/organizations/{tenant.organization_id}/audit-events?entity_id={connection['id']}"
    [change, _] = tenant.client.get(path).json["items"]
    assert (change["subject"], change["trace_id"]) == ("patchbay", None)
    assert (change["entity"], change["action"]) == ("connection", "changed")
    assert (change["before"], change["after"]) == ({"status": "active"}, {"status": "disabled"})
    assert change["at"] == last["finished_at"]


def _is_due(tenant: Tenant, connection: dict[str, Any], minute: Any) -> bool:
    from patchbay.connections.keys import connection_key
    from patchbay.connections.wheel import MonitorInterval, is_due, minute_number

    item = Table("IntegrationsTable").get(connection_key(tenant.organization_id, connection["id"]))
    assert item
    for pk, *_ in item.get("plans", ()):
        return bool(minute_number(minute) % 60 == int(pk.rpartition("#")[2]))
    return is_due(connection["id"], MonitorInterval.HOUR, minute)


def test_the_log_counts_tests_and_failures_by_category(
    tenant: Tenant, server: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    monitored(tenant, server.port, ["me", "401", "403"])
    tick(this_minute())
    swept = [vars(line) for line in caplog.records if line.message == "monitors swept"]
    assert sum(line["tests_run"] for line in swept) == 3
    for category, failures in {"auth": 1, "permission": 1, "network": 0}.items():
        assert sum(line.get(f"test_failures_{category}", 0) for line in swept) == failures
