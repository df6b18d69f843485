"""Runs of monitors under every fault at once, in virtual time, over the product's own classes.

    make simulate SCHEDULES=1500

A schedule is some hours of monitors of a few spaces: some have runs of their own, folded or counted
at once, some share a pool, some move from one cell to another at a stored minute, and some are
tested in the old form until they are adopted (`wheel_model.py`). Four workers take the messages:
late by minutes, hours, or days, delivered twice, put off, or split, down to single tests. Calls
fail, their replies are lost, and workers crash between any two of them; clocks differ by two
minutes. Folds, closings, readers, and the expiry of items are under way all along.

At every seventh step, the counts of each space, as the product reads them, are those of the tests
that stand. A test may only be missing if it came late, is not counted yet, and its message is not
acknowledged. In the end, no test is missing and none is there twice, in the counts, the segments,
and the list of events.
"""

import argparse
import logging
import sys
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched
from random import Random
from types import SimpleNamespace
from typing import Any, Final, NamedTuple
from unittest.mock import patch
from uuid import UUID

from patchbay.connections.wheel import moment_of
from patchbay.health.buckets import Bucket, total_of
from patchbay.health.model import Event, EventStatus, event_of_test
from patchbay.health.monitor_runs import MonitorRuns, is_of_runs
from patchbay.health.periods import Span
from patchbay.health.shards import LANES, spread_days_pk
from patchbay.health.store import EventStore, read_event
from patchbay.monitors.group_reader import GroupReader
from patchbay.platform.dynamodb import Item, Table
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.ids import derived_id
from patchbay.platform.logging import logger
from patchbay.runs import keys
from patchbay.runs.day import LATE, ClosedDay, OpenDay, read_day, read_hours
from patchbay.runs.folding import DayCloser
from patchbay.runs.model import (
    MINUTES_OF_DAY,
    Cell,
    Run,
    RunEntry,
    RunKey,
    shape_id,
)
from patchbay.runs.reader import RunReader
from patchbay.runs.run_items import RunItem
from patchbay.runs.segments import decode_chunk, kept_for
from patchbay.runs.store import RunStore, RunTooLate
from tests.simulator import recount
from tests.simulator.faults import Crash, FaultyClient
from tests.simulator.memory_dynamodb import MemoryClient, Typed
from tests.simulator.seeded_threads import SeededThreads
from tests.simulator.wheel_model import Difference, Member, Wheel

FIRST_DAY: Final = 20_501
WORKERS: Final = 4
MAX_RECEIVES: Final = 5
RAW_EVENT_DAYS: Final = 366
_BATCH: Final = 20
_SKEW: Final = 2
_SHAPES: Final = (b'{"steps":"a"}', b'{"steps":"b"}')
_HOUR: Final = 60
_DAYS: Final = ("H#", "H#~"), ("D#", "D#~")


@dataclass(slots=True)
class Order:
    """A message: tests of a group, or a part of them. `key` is None in the old form."""

    minute: int
    members: tuple[Member, ...]
    key: RunKey | None
    visible: int = 0
    attempts: int = 1


class Standing(NamedTuple):
    """A test that is recorded, where, and the event that it is."""

    space_id: str
    key: RunKey | None
    entry: RunEntry | None
    event: Event


