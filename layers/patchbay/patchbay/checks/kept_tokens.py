"""A token that was refreshed before a test, and is kept.

A provider may replace a refresh token with every use. So where a grant keeps the tokens of an
endpoint, a step with the grant `refresh_token` sends nothing: it reports what the grant did.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from patchbay.checks.probe import Outcome
from patchbay.platform.clock import to_second

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.timings import DialTimings


@dataclass(frozen=True, slots=True)
class KeptToken:
    """An access token, and when the provider issued it; `here` is whether it was for this test."""

    access_token: str = field(repr=False)
    refreshed_at: datetime
    here: bool = False


@dataclass(frozen=True, slots=True)
class KeptTokenProbe:
    token: KeptToken

    async def run(
        self, guard: "EgressGuard", *, deadline: float, timings: "DialTimings"
    ) -> Outcome:
        del guard, deadline, timings  # nothing is dialed
        when = "" if self.token.here else f" at {to_second(self.token.refreshed_at)}"
        return Outcome(
            summary=f"The provider issued an access token{when}.",
            obtained={"access_token": self.token.access_token},
        )
