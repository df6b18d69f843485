"""Reading runs: counts of a space, its tests newest first, and those of one connection.

Counts are those of days, and of the runs that no day counts yet, which are read after the days: a
run that a fold takes in between is still there, and the bits of the day that was read say that it
is not counted in it.

Tests are read from runs while their day is open, and from its segments after that: a day is closed
once its segments are there. A day that a large space closed is read from runs as long as these are
stored: they are in the order of time, and segments are not.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from typing import TYPE_CHECKING, Final

from patchbay.checks.code_numbers import code_of
from patchbay.connections.plans import Group, PlanPlace
from patchbay.connections.wheel import minute_number, moment_of
from patchbay.health.buckets import Bucket
from patchbay.health.model import Event, EventOutline, EventStatus, IntegrationType
from patchbay.health.monitor_runs import EventOutlines, is_of_runs
from patchbay.health.periods import Period, Span
from patchbay.health.shards import buckets_pk
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import AFTER_ALL, Item, Table, all_before
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.lists import Stretch
from patchbay.runs.day import ClosedDay, OpenDay, read_day, read_hours
from patchbay.runs.keys import (
    chunks_of_connection,
    chunks_of_part,
    day_key,
    day_of_sort_key,
    day_text,
    hours_key,
    late_chunks,
    runs_between,
    runs_pk,
    segments_pk,
    shape_key,
    shapes_of,
)
from patchbay.runs.model import (
    MINUTES_OF_DAY,
    Cell,
    CellKind,
    RunEntry,
    RunKey,
    TimedEntry,
    start_of_day,
)
from patchbay.runs.run_items import RUNS_KEPT, RunItem, runs_at, runs_of_cell
from patchbay.runs.scheduled_ids import event_id_of, scheduled_test_id
from patchbay.runs.segments import decode_chunk
from patchbay.runs.times import finished_at

if TYPE_CHECKING:
    from patchbay.connections.newest_tests import NewestTest, TestedConnection

QUERIES_OF_A_PAGE: Final = 20
"""How many queries one page of events makes at most, as of those that were pushed."""

QUERIES_OF_HISTORY: Final = 60
"""The same of a page of one connection's tests: a day takes two, and may have one test."""

_AHEAD: Final = timedelta(days=1)
"""Clocks differ: a test may be of a minute that has not come here."""
_SEARCHED: Final = timedelta(days=90)
_SPACES_SEARCHED: Final = 10
"""Of those whose connections are no longer tested: a page may have connections of many."""
_MOST_ENTRIES: Final = 100_000
_ROOM: Final = 4
"""How many times the entries of a page are kept before those beyond it are dropped."""
_READ_ATTEMPTS: Final = 3
_MOST_AT_ONCE: Final = 64
"""Runs that one query reads: some 600 KB if each has 400 tests."""
_DAYS_AT_FIRST: Final = 12
"""Items that the first query for days reads. A day has up to nine, and most pages need one day."""


