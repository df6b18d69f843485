"""Events and the health of spaces."""

from functools import cache
from typing import Any

from patchbay.health.model import Added, Event, EventBatch, accept
from patchbay.health.queries import EventQuery, HealthQuery
from patchbay.health.store import EventStore
from patchbay.health.summary import HealthSummary, summarize, window_start
from patchbay.platform.clock import utc_now
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Table
from patchbay.platform.http import HttpApi
from patchbay.platform.idempotency import Idempotency
from patchbay.platform.ids import Stamp
from patchbay.platform.lists import Listing, Lists
from patchbay.platform.settings import HealthSettings
from patchbay.tenancy.access import Permission, Principal, admit
from patchbay.tenancy.store import TenancyStore


@cache
def _tenants() -> TenancyStore:
    return TenancyStore(Table(HealthSettings.from_env().integrations_table))


@cache
def _events() -> EventStore:
    settings = HealthSettings.from_env()
    return EventStore(Table(settings.events_table), settings.raw_event_days)


@cache
def _lists() -> Lists:
    table = Table(HealthSettings.from_env().integrations_table)
    return Lists(table, CursorSeal(table))


@cache
def _idempotency() -> Idempotency:
    return Idempotency(Table(HealthSettings.from_env().integrations_table))


api = HttpApi(admit, tag="Health", idempotency=_idempotency)


@api.post("/spaces/<slug>/integration-events", permission=Permission.WRITE_EVENTS)
def add_events(caller: Principal, slug: str, body: EventBatch, stamp: Stamp) -> Added:
    """Record 1 to 100 events of a space: all of them are valid, or none is stored."""
    space = _tenants().space_for(caller, Permission.WRITE_EVENTS, slug)
    events = accept(body, space.id, stamp, _events().oldest(stamp.now))
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
    return summarize(buckets, query.days, space.id)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
