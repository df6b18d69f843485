"""OAuth applications: the client of an integration at its provider. snake_case."""

from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, SecretStr, StringConstraints

from patchbay.connections.config_values import Values
from patchbay.connections.endpoint_model import SecretValue
from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import is_id
from patchbay.platform.model import Model
from patchbay.platform.validation import NotNull, NullIs, Spelled
from patchbay.registry.naming import IntegrationKey

MAX_CLIENT_ID: Final = 512
"""Characters."""
MAX_SCOPES: Final = 100
"""Of an application."""
ID_PREFIX: Final = "oap"
_INTEGRATION_PREFIX: Final = "int"


def application_id(integration_id: str) -> str:
    """An organization has one application of an integration, so the one id follows from the
    other."""
    return f"{ID_PREFIX}_{integration_id.removeprefix(f'{_INTEGRATION_PREFIX}_')}"


def integration_of(id: str) -> str | None:
    """The id of the integration of an application's id; None for what can't be one."""
    if not is_id(ID_PREFIX, id):
        return None
    return f"{_INTEGRATION_PREFIX}_{id.removeprefix(f'{ID_PREFIX}_')}"


def _not_padded(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if text != text.strip():
        raise ValueError("must not begin or end with white space")
    return secret


ClientId = Annotated[
    str,
    StringConstraints(max_length=MAX_CLIENT_ID),
    Spelled("^[!-~](?:[ -~]*[!-~])?$", "must be visible ASCII characters (RFC 6749, appendix A.1)"),
]
Scope = Annotated[
    str,
    StringConstraints(max_length=256),
    Spelled(
        r"^[!#-\[\]-~]+$",
        "must be a scope: visible ASCII characters without quotes and backslashes",
    ),
]
Scopes = Annotated[list[Scope], Field(max_length=MAX_SCOPES)]
ClientSecret = Annotated[SecretValue, AfterValidator(_not_padded)]
_SCOPES: Final = "what is asked for in place of the scopes of the integration"
_SHARED: Final = (
    "use it for every organization that has none of its own; only the owner of the integration "
    "may share one"
)
_VARIABLES: Final = (
    "the values of variables that decide which host the client secret is sent to, where the author "
    "leaves that open: the application is used for these values only"
)


class NewOAuthApplication(Model):
    """The body of a create: the client id and the secret that the provider gave."""

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar = {
        "integration": "acme/tracker",
        "client_id": "a client id of the provider",
        "client_secret": "a client secret of the provider",
        "scopes": ["issues:read"],
    }

    integration: IntegrationKey = Field(description="publisher/slug of the registry or the catalog")
    client_id: ClientId
    client_secret: ClientSecret | None = Field(default=None, description="write-only")
    private_key: SecretValue | None = Field(
        default=None,
        description="write-only: of a client that signs (private_key_jwt), in PEM",
    )
    scopes: Scopes | None = Field(default=None, description=_SCOPES)
    shared: Annotated[bool, NullIs(lambda: False)] = Field(default=False, description=_SHARED)
    variables: Annotated[Values, NullIs(dict)] = Field(default_factory=dict, description=_VARIABLES)


class OAuthApplicationPatch(Model):
    """JSON merge patch of an OAuth application: fields that are left out stay.

    Another `client_id` needs its secret in the same request. A new secret is used at once.
    """

    model_config = ConfigDict(extra="forbid")

    EXAMPLE: ClassVar = {
        "client_secret": "a new client secret of the provider",
        "scopes": ["invoices:read"],
    }

    client_id: Annotated[ClientId | None, NotNull()] = None
    client_secret: ClientSecret | None = Field(default=None, description="write-only")
    private_key: SecretValue | None = Field(default=None, description="write-only")
    scopes: Scopes | None = Field(default=None, description=_SCOPES)
    shared: Annotated[bool | None, NotNull()] = Field(default=None, description=_SHARED)
    variables: Values | None = Field(default=None, description=_VARIABLES)


class OAuthApplication(Model):
    """The OAuth application of an integration. Of its secrets, only the names are shown.

    `redirect_uri` is what to enter at the provider, exactly so. `sent_to` are the origins that the
    secret may be sent to: those of the release that was current when it was entered. `uses` counts
    the grants that need it.
    """

    id: str
    organization_id: str
    integration: str
    integration_id: str
    client_id: str
    secrets_set: list[str]
    secrets_entered_at: UtcTime
    scopes: list[str] | None
    shared: bool
    variables: dict[str, Any]
    sent_to: list[str]
    redirect_uri: str = ""
    uses: int = 0
    created_at: UtcTime
    updated_at: UtcTime
    revision: int = Field(exclude=True)

    def at(self, redirect_uri: str) -> Self:
        """As it is shown by a deployment with this redirect URI."""
        return self.model_copy(update={"redirect_uri": redirect_uri})
