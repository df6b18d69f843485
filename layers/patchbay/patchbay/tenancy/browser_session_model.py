"""Sessions of browsers and sign-in links, as a caller sees them."""

from enum import StrEnum
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, Field

from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import Slug
from patchbay.platform.model import Model
from patchbay.platform.validation import NullIs
from patchbay.tenancy.access import Permission

MAX_SECRET: Final = 256
"""Characters of a key or a code that is taken in exchange for a session."""
LINK_SECONDS: Final = 300
MIN_LINK_SECONDS: Final = 60
MAX_LINK_SECONDS: Final = 3600


class SignInWay(StrEnum):
    """How a session began."""

    API_KEY = "api_key"
    SIGN_IN_LINK = "sign_in_link"
    OIDC = "oidc"


_Secret = Annotated[str, Field(min_length=1, max_length=MAX_SECRET)]


class NewBrowserSession(Model):
    """Exactly one of the two."""

    model_config = ConfigDict(extra="forbid")
    EXAMPLE: ClassVar = {"api_key": "pb_k3x9q2mv_N8s-eLkWm1c0Zr5vYt2uXb7aHd4Jg6Pq9oFi3TnKwRE"}

    api_key: _Secret | None = Field(default=None, repr=False)
    code: _Secret | None = Field(default=None, repr=False)


class CallersOrganization(Model):
    """The organization of a caller."""

    id: str
    name: str
    external_id: str | None


class CallersSpace(Model):
    """The only space that a caller may act in."""

    id: str
    slug: str


class Caller(Model):
    """Who calls, and what they may do: by a session of a browser, a key, or a token."""

    organization: CallersOrganization
    subject: str
    permissions: list[Permission]
    """All that it holds, those that another one implies included."""
    space: CallersSpace | None
    expires_at: UtcTime | None
    idle_ends_at: UtcTime | None
    signed_in_by: SignInWay | None


class BrowserSession(Model):
    """A session of a browser, without its cookie."""

    id: str
    signed_in_by: SignInWay
    created_at: UtcTime
    last_seen_at: UtcTime
    """To ten minutes."""
    expires_at: UtcTime
    idle_ends_at: UtcTime
    current: bool = False


class NewSignInLink(Model):
    model_config = ConfigDict(extra="forbid")
    EXAMPLE: ClassVar = {"permissions": ["platform.integration.read"], "expires_in_seconds": 300}

    permissions: Annotated[
        list[Permission],
        Field(min_length=1, max_length=len(Permission)),
        NullIs(lambda: [Permission.READ]),
    ] = [Permission.READ]  # noqa: RUF012 - pydantic copies it
    space: Slug | None = None
    expires_in_seconds: Annotated[
        int, Field(ge=MIN_LINK_SECONDS, le=MAX_LINK_SECONDS), NullIs(lambda: LINK_SECONDS)
    ] = LINK_SECONDS


class SignInLink(Model):
    """A link that signs a browser in, once."""

    id: str
    organization_id: str
    permissions: list[Permission]
    space: str | None
    created_by: str
    created_at: UtcTime
    expires_at: UtcTime


class IssuedSignInLink(SignInLink):
    """A new link with its address, which is shown only once."""

    url: str = Field(repr=False)


class OidcQuery(Model):
    """`return_to` is a page of the dashboard; anything else leads to its first page."""

    model_config = ConfigDict(extra="forbid")

    return_to: str | None = Field(default=None, max_length=2048)


class SignInWays(Model):
    """The ways to sign in that this deployment offers, besides links."""

    api_key: bool
    oidc: bool
