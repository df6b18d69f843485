"""Events and their counts in the events table.

    event          SPACE#<id>#<2026-02-17>#0   <occurred_at>#<event id>
    buckets        see `shards`

What monitors find is stored elsewhere, as runs: it is counted and listed beside (`monitor_runs`).

An event and its counts are written together or not at all: one transaction puts the events, each on
the condition that it is new, and the buckets, each on the condition that its revision is the one
that was read. A repetition, by the caller, a queue, or botocore, finds the events there and counts
nothing.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from patchbay.health.buckets import SHARDS, Bucket, merge
from patchbay.health.model import (
    Event,
    EventBatch,
    EventOutline,
    EventStatus,
    IngestResult,
    IntegrationType,
    accept_batch,
)
from patchbay.health.monitor_runs import EventOutlines, MonitorRuns, is_of_runs
from patchbay.health.periods import (
    Period,
    Span,
    hours_since,
    periods_of,
    ranges_with_days,
    sort_keys_since,
)
from patchbay.health.shards import MAIN_SHARD, bucket_key, bucket_puts, buckets_pk, merge_shards
from patchbay.platform.clock import epoch_seconds, from_text, to_sortable
from patchbay.platform.dynamodb import (
    ABSENT,
    MAX_TRANSACTION_ITEMS,
    Contended,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    all_before,
    pause_seconds,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import Stamp, new_id
from patchbay.platform.lists import Stretch, merged
from patchbay.platform.strict_json import compact, loads
from patchbay.tenancy.wakes import Wake, wake_nobody

_ONE_DAY: Final = timedelta(days=1)
_ATTEMPTS: Final = 10
_READ_ATTEMPTS: Final = 3
_QUERIES_PER_PAGE: Final = 20
FILTERED_READ: Final = 1000
"""How many events one page reads at most if the list has filters."""

_KEPT_ON: Final = timedelta(days=2)
"""How much longer an event is stored than accepted. A duplicate is recognized by the stored event,
and a request that is repeated under its Idempotency-Key has the time of the first one."""

_DATE_LENGTH: Final = len("2026-02-17")
_WRITE: Final = "write"
"""The attribute of an event that names the call that stored it."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first. `next_start` is where the next page starts, None on the last page.

    A page may have fewer events than asked for, even none, and still have a next page.
    """

    items: list[Event]
    next_start: dict[str, str] | None


class EventStore:
    """The events of spaces and their counts.

    Single events are accepted and listed for `raw_event_days` days. `runs` is what monitors found.
    Errors are told to `wake`.
    """

    def __init__(
        self, table: Table, raw_event_days: int, runs: MonitorRuns, wake: Wake = wake_nobody
    ) -> None:
        self._table = table
        self._retention = timedelta(days=raw_event_days)
        self._runs = runs
        self._wake = wake

    def oldest(self, now: datetime) -> datetime:
        """The oldest `occurred_at` that is accepted and listed."""
        return now - self._retention

    def add(self, events: Sequence[Event], now: datetime) -> IngestResult:
        """Stores and counts the events that are new. The others are duplicates.

        Of events with the same id and time in one call, the first counts. A call is one transaction
        if it fits (97 events of one hour). A larger call is split by time, and each part is written
        as a whole. Raises `TemporarilyUnavailable` if a part cannot be written: the call may be
        repeated, and events that have their own ids and are already stored are duplicates then.
        """
        # A fault of the platform counts toward no rate.
        errors = (e for e in events if e.status is EventStatus.ERROR and not e.platform_fault)
        if failing := {event.space_id for event in errors}:
            self._wake(failing)
        distinct = {_event_key(event): event for event in reversed(events)}
        token = new_id("wrt", now)
        accepted = sum(self._add_together(part, token) for part in _parts(distinct.values()))
        return IngestResult(accepted=accepted, duplicates=len(events) - accepted)

    def add_batch(self, space_id: str, batch: EventBatch, stamp: Stamp) -> IngestResult:
        """As `add`, for what a caller reports. Raises `InvalidInput` for what is out of time."""
        return self.add(accept_batch(batch, space_id, stamp, self.oldest(stamp.now)), stamp.now)

    def list_events(
        self,
        space_id: str,
        *,
        now: datetime,
        limit: int,
        start: Mapping[str, str] | None = None,
        integration_type: IntegrationType | None = None,
        status: EventStatus | None = None,
        connection_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> EventPage:
        """The events of a space, newest first, from `since` (included) to `until` (excluded).

        `start` is the `next_start` of the previous page, for the same space and filters. One call
        makes at most 20 queries of stored events, and as many of runs, however sparse they are.
        Filters are applied to the events that were read, at most 1,000 stored ones.
        """
        # Clocks differ: events may be of tomorrow.
        low = max(self.oldest(now), since or self.oldest(now))
        high = min(now + _ONE_DAY, until or now + _ONE_DAY)
        before = _before(start) if start else to_sortable(high)
        if low >= high or before <= to_sortable(low):
            return EventPage([], None)
        wanted = {
            "integration_type": integration_type,
            "status": status,
            "connection_id": connection_id,
        }
        filters = {name: value for name, value in wanted.items() if value is not None}
        stored = self._stored_events(space_id, low, before, limit, filters)
        of_runs: Stretch[Event] = Stretch({}, None)
        if integration_type in (None, IntegrationType.CONNECTION_TEST):
            of_runs = self._runs.events(
                space_id,
                since=low,
                before=before,
                limit=limit,
                now=now,
                status=status,
                connection_id=connection_id,
            )
        both = merged(limit, stored, of_runs)
        return EventPage(
            list(both.items.values()), _position(both.reached) if both.reached else None
        )

    def _stored_events(
        self,
        space_id: str,
        low: datetime,
        before: str,
        limit: int,
        filters: Mapping[str, str],
    ) -> Stretch[Event]:
        """Those before a sort key, at most `limit`; `filters` are values of attributes."""
        found: dict[str, Event] = {}
        left = FILTERED_READ
        day, reached = _last_day_before(before), before
        for _ in range(_QUERIES_PER_PAGE):
            if day < low.date():
                return Stretch(found, None)
            page = self._table.query(
                events_pk(space_id, day),
                between=(to_sortable(low), all_before(reached)),
                limit=left if filters else limit - len(found),
                newest_first=True,
            )
            for item in page.items:
                if all(item.get(name) == value for name, value in filters.items()):
                    found[item["sk"]] = read_event(space_id, item)
                    if len(found) == limit:
                        return Stretch(found, item["sk"])
            if page.last_key:
                reached = page.last_key["sk"]
            else:
                day, reached = day - _ONE_DAY, day.isoformat()
            left -= len(page.items)
            if left <= 0:
                break
        return Stretch(found, reached)

    def newest_outlines(
        self, space_id: str, since: datetime, now: datetime, most: int
    ) -> EventOutlines:
        """The newest events of a space from `since`, at most this many of them, newest first.

        What senders wrote is left out, which may be 5 KB of each event.
        """
        low, high = max(self.oldest(now), since), now + _ONE_DAY
        stored = self._stored_outlines(space_id, low, high, most)
        of_runs = self._runs.outlines(space_id, since=low, until=high, most=most, now=now)
        cuts = [cut for cut in (stored.cut_at, of_runs.cut_at) if cut]
        found = sorted(
            (*stored.items, *of_runs.items), key=lambda one: one.occurred_at, reverse=True
        )
        if len(found) > most:
            found = found[:most]
            cuts.append(found[-1].occurred_at)
        cut_at = max(cuts, default=None)
        return EventOutlines(
            [one for one in found if not cut_at or one.occurred_at >= cut_at], cut_at
        )

    def _stored_outlines(
        self, space_id: str, low: datetime, high: datetime, most: int
    ) -> EventOutlines:
        found: list[EventOutline] = []
        day = high.date()
        while day >= low.date():
            start: Mapping[str, Any] | None = None
            while True:
                if len(found) >= most:
                    return EventOutlines(found, found[-1].occurred_at)
                page = self._table.query(
                    events_pk(space_id, day),
                    between=(to_sortable(low), to_sortable(high)),
                    limit=most - len(found),
                    start=start,
                    newest_first=True,
                    attributes=EventOutline.ATTRIBUTES,
                )
                found += map(_outline, page.items)
                start = page.last_key
                if start is None:
                    break
            day -= _ONE_DAY
        return EventOutlines(found, None)

    def events_of(self, space_id: str, period: Period) -> Iterator[Event]:
        """All events of a period that are still stored, oldest first."""
        between = (to_sortable(period.start), to_sortable(period.end))
        for item in self._table.query_all(
            events_pk(space_id, period.start.date()), between=between
        ):
            yield read_event(space_id, item)

    def buckets_since(self, space_id: str, start: datetime) -> list[Bucket]:
        """The buckets that cover all from `start`, a full hour, to the last event.

        Makes two queries: hours until the first midnight, days from there on.
        """
        return list(self.counts_since(space_id, start).values())

    def counts_since(
        self, space_id: str, start: datetime, *, hourly: bool = False
    ) -> dict[Period, Bucket]:
        """The counts from `start`, a full hour, to the last event, of the periods that have events.

        Counts by days, and by hours until the first midnight: two queries. With `hourly`, counts
        all by hours: one query, and 24 times the items.
        """
        ranges = [hours_since(start)] if hourly else sort_keys_since(start)
        return self.counts_between(space_id, ranges)

    def counts_between(
        self, space_id: str, ranges: Sequence[tuple[str, str]]
    ) -> dict[Period, Bucket]:
        """The counts in ranges of sort keys that do not overlap.

        Makes one query for each range of hours, one for all days, and one for the runs that no item
        counts yet, if monitors test the space. Raises `TemporarilyUnavailable` if each of three
        reads meets a fold, or the closing of a day, which take milliseconds.
        """
        pk = buckets_pk(space_id)
        for _ in range(_READ_ATTEMPTS):
            found = [
                item
                for between in ranges_with_days(ranges)
                for item in self._table.query_all(pk, between=between)
            ]
            stored = merge_shards(item for item in found if _is_in(item["sk"], ranges))
            of_runs = self._runs.counts(space_id, list(filter(is_of_runs, found)), ranges)
            if stored is not None and of_runs is not None:
                for period, bucket in of_runs.items():
                    if _is_in(period.sort_key(MAIN_SHARD), ranges):
                        stored[period] = merge(stored.get(period, Bucket()), bucket)
                return stored
        raise TemporarilyUnavailable

    def _add_together(self, events: Iterable[Event], token: str) -> int:
        """Writes events in one transaction, with retries. Returns how many of them were new.

        1. Events that are already stored are left out. If one has our token, the transaction was
           applied and only its reply was lost.
        2. A bucket that another writer changed is used as it is now. After the second such change
           on one shard, or if others are writing at this moment, the next attempt uses another
           shard.
        """
        pending = {_event_key(event): event for event in events}
        stored: dict[Key, Item | None] = {}
        shard, beaten_on = MAIN_SHARD, -1
        for attempt in range(_ATTEMPTS):
            writes = [
                *(_event_put(event, token, self._retention) for event in pending.values()),
                *self._bucket_puts(pending.values(), shard, stored),
            ]
            try:
                self._table.transact(writes, attempts=1)
            except Contended:
                time.sleep(pause_seconds(attempt))
                shard = _another(shard)
            except TransactionRefused as refused:
                failed = {_key(writes[at].item): item for at, item in refused.failed.items()}
                if any(item and item.get(_WRITE) == token for item in failed.values()):
                    return len(pending)
                stale = failed.keys() - pending.keys()
                pending = {key: event for key, event in pending.items() if key not in failed}
                if not pending:
                    return 0
                stored |= {key: failed[key] for key in stale}
                if stale and beaten_on == shard:
                    shard = _another(shard)
                elif stale:
                    beaten_on = shard
            else:
                return len(pending)
        raise TemporarilyUnavailable

    def _bucket_puts(
        self, events: Iterable[Event], shard: int, stored: dict[Key, Item | None]
    ) -> Iterator[Put]:
        """The writes that add the events to their buckets. `stored` caches the buckets as read."""
        shares: dict[tuple[str, Period], list[Event]] = {}
        for event in events:
            for period in periods_of(event.occurred_at):
                shares.setdefault((event.space_id, period), []).append(event)
        for (space_id, period), share in shares.items():
            key = bucket_key(space_id, period, shard)
            if key not in stored:
                stored[key] = self._table.get(key)
            yield from bucket_puts(key, period, stored[key], share)


def _parts(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The events in order of time, in parts that fit into one transaction with their buckets.

    A day takes two writes: its bucket, and the note that it is spread over shards.
    """
    part: list[Event] = []
    buckets: set[tuple[str, Period]] = set()
    for event in sorted(events, key=lambda event: (event.space_id, event.occurred_at)):
        touched = {(event.space_id, period) for period in periods_of(event.occurred_at)}
        days = sum(period.span is Span.DAY for _, period in buckets | touched)
        if len(part) + 1 + len(buckets | touched) + days > MAX_TRANSACTION_ITEMS:
            yield part
            part, buckets = [], set()
        part.append(event)
        buckets |= touched
    if part:
        yield part


