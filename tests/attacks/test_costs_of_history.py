"""A tenant reports what it likes and asks for its history: the cost is bounded beforehand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.store import EventStore
from patchbay.platform.clock import floor_to_hour, utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.ids import new_id
from tests.integration.alerting import report, rule
from tests.integration.api import Answer
from tests.integration.conftest import Tenant
from tests.integration.story import create_connection, create_source, publish_integration

DOWN: dict[str, Any] = {"kind": "connection_down"}
RATE: dict[str, Any] = {
    "kind": "success_rate",
    "threshold": 90,
    "minimum_events": 1,
    "per": "connection",
}


def try_rule(tenant: Tenant, condition: dict[str, Any], days: int = 30) -> Answer:
    path = f"/spaces/{tenant.space_slug}/alert-rules/backtest"
    return tenant.client.post(path, {"rule": rule(condition=condition), "days": days})


def report_of(tenant: Tenant, connection_ids: Sequence[str]) -> None:
    """An error of each connection, a few days ago, with as much text as an event may have."""
    at = floor_to_hour(utc_now()) - timedelta(days=3)
    events = [
        Event(
            id=new_id("evt", at),
            space_id=tenant.space_id,
            integration_type=IntegrationType.CONNECTION_TEST,
            status=EventStatus.ERROR,
            occurred_at=at + timedelta(seconds=number),
            received_at=at,
            connection_id=connection_id,
            message="x" * 1000,
            metadata={"text": "x" * 4000},
        )
        for number, connection_id in enumerate(connection_ids)
    ]
    EventStore(Table("EventsTable"), raw_event_days=35, runs=NO_RUNS).add(events, utc_now())


@pytest.mark.parametrize("condition", [DOWN, RATE], ids=["down", "rate"])
def test_connections_that_do_not_exist_are_no_subjects_of_a_backtest(
    tenant: Tenant, condition: dict[str, Any]
) -> None:
    # Given events that each name another connection, and one that names a connection of the space
    publish_integration(tenant)
    mine = create_connection(tenant, create_source(tenant))
    now = utc_now()
    report_of(tenant, [*(new_id("con", now) for _ in range(1000)), mine["id"]])
    # When a rule for connections is tried over all days
    answer = try_rule(tenant, condition)
    # Then only the one that exists is a subject, and the others cost nothing but their reading
    assert answer.status == 200, answer.text
    assert answer.json["subjects"] == 1
    assert {firing["subject"]["id"] for firing in answer.json["firings"]} == {mine["id"]}


def test_a_connection_of_another_space_is_no_subject_either(
    tenant: Tenant, stranger: Tenant
) -> None:
    publish_integration(stranger)
    theirs = create_connection(stranger, create_source(stranger))
    report_of(tenant, [theirs["id"]])
    assert try_rule(tenant, DOWN).json["subjects"] == 0


def test_a_backtest_with_too_much_to_decide_is_refused_with_what_to_do(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.alerts.backtest.MAX_DECISIONS", 1000)
    publish_integration(tenant)
    source = create_source(tenant)
    report_of(tenant, [create_connection(tenant, source)["id"] for _ in range(3)])
    refused = try_rule(tenant, RATE, days=30)
    assert (refused.status, refused.pointers) == (400, ["/days"])
    assert "fewer" in refused.text or "less" in refused.text
    assert try_rule(tenant, RATE, days=4).status == 200


def test_a_backtest_of_more_connections_than_it_may_have_names_one(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("patchbay.alerts.hourly_history.MAX_SUBJECTS", 1)
    publish_integration(tenant)
    source = create_source(tenant)
    one, _ = (create_connection(tenant, source) for _ in range(2))
    refused = try_rule(tenant, DOWN)
    assert (refused.status, refused.pointers) == (400, ["/rule/condition"])
    assert try_rule(tenant, {**DOWN, "connection_id": one["id"]}).status == 200


def test_what_was_cut_off_is_not_decided(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more events than are read, the newest of them an hour old
    monkeypatch.setattr("patchbay.alerts.hourly_history.MAX_EVENTS_READ", 10)
    publish_integration(tenant)
    mine = create_connection(tenant, create_source(tenant))
    end = floor_to_hour(utc_now())
    kind = IntegrationType.CONNECTION_TEST
    for hours_ago in (50, 3):
        at = end - timedelta(hours=hours_ago)
        report(tenant, EventStatus.ERROR, at, 10, kind, mine["id"])
    answer = try_rule(tenant, DOWN).json
    # Then the hours are judged of which everything was read, and the answer says so
    assert answer["since"] == f"{end - timedelta(hours=2):%Y-%m-%dT%H:%M:%S}.000Z"
    assert any("too many events" in note for note in answer["notes"])


def test_backtests_count_as_tests_of_their_organization(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_PER_MINUTE", "1")
    # A new minute may begin between two of them, but not twice.
    answers = [try_rule(tenant, DOWN) for _ in range(3)]
    assert answers[0].status == 200
    assert {answer.code for answer in answers if answer.status == 429} == {"RATE_LIMITED"}
