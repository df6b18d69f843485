"""The evaluation of rules on the tables, under concurrency, lost replies, and crashes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import evaluate_alerts
from patchbay.alerts.evaluator import RESERVE_SECONDS, Evaluator
from patchbay.alerts.rule_store import RuleStore
from patchbay.alerts.schedule import SETTLE_MINUTES
from patchbay.alerts.store import AlertStore
from patchbay.alerts.wakes import watch_key
from patchbay.connections.connection_model import Connection
from patchbay.connections.connection_summaries import ConnectionStatus, ConnectionSummaries
from patchbay.connections.health_state import NO_AUTO_DISABLE, AutoDisable, HealthObservation
from patchbay.connections.health_status import FAILING, HealthStatus, RequiredAction
from patchbay.connections.keys import connection_key
from patchbay.connections.newest_tests import NO_NEWEST_TESTS
from patchbay.deployment import Deployment
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.platform.clock import floor_to_hour, to_text, utc_now
from patchbay.platform.dynamodb import Key, Put, Table, TransactionRefused, Update
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.alerting import (
    RATE,
    Context,
    alerts,
    create_rule,
    deliveries,
    evaluate,
    evaluate_due,
    queued,
    report,
)
from tests.integration.api import sample_event
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.faults import lose_replies
from tests.integration.story import create_connection, create_source, publish_integration
from tests.integration.table_calls import Attempt, Carry, Reply, meeting

BUS = {"kind": "eventbridge"}
MINUTE = timedelta(minutes=1)
RULES = "/spaces/acme/alert-rules"


@pytest.fixture
def now() -> datetime:
    """A quarter past the hour, so that the next minutes are in the same hour."""
    return floor_to_hour(utc_now()) - timedelta(minutes=45)


def evaluator(
    woken_for: list[Key] | None = None,
    alerts: AlertStore | None = None,
    connections: ConnectionSummaries | None = None,
) -> Evaluator:
    here = Deployment()
    return Evaluator(
        here.watched_spaces,
        here.alert_rules,
        alerts or here.alerts,
        connections or here.connection_summaries,
        here.event_store,
        here.tenants,
        here.evaluation_queue,
        (lambda _: None) if woken_for is None else woken_for.extend,
        here.wake,
        "https://api.example.com",
    )


def outbox_of(tenant: Tenant) -> list[tuple[str, str]]:
    """The notice and notification id of each delivery in the outbox, the oldest alert first."""
    return [
        (delivery["notice"], delivery["notification_id"])
        for alert in reversed(alerts(tenant))
        for delivery in deliveries(tenant, alert["id"])
    ]


def notices(tenant: Tenant) -> list[str]:
    return [notice for notice, _ in outbox_of(tenant)]


def states(tenant: Tenant) -> list[str]:
    return [alert["state"] for alert in alerts(tenant)]


def test_the_sample_event_evaluates_nothing_without_rules(deployed: object) -> None:
    answer = evaluate_alerts.handler(sample_event("evaluate_alerts"), Context())
    assert answer["alert_spaces_evaluated"] == 0


def test_an_outage_and_its_recovery_are_each_notified_once(tenant: Tenant, now: datetime) -> None:
    # Given a rule that waits five minutes
    create_rule(tenant, channels=[BUS], for_seconds=300)
    evaluate(now)
    assert alerts(tenant) == []
    # When errors go on
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    assert states(tenant) == ["pending"]
    assert queued() == []
    for minute in range(1, 10):
        evaluate(now + minute * MINUTE)
    assert states(tenant) == ["firing"]
    [message] = queued()
    assert notices(tenant) == ["firing"]
    # And they end
    report(tenant, EventStatus.SUCCESS, now + 10 * MINUTE, number=95)
    for minute in range(10, 15):
        evaluate(now + minute * MINUTE)
    # Then there were two notifications, and the notifier was woken for each
    assert notices(tenant) == ["firing", "resolved"]
    assert states(tenant) == ["resolved"]
    assert len(queued()) == 1
    assert message["body"] != ""


def test_a_pending_alert_that_never_fires_leaves_nothing(tenant: Tenant, now: datetime) -> None:
    create_rule(tenant, channels=[BUS], for_seconds=300)
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    report(tenant, EventStatus.SUCCESS, now + MINUTE, number=95)
    evaluate(now + MINUTE)
    assert alerts(tenant) == []
    assert queued() == []


def test_a_minute_without_changes_writes_nothing(
    tenant: Tenant, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.SUCCESS, now)
    evaluate(now)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("nothing must be written")

    for name in ("write", "transact"):
        monkeypatch.setattr(Table, name, refuse)
    assert evaluate(now + MINUTE)["alert_spaces_failed"] == 0
    assert evaluate(now + 2 * MINUTE)["alert_notifications"] == 0


def test_too_few_events_are_no_data_and_no_data_is_not_a_recovery(
    tenant: Tenant, now: datetime
) -> None:
    made = create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    # When there is nothing for hours, and then a single success
    for hours in (3, 4, 5):
        evaluate(now + timedelta(hours=hours))
    report(tenant, EventStatus.SUCCESS, now + timedelta(hours=6), number=1)
    evaluate(now + timedelta(hours=6))
    assert states(tenant) == ["firing"]
    # Then enough successes end it
    report(tenant, EventStatus.SUCCESS, now + timedelta(hours=6), number=9)
    evaluate(now + timedelta(hours=6))
    assert notices(tenant) == ["firing", "resolved"]
    subjects = tenant.client.get(f"{RULES}/{made['id']}/subjects").json["items"]
    assert [(s["subject"]["kind"], s["state"]) for s in subjects] == [("space", "ok")]


def test_both_windows_must_be_below(tenant: Tenant, now: datetime) -> None:
    condition = RATE | {"long_window_seconds": 6 * 3600}
    create_rule(tenant, condition=condition, channels=[BUS])
    report(tenant, EventStatus.SUCCESS, now - timedelta(hours=4), number=90)
    report(tenant, EventStatus.SUCCESS, now - timedelta(hours=3), number=90)
    # A burst of errors that leaves the long window above the threshold
    report(tenant, EventStatus.ERROR, now, number=15)
    evaluate(now)
    assert alerts(tenant) == []
    # More errors
    report(tenant, EventStatus.ERROR, now, number=15)
    evaluate(now + MINUTE)
    assert states(tenant) == ["firing"]
    # The short window recovers, which is enough
    report(tenant, EventStatus.SUCCESS, now + timedelta(hours=3), number=10)
    evaluate(now + timedelta(hours=3))
    assert notices(tenant) == ["firing", "resolved"]


def test_windows_of_less_than_an_hour_are_exact(tenant: Tenant, now: datetime) -> None:
    condition = RATE | {"short_window_seconds": 300, "long_window_seconds": 900}
    create_rule(tenant, condition=condition, channels=[BUS])
    report(tenant, EventStatus.SUCCESS, now - 20 * MINUTE, number=90)
    report(tenant, EventStatus.ERROR, now, number=6)
    evaluate(now)
    assert states(tenant) == ["firing"]
    report(tenant, EventStatus.SUCCESS, now + 6 * MINUTE, number=9)
    evaluate(now + 6 * MINUTE)
    assert notices(tenant) == ["firing", "resolved"]


def test_hysteresis_keeps_an_alert_until_the_recovery_threshold(
    tenant: Tenant, now: datetime
) -> None:
    create_rule(tenant, condition=RATE | {"recovery_threshold": 98}, channels=[BUS])
    report(tenant, EventStatus.ERROR, now, number=10)
    evaluate(now)
    report(tenant, EventStatus.SUCCESS, now, number=95)
    report(tenant, EventStatus.SUCCESS, now, number=95)
    evaluate(now + MINUTE)
    assert states(tenant) == ["firing"]  # 95% is above 90, but not above 98
    for _ in range(4):
        report(tenant, EventStatus.SUCCESS, now, number=95)
    evaluate(now + 2 * MINUTE)
    assert states(tenant) == ["resolved"]


def test_platform_faults_count_toward_no_alert(tenant: Tenant, now: datetime) -> None:
    test = IntegrationType.CONNECTION_TEST
    create_rule(tenant, channels=[BUS])
    stale = {"kind": "stale", "after_seconds": 3600, "integration_type": "connection_test"}
    create_rule(tenant, condition=stale, channels=[BUS])
    report(tenant, EventStatus.SUCCESS, now - timedelta(hours=2), number=1, kind=test)
    report(tenant, EventStatus.ERROR, now, number=50, kind=test, platform_fault=True)
    evaluate(now)
    assert alerts(tenant) == []


def test_types_are_judged_separately(tenant: Tenant, now: datetime) -> None:
    create_rule(tenant, condition=RATE | {"per": "integration_type"}, channels=[BUS])
    report(tenant, EventStatus.ERROR, now, kind=IntegrationType.PROFILING)
    report(tenant, EventStatus.SUCCESS, now, kind=IntegrationType.WEBHOOK)
    evaluate(now)
    [alert] = alerts(tenant)
    subject = alert["subject"]
    assert (subject["kind"], subject["id"]) == ("integration_type", "profiling")
    assert subject["name"] == "profiling"


def test_a_subject_without_a_success_for_too_long_is_stale(tenant: Tenant) -> None:
    now = utc_now()
    stale = {"kind": "stale", "after_seconds": 3600}
    create_rule(tenant, condition=stale, channels=[BUS])
    # A subject that never succeeded has its time first
    evaluate(now)
    evaluate(now + 59 * MINUTE)
    assert alerts(tenant) == []
    evaluate(now + 61 * MINUTE)
    assert states(tenant) == ["firing"]
    # Errors are not successes
    report(tenant, EventStatus.ERROR, now + 62 * MINUTE)
    evaluate(now + 62 * MINUTE)
    assert states(tenant) == ["firing"]
    report(tenant, EventStatus.SUCCESS, now + 63 * MINUTE, number=1)
    evaluate(now + 63 * MINUTE)
    assert notices(tenant) == ["firing", "resolved"]
    evaluate(now + 124 * MINUTE)
    assert notices(tenant) == ["firing", "resolved", "firing"]


@pytest.fixture
def connection(tenant: Tenant) -> dict[str, Any]:
    publish_integration(tenant)
    return create_connection(tenant, create_source(tenant))


def be(tenant: Tenant, connection_id: str, status: HealthStatus, at: datetime) -> None:
    """Makes this the result of the connection's last test."""
    connections, seen = Deployment().connections, HealthObservation(at, status, latency_ms=1)
    connection = connections.get(tenant.organization_id, connection_id)
    Deployment().health_recorder.record(connection, seen, RequiredAction.NONE)
    assert connections.get(tenant.organization_id, connection_id).health.status is status