def _another(shard: int) -> int:
    return random.choice([other for other in range(SHARDS) if other != shard])  # noqa: S311 - spreads load


def events_pk(space_id: str, day: date) -> str:
    """The partition that has the events of a day."""
    return f"SPACE#{space_id}#{day.isoformat()}#0"


def _event_key(event: Event) -> Key:
    return Key(
        events_pk(event.space_id, event.occurred_at.date()),
        f"{to_sortable(event.occurred_at)}#{event.id}",
    )


def _key(item: Item) -> Key:
    return Key(item["pk"], item["sk"])


def _is_in(sort_key: str, ranges: Sequence[tuple[str, str]]) -> bool:
    return any(low <= sort_key <= high for low, high in ranges)


def _position(reached: str) -> dict[str, str]:
    """Where the events before a sort key begin. A date alone is before all events of the day."""
    day = _last_day_before(reached).isoformat()
    return {"day": day, "after": reached} if reached.startswith(day) else {"day": day}


def _before(position: Mapping[str, str]) -> str:
    """What was `reached` at a position."""
    day = date.fromisoformat(position["day"])
    return position.get("after") or (day + _ONE_DAY).isoformat()


def _last_day_before(sort_key: str) -> date:
    day = date.fromisoformat(sort_key[:_DATE_LENGTH])
    return day - _ONE_DAY if len(sort_key) == _DATE_LENGTH else day


def _event_put(event: Event, token: str, retention: timedelta) -> Put:
    kept = event.model_dump(
        mode="json",
        exclude={"id", "space_id", "occurred_at", "metadata"},
        exclude_defaults=True,
    )
    item: Item = {
        **_event_key(event)._asdict(),
        **kept,
        _WRITE: token,
        "expires_at": epoch_seconds(event.occurred_at, retention + _KEPT_ON),
    }
    if event.metadata is not None:
        # As text: a DynamoDB attribute does not keep a JSON number as it was sent.
        item["metadata"] = compact(event.metadata).decode()
    return Put(item, ABSENT)


def _outline(item: Item) -> EventOutline:
    return EventOutline(
        IntegrationType(item["integration_type"]),
        EventStatus(item["status"]),
        from_text(item["sk"].partition("#")[0]),
        item.get("connection_id"),
        item.get("platform_fault", False),
    )


def read_event(space_id: str, item: Item) -> Event:
    fields: dict[str, Any] = {
        name: value for name, value in item.items() if name in Event.model_fields
    }
    fields["occurred_at"], _, fields["id"] = item["sk"].partition("#")
    if "metadata" in item:
        fields["metadata"] = loads(item["metadata"].encode())
    return Event(space_id=space_id, **fields)
