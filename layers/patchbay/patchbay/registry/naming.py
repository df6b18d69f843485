"""How integrations are named and grouped: publishers, keys, categories."""

from typing import Annotated, Final

from pydantic import StringConstraints

from patchbay.platform.ids import SLUG_PATTERN

PUBLISHER_PATTERN: Final = "^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$"
KEY_PATTERN: Final = f"^{PUBLISHER_PATTERN.strip('^$')}/{SLUG_PATTERN.strip('^$')}$"

Publisher = Annotated[str, StringConstraints(pattern=PUBLISHER_PATTERN)]
IntegrationKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
"""The name of an integration: `publisher/slug`."""


Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
"""The kind of service that an integration is for: `payments`, `email`, `crm`, `vector-db`, …

The list is open; `docs/connections.md` has the categories of the catalog.
"""

UNCATEGORIZED: Final = "custom"