def test_a_connection_that_is_down_is_notified_and_so_is_its_recovery(
    tenant: Tenant, connection: dict[str, Any], now: datetime
) -> None:
    other = create_connection(tenant, create_source(tenant))
    create_rule(tenant, condition={"kind": "connection_down"}, channels=[BUS])
    be(tenant, other["id"], HealthStatus.CONNECTED, now)
    evaluate(now)  # the health is unknown before the first test
    assert alerts(tenant) == []
    be(tenant, connection["id"], HealthStatus.DISCONNECTED, now + MINUTE)
    evaluate(now + MINUTE)
    [alert] = alerts(tenant)
    assert alert["subject"]["id"] == connection["id"]
    be(tenant, connection["id"], HealthStatus.CONNECTED, now + 2 * MINUTE)
    evaluate(now + 2 * MINUTE)
    assert notices(tenant) == ["firing", "resolved"]


@pytest.mark.parametrize(
    "condition",
    [
        {"kind": "connection_down"},
        {"kind": "stale", "per": "connection", "after_seconds": 300},
    ],
    ids=lambda condition: condition["kind"],
)
def test_an_alert_says_in_words_what_is_down(
    tenant: Tenant, now: datetime, condition: dict[str, Any]
) -> None:
    # Given a connection that fails with a code and a sentence
    publish_integration(tenant)
    source = create_source(tenant, external_account_id="acct-42")
    connection = create_connection(tenant, source, name="Payroll to the warehouse")
    make_older(connection["id"], tenant, timedelta(hours=2))
    create_rule(tenant, condition=condition, channels=[BUS])
    here = Deployment()
    stored = here.connections.get(tenant.organization_id, connection["id"])
    sentence = "The provider refused the credential."
    seen = HealthObservation(
        now, HealthStatus.ERROR, 1, error_code="auth_invalid", error_message=sentence
    )
    here.health_recorder.record(stored, seen, RequiredAction.REAUTHORIZE)
    evaluate(utc_now())
    evaluate(utc_now() + 6 * MINUTE)
    # Then the alert names it, and says what its last failure was and what to do
    [alert] = alerts(tenant)
    assert alert["subject"] == {
        "kind": "connection",
        "id": connection["id"],
        "name": "Payroll to the warehouse",
        "external_account_id": "acct-42",
    }
    assert alert["connection"] == {
        "status": "error",
        "error_code": "auth_invalid",
        "error_message": sentence,
        "required_action": "reauthorize",
    }
    assert alert["summary"].startswith("Payroll to the warehouse: ")
    assert alert["summary"].endswith(f" auth_invalid: {sentence}")
    # And so does the message
    table = Table("IntegrationsTable")
    [sent] = table.query(f"SPACE#{tenant.space_id}", prefix="OUT#").items
    data = json.loads(sent["payload"])["data"]
    assert {name: data[name] for name in ("subject", "connection", "summary")} == {
        name: alert[name] for name in ("subject", "connection", "summary")
    }
    assert data["link"] == f"https://go.acme.com/spaces/acme/alerts/{alert['id']}"


