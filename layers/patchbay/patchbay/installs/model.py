"""Install sessions, snake_case."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints

from patchbay.checks.codes import Code
from patchbay.checks.roles import Capability
from patchbay.connection_tests.model import ProgressId, RecordedTest
from patchbay.connections.config_values import Values
from patchbay.connections.connection_model import Monitor
from patchbay.connections.endpoint_model import Secrets, Version
from patchbay.connections.health_status import HealthStatus
from patchbay.installs.web_addresses import Origin, ReturnAddress
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import NamedConnectionId, Slug
from patchbay.platform.lists import ListQuery
from patchbay.platform.model import Model
from patchbay.platform.public_url import FRAME_PARAMETER
from patchbay.platform.validation import (
    ONE_LINE_PATTERN,
    DisplayName,
    Documented,
    ExternalId,
    NullIs,
    OneLine,
    Spelled,
)
from patchbay.registry.naming import IntegrationKey
from patchbay.registry.trust_tiers import TrustTier

LEAST_SECONDS: Final = 300
MAX_SECONDS: Final = 86_400
DEFAULT_SECONDS: Final = 1800
"""How long a session can be used, at least, at most, and by default."""
MAX_LOCKED: Final = 50
MAX_POINTER: Final = 500
"""Characters of a pointer into the variables."""
MAX_ORIGINS: Final = 10
MAX_END_USER_ID: Final = 128
"""Characters."""

EndUserId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_END_USER_ID),
    OneLine,
    Documented({"pattern": ONE_LINE_PATTERN}),
]
Email = Annotated[
    str,
    StringConstraints(max_length=254),
    Spelled(r"^[^\s@<>\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,189}$", "must be an e-mail address"),
]
Pointer = Annotated[
    str,
    StringConstraints(max_length=MAX_POINTER),
    Spelled("^(?:/(?:[^~/]|~[01])*)*$", "must be a JSON Pointer (RFC 6901), such as /region"),
]
Lifetime = Annotated[int, Field(ge=LEAST_SECONDS, le=MAX_SECONDS)]


class EndUser(Model):
    """Who installs, as the caller knows them."""

    model_config = ConfigDict(extra="forbid")

    id: EndUserId
    name: DisplayName | None = None
    email: Email | None = None


class NewInstallSession(Model):
    """The body of a create: an integration to connect or, with `connection_id`, to repair."""

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar = {
        "integration": "acme/tracker",
        "end_user": {"id": "user-17", "name": "Ada Example"},
        "variables": {"path": "me"},
        "locked": ["/path"],
        "return_url": "https://app.example.com/settings/integrations",
        "expires_in_seconds": 1800,
    }

    integration: IntegrationKey = Field(description="publisher/slug of the registry or the catalog")
    version: Version | None = Field(
        default=None, description="a release or a range of releases; by default the current one"
    )
    space: Slug | None = Field(
        default=None, description="of the new connection; by default the oldest space"
    )
    end_user: EndUser | None = None
    external_account_id: ExternalId | None = None
    variables: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    locked: Annotated[list[Pointer], Field(max_length=MAX_LOCKED), NullIs(list)] = Field(
        default_factory=list,
        description="JSON Pointers into variables: what the end user can't change",
    )
    monitor: Annotated[Monitor, NullIs(Monitor)] = Field(default_factory=Monitor)
    return_url: ReturnAddress | None = None
    allowed_origins: Annotated[list[Origin], Field(max_length=MAX_ORIGINS), NullIs(list)] = Field(
        default_factory=list
    )
    connection_id: NamedConnectionId | None = Field(
        default=None, description="repair this connection instead of making one"
    )
    expires_in_seconds: Annotated[Lifetime, NullIs(lambda: DEFAULT_SECONDS)] = DEFAULT_SECONDS


class SessionStatus(StrEnum):
    """A session is pending until one of the others ends it."""

    PENDING = "pending"
    COMPLETED = "completed"
    REVOKED = "revoked"
    EXPIRED = "expired"


class InstallOutcome(Model):
    """What a completed session made or repaired."""

    source_id: str
    connection_id: str
    test_id: str


class InstallSession(Model):
    """A permission to install, or repair, one integration for one organization. Its token is shown
    by the create alone."""

    id: str
    organization_id: str
    status: SessionStatus
    integration: str
    integration_id: str
    version: str
    space: str
    end_user: EndUser | None
    external_account_id: str | None
    variables: dict[str, Any]
    locked: list[str]
    monitor: Monitor
    return_url: str | None
    allowed_origins: list[str]
    connection_id: str | None
    created_by: str
    created_at: UtcTime
    expires_at: UtcTime
    opened_at: UtcTime | None = None
    completed_at: UtcTime | None = None
    revoked_at: UtcTime | None = None
    outcome: InstallOutcome | None = None
    tests: int = 0
    refused_at: UtcTime | None = None
    digest: str = Field(exclude=True, repr=False)
    space_id: str = Field(exclude=True)
    issued_by: tuple[str, str] | None = Field(default=None, exclude=True)
    """The organization and the id of the API key that made it, if one did: when that is revoked,
    so is the session."""
    revision: int = Field(exclude=True)

    @property
    def repairs(self) -> bool:
        return self.connection_id is not None

    @property
    def subject(self) -> str:
        """Who acts with its token, as the audit trail names them."""
        whose = f" of end user {self.end_user.id}" if self.end_user else ""
        return f"install session {self.id}{whose}"

    @property
    def frame_handle(self) -> str:
        """By it the wizard's page finds the origins that may frame it: a server does not get the
        token, which comes after the #. It is no secret, and gives nothing else."""
        return f"{self.organization_id}.{self.id}"

    def status_at(self, now: datetime) -> SessionStatus:
        """Its status, seen from `now`: only a pending one expires."""
        if self.status is SessionStatus.PENDING and self.expires_at <= now:
            return SessionStatus.EXPIRED
        return self.status

    def at(self, now: datetime) -> Self:
        """As it is shown at `now`."""
        return self.model_copy(update={"status": self.status_at(now)})


