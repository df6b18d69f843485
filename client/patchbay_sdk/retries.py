"""When a request is sent again, and after how long: decisions only, nothing waits here.

| what happened | sent again |
|---|---|
| no connection | always |
| 429 | always: nothing was done |
| no answer, 408, 500, 502, 503, 504 | if the request may be repeated |
| 409 with `Retry-After` | if it may be repeated: the first try is still at work |
| anything else, an answer of a provider included | never |

A request may be repeated if it reads, if doing it twice is the same as doing it once, or if it has
an Idempotency-Key, which all its tries share.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from patchbay_sdk.errors import ConnectionFailed, retry_after
from patchbay_sdk.messages import Request, Response

_REPEATABLE: Final = frozenset({408, 500, 502, 503, 504})
_GONE: Final = 404
_MOST_DOUBLINGS: Final = 30
"""More would be more than any pause, and at some number of tries more than a float."""
Outcome = Response | ConnectionFailed


@dataclass(frozen=True)
class Retries:
    """How often, and how patiently."""

    most: int = 2
    """Tries after the first."""
    first_seconds: float = 0.5
    """The longest pause before the second try; it doubles with each further one."""
    longest_seconds: float = 8.0
    longest_retry_after_seconds: float = 60.0
    """If the deployment asks for more patience than this, the caller gets the error at once."""

    def pause(self, tries: int, request: Request, outcome: Outcome) -> float | None:
        """Seconds until the next try after this many; None if there is none."""
        if tries > self.most or not _may_repeat(request, outcome):
            return None
        doublings = min(tries - 1, _MOST_DOUBLINGS)
        backoff = min(self.longest_seconds, self.first_seconds * 2.0**doublings)
        # Callers that failed together must not come back together.
        jitter = random.random()  # noqa: S311 - nothing secret
        asked = retry_after(outcome) if isinstance(outcome, Response) else None
        if asked is None:
            return backoff * (1 + jitter) / 2
        if asked > self.longest_retry_after_seconds:
            return None
        return asked + self.first_seconds * jitter


class Tries:
    """The tries of one request: what was learned from those before."""

    def __init__(self, request: Request, retries: Retries) -> None:
        self._request = request
        self._retries = retries
        self._count = 0
        self._may_be_done = False

    def pause_after(self, outcome: Outcome) -> float | None:
        """Seconds until the next try; None if this outcome stands."""
        self._count += 1
        pause = self._retries.pause(self._count, self._request, outcome)
        if pause is not None:
            self._may_be_done = self._may_be_done or _may_be_done(outcome)
        return pause

    def result(self, outcome: Outcome) -> Response:
        """What the caller gets of the outcome that stands. Raises `ConnectionFailed`."""
        if isinstance(outcome, ConnectionFailed):
            raise outcome
        if self._request.is_deletion and outcome.status == _GONE and self._may_be_done:
            # An earlier try deleted it, and its answer was lost.
            return Response(204, outcome.headers)
        return outcome


def _may_repeat(request: Request, outcome: Outcome) -> bool:
    if isinstance(outcome, ConnectionFailed):
        return request.repeatable or not outcome.sent
    if outcome.is_proxied:
        return False
    if outcome.status == 409:
        return request.repeatable and "retry-after" in outcome.headers
    return outcome.status == 429 or (request.repeatable and outcome.status in _REPEATABLE)


def _may_be_done(outcome: Outcome) -> bool:
    return outcome.sent if isinstance(outcome, ConnectionFailed) else outcome.status >= 500
