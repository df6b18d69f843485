"""How the connections of a space are doing, worst first.

They are ranked by how much they need attention: in error, disconnected, without a success for too
long, never tested, working, and those that are not active. Within a rank, the longest come first.

A query of the index returns connections in the order of their ids, so ranking needs all of them. It
is bounded: up to `BLOCK` connections are ranked together. If there are more, they follow, ranked as
the next block.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from patchbay.connections.keys import connection_key, connections_of_space_pk
from patchbay.platform.clock import UtcTime, from_text, to_sortable
from patchbay.platform.dynamodb import Item, Table
from patchbay.platform.model import Model
from patchbay.tenancy.model import Space

BLOCK: Final = 1000

_INDEX: Final = "by_owner"
_READ: Final = (
    *("id", "name", "status", "health", "required_action", "monitor"),
    *("last_success_at", "created_at"),
)
_INTERVALS: Final = {
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
}
_MISSED: Final = 2
"""A connection is stale when more than this many of its intervals have passed without a success."""

_ALWAYS: Final = ""
"""Sorts before every time, for a status that a connection has always had."""

_ERROR, _DISCONNECTED, _STALE, _UNKNOWN, _CONNECTED, _RESTING = range(6)
_RANKS: Final[dict[str, int]] = {
    "error": _ERROR,
    "disconnected": _DISCONNECTED,
    "unknown": _UNKNOWN,
    "connected": _CONNECTED,
}
_ACTIVE: Final = "active"


class ConnectionHealth(Model):
    """One connection. `lifecycle` is set by its owner, `status` by its tests.

    `last_success_at` and `error_code` are of its tests. `stale` is true for a monitored connection
    without a success for two of its intervals.
    """

    connection_id: str
    name: str
    lifecycle: str
    status: Literal["connected", "disconnected", "error", "unknown"]
    since: UtcTime | None
    checked_at: UtcTime | None
    last_success_at: UtcTime | None
    seconds_since_success: int | None
    interval_seconds: int | None
    stale: bool
    required_action: str
    error_code: str | None


type Position = tuple[int, str, str]
"""Rank, since, and id: the position of a connection in its block."""


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """`next_start` is where the next page starts, None on the last page."""

    items: list[ConnectionHealth]
    next_start: dict[str, Any] | None


class ConnectionOverview:
    """Ranks the connections of spaces, as the integrations table has them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(
        self, space: Space, *, now: datetime, limit: int, start: Mapping[str, Any] | None
    ) -> ConnectionPage:
        """One page, worst first. `start` is the `next_start` of the previous page of the space.

        A connection whose health changes between two pages may be listed twice or not at all.
        """
        block = start["block"] if start else None
        after: Position = (-1, "", "")
        if start and start["after"]:
            rank, since, connection_id = start["after"]
            after = (rank, since, connection_id)
        items = self._block(space, block, BLOCK)
        last_id = items[-1]["id"] if len(items) == BLOCK else None
        ranked = sorted(
            ((_position(one), one) for one in (_health(item, now) for item in items)),
            key=lambda placed: placed[0],
        )
        left = [(at, one) for at, one in ranked if at > after]
        shown = left[:limit]
        next_start: dict[str, Any] | None = None
        if len(left) > limit:
            next_start = {"block": block, "after": list(shown[-1][0])}
        elif last_id and self._block(space, last_id, 1):
            next_start = {"block": last_id, "after": None}
        return ConnectionPage([one for _, one in shown], next_start)

    def _block(self, space: Space, after_id: str | None, limit: int) -> list[Item]:

        pk = connections_of_space_pk(space.id)
        start: Mapping[str, Any] | None = None
        if after_id:
            key = connection_key(space.organization_id, after_id)
            start = {**key._asdict(), f"{_INDEX}_pk": pk, f"{_INDEX}_sk": after_id}
        found: list[Item] = []
        while len(found) < limit:
            page = self._table.query(
                pk, index=_INDEX, start=start, limit=limit - len(found), attributes=_READ
            )
            found += page.items
            start = page.last_key
            if start is None:
                break
        return found


def _health(item: Item, now: datetime) -> ConnectionHealth:
    health = item["health"]
    monitor = item.get("monitor") or {}
    lifecycle = item["status"]
    last_success = from_text(item["last_success_at"]) if item.get("last_success_at") else None
    interval = None
    if monitor.get("enabled") and lifecycle == _ACTIVE:
        interval = _INTERVALS[monitor["interval"]]
    quiet_since = last_success or from_text(item["created_at"])
    return ConnectionHealth(
        connection_id=item["id"],
        name=item["name"],
        lifecycle=lifecycle,
        status=health["status"],
        since=health.get("since"),
        checked_at=health["checked_at"],
        last_success_at=last_success,
        seconds_since_success=(
            int((now - last_success).total_seconds()) if last_success is not None else None
        ),
        interval_seconds=int(interval.total_seconds()) if interval else None,
        stale=interval is not None and now - quiet_since > _MISSED * interval,
        required_action=item.get("required_action") or "none",
        error_code=health["error_code"],
    )


def _position(one: ConnectionHealth) -> Position:
    since = to_sortable(one.since) if one.since else _ALWAYS
    return _rank(one), since, one.connection_id


def _rank(one: ConnectionHealth) -> int:
    if one.lifecycle != _ACTIVE:
        return _RESTING
    rank = _RANKS[one.status]
    return min(rank, _STALE) if one.stale else rank
