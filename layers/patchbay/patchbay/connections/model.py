"""Endpoints (sources and destinations, one model in two roles) and connections, snake_case."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import DestinationId, Slug, SourceId
from patchbay.platform.lists import ListQuery
from patchbay.platform.validation import OneLine, within
from patchbay.registry.auth_config import SecretName
from patchbay.registry.manifest import IntegrationKey, Role
from patchbay.registry.model import FieldError

MAX_VALUES_BYTES: Final = 32 * 1024
MAX_VALUES_DEPTH: Final = 10

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), OneLine
]


def id_prefix(role: Role) -> str:
    return {Role.SOURCE: "src", Role.DESTINATION: "dst"}[role]


class OwnershipMode(StrEnum):
    """Whose credentials they are: ours for the customer, or the customer's own."""

    MANAGED = "managed"
    BYOK = "byok"


class Lifecycle(StrEnum):
    """What its owner wants of a connection; how it is doing is its health."""

    ACTIVE = "active"


class HealthStatus(StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
    UNKNOWN = "unknown"


def _is_no_mask(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.strip("*•"):
        raise ValueError("is empty or the mask of a secret, not a secret")
    if len(text) > 8192:
        raise ValueError("is longer than 8192 characters")
    return secret


Values = Annotated[dict[str, Any], within(MAX_VALUES_BYTES, MAX_VALUES_DEPTH)]
"""Variables or configurations: a JSON object of at most 32 KB and 10 levels."""

SecretValue = Annotated[SecretStr, AfterValidator(_is_no_mask)]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewEndpoint(_Input):
    """The body of a create: an integration's release with variables and secrets."""

    name: Name
    integration: IntegrationKey = Field(
        description="publisher/slug of the registry or the catalogue"
    )
    version: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="a release or a range of them; the current one if absent"
    )
    variables: Values = Field(default_factory=dict)
    secrets: Annotated[dict[SecretName, SecretValue], Field(max_length=20)] = Field(
        default_factory=dict, description="write-only"
    )
    environment: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    external_account_id: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = (
        None
    )
    ownership_mode: OwnershipMode = OwnershipMode.MANAGED


class InstalledMember(BaseModel):
    """A member of the release: a copy that is the endpoint's own, or a reference to the release's.

    `content` is null for a reference.
    """

    name: str
    kind: str
    forked: bool
    content: dict[str, Any] | None


class InstalledDependency(BaseModel):
    """The release that met a dependency when the endpoint was made."""

    integration: str
    integration_id: str
    version: str


class Endpoint(BaseModel):
    """A source or destination. Of its secrets only the names are told."""

    id: str
    organization_id: str
    role: Role
    name: str
    integration: str
    integration_id: str
    version: str
    variables: dict[str, Any]
    secrets_set: list[str]
    members: list[InstalledMember]
    dependencies: list[InstalledDependency]
    environment: str | None
    external_account_id: str | None
    ownership_mode: OwnershipMode
    created_at: UtcTime
    updated_at: UtcTime
    binding: dict[str, Any] = Field(exclude=True, repr=False)
    revision: int = Field(exclude=True)


class EndpointPatch(_Input):
    """JSON merge patch of an endpoint: what is left out stays, null removes.

    A secret is replaced by a new value and removed by null. `version` upgrades to another release
    of the same integration.
    """

    name: Name | None = None
    version: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    variables: Values | None = None
    secrets: Annotated[dict[SecretName, SecretValue | None], Field(max_length=20)] | None = None
    environment: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    external_account_id: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = (
        None
    )
    ownership_mode: OwnershipMode | None = None


class EditQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


class EditReport(BaseModel):
    """What an edit would come to; nothing was stored."""

    version: str
    valid: bool
    errors: list[FieldError]
    secrets_to_enter: list[str]


class NewConnection(_Input):
    name: Name
    source_id: SourceId
    destination_id: DestinationId | None = None
    configurations: Values = Field(default_factory=dict)
    space: Slug


class Health(BaseModel):
    """What the last test of a connection said."""

    status: HealthStatus
    checked_at: UtcTime | None
    latency_ms: int | None
    error_code: str | None
    error_message: str | None


UNTESTED: Final = Health(
    status=HealthStatus.UNKNOWN,
    checked_at=None,
    latency_ms=None,
    error_code=None,
    error_message=None,
)


class Connection(BaseModel):
    """A source, optionally joined to a destination, in a space."""

    id: str
    organization_id: str
    name: str
    source_id: str
    destination_id: str | None
    configurations: dict[str, Any]
    space: str
    space_id: str
    status: Lifecycle
    health: Health
    created_at: UtcTime
    updated_at: UtcTime
    revision: int = Field(exclude=True)


class ConnectionQuery(ListQuery):
    space: Slug | None = None
