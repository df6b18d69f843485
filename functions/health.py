"""Events and the health of spaces."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.health.connection_overview import ConnectionHealth
from patchbay.health.model import Event, EventBatch, IngestResult, accept_batch
from patchbay.health.organization_overview import SpaceHealth
from patchbay.health.queries import (
    EventQuery,
    HealthQuery,
    OrganizationHealthQuery,
    SeriesQuery,
)
from patchbay.health.series import HealthSeries, SeriesInterval, points_of
from patchbay.health.summary import HealthSummary, summarize, window_start
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.model import Space

deployment = Deployment(at_start=("tenants", "event_store"))
api = HttpApi("Health", lambda: deployment)


@api.post("/spaces/<slug>/integration-events", permission=Permission.WRITE_EVENTS)
def add_events(space: Space, body: EventBatch, stamp: Stamp) -> IngestResult:
    """Record 1 to 100 events of a space: all of them are valid, or none is stored."""
    events = accept_batch(body, space.id, stamp, deployment.event_store.oldest(stamp.now))
    return deployment.event_store.add(events, stamp.now)


@api.get("/spaces/<slug>/integration-events", permission=Permission.READ)
def list_events(caller: Principal, space: Space, query: EventQuery) -> Listing[Event]:
    """List the events of a space, newest first."""
    now = utc_now()
    scope = Lists.scope(caller.organization_id, f"events of {space.id}", "", query)
    page = deployment.event_store.list_events(
        space.id,
        now=now,
        limit=query.limit,
        start=deployment.lists.position(query, scope, now),
        integration_type=query.integration_type,
        status=query.status,
        connection_id=query.connection_id,
        since=query.since,
        until=query.until,
    )
    return Listing(
        items=page.items, next_cursor=deployment.lists.next_cursor(page.next_start, scope, now)
    )


@api.get("/spaces/<slug>/integration-health", permission=Permission.READ)
def get_health(space: Space, query: HealthQuery) -> HealthSummary:
    """The health of a space over the last days: exact counts and rates."""
    buckets = deployment.event_store.buckets_since(space.id, window_start(utc_now(), query.days))
    return summarize((query.counted(bucket) for bucket in buckets), query.days, space.id)


@api.get("/spaces/<slug>/integration-health/series", permission=Permission.READ)
def get_health_series(space: Space, query: SeriesQuery) -> HealthSeries:
    """The health of a space over time: a point for each hour or day, gaps included."""
    query.require_affordable()
    now = utc_now()
    start = window_start(now, query.days)
    counts = deployment.event_store.counts_since(
        space.id, start, hourly=query.interval is SeriesInterval.HOUR
    )
    chosen = {period: query.counted(bucket) for period, bucket in counts.items()}
    return HealthSeries(
        space_id=space.id,
        period_days=query.days,
        interval=query.interval,
        integration_type=query.integration_type,
        points=points_of(chosen, start, now, query.interval),
    )


@api.get("/spaces/<slug>/integration-health/connections", permission=Permission.READ)
def list_connection_health(
    caller: Principal, space: Space, query: ListQuery
) -> Listing[ConnectionHealth]:
    """The connections of a space, worst first: status, last success, what has to be done."""
    now = utc_now()
    scope = Lists.scope(caller.organization_id, f"connections' health of {space.id}", "", query)
    page = deployment.connection_overview.page(
        space, now=now, limit=query.limit, start=deployment.lists.position(query, scope, now)
    )
    return Listing(
        items=page.items, next_cursor=deployment.lists.next_cursor(page.next_start, scope, now)
    )


@api.get("/v1/organizations/<organization_id>/integration-health", permission=Permission.READ)
def list_space_health(
    caller: Principal, organization_id: str, query: OrganizationHealthQuery
) -> Listing[SpaceHealth]:
    """The spaces of an organization side by side, worst first, with the period before."""
    now = utc_now()
    scope = Lists.scope(caller.organization_id, f"health of {organization_id}", "", query)
    page = deployment.organization_overview.page(
        organization_id,
        days=query.days,
        now=now,
        limit=query.limit,
        start=deployment.lists.position(query, scope, now),
        counted=query.counted,
    )
    return Listing(
        items=page.items, next_cursor=deployment.lists.next_cursor(page.next_start, scope, now)
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
