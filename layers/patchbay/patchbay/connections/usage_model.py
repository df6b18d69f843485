"""How often the credentials of a connection were used, besides its tests. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self

from patchbay.platform.clock import from_text
from patchbay.platform.dynamodb import Item


@dataclass(frozen=True, slots=True)
class ConnectionUsage:
    """The uses that ended, and how many of them failed. Those that failed because of Patchbay do
    not count."""

    requests: int = 0
    errors: int = 0
    last_used_at: datetime | None = None
    last_error_at: datetime | None = None
    last_error_code: str | None = None

    @classmethod
    def of(cls, item: Item | None) -> Self:
        """The usage that an item holds; none if there is no item."""
        if item is None:
            return cls()

        def time(name: str) -> datetime | None:
            return from_text(item[name]) if name in item else None

        return cls(
            requests=item.get("requests", 0),
            errors=item.get("errors", 0),
            last_used_at=time("last_used_at"),
            last_error_at=time("last_error_at"),
            last_error_code=item.get("last_error_code"),
        )


NEVER_USED = ConnectionUsage()
