"""The operator's canary: a server that is reachable whenever our own network works."""

import asyncio
from typing import Final

from patchbay.egress.failures import DialFailure, EgressBlocked
from patchbay.egress.guard import EgressGuard
from patchbay.egress.tls import VERIFIED
from patchbay.egress.url import parse_url
from patchbay.platform.logging import logger

_SECONDS: Final = 5.0


class CanaryTarget:
    """Dials the host and port of a URL, with TLS for https, and sends nothing.

    It dials as tests do: through the guard, under its rules.
    """

    def __init__(self, url: str, guard: EgressGuard) -> None:
        self._url = url
        self._guard = guard

    async def reached(self) -> bool | None:
        """None without a canary, and for one that the guard blocks: then it shows nothing."""
        if not self._url:
            return None
        deadline = asyncio.get_running_loop().time() + _SECONDS
        try:
            target = parse_url(self._url)
            vetted = await self._guard.vet(target.host, target.port, "http", deadline=deadline)
            connection = await self._guard.connect(
                vetted, tls=VERIFIED if target.scheme == "https" else None, deadline=deadline
            )
        except EgressBlocked:
            logger.error("the canary may not be dialed")
            return None
        except (DialFailure, OSError):
            return False
        connection.close()
        return True
