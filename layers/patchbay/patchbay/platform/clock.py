"""Time as Patchbay speaks of it: aware UTC, printed as `2026-02-17T10:00:00.000Z`.

All times of one response have the same form, so that their texts sort as they do. The published
health contract, and the error envelope, have whole seconds: `2026-02-17T10:00:00Z`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_RFC_3339: Final = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:)([0-5][0-9]|60)"
    r"([.][0-9]+)?([Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
"""RFC 3339, section 5.6: `t` and `z` may be lower case, a fraction has any number of digits, a
second may be the 60th. An offset that is missing is reported by its own message."""
_LAST_MOMENT: Final = "59.999"

_LOST_PLUS: Final = r":[0-9.]+ [0-9]{2}:?[0-9]{2}$"

type Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The current time in whole milliseconds, which is what stores and answers keep.

    Only the edge reads it; domain code takes `now` as a parameter.
    """
    return _in_whole_milliseconds(datetime.now(UTC))


def to_text(moment: datetime) -> str:
    """RFC 3339 in UTC with a `Z`; milliseconds only where there are any."""
    moment = moment.astimezone(UTC)
    spec = "milliseconds" if moment.microsecond >= 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def to_sortable(moment: datetime) -> str:
    """Fixed width, always with milliseconds, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_second(moment: datetime) -> str:
    """In whole seconds, as the published health contract and the error envelope have it."""
    return to_text(moment.replace(microsecond=0))


def from_text(text: str) -> datetime:
    """Reads what `to_text` and `to_sortable` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def floor_to_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def epoch_seconds(moment: datetime, plus: timedelta = timedelta(0)) -> int:
    """Whole seconds since 1970, as DynamoDB's TTL wants them."""
    return int((moment + plus).timestamp())


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("must have a UTC offset, such as 2026-02-17T10:00:00Z")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is out of range") from error
    return _in_whole_milliseconds(moment)


def _in_whole_milliseconds(moment: datetime) -> datetime:
    more = moment.microsecond % 1000
    return moment.replace(microsecond=moment.microsecond - more) if more else moment


def _read(value: object) -> object:
    """A text of RFC 3339 and nothing else: pydantic would take `"1700000000"` for a time too.

    A leap second, which `datetime` does not know, is the last moment of its minute, so that it
    stays in its hour and its day.
    """
    if not isinstance(value, str):
        return value
    parts = _pattern().fullmatch(value)
    if parts is None and re.search(_LOST_PLUS, value):
        raise ValueError("has a space before its UTC offset: a + in a URL is written %2B")
    if parts is None:
        raise ValueError("must be a timestamp such as 2026-02-17T10:00:00Z")
    begin, second, fraction, offset = parts.groups("")
    is_leap = second == "60"
    moment = _LAST_MOMENT if is_leap else second + fraction[:7]
    try:
        read = datetime.fromisoformat((begin + moment + offset).upper())
    except ValueError:
        raise ValueError("is not a valid timestamp") from None
    if is_leap and read.tzinfo is not None and not _may_be_leap(read):
        raise ValueError("is not a valid timestamp: a leap second ends a month, at 23:59:60 UTC")
    return read


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(_RFC_3339)


def _may_be_leap(moment: datetime) -> bool:
    """Whether a minute may have 61 seconds: the last one of a month, in UTC (RFC 3339, appendix D;
    ITU-R TF.460-6)."""
    try:
        after = moment.astimezone(UTC) + timedelta(seconds=1)
    except OverflowError:
        return False
    return (after.day, after.hour, after.minute) == (1, 0, 0)


UtcTime = Annotated[
    datetime,
    BeforeValidator(_read),
    AfterValidator(_in_utc),
    PlainSerializer(to_sortable, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in a model: aware on the way in, UTC with milliseconds and a `Z` on the way out."""

UtcSecond = Annotated[UtcTime, PlainSerializer(to_second, return_type=str)]
"""As `UtcTime`, in whole seconds on the way out."""
