"""How many requests an organization may make: one token bucket each, in the memory of a process.

The bucket is the organization's and not the key's, because a caller who may manage an
organization can make any number of keys. Callers that are not recognized share one bucket, which
is none of these.

An exact count would need a conditional write for each request, which costs twice a read. These
buckets cost nothing, but every instance of the authorizer has its own, so an organization gets at
most the limit times the number of instances. That stops a runaway loop, which is the purpose of the
limit; it is not a quota for billing.
"""

import math
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

MAX_BUCKETS: Final = 10_000
"""Organizations remembered at a time, in about 2 MB. If there are more, those that are full again
are forgotten, which changes nothing for them, or else the one that was used least recently."""

_REFILL: Final = timedelta(minutes=1)


class RequestRates:
    """Buckets of `per_minute` tokens, which refill in a minute. 0 turns them off."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: dict[str, tuple[datetime, float]] = {}

    def seconds_to_wait(self, caller: str, now: datetime) -> int:
        """Takes a token and returns 0, or returns the seconds until there is one."""
        if self.per_minute == 0:
            return 0
        at, tokens = self._buckets.get(caller, (now, float(self.per_minute)))
        per_second = self.per_minute / 60
        # A clock that was set back neither fills a bucket nor drains it.
        tokens += max(0.0, (now - at).total_seconds()) * per_second
        tokens = min(tokens, float(self.per_minute))
        wait = 0
        if tokens >= 1:
            tokens -= 1
        else:
            wait = max(1, math.ceil((1 - tokens) / per_second))
        self._buckets.pop(caller, None)  # the order of the buckets is that of their last use
        if len(self._buckets) >= MAX_BUCKETS:
            self._forget(now)
        self._buckets[caller] = (max(at, now), tokens)
        return wait

    def _forget(self, now: datetime) -> None:
        """A bucket that was not used for a minute is full, like a new one."""
        full = [caller for caller, (at, _) in self._buckets.items() if now - at >= _REFILL]
        for caller in full or list(islice(self._buckets, 1)):
            del self._buckets[caller]