class Ledger(MemoryClient):
    """A table that keeps what was recorded, whatever becomes of it, and that nothing is twice."""

    def __init__(self) -> None:
        super().__init__()
        self.tests: dict[tuple[int, str], Standing] = {}

    def _place_item(self, place: tuple[str, str], item: Typed) -> None:
        super()._place_item(place, item)
        pk, sk = place
        if pk.endswith(("#R", "#B")):
            self._run(pk, sk, b64decode(item["b"]["B"]))
        elif pk.count("#") == 3:  # an event of the old form
            space_id = pk.split("#")[1]
            event = read_event(space_id, _plain(item))
            minute = int(event.occurred_at.timestamp()) // 60
            self._stands(minute, str(event.connection_id), Standing(space_id, None, None, event))

    def _run(self, pk: str, sk: str, packed: bytes) -> None:
        family, name, kind = pk.split("#")
        cell = (
            Cell.of_pool(int(name))
            if family == "POOL"
            else Cell.of_space(name, at_once=kind == "B")
        )
        run = RunItem(keys.read_run_key(cell, sk), packed).run
        for space_id, entry in run.all_entries():
            event = event_of_test(
                space_id,
                entry.connection_id,
                passed=entry.passed,
                latency_ms=entry.latency_ms,
                code=None,
                platform_fault=entry.fault,
                now=moment_of(run.key.minute),
            )
            stands = Standing(space_id, run.key, entry, event)
            self._stands(run.key.minute, entry.connection_id, stands)

    def _stands(self, minute: int, connection_id: str, stands: Standing) -> None:
        if (minute, connection_id) in self.tests:
            raise Difference(f"{connection_id} is recorded twice at {minute}: {stands.key}")
        self.tests[minute, connection_id] = stands

    def expire(self, now: int, chance: Random) -> None:
        """The service deletes some of what has expired."""
        seconds = now * 60
        for item in self.scan_items():
            if (
                "expires_at" in item
                and int(item["expires_at"]["N"]) < seconds
                and chance.random() < 0.5
            ):
                self.remove(item["pk"]["S"], item["sk"]["S"])


@dataclass(slots=True)
class Outcome:
    """What one schedule was."""

    tests: int = 0
    comparisons: int = 0
    happened: Counter[str] = field(default_factory=Counter)


