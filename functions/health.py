"""Events and the health of spaces."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.health.connection_overview import ConnectionHealth
from patchbay.health.model import Event, EventBatch, IngestResult
from patchbay.health.organization_overview import SpaceHealth
from patchbay.health.queries import (
    EventQuery,
    HealthQuery,
    OrganizationHealthQuery,
    SeriesQuery,
)
from patchbay.health.series import HealthSeries
from patchbay.health.summary import HealthSummary
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi
from patchbay.platform.ids import Stamp
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.lists import Listing, ListQuery
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.model import Space

deployment = Deployment(at_start=("tenants", "health_reader"))
api = HttpApi("Health", lambda: deployment)


@api.post("/spaces/<slug>/integration-events", permission=Permission.WRITE_EVENTS, in_space=True)
def add_events(space: Space, body: EventBatch, stamp: Stamp) -> IngestResult:
    """Record 1 to 100 events of a space; if one is invalid, none is stored."""
    return deployment.event_store.add_batch(space.id, body, stamp)


@api.get("/spaces/<slug>/integration-events", permission=Permission.READ, in_space=True)
def list_events(caller: Principal, space: Space, query: EventQuery) -> Listing[Event]:
    """List the events of a space, newest first."""
    return deployment.health_reader.events(space, caller.organization_id, query, utc_now())


@api.get("/spaces/<slug>/integration-health", permission=Permission.READ, in_space=True)
def get_health(space: Space, query: HealthQuery) -> HealthSummary:
    """Summarize the health of a space over the last days: exact counts and rates."""
    return deployment.health_reader.summary(space, query, utc_now())


@api.get("/spaces/<slug>/integration-health/series", permission=Permission.READ, in_space=True)
def get_health_series(space: Space, query: SeriesQuery) -> HealthSeries:
    """Read the health of a space over time: a point for each hour or day, gaps included."""
    return deployment.health_reader.series(space, query, utc_now())


@api.get("/spaces/<slug>/integration-health/connections", permission=Permission.READ, in_space=True)
def list_connection_health(
    caller: Principal, space: Space, query: ListQuery
) -> Listing[ConnectionHealth]:
    """List the connections of a space, worst first: status, last success, required action."""
    return deployment.health_reader.connections(space, caller.organization_id, query, utc_now())


@api.get("/v1/organizations/<organization_id>/integration-health", permission=Permission.READ)
def list_space_health(
    caller: Principal, organization_id: str, query: OrganizationHealthQuery
) -> Listing[SpaceHealth]:
    """Compare the spaces of an organization, worst first, with the previous period."""
    return deployment.health_reader.spaces(
        organization_id, caller.organization_id, query, utc_now()
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
