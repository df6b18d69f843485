"""Which sweeps are due at a minute. Pure.

A **slot** is one lane of the connections that share an interval and a phase; its name is
`<interval>#<phase>#<lane>`, and `WHEEL#<interval>#<phase>#<lane>` if these have plans. A **sweep**
is the work on a slot at one minute: what one message of the queue asks for. It holds a range of
sort keys instead of the lane, so that a part of a sweep is a sweep too, and a message keeps its
meaning when the number of lanes changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from patchbay.connections.plans import WHEEL, wheel_pk
from patchbay.connections.wheel import PLACES, MonitorInterval, minute_number, slot_pk
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import AFTER_ALL

MAX_LANES: Final = 64
"""The most that template.yaml allows."""

CATCH_UP: Final = timedelta(minutes=60)
"""How far back missed minutes are caught up."""

_MINUTE: Final = timedelta(minutes=1)
_MARKED: Final = "marked"


@dataclass(frozen=True, slots=True)
class Slot:
    interval: str
    phase: int
    lane: int
    lanes: int
    has_plans: bool = False

    @property
    def pk(self) -> str:
        at = wheel_pk if self.has_plans else slot_pk
        return at(self.interval, self.phase)

    @property
    def name(self) -> str:
        return f"{self.pk}#{self.lane}"

    @property
    def low(self) -> str:
        """The lowest sort key that may be in this lane."""
        return _first_place(self.lane, self.lanes)

    @property
    def high(self) -> str:
        """The highest one."""
        return f"{_number_of_first(self.lane + 1, self.lanes) - 1:04x}{AFTER_ALL}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """The connections under `slot`'s interval and phase from `low` to `high`, both
    included, at one scheduled minute; if `organization_id` is set, those of that organization.

    `hops` counts the messages in a row that led to this sweep: those of which it is a part, or that
    it is the rest of, or a further attempt at. `pauses_are_marked` says that all that was paused
    had a mark when the sweep was sent (see `pause_survey`).
    """

    minute: datetime
    slot: str
    low: str
    high: str
    organization_id: str | None = None
    hops: int = field(default=0, compare=False)
    pauses_are_marked: bool = False

    @classmethod
    def of(cls, slot: Slot, minute: datetime, *, pauses_are_marked: bool = False) -> Self:
        return cls(minute, slot.name, slot.low, slot.high, pauses_are_marked=pauses_are_marked)

    @property
    def pk(self) -> str:
        return self.slot.rpartition("#")[0]

    @property
    def has_plans(self) -> bool:
        """Whether its range is one of plans in the table, and not of an index."""
        return self.slot.startswith(WHEEL)

    def after(self, sort_key: str) -> Self:
        """The rest of it, after this connection."""
        # A sort key ends with an id, so nothing sorts between one and its extension.
        return replace(self, low=f"{sort_key}!")

    def only(self, first: str, last: str) -> Self:
        """The part of it between two connections, both included."""
        return replace(self, low=first, high=last)

    def of_organization(self, organization_id: str) -> Self:
        return replace(self, organization_id=organization_id)

    def delivered(self) -> Self:
        """As a message has brought it."""
        return replace(self, hops=self.hops + 1)

    def encode(self) -> dict[str, Any]:
        only = {"organization_id": self.organization_id} if self.organization_id else {}
        pauses = {"pauses": _MARKED} if self.pauses_are_marked else {}
        return {
            "minute": to_text(self.minute),
            "slot": self.slot,
            "low": self.low,
            "high": self.high,
            "hops": self.hops,
            **only,
            **pauses,
        }

    @classmethod
    def decode(cls, body: dict[str, Any]) -> Self:
        if "#" not in body["slot"]:
            raise ValueError("a slot without a partition")
        return cls(
            from_text(body["minute"]),
            body["slot"],
            body["low"],
            body["high"],
            body.get("organization_id"),
            int(body.get("hops", 0)),
            body.get("pauses") == _MARKED,
        )


@dataclass(frozen=True, slots=True)
class DueMinutes:
    """The minutes that a dispatcher has to do."""

    minutes: tuple[datetime, ...]
    """The newest first."""
    skipped: int
    """Minutes that are too old to be caught up."""
    lag: timedelta
    """How late the dispatcher is: 0 if only the scheduled minute is due."""


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
    """The intervals and phases that are due at this minute."""
    number = minute_number(minute)
    for interval in MonitorInterval:
        yield interval, number % interval.minutes


def lane_of(place: int, lanes: int) -> int:
    return place * lanes // PLACES


def lane_of_sort_key(sort_key: str, lanes: int) -> int:
    return lane_of(int(sort_key[:4], 16), lanes)


def _number_of_first(lane: int, lanes: int) -> int:
    """The lowest place of a lane: rounded up."""
    return -(-lane * PLACES // lanes)


def _first_place(lane: int, lanes: int) -> str:
    return f"{_number_of_first(lane, lanes):04x}"