@contextmanager
def counting_queries() -> Iterator[list[int]]:
    """The number of items that each query of the block reads."""
    seen: list[int] = []

    def count(attempt: Attempt, carry: Carry) -> Reply:
        answer = carry()
        if attempt.operation == "Query":
            seen.append(json.loads(answer.body)["ScannedCount"])
        return answer

    with meeting(count):
        yield seen


def test_watching_all_connections_only_reads_the_failing_ones(
    tenant: Tenant, connection: dict[str, Any], now: datetime
) -> None:
    # Given a rule on all connections, one failing connection, and healthy ones
    create_rule(tenant, condition={"kind": "connection_down"}, channels=[BUS])
    source = create_source(tenant)
    well = [create_connection(tenant, source)["id"] for _ in range(5)]
    for one in well:
        be(tenant, one, HealthStatus.CONNECTED, now)
    with counting_queries() as quiet:
        evaluate(now)
    be(tenant, connection["id"], HealthStatus.ERROR, now)
    # When the alert fires, keeps firing, and recovers
    evaluate(now)
    assert states(tenant) == ["firing"]
    with counting_queries() as firing:
        evaluate(now + MINUTE)
    be(tenant, connection["id"], HealthStatus.CONNECTED, now + MINUTE)
    evaluate(now + 2 * MINUTE)
    # Then the space's place, its watch, and the rule are read; during an outage the connection and
    # its state, but no longer the rule, which is known
    assert (sum(quiet), sum(firing)) == (3, 4)
    assert notices(tenant) == ["firing", "resolved"]


