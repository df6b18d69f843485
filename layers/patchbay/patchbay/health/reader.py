"""What callers read of events and health: summaries, and lists with sealed cursors."""

from collections.abc import Callable
from datetime import datetime

from patchbay.health.connection_overview import ConnectionHealth, ConnectionOverview, ConnectionPage
from patchbay.health.model import Event
from patchbay.health.organization_overview import OrganizationOverview, SpaceHealth, SpacePage
from patchbay.health.queries import EventQuery, HealthQuery, OrganizationHealthQuery, SeriesQuery
from patchbay.health.series import HealthSeries, SeriesInterval, points_of
from patchbay.health.store import EventPage, EventStore
from patchbay.health.summary import HealthSummary, summarize, window_start
from patchbay.platform.lists import Listing, ListQuery, Lists, Position
from patchbay.tenancy.model import Space


class HealthReader:
    """The use cases that read. `tenant` is the organization of the caller, which cursors are bound
    to. The lists raise `InvalidCursor`."""

    def __init__(
        self,
        events: EventStore,
        connections: Callable[[], ConnectionOverview],
        organizations: OrganizationOverview,
        lists: Lists,
    ) -> None:
        self._events = events
        self._connections = connections
        self._organizations = organizations
        self._lists = lists

    def events(self, space: Space, tenant: str, query: EventQuery, now: datetime) -> Listing[Event]:
        """The events of a space, newest first."""

        def page(start: Position | None) -> EventPage:
            return self._events.list_events(
                space.id,
                now=now,
                limit=query.limit,
                start=start,
                integration_type=query.integration_type,
                status=query.status,
                connection_id=query.connection_id,
                since=query.since,
                until=query.until,
            )

        return self._lists.computed(tenant, f"events of {space.id}", query, now, page)

    def summary(self, space: Space, query: HealthQuery, now: datetime) -> HealthSummary:
        buckets = self._events.buckets_since(space.id, window_start(now, query.days))
        return summarize((query.counted(bucket) for bucket in buckets), query.days, space.id)

    def series(self, space: Space, query: SeriesQuery, now: datetime) -> HealthSeries:
        """Raises `InvalidInput` for a series by hours that is too long."""
        query.require_affordable()
        start = window_start(now, query.days)
        hourly = query.interval is SeriesInterval.HOUR
        counts = self._events.counts_since(space.id, start, hourly=hourly)
        counted = {period: query.counted(bucket) for period, bucket in counts.items()}
        return HealthSeries(
            space_id=space.id,
            period_days=query.days,
            interval=query.interval,
            integration_type=query.integration_type,
            points=points_of(counted, start, now, query.interval),
        )

    def connections(
        self, space: Space, tenant: str, query: ListQuery, now: datetime
    ) -> Listing[ConnectionHealth]:
        """The connections of a space, worst first."""

        def page(start: Position | None) -> ConnectionPage:
            return self._connections().page(space, now=now, limit=query.limit, start=start)

        return self._lists.computed(tenant, f"connections' health of {space.id}", query, now, page)

    def spaces(
        self, organization_id: str, tenant: str, query: OrganizationHealthQuery, now: datetime
    ) -> Listing[SpaceHealth]:
        """The spaces of an organization, worst first."""

        def page(start: Position | None) -> SpacePage:
            return self._organizations.page(
                organization_id,
                days=query.days,
                now=now,
                limit=query.limit,
                start=start,
                counted=query.counted,
            )

        return self._lists.computed(tenant, f"health of {organization_id}", query, now, page)
