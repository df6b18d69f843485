"""Endpoints (sources and destinations, one model in two roles) and connections, snake_case."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    computed_field,
    field_validator,
)

from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import DestinationId, Slug, SourceId
from patchbay.platform.lists import ListQuery
from patchbay.platform.validation import OneLine, WholeNumber, within
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


class SecretProvider(StrEnum):
    """Where an endpoint's secrets are kept: in the vault, or in AWS Secrets Manager."""

    PATCHBAY = "patchbay"
    AWS = "aws-secrets-manager"


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
Secrets = Annotated[dict[SecretName, SecretValue], Field(max_length=20)]

SecretRef = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
"""A reference as it was given: `aws://secretsmanager/<region>/patchbay/<organization_id>/…`."""

_REFERENCE_MEANING: Final = (
    "instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS Secrets Manager "
    "under patchbay/<organization_id>/ that holds a JSON object of secret names and texts"
)


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
    secrets: Secrets = Field(default_factory=dict, description="write-only")
    secret_ref: SecretRef | None = Field(default=None, description=_REFERENCE_MEANING)
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
    """A source or destination. Of its secrets only the names are told.

    With a `secret_ref` the names are those of the secret that it refers to, and not known here.
    """

    id: str
    organization_id: str
    role: Role
    name: str
    integration: str
    integration_id: str
    version: str
    variables: dict[str, Any]
    secrets_set: list[str]
    secret_ref: str | None = None
    members: list[InstalledMember]
    dependencies: list[InstalledDependency]
    environment: str | None
    external_account_id: str | None
    ownership_mode: OwnershipMode
    created_at: UtcTime
    updated_at: UtcTime
    binding: dict[str, Any] = Field(exclude=True, repr=False)
    revision: int = Field(exclude=True)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def secret_provider(self) -> SecretProvider:
        """Where the secrets are kept."""
        return SecretProvider.PATCHBAY if self.secret_ref is None else SecretProvider.AWS


class EndpointPatch(_Input):
    """JSON merge patch of an endpoint: what is left out stays, null removes.

    A secret is replaced by a new value and removed by null; `secrets: null` removes all. `version`
    upgrades to another release of the same integration.
    """

    name: Name | None = None
    version: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    variables: Values | None = None
    secrets: Annotated[dict[SecretName, SecretValue | None], Field(max_length=20)] | None = None
    secret_ref: SecretRef | None = Field(default=None, description=_REFERENCE_MEANING)
    environment: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    external_account_id: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = (
        None
    )
    ownership_mode: OwnershipMode | None = None


class EditQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(default=False, description="tell what the edit would come to")
    test: bool = Field(default=False, description="store the edit only if a test of it passes")

    @field_validator("test")
    @classmethod
    def _either(cls, test: bool, info: ValidationInfo) -> bool:
        if test and info.data.get("dry_run"):
            raise ValueError("excludes dry_run, which stores nothing")
        return test


class EditReport(BaseModel):
    """What an edit would come to; nothing was stored."""

    version: str
    valid: bool
    errors: list[FieldError]
    secrets_to_enter: list[str]
    secret_ref_to_enter: bool


class DataKey(BaseModel):
    """A key that secrets of an organization are sealed under."""

    number: int
    current: bool
    created_at: UtcTime


class DataKeys(BaseModel):
    """The data keys of an organization, oldest first.

    `current` is the number of the one that new secrets are sealed under; it is made when the first
    of them is.
    """

    current: int
    keys: list[DataKey]


class Resealed(BaseModel):
    """What became of one page of secrets: how many are under the current key only now, and the
    endpoints whose secrets could not be opened, which have to be entered again or deleted.
    """

    resealed: int
    unreadable: list[str]
    next_cursor: str | None


class DeletedDataKeys(BaseModel):
    """The keys that were deleted, and when the last process has forgotten them."""

    deleted: list[int]
    unreadable_at: UtcTime


class DeletionQuery(BaseModel):
    """Which data keys to delete. `confirm` is the id of the organization, once more."""

    model_config = ConfigDict(extra="forbid")

    through: Annotated[WholeNumber, Field(ge=1)] = Field(
        description="delete all keys up to this number"
    )
    confirm: str = Field(description="the id of the organization, once more", max_length=64)


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
