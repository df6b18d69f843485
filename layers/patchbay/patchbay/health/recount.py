"""Counts the events of a space again and compares the counts with its buckets.

The command is `patchbay.runs.recount`, which does the same with the tests of monitors. There must
never be a difference. An operator checks that, and repairs the damage of a bug or of a manual edit
of the table. The command uses the AWS credentials of its environment. It prints one JSON line for
each difference and one at the end. The exit code is 0 if no difference is left, 2 if there is one,
and 1 after an error, which is printed as one line.

It may run while events are written. A period is judged only if its buckets have the same revisions
before and after its events are read, and a difference only counts if it is seen twice: every stored
event changes a bucket of its hour and of its day. A repair has the condition that the revisions are
still the same.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from patchbay.health.buckets import Bucket, total_of
from patchbay.health.monitor_runs import NO_RUNS, is_of_runs
from patchbay.health.periods import Period, Span
from patchbay.health.shards import (
    buckets_pk,
    fold_writes,
    merge_shards,
    period_of,
    revisions,
    shard_of,
)
from patchbay.health.store import EventStore
from patchbay.platform.clock import Clock, to_text
from patchbay.platform.dynamodb import Item, Table, TransactionRefused
from patchbay.platform.dynamodb_client import DynamoDBError
from patchbay.platform.errors import PatchbayError
from patchbay.platform.strict_json import compact
from patchbay.tenancy.quotas import Quotas
from patchbay.tenancy.store import TenancyStore

_LOOKS: Final = 10
"""How often a period is read while it is being written to."""
_PAUSE_SECONDS: Final = 0.2
_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class RecountDifference:
    """A period whose buckets differ from its events.

    `stored` is None if the buckets cannot be read: shard 0 is older than a fold it took part in.
    """

    period: Period
    stored: Bucket | None
    counted: Bucket
    repaired: bool


@dataclass(frozen=True, slots=True)
class UnsettledPeriod:
    """A period that was not judged because it was written to during each read."""

    period: Period


@dataclass(frozen=True, slots=True)
class _Look:
    """A period as it was read: its shards, and the counts of its events."""

    items: list[Item]
    stored: Bucket | None
    counted: Bucket


class RecountsDays(Protocol):
    def days(
        self, space_id: str, first: date, last: date, *, repair: bool
    ) -> Iterator[RecountDifference | UnsettledPeriod | None]:
        """The result of each period of these days, both ends included. None stands for no
        difference."""
        ...


class Recount:
    """Recounts spaces from their events."""

    def __init__(self, table: Table, raw_event_days: int, clock: Clock) -> None:
        self._table = table
        self._events = EventStore(table, raw_event_days, NO_RUNS)
        self._clock = clock

    def first_day(self) -> date:
        """The first day of which all events are still stored."""
        return self._events.oldest(self._clock()).date() + timedelta(days=1)

    def days(
        self, space_id: str, first: date, last: date, *, repair: bool
    ) -> Iterator[RecountDifference | UnsettledPeriod | None]:
        """As `RecountsDays.days`, of each hour and day."""
        day = first
        while day <= last:
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            for hour in range(_HOURS):
                period = Period(Span.HOUR, start + timedelta(hours=hour))
                yield self._judged(space_id, period, repair=repair)
            yield self._judged(space_id, Period(Span.DAY, start), repair=repair)
            day += timedelta(days=1)

    def _judged(
        self, space_id: str, period: Period, *, repair: bool
    ) -> RecountDifference | UnsettledPeriod | None:
        seen: _Look | None = None
        for attempt in range(_LOOKS):
            if attempt:
                time.sleep(_PAUSE_SECONDS)
            look = self._look(space_id, period)
            if look is None:
                continue
            if look.stored == look.counted:
                return None
            if seen is None or (seen.stored, seen.counted) != (look.stored, look.counted):
                seen = look
                continue
            if not repair:
                return RecountDifference(period, look.stored, look.counted, repaired=False)
            if self._repaired(space_id, period, look):
                return RecountDifference(period, look.stored, look.counted, repaired=True)
            seen = None
        return UnsettledPeriod(period)

    def _look(self, space_id: str, period: Period) -> _Look | None:
        """None if the period was written to while it was read."""
        before = self._shards(space_id, period)
        counted = Bucket().absorb(self._events.events_of(space_id, period))
        after = self._shards(space_id, period)
        if revisions(before) != revisions(after):
            return None
        counts = merge_shards(after)
        stored = counts.get(period, Bucket()) if counts is not None else None
        return _Look(after, stored, counted)

    def _shards(self, space_id: str, period: Period) -> list[Item]:
        items = self._table.query_all(buckets_pk(space_id), between=period.sort_keys)
        return [item for item in items if not is_of_runs(item)]

    def _repaired(self, space_id: str, period: Period, look: _Look) -> bool:
        shards = {shard_of(item): item for item in look.items if period_of(item) == period}
        try:
            self._table.transact(
                fold_writes(space_id, period, shards, self._clock(), total=look.counted)
            )
        except TransactionRefused:
            return False
        return True


def main(
    arguments: Sequence[str] | None, clock: Clock, of_runs: Callable[[Table], RecountsDays]
) -> int:
    """`of_runs` recounts what monitors found, in the events table."""
    options = _parser().parse_args(arguments)
    try:
        table = Table(options.integrations_table)
        space = TenancyStore(table, Quotas.without_limits(table)).space(options.space)
        events = Table(options.events_table)
        recount = Recount(events, options.raw_event_days, clock)
        if options.last < options.first:
            print("--to must not be before --from", file=sys.stderr)
            return 1
        if options.first < recount.first_day():
            day = recount.first_day().isoformat()
            print(
                f"--from must not be before {day}: older events are no longer stored",
                file=sys.stderr,
            )
            return 1
        both = (
            one.days(space.id, options.first, options.last, repair=options.repair)
            for one in (recount, of_runs(events))
        )
        return _report(chain.from_iterable(both), print)
    except (PatchbayError, DynamoDBError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1


def _report(
    found: Iterator[RecountDifference | UnsettledPeriod | None], write: Callable[[str], None]
) -> int:
    periods = differences = repaired = unsettled = 0
    for one in found:
        periods += 1
        if isinstance(one, RecountDifference):
            differences += 1
            repaired += one.repaired
            write(_line(_fields_of(one)))
        elif isinstance(one, UnsettledPeriod):
            unsettled += 1
            write(_line({"period": one.period.prefix.strip("#"), "unsettled": True}))
    write(
        _line(
            {
                "periods": periods,
                "differences": differences,
                "repaired": repaired,
                "unsettled": unsettled,
            }
        )
    )
    return 0 if differences == repaired and not unsettled else 2


def _fields_of(one: RecountDifference) -> dict[str, Any]:
    return {
        "period": one.period.prefix.strip("#"),
        "stored": _figures(one.stored) if one.stored is not None else None,
        "counted": _figures(one.counted),
        "repaired": one.repaired,
    }


def _figures(bucket: Bucket) -> dict[str, Any]:
    tally = total_of(bucket)
    return {
        "total": tally.total,
        "errors": tally.errors,
        "platform_faults": bucket.platform_faults,
        "latency_sum_ms": tally.latency_sum_ms,
        "last_event_at": to_text(tally.last_event_at) if tally.last_event_at else None,
    }


def _line(values: dict[str, Any]) -> str:
    return compact(values).decode()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m patchbay.runs.recount")
    parser.add_argument("--integrations-table", required=True, help="an output of the stack")
    parser.add_argument("--events-table", required=True, help="an output of the stack")
    parser.add_argument("--space", required=True, help="the slug of the space")
    for name, place in (("--from", "first"), ("--to", "last")):
        parser.add_argument(
            name,
            dest=place,
            required=True,
            type=date.fromisoformat,
            help="a day in UTC, inclusive",
        )
    parser.add_argument(
        "--raw-event-days",
        type=int,
        default=35,
        help="the stack's parameter RawEventDays at the time of the events",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="write the counts of the events where the buckets differ",
    )
    return parser