def test_health_and_the_index_of_failing_connections_agree_after_each_kind_of_write(
    tenant: Tenant, connection: dict[str, Any], now: datetime
) -> None:
    table = Table("IntegrationsTable")
    path = f"{tenant.connectors}/connections/{connection['id']}"

    def failing() -> list[tuple[str, str]]:
        found = ConnectionSummaries(table, NO_NEWEST_TESTS, utc_now).failing(tenant.space_id)
        return [(one.status.value, one.lifecycle) for one in found]

    be(tenant, connection["id"], HealthStatus.ERROR, now)
    assert failing() == [("error", "active")]
    # An edit that began before a test keeps the result of the test
    store = Deployment().connections
    old = store.get(tenant.organization_id, connection["id"])
    be(tenant, connection["id"], HealthStatus.CONNECTED, now + MINUTE)
    renamed = old.model_copy(update={"name": "Renamed", "revision": old.revision + 1})
    store.change(old, renamed, None)
    assert failing() == []
    be(tenant, connection["id"], HealthStatus.DISCONNECTED, now + 2 * MINUTE)
    assert tenant.client.patch(path, {"status": "paused"}).status == 200
    assert failing() == [("disconnected", "paused")]
    assert tenant.client.delete(path).status == 204
    assert failing() == []


CONNECTED = HealthStatus.CONNECTED
CHANGES = (
    *(("tested", status) for status in HealthStatus if status is not HealthStatus.UNKNOWN),
    *(("stated", status) for status in HealthStatus),
    *(("patched", status) for status in ("active", "paused")),
    *(("monitored", enabled) for enabled in (True, False)),
    ("begun", None),
    ("ended", None),
    ("disabled", None),
)
"""What can happen to a connection: tests, stated health, edits, edits that a test overtakes, and
disabling by its monitor."""


@given(changes=st.lists(st.sampled_from(CHANGES), min_size=4, max_size=12))
@example([("patched", "active"), ("monitored", True), ("disabled", None), ("stated", CONNECTED)])
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_index_of_failing_connections_matches_the_connections_after_any_changes(
    tenant: Tenant, connection: dict[str, Any], changes: list[tuple[str, Any]]
) -> None:
    table, path = Table("IntegrationsTable"), f"{tenant.connectors}/connections/{connection['id']}"
    store, begun = Deployment().connections, None

    def current() -> Connection:
        return store.get(tenant.organization_id, connection["id"])

    def test(status: HealthStatus, disable: AutoDisable = NO_AUTO_DISABLE) -> None:
        connection = current()
        at = (connection.health.checked_at or utc_now()) + timedelta(days=1)
        seen = HealthObservation(at, status, latency_ms=1)
        Deployment().health_recorder.record(connection, seen, RequiredAction.NONE, disable)

    for change, to in changes:
        match change:
            case "tested":
                test(to)
            case "disabled":
                for _ in range(5):
                    test(HealthStatus.ERROR, AutoDisable(failures=3, days=1))
            case "stated":
                body = {"connectionId": connection["id"], "status": to.value}
                tenant.client.post("/integrations/connection/update/v1.0.0", body)
            case "patched":
                tenant.client.patch(path, {"status": to})
            case "monitored":
                tenant.client.patch(path, {"monitor": {"enabled": to}})
            case "begun":
                begun = current()
            case "ended" if begun:
                renamed = begun.model_copy(update={"name": "New", "revision": begun.revision + 1})
                with suppress(TransactionRefused):
                    store.change(begun, renamed, None)
        found = current()
        fails = found.health.status in FAILING
        expected = [(found.health.status, found.status.value)] if fails else []
        indexed = ConnectionSummaries(table, NO_NEWEST_TESTS, utc_now).failing(tenant.space_id)
        assert [(one.status, one.lifecycle) for one in indexed] == expected


class LaggingIndex(ConnectionSummaries):
    """Returns `held` instead of the present content of the index, if it is set."""

    held: list[ConnectionStatus] | None = None

    def failing(self, space_id: str) -> list[ConnectionStatus]:
        return super().failing(space_id) if self.held is None else self.held


@pytest.mark.parametrize("for_seconds", [0, 120])
def test_an_index_that_lags_behind_notifies_no_outage_twice_and_ends_none(
    tenant: Tenant, connection: dict[str, Any], now: datetime, for_seconds: int
) -> None:
    create_rule(
        tenant, condition={"kind": "connection_down"}, for_seconds=for_seconds, channels=[BUS]
    )
    index = LaggingIndex(Table("IntegrationsTable"), NO_NEWEST_TESTS, utc_now)
    minutes = iter(now + number * MINUTE for number in range(20))

    def evaluated(held: list[ConnectionStatus] | None, times: int = 1) -> list[str]:
        index.held = held
        for _ in range(times):
            evaluator(connections=index).evaluate_space(tenant.space_id, next(minutes))
        return notices(tenant)

    # Given an outage that was notified
    be(tenant, connection["id"], HealthStatus.ERROR, now)
    failing = index.failing(tenant.space_id)
    assert evaluated(None, times=3) == ["firing"]
    # When the index misses the connection for a minute, it is not a recovery
    assert evaluated([]) == ["firing"]
    # When the outage is over, an index that still has the connection delays the end
    be(tenant, connection["id"], HealthStatus.CONNECTED, now + 4 * MINUTE)
    assert evaluated(failing) == ["firing"]
    assert evaluated(None) == ["firing", "resolved"]
    # And when the index has it again, no other outage begins
    assert evaluated(failing, times=4) == ["firing", "resolved"]
    # Nor does a pending alert fire; without a pending time it fires at once, and its end is delayed
    be(tenant, connection["id"], HealthStatus.ERROR, now + 12 * MINUTE)
    evaluated(None)
    be(tenant, connection["id"], HealthStatus.CONNECTED, now + 13 * MINUTE)
    again = [] if for_seconds else ["firing"]
    assert evaluated(failing, times=3) == ["firing", "resolved", *again]


