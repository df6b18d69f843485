"""A status page, as everybody sees it who has its address.

It has no ids, no texts of errors, and no names but its own and, if its space shows them, those of
connections.
"""

from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict

from patchbay.health.model import IntegrationType
from patchbay.platform.clock import UtcSecond
from patchbay.platform.model import Model


class StatusState(StrEnum):
    """How a space is doing now. `down`: nothing succeeds. `degraded`: something fails."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"
    NO_DATA = "no_data"


class ConnectionState(StrEnum):
    """How a connection is doing now. `unknown`: it was not tested, or not lately."""

    WORKING = "working"
    FAILING = "failing"
    UNKNOWN = "unknown"
    PAUSED = "paused"


class DayStatus(Model):
    """The counts of one day of UTC."""

    date: str
    total: int
    success: int
    errors: int
    success_rate: float
    no_data: bool


class PeriodStatus(Model):
    """The counts of the last days of UTC, today included."""

    period_days: int
    total: int
    success: int
    errors: int
    success_rate: float
    no_data: bool
    p50_ms: int | None


class TypeStatus(Model):
    """The counts of one type of work over all days of the page."""

    integration_type: IntegrationType
    total: int
    success: int
    errors: int
    success_rate: float


class ShownConnection(Model):
    """A connection that is in service."""

    name: str
    state: ConnectionState


class ShownAlert(Model):
    """A firing alert in words of ours: what its rule watches for."""

    summary: str
    severity: Literal["info", "warning", "critical"]
    since: UtcSecond


class StatusReport(Model):
    """A status page. `connections` is null if its space does not show them."""

    name: str
    state: StatusState
    summary: str
    updated_at: UtcSecond
    periods: list[PeriodStatus]
    days: list[DayStatus]
    by_integration_type: list[TypeStatus]
    alerts: list[ShownAlert]
    more_alerts: bool
    connections: list[ShownConnection] | None
    more_connections: bool


class BadgeQuery(Model):
    """`named` puts the name of the page before the label."""

    model_config = ConfigDict(extra="forbid")

    days: Literal["7", "30", "90"] = "30"
    named: Literal["true", "false"] = "false"
