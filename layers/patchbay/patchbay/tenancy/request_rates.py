"""How many requests a caller may make: a token bucket for each, in the memory of one process.

An exact count would be a conditional write for each request, twice what a read costs. These buckets
cost nothing, and every instance of the authorizer has its own: a caller gets at most the limit
times the number of instances that AWS runs. That stops a loop that has gone wild, which is what the
limit is for; it is no quota to bill by.
"""

import math
from datetime import datetime
from typing import Final

MAX_BUCKETS: Final = 1000
"""Callers remembered at a time; when there are more, all begin anew with a full bucket."""


class RequestRates:
    """Buckets of `per_minute` tokens, which fill up again in a minute. 0 turns them off."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[str, tuple[datetime, float]] = {}

    def seconds_to_wait(self, caller: str, now: datetime) -> int:
        """Takes a token, and returns 0; or, if there is none, the seconds until there is one."""
        if self._per_minute == 0:
            return 0
        at, tokens = self._buckets.get(caller, (now, float(self._per_minute)))
        per_second = self._per_minute / 60
        # A clock that was set back fills nothing and takes nothing away.
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