@pytest.mark.parametrize("lifecycle", ["paused", "disabled"])
def test_a_connection_that_is_paused_disabled_or_deleted_ends_its_alert(
    tenant: Tenant, connection: dict[str, Any], lifecycle: str
) -> None:
    now = utc_now() + MINUTE
    # Given two alerts of one connection: of a rule on all connections, and of one on it alone
    create_rule(tenant, condition={"kind": "connection_down"}, channels=[BUS])
    only = {"kind": "connection_down", "connection_id": connection["id"]}
    create_rule(tenant, condition=only, channels=[BUS])
    be(tenant, connection["id"], HealthStatus.ERROR, now)
    evaluate(now)
    assert states(tenant) == ["firing", "firing"]
    key = connection_key(tenant.organization_id, connection["id"])
    table = Table("IntegrationsTable")
    # When it is out of service, both alerts end, and say why
    table.write(Update(key, values={"status": lifecycle}))
    evaluate(now + 2 * MINUTE)
    ended = {("resolved", f"subject_{lifecycle}")}
    assert {(a["state"], a["resolution"]) for a in alerts(tenant)} == ended
    assert sorted(notices(tenant)) == ["firing", "firing", "resolved", "resolved"]
    # And the same when it is deleted
    table.write(Update(key, values={"status": "active"}))
    evaluate(now + 3 * MINUTE)
    assert sorted(states(tenant)) == ["firing", "firing", "resolved", "resolved"]
    path = f"{tenant.connectors}/connections/{connection['id']}"
    assert tenant.client.delete(path).status == 204
    evaluate(now + 4 * MINUTE)
    assert set(states(tenant)) == {"resolved"}


def test_rates_and_staleness_of_connections_are_of_their_own_events(
    tenant: Tenant, connection: dict[str, Any]
) -> None:
    now = utc_now()
    create_rule(tenant, name="rate", condition=RATE | {"per": "connection"}, channels=[BUS])
    stale = {"kind": "stale", "after_seconds": 3600, "connection_id": connection["id"]}
    create_rule(tenant, name="stale", condition=stale, channels=[BUS])
    other = create_connection(tenant, create_source(tenant))
    report(tenant, EventStatus.SUCCESS, now, 30, connection_id=other["id"])
    report(tenant, EventStatus.ERROR, now, 6, connection_id=connection["id"])
    evaluate(now)
    assert [(a["rule_name"], a["subject"]["id"]) for a in alerts(tenant)] == [
        ("rate", connection["id"])
    ]
    # After another hour without a success, it is stale, too
    evaluate(now + 62 * MINUTE)
    assert {a["rule_name"] for a in alerts(tenant, "?state=firing")} == {"rate", "stale"}
    # A passed test ends that
    be(tenant, connection["id"], HealthStatus.CONNECTED, now + 63 * MINUTE)
    evaluate(now + 63 * MINUTE)
    assert [a["rule_name"] for a in alerts(tenant, "?state=firing")] == ["rate"]


@pytest.mark.parametrize(
    ("change", "resolution"),
    [
        ({"enabled": False}, "rule_disabled"),
        ({"condition": {"integration_type": "profiling"}}, "rule_changed"),
    ],
)
def test_a_rule_with_another_subject_notifies_that_its_alert_is_over(
    tenant: Tenant, now: datetime, change: dict[str, Any], resolution: str
) -> None:
    made = create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    assert tenant.client.patch(f"{RULES}/{made['id']}", change).status == 200
    evaluate(now + MINUTE)
    [alert] = alerts(tenant)
    assert (alert["state"], alert["resolution"]) == ("resolved", resolution)
    assert notices(tenant) == ["firing", "resolved"]


def test_a_disabled_rule_is_not_evaluated_until_it_is_enabled(
    tenant: Tenant, now: datetime
) -> None:
    made = create_rule(tenant, enabled=False, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    assert evaluate(now)["alert_spaces_evaluated"] == 1
    assert evaluate(now + MINUTE)["alert_spaces_evaluated"] == 0
    assert alerts(tenant) == []
    tenant.client.patch(f"{RULES}/{made['id']}", {"enabled": True})
    evaluate(now + 2 * MINUTE)
    assert states(tenant) == ["firing"]


def test_deleting_a_rule_ends_its_alert_without_a_notification(
    tenant: Tenant, now: datetime
) -> None:
    made = create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    assert tenant.client.delete(f"{RULES}/{made['id']}").status == 204
    [alert] = alerts(tenant)
    assert (alert["state"], alert["resolution"]) == ("resolved", "rule_deleted")
    assert notices(tenant) == ["firing"]
    assert evaluate(now + MINUTE)["alert_spaces_evaluated"] == 1
    assert evaluate(now + MINUTE)["alert_spaces_evaluated"] == 0
    left = Table("IntegrationsTable").query(f"SPACE#{tenant.space_id}", prefix="ALERT#")
    assert left.items == []
    assert tenant.client.delete("/spaces/acme").status == 204


def test_a_paused_space_or_organization_is_not_evaluated(
    tenant: Tenant, operator: Tenant, now: datetime
) -> None:
    create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    organization = f"/v1/organizations/{tenant.organization_id}"
    for client, path in ((tenant.client, "/spaces/acme"), (operator.client, organization)):
        assert client.patch(path, {"paused": True}).status == 200
        evaluate(now)
        assert alerts(tenant) == []
        assert client.patch(path, {"paused": False}).status == 200
    evaluate(now)
    assert states(tenant) == ["firing"]


def test_in_a_paused_space_a_disabled_rule_ends_its_alert(tenant: Tenant, now: datetime) -> None:
    made = create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)
    assert tenant.client.patch("/spaces/acme", {"paused": True}).status == 200
    evaluate(now + MINUTE)
    assert states(tenant) == ["firing"]
    assert tenant.client.patch(f"{RULES}/{made['id']}", {"enabled": False}).status == 200
    evaluate(now + 2 * MINUTE)
    assert [a["resolution"] for a in alerts(tenant)] == ["rule_disabled"]
    assert notices(tenant) == ["firing", "resolved"]


