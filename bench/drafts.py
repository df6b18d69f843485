"""A draft as a deployment has it, to ask the product what it says of a definition."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from patchbay.registry.model import Integration, NewIntegration

_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def draft_of(new: "NewIntegration") -> "Integration":
    """The draft right after its create."""
    from patchbay.registry.model import Integration

    return Integration.draft_of(
        new, id="int_1", organization_id="org_1", created_by="key_1", at=_AT
    )