class RunReader:
    """Reads the runs in the events table: the `MonitorRuns` of health, and the `NewestTests` of
    connections."""

    def __init__(self, table: Table) -> None:
        self._table = table

    # ------------------------------------------------------------ counts

    def counts(
        self, space_id: str, found: Sequence[Item], ranges: Sequence[tuple[str, str]]
    ) -> dict[Period, Bucket] | None:
        """As `MonitorRuns.counts`."""
        days = [read_day(space_id, item) for item in found if item["sk"].startswith(Span.DAY)]
        hours = {
            closed.day: closed
            for closed in (
                read_hours(space_id, item) for item in found if item["sk"].startswith(Span.HOUR)
            )
        }
        counts: dict[Period, Bucket] = {}
        still_open = []
        for day in days:
            if isinstance(day, OpenDay):
                still_open.append(day)
                continue
            counts[_period(day)] = day.counts
            if day.day in hours:
                counts |= hours[day.day].hours.by_hour()
            elif _is_in(hours_key(space_id, day.day).sk, ranges):
                return None  # it was closed after its hours were read
        for counted in self._with_tails(space_id, still_open):
            counts[_period(counted)] = counted.hours.total()
            counts |= counted.hours.by_hour()
        return counts

    def counts_of_day(self, space_id: str, day_sk: str) -> dict[Period, Bucket]:
        """The counts of one day and its hours, by the sort key of the day's item.

        Raises `TemporarilyUnavailable` if each of three reads meets its closing.
        """
        day = day_of_sort_key(day_sk)
        keys = (day_key(space_id, day), hours_key(space_id, day))
        for _ in range(_READ_ATTEMPTS):
            # The item of the hours is read last: it is not changed without the other's.
            found = [item for key in keys if (item := self._table.get(key))]
            counts = self.counts(space_id, found, [(keys[1].sk, keys[1].sk)])
            if counts is not None:
                return counts
        raise TemporarilyUnavailable

    def _with_tails(self, space_id: str, days: Sequence[OpenDay]) -> Iterator[OpenDay]:
        """The days with the runs counted that are not yet. A cell is read once for all days."""
        tails: dict[Cell, tuple[int, int]] = {}
        for day in days:
            for cell in day.cells:
                if tail := day.tail(cell):
                    first, last = tails.get(cell, tail)
                    tails[cell] = min(first, tail[0]), max(last, tail[1])
        runs = [
            run
            for cell, (first, last) in tails.items()
            for item in runs_of_cell(self._table, cell, first, last)
            if (run := item.of_space(space_id))
        ]
        for day in days:
            yield day.counting(
                run for run in runs if run.key.day == day.day and day.is_in_tail(run.key)
            )

    # ------------------------------------------------------------ events

    def events(
        self,
        space_id: str,
        *,
        since: datetime,
        before: str,
        limit: int,
        now: datetime,
        status: EventStatus | None,
        connection_id: str | None,
    ) -> Stretch[Event]:
        """As `MonitorRuns.events`."""
        if connection_id is not None and not self._has_tests(connection_id):
            return Stretch({}, None)
        window = _Window(space_id, connection_id, since, before, limit, "evt", status)
        found = self._newest(window, _Turns(QUERIES_OF_A_PAGE), now)
        events = {key: event_of(space_id, timed) for key, timed in found.items.items()}
        return Stretch(events, found.reached)

    def outlines(
        self, space_id: str, *, since: datetime, until: datetime, most: int, now: datetime
    ) -> EventOutlines:
        """As `MonitorRuns.outlines`."""
        window = _Window(space_id, None, since, to_sortable(until), most, "evt")
        found = self._newest(window, _Turns(None), now)
        items = [
            EventOutline(
                IntegrationType.CONNECTION_TEST,
                _status(entry),
                moment_of(minute),
                entry.connection_id,
                entry.fault,
            )
            for minute, entry in found.items.values()
        ]
        return EventOutlines(items, items[-1].occurred_at if items and found.reached else None)

    # ------------------------------------------------------------ tests of a connection

    def tests(
        self,
        space_id: str,
        connection_id: str,
        *,
        since: datetime,
        before: str,
        limit: int,
        now: datetime,
    ) -> Stretch[TimedEntry]:
        """The newest tests of a connection before a sort key: `<minute>#<test id>`."""
        if not self._has_tests(connection_id):
            return Stretch({}, None)
        window = _Window(space_id, connection_id, since, before, limit, "tst")
        return self._newest(window, _Turns(QUERIES_OF_HISTORY), now)

    def shapes(self, connection_id: str, shapes: Iterable[bytes]) -> dict[bytes, bytes]:
        """The shapes that are stored, by their ids."""
        keys = {shape_key(connection_id, shape): shape for shape in shapes}
        found = self._table.get_all(keys)
        return {keys[key]: item["shape"] for key, item in found.items()}

    def _has_tests(self, connection_id: str) -> bool:
        """Whether runs may have tests of a connection: one that has not has no shape."""
        pk, prefix = shapes_of(connection_id)
        return bool(self._table.query(pk, prefix=prefix, limit=1, attributes=("sk",)).items)

    # ------------------------------------------------------------ newest tests

    def newest(
        self, connections: "Iterable[TestedConnection]", now: datetime
    ) -> "dict[str, NewestTest]":
        """As `NewestTests.newest`.

        The last two minutes of each group are read together, and the singles that there may be.
        Connections that have no test there, as their space is paused, are looked for in the newest
        days of their spaces.
        """
        from patchbay.connections.newest_tests import NewestTest

        asked = list(connections)
        keys = {one.id: _last_keys(one.places, now) for one in asked}
        found = self._newest_of_groups(keys)
        missing: dict[str, set[str]] = {}
        for one in asked:
            is_written = not keys[one.id] and one.places[0].since == one.written_until
            if one.may_lag and one.id not in found and not is_written:
                missing.setdefault(one.space_id, set()).add(one.id)
        for space_id, ids in list(missing.items())[:_SPACES_SEARCHED]:
            found |= self._newest_of_space(space_id, ids, now)
        return {
            connection_id: NewestTest(
                at=moment_of(minute),
                ended=finished_at(moment_of(minute), entry),
                streak=entry.streak,
                passed=entry.passed,
                latency_ms=entry.latency_ms,
                code=code_of(entry.code),
            )
            for connection_id, (minute, entry) in found.items()
        }

    def _newest_of_groups(self, keys: Mapping[str, Sequence[RunKey]]) -> dict[str, TimedEntry]:
        """Of connections, by the keys of their last runs, newest first."""
        runs = runs_at(self._table, {key for some in keys.values() for key in some})
        # A connection that was put off has a single, which is put after the run of its group.
        put_off = {
            key.of_connection(connection_id)
            for connection_id, some in keys.items()
            for key in some
            if key in runs and connection_id not in runs[key].by_connection
        }
        runs |= runs_at(self._table, put_off)
        found: dict[str, TimedEntry] = {}
        for connection_id, some in keys.items():
            for key in some:
                run = runs.get(key.of_connection(connection_id)) or runs.get(key)
                entry = run.by_connection.get(connection_id) if run else None
                if entry and not entry.fault:
                    found[connection_id] = TimedEntry(key.minute, entry)
                    break
        return found

    def _newest_of_space(
        self, space_id: str, ids: Iterable[str], now: datetime
    ) -> dict[str, TimedEntry]:
        found: dict[str, TimedEntry] = {}
        missing = set(ids)
        before = to_sortable(now + _AHEAD)
        window = _Window(space_id, None, now - _SEARCHED, before, _MOST_ENTRIES, "tst")
        try:
            for minute, entries in self._minutes(window, _Turns(QUERIES_OF_A_PAGE), now):
                for entry in entries:
                    if entry.connection_id in missing and not entry.fault:
                        missing.discard(entry.connection_id)
                        found[entry.connection_id] = TimedEntry(minute, entry)
                if not missing:
                    break
        except _NoTurnsLeft:
            pass
        return found

    # ------------------------------------------------------------ newest first

    def _newest(self, window: "_Window", turns: "_Turns", now: datetime) -> Stretch[TimedEntry]:
        found: dict[str, TimedEntry] = {}
        reached = window.before
        try:
            for minute, entries in self._minutes(window, turns, now):
                placed = {window.sort_key(minute, entry): entry for entry in entries}
                for sort_key in sorted(placed, reverse=True):
                    found[sort_key] = TimedEntry(minute, placed[sort_key])
                    if len(found) == window.limit:
                        return Stretch(found, sort_key)
                reached = min(reached, to_sortable(moment_of(minute)))
        except _NoTurnsLeft:
            return Stretch(found, reached)
        return Stretch(found, None)

    def _minutes(
        self, window: "_Window", turns: "_Turns", now: datetime
    ) -> Iterator[tuple[int, list[RunEntry]]]:
        """The wanted entries of each minute, newest first; there may be none."""
        for day in self._days(window, turns):
            start = day.day * MINUTES_OF_DAY
            first = max(window.first, start)
            last = min(window.last, start + MINUTES_OF_DAY - 1)
            if first > last:
                continue
            if isinstance(day, OpenDay):
                yield from self._from_runs(window, day.cells, first, last, turns)
            elif cells := self._cells_with_runs(window, day, now):
                yield from self._from_runs(window, cells, first, last, turns)
            elif window.connection_id is None:
                yield from self._from_parts(window, day, first, last, turns)
            else:
                turns.take()
                yield from self._of_connection(window, day, window.connection_id, first, last)
            yield first, []

    def _days(self, window: "_Window", turns: "_Turns") -> Iterator[OpenDay | ClosedDay]:
        low = f"{Span.DAY}#{day_text(window.first // MINUTES_OF_DAY)}#"
        high = f"{Span.DAY}#{day_text(window.last // MINUTES_OF_DAY)}#{AFTER_ALL}"
        limit = _DAYS_AT_FIRST
        while True:
            turns.take()
            page = self._table.query(
                buckets_pk(window.space_id), between=(low, high), limit=limit, newest_first=True
            )
            for item in filter(is_of_runs, page.items):
                yield read_day(window.space_id, item)
            if page.last_key is None:
                return
            high = all_before(page.last_key["sk"])
            limit *= 2

    def _cells_with_runs(self, window: "_Window", day: ClosedDay, now: datetime) -> list[Cell]:
        """The cells whose runs are the better source; none if segments are, or runs are gone."""
        if window.connection_id is not None:
            return []
        item = self._table.get(hours_key(window.space_id, day.day))
        if item is None:
            return []
        cells = read_hours(window.space_id, item).cells
        if any(
            cell.kind is CellKind.POOL or start_of_day(day.day) + RUNS_KEPT <= now for cell in cells
        ):
            return []
        return cells

    def _from_runs(
        self, window: "_Window", cells: Iterable[Cell], first: int, last: int, turns: "_Turns"
    ) -> Iterator[tuple[int, list[RunEntry]]]:
        streams = [self._runs(cell, first, last, turns) for cell in cells]
        merged = heapq.merge(*streams, key=lambda run: -run.key.minute)
        for minute, runs in groupby(merged, key=lambda run: run.key.minute):
            of_space = filter(None, [run.of_space(window.space_id) for run in runs])
            entries = chain.from_iterable(run.entries for run in of_space)
            yield minute, [entry for entry in entries if window.wants(minute, entry)]

    def _runs(self, cell: Cell, first: int, last: int, turns: "_Turns") -> Iterator[RunItem]:
        """Newest first: few at first, as most pages need few."""
        low, high = runs_between(first, last)
        limit = 2
        while True:
            turns.take()
            page = self._table.query(
                runs_pk(cell), between=(low, high), limit=limit, newest_first=True
            )
            for item in page.items:
                yield RunItem.read(cell, item)
            if page.last_key is None:
                return
            high = all_before(page.last_key["sk"])
            limit = min(2 * limit, _MOST_AT_ONCE)

    def _from_parts(
        self, window: "_Window", day: ClosedDay, first: int, last: int, turns: "_Turns"
    ) -> Iterator[tuple[int, list[RunEntry]]]:
        """A part of a segment has all connections, and a stretch of time."""
        pk = segments_pk(window.space_id)
        late = self._table.query_all(pk, between=late_chunks(day.day))
        waiting = _Newest(window, first, last)
        for _ in waiting.add(_decoded(day, late)):
            pass
        for part in reversed(range(day.parts)):
            turns.take()
            chunks = self._table.query_all(pk, between=chunks_of_part(day.day, day.closing, part))
            # The minute that a part begins with may be in the one before it, too.
            begin = min(waiting.add(_decoded(day, chunks)), default=last + 1)
            yield from waiting.taken(since=begin + 1)
        yield from waiting.taken(since=first)

    def _of_connection(
        self, window: "_Window", day: ClosedDay, connection_id: str, first: int, last: int
    ) -> Iterator[tuple[int, list[RunEntry]]]:
        pk = segments_pk(window.space_id)
        chunks = chain.from_iterable(
            self._table.query(
                pk,
                between=chunks_of_connection(day.day, day.closing, part, connection_id),
                limit=1,
                newest_first=True,
            ).items
            for part in range(day.parts)
        )
        late = self._table.query_all(pk, between=late_chunks(day.day))
        found = _Newest(window, first, last)
        for _ in found.add(_decoded(day, chain(chunks, late))):
            pass
        yield from found.taken(since=first)


