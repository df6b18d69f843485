"""The erasure and the export of an organization, as the API shows them."""

from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field

from patchbay.platform.clock import UtcTime
from patchbay.platform.model import Model


class ErasureQuery(Model):
    """`confirm` repeats the id of the organization."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(description="the id of the organization again", max_length=64)


class ErasureStatus(StrEnum):
    """How far an erasure is."""

    QUEUED = "queued"
    ERASING = "erasing"
    WAITING = "waiting"
    """Until all that was running when the organization was closed has ended."""
    VERIFYING = "verifying"
    ERASED = "erased"


class KeptThing(StrEnum):
    """What an erasure leaves."""

    AUDIT_TRAIL = "audit_trail"
    """What was done to which thing and when, without names, values, and subjects."""
    BACKUPS = "backups"
    """Point-in-time recovery of both tables."""
    NAMES = "names"
    """Slugs of spaces and publishers stay taken, without their owner."""
    RELEASES = "releases"
    """Releases that another organization began to use while this one was being closed."""


class Kept(Model):
    """Something that an erasure leaves. Null as `until` is forever."""

    what: KeptThing
    until: UtcTime | None


class Erasure(Model):
    """The erasure of an organization.

    `removed` counts the items by kind; an interrupted run may count some of them twice or not at
    all. `left` is what the last verification found and removed: an erasure ends with one that found
    nothing.
    """

    organization_id: str
    status: ErasureStatus
    requested_at: UtcTime
    started_at: UtcTime | None
    verifies_at: UtcTime
    finished_at: UtcTime | None
    removed: dict[str, int]
    grants_not_revoked: int
    left: int | None
    failures: int
    error_code: str | None
    kept: list[Kept]


class ExportedThing(Model):
    """One thing of an organization, of the kind `kind`, as answers of the API show it."""

    kind: str
    content: dict[str, Any]
