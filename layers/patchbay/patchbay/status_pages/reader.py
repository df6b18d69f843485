"""Status pages, as they are asked for: from the token of an address to the report.

Whether there is a page is looked up for each request, so one that was switched off is gone at once,
and so is what it no longer shows. Its figures may be half a minute old: a page that many look at
costs one reading each half minute at each instance of the function.
"""

from datetime import datetime, timedelta
from typing import Final

from patchbay.alerts.store import AlertStore
from patchbay.connections.connection_summaries import ConnectionSummaries
from patchbay.connections.lifecycle import Lifecycle
from patchbay.health.connection_overview import ConnectionOverview
from patchbay.health.store import EventStore
from patchbay.platform.errors import NotFound, RateLimited
from patchbay.status_pages.judgment import (
    days_of,
    periods_of_page,
    ranges,
    recent_of,
    sentence,
    shown_alerts,
    shown_connections,
    state_of,
    types_of,
)
from patchbay.status_pages.model import StatusReport
from patchbay.tenancy.fair_cache import FairCache
from patchbay.tenancy.model import Space
from patchbay.tenancy.request_rates import RequestRates
from patchbay.tenancy.status_links import StatusLinks

MAX_SHOWN_ALERTS: Final = 20
MAX_SHOWN_CONNECTIONS: Final = 100
"""Those that need attention most."""

MAX_REQUESTS_PER_MINUTE: Final = 600
"""Of one status page, and of all addresses that lead to none together, at each instance."""

MAX_CACHED: Final = 200
"""Reports, of some 15 KB each."""

_CACHED_FOR: Final = timedelta(seconds=30)


class StatusPageReader:
    """The reports of status pages."""

    def __init__(
        self,
        links: StatusLinks,
        events: EventStore,
        alerts: AlertStore,
        connections: ConnectionSummaries,
        overview: ConnectionOverview,
    ) -> None:
        self._links = links
        self._events = events
        self._alerts = alerts
        self._connections = connections
        self._overview = overview
        self._rates = RequestRates(MAX_REQUESTS_PER_MINUTE)
        self._cached: FairCache[tuple[str, int], StatusReport] = FairCache(MAX_CACHED)

    def report(self, token: str, now: datetime) -> StatusReport:
        """Raises `NotFound` and `RateLimited`."""
        try:
            link = self._links.link(token)
        except NotFound:
            self._take_turn("", now)
            raise
        # The page is found first: a flood of guesses takes no page's turn.
        self._take_turn(link.space_id, now)
        key = (link.token, link.revision)
        if known := self._cached.get(key, now):
            return known[1]
        made = self._made(self._links.space(link), now)
        self._cached.put(key, link.organization_id, now + _CACHED_FOR, made)
        return made

    def _take_turn(self, page: str, now: datetime) -> None:
        if wait := self._rates.seconds_to_wait(page, now):
            raise RateLimited("This status page is asked for too often.", wait)

    def _made(self, space: Space, now: datetime) -> StatusReport:
        counts = self._events.counts_between(space.id, ranges(now))
        recent = recent_of(counts, now)
        firing = self._alerts.firing(space.id, MAX_SHOWN_ALERTS)
        failing = sum(
            one.lifecycle is Lifecycle.ACTIVE for one in self._connections.failing(space.id)
        )
        state = state_of(recent.tally, firing.count, failing)
        page = space.status_page
        listed = (
            self._overview.page(space, now=now, limit=MAX_SHOWN_CONNECTIONS, start=None)
            if page.show_connections
            else None
        )
        return StatusReport(
            name=page.title or space.name,
            state=state,
            summary=sentence(state, recent, firing.count, failing),
            updated_at=now,
            periods=periods_of_page(counts, now),
            days=days_of(counts, now),
            by_integration_type=types_of(counts, now),
            alerts=shown_alerts(firing.alerts, with_names=page.show_connections),
            more_alerts=firing.count > len(firing.alerts),
            connections=shown_connections(listed.items) if listed else None,
            more_connections=bool(listed and listed.next_start),
        )
