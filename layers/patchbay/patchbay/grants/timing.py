"""When a grant is refreshed, how long an attempt may take, and when the next one is due. Pure.

| what | how long |
|---|---|
| one call to the provider | 20 s, less where the caller has less |
| the lease | 120 s: the call, and then 100 s to store the answer |
| before another may take it | 10 s more, by how much two clocks may differ |
| after a call whose outcome is unknown | 30 s: the provider may still be working on it |
| before a token expires | a sixth of its life, at most 5 min, and up to half of that more |
| after a fault of the provider | 15 s, doubling up to 1 h |
| after a refused client | 5 min, doubling up to 1 h |
| after a call that never left | 5 s, doubling up to 1 min |
| after a 429 | what `Retry-After` says, at most a day; else 1 min, doubling up to 1 h |
| after an answer that may be lost | for 15 min at most 1 min, whatever failed since |
| a refresh token that nobody uses | half of its life, at most 7 days |
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from patchbay.checks.codes import Code, describe
from patchbay.connections.health_status import EXPIRY_WARNINGS
from patchbay.grants.grant_model import ENDED_TOLD, Grant

CALL_SECONDS: Final = 20.0
"""The provider's timeout."""
LEASE: Final = timedelta(seconds=120)
SKEW: Final = timedelta(seconds=10)
"""By how much the clocks of two processes may differ. Those of Lambda differ by milliseconds
(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/set-time.html)."""
UNKNOWN_OUTCOME: Final = timedelta(seconds=30)
LEAST_CALL_SECONDS: Final = 2.0
"""With less time than this, no call is begun: it would only be lost."""

GRACE: Final = timedelta(minutes=15)
"""How long it is hurried to use a refresh token again whose answer may be lost: those providers
that take one again do so for a short while."""
MOST_MARGIN: Final = timedelta(minutes=5)
KEEP_ALIVE: Final = timedelta(days=7)
"""How long a refresh token may stay unused if its life is not known. The shortest that providers
document is 30 days (Docusign,
https://developers.docusign.com/platform/auth/reference/obtain-access-token/), then 60 (Box,
https://developer.box.com/guides/authentication/tokens/refresh)."""
AFTER_REJECTION: Final = timedelta(minutes=15)
"""The least time between two refreshes because a provider rejected a token that is not expired."""
RECENT: Final = timedelta(minutes=15)
"""How long a refresh proves that the provider accepts the credentials."""

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def is_due(grant: Grant, now: datetime) -> bool:
    """Whether its access token is renewed before it is used."""
    if grant.expires_at is None:
        return False
    return now >= grant.expires_at - _margin(grant)


def is_expired(grant: Grant, now: datetime) -> bool:
    return grant.expires_at is not None and now >= grant.expires_at


def may_try(grant: Grant, now: datetime) -> bool:
    """Whether no pause after a failure is on. A time that is far off is that of a wrong clock."""
    failure = grant.failure
    return failure is None or not failure.at - SKEW <= now < failure.retry_at


def retry_at(
    code: Code,
    count: int,
    now: datetime,
    *,
    sent: bool,
    retry_after: int | None,
    key: str,
    lost_at: datetime | None = None,
) -> datetime:
    """When the next attempt may be made, after `count` failures in a row. `sent` is False if the
    request never left, `retry_after` what the provider asked for, in seconds, and `lost_at` when an
    attempt began whose answer may be lost."""
    category = describe(code).category
    if retry_after is not None:
        asked = min(_DAY, timedelta(seconds=retry_after))
        return now + asked + _spread(_MINUTE / 6, key, count)
    if category == "rate_limit":
        pause, most = _MINUTE, _HOUR
    elif not sent:
        pause, most = timedelta(seconds=5), _MINUTE
    elif category in ("provider", "network"):
        pause, most = timedelta(seconds=15), _HOUR
    else:
        pause, most = 5 * _MINUTE, _HOUR
    doublings: int = 2 ** min(count - 1, 12)
    if lost_at and now < lost_at + GRACE:
        most = min(most, _MINUTE)
    pause = min(most, pause * doublings)
    return now + pause / 2 + _spread(pause / 2, key, count)


def due_at(grant: Grant) -> datetime | None:
    """When the wheel looks at a grant next; None for never."""
    if grant.end is not None:
        return None if grant.told == ENDED_TOLD else _put_off(grant, grant.end.at)
    if grant.lease is not None:
        return grant.lease.until + 2 * SKEW
    moments = [_kept_alive_at(grant), _next_warning(grant)]
    due = min((moment for moment in moments if moment), default=None)
    if due is not None and grant.failure is not None:
        due = max(due, grant.failure.retry_at)
    return None if due is None else _put_off(grant, due)


def _put_off(grant: Grant, due: datetime) -> datetime:
    return max(due, grant.put_off_until) if grant.put_off_until else due


def is_idle(grant: Grant, now: datetime) -> bool:
    """Whether it is refreshed so that it does not end unused."""
    at = _kept_alive_at(grant)
    return at is not None and now >= at


def warning_at(grant: Grant, now: datetime) -> str | None:
    """The warning of its end that is due, as `told` keeps it; None if there is none, or it was
    told."""
    end = fixed_end(grant)
    if end is None:
        return None
    reached = [days for days in EXPIRY_WARNINGS if end - now <= days]
    if not reached:
        return None
    warning = f"{end.date().isoformat()} {min(reached).days}"
    return None if warning == grant.told else warning


def fixed_end(grant: Grant) -> datetime | None:
    """When it ends whatever is done; None if a refresh can still move that, or nothing is known."""
    if grant.renewed_by == "client" or grant.end is not None:
        return None
    if grant.renewed_by is None or grant.ends_are_fixed or grant.failure is not None:
        return grant.ends_at
    return None


def _kept_alive_at(grant: Grant) -> datetime | None:
    if grant.obtained_at is None or grant.renewed_by in (None, "client"):
        return None
    pause = KEEP_ALIVE
    if grant.ends_at is not None:
        pause = min(pause, (grant.ends_at - grant.obtained_at) / 2)
    # Earlier, never later, so that grants of one moment are not all refreshed at one.
    return grant.obtained_at + pause - _spread(pause / 10, grant.endpoint_id, grant.generation)


def _next_warning(grant: Grant) -> datetime | None:
    end = fixed_end(grant)
    if end is None:
        return None
    told = grant.told or ""
    left = [
        days for days in EXPIRY_WARNINGS if not _was_told(told, end.date().isoformat(), days.days)
    ]
    return end - max(left) if left else end


def _was_told(told: str, end: str, days: int) -> bool:
    """Whether this warning, or a later one, of this end was told."""
    told_end, _, told_days = told.partition(" ")
    return told_end == end and int(told_days) <= days


def _margin(grant: Grant) -> timedelta:
    if grant.obtained_at is None or grant.expires_at is None:
        return timedelta(0)
    life = max(timedelta(0), grant.expires_at - grant.obtained_at)
    margin = min(MOST_MARGIN, life / 6)
    return margin + _spread(margin / 2, grant.endpoint_id, grant.generation)


def _spread(most: timedelta, *key: object) -> timedelta:
    """A part of `most` that follows from the key: the same in every process."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=4).digest()
    return most * (int.from_bytes(digest) / 2**32)
