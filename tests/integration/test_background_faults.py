"""What queues and schedules start, with each of its writes going wrong: it comes again, and in the
end it has been done once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

import pytest

import dispatch_monitors
from local.provider import Provider
from patchbay.health.model import EventStatus
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration import monitoring
from tests.integration.alerting import create_rule, deliver, deliveries, evaluate, make_due, report
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant, new_tenant
from tests.integration.story import SECRET
from tests.integration.table_calls import Attempt, Carry, Reply, meeting
from tests.integration.test_faults import FAULTS, Network, a_firing_alert, change, contents
from tests.integration.test_ingest_events import delivered, envelope

pytestmark = pytest.mark.enable_socket

type Step = Callable[[], bool]
"""Whether it is done; or it raises `TemporarilyUnavailable`, and Lambda starts it again."""

NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("patchbay.monitors.reprobes.PAUSES", (0.0, 0.0))


def disturbed(deployed: dict[str, Table], given: Callable[[], Step]) -> None:
    """`given` prepares a step again. Each of its writes meets each fault."""
    network = Network()
    step = given()
    before = contents(deployed)
    network.expect()
    assert step()
    writes = network.writes
    left = change(before, contents(deployed))
    assert writes >= 1
    for fault in FAULTS:
        for at in range(1, writes + 1):
            step, place = given(), f"{fault}, at write {at} of {writes}"
            before = contents(deployed)
            network.expect(fault, at)
            attempt(step)
            network.expect()
            assert any(attempt(step) for _ in range(3)), place
            assert change(before, contents(deployed)) == left, place


def attempt(step: Step) -> bool:
    try:
        return step()
    except TemporarilyUnavailable:
        return False


def test_messages_with_events_are_counted_once(tenant: Tenant, deployed: dict[str, Table]) -> None:
    def given() -> Step:
        message = envelope(tenant, next(NUMBERS))
        return lambda: delivered(message) == []

    disturbed(deployed, given)


def test_an_alert_fires_once(deployed: dict[str, Table]) -> None:
    def given() -> Step:
        owner = new_tenant(f"owner-{next(NUMBERS)}", TENANT_PERMISSIONS)
        create_rule(owner, channels=[{"kind": "eventbridge"}])
        now = utc_now()
        report(owner, EventStatus.ERROR, now - timedelta(minutes=2))

        def step() -> bool:
            return not evaluate(now)["alert_spaces_failed"]

        return step

    disturbed(deployed, given)


def test_a_notification_is_sent_at_least_once_and_is_over(deployed: dict[str, Table]) -> None:
    def given() -> Step:
        owner, alert, _ = a_firing_alert()

        def step() -> bool:
            make_due(timedelta(hours=1))
            deliver()
            [one] = deliveries(owner, alert.rpartition("/")[2])
            return bool(one["status"] == "delivered")

        return step

    disturbed(deployed, given)


class Killed(BaseException):
    """The process ends here."""


class Death:
    """Within the block, the process ends at a call of DynamoDB: before it, or when it is
    `applied`."""

    def __init__(self, number: int, *, applied: bool) -> None:
        self.came = False
        self._left = number
        self._applied = applied

    @contextmanager
    def awaited(self) -> Iterator[None]:
        try:
            with meeting(self._meet):
                yield
        except BaseException:
            if not self.came:
                raise

    def _meet(self, _: Attempt, carry: Carry) -> Reply:
        if self.came:
            raise Killed
        self._left -= 1
        if self._left:
            return carry()
        self.came = True
        if self._applied:
            carry()
        raise Killed


@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_a_minute_of_plans_that_dies_at_any_call_is_tested_once_in_the_end(
    tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    # Given two connections in one run; one fails for four minutes, and passes for three, in turn
    monitoring.plan_from_the_first_minute(monkeypatch)
    bus = monitoring.Bus()
    made = monitoring.monitored(tenant, server.port, ["me", "200"])
    start = monitoring.this_minute() - timedelta(hours=8 if late else 0)
    deaths = 0
    passed: list[bool] = []
    calls = [(at, applied) for at in range(1, 25) for applied in (False, True)]

    # When each minute dies at another call of its dispatch or of its sweep, and comes again
    for number, (at, applied) in enumerate([*calls, *calls[:1]]):
        passed.append(number % 7 >= 4)
        server.valid_key = SECRET if passed[-1] else "another"
        minute = start + number * monitoring.MINUTE
        death = Death(at, applied=applied)
        with death.awaited():
            monitoring.dispatch(minute)
        deaths += death.came
        if death.came:
            monitoring.dispatch(minute)
        records = monitoring.deliver()
        death = Death(at, applied=applied)
        with death.awaited():
            monitoring.run(records)
        deaths += death.came
        assert monitoring.run_until_quiet(records, attempts=2 if death.came else 1) == []

    # Then each minute is in the history once, and counted once, and the health follows from them
    assert deaths > 30
    found = monitoring.history(tenant, made["me"])
    assert [one["status"] == "succeeded" for one in found] == passed[: -len(found) - 1 : -1]
    path = f"/spaces/{tenant.space_slug}/integration-health"
    summary = tenant.client.get(path).json
    assert summary["success_count"] == len(passed) + sum(passed)
    assert summary["error_count"] == len(passed) - sum(passed)
    if late:  # what is ahead of the clock is not looked for
        steady = monitoring.health(tenant, made["200"])
        assert steady["consecutive_successes"] == len(passed)
    # And each outage was announced with one id, and its end: what a dead process wrote, and did not
    # send, is sent once its minute has passed
    after = start + (len(passed) + 1) * monitoring.MINUTE
    dispatch_monitors.deployment.announcer.send_left_behind(after)
    told = {(event["detail-type"], event["detail"]["occurred_at"]) for event in bus.events()}
    assert len(told) == 14
    assert {kind for kind, _ in told} == {"connection.failing", "connection.recovered"}


def test_a_monitor_tests_once_a_minute(
    tenant: Tenant, deployed: dict[str, Table], server: Provider
) -> None:
    monitoring.monitored(tenant, server.port, ["me"])
    # Read once: a minute that ends in between would be a missed one, which is caught up.
    start = monitoring.this_minute()
    minutes = (start + n * monitoring.MINUTE for n in count(1))

    def given() -> Step:
        monitoring.dispatch(next(minutes))
        records = monitoring.deliver()
        assert records
        return lambda: monitoring.run(records) == []

    step = given()
    assert step()  # the first changes its health, the others only confirm it
    disturbed(deployed, given)
