"""Folding the days that are over: what busy spaces spread over shards becomes one bucket again.

A summary then costs the same for every space. The notes of the spread days say where to look, so
that nothing is scanned; a day's notes go with its last side shard. Whatever is cut off half-way or
meets a writer is left as it stands, which is right at every step, and taken up by the next run.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from patchbay.health.buckets import Period, hours_of_day
from patchbay.health.model import MAX_AHEAD
from patchbay.health.shards import (
    LANES,
    MAIN_SHARD,
    buckets_pk,
    by_period,
    clearing,
    folding,
    holds_counts,
    settled,
    spread_day_of,
    spread_days_pk,
)
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import Item, Table, TransactionRefused, Write
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import logger

_AFTER_ALL: Final = "~"


class CountFolder:
    """Folds the spread days of all spaces."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def run(self, budget: timedelta) -> int:
        """Folds, oldest first, until all is done or the time is over; how many days it saw.

        Raises at the end what nobody foresaw on the way: the other days are not to wait for it.
        """
        start = self._clock()
        seen = 0
        unforeseen: list[Exception] = []
        for space_id, day in self._spread_days(start):
            if self._clock() > start + budget:
                break
            try:
                self.fold(space_id, day, self._clock())
            except TemporarilyUnavailable:
                logger.warning("fold put off", space_id=space_id, day=day.start.date().isoformat())
            except Exception as error:
                logger.error(
                    "unforeseen",
                    error=type(error).__name__,
                    space_id=space_id,
                    day=day.start.date().isoformat(),
                )
                unforeseen.append(error)
            seen += 1
        if unforeseen:
            raise unforeseen[0]
        return seen

    def fold(self, space_id: str, day: Period, now: datetime) -> None:
        """The next step for a day and its hours; the day itself last, since its notes go with it.

        Both ranges are read before anything is written, hours first: an event that comes in between
        has changed the day's bucket too, and the day's last step is refused.
        """
        hours = self._shards(space_id, hours_of_day(day.start))
        days = self._shards(space_id, (day.prefix, day.prefix + _AFTER_ALL))
        spread = [self._step(space_id, hour, shards, now) for hour, shards in hours.items()]
        for period, shards in days.items():
            self._step(space_id, period, shards, now, may_clear=not any(spread))

    def _step(
        self,
        space_id: str,
        period: Period,
        shards: Mapping[int, Item],
        now: datetime,
        *,
        may_clear: bool = True,
    ) -> bool:
        """Whether the period was spread over shards when it was read."""
        side = [item for shard, item in shards.items() if shard != MAIN_SHARD]
        writes: list[Write] = []
        if any(map(holds_counts, side)):
            writes = folding(space_id, period, shards, now)
        elif side and may_clear and settled(shards, now):
            writes = clearing(space_id, period, shards)
        if writes:
            try:
                self._table.transact(writes)
            except TransactionRefused:
                logger.info("fold met a writer", space_id=space_id, period=period.prefix)
        return bool(side)

    def _shards(self, space_id: str, between: tuple[str, str]) -> dict[Period, dict[int, Item]]:
        return by_period(self._table.query_all(buckets_pk(space_id), between=between))

    def _spread_days(self, now: datetime) -> Iterator[tuple[str, Period]]:
        # While a sender's clock may still be in the day, it is not over.
        over = Period.day_of(now - MAX_AHEAD).start - timedelta(days=1)
        between = ("0", f"{over.date().isoformat()}#{_AFTER_ALL}")
        notes: Sequence[Item] = [
            note
            for lane in range(LANES)
            for note in self._table.query_all(spread_days_pk(lane), between=between)
        ]
        yield from sorted({spread_day_of(note) for note in notes}, key=lambda at: (at[1], at[0]))
