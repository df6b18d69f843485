"""Endpoints (sources and destinations) and connections, snake_case."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    computed_field,
    field_validator,
)

from patchbay.checks.auth_config import SecretName
from patchbay.checks.roles import Role
from patchbay.connections.health_status import HealthStatus, RequiredAction
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.wheel import MonitorInterval
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import DestinationId, Slug, SourceId
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model
from patchbay.platform.problem_messages import at_most
from patchbay.platform.validation import (
    DisplayName,
    Documented,
    FieldError,
    NotNull,
    WholeNumber,
    within,
)
from patchbay.registry.naming import Category, IntegrationKey
from patchbay.registry.versions import MAX_RANGE, RANGE_PATTERN

MAX_VALUES_BYTES: Final = 32 * 1024
MAX_VALUES_DEPTH: Final = 10
MAX_SECRET: Final = 8192
"""Characters of one secret."""

Name = DisplayName


def id_prefix(role: Role) -> str:
    return {Role.SOURCE: "src", Role.DESTINATION: "dst"}[role]


class OwnershipMode(StrEnum):
    """Whose credentials they are: the operator's for the customer, or the customer's own."""

    MANAGED = "managed"
    BYOK = "byok"


class SecretProvider(StrEnum):
    """Where an endpoint's secrets are kept: in the vault, or in AWS Secrets Manager."""

    PATCHBAY = "patchbay"
    AWS = "aws-secrets-manager"


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


_MASKING: Final = str.maketrans("", "", "*•")


def _not_masked(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.translate(_MASKING).strip():
        raise ValueError("must not be empty or masked")
    if len(text) > MAX_SECRET:
        raise ValueError(at_most(MAX_SECRET, "character"))
    return secret


Values = Annotated[dict[str, Any], within(MAX_VALUES_BYTES, MAX_VALUES_DEPTH)]
"""Variables or configurations: a JSON object of at most 32 KB and 10 levels."""

SecretValue = Annotated[
    SecretStr,
    AfterValidator(_not_masked),
    Documented({"minLength": 1, "maxLength": MAX_SECRET, "pattern": r"[^\s*•]"}),
]
_NO_OTHER_NAMES: Final = Documented({"additionalProperties": False})
Secrets = Annotated[dict[SecretName, SecretValue], Field(max_length=20), _NO_OTHER_NAMES]

SecretRef = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
_REFERENCE: Final = Documented(
    {
        "pattern": r"^aws://secretsmanager/[a-z]{2}(-[a-z]+)+-[0-9]{1,2}"
        r"/patchbay/org_[0-9A-Z]{26}(/[A-Za-z0-9_+=.@-]+)+$"
    }
)
OwnReference = Annotated[SecretRef, _REFERENCE]
"""A reference as entered: `aws://secretsmanager/<region>/patchbay/<organization_id>/…`."""

_REFERENCE_MEANING: Final = (
    "instead of secrets: aws://secretsmanager/<region>/<name>, a secret of AWS Secrets Manager "
    "under patchbay/<organization_id>/ whose value is a JSON object of secret names and strings"
)


Version = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_RANGE),
    Documented({"pattern": RANGE_PATTERN}),
]
Environment = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ExternalAccountId = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class _Input(Model):
    model_config = ConfigDict(extra="forbid")


class NewEndpoint(_Input):
    """The body of a create: an integration with variables and secrets."""

    EXAMPLE: ClassVar = {
        "name": "Our tracker",
        "integration": "acme/tracker",
        "version": "^1.0.0",
        "variables": {"path": "me"},
        "secrets": {"api_key": "an API key of the provider"},
    }

    name: Name
    integration: IntegrationKey = Field(description="publisher/slug of the registry or the catalog")
    version: Version | None = Field(
        default=None, description="a release or a range of releases; by default the current one"
    )
    variables: Values = Field(default_factory=dict)
    secrets: Secrets = Field(default_factory=dict, description="write-only")
    secret_ref: OwnReference | None = Field(default=None, description=_REFERENCE_MEANING)
    environment: Environment | None = None
    external_account_id: ExternalAccountId | None = None
    ownership_mode: OwnershipMode = OwnershipMode.MANAGED


class InstalledMember(Model):
    """A member of the release: the endpoint's own copy (`forked`), or a reference to the release's.

    `content` is null for a reference.
    """

    name: str
    kind: str
    forked: bool
    content: dict[str, Any] | None


class InstalledDependency(Model):
    """The release that a dependency resolved to when the endpoint was created or upgraded."""

    integration: str
    integration_id: str
    version: str


class Endpoint(Model):
    """A source or destination. Of its secrets, only the names are shown.

    With a `secret_ref`, `secrets_set` is empty: the names are in the secret that it refers to.
    """

    id: str
    organization_id: str
    role: Role
    name: str
    integration: str
    integration_id: str
    version: str
    category: str
    variables: dict[str, Any]
    secrets_set: list[str]
    secret_ref: str | None = None
    secrets_entered_at: UtcTime | None = None
    members: list[InstalledMember]
    dependencies: list[InstalledDependency]
    environment: str | None
    external_account_id: str | None
    ownership_mode: OwnershipMode
    created_at: UtcTime
    updated_at: UtcTime
    binding: dict[str, Any] = Field(exclude=True, repr=False)
    revision: int = Field(exclude=True)
    users_revision: int = Field(default=0, exclude=True)
    """Changes whenever a connection of it is created or gets other configurations."""

    @computed_field  # type: ignore[prop-decorator]  # mypy does not support decorated properties
    @property
    def secret_provider(self) -> SecretProvider:
        """Where the secrets are kept."""
        return SecretProvider.PATCHBAY if self.secret_ref is None else SecretProvider.AWS


