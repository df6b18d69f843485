"""The shards of a day that is over are folded into one, whatever happens in between."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import fold_counts
from patchbay.health.buckets import Bucket
from patchbay.health.folding import CountFolder
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.periods import Period
from patchbay.health.shards import (
    LANES,
    bucket_key,
    bucket_puts,
    by_period,
    holds_counts,
    merge_shards,
    spread_days_pk,
)
from patchbay.health.store import EventStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Contended, Item, Table, Write
from patchbay.platform.errors import TemporarilyUnavailable
from tests.integration.api import sample_event

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
NOW = datetime(2026, 2, 17, 0, 30, tzinfo=UTC)
YESTERDAY = datetime(2026, 2, 16, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)


def event(name: str, hour: int = 10) -> Event:
    return Event(
        id=name,
        space_id=SPACE,
        integration_type=IntegrationType.WEBHOOK,
        status=EventStatus.SUCCESS,
        occurred_at=YESTERDAY + timedelta(hours=hour, minutes=5),
        received_at=NOW,
    )


def write(table: Table, name: str, shard: int, hour: int = 10) -> None:
    """Writes an event as a writer counts it on this shard."""
    one = event(name, hour)
    writes: list[Write] = []
    for period in (Period.hour_of(one.occurred_at), Period.day_of(one.occurred_at)):
        key = bucket_key(SPACE, period, shard)
        writes += bucket_puts(key, period, table.get(key), [one])
    table.transact(writes)


def items(table: Table) -> list[Item]:
    return list(table.query_all(f"SPACE#{SPACE}"))


def notes(table: Table) -> list[str]:
    return [note for lane in range(LANES) for note in notes_of(table, lane)]


def notes_of(table: Table, lane: int) -> list[str]:
    return [note["sk"] for note in table.query_all(spread_days_pk(lane))]


def folder(table: Table, now: datetime) -> CountFolder:
    return CountFolder(table, lambda: now)


def run(table: Table, now: datetime) -> None:
    folder(table, now).run(timedelta(hours=1))


def totals(table: Table) -> dict[str, int]:
    counts = merge_shards(items(table))
    assert counts is not None
    return {p.prefix: b.by_type[IntegrationType.WEBHOOK].success for p, b in counts.items()}


@pytest.fixture
def spread(events_table: Table) -> Table:
    """A day of seven events on shards 0, 3 and 5, in two hours."""
    for number, (shard, hour) in enumerate([(0, 10), (3, 10), (3, 10), (5, 10), (5, 11), (3, 11)]):
        write(events_table, f"e{number}", shard, hour)
    write(events_table, "e6", 0, 10)
    return events_table


COUNTED = {"D#2026-02-16#": 7, "H#2026-02-16T10#": 5, "H#2026-02-16T11#": 2}


def test_the_sample_event_folds_the_days_that_are_over(deployed: dict[str, Table]) -> None:
    table = deployed["EventsTable"]
    at = (utc_now() - timedelta(days=2)).replace(hour=5)
    one = event("e").model_copy(update={"occurred_at": at})
    day = Period.day_of(at)
    table.transact(list(bucket_puts(bucket_key(SPACE, day, 4), day, None, [one])))

    fold_counts.handler(sample_event("fold_counts"), None)

    [main, side] = items(table)
    assert (main["folded"], side["into"]) == ({"4": side["revision"] - 1}, 1)


def test_a_side_shard_leaves_a_note_of_its_day(spread: Table) -> None:
    assert notes(spread) == [f"2026-02-16#{SPACE}#3", f"2026-02-16#{SPACE}#5"]


def test_a_day_that_is_over_is_one_bucket_after_two_runs(spread: Table) -> None:
    # When it is folded
    run(spread, NOW)
    # Then the counts are the same and on one shard
    assert totals(spread) == COUNTED
    full = [
        i["sk"] for i in items(spread) if merge_shards([i | {"into": 0}]) != {_period(i): Bucket()}
    ]
    assert full == ["D#2026-02-16#0", "H#2026-02-16T10#0", "H#2026-02-16T11#0"]
    # And after the second step, nothing else is left
    run(spread, LATER)
    run(spread, LATER)
    assert [item["sk"] for item in items(spread)] == full
    assert totals(spread) == COUNTED
    assert notes(spread) == []
    assert all("folded" not in item for item in items(spread))


def test_nothing_is_deleted_before_readers_are_done(spread: Table) -> None:
    run(spread, NOW)
    before = items(spread)
    run(spread, NOW + timedelta(minutes=10, seconds=-1))
    assert items(spread) == before


def test_today_is_not_folded_until_it_is_over_for_all_clocks(spread: Table) -> None:
    before = items(spread)
    run(spread, datetime(2026, 2, 17, 0, 4, 59, tzinfo=UTC))
    assert items(spread) == before


def test_a_late_event_after_any_step_is_counted(spread: Table) -> None:
    expected = dict(COUNTED)
    for number, (shard, now) in enumerate([(3, NOW), (0, LATER), (5, LATER), (3, LATER)]):
        run(spread, now + number * timedelta(minutes=10))
        write(spread, f"late{number}", shard)
        expected["D#2026-02-16#"] += 1
        expected["H#2026-02-16T10#"] += 1
        assert totals(spread) == expected
    # And the day is folded again
    for minutes in (60, 70, 80, 90):
        run(spread, NOW + timedelta(minutes=minutes))
    assert totals(spread) == expected
    assert len(items(spread)) == 3
    assert notes(spread) == []


class Meddling(Table):
    """Another writer writes just before each transaction of the fold."""

    def __init__(self, name: str, shard: int) -> None:
        super().__init__(name)
        self.shard, self.met = shard, 0

    def transact(self, writes: Any, *, attempts: int = 6) -> None:
        self.met += 1
        write(Table(self.name), f"m{self.shard}-{self.met}", self.shard)
        super().transact(writes, attempts=attempts)


@pytest.mark.parametrize("shard", [0, 3, 6])
def test_writers_during_a_fold_lose_nothing(spread: Table, shard: int) -> None:
    expected = dict(COUNTED)
    for minutes in (0, 10, 20):
        meddling = Meddling(spread.name, shard)
        run(meddling, NOW + timedelta(minutes=minutes))
        expected["D#2026-02-16#"] += meddling.met
        expected["H#2026-02-16T10#"] += meddling.met
        assert totals(spread) == expected
    for minutes in (30, 40, 50, 60):
        run(spread, NOW + timedelta(minutes=minutes))
    assert totals(spread) == expected
    assert notes(spread) == []


class Slow(Table):
    """Each transaction takes as long as calls that hang. A reader reads just before it applies."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.now = NOW
        self.read: list[list[Item]] = []

    def transact(self, writes: Any, *, attempts: int = 6) -> None:
        self.now += timedelta(seconds=45)
        self.read.append(items(self))
        super().transact(writes, attempts=attempts)


