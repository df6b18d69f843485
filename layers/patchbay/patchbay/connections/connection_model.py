"""Connections, snake_case."""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field

from patchbay.connections.config_values import Values
from patchbay.connections.endpoint_model import EndpointFilters
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.plans import PlanPlace
from patchbay.connections.wheel import MonitorInterval
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import (
    DestinationId,
    NamedDestinationId,
    NamedSourceId,
    Slug,
    SourceId,
)
from patchbay.platform.lists import ListQuery, SearchText
from patchbay.platform.model import Model
from patchbay.platform.validation import DisplayName, NotNull, NullIs
from patchbay.registry.naming import Category
from patchbay.tenancy.model import Space


class _Input(Model):
    model_config = ConfigDict(extra="forbid")


class Monitor(Model):
    """Whether and how often a connection is tested in the background, while it is active."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = False
    interval: MonitorInterval = MonitorInterval.FIVE_MINUTES


class MonitorPatch(Model):
    """Fields that are left out stay; null resets to the default."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool | None = None
    interval: MonitorInterval | None = None


class NewConnection(_Input):
    """The body of a create. The configurations of a draft are checked when it becomes active."""

    EXAMPLE: ClassVar = {
        "name": "Tracker to warehouse",
        "source_id": "src_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "destination_id": "dst_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "space": "acme-production",
        "monitor": {"enabled": True, "interval": "5m"},
    }

    name: DisplayName
    source_id: NamedSourceId
    destination_id: NamedDestinationId | None = None
    configurations: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    space: Slug
    monitor: Annotated[Monitor, NullIs(Monitor)] = Field(default_factory=Monitor)
    record_uses: Annotated[bool, NullIs(lambda: False)] = False
    status: Annotated[
        Literal[Lifecycle.DRAFT, Lifecycle.ACTIVE], NullIs(lambda: Lifecycle.ACTIVE)
    ] = Lifecycle.ACTIVE


class ConnectionPatch(_Input):
    """JSON merge patch of a connection: fields that are left out stay, null removes.

    The source and the space of a connection can't be changed.
    """

    EXAMPLE: ClassVar = {"monitor": {"enabled": True, "interval": "1h"}}

    name: Annotated[DisplayName | None, NotNull()] = None
    destination_id: NamedDestinationId | None = None
    configurations: Values | None = None
    monitor: MonitorPatch | None = None
    record_uses: Annotated[bool | None, NotNull()] = None
    status: Annotated[Lifecycle | None, NotNull()] = None


class Health(Model):
    """How a connection is doing, according to its last tests.

    `since` is when the status began. With a monitor, one failure does not make a connection fail
    yet, and one success does not end its failing. The error goes with the status: there is none
    while it is connected, and while it fails it is that of its last failure. `checked_at`,
    `latency_ms`, and the consecutive counts are of the newest tests.
    """

    status: HealthStatus
    since: UtcTime | None
    checked_at: UtcTime | None
    latency_ms: int | None
    error_code: str | None
    error_message: str | None
    consecutive_failures: int = 0
    consecutive_successes: int = 0


UNTESTED: Final = Health(
    status=HealthStatus.UNKNOWN,
    since=None,
    checked_at=None,
    latency_ms=None,
    error_code=None,
    error_message=None,
)


class Connection(Model):
    """A source, optionally joined to a destination, in a space."""

    id: str
    organization_id: str
    name: str
    source_id: str
    destination_id: str | None
    configurations: dict[str, Any]
    space: str
    space_id: str
    monitor: Monitor
    record_uses: bool = False
    status: Lifecycle
    health: Health
    required_action: RequiredAction
    created_at: UtcTime
    updated_at: UtcTime
    owns_source: bool = Field(exclude=True)
    """Whether it was created together with its source, and is deleted together with it."""
    stated_status: HealthStatus | None = Field(exclude=True)
    """The status that a caller of the operations set, until the next test."""
    watched_since: UtcTime | None = Field(default=None, exclude=True)
    """Since when a success is waited for: see `connection_changes.watched_anew`."""
    state: dict[str, Any] = Field(default_factory=dict, exclude=True)
    """The stored `HealthState`, which its health follows from."""
    plans: tuple[PlanPlace, ...] = Field(default=(), exclude=True)
    """Where its plans are, in the order of their minutes: two while it is moved. None if it is not
    monitored, or is in the index `monitor_slot`."""
    planned_from: int | None = Field(default=None, exclude=True)
    """The first minute that its first plan is for, if it was in the index `monitor_slot` before."""
    revision: int = Field(exclude=True)

    @property
    def is_monitored(self) -> bool:
        """Whether it has a place on the wheel."""
        return self.monitor.enabled and self.status is Lifecycle.ACTIVE

    @property
    def word(self) -> HealthStatus:
        """The one status that the operations have for lifecycle and health."""
        if self.stated_status:
            return self.stated_status
        if self.status in (Lifecycle.PAUSED, Lifecycle.DISABLED):
            return HealthStatus.DISCONNECTED
        return self.health.status


class ConnectionQuery(EndpointFilters):
    """`status` is the lifecycle, `health` that of the last tests, `q` part of the name, in any
    case. The filters of endpoints, and `category`, are those of the source."""

    space: Slug | None = None
    source_id: SourceId | None = None
    destination_id: DestinationId | None = None
    status: Lifecycle | None = None
    health: HealthStatus | None = None
    category: Category | None = None
    q: SearchText | None = None

    @property
    def asks_about_sources(self) -> bool:
        """Whether connections are chosen by their sources."""
        of_sources = {*EndpointFilters.model_fields, "category"} - ListQuery.model_fields.keys()
        return bool(self.filters().keys() & of_sources)

    def within(self, space: Space | None) -> Self:
        """The same query, which names this space. None leaves it as it is."""
        return self.model_copy(update={"space": space.slug}) if space else self
