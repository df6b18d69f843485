import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

import pytest

from patchbay.health.bucket_codec import encode_bucket
from patchbay.health.buckets import LATENCY_BOUNDS_MS, Bucket, FaultTally, Tally
from patchbay.health.model import Event, EventStatus, IngestResult, IntegrationType, event_of_test
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.periods import Period
from patchbay.health.store import EventPage, EventStore
from patchbay.health.summary import HealthSummary, summarize, window_start
from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import (
    CALL_ATTEMPTS,
    Contended,
    Delete,
    Item,
    Key,
    Page,
    Put,
    Table,
    Write,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.kept_connections import NoAnswer
from tests.integration.faults import lose_replies
from tests.integration.table_calls import Attempt, Carry, Reply, meet

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
OTHER_SPACE = "c2d1a1de-6f2e-4a1b-8f6e-1f0a4d1f9b11"
CONNECTION = "con_01KHZ0000000000000000000AB"
OTHER_CONNECTION = "con_01KHZ0000000000000000000CD"
NOW = datetime(2026, 2, 17, 10, 20, 30, tzinfo=UTC)
RAW_EVENT_DAYS = 35

type Before = Callable[[], None]


class WatchedTable(Table):
    """A table that counts its queries and transactions, and runs others' writes first.

    Before each transaction the next of `before` runs: a competing write, or a fault that is raised.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.before: list[Before] = []
        self.transactions: list[Sequence[Write]] = []
        self.queries: list[Page] = []

    def transact(self, writes: Sequence[Write], *, attempts: int = 6) -> None:
        self.transactions.append(writes)
        if self.before:
            self.before.pop(0)()
        super().transact(writes, attempts=attempts)

    def query(self, pk: str, **narrowed: Any) -> Page:
        page = super().query(pk, **narrowed)
        self.queries.append(page)
        return page


def fails_with(error: Exception) -> Before:
    def fail() -> None:
        raise error

    return fail


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.fixture
def table(events_table: Table) -> WatchedTable:
    return WatchedTable(events_table.name)


@pytest.fixture
def store(table: WatchedTable) -> EventStore:
    return EventStore(table, RAW_EVENT_DAYS, NO_RUNS)


@pytest.fixture
def other_writer(events_table: Table) -> EventStore:
    """Another writer on the same table."""
    return EventStore(events_table, RAW_EVENT_DAYS, NO_RUNS)


def event(
    name: str,
    *,
    ago: timedelta = timedelta(0),
    kind: IntegrationType = IntegrationType.WEBHOOK,
    status: EventStatus = EventStatus.SUCCESS,
    space_id: str = SPACE,
    **fields: Any,
) -> Event:
    return Event(
        id=name,
        space_id=space_id,
        integration_type=kind,
        status=status,
        occurred_at=NOW - ago,
        received_at=NOW,
        **fields,
    )


def some_events(count: int, over: timedelta, seed: int = 1) -> list[Event]:
    """Events of all types at random times of the period that ends now, each with its own id."""
    chance = random.Random(seed)  # noqa: S311 - the same events in every run
    return [
        event(
            f"e-{seed}-{number}",
            ago=timedelta(milliseconds=chance.randrange(over // timedelta(milliseconds=1))),
            kind=chance.choice(list(IntegrationType)),
            status=chance.choice(list(EventStatus)),
            duration_ms=chance.choice([None, chance.randrange(100_000)]),
        )
        for number in range(count)
    ]


def summary(store: EventStore, days: int = 30, space_id: str = SPACE) -> HealthSummary:
    buckets = store.buckets_since(space_id, window_start(NOW, days))
    return summarize(buckets, days, space_id)


def recount(events: Iterable[Event], days: int = 30) -> dict[str, Any]:
    """The counts of the window, computed from the events."""
    inside = [e for e in events if e.occurred_at >= window_start(NOW, days)]
    good = [e for e in inside if e.status is EventStatus.SUCCESS]
    bad = [e for e in inside if e.status is EventStatus.ERROR]
    return {
        "total_events": len(inside),
        "success_count": len(good),
        "error_count": len(bad),
        "last_success_at": max((e.occurred_at for e in good), default=None),
        "last_error_at": max((e.occurred_at for e in bad), default=None),
        "types": {
            kind: (
                sum(e.integration_type is kind for e in inside),
                sum(e.integration_type is kind for e in good),
                sum(e.integration_type is kind for e in bad),
                max(e.occurred_at for e in inside if e.integration_type is kind),
            )
            for kind in {e.integration_type for e in inside}
        },
    }


def assert_stored_and_counted(store: EventStore, events: Sequence[Event]) -> None:
    """The table has exactly these events, and every summary equals their recount."""
    stored = [e for page in all_pages(store, limit=100) for e in page.items]
    assert sorted(stored, key=identity) == sorted(events, key=identity)
    for days in (1, 2, 30, 366):
        actual = summary(store, days)
        assert recount(events, days) == {
            "total_events": actual.total_events,
            "success_count": actual.success_count,
            "error_count": actual.error_count,
            "last_success_at": actual.last_success_at,
            "last_error_at": actual.last_error_at,
            "types": {
                t.integration_type: (t.total, t.success, t.errors, t.last_event_at)
                for t in actual.by_integration_type
            },
        }


def identity(one: Event) -> tuple[datetime, str]:
    return one.occurred_at, one.id


def all_pages(store: EventStore, **asked: Any) -> list[EventPage]:
    pages = [store.list_events(SPACE, now=NOW, **asked)]
    while (start := pages[-1].next_start) is not None:
        assert len(pages) < 100
        pages.append(store.list_events(SPACE, now=NOW, start=start, **asked))
    return pages


def names(pages: Iterable[EventPage]) -> list[str]:
    return [one.id for page in pages for one in page.items]


def shards(table: Table) -> set[str]:
    return {item["sk"].rpartition("#")[2] for item in table.query_all(f"SPACE#{SPACE}")}


# ---------------------------------------------------------------- storing and counting


def test_events_over_several_hours_and_days_are_stored_with_their_counts(
    store: EventStore, table: WatchedTable
) -> None:
    events = some_events(20, timedelta(days=3))

    added = store.add(events, NOW)

    assert added == IngestResult(accepted=20, duplicates=0)
    assert len(table.transactions) == 1
    assert_stored_and_counted(store, events)


def test_an_event_that_is_twice_in_a_call_counts_once_as_its_first(
    store: EventStore,
) -> None:
    first = event("run-1")
    again = event("run-1", status=EventStatus.ERROR)

    added = store.add([first, event("run-2"), again], NOW)

    assert added == IngestResult(accepted=2, duplicates=1)
    assert_stored_and_counted(store, [first, event("run-2")])


def test_an_event_that_is_sent_again_in_another_call_is_a_duplicate(store: EventStore) -> None:
    # given
    known = [event("run-1"), event("run-2", ago=timedelta(days=1))]
    store.add(known, NOW)

    # when
    added = store.add([*known, event("run-3")], NOW)

    # then
    assert added == IngestResult(accepted=1, duplicates=2)
    assert_stored_and_counted(store, [*known, event("run-3")])


def test_a_call_of_duplicates_alone_writes_nothing(
    store: EventStore, table: WatchedTable, events_table: Table
) -> None:
    store.add([event("run-1")], NOW)
    before = list(events_table.query_all(f"SPACE#{SPACE}"))

    added = store.add([event("run-1")], NOW)

    assert added == IngestResult(accepted=0, duplicates=1)
    assert list(events_table.query_all(f"SPACE#{SPACE}")) == before
    assert len(table.transactions) == 2


def test_the_same_id_at_another_time_is_another_event(store: EventStore) -> None:
    events = [event("run-1"), event("run-1", ago=timedelta(milliseconds=1))]

    assert store.add(events, NOW).accepted == 2
    assert_stored_and_counted(store, events)


def test_consecutive_calls_add_up(store: EventStore) -> None:
    events = some_events(30, timedelta(days=2))

    for part in batched(events, 7, strict=False):
        store.add(part, NOW)

    assert_stored_and_counted(store, events)


def test_97_events_of_one_hour_fit_into_one_transaction_and_100_take_two(
    store: EventStore, table: WatchedTable
) -> None:
    # given
    events = [event(f"run-{n}", ago=timedelta(seconds=n)) for n in range(100)]

    # when
    added = store.add(events[:97], NOW)

    # then
    assert (added.accepted, [len(writes) for writes in table.transactions]) == (97, [99])

    # when
    table.transactions.clear()
    hundred = [event(f"other-{n}", ago=timedelta(seconds=n)) for n in range(100)]
    added = store.add(hundred, NOW)

    # then
    assert (added.accepted, [len(writes) for writes in table.transactions]) == (100, [99, 5])
    assert_stored_and_counted(store, [*events[:97], *hundred])


def test_many_events_of_different_hours_are_split_by_time(
    store: EventStore, table: WatchedTable
) -> None:
    events = [event(f"run-{n}", ago=timedelta(hours=n)) for n in range(60)]
    random.Random(1).shuffle(events)  # noqa: S311 - an order, no secret

    assert store.add(events, NOW).accepted == 60

    assert [len(writes) <= 100 for writes in table.transactions] == [True, True]
    assert_stored_and_counted(store, events)


def test_spaces_are_counted_separately(store: EventStore) -> None:
    store.add([event("run-1")], NOW)
    store.add([event("run-1", space_id=OTHER_SPACE, status=EventStatus.ERROR)], NOW)

    assert_stored_and_counted(store, [event("run-1")])
    assert summary(store, space_id=OTHER_SPACE).error_count == 1


def test_a_platform_fault_is_listed_but_in_no_total(store: EventStore) -> None:
    fault = event_of_test(
        SPACE,
        CONNECTION,
        passed=False,
        latency_ms=3000,
        code="secret_store_unavailable",
        platform_fault=True,
        now=NOW,
    )

    store.add([fault, event("run-1")], NOW)

    actual = summary(store)
    assert (actual.total_events, actual.error_count, actual.platform_faults) == (1, 0, 1)
    assert fault in store.list_events(SPACE, now=NOW, limit=10).items


def test_an_event_is_read_as_it_was_sent(store: EventStore) -> None:
    full = event(
        "run:1",
        ago=timedelta(milliseconds=1),
        status=EventStatus.ERROR,
        connection_id=CONNECTION,
        duration_ms=0,
        error_code="auth_expired",
        message="naïve text # with a hash",
        metadata={"ratio": 0.1, "big": 10**40, "nothing": None, "deep": {"list": [1.0, "é"]}},
    )

    store.add([full], NOW)

    assert store.list_events(SPACE, now=NOW, limit=1).items == [full]


def test_events_and_buckets_expire_by_the_time_of_the_event(
    store: EventStore, events_table: Table
) -> None:
    one = event("run-1", ago=timedelta(days=2))

    store.add([one], NOW)

    [item] = events_table.query_all(f"SPACE#{SPACE}#2026-02-15#0")
    assert item["sk"] == "2026-02-15T10:20:30.000Z#run-1"
    assert item["expires_at"] == epoch_seconds(one.occurred_at, timedelta(days=37))
    assert {b["sk"]: b["expires_at"] for b in events_table.query_all(f"SPACE#{SPACE}")} == {
        "D#2026-02-15#0": epoch_seconds(datetime(2026, 2, 15, tzinfo=UTC), timedelta(days=400)),
        "H#2026-02-15T10#0": epoch_seconds(
            datetime(2026, 2, 15, 10, tzinfo=UTC), timedelta(days=400)
        ),
    }


def test_an_event_is_stored_for_as_long_as_it_can_be_repeated(
    store: EventStore, events_table: Table
) -> None:
    # Given the oldest possible event, of a call that will be repeated under its Idempotency-Key
    oldest = event("run-1", ago=NOW - store.oldest(NOW))
    store.add([oldest], NOW)

    # When it is repeated at the end of the key's time, after all expired items were removed
    later = NOW + timedelta(hours=24)
    for item in list(events_table.query_all(f"SPACE#{SPACE}#{oldest.occurred_at.date()}#0")):
        if item["expires_at"] <= epoch_seconds(later):
            events_table.write(Delete(Key(item["pk"], item["sk"])))
    added = store.add([oldest], NOW)

    # Then it is a duplicate
    assert added == IngestResult(accepted=0, duplicates=1)
    assert store.list_events(SPACE, now=later, limit=1).items == []


# ---------------------------------------------------------------- other writers and faults


def test_a_bucket_that_another_writer_changed_keeps_both_counts(
    store: EventStore, other_writer: EventStore, table: WatchedTable
) -> None:
    # given: a bucket, and a writer that changes it after we have read it
    ours, theirs = [event("ours-0"), event("ours-1")], event("theirs", status=EventStatus.ERROR)
    store.add(ours[:1], NOW)
    table.before = [lambda: void(other_writer.add([theirs], NOW))]

    # when
    added = store.add(ours[1:], NOW)

    # then
    assert added == IngestResult(accepted=1, duplicates=0)
    assert shards(table) == {"0"}
    assert_stored_and_counted(store, [*ours, theirs])


def test_a_bucket_that_another_writer_created_keeps_both_counts(
    store: EventStore, other_writer: EventStore, table: WatchedTable
) -> None:
    ours = some_events(5, timedelta(days=2), seed=1)
    theirs = some_events(5, timedelta(days=2), seed=2)
    table.before = [lambda: void(other_writer.add(theirs, NOW))]

    assert store.add(ours, NOW) == IngestResult(accepted=5, duplicates=0)

    assert_stored_and_counted(store, [*ours, *theirs])


def test_a_writer_that_is_beaten_twice_uses_another_shard(
    store: EventStore, other_writer: EventStore, table: WatchedTable
) -> None:
    theirs = [event(f"theirs-{n}") for n in range(2)]
    table.before = [lambda one=one: void(other_writer.add([one], NOW)) for one in theirs]  # type: ignore[misc]  # the default binds the loop

    assert store.add([event("ours")], NOW).accepted == 1

    assert len(table.transactions) == 3
    assert len(shards(table)) == 2
    assert_stored_and_counted(store, [event("ours"), *theirs])


def test_a_writer_that_meets_a_conflict_uses_another_shard(
    store: EventStore, table: WatchedTable
) -> None:
    # given
    store.add([event("before")], NOW)
    table.before = [fails_with(Contended())]

    # when
    added = store.add([event("ours")], NOW)

    # then
    assert added.accepted == 1
    assert len(shards(table)) == 2
    assert_stored_and_counted(store, [event("before"), event("ours")])


def test_a_duplicate_that_another_writer_just_stored_counts_once(
    store: EventStore, other_writer: EventStore, table: WatchedTable
) -> None:
    same = event("same")
    table.before = [lambda: void(other_writer.add([same], NOW))]

    assert store.add([same, event("ours")], NOW) == IngestResult(accepted=1, duplicates=1)

    assert_stored_and_counted(store, [same, event("ours")])


def test_a_table_that_stays_busy_gets_no_write(store: EventStore, table: WatchedTable) -> None:
    table.before = [fails_with(Contended())] * 1000

    with pytest.raises(TemporarilyUnavailable):
        store.add([event("ours")], NOW)

    assert len(table.transactions) <= 10
    assert_stored_and_counted(store, [])


def test_a_lost_reply_leaves_the_events_accepted_and_counted_once(store: EventStore) -> None:
    # given
    store.add([event("before")], NOW)
    events = some_events(5, timedelta(days=2))
    lose_replies("TransactWriteItems")

    # when: the client repeats the transaction, which finds its own events
    added = store.add(events, NOW)

    # then
    assert added == IngestResult(accepted=5, duplicates=0)
    assert_stored_and_counted(store, [event("before"), *events])


def test_a_lost_reply_is_not_mistaken_for_duplicates(store: EventStore) -> None:
    # given: the first transaction is refused for the duplicate, the reply of the second is lost
    known, fresh = event("known"), [event("fresh-1"), event("fresh-2")]
    store.add([known], NOW)
    lose_replies("TransactWriteItems", skip=1)

    # when
    added = store.add([known, *fresh], NOW)

    # then
    assert added == IngestResult(accepted=2, duplicates=1)
    assert_stored_and_counted(store, [known, *fresh])


def test_a_lost_reply_whose_bucket_has_changed_is_not_counted_again(
    store: EventStore, other_writer: EventStore, table: WatchedTable
) -> None:
    """The reply is lost, and another writer writes before the repetition."""
    ours, theirs = event("ours"), event("theirs")

    meets = True

    def between(_: Attempt, carry: Carry) -> Reply:
        nonlocal meets
        answer = carry()
        if meets:
            meets = False
            other_writer.add([theirs], NOW)
            raise NoAnswer("timeout")
        return answer

    meet(between)

    assert store.add([ours], NOW) == IngestResult(accepted=1, duplicates=0)

    assert len(table.transactions) == 1
    assert_stored_and_counted(store, [ours, theirs])


def test_after_replies_that_are_lost_for_good_a_repeated_call_counts_once(
    store: EventStore,
) -> None:
    # given
    events = some_events(3, timedelta(hours=2))
    lose_replies("TransactWriteItems", times=CALL_ATTEMPTS)
    with pytest.raises(TemporarilyUnavailable):
        store.add(events, NOW)

    # when
    added = store.add(events, NOW)

    # then
    assert added == IngestResult(accepted=0, duplicates=3)
    assert_stored_and_counted(store, events)


def test_a_call_that_fails_between_two_transactions_goes_on_when_repeated(
    store: EventStore, table: WatchedTable
) -> None:
    # given: 40 hours need two transactions, and the second fails
    events = [event(f"run-{n}", ago=timedelta(hours=n)) for n in range(60)]
    table.before = [lambda: None, fails_with(TemporarilyUnavailable())]
    with pytest.raises(TemporarilyUnavailable):
        store.add(events, NOW)
    landed = [one for page in all_pages(store, limit=100) for one in page.items]
    assert 0 < len(landed) < 60
    assert_stored_and_counted(store, landed)

    # when
    added = store.add(events, NOW)

    # then
    assert added == IngestResult(accepted=60 - len(landed), duplicates=len(landed))
    assert_stored_and_counted(store, events)


# ---------------------------------------------------------------- listing


def test_events_are_listed_newest_first_page_by_page_over_days(store: EventStore) -> None:
    events = some_events(23, timedelta(days=4))
    store.add(events, NOW)

    pages = all_pages(store, limit=5)

    newest_first = [one.id for one in sorted(events, key=identity, reverse=True)]
    assert names(pages) == newest_first
    assert [len(page.items) for page in pages[:4]] == [5, 5, 5, 5]


def test_filters_apply_across_pages(store: EventStore) -> None:
    # given
    wanted: dict[str, Any] = {
        "kind": IntegrationType.WEBHOOK,
        "status": EventStatus.ERROR,
        "connection_id": CONNECTION,
    }
    chosen = [event(f"chosen-{n}", ago=timedelta(hours=5 * n), **wanted) for n in range(5)]
    others = [
        event("other-type", **{**wanted, "kind": IntegrationType.ALERT}),
        event("other-status", **{**wanted, "status": EventStatus.SUCCESS}),
        event("other-connection", **{**wanted, "connection_id": OTHER_CONNECTION}),
        event("no-connection", kind=IntegrationType.WEBHOOK, status=EventStatus.ERROR),
    ]
    store.add([*chosen, *others], NOW)

    # when
    pages = all_pages(
        store,
        limit=2,
        integration_type=IntegrationType.WEBHOOK,
        status=EventStatus.ERROR,
        connection_id=CONNECTION,
    )

    # then
    assert names(pages) == [f"chosen-{n}" for n in range(5)]
    assert names(all_pages(store, limit=9, integration_type=IntegrationType.ALERT)) == [
        "other-type"
    ]


def test_a_range_includes_its_start_and_excludes_its_end(store: EventStore) -> None:
    store.add([event(f"ago-{n}", ago=timedelta(hours=6 * n)) for n in range(8)], NOW)

    pages = all_pages(
        store, limit=1, since=NOW - timedelta(hours=36), until=NOW - timedelta(hours=12)
    )

    assert names(pages) == ["ago-3", "ago-4", "ago-5", "ago-6"]


def test_an_event_ahead_of_our_clock_is_listed_even_past_midnight(store: EventStore) -> None:
    now = datetime(2026, 2, 17, 23, 58, tzinfo=UTC)
    ahead = event("ahead", ago=NOW - datetime(2026, 2, 18, 0, 2, tzinfo=UTC))
    store.add([ahead], now)

    assert store.list_events(SPACE, now=now, limit=10).items == [ahead]


def test_a_page_of_a_sparse_space_ends_after_20_queries(
    store: EventStore, table: WatchedTable
) -> None:
    # given
    old = event("old", ago=timedelta(days=33))
    store.add([old], NOW)

    # when
    first = store.list_events(SPACE, now=NOW, limit=10)

    # then
    assert (first.items, len(table.queries)) == ([], 20)
    assert first.next_start == {"day": "2026-01-29"}
    second = store.list_events(SPACE, now=NOW, limit=10, start=first.next_start)
    assert (second.items, second.next_start) == ([old], None)


def test_a_filtered_page_reads_a_limited_number_of_events_and_the_next_goes_on(
    store: EventStore, table: WatchedTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given pages that read six events, and a wanted event at the very end
    monkeypatch.setattr("patchbay.health.store.FILTERED_READ", 6)
    others = [event(f"other-{n}", ago=timedelta(hours=5 * n)) for n in range(10)]
    wanted = event("wanted", ago=timedelta(days=3), kind=IntegrationType.ALERT)
    store.add([*others, wanted], NOW)

    # When it is filtered
    since = NOW - timedelta(days=4)
    pages = all_pages(store, limit=5, integration_type=IntegrationType.ALERT, since=since)

    # Then the first page is empty after six events, and the second finds it
    assert [len(page.items) for page in pages] == [0, 1]
    read = [len(page.items) for page in table.queries]
    assert sum(read) == len(others) + 1


@pytest.mark.parametrize(
    ("later", "left", "queries"),
    [
        (timedelta(hours=22, minutes=30), ["old-1"], 1),
        # The page would start before everything that is listed, which DynamoDB refuses.
        (timedelta(hours=24, minutes=30), [], 0),
        (timedelta(days=40), [], 0),
    ],
)
def test_a_page_that_the_retention_has_overtaken_is_the_last(
    store: EventStore, table: WatchedTable, later: timedelta, left: list[str], queries: int
) -> None:
    # given
    store.add([event(f"old-{n}", ago=timedelta(days=34, hours=n)) for n in range(3)], NOW)
    first = store.list_events(SPACE, now=NOW, limit=1, until=NOW - timedelta(days=33))
    assert names([first]) == ["old-0"]
    table.queries.clear()

    # when
    rest = store.list_events(SPACE, now=NOW + later, limit=5, start=first.next_start)

    # then
    assert (names([rest]), rest.next_start, len(table.queries)) == (left, None, queries)


def test_an_empty_range_makes_no_query(store: EventStore, table: WatchedTable) -> None:
    page = store.list_events(SPACE, now=NOW, limit=5, since=NOW, until=NOW)

    assert (page, table.queries) == (EventPage([], None), [])


# ---------------------------------------------------------------- what it costs


def test_an_event_costs_at_most_2_2_write_units_in_batches_of_25(
    store: EventStore, table: WatchedTable
) -> None:
    # given: buckets with all types, and a batch of one hour as a back end sends it
    for before in batched(some_events(40, timedelta(minutes=20), seed=1), 20, strict=True):
        store.add(before, NOW)
    batch = [
        one.model_copy(
            update={
                "id": "evt_01KHZ00000000000000000" + f"{n:04}",
                "connection_id": CONNECTION,
                "duration_ms": 1234,
                "error_code": "provider_timeout",
                "message": "the provider did not answer within 10 seconds: " + "x" * 100,
                "metadata": {"job": "nightly", "attempt": 1},
            }
        )
        for n, one in enumerate(some_events(25, timedelta(minutes=20), seed=2))
    ]
    table.transactions.clear()

    # when
    store.add(batch, NOW)

    # then
    [writes] = table.transactions
    units = sum(2 * -(-item_bytes(w.item) // 1024) for w in writes if isinstance(w, Put))
    assert units / 25 <= 2.2


def test_a_summary_costs_two_queries_and_at_most_5_read_units_for_30_busy_days(
    store: EventStore, table: WatchedTable
) -> None:
    # given: a million events a month, in the most expensive window: 23 hours and 31 days
    now = datetime(2026, 2, 17, 1, 30, tzinfo=UTC)
    start = window_start(now, 30)
    for n in range(23):
        seed_bucket(table, Period.hour_of(start + timedelta(hours=n)), events=1_400)
    for n in range(1, 32):
        seed_bucket(table, Period.day_of(start + timedelta(days=n)), events=34_000)

    # when
    buckets = store.buckets_since(SPACE, start)

    # then
    assert len(buckets) == 54
    assert len(table.queries) == 2
    sizes = [sum(map(item_bytes, page.items)) for page in table.queries]
    assert sum(-(-size // 4096) for size in sizes) <= 5


def seed_bucket(table: Table, period: Period, events: int) -> None:
    """Writes a bucket of that many events, with all types and all slots of the histogram."""
    of_type = events // len(IntegrationType)
    tally = Tally(
        success=of_type * 9 // 10,
        errors=of_type // 10,
        last_success_at=period.start + timedelta(minutes=59),
        last_error_at=period.start + timedelta(minutes=58),
        latency_sum_ms=of_type * 20_000,
        latencies=(of_type // 12,) * (len(LATENCY_BOUNDS_MS) + 1),
    )
    counts = Bucket(
        dict.fromkeys(IntegrationType, tally),
        {IntegrationType.CONNECTION_TEST: FaultTally(12, period.start + timedelta(minutes=50))},
    )
    key = Key(f"SPACE#{SPACE}", period.sort_key(0))
    item = {
        **key._asdict(),
        "counts": encode_bucket(counts, period.start),
        "revision": events,
        "expires_at": 1_800_000_000,
    }
    table.write(Put(item))


def item_bytes(item: Item) -> int:
    """The size of an item in DynamoDB: names and values, with two digits of a number in a byte."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: str | bytes | int) -> int:
    match value:
        case bool():
            return 1
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case int():
            return -(-len(str(abs(value))) // 2) + 1


def void(_: object) -> None:
    """Drops the result, for a callback that returns None."""
