"""Which sweeps are due, and which test is which. Pure.

A **slot** is a lane of those who share an interval and a phase; its name is
`<interval>#<phase>#<lane>`. A **sweep** is the work on a slot at one minute: what a message of the
queue asks for. It names a range of the index and not the lane, so that a part of a sweep is a sweep
again, and a message written under another number of lanes means what it meant.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

from patchbay.connections.wheel import MINUTES_OF, PLACES, minute_number, slot_pk
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import AFTER_ALL
from patchbay.platform.ids import Stamp

MAX_LANES: Final = 64
CATCH_UP: Final = timedelta(minutes=60)
"""How far back missed minutes are made up for."""

_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Slot:
    interval: str
    phase: int
    lane: int
    lanes: int

    @property
    def name(self) -> str:
        return f"{self.interval}#{self.phase}#{self.lane}"

    @property
    def low(self) -> str:
        """The first sort key that may be in this lane."""
        return _first_place(self.lane, self.lanes)

    @property
    def high(self) -> str:
        """The last one."""
        return f"{_number_of_first(self.lane + 1, self.lanes) - 1:04x}{AFTER_ALL}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """The members of the index under `slot`'s interval and phase from `low` to `high`, both
    included, at one scheduled minute."""

    minute: datetime
    slot: str
    low: str
    high: str

    @classmethod
    def of(cls, slot: Slot, minute: datetime) -> Self:
        return cls(minute, slot.name, slot.low, slot.high)

    @property
    def pk(self) -> str:
        interval, phase, _ = self.slot.split("#")
        return slot_pk(interval, int(phase))

    def after(self, sort_key: str) -> Self:
        """What is left of it once all up to this member are done."""
        # Sort keys of one length: nothing lies between one and itself with something added.
        return replace(self, low=f"{sort_key}!")

    def only(self, first: str, last: str) -> Self:
        """The part of it from one member to another, both included."""
        return replace(self, low=first, high=last)

    def encode(self) -> dict[str, str]:
        return {
            "minute": to_text(self.minute),
            "slot": self.slot,
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def decode(cls, body: dict[str, str]) -> Self:
        return cls(from_text(body["minute"]), body["slot"], body["low"], body["high"])


@dataclass(frozen=True, slots=True)
class DueMinutes:
    """What a dispatcher has to do at its minute."""

    minutes: tuple[datetime, ...]
    """The newest first."""
    skipped: int
    """Minutes that are too long ago to be made up for."""
    lag: timedelta
    """How far the last dispatched minute lay behind; one minute is none at all."""


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def due_minutes(watermark: datetime | None, scheduled: datetime) -> DueMinutes:
    """The minutes after the watermark up to the scheduled one, at most the last 60.

    Without a watermark nothing was ever dispatched, so nothing was missed.
    """
    if watermark is None:
        return DueMinutes((scheduled,), 0, timedelta(0))
    behind = max(0, minute_number(scheduled) - minute_number(watermark))
    taken = min(behind, CATCH_UP // _MINUTE)
    return DueMinutes(
        tuple(scheduled - number * _MINUTE for number in range(taken)),
        behind - taken,
        max(timedelta(0), (behind - 1) * _MINUTE),
    )


def due_phases(minute: datetime) -> Iterator[tuple[str, int]]:
    """Interval and phase of all who are due at this minute."""
    number = minute_number(minute)
    for interval, minutes in MINUTES_OF.items():
        yield interval, number % minutes


def due_slots(minute: datetime, lanes: int) -> Iterator[Slot]:
    """All slots of this minute: as many as intervals times lanes."""
    for interval, phase in due_phases(minute):
        for lane in range(lanes):
            yield Slot(interval, phase, lane, lanes)


def lane_of(place: int, lanes: int) -> int:
    return place * lanes // PLACES


def lane_of_sort_key(sort_key: str, lanes: int) -> int:
    return lane_of(int(sort_key[:4], 16), lanes)


def stamp_of_test(connection_id: str, minute: datetime) -> Stamp:
    """The time and seed of a monitor's test: the same for whoever comes to do it.

    `stamp_of_test(…).id("tst")` is its id: a ULID of the scheduled minute and of the hash of the
    connection and that minute.
    """
    seed = hashlib.blake2b(f"{connection_id} {to_text(minute)}".encode(), digest_size=16)
    return Stamp(minute, seed.digest())


def _number_of_first(lane: int, lanes: int) -> int:
    """The smallest place of a lane: rounded up."""
    return -(-lane * PLACES // lanes)


def _first_place(lane: int, lanes: int) -> str:
    return f"{_number_of_first(lane, lanes):04x}"
