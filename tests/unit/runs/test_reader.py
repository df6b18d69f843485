"""What is read of runs equals a plain list of what was recorded, at every moment."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from patchbay.health.buckets import Bucket
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.monitor_runs import is_of_runs
from patchbay.health.periods import Period, Span, hours_since, sort_keys_since
from patchbay.health.store import EventStore
from patchbay.platform.dynamodb import Item, Page, Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.runs.keys import hours_key
from patchbay.runs.model import Cell
from patchbay.runs.reader import RunReader
from tests.simulator.memory_dynamodb import MemoryClient
from tests.unit.runs.recorded_runs import Monitors, connections

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
OTHER_SPACE = "c2d1a1de-6f2e-4a1b-8f6e-1f0a4d1f9b11"
START = datetime(2026, 2, 16, 22, 0, tzinfo=UTC)
"""Two hours before midnight."""
MIDNIGHT = START + timedelta(hours=2)
OWN, OTHERS = connections(3, of="own"), connections(2, of="other")

CELLS = {
    "folded": (Cell.of_space(SPACE), {SPACE: OWN}),
    "counted at once": (Cell.of_space(SPACE, at_once=True), {SPACE: OWN}),
    "pooled": (Cell.of_pool(3), {SPACE: OWN, OTHER_SPACE: OTHERS}),
}


class WatchedTable(Table):
    """Counts queries, and runs `meanwhile` after the query with a number."""

    def __init__(self) -> None:
        super().__init__("events", MemoryClient())
        self.queries = 0
        self.meanwhile: dict[int, Any] = {}

    def query(self, pk: str, **narrowed: Any) -> Page:
        page = super().query(pk, **narrowed)
        self.queries += 1
        if do := self.meanwhile.pop(self.queries, None):
            do()
        return page


@pytest.fixture
def table() -> WatchedTable:
    return WatchedTable()


@pytest.fixture
def events(table: Table) -> EventStore:
    return EventStore(table, 35, RunReader(table))


@pytest.fixture(params=CELLS)
def monitors(request: pytest.FixtureRequest, table: Table) -> Monitors:
    cell, spaces = CELLS[request.param]
    return Monitors(table, cell, spaces, START)


def pushed(monitors: Monitors, number: int = 7) -> list[Event]:
    """Events between the runs, some at the very minute of one."""
    return [
        Event(
            id=f"pushed-{n}",
            space_id=SPACE,
            integration_type=IntegrationType.CONNECTION_TEST if n % 2 else IntegrationType.WEBHOOK,
            status=EventStatus.SUCCESS if n % 3 else EventStatus.ERROR,
            occurred_at=START + n * timedelta(minutes=35),
            received_at=monitors.now,
            connection_id=OWN[0],
            duration_ms=40 * n,
        )
        for n in range(number)
    ]


def listed(events: EventStore, now: datetime, **asked: Any) -> list[Event]:
    """All pages, one after the other."""
    return [event for page in pages(events, now, **asked) for event in page]


def pages(events: EventStore, now: datetime, **asked: Any) -> Iterator[list[Event]]:
    start = None
    while True:
        page = events.list_events(SPACE, now=now, start=start, **{"limit": 7, **asked})
        yield page.items
        start = page.next_start
        if start is None:
            return


def newest_first(found: Sequence[Event]) -> list[Event]:
    return sorted(found, key=lambda event: (event.occurred_at, event.id), reverse=True)


def plainly_counted(found: Sequence[Event], start: datetime, span: Span) -> dict[Period, Bucket]:
    counts: dict[Period, Bucket] = {}
    for event in found:
        if event.occurred_at >= start:
            period = {Span.HOUR: Period.hour_of, Span.DAY: Period.day_of}[span](event.occurred_at)
            counts[period] = counts.get(period, Bucket()).absorb([event])
    return counts


def assert_exact(events: EventStore, monitors: Monitors, more: Sequence[Event] = ()) -> None:
    every = [*monitors.of_space(SPACE), *more]
    for start in (START, START + timedelta(hours=1), MIDNIGHT):
        hourly = events.counts_since(SPACE, start, hourly=True)
        assert hourly == plainly_counted(every, start, Span.HOUR)
    # The hours until midnight, and days from there on.
    since = START + timedelta(hours=1)
    expected = {
        period: bucket
        for period, bucket in plainly_counted(every, since, Span.HOUR).items()
        if period.start < MIDNIGHT
    } | plainly_counted(every, MIDNIGHT, Span.DAY)
    assert events.counts_since(SPACE, since) == expected
    assert listed(events, monitors.now) == newest_first(every)


def test_counts_and_lists_are_exact_while_runs_are_recorded_folded_and_closed(
    monitors: Monitors, events: EventStore
) -> None:
    more = pushed(monitors)
    events.add(more, START + timedelta(hours=4))
    # While both days are open
    for _ in range(4):
        monitors.run_until(monitors.now + timedelta(minutes=50))
        assert_exact(events, monitors, more)
    # With a run that comes late, and one that comes alone
    monitors.run_once(START + timedelta(minutes=7))
    monitors.run_alone(MIDNIGHT + timedelta(minutes=2), SPACE, OWN[1])
    assert_exact(events, monitors, more)
    # When the first day is closed
    monitors.now = MIDNIGHT + timedelta(minutes=81)
    monitors.close_days()
    assert_exact(events, monitors, more)
    # With another late run of the closed day
    monitors.run_once(START + timedelta(minutes=8))
    assert_exact(events, monitors, more)
    # When the second day is closed, and when runs are gone
    for days in (1, 6):
        monitors.now = MIDNIGHT + timedelta(days=days, minutes=90)
        monitors.close_days()
        assert_exact(events, monitors, more)


def test_events_are_filtered(monitors: Monitors, events: EventStore) -> None:
    more = pushed(monitors)
    events.add(more, START + timedelta(hours=4))
    monitors.run_until(START + timedelta(hours=3, minutes=20))
    monitors.close_days()
    every = newest_first([*monitors.of_space(SPACE), *more])

    def of(**asked: Any) -> list[Event]:
        return listed(events, monitors.now, **asked)

    assert of(status=EventStatus.ERROR) == [e for e in every if e.status is EventStatus.ERROR]
    assert of(connection_id=OWN[0]) == [e for e in every if e.connection_id == OWN[0]]
    kind = IntegrationType.WEBHOOK
    assert of(integration_type=kind) == [e for e in every if e.integration_type is kind]
    kind = IntegrationType.CONNECTION_TEST
    assert of(integration_type=kind) == [e for e in every if e.integration_type is kind]
    since, until = START + timedelta(minutes=11), START + timedelta(minutes=126)
    within = [e for e in every if since <= e.occurred_at < until]
    assert of(since=since, until=until) == within


def test_no_event_is_lost_or_listed_twice_while_days_are_folded_and_closed(
    monitors: Monitors, events: EventStore
) -> None:
    monitors.run_until(MIDNIGHT + timedelta(minutes=80))
    every = monitors.of_space(SPACE)
    until = monitors.now

    # When the day is closed between two pages, and runs go on
    found: list[Event] = []
    for number, page in enumerate(pages(events, until, until=until)):
        found += page
        if number == 2:
            monitors.close_days()
        monitors.run_until(monitors.now + timedelta(minutes=5))

    assert found == every


def test_newest_outlines_are_cut(monitors: Monitors, events: EventStore) -> None:
    more = pushed(monitors)
    events.add(more, START + timedelta(hours=4))
    monitors.run_until(START + timedelta(hours=3, minutes=20))
    monitors.close_days()
    every = newest_first([*monitors.of_space(SPACE), *more])
    for most in (1, 10, len(every) - 1, len(every), len(every) + 1):
        read = events.newest_outlines(SPACE, START, monitors.now, most)
        expected = every[:most]
        assert [one.occurred_at for one in read.items] == [one.occurred_at for one in expected]
        assert (read.cut_at is None) == (most >= len(every))


@pytest.mark.parametrize("query", [1, 2, 3])
def test_a_day_that_is_closed_between_two_queries_is_counted_once(
    table: WatchedTable, monitors: Monitors, events: EventStore, query: int
) -> None:
    monitors.run_until(MIDNIGHT + timedelta(minutes=81))
    every = monitors.of_space(SPACE)
    table.queries = 0
    table.meanwhile[query] = monitors.close_days
    counts = events.counts_since(SPACE, START, hourly=True)
    assert counts == plainly_counted(every, START, Span.HOUR)


def test_a_reader_that_meets_a_closing_gives_up_after_three_times(
    table: WatchedTable, monitors: Monitors, events: EventStore
) -> None:
    monitors.run_until(MIDNIGHT + timedelta(minutes=81))
    monitors.close_days()
    key = hours_key(SPACE, monitors.key(START).day)
    item = table.get(key)
    assert item
    ranges = [hours_since(START)]
    assert events.counts_between(SPACE, ranges)

    class Torn(Table):
        def query_all(self, pk: str, **narrowed: Any) -> Iterator[Item]:
            return (i for i in table.query_all(pk, **narrowed) if i["sk"] != key.sk)

    with pytest.raises(TemporarilyUnavailable):
        EventStore(Torn("events", MemoryClient()), 35, RunReader(table)).counts_between(
            SPACE, ranges
        )


def test_a_summary_of_30_days_takes_three_queries(
    table: WatchedTable, monitors: Monitors, events: EventStore
) -> None:
    for _ in range(40):
        monitors.run_until(monitors.now + timedelta(minutes=15))
        monitors.now += timedelta(hours=23, minutes=45)
        monitors.close_days()
    monitors.run_until(monitors.now + timedelta(minutes=15))
    table.queries = 0
    ranges = sort_keys_since(monitors.now.replace(minute=0) - timedelta(days=30))
    assert len(ranges) == 2
    counts = events.counts_between(SPACE, ranges)
    assert len(counts) == 31
    assert table.queries <= 3


def test_another_space_of_the_pool_is_in_no_answer(table: Table, events: EventStore) -> None:
    monitors = Monitors(table, *CELLS["pooled"], START)
    monitors.run_until(START + timedelta(minutes=30))
    assert {event.connection_id for event in listed(events, monitors.now)} == set(OWN)
    found = table.query_all(f"SPACE#{OTHER_SPACE}")
    assert all(is_of_runs(item) for item in found)
    [total] = events.counts_since(OTHER_SPACE, START.replace(hour=0)).values()
    assert total == Bucket().absorb(monitors.of_space(OTHER_SPACE))