def test_a_slow_fold_leaves_its_readers_the_time_they_need(spread: Table) -> None:
    # Given a slow fold, and a reader that has read shard 0 of the second hour before it
    slow = Slow(spread.name)
    folder(slow, NOW).run(timedelta(hours=1))
    eleven = Period.hour_of(YESTERDAY + timedelta(hours=11))
    seen = [i for i in slow.read[-1] if i["sk"] == eleven.sort_key(0)]
    # When another fold runs, and then the reader reads the rest
    run(spread, slow.now)
    rest = [i for i in items(spread) if i["sk"].startswith(eleven.prefix)]
    # Then the reader knows that it must read again
    assert merge_shards([*seen, *(i for i in rest if i["sk"] != eleven.sort_key(0))]) is None


class Busy(Table):
    def transact(self, *_: Any, **__: Any) -> None:
        raise Contended


def test_a_day_that_cannot_be_folded_now_does_not_stop_the_others(spread: Table) -> None:
    run(Busy(spread.name), NOW)
    assert totals(spread) == COUNTED


def test_a_bucket_that_cannot_be_read_does_not_stop_the_other_days(spread: Table) -> None:
    # Given an earlier day with a side shard that cannot be read
    before = Period.day_of(YESTERDAY - timedelta(days=1))
    one = event("old").model_copy(update={"occurred_at": before.start})
    key = bucket_key(SPACE, before, 2)
    [side, note] = bucket_puts(key, before, None, [one])
    side.item["counts"] = b"\x63"
    spread.transact([side, note])

    # When all is folded
    with pytest.raises(ValueError, match="version 99"):
        run(spread, NOW)

    # Then the later day is
    left = [item for item in items(spread) if item["sk"] != key.sk]
    assert len([item for item in left if item.get("folded")]) == 3


