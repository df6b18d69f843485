"""Identifiers: a prefix and a ULID, so that they sort by the time they were made."""

import re
from datetime import datetime
from typing import Annotated, Final

from pydantic import StringConstraints

_ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"


def new_id(prefix: str, now: datetime) -> str:
    """`<prefix>_<ULID>`; 80 random bits beside the millisecond."""
    from ulid import ULID

    return f"{prefix}_{ULID.from_datetime(now)}"


def pattern(prefix: str) -> str:
    """The regular expression of the ids with this prefix (Crockford's base 32)."""
    return f"^{prefix}_{_ULID}$"


def is_id(prefix: str, text: str) -> bool:
    """Whether a text could be such an id. What can't be one needs no look-up to be not found."""
    return re.fullmatch(pattern(prefix).removeprefix("^").removesuffix("$"), text) is not None


OrganizationId = Annotated[str, StringConstraints(pattern=pattern("org"))]
EndpointId = Annotated[str, StringConstraints(pattern=pattern("(?:src|dst)"))]
SourceId = Annotated[str, StringConstraints(pattern=pattern("src"))]
DestinationId = Annotated[str, StringConstraints(pattern=pattern("dst"))]
ConnectionId = Annotated[str, StringConstraints(pattern=pattern("con"))]

SLUG_PATTERN: Final = "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
"""1–63 characters, lower-case letters, digits and inner hyphens: fit for a DNS label."""