class IssuedInstallSession(InstallSession):
    """A new session with its token, which no other answer has, and the address to send the end user
    to."""

    token: str
    url: str

    @classmethod
    def of(cls, session: InstallSession, token: str, public_url: str) -> Self:
        fields = {name: getattr(session, name) for name in InstallSession.model_fields}
        page = f"{public_url}/install/{session.integration}"
        if session.allowed_origins:
            page += f"?{FRAME_PARAMETER}={session.frame_handle}"
        return cls(**fields, token=token, url=f"{page}#{token}")


class InstallSessionQuery(ListQuery):
    status: SessionStatus | None = None


KEPT_FOR: Final = timedelta(days=30)
"""How long a session can be read after it has expired."""


class InstallValues(Model):
    """What an end user enters. `variables` is a JSON merge patch of those that the session has."""

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "variables": {},
        "secrets": {"api_key": "an API key of the provider"},
    }

    variables: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    secrets: Annotated[Secrets, NullIs(dict)] = Field(
        default_factory=dict, description="write-only"
    )
    configurations: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)
    progress: ProgressId | None = None


class InstallRequest(InstallValues):
    """What an end user enters at the end."""

    EXAMPLE: ClassVar = {"name": "My tracker", **InstallValues.EXAMPLE}

    name: DisplayName | None = Field(
        default=None, description="of the connection; by default that of the integration"
    )


class InstalledIntegration(Model):
    """What is installed, for people."""

    integration: str
    name: str
    description: str | None
    icon_url: str | None
    publisher: str
    trust_tier: TrustTier
    version: str
    capabilities: list[Capability]


class SecretField(Model):
    """A secret to ask for. `is_set` says that a repair keeps the stored one if none is entered;
    its value is never shown."""

    name: str
    value_schema: dict[str, Any]
    required: bool
    is_set: bool


class FoundProblem(Model):
    """What the last test found wrong, and the field to change, if it is one."""

    code: Code
    summary: str
    title: str
    remediation: str
    field_pointer: str | None


class RepairedConnection(Model):
    """The connection to repair. `other_connections` use the same source, so they change, too."""

    name: str
    status: HealthStatus
    tested_at: UtcTime | None
    problems: list[FoundProblem]
    other_connections: int


class AccountChoice(Model):
    """One part of an account, such as a workspace, and the variables that choose it."""

    label: str
    variables: dict[str, Any]


class AuthorizationFailure(Model):
    """Why the last attempt to connect the account failed, for people."""

    outcome: str
    title: str
    text: str
    code: str | None
    summary: str | None
    at: UtcTime


class AuthorizationStep(Model):
    """Where a session stands with the account that is connected at the provider.

    `found_variables` need not be asked for: the provider tells them. `kept` says that a repair
    keeps the account that is connected, unless it is connected again. With `choices`, one of them
    is to be sent with the other variables.
    """

    scopes: list[str]
    found_variables: list[str]
    authorized: bool
    kept: bool
    scopes_granted: list[str] | None
    scopes_missing: list[str]
    choices: list[AccountChoice]
    failure: AuthorizationFailure | None


class AuthorizationRequest(Model):
    """What an end user entered before the account is connected."""

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar[dict[str, Any]] = {"variables": {}}

    variables: Annotated[Values, NullIs(dict)] = Field(default_factory=dict)


class StartedAuthorization(Model):
    """Where to send the browser, which has to keep the cookie of this answer. The page at the end
    tells the one that opened it which `flow` has ended."""

    flow: str
    authorization_url: str
    expires_at: UtcTime


class InstallForm(Model):
    """What to ask an end user for, as JSON Schemas, and what is known already."""

    session_id: str
    mode: Literal["install", "repair"]
    expires_at: UtcTime
    organization_name: str
    end_user_name: str | None
    return_url: str | None
    allowed_origins: list[str]
    integration: InstalledIntegration
    variables_schema: dict[str, Any]
    variables: dict[str, Any]
    locked: list[str]
    secrets: list[SecretField]
    authorization: AuthorizationStep | None
    configurations_schema: dict[str, Any]
    monitor: Monitor
    repair: RepairedConnection | None


class CompletedSource(Model):
    """A source that a session made or repaired."""

    id: str
    name: str
    integration: str
    version: str


class CompletedConnection(Model):
    """A connection that a session made or repaired."""

    id: str
    name: str
    space: str
    monitor: Monitor


class InstallCompletion(Model):
    """What a session made or repaired, and the first test of it."""

    session_id: str
    source: CompletedSource
    connection: CompletedConnection
    test: RecordedTest
    return_url: str | None