def test_after_a_pause_staleness_starts_over(tenant: Tenant) -> None:
    now = utc_now()
    create_rule(tenant, condition={"kind": "stale", "after_seconds": 3600}, channels=[BUS])
    report(tenant, EventStatus.SUCCESS, now - timedelta(hours=3), number=1)
    tenant.client.patch("/spaces/acme", {"paused": True})
    tenant.client.patch("/spaces/acme", {"paused": False})
    evaluate(now + 30 * MINUTE)
    assert alerts(tenant) == []
    evaluate(now + 62 * MINUTE)
    assert states(tenant) == ["firing"]


def resume(tenant: Tenant, operator: Tenant, what: str, connection_id: str) -> None:
    path, client, pause, go_on = {
        "space": ("/spaces/acme", tenant.client, {"paused": True}, {"paused": False}),
        "organization": (
            f"/v1/organizations/{tenant.organization_id}",
            operator.client,
            {"paused": True},
            {"paused": False},
        ),
        "connection": (
            f"{tenant.connectors}/connections/{connection_id}",
            tenant.client,
            {"status": "paused"},
            {"status": "active"},
        ),
        "monitor": (
            f"{tenant.connectors}/connections/{connection_id}",
            tenant.client,
            {"monitor": {"enabled": False}},
            {"monitor": {"enabled": True}},
        ),
        "interval": (
            f"{tenant.connectors}/connections/{connection_id}",
            tenant.client,
            {"monitor": {"enabled": True, "interval": "24h"}},
            {"monitor": {"interval": "1h"}},
        ),
    }[what]
    for change in (pause, go_on):
        assert client.patch(path, change).status == 200


@pytest.mark.parametrize("what", ["space", "organization", "connection", "monitor", "interval"])
def test_silence_before_it_is_resumed_does_not_count(
    tenant: Tenant, operator: Tenant, connection: dict[str, Any], what: str
) -> None:
    # Given a connection whose last success was an hour ago, when nothing had to test it until now
    now = utc_now()
    stale = {"kind": "stale", "after_seconds": 1800, "connection_id": connection["id"]}
    create_rule(tenant, condition=stale, channels=[BUS])
    be(tenant, connection["id"], HealthStatus.CONNECTED, now - timedelta(hours=1))
    resume(tenant, operator, what, connection["id"])
    # Then it is stale only after its time, counted from then
    evaluate(now + 29 * MINUTE)
    assert alerts(tenant) == []
    evaluate(now + 31 * MINUTE)
    assert states(tenant) == ["firing"]


@pytest.mark.parametrize(
    "edit",
    [
        ("/spaces/acme", {"name": "Renamed"}),
        ("/spaces/acme", {"paused": False}),
        ("connection", {"name": "Renamed"}),
        ("connection", {"status": "active"}),
        ("connection", {"monitor": {"enabled": False}}),
    ],
    ids=str,
)
def test_an_edit_that_is_no_resumption_silences_nothing(
    tenant: Tenant, connection: dict[str, Any], edit: tuple[str, dict[str, Any]]
) -> None:
    now = utc_now()
    stale = {"kind": "stale", "after_seconds": 1800, "connection_id": connection["id"]}
    create_rule(tenant, condition=stale, channels=[BUS])
    make_older(connection["id"], tenant, timedelta(hours=2))
    be(tenant, connection["id"], HealthStatus.CONNECTED, now - timedelta(hours=1))
    path, change = edit
    path = path.replace("connection", f"{tenant.connectors}/connections/{connection['id']}")
    assert tenant.client.patch(path, change).status == 200
    evaluate(now)
    assert states(tenant) == ["firing"]


def make_older(connection_id: str, tenant: Tenant, by: timedelta) -> None:
    """As if the connection had been created so much earlier."""
    at = to_text(utc_now() - by)
    key = connection_key(tenant.organization_id, connection_id)
    Table("IntegrationsTable").write(Update(key, values={"created_at": at, "watched_since": at}))


