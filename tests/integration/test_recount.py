"""The repair command finds no difference unless the table was edited by hand."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patchbay.connections.wheel import minute_number
from patchbay.health.bucket_codec import encode_bucket
from patchbay.health.buckets import Bucket, total_of
from patchbay.health.folding import CountFolder
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.periods import Period
from patchbay.health.recount import Recount, RecountDifference, UnsettledPeriod
from patchbay.health.shards import MAIN_SHARD, bucket_key, bucket_puts
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Delete, Put, Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.runs.day import CountedHours
from patchbay.runs.model import Cell
from patchbay.runs.reader import RunReader
from patchbay.runs.recount import RunRecount, main
from tests.integration.conftest import Tenant
from tests.unit.runs.recorded_runs import Monitors, connections

NOW = datetime(2026, 2, 17, 10, 20, 30, tzinfo=UTC)
DAY = Period.day_of(NOW - timedelta(days=1))


def event(space_id: str, name: str, ago: timedelta = timedelta(hours=20)) -> Event:
    return Event(
        id=name,
        space_id=space_id,
        integration_type=IntegrationType.WEBHOOK,
        status=EventStatus.SUCCESS,
        occurred_at=NOW - ago,
        received_at=NOW,
    )


def command(*more: str) -> int:
    tables = ["--integrations-table", "IntegrationsTable", "--events-table", "EventsTable"]
    days = ["--from", "2026-02-15", "--to", "2026-02-17"]
    return main([*tables, "--space", "acme", *days, *more], clock=lambda: NOW)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def store(tenant: Tenant) -> EventStore:
    """Three events on shard 0, and one on another."""
    table = Table("EventsTable")
    store = EventStore(table, 35, NO_RUNS)
    store.add([event(tenant.space_id, f"e{n}") for n in range(3)], NOW)
    return store


def counts_one_more(table: Table, space_id: str, shard: int) -> None:
    """Makes a bucket count an event that is not stored."""
    key = bucket_key(space_id, DAY, shard)
    table.transact(list(bucket_puts(key, DAY, table.get(key), [event(space_id, "ghost")])))


def test_there_is_no_difference(store: EventStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 0
    assert lines(capsys) == [{"periods": 75, "differences": 0, "repaired": 0, "unsettled": 0}]


@pytest.mark.parametrize("shard", [MAIN_SHARD, 3])
def test_a_difference_is_reported_and_repaired_on_request(
    tenant: Tenant, store: EventStore, shard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    counts_one_more(Table("EventsTable"), tenant.space_id, shard)

    # When it only compares
    assert command() == 2
    found, last = lines(capsys)
    assert (found["period"], found["repaired"]) == ("D#2026-02-16", False)
    assert (found["stored"]["total"], found["counted"]["total"]) == (4, 3)
    assert last["differences"] == 1
    # When it repairs
    assert command("--repair") == 0
    found, last = lines(capsys)
    assert (found["repaired"], last["repaired"]) == (True, 1)
    # Then it is right
    assert command() == 0
    [bucket] = store.counts_between(tenant.space_id, [("D#", "D#~")]).values()
    assert bucket.by_type[IntegrationType.WEBHOOK].success == 3


def test_a_missing_bucket_is_written_again(
    tenant: Tenant, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    hour = Period.hour_of(NOW - timedelta(hours=20))
    key = bucket_key(tenant.space_id, hour, MAIN_SHARD)
    empty = {**key._asdict(), "counts": encode_bucket(Bucket(), hour.start), "revision": 9}
    Table("EventsTable").write(Put({**empty, "expires_at": 1_800_000_000}))
    assert command("--repair") == 0
    assert lines(capsys)[0]["period"] == "H#2026-02-16T14"
    assert command() == 0


def test_counts_whose_shard_0_is_missing_are_reported_and_repaired(
    tenant: Tenant, store: EventStore, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a folded day whose shard 0 was deleted by hand, so that it cannot be read
    table = Table("EventsTable")
    one = event(tenant.space_id, "late")
    with pytest.MonkeyPatch.context() as aside:
        aside.setattr("patchbay.health.store.MAIN_SHARD", 3)
        store.add([one], NOW)
    CountFolder(table, lambda: NOW + timedelta(days=1)).run(timedelta(hours=1))
    table.write(Delete(bucket_key(tenant.space_id, DAY, MAIN_SHARD)))
    with pytest.raises(TemporarilyUnavailable):
        store.counts_between(tenant.space_id, [("D#", "D#~")])

    # When it is counted again
    assert command() == 2
    found, _ = lines(capsys)
    assert (found["period"], found["stored"], found["counted"]["total"]) == (
        "D#2026-02-16",
        None,
        4,
    )
    assert command("--repair") == 0

    # Then it is right
    assert command() == 0
    [bucket] = store.counts_between(tenant.space_id, [("D#", "D#~")]).values()
    assert bucket.by_type[IntegrationType.WEBHOOK].success == 4


@pytest.fixture
def monitors(tenant: Tenant, store: EventStore) -> Monitors:
    """Of two connections, in a pool with another space: yesterday is closed, today is open."""
    spaces = {tenant.space_id: connections(2, of="own"), OTHER: connections(1, of="others")}
    start = NOW.replace(hour=21) - timedelta(days=1)
    made = Monitors(Table("EventsTable"), Cell.of_pool(3), spaces, start)
    made.run_until(NOW - timedelta(minutes=30))
    made.now = NOW
    made.close_days()
    # One that comes late, after the day was closed
    made.run_once(start - timedelta(minutes=30))
    return made


OTHER = "7d1d5f0c-1111-4222-8333-0123456789ab"


def test_days_of_monitors_have_no_difference(
    monitors: Monitors, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command() == 0
    assert lines(capsys) == [{"periods": 77, "differences": 0, "repaired": 0, "unsettled": 0}]


@pytest.mark.parametrize("day", [16, 17], ids=["closed", "open"])
def test_a_difference_of_monitors_is_reported_and_repaired_on_request(
    tenant: Tenant, monitors: Monitors, day: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a day whose hours were edited by hand: one has the counts of another, others have none
    table = Table("EventsTable")
    before = monitored_counts(tenant)
    sk = {16: "H#2026-02-16T:#M", 17: "D#2026-02-17#M"}[day]
    [item] = [one for one in table.query_all(f"SPACE#{tenant.space_id}") if one["sk"] == sk]
    hours = CountedHours.decode(20_501 - 17 + day, item["hours"])
    first, second, *_ = sorted(hours.stored)
    wrong = CountedHours(hours.day, {second: hours.stored[first]})
    table.write(Put({**item, "hours": wrong.encode()}))

    # When it only compares
    assert command() == 2
    *found, last = lines(capsys)
    assert len(found) == last["differences"] > 1
    assert {one["period"][2:12] for one in found} == {f"2026-02-{day}"}

    # When it repairs
    assert command("--repair") == 0
    capsys.readouterr()
    assert command() == 0
    assert monitored_counts(tenant) == before


def test_a_repair_of_a_day_that_meets_a_fold_keeps_both(tenant: Tenant, monitors: Monitors) -> None:
    table = Table("EventsTable")
    [item] = [i for i in table.query_all(f"SPACE#{tenant.space_id}") if i["sk"] == "D#2026-02-17#M"]
    table.write(Put({**item, "hours": CountedHours(20_501).encode()}))
    left = [None]

    class Folding(Table):
        def write(self, write: Any) -> None:
            if left:
                left.pop()
                minute = minute_number(NOW)
                monitors.store.fold(Cell.of_pool(3), [tenant.space_id], minute, minute - 600)
            super().write(write)

    day = NOW.date()
    found = list(RunRecount(Folding("EventsTable")).days(tenant.space_id, day, day, repair=True))
    assert all(isinstance(one, RecountDifference) and one.repaired for one in found)
    mine = [one for one in monitors.of_space(tenant.space_id) if one.occurred_at.date() == day]
    tally = sum(not one.platform_fault for one in mine)
    assert total_of(monitored_counts(tenant)[Period.day_of(NOW)]).total == tally


def monitored_counts(tenant: Tenant) -> dict[Period, Bucket]:
    table = Table("EventsTable")
    store = EventStore(table, 35, RunReader(table))
    return store.counts_between(tenant.space_id, [("H#", "H#~"), ("D#", "D#~")])


class Meddling(Table):
    """Runs a callback before each transaction, or after each read of events."""

    def __init__(self, act: Callable[[], None], when: str) -> None:
        super().__init__("EventsTable")
        self.act, self.when = act, when

    def transact(self, writes: Any, *, attempts: int = 6) -> None:
        if self.when == "transact":
            self.act()
        super().transact(writes, attempts=attempts)

    def query_all(self, pk: str, **narrowed: Any) -> Any:
        found = list(super().query_all(pk, **narrowed))
        if self.when == "events" and pk.count("#") == 3:
            self.act()
        return iter(found)


def test_a_writer_between_the_reads_is_not_a_difference(tenant: Tenant, store: EventStore) -> None:
    numbers = iter(range(100))
    left = [None] * 2

    def another() -> None:
        if left:
            left.pop()
            store.add([event(tenant.space_id, f"more-{next(numbers)}")], NOW)

    recount = Recount(Meddling(another, "events"), 35, lambda: NOW)
    day = DAY.start.date()
    assert set(recount.days(tenant.space_id, day, day, repair=True)) == {None}


def test_a_period_that_is_always_written_to_is_not_judged(
    tenant: Tenant, store: EventStore
) -> None:
    numbers = iter(range(1000))

    def another() -> None:
        store.add([event(tenant.space_id, f"more-{next(numbers)}")], NOW)

    recount = Recount(Meddling(another, "events"), 35, lambda: NOW)
    day = DAY.start.date()
    found = list(recount.days(tenant.space_id, day, day, repair=True))
    assert [one for one in found if one] == [
        UnsettledPeriod(Period.hour_of(NOW - timedelta(hours=20))),
        UnsettledPeriod(DAY),
    ]


def test_a_repair_that_meets_a_writer_keeps_both(tenant: Tenant, store: EventStore) -> None:
    counts_one_more(Table("EventsTable"), tenant.space_id, 3)
    left = [None]

    def once() -> None:
        if left:
            left.pop()
            store.add([event(tenant.space_id, "late")], NOW)

    recount = Recount(Meddling(once, "transact"), 35, lambda: NOW)
    day = DAY.start.date()
    [found] = [one for one in recount.days(tenant.space_id, day, day, repair=True) if one]
    assert isinstance(found, RecountDifference)
    assert found.repaired
    [bucket] = store.counts_between(tenant.space_id, [("D#", "D#~")]).values()
    assert bucket.by_type[IntegrationType.WEBHOOK].success == 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--from", "2026-01-13"], "--from must not be before 2026-01-14"),
        (["--to", "2026-02-14"], "--to must not be before --from"),
        (["--space", "nowhere"], "SPACE_NOT_FOUND"),
        (["--events-table", "Missing"], "Missing"),
    ],
)
def test_an_error_is_printed_as_one_line(
    tenant: Tenant, more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*more) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert said in line or "not found" in line
