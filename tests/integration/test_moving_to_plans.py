"""A deployment that monitored connections by the index `monitor_slot` gives them plans, without a
stop: the functions run through the minutes in which it does."""

import functools
from collections import Counter
from datetime import datetime
from random import Random
from typing import Any

import pytest

import dispatch_monitors
import run_monitors
from local.provider import Provider
from patchbay.connection_tests import identity
from patchbay.connections.keys import PLAN_WORK, connection_key
from patchbay.connections.plan_moves import PlanMoves
from patchbay.connections.wheel import MonitorInterval, is_due, minute_number
from patchbay.monitors.store import MonitorStore
from patchbay.platform.dynamodb import Item, Table
from tests.integration import monitoring
from tests.integration.api import start_cold
from tests.integration.conftest import Tenant
from tests.integration.monitoring import MINUTE
from tests.integration.test_background_faults import Death

pytestmark = pytest.mark.enable_socket

QUARTER = MonitorInterval.QUARTER
BEFORE, AFTER = 150, 100
"""Minutes that are run in the old form alone, and from then on."""


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))


@pytest.mark.parametrize("dies", [False, True], ids=["undisturbed", "dying"])
def test_each_minute_of_each_connection_is_tested_once_and_counted_once(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch, *, dies: bool
) -> None:
    # Given connections in the index, which were tested until health is steady
    begin = monitoring.this_minute() - AFTER * MINUTE
    with monkeypatch.context() as earlier:
        monitoring.put_into_the_index(earlier)
        made = monitoring.monitored(tenant, server.port, ["me", "200", "401"], QUARTER)
        earlier.setattr(PlanMoves, "adopt", lambda *_: None)
        for number in range(-BEFORE, 0):
            minute = begin + number * MINUTE
            if any(is_scheduled(item, minute) for item in items(tenant, made)):
                run(minute, monkeypatch)
    assert {len(monitoring.history(tenant, one)) for one in made.values()} == {BEFORE // 15}
    # When the functions of this release run, through the minutes at which there is work
    chance = Random(7) if dies else None  # noqa: S311 - faults, guards nothing
    expected: dict[str, list[datetime]] = {one["id"]: [] for one in made.values()}
    deaths = 0
    for number in range(-BEFORE, AFTER):
        minute = begin + number * MINUTE
        due = [item for item in items(tenant, made) if is_scheduled(item, minute)]
        works = Table("IntegrationsTable").query(PLAN_WORK).items
        if number >= 0 and (due or any(one["due"] <= minute_number(minute) for one in works)):
            deaths += run(minute, monkeypatch, chance)
        for item in due:
            expected[item["id"]].append(minute)
    assert deaths >= (10 if dies else 0)
    # Then each connection was tested at each of its minutes, by the index or by its plan
    total: Counter[bool] = Counter()
    for path, one in made.items():
        tests = monitoring.history(tenant, one)
        subject = identity.TestSubject.connection(tenant.organization_id, one["id"])
        assert [test["id"] for test in tests] == [
            identity.TestIdentity.scheduled(subject, at).test_id
            for at in reversed(expected[one["id"]])
        ]
        passed = path != "401"
        total[passed] += len(tests)
        # And its health counts on, over both
        health = monitoring.health(tenant, one)
        streak = "consecutive_successes" if passed else "consecutive_failures"
        assert health[streak] == len(tests)
        assert health["checked_at"] == tests[0]["finished_at"]
    # And each test is counted once
    summary = tenant.client.get(f"/spaces/{tenant.space_slug}/integration-health").json
    assert (summary["success_count"], summary["error_count"]) == (total[True], total[False])
    # And nothing of the move is left
    assert [name for item in items(tenant, made) for name in item if "monitor_slot" in name] == []
    assert Table("IntegrationsTable").query(PLAN_WORK).items == []


# The rest is how minutes are run.


def run(minute: datetime, monkeypatch: pytest.MonkeyPatch, chance: Random | None = None) -> int:
    """Runs the functions at a minute; by chance, each dies at a call. Returns how many died."""
    start_cold("run_monitors")
    run_monitors.deployment.clock = functools.partial(_same, minute)
    with monkeypatch.context() as then:
        then.setattr(dispatch_monitors, "utc_now", functools.partial(_same, minute))
        MonitorStore(Table("IntegrationsTable")).advance(minute - MINUTE)
        if chance is None:
            monitoring.tick(minute)
            return 0
        dispatch = dying(chance, 12)
        with dispatch.awaited():
            monitoring.dispatch(minute)
        monitoring.dispatch(minute)
        records = monitoring.deliver()
        sweep = dying(chance, 25)
        with sweep.awaited():
            monitoring.run(records)
        attempts = 2 if sweep.came else 1
        assert monitoring.run_until_quiet(records, attempts=attempts) == []
    return dispatch.came + sweep.came


def id_of_test(tenant: Tenant, connection: dict[str, Any], minute: datetime) -> str:
    subject = identity.TestSubject.connection(tenant.organization_id, connection["id"])
    return identity.TestIdentity.scheduled(subject, minute).test_id


def dying(chance: Random, most: int) -> Death:
    return Death(chance.randrange(1, most), applied=chance.random() < 0.5)


def items(tenant: Tenant, made: dict[str, Any]) -> list[Item]:
    table = Table("IntegrationsTable")
    found = (table.get(connection_key(tenant.organization_id, one["id"])) for one in made.values())
    return [item for item in found if item]


def is_scheduled(item: Item, minute: datetime) -> bool:
    """Whether a connection is to be tested at a minute: by its plan, or else by the index."""
    number, first = minute_number(minute), item.get("planned_from", 0)
    if "plans" in item and number >= first:
        return any(
            number % QUARTER.minutes == int(pk.rpartition("#")[2])
            for pk, _, since, until in item["plans"]
            if since <= number and (until is None or number < until)
        )
    return is_due(item["id"], QUARTER, minute)


def _same(moment: datetime) -> datetime:
    return moment