def test_a_reader_during_a_fold_sees_every_count_once(spread: Table) -> None:
    """A query may see some items as before and others as after the fold's transaction."""
    before = {item["sk"]: item for item in items(spread)}
    run(spread, NOW)
    after = {item["sk"]: item for item in items(spread)}
    right = merge_shards(after.values())
    assert right == merge_shards(before.values())
    for period, shards in by_period(after.values()).items():
        names = [item["sk"] for item in shards.values()]
        for mask in range(2 ** len(names)):
            mixed = [(after if mask >> n & 1 else before).get(sk) for n, sk in enumerate(names)]
            seen = merge_shards(item for item in mixed if item)
            # Either it is right, or the reader knows that it must read again
            assert seen is None or seen == {period: right[period]}  # type: ignore[index]  # it is set


def test_a_reader_reads_again_and_finally_gives_up(spread: Table) -> None:
    run(spread, NOW)
    torn = [item | {"revision": 0} for item in items(spread)]
    whole = items(spread)

    class Torn(Table):
        left = 2

        def query_all(self, *_: Any, **__: Any) -> Any:
            Torn.left -= 1
            return iter(torn if Torn.left > 0 else whole)

    store = EventStore(Torn(spread.name), 35, NO_RUNS)
    ranges = [("D#", "H#~")]
    assert len(store.counts_between(SPACE, ranges)) == 3
    Torn.left = 100
    with pytest.raises(TemporarilyUnavailable):
        store.counts_between(SPACE, ranges)


def _period(item: Item) -> Period:
    return Period.of_sort_key(item["sk"])


def test_the_periods_of_a_day_take_few_transactions_and_a_writer_refuses_its_own_only(
    spread: Table,
) -> None:
    # Given a day of two hours on three shards, and a writer that is first in one of the hours
    written: list[int] = []

    class Meddled(Table):
        def transact(self, writes: Sequence[Write], *, attempts: int = 6) -> None:
            written.append(len(writes))
            if len(written) == 1:
                write(spread, "late", 3, 11)
            super().transact(writes, attempts=attempts)

    run(Meddled(spread.name), NOW)
    # Then one transaction is tried for all, and each period by itself when that is refused
    first, *single = written
    assert (first, len(single)) == (sum(single), 3)
    left = {item["sk"] for item in items(spread) if holds_counts(item)}
    assert "H#2026-02-16T10#0" in left
    assert {"H#2026-02-16T10#3", "H#2026-02-16T10#5"}.isdisjoint(left)
    # And the next run folds the rest
    expected = COUNTED | {"D#2026-02-16#": 8, "H#2026-02-16T11#": 3}
    assert totals(spread) == expected
    for minutes in (10, 20, 30):
        run(spread, NOW + timedelta(minutes=minutes))
    assert totals(spread) == expected
    assert notes(spread) == []


def test_lanes_are_folded_side_by_side_each_from_its_oldest_day_on(events_table: Table) -> None:
    spaces = [str(uuid.UUID(int=number)) for number in range(12)]
    for space_id in spaces:
        for days in (3, 1, 2):
            at = YESTERDAY - timedelta(days=days, hours=-5)
            one = event("e").model_copy(update={"space_id": space_id, "occurred_at": at})
            day = Period.day_of(at)
            key = bucket_key(space_id, day, 4)
            events_table.transact(list(bucket_puts(key, day, None, [one])))
    seen: list[tuple[str, str]] = []

    class Watched(CountFolder):
        def fold(self, space_id: str, day: Period, now: datetime) -> None:
            seen.append((space_id, day.prefix))
            super().fold(space_id, day, now)

    done = Watched(events_table, lambda: NOW).run(timedelta(hours=1))
    assert (done.days, done.finished) == (36, True)
    for lane in range(LANES):
        keys = {note.partition("#")[2] for note in notes_of(events_table, lane)}
        own = [day for space_id, day in seen if f"{space_id}#4" in keys]
        assert own == sorted(own)


def test_a_run_that_is_out_of_time_says_so(spread: Table) -> None:
    moments = iter([NOW] + [NOW + timedelta(hours=2)] * 10)
    done = CountFolder(spread, lambda: next(moments)).run(timedelta(hours=1))
    assert (done.days, done.finished) == (0, False)
