"""The input and output of the operations `integrations.connection.*`, camelCase.

The shapes are those of the published operations; fields without a value are left out. `space`,
`limit`, `cursor`, and `nextCursor` are additions that callers may ignore.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Self

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from patchbay.connections.config_values import Values
from patchbay.connections.connection_model import Connection
from patchbay.connections.endpoint_model import (
    Endpoint,
    Environment,
    OwnershipMode,
    SecretProvider,
    SecretRef,
)
from patchbay.connections.health_status import HealthStatus
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import NamedConnectionId, Slug
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model
from patchbay.platform.validation import DisplayName, ExternalId, Spelled, WholeNumber
from patchbay.registry.naming import KEY_PATTERN
from patchbay.registry.versions import major

if TYPE_CHECKING:
    from patchbay.connections.usage_model import ConnectionUsage

MAX_RECORDS: Final = 1000

DottedKey = Annotated[
    str,
    Spelled(
        KEY_PATTERN.replace("/", r"\."),
        "must be the key of a publisher, a dot, and a slug, such as acme.tracker",
    ),
]
"""`publisher.slug`. Neither has a dot, so it is unambiguous."""


class _Input(Model):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class CreateConnection(_Input):
    """`integrationVersion` is the major version; `config` has the variables of the source."""

    EXAMPLE: ClassVar = {
        "tenantId": "org_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "integrationKey": "acme.tracker",
        "integrationVersion": 1,
        "label": "Tracker",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": "patchbay://src_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "config": {"path": "me"},
    }

    tenant_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    integration_key: DottedKey = Field(description="publisher.slug")
    integration_version: Annotated[int, Field(ge=0, le=999_999_999)]
    label: DisplayName
    ownership_mode: OwnershipMode
    external_account_id: ExternalId | None = None
    secret_provider: SecretProvider
    secret_ref: SecretRef = Field(
        description="patchbay://none, patchbay://<id of a source whose stored secrets to copy>, "
        "or aws://secretsmanager/<region>/<name>"
    )
    environment: Environment | None = None
    config: Values
    space: Slug | None = Field(
        default=None, description="an addition; by default the organization's oldest space"
    )


class UpdateConnection(_Input):
    """Fields that are left out or null stay as they are. `config` replaces all variables."""

    EXAMPLE: ClassVar = {
        "connectionId": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "label": "Tracker, Europe",
    }

    connection_id: NamedConnectionId
    label: DisplayName | None = None
    status: HealthStatus | None = Field(
        default=None,
        description="connected resumes, disconnected pauses, the others are recorded",
    )
    ownership_mode: OwnershipMode | None = None
    external_account_id: ExternalId | None = None
    secret_provider: SecretProvider | None = None
    secret_ref: SecretRef | None = None
    config: Values | None = None


class DeleteConnection(_Input):
    EXAMPLE: ClassVar = {"connectionId": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV"}

    connection_id: NamedConnectionId


class Deleted(Model):
    success: bool = True


class ListConnections(ListQuery):
    """`status` is that of the records, `category` that of their integrations."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    tenant_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    category: Annotated[str, StringConstraints(max_length=64)] | None = None
    status: HealthStatus | None = None
    limit: Annotated[WholeNumber, Field(ge=1, le=MAX_RECORDS)] = MAX_RECORDS


def _is_none(value: object) -> bool:
    return value is None


_LEFT_OUT: Final = Field(exclude_if=_is_none)


class ConnectionRecord(Model):
    """A connection and its source, as one.

    `usage…` are of its tests and of the uses of its credentials, together. Those that failed
    because of Patchbay do not count.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    id: str
    tenant_id: str
    integration_key: str
    integration_version: int
    label: str
    ownership_mode: OwnershipMode
    external_account_id: Annotated[str | None, _LEFT_OUT] = None
    secret_provider: SecretProvider
    secret_ref: str
    status: HealthStatus
    environment: Annotated[str | None, _LEFT_OUT] = None
    health_status: Annotated[HealthStatus | None, _LEFT_OUT] = None
    health_checked_at: Annotated[UtcTime | None, _LEFT_OUT] = None
    health_latency_ms: Annotated[int | None, _LEFT_OUT] = None
    health_error_code: Annotated[str | None, _LEFT_OUT] = None
    health_error_message: Annotated[str | None, _LEFT_OUT] = None
    usage_request_count: int
    usage_success_count: int
    usage_error_count: int
    usage_last_used_at: Annotated[UtcTime | None, _LEFT_OUT] = None
    usage_last_error_at: Annotated[UtcTime | None, _LEFT_OUT] = None
    usage_last_error_code: Annotated[str | None, _LEFT_OUT] = None
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, connection: Connection, source: Endpoint, usage: "ConnectionUsage") -> Self:
        from patchbay.connections.health_state import HealthState

        health, (provider, reference) = connection.health, secrets_of(source)
        used = HealthState.decode(connection.state)
        failed_at, failed_code = max(
            (used.failed_at, used.failed_code),
            (usage.last_error_at, usage.last_error_code),
            key=lambda failure: (failure[0] is not None, failure[0]),
        )
        return cls(
            id=connection.id,
            tenant_id=connection.organization_id,
            integration_key=source.integration.replace("/", "."),
            integration_version=major(source.version),
            label=connection.name,
            ownership_mode=source.ownership_mode,
            external_account_id=source.external_account_id,
            secret_provider=provider,
            secret_ref=reference,
            status=connection.word,
            environment=source.environment,
            health_status=health.status if health.checked_at else None,
            health_checked_at=health.checked_at,
            health_latency_ms=health.latency_ms,
            health_error_code=health.error_code,
            health_error_message=health.error_message,
            usage_request_count=used.tests + usage.requests,
            usage_success_count=used.tests - used.failed + usage.requests - usage.errors,
            usage_error_count=used.failed + usage.errors,
            usage_last_used_at=_later(health.checked_at, usage.last_used_at),
            usage_last_error_at=failed_at,
            usage_last_error_code=failed_code,
            created_at=connection.created_at,
            updated_at=max(connection.updated_at, source.updated_at),
        )


class ConnectionRecords(Model):
    """Up to 1,000 records, and `nextCursor` if there are more."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    connections: list[ConnectionRecord]
    next_cursor: Annotated[str | None, _LEFT_OUT] = None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(filter(None, (one, other)), default=None)


def secrets_of(source: Endpoint) -> tuple[SecretProvider, str]:
    """Where the secrets of a source are kept, and their name there."""
    return source.secret_provider, source.secret_ref or f"patchbay://{source.id}"
