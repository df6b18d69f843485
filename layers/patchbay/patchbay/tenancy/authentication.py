"""From an `Authorization` header to the authorizer's context, cached for a minute."""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from patchbay.platform.browser_requests import BrowserRequest
from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.settings import Settings
from patchbay.tenancy.api_key_store import CACHED_FOR, ApiKeyStore, Holder
from patchbay.tenancy.api_keys import bearer_token
from patchbay.tenancy.authorizer_context import (
    anonymous_context,
    cross_site_context,
    outage_context,
    principal_context,
    rate_limited_context,
    session_context,
)
from patchbay.tenancy.browser_sessions import BrowserSessions
from patchbay.tenancy.fair_cache import FairCache
from patchbay.tenancy.install_tokens import (
    MAX_REQUESTS_PER_MINUTE,
    InstallTokens,
    is_install_token,
)
from patchbay.tenancy.request_rates import RequestRates
from patchbay.tenancy.store import TenancyStore

if TYPE_CHECKING:
    from patchbay.tenancy.authentication_jwt import TokenReader, TrustedIssuer

MAX_CACHED: Final = 1000
"""Principals. An organization with many keys or tokens pushes out none of the others."""


class Authenticator:
    """Finds the principal of a request. Only principals are cached, not failures."""

    def __init__(
        self,
        tenants: TenancyStore,
        keys: ApiKeyStore,
        tokens: "TokenReader | None" = None,
        rates: RequestRates | None = None,
        unauthenticated: RequestRates | None = None,
        installs: InstallTokens | None = None,
        browsers: BrowserSessions | None = None,
        public_url: str = "",
    ) -> None:
        """Without a `TokenReader`, only API keys are accepted, tokens of `installs`, and the
        cookies of `browsers` with requests of pages at `public_url`.

        `rates` are the limits of organizations, `unauthenticated` is the one of everybody else.
        Each install session has a limit of its own.
        """
        self._tenants = tenants
        self._keys = keys
        self._tokens = tokens
        self._rates = rates or RequestRates(0)
        self._unauthenticated = unauthenticated or RequestRates(0)
        self._installs = installs
        self._browsers = browsers
        self._public_url = public_url
        self._sessions = RequestRates(MAX_REQUESTS_PER_MINUTE)
        self._cached: FairCache[bytes, dict[str, str]] = FairCache(MAX_CACHED)

    def context(
        self, header: str | None, now: datetime, browser: BrowserRequest | None = None
    ) -> dict[str, str]:
        """The authorizer context of a request with this `Authorization` header, or else with the
        session of this `browser`."""
        try:
            if browser and header is None:
                context = self._signed_in(browser, now)
            else:
                context = self._identified(header, now)
        except TemporarilyUnavailable:
            # The caller may be anyone, so this takes nobody's turn.
            logger.error("the caller can't be identified")
            return outage_context()
        # The caller is found first: a flood of requests without a key takes no tenant's turn.
        owner = context.get("organization_id") or context.get("session_id")
        rates = self._rates if owner else self._unauthenticated
        if "session_id" in context:
            rates = self._sessions
        if wait := rates.seconds_to_wait(owner or "", now):
            return rate_limited_context(context, wait, rates.per_minute)
        return context

    def _signed_in(self, browser: BrowserRequest, now: datetime) -> dict[str, str]:
        """Sessions are not cached, so that one that has ended is not used any more at once.

        Raises as `_identified`.
        """
        if not browser.may_use_session(self._public_url):
            return cross_site_context()
        principal = self._browsers.holder(browser.session, now) if self._browsers else None
        return principal_context(principal) if principal else anonymous_context()

    def _identified(self, header: str | None, now: datetime) -> dict[str, str]:
        """Raises `TemporarilyUnavailable` if the store of keys does not respond."""
        token = bearer_token(header) if header else None
        if token is None:
            return anonymous_context()
        if self._installs and is_install_token(token):
            session = self._installs.holder(token)
            return session_context(session) if session else anonymous_context()
        hashed = hashlib.sha256(token.encode()).digest()
        if known := self._cached.get(hashed, now):
            return known[1]
        holder = self._holder(token, now)
        if holder is None:
            return anonymous_context()
        context = principal_context(holder.principal)
        expires_at = now + CACHED_FOR
        until = min(expires_at, holder.until or expires_at)
        self._cached.put(hashed, holder.principal.organization_id, until, context)
        return context

    def _holder(self, token: str, now: datetime) -> Holder | None:
        # An API key has no dot, a JSON Web Token has two.
        if self._tokens is None or "." not in token:
            return self._keys.holder(token, now)
        holder = self._tokens.holder(token, now)
        return in_its_organization(holder, self._tenants) if holder else None


def in_its_organization(holder: Holder, tenants: TenancyStore) -> Holder | None:
    """The holder of a token with the space that the token names; None if the organization or the
    space does not exist."""
    principal = holder.principal
    try:
        tenants.organization(principal.organization_id)
    except NotFound:
        return None
    if holder.space is None:
        return holder
    space = tenants.space_called(principal.organization_id, holder.space)
    return holder._replace(principal=principal._replace(space=space)) if space else None


def token_reader(settings: Settings) -> "TokenReader | None":
    """The reader of the tokens that a deployment trusts; None if it trusts no issuer.

    Without an audience it trusts none, because tokens for any other service would be accepted.
    """
    trusted = trusted_issuer(settings)
    if trusted is None:
        return None
    from patchbay.tenancy.authentication_jwks import KeySet
    from patchbay.tenancy.authentication_jwt import TokenReader

    well_known = f"{settings.jwt_issuer.rstrip('/')}/.well-known/jwks.json"
    return TokenReader(trusted, KeySet(settings.jwt_jwks_url or well_known))


def trusted_issuer(settings: Settings) -> "TrustedIssuer | None":
    """The issuer that a deployment trusts, as `token_reader` says."""
    if not (settings.jwt_issuer and settings.jwt_audience):
        return None
    from patchbay.tenancy.authentication_jwt import TrustedIssuer

    return TrustedIssuer(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        organization_claim=settings.jwt_organization_claim,
        permissions_claim=settings.jwt_permissions_claim,
        permissions_prefix=settings.jwt_permissions_prefix,
        space_claim=settings.jwt_space_claim,
    )
