"""The Integration entity of the published contract, all 18 fields, camelCase."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, computed_field
from pydantic.alias_generators import to_camel

from patchbay.checks.roles import Capability, Role
from patchbay.platform.clock import UtcTime
from patchbay.platform.errors import Problem
from patchbay.platform.ids import Slug
from patchbay.platform.lists import ListQuery, SearchText
from patchbay.platform.model import Model
from patchbay.platform.revisions import FIRST_REVISION
from patchbay.platform.validation import (
    HTTPS_PATTERN,
    ONE_LINE_PATTERN,
    READABLE_PATTERN,
    DisplayName,
    Documented,
    FieldError,
    NotNull,
    NullIs,
    OneLine,
    Readable,
    Spelled,
    within,
)
from patchbay.registry.naming import Publisher, PublisherPrefix, integration_key
from patchbay.registry.trust_tiers import TrustTier
from patchbay.registry.versions import SEMVER_PATTERN

MAX_DOCUMENT_BYTES: Final = 64 * 1024
MAX_DOCUMENT_DEPTH: Final = 20
MAX_CHANGELOG: Final = 4000
"""Characters."""
MAX_REASON: Final = 500
"""Characters of why a release is deprecated or yanked."""


AuthType = Literal["oauth2", "api_key", "basic", "none"]


class Visibility(StrEnum):
    PRIVATE = "private"
    """For its own organization."""
    UNLISTED = "unlisted"
    """For everyone who knows its publisher and slug."""
    PUBLIC = "public"
    """In the catalog."""


class RetentionTier(StrEnum):
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"
    NONE = "none"


Document = Annotated[dict[str, Any], within(MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH)]
"""A JSON object of at most 64 KB and 20 levels."""

Description = Annotated[
    str, StringConstraints(max_length=2000), Readable, Documented({"pattern": READABLE_PATTERN})
]
IconUrl = Annotated[
    str, Spelled(HTTPS_PATTERN, "must be an https URL, without a user name or a password")
]


def _no_auth() -> dict[str, Any]:
    return {"type": "none"}


class _CamelCase(Model):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Editable(_CamelCase):
    """What an author may change at any time; publishing takes a snapshot of it."""

    name: DisplayName
    description: Description | None = None
    icon_url: IconUrl | None = None
    trust_tier: Annotated[TrustTier, NullIs(lambda: TrustTier.COMMUNITY)] = TrustTier.COMMUNITY
    manifest: Annotated[Document, NullIs(dict)] = Field(default_factory=dict)
    variables_schema: Annotated[Document, NullIs(dict)] = Field(default_factory=dict)
    auth_config: Annotated[Document, NullIs(_no_auth)] = Field(default_factory=_no_auth)
    visibility: Annotated[Visibility, NullIs(lambda: Visibility.PRIVATE)] = Visibility.PRIVATE
    retention_tier: RetentionTier | None = None


class NewIntegration(Editable):
    """The body of a create. `workspaceId` is the id of a space of the caller's organization."""

    EXAMPLE: ClassVar = {
        "workspaceId": "5e0125fe-4699-4e36-9fcc-54330afd1709",
        "publisher": "acme",
        "slug": "tracker",
        "name": "Tracker",
        "description": "Issues and their comments.",
        "variablesSchema": {
            "type": "object",
            "required": ["path"],
            "properties": {"path": {"type": "string"}},
        },
        "authConfig": {"type": "api_key"},
        "manifest": {
            "roles": ["source"],
            "capabilities": ["metadata_sync"],
            "checks": {
                "timeoutMs": 5000,
                "steps": [
                    {
                        "name": "whoami",
                        "kind": "http",
                        "request": {"url": "https://api.example.com/{{variables.path}}"},
                    }
                ],
            },
        },
    }

    workspace_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    publisher: Publisher
    slug: Slug


class IntegrationPatch(_CamelCase):
    """A JSON merge patch of the editable fields: a field that is left out stays, null resets it."""

    EXAMPLE: ClassVar = {"description": "Issues, comments and labels."}

    name: Annotated[DisplayName | None, NotNull()] = None
    description: Description | None = None
    icon_url: IconUrl | None = None
    trust_tier: TrustTier | None = None
    manifest: dict[str, Any] | None = None
    variables_schema: dict[str, Any] | None = None
    auth_config: dict[str, Any] | None = None
    visibility: Visibility | None = None
    retention_tier: RetentionTier | None = None


