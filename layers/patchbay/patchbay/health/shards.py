"""The buckets of spaces in the events table, and how the shards of a period are folded into one.

    bucket        SPACE#<id>     H#2026-02-17T10#<shard>, D#2026-02-17#<shard>
    spread day    FOLD#<lane>    <day>#<space id>#<shard>     written together with a side shard

Writers start at shard 0 and move to side shards, so a busy space has up to eight shards of a
period, and a reader pays for each of them. When the day of a period is over, the period is folded
in two steps:

1. One transaction moves the counts of the side shards to shard 0. `folded` on shard 0 keeps which
   shard it took at which revision. The side shards stay, empty, and `into` on each keeps the
   revision of shard 0 that took its counts.
2. At least `SETTLED` later, another transaction deletes the empty shards and `folded`.

A query is not a snapshot: it may see one item as it was before a transaction, and another as it is
after. By `folded`, a reader recognizes a side shard that shard 0 already includes. By `into`, it
recognizes that the shard 0 it saw is older than the fold, and reads again. A shard that step 2
deletes has been empty for longer than any reader has been reading. A late event may be counted on
any shard at any time: writers keep both marks, and each write has the condition that the revision
is the one that was read.
"""

import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

from patchbay.health.bucket_codec import decode_bucket, encode_bucket
from patchbay.health.buckets import Bucket, merge
from patchbay.health.model import Event
from patchbay.health.monitor_runs import is_of_runs
from patchbay.health.periods import Period, Span
from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import ABSENT, Condition, Delete, Item, Key, Put, Write, equals

MAIN_SHARD: Final = 0
SETTLED: Final = timedelta(minutes=10)
"""A fold is applied while its function runs, up to 300 s after `folded_at`. A reader of that moment
is done 29 s later, when a function that serves HTTP ends."""

BUCKETS_KEPT: Final = timedelta(days=400)
LANES: Final = 8
"""The partitions of the spread days, so that the writes of all busy spaces do not share one."""


def buckets_pk(space_id: str) -> str:
    return f"SPACE#{space_id}"


def bucket_key(space_id: str, period: Period, shard: int) -> Key:
    return Key(buckets_pk(space_id), period.sort_key(shard))


def spread_days_pk(lane: int) -> str:
    return f"FOLD#{lane}"


def spread_day_key(space_id: str, day: Period, shard: int) -> Key:
    lane = zlib.crc32(space_id.encode()) % LANES
    return Key(spread_days_pk(lane), f"{day.start.date().isoformat()}#{space_id}#{shard}")


def spread_day_of(item: Item) -> tuple[str, Period]:
    """Parses the space and the day of a `spread_day_key`."""
    day, space_id, _ = item["sk"].split("#")
    return space_id, Period.day_of(datetime.fromisoformat(f"{day}T00Z"))


def period_of(item: Item) -> Period:
    return Period.of_sort_key(item["sk"])


def shard_of(item: Item) -> int:
    return int(item["sk"].rpartition("#")[2])


def counts_in(item: Item | None) -> Bucket:
    return decode_bucket(item["counts"], period_of(item).start) if item else Bucket()


def bucket_puts(
    key: Key, period: Period, stored: Item | None, events: Iterable[Event]
) -> Iterator[Put]:
    """The write that adds events to a bucket, on the condition that it is still as `stored`.

    A new side shard of a day comes with a second write: the note that its day must be folded. An
    event is counted on the same shard of its hour and its day, so one note is enough for both.
    """
    yield _put(key, period, stored, counts_in(stored).absorb(events))
    shard = shard_of(key._asdict())
    if stored is None and shard != MAIN_SHARD and period.span is Span.DAY:
        space_id = key.pk.partition("#")[2]
        note = spread_day_key(space_id, period, shard)
        yield Put({**note._asdict(), "expires_at": epoch_seconds(period.start, BUCKETS_KEPT)})


def merge_shards(items: Iterable[Item]) -> dict[Period, Bucket] | None:
    """The counts of each period, its shards together. None if they were read in the middle of a
    fold."""
    counts: dict[Period, Bucket] = {}
    for period, shards in by_period(items).items():
        main = shards.pop(MAIN_SHARD, None)
        folded: Mapping[str, int] = main.get("folded", {}) if main else {}
        revision = main["revision"] if main else 0
        total = counts_in(main)
        for shard, item in shards.items():
            if item.get("into", 0) > revision:
                return None
            if folded.get(str(shard)) != item["revision"]:
                total = merge(total, counts_in(item))
        counts[period] = total
    return counts


