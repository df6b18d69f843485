"""When the rules of a space are evaluated. Pure.

All rules of a space share one entry in the sparse index `monitor_slot`. It is in one of two places:

    due      ALERTS#DUE#<lane>      <minute or 0>#<space id>    evaluated at that minute and at each
                                                                one after it, until it is moved
    quiet    ALERTS#QUIET#<phase>   ~<quarter>#<space id>       looked at each hour
                                    <space id>                  looked at each quarter of an hour

Nothing is written for a quiet space, nor for one that is evaluated each minute. What may let a rule
fire **wakes** its space: the entry becomes due at once. An evaluation that finds nothing open moves
the entry to the next minute at which time alone may change something, or among the quiet ones if
it is looked at before that minute.

A look finds that time may soon change something, and what was not woken. The first is why a space
has one each quarter of an hour whose prediction is always near, such as half an hour of silence:
to move an entry away and back costs as much as ten looks.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from patchbay.connections.wheel import minute_number
from patchbay.platform.dynamodb import AFTER_ALL, Item

INDEX: Final = "monitor_slot"
INDEX_PK: Final = f"{INDEX}_pk"
INDEX_SK: Final = f"{INDEX}_sk"

LANES: Final = 4
"""The partitions of what is due, by a stable hash of the ids of spaces. A partition of an index
takes 1,000 writes a second, so 240,000 spaces may be woken in a minute."""

LOOK_MINUTES: Final = 60
"""How often a quiet space is looked at. An alert whose wake was lost is late by so much."""

QUARTER_MINUTES: Final = 15
"""How often one is whose prediction is nearer."""

_FAR_MINUTES: Final = LOOK_MINUTES + QUARTER_MINUTES
"""How far a prediction is for which looks each hour begin. They go on until one would come late, so
an entry does not move back and forth with a prediction of about an hour."""

SETTLE_MINUTES: Final = 6
"""How long a woken space is evaluated each minute. What was about to be written is written after
two, whichever clock was ahead, and indexes have it. The others save units: to move an entry away
and back costs as much as seven evaluations, and monitors often find an error every five minutes."""

FIRING_MINUTES: Final = 24 * 60
"""A space with an alert that fires is woken this far ahead, so that its errors need not wake it."""

_RENEWED_MINUTES: Final = 60
_AHEAD_MINUTES: Final = 3
"""How late an evaluation may be, and so how far ahead of it a wake may be noted."""

_AT_ONCE: Final = "0"
"""Sorts before every minute."""
_HOURLY: Final = AFTER_ALL
"""Sorts after every id."""
_MINUTE: Final = timedelta(minutes=1)


class Entry(NamedTuple):
    """The place of a space in the index."""

    pk: str
    sk: str

    @property
    def attributes(self) -> Item:
        return {INDEX_PK: self.pk, INDEX_SK: self.sk}


def lane_of(space_id: str) -> int:
    return _hash(space_id)[0] % LANES


def phase_of(space_id: str) -> int:
    """The minute of each hour at which a quiet space is looked at; modulo 15, that of each quarter
    of an hour."""
    return int.from_bytes(_hash(space_id)[1:5]) % LOOK_MINUTES


def due_pk(lane: int) -> str:
    return f"ALERTS#DUE#{lane}"


def quiet_pk(phase: int) -> str:
    return f"ALERTS#QUIET#{phase % QUARTER_MINUTES}"


def looked_at(number: int) -> Iterator[tuple[str, tuple[str, str]]]:
    """The partitions and ranges of sort keys of the quiet spaces that are looked at in a minute."""
    phase = number % LOOK_MINUTES
    hourly = f"{_HOURLY}{phase // QUARTER_MINUTES}#"
    yield quiet_pk(phase), (_AT_ONCE, _HOURLY)
    yield quiet_pk(phase), (hourly, f"{hourly}{AFTER_ALL}")


def due_until(now: datetime) -> tuple[str, str]:
    """The range of sort keys, ends included, of what is due at a minute."""
    return _AT_ONCE, f"{_minute_text(now)}#{AFTER_ALL}"


def at_once(space_id: str) -> Entry:
    return Entry(due_pk(lane_of(space_id)), f"{_AT_ONCE}#{space_id}")


def each_hour(space_id: str) -> Entry:
    phase = phase_of(space_id)
    return Entry(quiet_pk(phase), f"{_HOURLY}{phase // QUARTER_MINUTES}#{space_id}")


def each_quarter(space_id: str) -> Entry:
    return Entry(quiet_pk(phase_of(space_id)), space_id)


def next_entry(
    space_id: str, now: datetime, change: datetime | None, woken: int, place: str | None
) -> Entry:
    """Where a space belongs after an evaluation at `now`.

    `change` is the earliest moment at which time alone may change one of its alerts, None if it
    can't. `woken` is the number of the minute for which the space was last woken, and `place` the
    sort key of its entry, None if it has none.
    """
    minute = minute_number(now)
    if minute < woken + SETTLE_MINUTES:
        return at_once(space_id)
    if change is None:
        return each_hour(space_id)
    number = minute_number(change)
    hourly = each_hour(space_id)
    if number >= minute + _FAR_MINUTES or (
        place == hourly.sk and number >= _next_look(space_id, minute, LOOK_MINUTES)
    ):
        return hourly
    if number >= _next_look(space_id, minute, QUARTER_MINUTES):
        return each_quarter(space_id)
    if number <= minute + 1:
        return at_once(space_id)
    return Entry(due_pk(lane_of(space_id)), f"{_minute_text(change)}#{space_id}")


def woken_after(now: datetime, woken: int, *, is_firing: bool) -> int:
    """The minute for which a space is noted as woken after an evaluation at `now`, given that for
    which it was.

    While an alert fires, it is far ahead, which costs two writes for each time that alerts fire.
    When none does any more, the space is woken a last time: what trusted in the alert to be
    evaluated is.
    """
    number = minute_number(now)
    if is_firing:
        return woken if woken > number + _RENEWED_MINUTES else number + FIRING_MINUTES
    return min(woken, number + _AHEAD_MINUTES)


def horizon(now: datetime) -> datetime:
    """No prediction has to look further: each space is looked at before."""
    return now + (LOOK_MINUTES + 1) * _MINUTE


def _next_look(space_id: str, minute: int, every: int) -> int:
    """The number of the minute of the next look at a quiet space, if it has one so often."""
    return minute + 1 + (phase_of(space_id) - minute - 1) % every


def _minute_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M")


def _hash(space_id: str) -> bytes:
    return hashlib.sha256(space_id.encode()).digest()