class Integration(_CamelCase):
    """A definition in the registry. `currentVersion` null means draft: never published.

    The first 18 fields have the order and names of the published contract.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore")

    id: str
    workspace_id: str
    slug: str
    name: str
    description: str | None
    icon_url: str | None
    publisher: str
    trust_tier: TrustTier
    current_version: str | None
    manifest: dict[str, Any]
    variables_schema: dict[str, Any]
    auth_config: dict[str, Any]
    visibility: Visibility
    created_by: str
    deleted_at: UtcTime | None
    retention_tier: RetentionTier | None
    created_at: UtcTime
    updated_at: UtcTime
    organization_id: str = Field(exclude=True)
    revision: int = Field(exclude=True)

    @classmethod
    def draft_of(
        cls, new: NewIntegration, *, id: str, organization_id: str, created_by: str, at: datetime
    ) -> Self:
        """What a create makes."""
        return cls(
            **new.model_dump(),
            id=id,
            current_version=None,
            created_by=created_by,
            deleted_at=None,
            created_at=at,
            updated_at=at,
            organization_id=organization_id,
            revision=FIRST_REVISION,
        )

    @computed_field  # type: ignore[prop-decorator]  # mypy does not support decorated properties
    @property
    def key(self) -> str:
        """How bodies and addresses name it: the key of its publisher, a slash, and its slug."""
        return integration_key(self.publisher, self.slug)


RETENTION: Final = {
    RetentionTier.NONE: timedelta(0),
    RetentionTier.SHORT: timedelta(days=7),
    RetentionTier.MEDIUM: timedelta(days=30),
    RetentionTier.LONG: timedelta(days=365),
}


def retention_of(tier: RetentionTier | None) -> timedelta:
    """How long a deleted integration can be restored and keeps its slug. None means medium."""
    return RETENTION[tier or RetentionTier.MEDIUM]


class PublishQuery(Model):
    model_config = ConfigDict(extra="forbid")

    dry_run: bool = False


class PublishReport(_CamelCase):
    """The result that a publish would have; nothing was stored.

    `notices` prevent nothing. They say which variables need the secrets again when they change.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore")

    version: str
    publishable: bool
    errors: list[FieldError]
    notices: list[FieldError] = Field(default=[], exclude_if=lambda notices: not notices)

    @classmethod
    def of(cls, version: str, problems: Sequence[Problem], notices: Sequence[Problem]) -> Self:
        return cls(
            version=version,
            publishable=not problems,
            errors=_field_errors(problems),
            notices=_field_errors(notices),
        )


def _field_errors(problems: Sequence[Problem]) -> list[FieldError]:
    return [FieldError(pointer=p.pointer, message=p.message) for p in problems]


Changelog = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_CHANGELOG),
    Readable,
    Documented({"pattern": READABLE_PATTERN}),
]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_REASON),
    OneLine,
    Documented({"pattern": ONE_LINE_PATTERN}),
]


class Publication(_CamelCase):
    """The body of a publish."""

    EXAMPLE: ClassVar = {"version": "1.1.0", "changelog": "Comments can be read, too."}

    version: Annotated[
        str, StringConstraints(min_length=1, max_length=64), Documented({"pattern": SEMVER_PATTERN})
    ]
    changelog: Changelog | None = None


class ReleasePatch(_CamelCase):
    """A JSON merge patch of what an author says about a release: its content never changes.

    A field that is left out stays, null removes it.
    """

    EXAMPLE: ClassVar = {"deprecated": "Use 2.0.0: version 1 of the API is switched off in May."}

    changelog: Changelog | None = None
    deprecated: Reason | None = None
    yanked: Reason | None = None


class ReleaseRemarks(_CamelCase):
    """What an author says about a release. This is all of a release that can change."""

    changelog: str | None = None
    deprecated: str | None = None
    yanked: str | None = None


class Release(ReleaseRemarks, Integration):
    """An integration as it was published under a semantic version. Its content never changes.

    `currentVersion` is that of the integration at the time of this release.
    """

    version: str
    published_at: UtcTime
    published_by: str
    remarks_revision: int = Field(default=FIRST_REVISION, exclude=True)
    """Changes with the remarks."""

    def shown_to(self, organization_id: str) -> Self:
        """The release as an organization sees it: who made it, and in which space, is blank for
        strangers. The contract has these fields as strings, so they are empty and not null."""
        if organization_id == self.organization_id:
            return self
        return self.model_copy(update={"workspace_id": "", "created_by": "", "published_by": ""})


class ReleaseSummary(ReleaseRemarks):
    """A release in a list, without its documents."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore")

    version: str
    published_at: UtcTime
    published_by: str


class CatalogEntry(_CamelCase):
    """A public integration in the list of the catalog, without its documents."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore")

    id: str
    publisher: str
    slug: str
    name: str
    description: str | None
    icon_url: str | None
    trust_tier: TrustTier
    current_version: str
    deprecated: str | None = None
    auth_type: AuthType
    capabilities: list[Capability]
    roles: list[Role]

    @computed_field  # type: ignore[prop-decorator]  # mypy does not support decorated properties
    @property
    def key(self) -> str:
        """How bodies and addresses name it: the key of its publisher, a slash, and its slug."""
        return integration_key(self.publisher, self.slug)


class IntegrationQuery(ListQuery):
    """`publisher` is the whole name or its key. `q` is part of the name, the slug, or the
    description, in any case."""

    workspace_id: str | None = Field(default=None, alias="workspaceId", max_length=64)
    slug: Slug | None = None
    publisher: PublisherPrefix | None = None
    visibility: Visibility | None = None
    q: SearchText | None = None
    deleted: bool = False


class CatalogQuery(ListQuery):
    """`publisher` and `name` are prefixes, of the publisher's key and of the name. `q` is part of
    the name, the slug, or the description, in any case. The others must match exactly."""

    publisher: PublisherPrefix | None = None
    slug: Slug | None = None
    q: SearchText | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None
    trust_tier: TrustTier | None = Field(default=None, alias="trustTier")
    capability: Capability | None = None
    role: Role | None = None
    auth_type: AuthType | None = Field(default=None, alias="authType")
