"""From an `Authorization` header to a principal, remembered for a minute."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.tenancy.access import context_of, context_of_nobody, context_of_outage
from patchbay.tenancy.api_keys import bearer_token
from patchbay.tenancy.store import TenancyStore

REMEMBERED_FOR: Final = timedelta(seconds=60)
"""How long a revoked key may still work; what API Gateway's own cache would do."""

MAX_REMEMBERED: Final = 1000


class Authenticator:
    """Answers what the authorizer tells the functions. Only who was recognised is remembered."""

    def __init__(self, store: TenancyStore) -> None:
        self._store = store
        self._remembered: dict[bytes, tuple[datetime, dict[str, str]]] = {}

    def context(self, header: str | None, now: datetime) -> dict[str, str]:
        """The authorizer context of a request with this `Authorization` header."""
        token = bearer_token(header) if header else None
        if token is None:
            return context_of_nobody()
        mark = hashlib.sha256(token.encode()).digest()
        if (known := self._remembered.get(mark)) and now < known[0]:
            return known[1]
        try:
            holder = self._store.holder_of_key(token, now)
        except TemporarilyUnavailable:
            logger.error("key store unavailable")
            return context_of_outage()
        if holder is None:
            return context_of_nobody()
        context = context_of(holder.principal)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        forgotten_at = now + REMEMBERED_FOR
        self._remembered[mark] = (min(forgotten_at, holder.until or forgotten_at), context)
        return context
