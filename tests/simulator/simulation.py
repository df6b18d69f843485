"""Writes events under every fault at once, and then checks that the counts are right.

Eight writers take deliveries from one queue: calls of the API, messages of the bus, and our own
tests, some of which have platform faults. The tables throttle, refuse, and lose replies. Writers
crash between any two calls. Deliveries that were not acknowledged are repeated, and so are some
that were. The fold runs at the same time and crashes, too. Afterwards:

- every acknowledged event is stored, and nothing is stored that was not sent;
- every bucket, summary, and series equals a count of the stored events one by one;
- the same is true after the last fold, which leaves no side shard of a day that is over.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from patchbay.health.buckets import Bucket
from patchbay.health.bus_intake import BusIntake, BusMessage
from patchbay.health.folding import CountFolder, at_once
from patchbay.health.model import Event
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.periods import Period, Span, hours_since
from patchbay.health.series import SeriesInterval, SeriesPoint, points_of
from patchbay.health.shards import LANES, SETTLED, spread_days_pk
from patchbay.health.store import EventStore
from patchbay.health.summary import HealthSummary, summarize, window_start
from patchbay.platform.dynamodb import Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import Stamp
from patchbay.tenancy.model import NewOrganization, NewSpace
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore
from tests.simulator import recount
from tests.simulator.faults import Crash, FaultyClient
from tests.simulator.seeded_threads import SeededThreads
from tests.simulator.traffic import Delivery, Place, traffic

NOW: Final = datetime(2026, 2, 17, 10, 20, 30, tzinfo=UTC)
SPACES: Final = 5
WRITERS: Final = 8
RAW_EVENT_DAYS: Final = 366
"""Events of all 40 days of the traffic are accepted."""
BATCH: Final = 10
MAX_RECEIVES: Final = 5
REDELIVERED: Final = 0.03
"""The share of acknowledged deliveries that are repeated because the acknowledgment was lost."""
SIZES: Final = (1, 5, 25, 25, 25, 25, 60, 100)
"""The events of one call or message."""
WINDOWS: Final = (1, 7, 30, 40, 366)

type Identity = tuple[str, datetime, str]


@dataclass
class Outcome:
    """What happened, and every difference that was found."""

    happened: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{count:>8}  {what}" for what, count in sorted(self.happened.items())]
        return "\n".join([*lines, f"differences: {len(self.differences)}", *self.differences[:20]])


class Simulation:
    """One run over two empty tables.

    `seeded_threads` runs one thread at a time, in an order that the seed decides. Otherwise all
    threads run freely.
    """

    def __init__(
        self,
        client: Any,
        tables: Sequence[str],
        events: int,
        seed: int,
        *,
        seeded_threads: bool,
        sizes: Sequence[int] = SIZES,
    ) -> None:
        self._client = client
        self._integrations, self._events = tables
        self._count = events
        self._sizes = sizes
        self._chance = Random(seed)  # noqa: S311 - repeatable runs
        self._threads = SeededThreads(self._chance) if seeded_threads else None
        self._outcome = Outcome()
        self._queue: deque[tuple[Delivery, int]] = deque()
        self._dead_letters: list[Delivery] = []
        self._sent: set[Identity] = set()
        self._acknowledged: set[Identity] = set()
        self._folds = 0
        self._spread: set[str] = set()

    def run(self) -> Outcome:
        places = self._places()
        deliveries = traffic(self._count, places, NOW, self._chance, self._sizes)
        for delivery in deliveries:
            if not delivery.poison:
                self._sent.update(map(_identity, delivery.events(NOW)))
        self._queue.extend((delivery, 0) for delivery in deliveries)
        with _no_waiting():
            self._side_by_side([*[self._writer] * WRITERS, self._fold])
            self._redrive()
            stored = self._stored(places)
            self._check(places, stored, "")
            self._fold_to_the_end()
            self._check(places, stored, " after the fold")
        kept = [event for events in stored.values() for event in events]
        self._happened("events stored", len(kept))
        self._happened("of them platform faults", sum(event.platform_fault for event in kept))
        return self._outcome

    # ------------------------------------------------------------ the run

    def _places(self) -> list[Place]:
        store = _tenants(Table(self._integrations, self._client))
        places = []
        for number in range(SPACES):
            stamp = Stamp.fresh(NOW)
            organization = store.create_organization(NewOrganization(name=f"o{number}"), stamp)
            new = NewSpace(slug=f"space-{number}", name="Space")
            space = store.create_space(organization.id, new, stamp)
            places.append(Place(organization.id, space.id, space.slug))
        return places

    def _side_by_side(self, works: Sequence[Callable[[], None]]) -> None:
        if self._threads:
            self._threads.run(works)
            return
        with ThreadPoolExecutor(len(works)) as pool:
            for future in [pool.submit(work) for work in works]:
                future.result()

    def _faulty(self, table: str) -> Table:
        pause = self._threads.pause if self._threads else _no_pause
        client: Any = FaultyClient(self._client, self._chance, pause, self._outcome.happened)
        return Table(table, client)

    def _writer(self) -> None:
        """Takes deliveries until none is left. After a crash, it goes on as another process."""
        while self._queue:
            try:
                self._take(self._faulty(self._integrations), self._faulty(self._events))
            except Crash:
                continue

    def _take(self, integrations: Table, events: Table) -> None:
        store = EventStore(events, RAW_EVENT_DAYS, NO_RUNS)
        taken = self._next()
        if taken is None:
            return
        first, receives = taken
        if first.body is None:
            self._call(store, first)
            return
        batch = {first.name: (first, receives + 1)}
        while len(batch) < BATCH and (taken := self._next()):
            delivery, receives = taken
            if delivery.body is None or delivery.name in batch:
                self._again(delivery, receives)
                break
            batch[delivery.name] = (delivery, receives + 1)
        intake = BusIntake(_tenants(integrations), store)
        messages = [BusMessage(name, delivery.body or "") for name, (delivery, _) in batch.items()]
        failed = set(batch)
        try:
            failed = set(intake.take(messages, NOW))
        finally:
            for name, (delivery, count) in batch.items():
                if name not in failed:
                    self._acknowledge(delivery, count)
                elif count >= MAX_RECEIVES:
                    self._dead_letters.append(delivery)
                else:
                    self._again(delivery, count)

    def _next(self) -> tuple[Delivery, int] | None:
        try:
            return self._queue.popleft()
        except IndexError:
            return None

    def _call(self, store: EventStore, delivery: Delivery) -> None:
        """Calls the API. After a failure, the client repeats the call, or sometimes gives up."""
        try:
            store.add(delivery.events(NOW), NOW)
        except (TemporarilyUnavailable, Crash):
            if self._chance.random() < 0.9:
                self._again(delivery, 0)
            else:
                self._happened("calls given up")
        else:
            self._acknowledge(delivery, 0)

    def _acknowledge(self, delivery: Delivery, receives: int) -> None:
        if delivery.poison:
            self._outcome.differences.append(f"{delivery.name} is invalid but was accepted")
        self._acknowledged.update(map(_identity, delivery.events(NOW)))
        self._happened("deliveries acknowledged")
        if self._chance.random() < REDELIVERED:
            self._happened("delivered again after an acknowledgment")
            self._again(delivery, receives)

    def _again(self, delivery: Delivery, receives: int) -> None:
        self._queue.insert(self._chance.randrange(len(self._queue) + 1), (delivery, receives))

    def _fold(self) -> None:
        while self._queue:
            try:
                self._folded(self._faulty(self._events))
            except (Crash, TemporarilyUnavailable):
                continue

    def _folded(self, table: Table) -> None:
        """Runs the fold once. Between two runs there is enough time for the second step."""
        self._seen_spread()
        self._folds += 1
        clock = NOW + self._folds * SETTLED
        # Only the threads of the simulation take turns.
        each = map if self._threads else at_once
        CountFolder(table, lambda: clock, each).run(timedelta(hours=1))
        self._happened("folds")

    def _seen_spread(self) -> None:
        table = Table(self._events, self._client)
        for lane in range(LANES):
            for note in table.query_all(spread_days_pk(lane)):
                self._spread.add(note["sk"].rpartition("#")[0])

    def _redrive(self) -> None:
        """Delivers dead letters again, without faults. Only invalid messages are refused."""
        self._happened("messages moved to the dead letters", len(self._dead_letters))
        intake = BusIntake(
            _tenants(Table(self._integrations, self._client)),
            EventStore(Table(self._events, self._client), RAW_EVENT_DAYS, NO_RUNS),
        )
        for delivery in self._dead_letters:
            refused = intake.take([BusMessage(delivery.name, delivery.body or "")], NOW)
            if bool(refused) != delivery.poison:
                self._outcome.differences.append(f"the redrive of {delivery.name}: {refused}")
            if not refused:
                self._acknowledged.update(map(_identity, delivery.events(NOW)))

    def _fold_to_the_end(self) -> None:
        table = Table(self._events, self._client)
        for _ in range(3):
            self._folded(table)
        self._happened("days spread over shards and folded", len(self._spread))
        notes = [n for lane in range(LANES) for n in table.query_all(spread_days_pk(lane))]
        today = NOW.date().isoformat()
        left = [note["sk"] for note in notes if not note["sk"].startswith(today)]
        if left:
            self._outcome.differences.append(f"not folded: {left}")

    # ------------------------------------------------------------ the checks

    def _stored(self, places: Iterable[Place]) -> dict[str, list[Event]]:
        store = EventStore(Table(self._events, self._client), RAW_EVENT_DAYS, NO_RUNS)
        days = [Period.day_of(NOW - timedelta(days=n)) for n in range(-1, 42)]
        return {
            place.space_id: [e for day in days for e in store.events_of(place.space_id, day)]
            for place in places
        }

    def _check(self, places: Iterable[Place], stored: dict[str, list[Event]], when: str) -> None:
        found = {_identity(event) for events in stored.values() for event in events}
        self._same(f"lost after an acknowledgment{when}", self._acknowledged - found, set())
        self._same(f"stored but never sent{when}", found - self._sent, set())
        store = EventStore(Table(self._events, self._client), RAW_EVENT_DAYS, NO_RUNS)
        for place in places:
            events = stored[place.space_id]
            for what, actual, expected in self._comparisons(store, place.space_id, events):
                self._happened("comparisons")
                self._same(f"{what} of {place.slug}{when}", actual, expected)

    def _comparisons(
        self, store: EventStore, space_id: str, events: list[Event]
    ) -> Iterator[tuple[str, Any, Any]]:
        """What is compared, the value from the buckets, and the value from the events."""
        everything = [hours_since(NOW - timedelta(days=60)), ("D#", "D#~")]
        counts = {
            period: bucket
            for period, bucket in store.counts_between(space_id, everything).items()
            if bucket != Bucket()
        }
        for span, key in ((Span.HOUR, recount.hour_of), (Span.DAY, recount.day_of)):
            actual = {p.start: recount.plain_bucket(b) for p, b in counts.items() if p.span is span}
            groups = recount.grouped(events, key)
            yield f"{span.name} buckets", actual, {at: recount.plain(g) for at, g in groups.items()}
        for days in WINDOWS:
            start = recount.window(NOW, days)
            inside = [event for event in events if event.occurred_at >= start]
            buckets = store.buckets_since(space_id, window_start(NOW, days))
            for blame in (False, True):
                seen = [bucket.with_faults_as_errors() if blame else bucket for bucket in buckets]
                summary = _summary(summarize(seen, days, space_id))
                yield f"{days} days, blame {blame}", summary, _plain_summary(inside, blame=blame)
        for days, interval, key in (
            (30, SeriesInterval.DAY, recount.day_of),
            (7, SeriesInterval.HOUR, recount.hour_of),
        ):
            start = window_start(NOW, days)
            read = store.counts_since(space_id, start, hourly=interval is SeriesInterval.HOUR)
            points = {p.starts_at: _point(p) for p in points_of(read, start, NOW, interval)}
            inside = [event for event in events if event.occurred_at >= start]
            grouped = {max(start, at): g for at, g in recount.grouped(inside, key).items()}
            empty = {at: _plain_point([]) for at in points}
            counted = {at: _plain_point(group) for at, group in grouped.items()}
            yield f"series by {interval}", points, {**empty, **counted}

    def _same(self, what: str, actual: Any, expected: Any) -> None:
        if actual != expected:
            difference = f"{what}: {str(actual)[:200]} is not {str(expected)[:200]}"
            self._outcome.differences.append(difference)

    def _happened(self, what: str, times: int = 1) -> None:
        self._outcome.happened[what] += times


def _identity(event: Event) -> Identity:
    return event.space_id, event.occurred_at, event.id


def _no_pause() -> None:
    """Threads that run freely do not pause."""


@contextmanager
def _no_waiting() -> Iterator[None]:
    """Writers try again without a pause."""
    random.seed(1)
    with patch("patchbay.health.store.time", SimpleNamespace(sleep=lambda _: None)):
        yield


def _summary(summary: HealthSummary) -> dict[str, Any]:
    return {
        "platform_faults": summary.platform_faults,
        "total_events": summary.total_events,
        "success_count": summary.success_count,
        "error_count": summary.error_count,
        "last_success_at": summary.last_success_at,
        "last_error_at": summary.last_error_at,
        "types": {
            one.integration_type.value: (one.total, one.success, one.errors, one.last_event_at)
            for one in summary.by_integration_type
        },
    }


def _plain_summary(stored: list[Event], *, blame: bool) -> dict[str, Any]:
    events = recount.counted_as(stored, blame=blame)
    overall = recount.figures(events)
    return {
        "platform_faults": sum(event.platform_fault for event in stored),
        "total_events": len(events),
        "success_count": overall["success"],
        "error_count": overall["errors"],
        "last_success_at": overall["last_success_at"],
        "last_error_at": overall["last_error_at"],
        "types": {
            kind.value: _plain_type(group)
            for kind, group in recount.grouped(events, lambda e: e.integration_type).items()
        },
    }


def _plain_type(events: list[Event]) -> tuple[Any, ...]:
    counted = recount.figures(events)
    last = max(event.occurred_at for event in events)
    return len(events), counted["success"], counted["errors"], last


def _point(point: SeriesPoint) -> tuple[int, ...]:
    return point.total, point.success, point.errors, point.latency.count, point.platform_faults


def _plain_point(stored: list[Event]) -> tuple[int, ...]:
    events = recount.counted_as(stored, blame=False)
    counted = recount.figures(events)
    faults = len(stored) - len(events)
    return len(events), counted["success"], counted["errors"], sum(counted["latencies"]), faults


def _tenants(table: Table) -> TenancyStore:
    return TenancyStore(table, Quotas.without_limits(table))
