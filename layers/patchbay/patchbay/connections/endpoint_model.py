"""Endpoints: sources and destinations, one model in two roles. snake_case."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

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
from patchbay.connections.config_values import Values
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import Slug
from patchbay.platform.lists import ListQuery, SearchText
from patchbay.platform.model import Model
from patchbay.platform.problem_messages import at_most
from patchbay.platform.validation import (
    ONE_LINE_PATTERN,
    DisplayName,
    Documented,
    ExternalId,
    FieldError,
    NotNull,
    NullIs,
    OneLine,
    within,
)
from patchbay.registry.members import MAX_MEMBERS
from patchbay.registry.naming import IntegrationKey
from patchbay.registry.version_ranges import RangeText
from patchbay.registry.versions import MAX_RANGE, RANGE_PATTERN

MAX_SECRET: Final = 8192
"""Characters of one secret."""
MAX_MEMBERS_BYTES: Final = 64 * 1024
"""Of the contents of all copies of an endpoint, as JSON: as much as a release may have."""
MAX_MEMBER_DEPTH: Final = 20
OF_GRANTS: Final = frozenset({"access_token", "refresh_token", "client_id"})
"""The secrets of which endpoints have one that a grant begins with."""


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


_MASKING: Final = str.maketrans("", "", "*•")


def _not_masked(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text.translate(_MASKING).strip():
        raise ValueError("must not be empty or masked")
    if len(text) > MAX_SECRET:
        raise ValueError(at_most(MAX_SECRET, "character"))
    return secret


SecretValue = Annotated[
    SecretStr,
    AfterValidator(_not_masked),
    Documented({"minLength": 1, "maxLength": MAX_SECRET, "pattern": r"[^\s*•]"}),
]
Secrets = Annotated[dict[SecretName, SecretValue], Field(max_length=20)]

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
    RangeText,
    Documented({"pattern": RANGE_PATTERN}),
]
_ONE_LINE: Final = Documented({"pattern": ONE_LINE_PATTERN})
Environment = Annotated[str, StringConstraints(min_length=1, max_length=64), OneLine, _ONE_LINE]


class _Input(Model):
    model_config = ConfigDict(extra="forbid")


class EndpointValues(_Input):
    """The values of an endpoint that its release judges."""

    variables: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    secrets: Annotated[Secrets, NullIs(dict)] = Field(
        default_factory=dict, description="write-only"
    )
    secret_ref: OwnReference | None = Field(default=None, description=_REFERENCE_MEANING)


class NewEndpoint(EndpointValues):
    """The body of a create: an integration with variables and secrets."""

    EXAMPLE: ClassVar = {
        "name": "Our tracker",
        "integration": "acme/tracker",
        "version": "^1.0.0",
        "variables": {"path": "me"},
        "secrets": {"api_key": "an API key of the provider"},
    }

    name: DisplayName
    integration: IntegrationKey = Field(description="publisher/slug of the registry or the catalog")
    version: Version | None = Field(
        default=None,
        description="a version or a range of npm, such as ^1.2.0, 1.x, or ^1 || ^2; by default the "
        "current release",
    )
    environment: Environment | None = None
    external_account_id: ExternalId | None = None
    ownership_mode: Annotated[OwnershipMode, NullIs(lambda: OwnershipMode.MANAGED)] = (
        OwnershipMode.MANAGED
    )


class InstalledMember(Model):
    """A member of the release: the endpoint's own copy (`forked`), or a reference to the release's.

    `content` is null for a reference. A copy that is `detached` is never changed by an upgrade;
    editing one detaches it.
    """

    name: str
    kind: str
    forked: bool
    detached: bool = False
    content: dict[str, Any] | None


class MemberPatch(_Input):
    """An edit of the endpoint's own copy of a member.

    New content detaches it from the release. `detached` keeps it as it is from now on or, if
    false, takes the release's content again.
    """

    name: Slug
    content: Annotated[dict[str, Any], within(MAX_MEMBERS_BYTES, MAX_MEMBER_DEPTH)] | None = None
    detached: bool | None = None


class MemberOutcome(StrEnum):
    """What an edit does to a member of an endpoint."""

    ADDED = "added"
    REPLACED = "replaced"
    REMOVED = "removed"
    KEPT = "kept"
    """A detached copy: the release has other content, or no such member any more."""
    UNCHANGED = "unchanged"


class MemberChange(Model):
    """What an edit does to one member."""

    name: str
    kind: str
    outcome: MemberOutcome


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
    granted_at: UtcTime | None = None
    """When an account was last connected through a browser: then a grant has its tokens."""
    members: list[InstalledMember]
    dependencies: list[InstalledDependency]
    environment: str | None
    external_account_id: str | None
    ownership_mode: OwnershipMode
    created_at: UtcTime
    updated_at: UtcTime
    granted_by: str | None = Field(default=None, exclude=True)
    """The organization whose OAuth application the account was connected through."""
    binding: dict[str, Any] = Field(exclude=True, repr=False)
    revision: int = Field(exclude=True)
    users_revision: int = Field(default=0, exclude=True)
    """Changes whenever a connection of it is created or gets other configurations."""

    @property
    def may_have_grant(self) -> bool:
        """Whether it can have a grant, by what is connected or stored: others need no look."""
        return self.granted_at is not None or not OF_GRANTS.isdisjoint(self.secrets_set)

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

    name: Annotated[DisplayName | None, NotNull()] = None
    version: Version | None = None
    variables: Values | None = None
    members: Annotated[list[MemberPatch], Field(max_length=MAX_MEMBERS)] | None = None
    secrets: Annotated[dict[SecretName, SecretValue | None], Field(max_length=20)] | None = None
    secret_ref: OwnReference | None = Field(default=None, description=_REFERENCE_MEANING)
    environment: Environment | None = None
    external_account_id: ExternalId | None = None
    ownership_mode: OwnershipMode | None = None


class CreateQuery(Model):
    model_config = ConfigDict(extra="forbid")

    test: bool = Field(default=False, description="store the endpoint only if a test of it passes")


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


class EndpointFilters(ListQuery):
    """What chooses endpoints, and connections by their sources. `version` is one or a range, the
    others must match exactly."""

    integration: IntegrationKey | None = None
    version: Version | None = None
    environment: Environment | None = None
    external_account_id: ExternalId | None = None


class EndpointQuery(EndpointFilters):
    """`q` is part of the name, in any case."""

    q: SearchText | None = None


class InvalidConnection(Model):
    """A connection whose configurations an upgrade of its source would make invalid."""

    id: str
    errors: list[FieldError]


class EditReport(Model):
    """What an edit would do. Nothing was stored. `connections` has at most 20.

    `account_to_connect`: the account must be connected again, since its tokens would be sent
    elsewhere.
    """

    version: str
    valid: bool
    errors: list[FieldError]
    secrets_to_enter: list[str]
    secret_ref_to_enter: bool
    account_to_connect: bool = False
    connections: list[InvalidConnection]
    members: list[MemberChange] = Field(default=[], exclude_if=lambda members: not members)