def by_period(items: Iterable[Item]) -> dict[Period, dict[int, Item]]:
    """The shards of each period, without the counts of runs beside them."""
    found: dict[Period, dict[int, Item]] = {}
    for item in items:
        if is_of_runs(item):
            continue
        found.setdefault(period_of(item), {})[shard_of(item)] = item
    return found


def holds_counts(item: Item) -> bool:
    return counts_in(item) != Bucket()


def fold_writes(
    space_id: str,
    period: Period,
    shards: Mapping[int, Item],
    now: datetime,
    total: Bucket | None = None,
) -> list[Write]:
    """Step 1, for the shards as they were read. Shard 0 gets all their counts, or `total`."""
    main = shards.get(MAIN_SHARD)
    full = {n: i for n, i in shards.items() if n != MAIN_SHARD and holds_counts(i)}
    if total is None:
        total = reduce(merge, map(counts_in, full.values()), counts_in(main))
    key = bucket_key(space_id, period, MAIN_SHARD)
    taken = _put(key, period, main, total)
    # Higher than in any earlier fold, even if an operator has deleted shard 0.
    seen = max((item.get("into", 0) for item in shards.values()), default=0)
    taken.item["revision"] = max(taken.item["revision"], seen + 1)
    if full:
        earlier = main.get("folded", {}) if main else {}
        now_taken = {str(shard): item["revision"] for shard, item in full.items()}
        taken.item["folded"] = {**earlier, **now_taken}
        taken.item["folded_at"] = epoch_seconds(now)
    writes: list[Write] = [taken]
    for shard, item in full.items():
        emptied = _put(bucket_key(space_id, period, shard), period, item, Bucket())
        emptied.item["into"] = taken.item["revision"]
        writes.append(emptied)
    return writes


def may_clear(shards: Mapping[int, Item], now: datetime) -> bool:
    """Whether step 2 may follow: all side shards have been empty for long enough."""
    main = shards.get(MAIN_SHARD)
    if main is None or any(holds_counts(i) for n, i in shards.items() if n != MAIN_SHARD):
        return False
    folded_at: int = main.get("folded_at", 0)
    return folded_at <= epoch_seconds(now - SETTLED)


def clear_writes(space_id: str, period: Period, shards: Mapping[int, Item]) -> list[Write]:
    """Step 2: deletes the side shards and, with those of a day, the notes of the spread day."""
    main = shards[MAIN_SHARD]
    kept = {name: value for name, value in main.items() if name not in ("folded", "folded_at")}
    writes: list[Write] = [
        Put({**kept, "revision": main["revision"] + 1}, _unchanged(main)),
    ]
    for shard, item in shards.items():
        if shard == MAIN_SHARD:
            continue
        writes.append(Delete(bucket_key(space_id, period, shard), _unchanged(item)))
        if period.span is Span.DAY:
            writes.append(Delete(spread_day_key(space_id, period, shard)))
    return writes


def revisions(shards: Iterable[Item]) -> Sequence[tuple[str, int]]:
    """A value that differs as soon as any of the buckets has changed."""
    return sorted((item["sk"], item["revision"]) for item in shards)


def _put(key: Key, period: Period, stored: Item | None, counts: Bucket) -> Put:
    if stored:
        revision = stored["revision"] + 1
    elif key.sk.endswith(f"#{MAIN_SHARD}"):
        revision = 1
    else:
        # A side shard that was deleted and is written again must not look like the folded one.
        revision = secrets.randbits(31)
    return Put(
        {
            **(stored or {}),  # keeps the marks of a fold
            **key._asdict(),
            "counts": encode_bucket(counts, period.start),
            "revision": revision,
            "expires_at": epoch_seconds(period.start, BUCKETS_KEPT),
        },
        _unchanged(stored) if stored else ABSENT,
    )


def _unchanged(item: Item) -> Condition:
    return equals("revision", item["revision"])
