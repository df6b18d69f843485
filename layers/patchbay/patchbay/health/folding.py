"""Folding the days that are over: the shards of a busy space become one bucket a period.

After that, a summary costs the same for every space. The notes of the spread days say where to
look, so nothing is scanned. They are in lanes, which are worked on at the same time, each from its
oldest day on. A day's notes are deleted with its last side shards. The counts are right after each
step, so a fold that is interrupted or meets a writer is left as it is, and the next run goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

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
from patchbay.platform.dynamodb import (
    AFTER_ALL,
    MAX_TRANSACTION_ITEMS,
    Item,
    Table,
    TransactionRefused,
    Write,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import log_exception, logger


@dataclass(slots=True)
class FoldReport:
    """What a run did: how many days it tried, and whether it came to the end of each lane."""

    days: int = 0
    finished: bool = True
    unexpected: list[Exception] = field(default_factory=list)


type EachLane = Callable[[Callable[[int], FoldReport], Iterable[int]], Iterable[FoldReport]]


def at_once(work: Callable[[int], FoldReport], lanes: Iterable[int]) -> list[FoldReport]:
    """Works on all lanes at the same time, each in a thread."""
    with ThreadPoolExecutor(LANES) as threads:
        return list(threads.map(work, lanes))


class CountFolder:
    """Folds the spread days of all spaces. `each` does the work of the lanes, as `map` would."""

    def __init__(self, table: Table, clock: Clock, each: EachLane = at_once) -> None:
        self._table = table
        self._clock = clock
        self._each = each

    def run(self, budget: timedelta) -> FoldReport:
        """Folds the spread days, oldest first in each lane, until `budget` is used.

        An unexpected exception is raised at the end, after the other days were folded.
        """
        start = self._clock()
        done = list(self._each(lambda lane: self._lane(lane, start, budget), range(LANES)))
        for one in done:
            if one.unexpected:
                raise one.unexpected[0]
        return FoldReport(sum(one.days for one in done), all(one.finished for one in done))

    def _lane(self, lane: int, start: datetime, budget: timedelta) -> FoldReport:
        report = FoldReport()
        for space_id, day in self._spread_days(lane, start):
            if self._clock() > start + budget:
                report.finished = False
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
                report.unexpected.append(error)
            report.days += 1
        return report

    def fold(self, space_id: str, day: Period, now: datetime) -> None:
        """Takes the next step of a day and its hours. The day is last, as its notes go with it.

        All buckets are read before anything is written, the hours first: an event that is written
        in between changes the day's bucket too, so the day's last step is refused.
        """
        hours = self._shards(space_id, hours_of_day(day.start))
        days = self._shards(space_id, day.sort_keys)
        steps = [_step(space_id, hour, shards, now) for hour, shards in hours.items()]
        spread = any(map(_has_side_shards, hours.values()))
        for period, shards in days.items():
            steps.append(_step(space_id, period, shards, now, clear=not spread))
        for some in _together(steps):
            self._take(space_id, day, some)

    def _take(self, space_id: str, day: Period, steps: Sequence[list[Write]]) -> None:
        """Takes steps in one transaction. One that meets a writer is refused alone."""
        try:
            self._table.transact([write for step in steps for write in step])
        except TransactionRefused:
            if len(steps) > 1:
                for step in steps:
                    self._take(space_id, day, [step])
            else:
                name = day.start.date().isoformat()
                logger.info("fold met a writer", space_id=space_id, day=name)

    def _shards(self, space_id: str, between: tuple[str, str]) -> dict[Period, dict[int, Item]]:
        return by_period(self._table.query_all(buckets_pk(space_id), between=between))

    def _spread_days(self, lane: int, now: datetime) -> Iterator[tuple[str, Period]]:
        # A day is not over while the clock of a sender may still be in it.
        over = Period.day_of(now - MAX_AHEAD).start - timedelta(days=1)
        between = ("0", f"{over.date().isoformat()}#{AFTER_ALL}")
        notes = self._table.query_all(spread_days_pk(lane), between=between)
        for spread_day, _ in groupby(map(spread_day_of, notes)):
            yield spread_day


def _step(
    space_id: str,
    period: Period,
    shards: Mapping[int, Item],
    now: datetime,
    *,
    clear: bool = True,
) -> list[Write]:
    """The next step of a period; empty if there is none."""
    side = [item for shard, item in shards.items() if shard != MAIN_SHARD]
    if any(map(holds_counts, side)):
        return fold_writes(space_id, period, shards, now)
    if side and clear and may_clear(shards, now):
        return clear_writes(space_id, period, shards)
    return []


def _has_side_shards(shards: Mapping[int, Item]) -> bool:
    return any(shard != MAIN_SHARD for shard in shards)


def _together(steps: Sequence[list[Write]]) -> Iterator[list[list[Write]]]:
    """The steps, in their order, as many in each transaction as it takes."""
    some: list[list[Write]] = []
    for step in filter(None, steps):
        if sum(map(len, some)) + len(step) > MAX_TRANSACTION_ITEMS:
            yield some
            some = []
        some.append(step)
    if some:
        yield some
