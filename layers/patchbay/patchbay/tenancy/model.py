"""Organizations, spaces, and API keys, as a caller sees them."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from patchbay.platform.clock import UtcTime
from patchbay.platform.errors import InvalidInput
from patchbay.platform.ids import Slug
from patchbay.platform.lists import ListQuery, SearchText
from patchbay.platform.model import Model
from patchbay.platform.revisions import FIRST_REVISION
from patchbay.platform.validation import DisplayName, ExternalId, NotNull
from patchbay.tenancy import status_tokens
from patchbay.tenancy.access import Permission


class _Input(Model):
    model_config = ConfigDict(extra="forbid")


class NewOrganization(_Input):
    EXAMPLE: ClassVar = {"name": "Acme"}

    name: DisplayName
    external_id: ExternalId | None = None


class OrganizationQuery(ListQuery):
    """`q` is part of the name, in any case. `external_id` finds the one organization that has it,
    by its key: no list is read."""

    external_id: ExternalId | None = None
    q: SearchText | None = None


class Organization(Model):
    """A tenant. It owns everything else."""

    id: str
    name: str
    external_id: str | None = None
    """What the customer is called in the operator's own system; unique in the deployment."""
    paused: bool = False
    """While it is paused, none of its monitors run; it can be tested on demand."""
    created_at: UtcTime
    resumed_at: UtcTime | None = Field(default=None, exclude=True)
    """The end of its last pause."""
    revision: int = Field(default=FIRST_REVISION, exclude=True)


class OrganizationQuota(Model):
    """How many things of a kind an organization may have, and how many it has."""

    name: str
    """As in the `details` of a 409 `QUOTA_EXCEEDED`: `spaces`, `alert_rules`, …"""
    limit: int
    """The deployment's, unless the operator has given the organization one of its own."""
    used: int | None
    """Null until the first one is created, in an organization that is older than the quota."""


class OrganizationPatch(_Input):
    """JSON merge patch of an organization. Only the operator may change one."""

    EXAMPLE: ClassVar = {"paused": True}

    name: Annotated[DisplayName | None, NotNull()] = None
    external_id: ExternalId | None = None
    paused: Annotated[bool | None, NotNull()] = None


class NewSpace(_Input):
    EXAMPLE: ClassVar = {"slug": "acme-production", "name": "Production"}

    slug: Slug
    name: DisplayName


class StatusPagePatch(_Input):
    """What to change about a status page; what is left out stays.

    `url` can only be sent back as it was read.
    """

    enabled: Annotated[bool | None, NotNull()] = None
    title: DisplayName | None = None
    show_connections: Annotated[bool | None, NotNull()] = None
    url: Annotated[str | None, StringConstraints(max_length=2000)] = None


class SpacePatch(_Input):
    """JSON merge patch of a space. Its slug can't be changed."""

    EXAMPLE: ClassVar = {"name": "Production, Europe"}

    name: Annotated[DisplayName | None, NotNull()] = None
    paused: Annotated[bool | None, NotNull()] = None
    record_deliveries: Annotated[bool | None, NotNull()] = None
    status_page: Annotated[StatusPagePatch | None, NotNull()] = None


class StatusPage(Model):
    """A page about a space for everybody who has its address."""

    model_config = ConfigDict(frozen=True)

    enabled: bool = False
    title: str | None = None
    show_connections: bool = False
    url: str | None = None
    """Only in answers to those who may manage the space: anyone who has it can read the page."""
    token: str | None = Field(default=None, exclude=True, repr=False)
    """What its address ends with, while it is enabled."""

    def changed(self, patch: StatusPagePatch) -> "StatusPage":
        """The page with a new token if it is switched on, and without one if it is switched off.

        Raises `InvalidInput` for null, which only resets a `title`, and for another address.
        """
        own = f"/{self.token}" if self.token else None
        if patch.url is not None and (own is None or not patch.url.endswith(own)):
            raise InvalidInput.at("/status_page/url", "must be left out, or as it was read")
        given = {name: getattr(patch, name) for name in patch.model_fields_set - {"url"}}
        for name, value in given.items():
            if value is None and name != "title":
                raise InvalidInput.at(f"/status_page/{name}", "is required")
        if (enabled := given.get("enabled")) is not None and enabled != self.enabled:
            given["token"] = status_tokens.mint() if enabled else None
        return self.model_copy(update=given)

    def stored(self) -> dict[str, Any]:
        return {**self.model_dump(mode="json", exclude={"url"}), "token": self.token}


class Space(Model):
    """A part of an organization; health is kept per space. Its slug is unique in the deployment."""

    id: str
    organization_id: str
    slug: str
    name: str
    paused: bool = False
    """While it is paused, no monitor of its connections runs; they can be tested on demand."""
    record_deliveries: bool = False
    """Whether deliveries of its alerts are events of it, of the types webhook and alert."""
    status_page: StatusPage = Field(default_factory=StatusPage)
    created_at: UtcTime
    updated_at: UtcTime
    resumed_at: UtcTime | None = Field(default=None, exclude=True)
    """The end of its last pause."""
    layout: dict[str, Any] | None = Field(default=None, exclude=True)
    """Where the monitors of its connections are on the wheel: see `connections/layouts.py`."""
    revision: int = Field(exclude=True)


def changes(patch: OrganizationPatch | SpacePatch) -> dict[str, Any]:
    """The fields that a merge patch changes. Raises `InvalidInput` for null, which only takes an
    `external_id` away."""
    given = {name: getattr(patch, name) for name in patch.model_fields_set}
    for name, value in given.items():
        if value is None and name != "external_id":
            raise InvalidInput.at(f"/{name}", "is required")
    return given


class NewApiKey(_Input):
    EXAMPLE: ClassVar = {
        "name": "ingest",
        "permissions": ["platform.events.write"],
        "expires_at": "2030-01-01T00:00:00Z",
    }

    name: DisplayName
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    expires_at: UtcTime | None = None
    space: Slug | None = None

    @field_validator("space")
    @classmethod
    def _within_the_organization(cls, space: str | None, info: ValidationInfo) -> str | None:
        if space is not None and Permission.ADMIN in info.data.get("permissions", ()):
            raise ValueError(f"can't be combined with {Permission.ADMIN}")
        return space


class ApiKey(Model):
    """An API key without its secret. `prefix` is the public part, to recognize it by."""

    id: str
    organization_id: str
    name: str
    prefix: str
    permissions: list[Permission]
    space: str | None = None
    """The slug of the only space that it may act in."""
    created_by: str
    created_at: UtcTime
    expires_at: UtcTime | None


class IssuedApiKey(ApiKey):
    """A new API key with its secret, which is shown only once."""

    key: str
