"""The buckets of spaces in the events table, and how their shards become one again.

    bucket        SPACE#<id>     H#2026-02-17T10#<shard>, D#2026-02-17#<shard>
    spread day    FOLD#<lane>    <day>#<space id>#<shard>     made together with a side shard

Writers begin at shard 0 and step aside to others, so a busy space has up to eight shards of a
period, and a reader pays for each. When its day is over a period is folded, in two steps:

1. One transaction moves the counts of the side shards to shard 0. Shard 0 tells in `folded` at
   which revision it took which shard; the side shards stay, empty, and tell in `into` the revision
   of shard 0 that took them.
2. At least `SETTLED` later another removes the empty ones, and `folded`.

A query is no snapshot: it may see one item as it was before a transaction and another as it is
after. By `folded` a reader knows a side shard that is counted in shard 0 already, and by `into`
that the shard 0 it saw is older than the fold; then it reads again. What is removed in step 2 has
been empty for longer than any reader has been reading. A late event may be counted on any shard at
any time: writers keep both marks, and every write is under the revision it was read at.
"""

import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Final

from patchbay.health.buckets import Bucket, Period, Span, merge
from patchbay.health.model import Event
from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import ABSENT, Condition, Delete, Item, Key, Put, Write, equals

MAIN_SHARD: Final = 0
SETTLED: Final = timedelta(minutes=10)
"""A fold's transaction lands while its function runs, up to 300 s after it was dated; and whoever
was reading then is through 29 s later, when a function that answers HTTP ends."""

BUCKETS_KEPT: Final = timedelta(days=400)
LANES: Final = 8
"""Partitions of the spread days, so that all busy spaces together do not meet on one."""


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
    """The space and day that `spread_day_key` named."""
    day, space_id, _ = item["sk"].split("#")
    return space_id, Period.day_of(datetime.fromisoformat(f"{day}T00Z"))


def period_of(item: Item) -> Period:
    return Period.of_sort_key(item["sk"])


def shard_of(item: Item) -> int:
    return int(item["sk"].rpartition("#")[2])


def counts_in(item: Item | None) -> Bucket:
    return Bucket.decode(item["counts"], period_of(item).start) if item else Bucket()


def absorbing(
    key: Key, period: Period, standing: Item | None, share: Iterable[Event]
) -> Iterator[Put]:
    """The bucket with these events in it, under the revision of what stands there.

    A side shard of a day that is new brings the note that its day will have to be folded. Every
    event is counted on the same shard of its hour and its day, so that the day tells of both.
    """
    yield _put(key, period, standing, counts_in(standing).absorb(share))
    shard = shard_of(key._asdict())
    if standing is None and shard != MAIN_SHARD and period.span is Span.DAY:
        space_id = key.pk.partition("#")[2]
        note = spread_day_key(space_id, period, shard)
        yield Put({**note._asdict(), "expires_at": epoch_seconds(period.start, BUCKETS_KEPT)})


def merged(items: Iterable[Item]) -> dict[Period, Bucket] | None:
    """The counts of each period, its shards together; None if they were seen in mid-fold."""
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
    found: dict[Period, dict[int, Item]] = {}
    for item in items:
        found.setdefault(period_of(item), {})[shard_of(item)] = item
    return found


def holds_counts(item: Item) -> bool:
    return counts_in(item) != Bucket()


def folding(
    space_id: str,
    period: Period,
    shards: Mapping[int, Item],
    now: datetime,
    total: Bucket | None = None,
) -> list[Write]:
    """Step 1, for the shards as they were read: all their counts on shard 0, or `total` instead.

    Shard 0 begins at a revision of its own even if nothing stood there.
    """
    main = shards.get(MAIN_SHARD)
    full = {n: i for n, i in shards.items() if n != MAIN_SHARD and holds_counts(i)}
    if total is None:
        total = reduce(merge, map(counts_in, full.values()), counts_in(main))
    key = bucket_key(space_id, period, MAIN_SHARD)
    taken = _put(key, period, main, total)
    # Above every fold that the shards have seen, also where a hand has taken shard 0 away.
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


def settled(shards: Mapping[int, Item], now: datetime) -> bool:
    """Whether step 2 may come: all side shards are empty, and have been for long enough."""
    main = shards.get(MAIN_SHARD)
    if main is None or any(holds_counts(i) for n, i in shards.items() if n != MAIN_SHARD):
        return False
    folded_at: int = main.get("folded_at", 0)
    return folded_at <= epoch_seconds(now - SETTLED)


def clearing(space_id: str, period: Period, shards: Mapping[int, Item]) -> list[Write]:
    """Step 2: the side shards go, and with those of a day the notes that it is spread."""
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
    """What differs as soon as any of the buckets has changed."""
    return sorted((item["sk"], item["revision"]) for item in shards)


def _put(key: Key, period: Period, standing: Item | None, counts: Bucket) -> Put:
    if standing:
        revision = standing["revision"] + 1
    elif key.sk.endswith(f"#{MAIN_SHARD}"):
        revision = 1
    else:
        # One that was removed and is made again must not be taken for the one that was folded.
        revision = secrets.randbits(31)
    return Put(
        {
            **(standing or {}),  # the marks of a fold stay
            **key._asdict(),
            "counts": counts.encode(period.start),
            "revision": revision,
            "expires_at": epoch_seconds(period.start, BUCKETS_KEPT),
        },
        _unchanged(standing) if standing else ABSENT,
    )


def _unchanged(item: Item) -> Condition:
    return equals("revision", item["revision"])