def _decoded(day: ClosedDay, chunks: Iterable[Item]) -> Iterator[TimedEntry]:
    for item in chunks:
        for entries in decode_chunk(day.day, item["b"]).values():
            yield from entries


class _Newest:
    """The newest wanted entries of a day's segment, as they are decoded in another order.

    Those that no page has room for are dropped, as a part may have 400,000.
    """

    def __init__(self, window: "_Window", first: int, last: int) -> None:
        self._window = window
        self._first = first
        self._last = last
        self._by_minute: dict[int, dict[str, RunEntry]] = {}
        self._number = 0

    def add(self, entries: Iterable[TimedEntry]) -> Iterator[int]:
        """The minutes of all entries, wanted or not."""
        for minute, entry in entries:
            yield minute
            if self._first <= minute <= self._last and self._window.wants(minute, entry):
                self._by_minute.setdefault(minute, {})[entry.connection_id] = entry
                self._number += 1
                if self._number > _ROOM * self._window.limit:
                    self._drop()

    def taken(self, since: int) -> Iterator[tuple[int, list[RunEntry]]]:
        for minute in sorted(self._by_minute, reverse=True):
            if minute < since:
                return
            yield minute, list(self._by_minute.pop(minute).values())

    def _drop(self) -> None:
        self._number = 0
        for minute in sorted(self._by_minute, reverse=True):
            if self._number >= self._window.limit:
                del self._by_minute[minute]
                self._first = max(self._first, minute + 1)
            else:
                self._number += len(self._by_minute[minute])


