"""The query strings of events and health."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field

from patchbay.health.buckets import Bucket
from patchbay.health.model import EventStatus, IntegrationType
from patchbay.health.series import MAX_HOURLY_DAYS, SeriesInterval
from patchbay.health.summary import DEFAULT_DAYS, PeriodDays
from patchbay.platform.clock import UtcTime
from patchbay.platform.errors import InvalidInput
from patchbay.platform.ids import ConnectionId
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model
from patchbay.platform.validation import Spelled


class ExcludeBlame(StrEnum):
    """Whose failures do not count as errors of the integration."""

    PLATFORM = "platform"
    NONE = "none"


_TYPE: Final = f"(?:{'|'.join(IntegrationType)})"
TypeNames = Annotated[
    str,
    Spelled(
        f"^{_TYPE}(?:,{_TYPE}){{0,{len(IntegrationType) - 1}}}$",
        f"must be one or more of {', '.join(IntegrationType)}, separated by commas",
    ),
]
"""Integration types in a query string."""


class EventQuery(ListQuery):
    """`since` is inclusive, `until` exclusive."""

    integration_type: IntegrationType | None = None
    status: EventStatus | None = None
    connection_id: ConnectionId | None = None
    since: UtcTime | None = None
    until: UtcTime | None = None


class HealthQuery(Model):
    model_config = ConfigDict(extra="forbid")

    days: PeriodDays = DEFAULT_DAYS
    exclude_blame: Annotated[
        ExcludeBlame,
        Field(description="`none` counts platform faults as errors"),
    ] = ExcludeBlame.PLATFORM

    exclude_type: Annotated[
        TypeNames | None,
        Field(description="types that do not count, separated by commas; by default all count"),
    ] = None

    def counted(self, bucket: Bucket) -> Bucket:
        """The bucket with its events counted as the query asks."""
        if self.exclude_type:
            bucket = bucket.without_types(self.exclude_type.split(","))
        if self.exclude_blame is ExcludeBlame.NONE:
            return bucket.with_faults_as_errors()
        return bucket


class SeriesQuery(HealthQuery):
    interval: SeriesInterval = SeriesInterval.DAY
    integration_type: IntegrationType | None = None

    def counted(self, bucket: Bucket) -> Bucket:
        counted = super().counted(bucket)
        return counted.of_type(self.integration_type) if self.integration_type else counted

    def require_affordable(self) -> Self:
        """Raises `InvalidInput` for a series by hours that is too long."""
        if self.interval is SeriesInterval.HOUR and self.days > MAX_HOURLY_DAYS:
            raise InvalidInput.at(
                "/query/days", f"must be at most {MAX_HOURLY_DAYS} with interval=hour"
            )
        return self


class OrganizationHealthQuery(HealthQuery, ListQuery):
    """The query of the overview of an organization's spaces."""