class Schedule:
    """One schedule over an empty table. All chance is of the seed."""

    def __init__(self, seed: int) -> None:
        self._chance = chance = Random(seed)  # noqa: S311 - repeatable runs
        self._ledger = Ledger()
        self._direct = Table("events", _client(self._ledger))
        self._threads = SeededThreads(chance)
        self._outcome = Outcome()
        self._rate = chance.choice([0.0, 0.005, 0.01, 0.02])
        self._start = FIRST_DAY * MINUTES_OF_DAY + chance.choice([300, 1320, 1395, 1425])
        self._now = self._start
        self._spaces = [str(UUID(bytes=chance.randbytes(16))) for _ in range(chance.randint(1, 4))]
        self._cells: list[Cell] = []
        self._queue = self._orders()
        self._due = {
            (order.minute, one.connection_id) for order in self._queue for one in order.members
        }
        self._dead: list[Order] = []
        self._busy = 0
        self._acknowledged: set[tuple[int, str]] = set()
        self._dropped: set[tuple[int, str]] = set()
        self._closings = 0
        self._steps = 0
        self._done = False

    def run(self) -> Outcome:
        """Raises `Difference`."""
        with _no_waiting():
            works = [*[self._worker] * WORKERS, *[self._closer] * 2, self._folder, self._reader]
            self._threads.run([self._ending(work) for work in (*works, self._ticker)])
            self._rate = 0.0
            self._redrive()
            self._compare()
            for _ in range(12):
                self._now += 6 * _HOUR
                self._close_all()
            self._compare()
            self._compare_history()
        self._outcome.tests = len(self._ledger.tests)
        return self._outcome

    # ------------------------------------------------------------ what is monitored

    def _orders(self) -> list[Order]:
        chance = self._chance
        until = self._start + chance.randrange(20, 150)
        wheel = Wheel(
            chance, self._threads, self._spaces, self._start, self._rate, self._outcome.happened
        )
        orders = []
        for minute, members in wheel.sweeps(until):
            groups: dict[RunKey | None, list[Member]] = {}
            for member in members:
                groups.setdefault(_run_of(member, minute), []).append(member)
            for key, found in groups.items():
                late = chance.choice([0] * 12 + [1, 1, 3, 6, 12, 30, 90, 300])
                if chance.random() < 0.01:
                    late = chance.randrange(3 * MINUTES_OF_DAY + 60)
                order = Order(minute, tuple(found), key, visible=minute + late)
                orders.append(order)
                if chance.random() < 0.15:
                    orders.append(_again(order, minute + late + chance.choice([0, 0, 2, 40])))
                if chance.random() < 0.001:
                    orders.append(_again(order, minute + 6 * MINUTES_OF_DAY))
                if key:
                    self._cells.append(key.cell)
        return orders

    # ------------------------------------------------------------ what happens

    def _ending(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work; if it finds a difference, all ends."""

        def until_then() -> None:
            try:
                work()
            except BaseException:
                self._done = True
                raise

        return until_then

    def _ticker(self) -> None:
        """Lets time pass and compares, until all is done."""
        while (self._queue or self._busy) and not self._done:
            self._step()
            ready = any(order.visible <= self._now for order in self._queue)
            if not self._busy and not ready and self._queue:
                self._jump(min(order.visible for order in self._queue))
            elif self._chance.random() < 0.08:
                self._now += self._chance.choice([1, 1, 1, 2, 7, 16])
        self._done = True

    def _jump(self, until: int) -> None:
        """While nothing else happens, the closing runs at least each six hours."""
        self._now = min(until, self._now + 6 * _HOUR)
        before = self._closings
        while self._closings == before and not self._done:
            self._step()
            self._now += self._chance.random() < 0.02
        self._ledger.expire(self._now, self._chance)

    def _step(self) -> None:
        self._threads.pause()
        self._steps += 1
        if self._steps % 7 == 0:
            self._compare()

    def _worker(self) -> None:
        while not self._done:
            self._threads.pause()
            ready = [order for order in self._queue if order.visible <= self._now]
            if ready:
                order = self._chance.choice(ready)
                self._queue.remove(order)
                self._busy += 1
                try:
                    self._deliver(order)
                finally:
                    self._busy -= 1

    def _deliver(self, order: Order) -> None:
        tests = {(order.minute, one.connection_id) for one in order.members}
        try:
            stands = self._handle(order)
        except RunTooLate:
            self._happened("too late")
            self._dropped |= tests
        except (Crash, TemporarilyUnavailable):
            self._happened("messages that failed")
            if order.attempts == MAX_RECEIVES:
                self._dead.append(order)
            else:
                again = self._now + self._chance.choice([0, 1, 9, 9, 15])
                self._queue.append(_again(order, again, order.attempts + 1))
        else:
            self._acknowledged |= {(order.minute, name) for name in stands}
            if self._chance.random() < 0.03:
                self._queue.append(_again(order, self._now + self._chance.choice([0, 5, 200])))

    def _handle(self, order: Order) -> set[str]:
        """Tests and records. Returns the connections whose tests are recorded and counted."""
        if order.attempts > 1 and len(order.members) > 1 and self._chance.random() < 0.7:
            self._happened("sweeps that were split")
            self._send_parts(order, self._chance.choice([1, 1, 2]))
            return set()
        if order.key is None:
            return self._old_form(order)
        clock = self._clock()
        store = RunStore(self._table(), clock, kept_for(RAW_EVENT_DAYS))
        plans = [replace(one.plan, health={"state": {}}) for one in order.members if one.plan]
        [group] = GroupReader(store, _no_tests(), clock).read(plans, order.minute)
        left = [one for one in order.members if one.connection_id not in group.standing]
        put_off = [one for one in left if self._chance.random() < 0.05]
        now = [one for one in left if one not in put_off]
        stands = dict(group.standing)
        if now:
            run, shapes = self._tested(order.key, now, group.previous)
            stands |= store.record(run, shapes, group.previous).entries
        store.settle(group.stood)
        self._check_stands(order, stands)
        self._send(order, put_off)
        return set(stands) & {one.connection_id for one in order.members}

    def _send_parts(self, order: Order, size: int) -> None:
        for part in batched(order.members, size, strict=False):
            self._send(order, part)

    def _send(self, order: Order, members: Sequence[Member]) -> None:
        if members:
            self._happened("parts of groups")
            self._queue.append(Order(order.minute, tuple(members), order.key, visible=self._now))

    def _old_form(self, order: Order) -> set[str]:
        store = EventStore(self._table(), RAW_EVENT_DAYS, RunReader(self._direct))
        at = moment_of(order.minute)
        events = []
        for member in order.members:
            entry = self._entry(member, None)
            event = event_of_test(
                member.space_id,
                member.connection_id,
                passed=entry.passed,
                latency_ms=entry.latency_ms,
                code=None,
                platform_fault=entry.fault,
                now=at,
            )
            event_id = derived_id("tst", at, member.connection_id).replace("tst", "evt")
            events.append(event.model_copy(update={"id": event_id}))
        store.add(events, at)
        return {one.connection_id for one in order.members}

    def _tested(
        self, key: RunKey, members: Iterable[Member], previous: Run | None
    ) -> tuple[Run, dict[str, bytes]]:
        entries: dict[str, tuple[RunEntry, ...]] = {}
        shapes = {}
        for member in members:
            before = previous.by_connection.get(member.connection_id) if previous else None
            entry = self._entry(member, before)
            entries[member.space_id] = (*entries.get(member.space_id, ()), entry)
            shapes[member.connection_id] = next(s for s in _SHAPES if shape_id(s) == entry.shape)
        return Run(key, entries), shapes

    def _entry(self, member: Member, before: RunEntry | None) -> RunEntry:
        chance = self._chance
        passed, fault = chance.choice([(True, False)] * 4 + [(False, False), (False, True)])
        goes_on = before is not None and before.passed == passed
        return RunEntry(
            member.connection_id,
            passed,
            fault,
            0 if passed else 7,
            shape_id(chance.choice(_SHAPES[:1] * 9 + _SHAPES)),
            chance.randrange(9_000),
            chance.randrange(900),
            chance.choice([chance.randrange(900), chance.randrange(60_000)]),
            tuple(chance.randrange(40) for _ in range(3)),
            before.streak + 1 if before and goes_on else 1,
        )

    def _check_stands(self, order: Order, stands: Mapping[str, RunEntry]) -> None:
        for name, entry in stands.items():
            if self._ledger.tests[order.minute, name].entry != entry:
                raise Difference(f"{name} at {order.minute} is not what stands")

    def _closer(self) -> None:
        while not self._done:
            self._threads.pause()
            if self._chance.random() < 0.03 or not self._busy:
                try:
                    self._close(self._table())
                except (Crash, TemporarilyUnavailable):
                    self._happened("closings that failed")
                self._closings += 1

    def _close(self, table: Table) -> None:
        clock = self._clock()
        closer = DayCloser(table, clock, kept_for(RAW_EVENT_DAYS))
        last = closer.last_over()
        for lane in range(LANES):
            done = closer.close_lane(lane, last, clock() + timedelta(hours=1))
            self._happened("days closed", done.closed)
            for error in done.unexpected:
                raise error

    def _close_all(self) -> None:
        for _ in range(3):
            self._close(self._direct)
        self._ledger.expire(self._now, self._chance)

    def _folder(self) -> None:
        while not self._done:
            self._threads.pause()
            if self._cells and self._chance.random() < 0.02:
                cell = self._chance.choice(self._cells)
                if cell.at_once:
                    continue
                clock = self._clock()
                store = RunStore(self._table(), clock, kept_for(RAW_EVENT_DAYS))
                minute = int(clock().timestamp()) // 60
                try:
                    store.fold(cell, self._spaces, minute, minute - 200)
                except (Crash, TemporarilyUnavailable):
                    continue

    def _reader(self) -> None:
        """Reads while others write: no test that was acknowledged before is missing."""
        while not self._done:
            self._threads.pause()
            if self._chance.random() < 0.1:
                space_id = self._chance.choice(self._spaces)
                least = sum(1 for at in self._acknowledged if self._is_of(space_id, at))
                table = Table("events", _client(_Pausing(self._ledger, self._threads.pause)))
                try:
                    counts = self._store(table).counts_between(space_id, _DAYS)
                except TemporarilyUnavailable:
                    continue
                days = [bucket for period, bucket in counts.items() if period.span is Span.DAY]
                hours = [bucket for period, bucket in counts.items() if period.span is Span.HOUR]
                most = sum(1 for at in self._ledger.tests if self._is_of(space_id, at))
                for found in (days, hours):
                    total = sum(map(_number, found))
                    if not least <= total <= most:
                        raise Difference(f"{total} tests are read, not {least} to {most}")

    def _is_of(self, space_id: str, at: tuple[int, str]) -> bool:
        return self._ledger.tests[at].space_id == space_id

    def _redrive(self) -> None:
        """Delivers dead letters again, and what these send, without faults."""
        self._happened("dead letters", len(self._dead))
        self._queue += [_again(order, 0) for order in self._dead]
        while self._queue:
            self._deliver(self._queue.pop(0))

    # ------------------------------------------------------------ what is compared

    def _compare(self) -> None:
        """The counts of each space, as they are read now, with those of what stands."""
        self._outcome.comparisons += 1
        days: dict[tuple[str, int], tuple[Any, Any]] = {}
        for space_id in self._spaces:
            events = []
            for at, stands in self._ledger.tests.items():
                if stands.space_id != space_id:
                    continue
                if stands.key is None or self._is_visible(space_id, stands.key, days):
                    events.append(stands.event)
                elif at in self._acknowledged:
                    raise Difference(f"{at} is acknowledged and not counted")
                elif not stands.key.cell.at_once and self._now < at[0] + LATE - _SKEW:
                    raise Difference(f"{at} came in time and is not counted")
            counts = self._store(self._direct).counts_between(space_id, _DAYS)
            for span, start_of in ((Span.HOUR, recount.hour_of), (Span.DAY, recount.day_of)):
                read = {
                    period.start: recount.plain_bucket(bucket)
                    for period, bucket in counts.items()
                    if period.span is span and (bucket.by_type or bucket.faults)
                }
                groups = recount.grouped(events, start_of)
                plain = {start: recount.plain(group) for start, group in groups.items()}
                if read != plain:
                    raise Difference(f"by {span.name}: {read} is not {plain}")

    def _is_visible(
        self, space_id: str, key: RunKey, days: dict[tuple[str, int], tuple[Any, Any]]
    ) -> bool:
        """Whether a run is counted, or is read with the tail of its day."""
        if (space_id, key.day) not in days:
            day = self._direct.get(keys.day_key(space_id, key.day))
            hours = self._direct.get(keys.hours_key(space_id, key.day))
            days[space_id, key.day] = (
                read_day(space_id, day) if day else None,
                read_hours(space_id, hours) if hours else None,
            )
        day, hours = days[space_id, key.day]
        if isinstance(day, OpenDay):
            return day.is_counted(key) or day.is_in_tail(key)
        return hours is not None and bool(hours.is_counted(key))

    def _compare_history(self) -> None:
        """All is recorded, closed, and there once."""
        if lost := self._due - self._ledger.tests.keys() - self._dropped:
            raise Difference(f"lost: {lost}")
        days: dict[tuple[str, int], tuple[Any, Any]] = {}
        for at, one in list(self._ledger.tests.items()):
            if one.key and not self._is_visible(one.space_id, one.key, days):
                # It stood, late, when its message was lost for longer than runs are accepted.
                if at not in self._dropped:
                    raise Difference(f"{at} is not counted in the end")
                del self._ledger.tests[at]
        notes = [n for lane in range(LANES) for n in self._direct.query_all(spread_days_pk(lane))]
        if left := [note["sk"] for note in notes if note["sk"].startswith("R#")]:
            raise Difference(f"not closed: {left}")
        for space_id in self._spaces:
            self._compare_segments(space_id)
            self._compare_events(space_id)

    def _compare_segments(self, space_id: str) -> None:
        read: dict[tuple[int, str], RunEntry] = {}
        for item in self._direct.query_all(f"SPACE#{space_id}", between=("D#", "D#~")):
            if not is_of_runs(item):
                continue
            day = read_day(space_id, item)
            if not isinstance(day, ClosedDay):
                raise Difference(f"{item['sk']} of {space_id} is open")
            for between in (
                keys.chunks_of_closing(day.day, day.closing),
                keys.late_chunks(day.day),
            ):
                for chunk in self._direct.query_all(keys.segments_pk(space_id), between=between):
                    for name, rows in decode_chunk(day.day, chunk["b"]).items():
                        for minute, entry in rows:
                            if (minute, name) in read:
                                raise Difference(f"{name} at {minute} is in two segments")
                            read[minute, name] = entry
        stands = {
            at: one.entry
            for at, one in self._ledger.tests.items()
            if one.space_id == space_id and one.entry
        }
        if read != stands:
            raise Difference(f"segments: {len(read)} tests are not the {len(stands)} that stand")
        for (_, name), entry in read.items():
            shape = self._direct.get(keys.shape_key(name, entry.shape))
            if shape is None or shape_id(shape["shape"]) != entry.shape:
                raise Difference(f"a shape of {name} is missing")

    def _compare_events(self, space_id: str) -> None:
        read: list[tuple[datetime, str | None, EventStatus]] = []
        start: dict[str, str] | None = None
        while True:
            page = self._store(self._direct).list_events(
                space_id, now=moment_of(self._now), limit=50, start=start
            )
            read += [(one.occurred_at, one.connection_id, one.status) for one in page.items]
            if (start := page.next_start) is None:
                break
        stands = [
            (one.event.occurred_at, one.event.connection_id, one.event.status)
            for one in self._ledger.tests.values()
            if one.space_id == space_id
        ]
        if sorted(read, key=str) != sorted(stands, key=str):
            raise Difference(f"events: {len(read)} are not the {len(stands)} that stand")

    # ------------------------------------------------------------ the world

    def _table(self) -> Table:
        client = FaultyClient(
            self._ledger,
            self._chance,
            self._pause,
            self._outcome.happened,
            rate=self._rate,
            conflicts=1,
        )
        return Table("events", _client(client))

    def _pause(self) -> None:
        """Before each call, others have their turn; now and then, a process stands still."""
        until = self._now
        if self._rate and self._chance.random() < 0.002:
            until += self._chance.randrange(6, 40)
        self._threads.pause()
        while self._now < until and not self._done:
            self._threads.pause()

    def _clock(self) -> Callable[[], datetime]:
        skew = self._chance.randint(-_SKEW, _SKEW)
        return lambda: moment_of(self._now + skew)

    def _store(self, table: Table) -> EventStore:
        runs: MonitorRuns = RunReader(table)
        return EventStore(table, RAW_EVENT_DAYS, runs)

    def _happened(self, what: str, times: int = 1) -> None:
        self._outcome.happened[what] += times


class _Pausing:
    """A client without faults that lets others go before each call."""

    def __init__(self, client: MemoryClient, pause: Callable[[], None]) -> None:
        self._client = client
        self._pause = pause

    def __getattr__(self, operation: str) -> Any:
        self._pause()
        return getattr(self._client, operation)


def _client(client: Any) -> Any:
    return client


def _no_tests() -> Any:
    """What was read of tests for the health, which these connections have not."""
    return SimpleNamespace(unwritten=lambda *_: ())


def _number(bucket: Bucket) -> int:
    return total_of(bucket).total + bucket.platform_faults


def _again(order: Order, visible: int, attempts: int = 1) -> Order:
    return Order(order.minute, order.members, order.key, visible, attempts)


def _run_of(member: Member, minute: int) -> RunKey | None:
    """The run that a test belongs to, as its plan says."""
    if member.plan is None:
        return None
    group = member.plan.group
    return RunKey(Cell.read(group.cell), minute, group.slot)


def _plain(item: Typed) -> Item:
    return {
        name: int(value["N"]) if "N" in value else next(iter(value.values()))
        for name, value in item.items()
    }


@contextmanager
def _no_waiting() -> Iterator[None]:
    no_time = SimpleNamespace(sleep=lambda _: None)
    with (
        patch("patchbay.runs.store.time", no_time),
        patch("patchbay.health.store.time", no_time),
        patch("patchbay.platform.dynamodb.time", no_time),
    ):
        yield


def run_schedules(seeds: Iterable[int]) -> Outcome:
    """Runs these schedules. Raises `Difference` with the seed."""
    total = Outcome()
    for seed in seeds:
        try:
            one = Schedule(seed).run()
        except Difference as difference:
            raise Difference(f"seed {seed}: {difference}") from None
        total.tests += one.tests
        total.comparisons += one.comparisons
        total.happened += one.happened
    return total


def _counted(first: int, number: int) -> Outcome:
    return run_schedules(range(first, first + number))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator.runs_model")
    parser.add_argument("--schedules", type=int, default=1_500)
    parser.add_argument("--seed", type=int, default=1, help="of the first schedule")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    total = Outcome()
    firsts = range(options.seed, options.seed + options.schedules, _BATCH)
    with ProcessPoolExecutor(options.processes) as pool:
        for one in pool.map(_counted, firsts, [_BATCH] * len(firsts)):
            total.tests += one.tests
            total.comparisons += one.comparisons
            total.happened += one.happened
    for what, count in sorted(total.happened.items()):
        print(f"{count:>9}  {what}")
    print(
        f"{options.schedules} schedules, {total.tests} tests, {total.comparisons} comparisons on"
        f" the way, 0 differences, {time.monotonic() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    logger.setLevel(logging.CRITICAL)
    sys.exit(main())