class EndpointPatch(_Input):
    """JSON merge patch of an endpoint: fields that are left out stay, null removes.

    A secret is replaced by a new value and removed by null; `secrets: null` removes all. `version`
    upgrades to another release of the same integration.
    """

    EXAMPLE: ClassVar = {"variables": {"path": "me"}, "secrets": {"api_key": "a new API key"}}

    name: Annotated[Name | None, NotNull()] = None
    version: Version | None = None
    variables: Values | None = None
    secrets: (
        Annotated[dict[SecretName, SecretValue | None], Field(max_length=20), _NO_OTHER_NAMES]
        | None
    ) = None
    secret_ref: OwnReference | None = Field(default=None, description=_REFERENCE_MEANING)
    environment: Environment | None = None
    external_account_id: ExternalAccountId | None = None
    ownership_mode: OwnershipMode | None = None


class EditQuery(Model):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = Field(
        default=False, description="report what the edit would do, and store nothing"
    )
    test: bool = Field(default=False, description="store the edit only if a test of it passes")

    @field_validator("test")
    @classmethod
    def _either(cls, test: bool, info: ValidationInfo) -> bool:
        if test and info.data.get("dry_run"):
            raise ValueError("can't be combined with dry_run")
        return test


class InvalidConnection(Model):
    """A connection whose configurations an upgrade of its source would make invalid."""

    id: str
    errors: list[FieldError]


class EditReport(Model):
    """What an edit would do. Nothing was stored. `connections` has at most 20."""

    version: str
    valid: bool
    errors: list[FieldError]
    secrets_to_enter: list[str]
    secret_ref_to_enter: bool
    connections: list[InvalidConnection]


class DataKey(Model):
    """A key that secrets of an organization are sealed under."""

    number: int
    current: bool
    created_at: UtcTime


class DataKeys(Model):
    """The data keys of an organization, oldest first.

    `current` is the number of the key that new secrets are sealed under. The first key is created
    with the first secret.
    """

    current: int
    keys: list[DataKey]


class Resealed(Model):
    """One page of secrets: how many were re-sealed under the current key, and the endpoints whose
    secrets could not be opened and must be entered again or deleted.
    """

    resealed: int
    unreadable: list[str]
    next_cursor: str | None


class DeletedDataKeys(Model):
    """The keys that were deleted, and when the last process has dropped them from its memory."""

    deleted: list[int]
    unreadable_at: UtcTime


class DeletionQuery(Model):
    """Which data keys to delete. `confirm` repeats the id of the organization."""

    model_config = ConfigDict(extra="forbid")

    through: Annotated[WholeNumber, Field(ge=1, le=999_999_999)] = Field(
        description="delete all keys up to this number"
    )
    confirm: str = Field(description="the id of the organization again", max_length=64)


class NewConnection(_Input):
    """The body of a create. The configurations of a draft are checked when it becomes active."""

    EXAMPLE: ClassVar = {
        "name": "Tracker to warehouse",
        "source_id": "src_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "destination_id": "dst_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "space": "acme-production",
        "monitor": {"enabled": True, "interval": "5m"},
    }

    name: Name
    source_id: SourceId
    destination_id: DestinationId | None = None
    configurations: Values = Field(default_factory=dict)
    space: Slug
    monitor: Monitor = Field(default_factory=Monitor)
    status: Literal[Lifecycle.DRAFT, Lifecycle.ACTIVE] = Lifecycle.ACTIVE


class ConnectionPatch(_Input):
    """JSON merge patch of a connection: fields that are left out stay, null removes.

    The source and the space of a connection can't be changed.
    """

    EXAMPLE: ClassVar = {"monitor": {"enabled": True, "interval": "1h"}}

    name: Annotated[Name | None, NotNull()] = None
    destination_id: DestinationId | None = None
    configurations: Values | None = None
    monitor: MonitorPatch | None = None
    status: Annotated[Lifecycle | None, NotNull()] = None


class Health(Model):
    """How a connection is doing. `status` follows from the last tests, the rest from the very last.

    `since` is when the status began. With a monitor, one failure does not make a connection fail
    yet. The consecutive counts are of the newest tests.
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
    status: Lifecycle
    health: Health
    required_action: RequiredAction
    created_at: UtcTime
    updated_at: UtcTime
    owns_source: bool = Field(exclude=True)
    """Whether it was created together with its source, and is deleted together with it."""
    stated_status: HealthStatus | None = Field(exclude=True)
    """The status that a caller of the operations set, until the next test."""
    state: dict[str, Any] = Field(default_factory=dict, exclude=True)
    """The stored `HealthState`, which its health follows from."""
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


class ConnectionQuery(ListQuery):
    """`status` is the lifecycle, `health` that of the last tests, `category` that of the source's
    integration."""

    space: Slug | None = None
    source_id: SourceId | None = None
    destination_id: DestinationId | None = None
    status: Lifecycle | None = None
    health: HealthStatus | None = None
    category: Category | None = None
