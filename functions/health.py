"""Events and the health of spaces."""

from functools import cache
from typing import Any

from patchbay.health.connection_overview import ConnectionHealth, ConnectionOverview
from patchbay.health.model import Event, EventBatch, IngestResult, accept_batch
from patchbay.health.organization_overview import OrganizationOverview, SpaceHealth
from patchbay.health.queries import (
    EventQuery,
    HealthQuery,
    OrganizationHealthQuery,
    SeriesQuery,
)
from patchbay.health.series import HealthSeries, SeriesInterval, points_of
from patchbay.health.store import EventStore
from patchbay.health.summary import HealthSummary, summarize, window_start
from patchbay.platform.clock import utc_now
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Table
from patchbay.platform.http import HttpApi
from patchbay.platform.idempotency import Idempotency
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.settings import HealthSettings
from patchbay.tenancy.access import Permission, Principal, admit
from patchbay.tenancy.store import TenancyStore


@cache
def _table() -> Table:
    return Table(HealthSettings.from_env().integrations_table)


@cache
def _tenants() -> TenancyStore:
    return TenancyStore(_table())


@cache
def _events() -> EventStore:
    settings = HealthSettings.from_env()
    return EventStore(Table(settings.events_table), settings.raw_event_days)


@cache
def _lists() -> Lists:
    return Lists(_table(), CursorSeal(_table()))


@cache
def _idempotency() -> Idempotency:
    return Idempotency(_table())


api = HttpApi(admit, tag="Health", idempotency=_idempotency)


@api.post("/spaces/<slug>/integration-events", permission=Permission.WRITE_EVENTS)
def add_events(caller: Principal, slug: str, body: EventBatch, stamp: Stamp) -> IngestResult:
    """Record 1 to 100 events of a space: all of them are valid, or none is stored."""
    space = _tenants().space_for(caller, Permission.WRITE_EVENTS, slug)
    events = accept_batch(body, space.id, stamp, _events().oldest(stamp.now))
    return _events().add(events, stamp.now)


@api.get("/spaces/<slug>/integration-events", permission=Permission.READ)
def list_events(caller: Principal, slug: str, query: EventQuery) -> Listing[Event]:
    """List the events of a space, newest first."""
    space = _tenants().space_for(caller, Permission.READ, slug)
    now = utc_now()
    scope = Lists.scope(caller.organization_id, f"events of {space.id}", "", query)
    page = _events().list_events(
        space.id,
        now=now,
        limit=query.limit,
        start=_lists().position(query, scope, now),
        integration_type=query.integration_type,
        status=query.status,
        connection_id=query.connection_id,
        since=query.since,
        until=query.until,
    )
    return Listing(items=page.items, next_cursor=_lists().next_cursor(page.next_start, scope, now))


@api.get("/spaces/<slug>/integration-health", permission=Permission.READ)
def get_health(caller: Principal, slug: str, query: HealthQuery) -> HealthSummary:
    """The health of a space over the last days: exact counts and rates."""
    space = _tenants().space_for(caller, Permission.READ, slug)
    buckets = _events().buckets_since(space.id, window_start(utc_now(), query.days))
    return summarize((query.counted(bucket) for bucket in buckets), query.days, space.id)


@api.get("/spaces/<slug>/integration-health/series", permission=Permission.READ)
def get_health_series(caller: Principal, slug: str, query: SeriesQuery) -> HealthSeries:
    """The health of a space over time: a point for each hour or day, gaps included."""
    query.require_affordable()
    space = _tenants().space_for(caller, Permission.READ, slug)
    now = utc_now()
    start = window_start(now, query.days)
    counts = _events().counts_since(space.id, start, hourly=query.interval is SeriesInterval.HOUR)
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
    caller: Principal, slug: str, query: ListQuery
) -> Listing[ConnectionHealth]:
    """The connections of a space, worst first: status, last success, what has to be done."""
    space = _tenants().space_for(caller, Permission.READ, slug)
    now = utc_now()
    scope = Lists.scope(caller.organization_id, f"connections' health of {space.id}", "", query)
    page = ConnectionOverview(_table()).page(
        space, now=now, limit=query.limit, start=_lists().position(query, scope, now)
    )
    return Listing(items=page.items, next_cursor=_lists().next_cursor(page.next_start, scope, now))


@api.get("/v1/organizations/<organization_id>/integration-health", permission=Permission.READ)
def list_space_health(
    caller: Principal, organization_id: str, query: OrganizationHealthQuery
) -> Listing[SpaceHealth]:
    """The spaces of an organization side by side, worst first, with the period before."""
    now = utc_now()
    scope = Lists.scope(caller.organization_id, f"health of {organization_id}", "", query)
    page = OrganizationOverview(_tenants(), _events()).page(
        organization_id,
        days=query.days,
        now=now,
        limit=query.limit,
        start=_lists().position(query, scope, now),
        counted=query.counted,
    )
    return Listing(items=page.items, next_cursor=_lists().next_cursor(page.next_start, scope, now))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
