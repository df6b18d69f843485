"""How long a whole test may take."""

import time
from dataclasses import dataclass
from typing import Final

from patchbay.checks.manifest_steps import DEFAULT_TIMEOUT_MS


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """The time of a whole test: at most `most_ms`, and `default_ms` if the manifest has no
    `timeoutMs`. Each step has its own limit as well."""

    most_ms: int
    default_ms: int

    def since(self, started: float) -> "TimeBudget":
        """What is left of it; `started` is a reading of `time.monotonic`."""
        used_ms = int((time.monotonic() - started) * 1000)
        most_ms = max(_LEAST_MS, self.most_ms - used_ms)
        return TimeBudget(most_ms, min(most_ms, self.default_ms))

    def until(self, seconds: float) -> "TimeBudget":
        """The same, of which these seconds are left."""
        most_ms = max(_LEAST_MS, min(self.most_ms, int(seconds * 1000)))
        return TimeBudget(most_ms, min(most_ms, self.default_ms))


SYNCHRONOUS: Final = TimeBudget(25_000, DEFAULT_TIMEOUT_MS)
"""API Gateway ends an HTTP request after 30 s: the rest is for storing and responding. Preparing is
part of it: reading a reference may take 12 s."""

_LEAST_MS: Final = 1_000

ASYNCHRONOUS: Final = TimeBudget(60_000, 60_000)
"""No request waits for it; the function that runs queued tests has 90 s."""
