"""How much a tenant may do at once and per minute.

    LIMIT#<organization>   <what>   minute, count, before, revision, one attribute a lease

A caller who enters takes a **lease** and is counted in the current minute, in one conditional
update of one item. A lease ends when it is returned, or by itself at its time: a function that is
killed leaks nothing. Entering costs 1 RRU and 1 WRU, leaving 1 WRU, a refusal 1 RRU.

- Entering is written under the revision that was read: among any number of callers at once, no more
  get in than there is room for. A reply that is lost and repeated finds its own lease there.
- Leaving removes one attribute and needs no revision, so it never competes with those who enter.
- The rate is a sliding window of two counters: of the minute before, the share counts that is less
  than 60 s ago. So a tenant can't use two minutes' worth around a full minute.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import (
    PRESENT,
    Condition,
    ConditionFailed,
    Item,
    Key,
    Table,
    Update,
    equals,
    pause_seconds,
    without,
)
from patchbay.platform.errors import RateLimited, TemporarilyUnavailable
from patchbay.platform.logging import logger

_ATTEMPTS: Final = 20
_KEPT: Final = timedelta(hours=1)
"""Longer than the counters and any lease matter; then the idle tenant's item goes."""
_LEASE: Final = "lease_"
_ROOM_SOON_SECONDS: Final = 2
"""The `Retry-After` when all leases are taken: they become free when they are returned."""


def limits_pk(organization_id: str) -> str:
    """The partition that counts what an organization does."""
    return f"LIMIT#{organization_id}"


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `per_minute` in any 60 s, about, and `at_once` at a time."""

    per_minute: int
    at_once: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant uses: counts of this minute and the one before, leases and their ends.

    `minute` is in minutes since 1970, ends are in seconds since then. Pure.
    """

    minute: int = 0
    count: int = 0
    before: int = 0
    leases: Mapping[str, int] = field(default_factory=dict)

    def at(self, now: datetime) -> Self:
        """The same, seen from `now`: counters moved on, leases that have ended left out."""
        seconds = epoch_seconds(now)
        minute = seconds // 60
        current = max(minute, self.minute)
        counts = {0: (self.count, self.before), 1: (0, self.count)}
        count, before = counts.get(current - self.minute, (0, 0))
        live = {token: until for token, until in self.leases.items() if until > seconds}
        return type(self)(current, count, before, live)

    def entered(
        self, token: str, limit: Limit, now: datetime, lease: timedelta, what: str = "uses"
    ) -> Self:
        """With one more `what`. Raises `RateLimited` with the seconds to wait."""
        usage = self.at(now)
        if token in usage.leases:
            return usage
        if wait := usage.seconds_to_wait(limit, now):
            raise RateLimited(
                f"More than {limit.per_minute} a minute: try again in {wait} s.",
                wait,
                quota=f"{what}_per_minute",
                limit=limit.per_minute,
                used=usage.in_window(now),
            )
        if len(usage.leases) >= limit.at_once:
            raise RateLimited(
                f"More than {limit.at_once} at once: wait until one of them has ended.",
                _ROOM_SOON_SECONDS,
                quota=f"{what}_in_flight",
                limit=limit.at_once,
                used=len(usage.leases),
            )
        ends = epoch_seconds(now, lease) + 1
        return type(self)(
            usage.minute, usage.count + 1, usage.before, {**usage.leases, token: ends}
        )

    def in_window(self, now: datetime) -> int:
        """How many count in the last 60 s."""
        into = epoch_seconds(now) - self.minute * 60
        return self.count + self.before * max(0, 60 - into) // 60

    def seconds_to_wait(self, limit: Limit, now: datetime) -> int:
        """Until there is room for one more in the window; 0 if there is."""
        into = epoch_seconds(now) - self.minute * 60
        for wait in range(121):
            passed = into + wait
            if passed < 60:
                window = self.count + self.before * (60 - passed) // 60
            else:
                window = self.count * max(0, 120 - passed) // 60
            if window + 1 <= limit.per_minute:
                return wait
        return 120


class Limiter:
    """The use of one thing by tenants, such as `tests`."""

    def __init__(self, table: Table, what: str) -> None:
        self._table = table
        self._what = what

    def enter(
        self, organization_id: str, token: str, limit: Limit, now: datetime, lease: timedelta
    ) -> None:
        """Takes a lease under a `token` of the caller's, of letters, digits and underscores.

        Entering again under the same token, while its lease lasts, counts nothing. Raises
        `RateLimited`, and `TemporarilyUnavailable` if others come in between on and on.
        """
        key = self._key(organization_id)
        item = self._table.get(key)
        for attempt in range(_ATTEMPTS):
            before = usage_in(item)
            after = before.entered(token, limit, now, lease, self._what)
            if token in before.at(now).leases:
                return
            try:
                forgotten = {"expires_at": epoch_seconds(now, _KEPT)}
                self._table.write(entering(key, item, before, after, forgotten))
            except ConditionFailed as standing:
                # Also after our own write whose reply was lost: then the token is there.
                item = standing.item
                time.sleep(pause_seconds(attempt))
            else:
                return
        raise TemporarilyUnavailable

    def leave(self, organization_id: str, token: str) -> None:
        """Returns a lease. One that can't be returned now ends by itself: that is only logged."""
        key = self._key(organization_id)
        try:
            self._table.write(Update(key, remove=[lease_attribute(token)], condition=PRESENT))
        except ConditionFailed:
            return  # idle for so long that the item is gone, and the lease with it
        except TemporarilyUnavailable:
            logger.warning("lease not returned", what=self._what, organization_id=organization_id)

    @contextmanager
    def held(
        self, organization_id: str, token: str, limit: Limit, now: datetime, lease: timedelta
    ) -> Iterator[None]:
        """Enters, and leaves at the end of the block. Raises as `enter`."""
        self.enter(organization_id, token, limit, now, lease)
        try:
            yield
        finally:
            self.leave(organization_id, token)

    def _key(self, organization_id: str) -> Key:
        return Key(limits_pk(organization_id), self._what)


def usage_in(item: Item | None) -> Usage:
    """What an item says of the use of a thing; nothing of one that was never used."""
    if item is None or "revision" not in item:
        return Usage()
    leases = {
        name.removeprefix(_LEASE): until for name, until in item.items() if name.startswith(_LEASE)
    }
    return Usage(item["minute"], item["count"], item["before"], leases)


def lease_attribute(token: str) -> str:
    """The attribute that a lease is, to be removed when it is returned."""
    return _LEASE + token


def entering(
    key: Key, item: Item | None, before: Usage, after: Usage, values: Mapping[str, Any]
) -> Update:
    """The write of `after`, of what was read as `item`, with more `values`.

    Only what this caller changes: a lease that is returned at the same time stays returned.
    """
    revision = item.get("revision") if item else None
    unchanged: Condition = without("revision") if revision is None else equals("revision", revision)
    taken: dict[str, Any] = {
        _LEASE + token: until
        for token, until in after.leases.items()
        if before.leases.get(token) != until
    }
    return Update(
        key,
        values={
            "minute": after.minute,
            "count": after.count,
            "before": after.before,
            "revision": (revision or 0) + 1,
            **values,
            **taken,
        },
        remove=[_LEASE + token for token in before.leases if token not in after.leases],
        condition=unchanged,
    )
