"""From an `Authorization` header to a principal, remembered for a minute."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.settings import Settings
from patchbay.tenancy.access import (
    context_of,
    context_of_haste,
    context_of_nobody,
    context_of_outage,
)
from patchbay.tenancy.api_key_store import ApiKeyStore, Holder
from patchbay.tenancy.api_keys import bearer_token
from patchbay.tenancy.request_rates import RequestRates
from patchbay.tenancy.store import TenancyStore

if TYPE_CHECKING:
    from patchbay.tenancy.authentication_jwt import TokenReader

REMEMBERED_FOR: Final = timedelta(seconds=60)
"""How long a revoked key may still work; what API Gateway's own cache would do."""

MAX_REMEMBERED: Final = 1000


class Authenticator:
    """Answers what the authorizer tells the functions. Only who was recognised is remembered."""

    def __init__(
        self,
        tenants: TenancyStore,
        keys: ApiKeyStore,
        tokens: "TokenReader | None" = None,
        rates: RequestRates | None = None,
    ) -> None:
        """Without a reader of tokens, API keys alone are recognised."""
        self._tenants = tenants
        self._keys = keys
        self._tokens = tokens
        self._rates = rates or RequestRates(0)
        self._remembered: dict[bytes, tuple[datetime, dict[str, str]]] = {}

    def context(self, header: str | None, now: datetime) -> dict[str, str]:
        """The authorizer context of a request with this `Authorization` header."""
        context = self._recognised(header, now)
        if subject := context.get("subject"):
            caller = f"{context['organization_id']} {subject}"
            if wait := self._rates.seconds_to_wait(caller, now):
                return context_of_haste(context, wait)
        return context

    def _recognised(self, header: str | None, now: datetime) -> dict[str, str]:
        token = bearer_token(header) if header else None
        if token is None:
            return context_of_nobody()
        mark = hashlib.sha256(token.encode()).digest()
        if (known := self._remembered.get(mark)) and now < known[0]:
            return known[1]
        try:
            holder = self._holder(token, now)
        except TemporarilyUnavailable:
            logger.error("who calls can't be told")
            return context_of_outage()
        if holder is None:
            return context_of_nobody()
        context = context_of(holder.principal)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        forgotten_at = now + REMEMBERED_FOR
        self._remembered[mark] = (min(forgotten_at, holder.until or forgotten_at), context)
        return context

    def _holder(self, token: str, now: datetime) -> Holder | None:
        # An API key has no dot, a JSON Web Token has two.
        if self._tokens is None or "." not in token:
            return self._keys.holder(token, now)
        holder = self._tokens.holder(token, now)
        if holder is None:
            return None
        try:
            self._tenants.organization(holder.principal.organization_id)
        except NotFound:
            return None
        return holder


def token_reader(settings: Settings) -> "TokenReader | None":
    """The reader of the tokens that a deployment trusts; None if it trusts no issuer.

    Without an audience none is trusted: tokens for any other service would be taken.
    """
    if not (settings.jwt_issuer and settings.jwt_audience):
        return None
    from patchbay.tenancy.authentication_jwks import KeySet
    from patchbay.tenancy.authentication_jwt import TokenReader, TrustedIssuer

    trusted = TrustedIssuer(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        organization_claim=settings.jwt_organization_claim,
        permissions_claim=settings.jwt_permissions_claim,
    )
    well_known = f"{settings.jwt_issuer.rstrip('/')}/.well-known/jwks.json"
    return TokenReader(trusted, KeySet(settings.jwt_jwks_url or well_known))
