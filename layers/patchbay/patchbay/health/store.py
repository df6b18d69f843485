"""Events and their counts in the events table.

    event          SPACE#<id>#<2026-02-17>#0   <occurred_at>#<event id>
    buckets        see `shards`

An event and its counts land together or not at all: one transaction puts the events, each under the
condition that it is new, and the buckets, each under the revision it was read at. Whatever is
repeated, by the caller, a queue or botocore, meets the events that stand there and counts nothing.
"""

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from patchbay.health.buckets import (
    SHARDS,
    Bucket,
    Period,
    Span,
    hours_since,
    periods_of,
    sort_keys_since,
)
from patchbay.health.model import Event, EventStatus, IngestResult, IntegrationType
from patchbay.health.shards import MAIN_SHARD, absorbing, bucket_key, buckets_pk, merged
from patchbay.platform.clock import epoch_seconds, to_sortable
from patchbay.platform.dynamodb import (
    ABSENT,
    MAX_TRANSACTION_ITEMS,
    Contended,
    Item,
    Key,
    Put,
    Table,
    TransactionRefused,
    pause_seconds,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import new_id
from patchbay.platform.strict_json import compact, loads

_ONE_DAY: Final = timedelta(days=1)
_ATTEMPTS: Final = 10
_READS: Final = 3
_QUERIES_PER_PAGE: Final = 20
_FILTERED_READ: Final = 1000
"""Events that one page reads when filters may leave few of them."""

_KEPT_ON: Final = timedelta(days=2)
"""How much longer an event stands than one like it is taken: what stands there is what tells a
duplicate, and a request that is repeated under its Idempotency-Key has its first time."""

_WRITE: Final = "write"
"""The attribute of an event that tells which call stored it."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first. `next_start` is where to go on, None at the end.

    A page may hold fewer events than asked for, even none, and still have a next one.
    """

    items: list[Event]
    next_start: dict[str, str] | None


class EventStore:
    """The events of spaces and their counts.

    Single events are taken and listed for `raw_event_days` days.
    """

    def __init__(self, table: Table, raw_event_days: int) -> None:
        self._table = table
        self._retention = timedelta(days=raw_event_days)

    def oldest(self, now: datetime) -> datetime:
        """The oldest `occurred_at` that is taken and listed."""
        return now - self._retention

    def add(self, events: Sequence[Event], now: datetime) -> IngestResult:
        """Stores and counts the events that are new; the others are duplicates.

        Of events with the same id and time in one call the first counts. All of the call lands in
        one transaction if it fits into one (97 events of one hour); a larger one is split by
        time, and each part is whole. Raises `TemporarilyUnavailable` when a part did not get
        through: the call may be repeated, and what had landed is then a duplicate if the events
        bring their own ids.
        """
        distinct = {_event_key(event): event for event in reversed(events)}
        token = new_id("wrt", now)
        accepted = sum(self._add_together(part, token) for part in _parts(distinct.values()))
        return IngestResult(accepted=accepted, duplicates=len(events) - accepted)

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

        `start` is the `next_start` of the page before, for the same space and filters. One call
        makes at most 20 queries, however sparse the events are, and with filters, which are
        applied to what was read, reads at most 1,000 events.
        """
        # A sender's clock may be ahead of ours, and ours of the other Lambdas': tomorrow too.
        low = max(self.oldest(now), since or self.oldest(now))
        high = min(now + _ONE_DAY, until or now + _ONE_DAY)
        wanted = {
            "integration_type": integration_type,
            "status": status,
            "connection_id": connection_id,
        }
        filters = {name: value for name, value in wanted.items() if value is not None}
        day = date.fromisoformat(start["day"]) if start else high.date()
        after = start.get("after") if start else None
        found: list[Event] = []
        left = _FILTERED_READ
        for _ in range(_QUERIES_PER_PAGE):
            # The retention moves on between two pages: what is left of the list may be gone.
            if low >= high or day < low.date() or (after and after < to_sortable(low)):
                return EventPage(found, None)
            pk = _events_pk(space_id, day)
            page = self._table.query(
                pk,
                between=(to_sortable(low), to_sortable(high)),
                limit=left if filters else limit - len(found),
                start={"pk": pk, "sk": after} if after else None,
                newest_first=True,
            )
            for item in page.items:
                if all(item.get(name) == value for name, value in filters.items()):
                    found.append(_event(space_id, item))
                    if len(found) == limit:
                        return EventPage(found, _position(day, item["sk"]))
            if page.last_key:
                after = page.last_key["sk"]
            else:
                day, after = day - _ONE_DAY, None
            left -= len(page.items)
            if left <= 0:
                break
        return EventPage(found, _position(day, after))

    def events_of(self, space_id: str, period: Period) -> Iterator[Event]:
        """Every event of a period that is still kept, oldest first."""
        between = (to_sortable(period.start), to_sortable(period.end))
        for item in self._table.query_all(
            _events_pk(space_id, period.start.date()), between=between
        ):
            yield _event(space_id, item)

    def buckets_since(self, space_id: str, start: datetime) -> list[Bucket]:
        """The buckets that cover all from `start`, a full hour, to the last event.

        Two queries: hours until the first midnight, days from there on.
        """
        return list(self.counts_since(space_id, start).values())

    def counts_since(
        self, space_id: str, start: datetime, *, hourly: bool = False
    ) -> dict[Period, Bucket]:
        """What was counted from `start`, a full hour, to the last event: periods with events alone.

        By days, but the first one by its hours if the start is in its midst: two queries. Or all by
        hours: one query, and 24 times the items.
        """
        ranges = [hours_since(start)] if hourly else sort_keys_since(start)
        return self.counts_between(space_id, ranges)

    def counts_between(
        self, space_id: str, ranges: Sequence[tuple[str, str]]
    ) -> dict[Period, Bucket]:
        """The counts in ranges of sort keys that do not overlap; one query for each.

        Raises `TemporarilyUnavailable` if each of a few reads met a fold, which takes milliseconds.
        """
        pk = buckets_pk(space_id)
        for _ in range(_READS):
            found = [i for between in ranges for i in self._table.query_all(pk, between=between)]
            counts = merged(found)
            if counts is not None:
                return counts
        raise TemporarilyUnavailable

    def _add_together(self, events: Iterable[Event], token: str) -> int:
        """How many of the events were new. One transaction, tried until it gets through.

        1. Events that stand there already are left out; if they carry our token, the transaction
           had gone through and only its reply was lost.
        2. A bucket that somebody else changed is taken as it stands now; when that happens twice on
           one shard, or others are writing at this moment, the next try is on another shard.
        """
        pending = {_event_key(event): event for event in events}
        standing: dict[Key, Item | None] = {}
        shard, beaten_on = MAIN_SHARD, -1
        for attempt in range(_ATTEMPTS):
            writes = [
                *(_event_put(event, token, self._retention) for event in pending.values()),
                *self._bucket_puts(pending.values(), shard, standing),
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
                standing |= {key: failed[key] for key in stale}
                if stale and beaten_on == shard:
                    shard = _another(shard)
                elif stale:
                    beaten_on = shard
            else:
                return len(pending)
        raise TemporarilyUnavailable

    def _bucket_puts(
        self, events: Iterable[Event], shard: int, standing: dict[Key, Item | None]
    ) -> Iterator[Put]:
        """The buckets with the events in them; `standing` holds the buckets read so far."""
        shares: dict[tuple[str, Period], list[Event]] = {}
        for event in events:
            for period in periods_of(event.occurred_at):
                shares.setdefault((event.space_id, period), []).append(event)
        for (space_id, period), share in shares.items():
            key = bucket_key(space_id, period, shard)
            if key not in standing:
                standing[key] = self._table.get(key)
            yield from absorbing(key, period, standing[key], share)


def _parts(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The events in runs of time, each of which fits into one transaction with its buckets.

    A day takes two places: its bucket, and the note that it is spread over shards.
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


def _events_pk(space_id: str, day: date) -> str:
    return f"SPACE#{space_id}#{day.isoformat()}#0"


def _event_key(event: Event) -> Key:
    return Key(
        _events_pk(event.space_id, event.occurred_at.date()),
        f"{to_sortable(event.occurred_at)}#{event.id}",
    )


def _key(item: Item) -> Key:
    return Key(item["pk"], item["sk"])


def _position(day: date, after: str | None) -> dict[str, str]:
    return {"day": day.isoformat(), **({"after": after} if after else {})}


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
        # As text: an attribute of DynamoDB would not keep a JSON number as it was sent.
        item["metadata"] = compact(event.metadata).decode()
    return Put(item, ABSENT)


def _event(space_id: str, item: Item) -> Event:
    fields: dict[str, Any] = {
        name: value for name, value in item.items() if name in Event.model_fields
    }
    fields["occurred_at"], _, fields["id"] = item["sk"].partition("#")
    if "metadata" in item:
        fields["metadata"] = loads(item["metadata"].encode())
    return Event(space_id=space_id, **fields)
