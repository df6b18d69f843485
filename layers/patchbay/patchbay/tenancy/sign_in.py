"""Signing a browser in: a key, or the code of a link, in exchange for a session."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from patchbay.platform.actor import Actor, acting, current_actor
from patchbay.platform.dynamodb import Write
from patchbay.platform.errors import InvalidInput, NotFound, Unauthenticated
from patchbay.platform.ids import new_id
from patchbay.platform.limits import Limit, Limiter
from patchbay.tenancy.access import Anyone
from patchbay.tenancy.api_key_store import ApiKeyStore
from patchbay.tenancy.api_keys import prefix_of
from patchbay.tenancy.browser_session_model import NewBrowserSession, SignInWay
from patchbay.tenancy.browser_sessions import (
    BrowserSessions,
    FollowedKey,
    NewSession,
    OpenedSession,
)
from patchbay.tenancy.sign_in_links import SignInLinks

MAX_PER_MINUTE: Final = 60
MAX_AT_ONCE: Final = 10
"""Of one organization: each leaves events in its audit trail."""

_RATE: Final = Limit(MAX_PER_MINUTE, MAX_AT_ONCE)
_LEASE: Final = timedelta(seconds=30)
"""No request runs longer."""

_WRONG_KEY: Final = "The API key is not valid: it is misspelled, was revoked, or has expired."
_WRONG_CODE: Final = "The link was used already, or has expired: ask for a new one."


class SignIn:
    """Begins sessions for callers that nobody knows yet."""

    def __init__(
        self,
        keys: ApiKeyStore,
        sessions: BrowserSessions,
        links: SignInLinks,
        limiter: Limiter,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._links = links
        self._limiter = limiter

    def with_secret(
        self, caller: Anyone, given: NewBrowserSession, replaced: str, now: datetime
    ) -> OpenedSession:
        """The session of a key, or of a code; `replaced` is the cookie that the browser had.

        Raises `InvalidInput`, `RateLimited` if the caller may make no more guesses or the
        organization signs in too often, and `Unauthenticated`.
        """
        if (given.api_key is None) == (given.code is None):
            raise InvalidInput.at("", "must have one of api_key and code")
        used_up: Sequence[Write] = ()
        if given.api_key is not None:
            new, wrong = self._of_key(given.api_key, now), _WRONG_KEY
        else:
            redeemed, wrong = self._links.redeemed(given.code or "", now), _WRONG_CODE
            new, used_up = redeemed or (None, ())
        if new is None:
            caller.require_turn()
            raise Unauthenticated(wrong)
        return self.begin(new, replaced, now, used_up)

    def begin(
        self, new: NewSession, replaced: str, now: datetime, used_up: Sequence[Write] = ()
    ) -> OpenedSession:
        """Begins a session within the rate of its organization. Raises as `with_secret`."""
        organization_id = new.organization_id
        actor = Actor(new.subject, now, current_actor().trace_id, organization_id)
        lease = new_id("bsn", now)
        with (
            acting(actor),
            self._limiter.held(organization_id, lease, _RATE, now, _LEASE),
        ):
            return self._sessions.open(new, now, replaced, used_up)

    def _of_key(self, text: str, now: datetime) -> NewSession | None:
        holder, prefix = self._keys.holder(text, now), prefix_of(text)
        if holder is None or prefix is None:
            return None
        principal = holder.principal
        try:
            key = self._keys.get(principal.organization_id, principal.subject)
        except NotFound:
            return None  # it was revoked a moment ago
        return NewSession(
            organization_id=principal.organization_id,
            subject=principal.subject,
            signed_in_by=SignInWay.API_KEY,
            key=FollowedKey(prefix, principal.subject),
            space=principal.space,
            ends_by=key.expires_at,
        )
