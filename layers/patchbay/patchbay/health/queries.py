"""What a caller may ask of events and health: the query strings."""

from pydantic import BaseModel, ConfigDict

from patchbay.health.model import EventStatus, IntegrationType
from patchbay.health.summary import DEFAULT_DAYS, PeriodDays
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import ConnectionId
from patchbay.platform.lists import ListQuery


class EventQuery(ListQuery):
    """`since` is included, `until` is not."""

    integration_type: IntegrationType | None = None
    status: EventStatus | None = None
    connection_id: ConnectionId | None = None
    since: UtcTime | None = None
    until: UtcTime | None = None


class HealthQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    days: PeriodDays = DEFAULT_DAYS
