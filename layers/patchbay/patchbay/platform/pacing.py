"""Turns: at most so many a minute for each tenant, and later ones for what comes above that.

    LIMIT#<organization>   <what>   minute, count, revision, taken_by

Each time a tenant does the thing, it takes a **turn**, which is a minute: this one as long as there
is room in it, else the first later one with room. So what is above the limit is put off, in order,
and not refused. A turn is given once; one that is not used is lost, not passed on.

Taking any number of turns costs 1 RRU and 1 WRU. It is written under the revision that was read, so
no minute ever gets more turns than it has room for.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import (
    ABSENT,
    Condition,
    ConditionFailed,
    Key,
    Table,
    Update,
    equals,
    pause_seconds,
)
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.limits import limits_pk

_ATTEMPTS: Final = 20
_KEPT: Final = timedelta(hours=1)
"""After the last turn that was given."""


def minute_of(moment: datetime) -> int:
    """In minutes since 1970."""
    return epoch_seconds(moment) // 60


def start_of(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)


@dataclass(frozen=True, slots=True)
class TurnsGiven:
    """How many turns were given in the last minute that has any; all before it are full. Pure."""

    minute: int = 0
    count: int = 0

    def with_more(
        self, latest: Sequence[int], per_minute: int, now: int
    ) -> tuple["TurnsGiven", list[int | None]]:
        """The minutes of more turns, in order. `latest` has the last minute at which each is of any
        use: one that would be later is not given, and its minute is None."""
        minute, count = (self.minute, self.count) if self.minute >= now else (now, 0)
        turns: list[int | None] = []
        for last in latest:
            full = count >= per_minute
            if minute + full > last:
                turns.append(None)
                continue
            minute, count = (minute + 1, 1) if full else (minute, count + 1)
            turns.append(minute)
        return TurnsGiven(minute, count), turns


class Turns:
    """The turns of tenants to do one thing, such as `deliveries`."""

    def __init__(self, table: Table, what: str, per_minute: int) -> None:
        self._table = table
        self._what = what
        self._per_minute = per_minute

    def take(
        self, organization_id: str, latest: Sequence[datetime], now: datetime
    ) -> Sequence[int | None]:
        """The minutes of turns, in order; None for one that would come after its `latest` time.

        Raises `TemporarilyUnavailable` if others come in between on and on.
        """
        key = Key(limits_pk(organization_id), self._what)
        this, token = minute_of(now), uuid4().hex
        last = [minute_of(moment) for moment in latest]
        item = self._table.get(key)
        for attempt in range(_ATTEMPTS):
            before = TurnsGiven(item["minute"], item["count"]) if item else TurnsGiven()
            after, turns = before.with_more(last, self._per_minute, this)
            unchanged: Condition = equals("revision", item["revision"]) if item else ABSENT
            values = {
                "minute": after.minute,
                "count": after.count,
                "revision": item["revision"] + 1 if item else 1,
                "taken_by": token,
                "expires_at": epoch_seconds(start_of(after.minute), _KEPT),
            }
            try:
                self._table.write(Update(key, values=values, condition=unchanged))
            except ConditionFailed as standing:
                if standing.item and standing.item["taken_by"] == token:
                    return turns  # our own write, repeated after its reply was lost
                item = standing.item
                time.sleep(pause_seconds(attempt))
            else:
                return turns
        raise TemporarilyUnavailable
