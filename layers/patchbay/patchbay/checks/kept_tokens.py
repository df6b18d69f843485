"""A token that was refreshed before a test, and is kept.

A provider may replace a refresh token with every use. So where a grant keeps the tokens of an
endpoint, a step with the grant `refresh_token` sends nothing: it reports what the grant did.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeptToken:
    """An access token, and when the provider issued it; `here` is whether it was for this test."""

    access_token: str = field(repr=False)
    refreshed_at: datetime
    here: bool = False