def test_a_new_connection_is_not_stale_before_its_time(tenant: Tenant) -> None:
    # Given a rule that is older than the connection
    now = utc_now()
    create_rule(tenant, condition={"kind": "stale", "per": "connection", "after_seconds": 3600})
    table = Table("IntegrationsTable")
    [item] = table.query(f"SPACE#{tenant.space_id}", prefix="RULE#").items
    text = item["rule"].replace(to_text(now)[:10], to_text(now - timedelta(days=3))[:10])
    table.write(Put({**item, "rule": text}))
    publish_integration(tenant)
    create_connection(tenant, create_source(tenant))
    evaluate(now + 59 * MINUTE)
    assert alerts(tenant) == []
    evaluate(now + 61 * MINUTE)
    assert states(tenant) == ["firing"]


def test_a_busy_space_hides_no_silent_connection(
    tenant: Tenant, connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given more events of others than an evaluation reads
    monkeypatch.setattr("patchbay.alerts.space_snapshot.MAX_EVENTS_READ", 20)
    now = utc_now()
    stale = {"kind": "stale", "after_seconds": 3600}
    create_rule(tenant, condition={**stale, "per": "connection"}, channels=[BUS])
    create_rule(tenant, condition={**stale, "connection_id": connection["id"]}, channels=[BUS])
    be(tenant, connection["id"], HealthStatus.CONNECTED, now)
    for minute in (30, 59, 61):
        report(tenant, EventStatus.SUCCESS, now + minute * MINUTE, 25)
        evaluate(now + minute * MINUTE)
        # Then its own last success decides
        assert states(tenant) == (["firing", "firing"] if minute == 61 else [])


def test_a_type_that_is_silent_for_months_fires_on(tenant: Tenant) -> None:
    now = utc_now()
    stale = {"kind": "stale", "after_seconds": 86_400}
    create_rule(tenant, condition={**stale, "per": "integration_type"}, channels=[BUS])
    create_rule(tenant, condition={**stale, "integration_type": "profiling"}, channels=[BUS])
    report(tenant, EventStatus.SUCCESS, now, kind=IntegrationType.PROFILING)
    for days in (2, 29, 31.5, 90):
        evaluate(now + timedelta(days=days))
        assert states(tenant) == ["firing", "firing"]
    # Until it works again
    report(tenant, EventStatus.SUCCESS, now + timedelta(days=91), kind=IntegrationType.PROFILING)
    evaluate(now + timedelta(days=91))
    assert [a["resolution"] for a in alerts(tenant)] == ["recovered", "recovered"]


def test_an_interrupted_deletion_is_finished_by_the_next_evaluation(
    tenant: Tenant, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_rule(tenant, channels=[{"kind": "webhook", "url": "https://a.example.com/"}])
    report(tenant, EventStatus.ERROR, now)
    evaluate(now)

    def crash(*_: Any) -> None:
        raise TemporarilyUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(RuleStore, "finish_deletion", crash)
        assert tenant.client.delete(f"{RULES}/{made['id']}").status == 503
    # It is not found any more, and its alert ends
    assert tenant.client.get(f"{RULES}/{made['id']}").status == 404
    evaluate(now + MINUTE)
    assert states(tenant) == ["resolved"]
    assert tenant.client.delete("/spaces/acme").status == 204


def test_a_minute_that_comes_late_or_twice_changes_nothing(tenant: Tenant, now: datetime) -> None:
    create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    for minute in (5, 5, 2, 0):
        evaluate(now + minute * MINUTE)
    assert notices(tenant) == ["firing"]


# ---------------------------------------------------------------- faults


@contextmanager
def between(call: int, interrupt: Callable[[], None]) -> Iterator[list[str]]:
    """Runs `interrupt` before call number `call` to DynamoDB in the block. Yields all calls."""
    operations: list[str] = []
    busy = False

    def watch(attempt: Attempt, carry: Carry) -> Reply:
        nonlocal busy
        if not busy:
            operations.append(attempt.operation)
            if len(operations) - 1 == call:
                busy = True
                interrupt()
                busy = False
        return carry()

    with meeting(watch):
        yield operations


def calls_of_an_evaluation(tenant: Tenant, at: datetime) -> list[str]:
    with between(-1, lambda: None) as operations:
        evaluator().evaluate_space(tenant.space_id, at)
    return operations


def test_two_evaluations_interleaved_at_any_point_send_one_notification(
    deployed: object, now: datetime
) -> None:
    # Given the number of calls of an evaluation in which an alert fires
    first = new_tenant("s-first", TENANT_PERMISSIONS)
    create_rule(first, channels=[BUS])
    report(first, EventStatus.ERROR, now)
    calls = len(calls_of_an_evaluation(first, now))
    assert calls >= 4
    for call in range(calls):
        # When another evaluation runs before each of them
        tenant = new_tenant(f"s-{call}", TENANT_PERMISSIONS)
        create_rule(tenant, channels=[BUS, BUS])
        report(tenant, EventStatus.ERROR, now)
        made: list[Key] = []

        def other(tenant: Tenant = tenant, made: list[Key] = made) -> None:
            evaluator(made).evaluate_space(tenant.space_id, now)

        with between(call, other):
            evaluator(made).evaluate_space(tenant.space_id, now)
        # Then there is one alert, one notification, and one delivery to each channel
        [alert] = alerts(tenant)
        sent = deliveries(tenant, alert["id"])
        assert len({delivery["notification_id"] for delivery in sent}) == 1
        assert len({delivery["channel_id"] for delivery in sent}) == len(sent) == 2
        assert len(made) == 2


def test_a_transition_whose_reply_is_lost_is_applied_once(tenant: Tenant, now: datetime) -> None:
    create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)
    lose_replies("TransactWriteItems")
    evaluate(now)
    evaluate(now + MINUTE)
    assert notices(tenant) == ["firing"]
    assert states(tenant) == ["firing"]


def test_an_evaluation_that_dies_before_the_queue_loses_nothing(
    tenant: Tenant, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_rule(tenant, channels=[BUS])
    report(tenant, EventStatus.ERROR, now)

    def die(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("patchbay.alerts.queue.NotificationQueue.wake", die)
        assert evaluate(now)["alert_spaces_failed"] == 1
    assert queued() == []
    # The outbox has it, and no later evaluation repeats it
    evaluate(now + MINUTE)
    [delivery] = deliveries(tenant, alerts(tenant)[0]["id"])
    assert delivery["status"] == "pending"


def test_a_rule_that_changes_during_an_evaluation_is_not_evaluated_as_it_was(
    tenant: Tenant, stranger: Tenant, now: datetime
) -> None:
    made, _ = [create_rule(one, channels=[BUS]) for one in (tenant, stranger)]
    for one in (tenant, stranger):
        report(one, EventStatus.ERROR, now)

    def disable() -> None:
        tenant.client.patch(f"{RULES}/{made['id']}", {"enabled": False})

    # Given an evaluation that has read the rule, and is about to write
    write = calls_of_an_evaluation(stranger, now).index("TransactWriteItems")
    with between(write, disable) as operations:
        evaluator().evaluate_space(tenant.space_id, now)
    assert operations[write] == "TransactWriteItems"
    assert not tenant.client.get(f"{RULES}/{made['id']}").json["enabled"]
    assert alerts(tenant) == []


def test_a_space_that_fails_stops_no_other(tenant: Tenant, stranger: Tenant, now: datetime) -> None:
    for one in (tenant, stranger):
        create_rule(one, channels=[BUS])
        report(one, EventStatus.ERROR, now)
    table = Table("IntegrationsTable")
    [broken] = table.query(f"SPACE#{tenant.space_id}", prefix="RULE#").items
    table.write(Update(Key(broken["pk"], broken["sk"]), values={"rule": "{"}))
    answer = evaluate(now)
    assert (answer["alert_spaces_evaluated"], answer["alert_spaces_failed"]) == (2, 1)
    assert states(stranger) == ["firing"]


def test_what_an_evaluation_has_no_time_for_is_due_in_the_next_minute(
    deployed: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.alerts.evaluator._AT_ONCE", 1)
    tenants = [new_tenant(f"s-{number}", TENANT_PERMISSIONS) for number in range(4)]
    for tenant in tenants:
        create_rule(tenant, channels=[BUS])
    # Given quiet spaces, all looked at in the same minute
    monkeypatch.setattr("patchbay.alerts.schedule.phase_of", lambda _: 0)
    look = floor_to_hour(utc_now()) + timedelta(hours=2)
    for minute in range(SETTLE_MINUTES + 1):
        evaluate_due(utc_now() + minute * MINUTE)
    # By the real clock, they were woken in this minute
    for tenant in tenants:
        Table("IntegrationsTable").write(Update(watch_key(tenant.space_id), values={"woken": 0}))
    assert Deployment().watched_spaces.due(look - MINUTE) == []
    # When there is time for two of them, each with a subject
    left = iter([RESERVE_SECONDS + 1] * 4 + [0.0] * 100)
    one = evaluator()
    assert not one.run(look, lambda: next(left)).finished
    # Then the next minute does the others
    assert len(Deployment().watched_spaces.due(look + MINUTE)) == 2
    assert one.run(look + MINUTE, lambda: 60.0).spaces == 2


def test_a_space_with_more_to_write_than_there_is_time_for_does_not_hold_up_others(
    tenant: Tenant, stranger: Tenant, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.alerts.evaluator._AT_ONCE", 1)
    # Given a space with five subjects that are down, and one with a single subject
    ours = {IntegrationType.CONNECTION_TEST, IntegrationType.USAGE}
    kinds = [kind for kind in IntegrationType if kind not in ours]
    create_rule(tenant, condition=RATE | {"per": "integration_type"}, channels=[BUS])
    for kind in kinds:
        report(tenant, EventStatus.ERROR, now, kind=kind)
    create_rule(stranger, channels=[BUS])
    report(stranger, EventStatus.ERROR, now)

    def writes_in(transitions: int) -> bool:
        """Runs an evaluation that has time for so many transitions. Returns whether it finished."""
        begun = 0
        store = Deployment().alerts
        advance = store.advance

        def counted(*arguments: Any) -> list[Key]:
            nonlocal begun
            begun += 1
            return advance(*arguments)

        monkeypatch.setattr(store, "advance", counted)

        def left() -> float:
            return 0.0 if begun >= transitions else 60.0

        finished = evaluator(alerts=store).run(now, left).finished
        assert begun <= transitions
        return finished

    # When each evaluation has time for two of the six transitions
    for _ in range(3):
        writes_in(2)
    # Then each is notified once, and none has to wait longer than its turn
    assert states(tenant) == ["firing"] * len(kinds)
    assert states(stranger) == ["firing"]
    assert notices(tenant) == ["firing"] * len(kinds)
    assert writes_in(2)
