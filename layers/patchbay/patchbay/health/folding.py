"""Folding the days that are over: the shards of a busy space become one bucket a period.

After that, a summary costs the same for every space. The notes of the spread days say where to
look, so nothing is scanned. A day's notes are deleted with its last side shards. The counts are
right after each step, so a fold that is interrupted or meets a writer is left as it is, and the
next run goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from patchbay.health.model import MAX_AHEAD
from patchbay.health.periods import Period, hours_of_day
from patchbay.health.shards import (
    LANES,
    MAIN_SHARD,
    buckets_pk,
    by_period,
    clear_writes,
    fold_writes,
    holds_counts,
    may_clear,
    spread_day_of,
    spread_days_pk,
)
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import AFTER_ALL, Item, Table, TransactionRefused, Write
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import log_exception, logger


class CountFolder:
    """Folds the spread days of all spaces."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def run(self, budget: timedelta) -> int:
        """Folds the spread days, oldest first, until `budget` is used. Returns how many it tried.

        An unexpected exception is raised at the end, after the other days were folded.
        """
        start = self._clock()
        seen = 0
        unexpected: list[Exception] = []
        for space_id, day in self._spread_days(start):
            if self._clock() > start + budget:
                break
            try:
                self.fold(space_id, day, self._clock())
            except TemporarilyUnavailable:
                logger.warning(
                    "fold postponed", space_id=space_id, day=day.start.date().isoformat()
                )
            except Exception as error:
                log_exception(
                    "fold failed", error, space_id=space_id, day=day.start.date().isoformat()
                )
                unexpected.append(error)
            seen += 1
        if unexpected:
            raise unexpected[0]
        return seen

    def fold(self, space_id: str, day: Period, now: datetime) -> None:
        """Takes the next step of a day and its hours. The day is last, as its notes go with it.

        All buckets are read before anything is written, the hours first: an event that is written
        in between changes the day's bucket too, so the day's last step is refused.
        """
        hours = self._shards(space_id, hours_of_day(day.start))
        days = self._shards(space_id, day.sort_keys)
        spread = [self._step(space_id, hour, shards, now) for hour, shards in hours.items()]
        for period, shards in days.items():
            self._step(space_id, period, shards, now, clear=not any(spread))

    def _step(
        self,
        space_id: str,
        period: Period,
        shards: Mapping[int, Item],
        now: datetime,
        *,
        clear: bool = True,
    ) -> bool:
        """Takes the next step of a period. Returns whether it had side shards when it was read."""
        side = [item for shard, item in shards.items() if shard != MAIN_SHARD]
        writes: list[Write] = []
        if any(map(holds_counts, side)):
            writes = fold_writes(space_id, period, shards, now)
        elif side and clear and may_clear(shards, now):
            writes = clear_writes(space_id, period, shards)
        if writes:
            try:
                self._table.transact(writes)
            except TransactionRefused:
                logger.info("fold met a writer", space_id=space_id, period=period.prefix)
        return bool(side)

    def _shards(self, space_id: str, between: tuple[str, str]) -> dict[Period, dict[int, Item]]:
        return by_period(self._table.query_all(buckets_pk(space_id), between=between))

    def _spread_days(self, now: datetime) -> Iterator[tuple[str, Period]]:
        # A day is not over while the clock of a sender may still be in it.
        over = Period.day_of(now - MAX_AHEAD).start - timedelta(days=1)
        between = ("0", f"{over.date().isoformat()}#{AFTER_ALL}")
        notes: Sequence[Item] = [
            note
            for lane in range(LANES)
            for note in self._table.query_all(spread_days_pk(lane), between=between)
        ]
        yield from sorted({spread_day_of(note) for note in notes}, key=lambda at: (at[1], at[0]))
