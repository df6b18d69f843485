"""The wheel of monitors: at which minutes a monitored connection is tested. Pure.

A connection has no timer. Its interval and a hash decide: it is due at the minutes whose number
since 1970, modulo the minutes of its interval, is its **phase**. The hash is that of its group,
if it has a plan (`plans`). For one that has none yet, as earlier releases left it, it is the hash
of its id, and the sparse index `monitor_slot` finds the connections of a minute:

    pk `<interval>#<phase>`     sk `<place>#<connection id>`

The **place** is another part of the hash, as four hexadecimal digits. A slot of the wheel is a
range of places, so the number of slots of a minute can change at any time, without rewriting items.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

PLACES: Final = 65_536
INDEX_ATTRIBUTES: Final = ("monitor_slot_pk", "monitor_slot_sk")
"""Those that put a connection into the index `monitor_slot`."""

_MINUTES: Final = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "24h": 24 * 60}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)


class MonitorInterval(StrEnum):
    """How often a monitored connection is tested."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    DAY = "24h"

    @property
    def minutes(self) -> int:
        return _MINUTES[self]

    @property
    def duration(self) -> timedelta:
        return self.minutes * _MINUTE


def minute_number(minute: datetime) -> int:
    """Whole minutes since 1970."""
    return (minute - _EPOCH) // _MINUTE


def moment_of(minute: int) -> datetime:
    """The moment at which a minute of `minute_number` begins."""
    return _EPOCH + minute * _MINUTE


def phase_of(connection_id: str, interval: MonitorInterval) -> int:
    return int.from_bytes(_digest(connection_id)[:6]) % interval.minutes


def place_of(connection_id: str) -> int:
    return int.from_bytes(_digest(connection_id)[6:])


def is_due(connection_id: str, interval: MonitorInterval, minute: datetime) -> bool:
    """Whether a connection is due at a minute, as it is at exactly one of each interval."""
    return minute_number(minute) % interval.minutes == phase_of(connection_id, interval)


def slot_pk(interval: str, phase: int) -> str:
    return f"{interval}#{phase}"


def slot_sk(connection_id: str) -> str:
    return f"{place_of(connection_id):04x}#{connection_id}"


def on_the_wheel(connection_id: str, interval: MonitorInterval) -> dict[str, str]:
    """The attributes that put a connection into the index `monitor_slot`."""
    place = slot_pk(interval, phase_of(connection_id, interval)), slot_sk(connection_id)
    return dict(zip(INDEX_ATTRIBUTES, place, strict=True))


def _digest(connection_id: str) -> bytes:
    return hashlib.blake2b(connection_id.encode(), digest_size=8).digest()
