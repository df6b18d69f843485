"""The repair command: counts events, and the tests of monitors, again.

    python -m patchbay.runs.recount --integrations-table <IntegrationsTable> \\
        --events-table <EventsTable> --space main --from 2026-02-01 --to 2026-02-17 [--repair]

Buckets are compared with their events (`health.recount`), and the days of monitors with their runs:

- An open day with the runs whose bits it has, which are stored for days longer than it is open.
- A closed day, and its hours, with its segments.

A repair has the condition that the revision is still the one that was read, so it may run beside
folds and closings. A late run that is not counted yet is no difference: its message counts it.
"""

import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from patchbay.health import recount
from patchbay.health.buckets import Bucket
from patchbay.health.periods import Period
from patchbay.health.recount import RecountDifference, UnsettledPeriod
from patchbay.platform.clock import Clock, utc_now
from patchbay.platform.dynamodb import ConditionFailed, Put, Table, TransactionRefused, equals
from patchbay.runs.day import ClosedDay, CountedHours, OpenDay, SpaceRun, read_day, read_hours
from patchbay.runs.keys import (
    chunks_of_closing,
    day_key,
    day_of_text,
    hours_key,
    late_chunks,
    segments_pk,
)
from patchbay.runs.model import MINUTES_OF_DAY, RunEntry, start_of_day
from patchbay.runs.run_items import runs_of_cell
from patchbay.runs.segments import decode_chunk

_LOOKS: Final = 10
"""How often a day is read while it is being written."""
_PAUSE_SECONDS: Final = 0.2

type Counts = dict[Period, Bucket]


class RunRecount:
    """Recounts the days of monitors."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def days(
        self, space_id: str, first: date, last: date, *, repair: bool
    ) -> Iterator[RecountDifference | UnsettledPeriod | None]:
        """The result of each day on which monitors ran: None, or each of its periods that differs.
        Both ends are included."""
        for day in range(day_of_text(first.isoformat()), day_of_text(last.isoformat()) + 1):
            yield from self._judged(space_id, day, repair=repair)

    def _judged(
        self, space_id: str, day: int, *, repair: bool
    ) -> Iterator[RecountDifference | UnsettledPeriod | None]:
        for attempt in range(_LOOKS):
            if attempt:
                time.sleep(_PAUSE_SECONDS)
            item = self._table.get(day_key(space_id, day))
            if item is None:
                return
            found = read_day(space_id, item)
            recounted = self._open(found) if isinstance(found, OpenDay) else self._closed(found)
            now = self._table.get(day_key(space_id, day))
            if recounted is None or now is None or now["rev"] != found.revision:
                continue  # it was written in between
            stored, counted, writes = recounted
            differing = [at for at in sorted(stored | counted) if stored.get(at) != counted.get(at)]
            if not differing:
                yield None
                return
            if repair and not self._are_written(writes):
                continue
            for at in differing:
                was, is_now = stored.get(at, Bucket()), counted.get(at, Bucket())
                yield RecountDifference(at, was, is_now, repaired=repair)
            return
        yield UnsettledPeriod(Period.day_of(start_of_day(day)))

    def _open(self, day: OpenDay) -> tuple[Counts, Counts, list[Put]]:
        """What it has, what it should have, and the writes that make it so."""
        first, last = day.day * MINUTES_OF_DAY, (day.day + 1) * MINUTES_OF_DAY - 1
        runs = [
            SpaceRun(run.key, of.entries)
            for cell in day.cells
            for run in runs_of_cell(self._table, cell, first, last)
            if day.is_counted(run.key) and (of := run.of_space(day.space_id))
        ]
        right = replace(day, bits={}, hours=CountedHours(day.day)).counting(runs)
        write = Put(right.item, equals("rev", day.revision))
        return _counts_of(day.hours), _counts_of(right.hours), [write]

    def _closed(self, day: ClosedDay) -> tuple[Counts, Counts, list[Put]] | None:
        """None if its hours are those of another revision."""
        item = self._table.get(hours_key(day.space_id, day.day))
        hours = read_hours(day.space_id, item) if item else None
        if hours is None or hours.revision != day.revision:
            return None
        right = CountedHours(day.day)
        for minute, entries in sorted(self._entries(day).items()):
            right = right.plus(minute, entries)
        unchanged = equals("rev", day.revision)
        writes = [
            Put(replace(day, counts=right.total()).item, unchanged),
            Put(replace(hours, hours=right).item, unchanged),
        ]
        stored = _counts_of(hours.hours) | {_period(day): day.counts}
        return stored, _counts_of(right), writes

    def _entries(self, day: ClosedDay) -> dict[int, list[RunEntry]]:
        """The entries of a closed day by their minutes, as its segments have them."""
        found: defaultdict[int, list[RunEntry]] = defaultdict(list)
        for between in (chunks_of_closing(day.day, day.closing), late_chunks(day.day)):
            for chunk in self._table.query_all(segments_pk(day.space_id), between=between):
                for rows in decode_chunk(day.day, chunk["b"]).values():
                    for minute, entry in rows:
                        found[minute].append(entry)
        return found

    def _are_written(self, writes: Sequence[Put]) -> bool:
        try:
            if len(writes) == 1:
                self._table.write(writes[0])
            else:
                self._table.transact(writes)
        except (ConditionFailed, TransactionRefused):
            return False
        return True


def _counts_of(hours: CountedHours) -> Counts:
    """Those of the hours, and of the day."""
    counts = {period: bucket for period, bucket in hours.by_hour().items() if bucket != Bucket()}
    return counts | {Period.day_of(start_of_day(hours.day)): hours.total()}


def _period(day: ClosedDay) -> Period:
    return Period.day_of(start_of_day(day.day))


def main(arguments: Sequence[str] | None = None, clock: Clock = utc_now) -> int:
    """The command, of events and of the tests of monitors."""
    return recount.main(arguments, clock, RunRecount)


if __name__ == "__main__":
    sys.exit(main())