def _last_keys(places: Iterable[PlanPlace], now: datetime) -> list[RunKey]:
    """The runs of the last two minutes at which each plan was due, newest first."""
    keys = []
    for place in places:
        group, minute = Group.of_key(place.key), minute_number(now)
        if place.until is not None:
            minute = min(minute, place.until - 1)
        interval, cell = group.interval.minutes, Cell.read(group.cell)
        last = minute - (minute - group.phase) % interval
        due = (at for at in (last, last - interval) if at >= place.since)
        keys += [RunKey(cell, at, group.slot) for at in due]
    return sorted(keys, key=lambda key: key.minute, reverse=True)


def event_of(space_id: str, timed: TimedEntry) -> Event:
    """The event of a monitor's test. It occurred at the scheduled minute."""
    minute, entry = moment_of(timed.minute), timed.entry
    return Event(
        id=event_id_of(scheduled_test_id(entry.connection_id, minute)),
        space_id=space_id,
        integration_type=IntegrationType.CONNECTION_TEST,
        status=_status(entry),
        occurred_at=minute,
        received_at=finished_at(minute, entry),
        connection_id=entry.connection_id,
        duration_ms=entry.latency_ms,
        error_code=code_of(entry.code),
        platform_fault=entry.fault,
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """What is listed: of a space, or one of its connections, since a time, before a sort key, at
    most `limit`. `prefix` is that of the ids in the sort keys."""

    space_id: str
    connection_id: str | None
    since: datetime
    before: str
    limit: int
    prefix: str
    status: EventStatus | None = None

    @property
    def first(self) -> int:
        """The first minute, which is not before `since`."""
        minute = minute_number(self.since)
        return minute if moment_of(minute) >= self.since else minute + 1

    @property
    def last(self) -> int:
        moment = datetime.fromisoformat(self.before.partition("#")[0])
        return minute_number(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

    def sort_key(self, minute: int, entry: RunEntry) -> str:
        at = moment_of(minute)
        ulid = scheduled_test_id(entry.connection_id, at).partition("_")[2]
        return f"{to_sortable(at)}#{self.prefix}_{ulid}"

    def wants(self, minute: int, entry: RunEntry) -> bool:
        return (
            self.connection_id in (None, entry.connection_id)
            and self.status in (None, _status(entry))
            and (minute < self.last or self.sort_key(minute, entry) < self.before)
        )


class _NoTurnsLeft(Exception):
    """A page has made all its queries."""


class _Turns:
    """The queries that a page may still make; without a number, any."""

    def __init__(self, left: int | None) -> None:
        self._left = left

    def take(self) -> None:
        """Raises `_NoTurnsLeft`."""
        if self._left is None:
            return
        if not self._left:
            raise _NoTurnsLeft
        self._left -= 1


def _period(day: OpenDay | ClosedDay) -> Period:
    return Period(Span.DAY, start_of_day(day.day))


def _is_in(sort_key: str, ranges: Sequence[tuple[str, str]]) -> bool:
    return any(low <= sort_key <= high for low, high in ranges)


def _status(entry: RunEntry) -> EventStatus:
    return EventStatus.SUCCESS if entry.passed else EventStatus.ERROR
