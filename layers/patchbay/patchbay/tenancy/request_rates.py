"""How many requests a caller may make: one token bucket each, in the memory of a process.

An exact count would need a conditional write for each request, which costs twice a read. These
buckets cost nothing, but every instance of the authorizer has its own, so a caller gets at most the
limit times the number of instances. That stops a runaway loop, which is the purpose of the limit;
it is not a quota for billing.
"""

import math
from datetime import datetime
from typing import Final

MAX_BUCKETS: Final = 1000
"""Callers remembered at a time. If there are more, all start again with a full bucket."""


class RequestRates:
    """Buckets of `per_minute` tokens, which refill in a minute. 0 turns them off."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, tuple[datetime, float]] = {}

    def seconds_to_wait(self, caller: str, now: datetime) -> int:
        """Takes a token and returns 0, or returns the seconds until there is one."""
        if self._per_minute == 0:
            return 0
        at, tokens = self._buckets.get(caller, (now, float(self._per_minute)))
        per_second = self._per_minute / 60
        # A clock that was set back neither fills a bucket nor drains it.
        tokens += max(0.0, (now - at).total_seconds()) * per_second
        tokens = min(tokens, float(self._per_minute))
        wait = 0
        if tokens >= 1:
            tokens -= 1
        else:
            wait = max(1, math.ceil((1 - tokens) / per_second))
        if caller not in self._buckets and len(self._buckets) >= MAX_BUCKETS:
            self._buckets.clear()
        self._buckets[caller] = (max(at, now), tokens)
        return wait
