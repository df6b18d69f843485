"""How the connections of a space are doing, worst first.

They are ranked by how much they need attention: in error, disconnected, without a success for too
long, never tested, working, and those that are not active. Within a rank, the longest come first.

A query of the index returns connections in the order of their ids, so ranking needs all of them. It
is bounded: up to `BLOCK` connections are ranked together. If there are more, they follow, ranked as
the next block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.lifecycle import Lifecycle
from patchbay.platform.clock import UtcTime, to_sortable
from patchbay.platform.model import Model
from patchbay.tenancy.model import Space
from patchbay.tenancy.store import TenancyStore

if TYPE_CHECKING:
    from patchbay.connections.connection_summaries import ConnectionSummaries, ConnectionSummary

BLOCK: Final = 1000

_MISSED: Final = 2
"""A connection is stale when more than this many of its intervals have passed without a success."""

_ALWAYS: Final = ""
"""Sorts before every time, for a status that a connection has always had."""

_ERROR, _DISCONNECTED, _STALE, _UNKNOWN, _CONNECTED, _RESTING = range(6)
_RANKS: Final = {
    HealthStatus.ERROR: _ERROR,
    HealthStatus.DISCONNECTED: _DISCONNECTED,
    HealthStatus.UNKNOWN: _UNKNOWN,
    HealthStatus.CONNECTED: _CONNECTED,
}


class ConnectionHealth(Model):
    """One connection. `lifecycle` is set by its owner, `status` by its tests.

    `last_success_at` and `error_code` are of its tests. `stale` is true for a monitored connection
    without a success for two of its intervals of being monitored: the time before its monitor was
    enabled, resumed, or given another interval does not count. `interval_seconds` is null while
    nothing is tested in the background, also because the space or the organization is paused.
    """

    connection_id: str
    name: str
    lifecycle: Lifecycle
    status: HealthStatus
    since: UtcTime | None
    checked_at: UtcTime | None
    last_success_at: UtcTime | None
    seconds_since_success: int | None
    interval_seconds: int | None
    stale: bool
    required_action: RequiredAction
    error_code: str | None


type RankedPosition = tuple[int, str, str]
"""Rank, since, and id: the position of a connection in its block."""


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """`next_start` is where the next page starts, None on the last page."""

    items: list[ConnectionHealth]
    next_start: dict[str, Any] | None


class ConnectionOverview:
    """Ranks the connections of spaces, as the integrations table has them."""

    def __init__(self, connections: "ConnectionSummaries", tenants: TenancyStore) -> None:
        self._connections = connections
        self._tenants = tenants

    def page(
        self, space: Space, *, now: datetime, limit: int, start: Mapping[str, Any] | None
    ) -> ConnectionPage:
        """One page, worst first. `start` is the `next_start` of the previous page of the space.

        A connection whose health changes between two pages may be listed twice or not at all.
        """
        block = start["block"] if start else None
        after: RankedPosition = (-1, "", "")
        if start and start["after"]:
            rank, since, connection_id = start["after"]
            after = (rank, since, connection_id)
        items = self._block(space, block, BLOCK)
        last_id = items[-1].id if len(items) == BLOCK else None
        organization = self._tenants.organization(space.organization_id)
        paused = space.paused or organization.paused
        resumed = [at for at in (space.resumed_at, organization.resumed_at) if at]
        shown_items = (_health(item, now, resumed, paused=paused) for item in items)
        ranked = sorted(
            ((_position(one), one) for one in shown_items),
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

    def _block(self, space: Space, after_id: str | None, limit: int) -> "list[ConnectionSummary]":
        return self._connections.block(space.organization_id, space.id, after_id, limit)


def _health(
    one: "ConnectionSummary", now: datetime, resumed: Sequence[datetime], *, paused: bool
) -> ConnectionHealth:
    """`resumed` has the ends of the last pauses of its space and its organization; `paused` is
    whether one of them is paused."""
    interval = one.interval.duration if one.interval and not paused else None
    last_success = one.last_success_at
    quiet_since = max(one.watched_since, last_success or one.watched_since, *resumed)
    return ConnectionHealth(
        connection_id=one.id,
        name=one.name,
        lifecycle=one.lifecycle,
        status=one.status,
        since=one.since,
        checked_at=one.checked_at,
        last_success_at=last_success,
        seconds_since_success=(
            int((now - last_success).total_seconds()) if last_success is not None else None
        ),
        interval_seconds=int(interval.total_seconds()) if interval else None,
        stale=interval is not None and now - quiet_since > _MISSED * interval,
        required_action=one.required_action,
        error_code=one.error_code,
    )


def _position(one: ConnectionHealth) -> RankedPosition:
    since = to_sortable(one.since) if one.since else _ALWAYS
    return _rank(one), since, one.connection_id


def _rank(one: ConnectionHealth) -> int:
    if one.lifecycle is not Lifecycle.ACTIVE:
        return _RESTING
    rank = _RANKS[one.status]
    return min(rank, _STALE) if one.stale else rank
