"""When a token expires, as the answers of providers say it. Pure.

RFC 6749 §5.1 has `expires_in` in seconds. Providers have it as a string, in another unit, or as the
time itself, and 0 or -1 for a token that does not expire.
"""

import re
from datetime import UTC, datetime
from math import isfinite
from typing import Final, Literal, get_args

type ExpiryUnit = Literal[
    "seconds", "milliseconds", "minutes", "hours", "unix_seconds", "unix_milliseconds", "date_time"
]

UNITS: Final[tuple[ExpiryUnit, ...]] = get_args(ExpiryUnit.__value__)
MAX_SECONDS: Final = 10 * 366 * 86_400
"""What lasts longer than ten years counts as having no end."""
_IN_SECONDS: Final = {"seconds": 1.0, "milliseconds": 0.001, "minutes": 60.0, "hours": 3600.0}
_SINCE_1970: Final = {"unix_seconds": 1.0, "unix_milliseconds": 0.001}
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


def seconds_left(value: object, unit: ExpiryUnit, now: datetime) -> int | None:
    """How many seconds a token still has, rounded down; None if the value does not say.

    A number of seconds that is a time of this decade is read as that time: some answers have
    `expires_in` as the moment itself. A moment that has passed gives 0. No answer makes it
    negative or longer than `MAX_SECONDS`.
    """
    if unit == "date_time":
        return _until(_date_time(value), now)
    number = _number(value)
    if number is None or number <= 0:
        return None
    if unit in _SINCE_1970:
        return _until(number * _SINCE_1970[unit], now)
    seconds = number * _IN_SECONDS[unit]
    if seconds <= MAX_SECONDS:
        return int(seconds)
    for scale in _SINCE_1970.values():
        left = number * scale - now.timestamp()
        if unit == "seconds" and 0 <= left <= MAX_SECONDS:
            return int(left)
    return None


def _until(moment: float | None, now: datetime) -> int | None:
    if moment is None:
        return None
    left = int(moment - now.timestamp())
    return max(0, left) if left <= MAX_SECONDS else None


def _number(value: object) -> float | None:
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if isfinite(value) else None
    except OverflowError:  # an integer of JSON may be too large for a float
        return None


def _date_time(value: object) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
