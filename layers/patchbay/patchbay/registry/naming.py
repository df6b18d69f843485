"""How integrations are named and grouped: publishers, keys, categories."""

from typing import Annotated, Final

from pydantic import StringConstraints

from patchbay.platform.ids import SLUG_PATTERN
from patchbay.platform.validation import Spelled

PUBLISHER_PATTERN: Final = "^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$"
KEY_PATTERN: Final = f"^{PUBLISHER_PATTERN.strip('^$')}/{SLUG_PATTERN.strip('^$')}$"

Publisher = Annotated[str, StringConstraints(pattern=PUBLISHER_PATTERN)]
IntegrationKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
"""The name of an integration: `publisher/slug`."""


Category = Annotated[
    str,
    Spelled(
        r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$",
        "must have 1 to 40 lower-case letters, digits, and hyphens, without a hyphen at the ends",
    ),
]
"""The kind of service that an integration is for: `payments`, `email`, `crm`, `vector-db`, …

The list is open; `docs/connections.md` has the categories of the catalog.
"""

UNCATEGORIZED: Final = "custom"
