"""Organizations, spaces and API keys, as a caller sees them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from patchbay.platform.clock import UtcTime
from patchbay.platform.ids import Slug
from patchbay.platform.validation import OneLine
from patchbay.tenancy.access import Permission

DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), OneLine
]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewOrganization(_Input):
    name: DisplayName


class Organization(BaseModel):
    """A tenant; it owns everything else."""

    id: str
    name: str
    created_at: UtcTime


class NewSpace(_Input):
    slug: Slug
    name: DisplayName


class SpacePatch(_Input):
    """JSON merge patch of a space. Its slug is part of its address and stays."""

    name: DisplayName


class Space(BaseModel):
    """A part of an organization; health is kept per space. Its slug is unique everywhere."""

    id: str
    organization_id: str
    slug: str
    name: str
    created_at: UtcTime
    updated_at: UtcTime
    revision: int = Field(exclude=True)


class NewApiKey(_Input):
    name: DisplayName
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=4)]
    expires_at: UtcTime | None = None


class ApiKey(BaseModel):
    """An API key without its secret. `prefix` is the public part, to recognise it by."""

    id: str
    organization_id: str
    name: str
    prefix: str
    permissions: list[Permission]
    created_by: str
    created_at: UtcTime
    expires_at: UtcTime | None


class IssuedApiKey(ApiKey):
    """A new API key with its secret, which is shown this once and can't be read again."""

    key: str
