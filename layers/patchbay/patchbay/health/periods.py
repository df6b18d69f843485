"""The hours and days that events are counted by, and the sort keys of their buckets."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Self

from patchbay.platform.clock import floor_to_hour
from patchbay.platform.dynamodb import AFTER_ALL

_ONE_DAY: Final = timedelta(days=1)


class Span(StrEnum):
    """The length of a period. The value begins the sort key of a bucket."""

    HOUR = "H"
    DAY = "D"

    @property
    def length(self) -> timedelta:
        return timedelta(hours=1) if self is Span.HOUR else _ONE_DAY


class Period(NamedTuple):
    """One hour or one day of UTC."""

    span: Span
    start: datetime

    @classmethod
    def hour_of(cls, moment: datetime) -> Self:
        return cls(Span.HOUR, floor_to_hour(moment))

    @classmethod
    def day_of(cls, moment: datetime) -> Self:
        return cls(Span.DAY, floor_to_hour(moment).replace(hour=0))

    @property
    def end(self) -> datetime:
        """The start of the next period."""
        return self.start + self.span.length

    @property
    def prefix(self) -> str:
        """The prefix of the sort keys of the period's shards: `H#2026-02-17T10#`."""
        precise = 13 if self.span is Span.HOUR else 10
        return f"{self.span}#{self.start.isoformat()[:precise]}#"

    @property
    def sort_keys(self) -> tuple[str, str]:
        """The range of sort keys, ends included, of the period's shards."""
        return self.prefix, f"{self.prefix}{AFTER_ALL}"

    def sort_key(self, shard: int) -> str:
        """`H#2026-02-17T10#0` or `D#2026-02-17#0`."""
        return f"{self.prefix}{shard}"

    @classmethod
    def of_sort_key(cls, sort_key: str) -> Self:
        """Parses what `sort_key` returns."""
        span, start, _ = sort_key.split("#")
        return cls(
            Span(span), datetime.fromisoformat(f"{start}Z" if "T" in start else f"{start}T00Z")
        )


def periods_of(moment: datetime) -> tuple[Period, Period]:
    """The hour and the day that count an event of this moment."""
    return Period.hour_of(moment), Period.day_of(moment)


def hours_since(start: datetime) -> tuple[str, str]:
    """The range of sort keys, ends included, of the hours from `start` on, including the future."""
    return Period.hour_of(start).prefix, f"{Span.HOUR}#{AFTER_ALL}"


def hours_of_day(start: datetime) -> tuple[str, str]:
    """The range of sort keys, ends included, of the hours of the day that begins at `start`."""
    day = f"{Span.HOUR}#{start.date().isoformat()}T"
    return day, f"{day}{AFTER_ALL}"


def sort_keys_since(start: datetime) -> list[tuple[str, str]]:
    """The ranges of sort keys, ends included, whose buckets cover all from `start`, a full hour.

    These are the hours until the first midnight, if any, and the days from there on, including the
    future.
    """
    day = Period.day_of(start).start
    if start == day:
        return [(Period.day_of(day).prefix, f"{Span.DAY}#{AFTER_ALL}")]
    hour = Period.hour_of(start).prefix
    return [
        (hour, f"{hour[: hour.index('T')]}T{AFTER_ALL}"),
        (Period.day_of(day + _ONE_DAY).prefix, f"{Span.DAY}#{AFTER_ALL}"),
    ]


def ranges_with_days(ranges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Ranges of sort keys that have all of these, and the days of those of hours, in one range.

    The hours of a day that is not over are kept with the day.
    """
    hours = [between for between in ranges if between[0].startswith(Span.HOUR)]
    days = [between for between in ranges if between not in hours]
    for low, high in hours:
        last = f"{_day_in(high)}#{AFTER_ALL}" if high.partition("#")[2] != AFTER_ALL else AFTER_ALL
        days.append((f"{Span.DAY}#{_day_in(low)}#", f"{Span.DAY}#{last}"))
    if not days:
        return hours
    return [*hours, (min(low for low, _ in days), max(high for _, high in days))]


def _day_in(sort_key: str) -> str:
    return sort_key.partition("#")[2].partition("T")[0]
