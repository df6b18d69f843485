"""Signing in by OpenID Connect: the authorization code flow (OpenID Connect Core 1.0, section 3.1)
with PKCE (RFC 7636), as a public client.

Nothing is stored between the two requests, which anybody may make. The browser keeps one secret in
a cookie, for ten minutes; `state`, `nonce`, and the verifier of PKCE are derived from it:

1. `start` draws the secret and sends the browser to the provider.
2. `finish` takes what the provider sends back, only if its `state` is that of the cookie: a code of
   somebody else's sign-in, which another site may bring here, belongs to another browser.
3. The ID token has to be the provider's, for our client, and with our `nonce`. Who signs in, and
   what they may do, is then said by the claims that any token has to have: of the access token, if
   it is one that the API takes, or else of the ID token.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from patchbay.oidc.identity_provider import Endpoints, ExchangeRefused, IdentityProvider
from patchbay.oidc.return_paths import HOME, return_path
from patchbay.platform.cookies import HOST_PREFIX, HostCookie
from patchbay.platform.errors import RateLimited, TemporarilyUnavailable, Unauthenticated
from patchbay.platform.logging import logger
from patchbay.tenancy.api_key_store import Holder
from patchbay.tenancy.authentication import in_its_organization
from patchbay.tenancy.authentication_jwt import (
    TokenReader,
    TrustedIssuer,
    holder_of,
    is_for,
    valid_until,
)
from patchbay.tenancy.browser_session_model import SignInWay
from patchbay.tenancy.browser_sessions import NewSession
from patchbay.tenancy.sign_in import SignIn
from patchbay.tenancy.store import TenancyStore

LIFETIME: Final = timedelta(minutes=10)
MAX_QUERY: Final = 16 * 1024
"""Characters of what a provider sends back."""
MAX_FIELDS: Final = 50

PAGE: Final = f"{HOME}/sign-in"
_COOKIE: Final = f"{HOST_PREFIX}patchbay_oidc"
_VALUE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{1,2048})")


class SignInFailure(StrEnum):
    """Why nobody was signed in, for the sign-in page."""

    REFUSED = "refused"
    """The person, or the provider, said no."""
    ELSEWHERE = "elsewhere"
    """It was begun in another browser, or too long ago."""
    UNKNOWN = "unknown"
    """The provider knows the person, but no organization of this deployment does."""
    BUSY = "busy"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class NextPage:
    """Where the browser goes next, with these cookies."""

    location: str
    cookies: tuple[HostCookie, ...] = ()

    @classmethod
    def failed(cls, why: SignInFailure) -> "NextPage":
        """Back to the sign-in page, which says why."""
        return cls(f"{PAGE}?failed={why}", (HostCookie(_COOKIE, "", 0),))


class SignInFlow:
    """Both halves of a sign-in. `client_id` is the deployment's at the provider, `scopes` are
    asked for with spaces in between."""

    def __init__(
        self,
        provider: IdentityProvider,
        trusted: TrustedIssuer,
        client_id: str,
        scopes: str,
        tenants: TenancyStore,
        sign_in: SignIn,
    ) -> None:
        self._provider = provider
        self._trusted = trusted
        self._client_id = client_id
        self._scopes = scopes
        self._tenants = tenants
        self._sign_in = sign_in

    def busy(self) -> NextPage:
        """For a browser while there are too many requests."""
        return NextPage.failed(SignInFailure.BUSY)

    def start(self, return_to: str | None, redirect_uri: str, now: datetime) -> NextPage:
        """Sends the browser to the provider."""
        try:
            endpoint = self._provider.endpoints(now).authorization
        except TemporarilyUnavailable:
            return NextPage.failed(SignInFailure.UNAVAILABLE)
        secret = secrets.token_urlsafe(32)
        challenge = hashlib.sha256(_derived(secret, "verifier").encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": self._scopes,
            "state": _derived(secret, "state"),
            "nonce": _derived(secret, "nonce"),
            "code_challenge": _text(challenge),
            "code_challenge_method": "S256",
        }
        if self._trusted.audience != self._client_id:
            # Some providers give a token for an API only if it is asked for by name; the others
            # ignore what they do not know (RFC 6749, section 3.1).
            asked["audience"] = self._trusted.audience
        joiner = "&" if "?" in endpoint.path else "?"
        location = f"{endpoint.url}{joiner}{urlencode(asked, quote_via=quote)}"
        value = f"{secret}.{_text(return_path(return_to).encode())}"
        cookie = HostCookie(_COOKIE, value, int(LIFETIME.total_seconds()))
        return NextPage(location, (cookie,))

    def finish(
        self,
        raw_query: str,
        cookies: Mapping[str, str],
        replaced: str,
        redirect_uri: str,
        now: datetime,
    ) -> NextPage:
        """Signs the person in who comes back from the provider; `replaced` is the cookie of the
        session that the browser had. Never raises for what a request or a provider may contain."""
        kept = _VALUE.fullmatch(cookies.get(_COOKIE, ""))
        answer = _fields(raw_query)
        if kept is None or answer is None:
            return NextPage.failed(SignInFailure.ELSEWHERE)
        secret = kept[1]
        state = answer.get("state", "")
        if not hmac.compare_digest(state.encode(), _derived(secret, "state").encode()):
            return NextPage.failed(SignInFailure.ELSEWHERE)
        if "error" in answer or not answer.get("code"):
            return NextPage.failed(SignInFailure.REFUSED)
        try:
            endpoints = self._provider.endpoints(now)
            if not self._is_of_issuer(answer.get("iss"), endpoints):
                return NextPage.failed(SignInFailure.REFUSED)
            issued = self._provider.exchange(
                endpoints.token,
                {
                    "grant_type": "authorization_code",
                    "code": answer["code"],
                    "redirect_uri": redirect_uri,
                    "client_id": self._client_id,
                    "code_verifier": _derived(secret, "verifier"),
                },
            )
            holder = self._holder(issued, endpoints, _derived(secret, "nonce"), now)
            known = in_its_organization(holder, self._tenants) if holder else None
            if known is None:
                return NextPage.failed(SignInFailure.UNKNOWN)
            return self._signed_in(known, kept[2], replaced, now)
        except ExchangeRefused as refused:
            logger.warning("a sign-in was refused", reason=str(refused))
            return NextPage.failed(SignInFailure.REFUSED)
        except Unauthenticated:
            return NextPage.failed(SignInFailure.UNKNOWN)
        except RateLimited:
            return NextPage.failed(SignInFailure.BUSY)
        except TemporarilyUnavailable:
            return NextPage.failed(SignInFailure.UNAVAILABLE)

    def _signed_in(self, known: Holder, path: str, replaced: str, now: datetime) -> NextPage:
        principal = known.principal
        new = NewSession(
            organization_id=principal.organization_id,
            subject=principal.subject,
            signed_in_by=SignInWay.OIDC,
            permissions=principal.permissions,
            space=principal.space,
        )
        opened = self._sign_in.begin(new, replaced, now)
        # The cookie is the browser's to change: where it leads is judged again.
        location = return_path(_read(path))
        return NextPage(location, (opened.cookie, HostCookie(_COOKIE, "", 0)))

    def _is_of_issuer(self, iss: str | None, endpoints: Endpoints) -> bool:
        if iss is None:
            return not endpoints.says_iss
        return iss == self._provider.issuer

    def _holder(
        self, issued: Mapping[str, Any], endpoints: Endpoints, nonce: str, now: datetime
    ) -> Holder | None:
        """Whom the tokens name; None for nobody of an organization. Raises `ExchangeRefused` if
        they are not the provider's answer to this sign-in."""
        reader = TokenReader(self._trusted, endpoints.keys)
        id_token, access_token = issued.get("id_token"), issued.get("access_token")
        claims = reader.claims(id_token, now) if isinstance(id_token, str) else None
        of_client = replace(self._trusted, audience=self._client_id)
        if (
            claims is None
            or valid_until(claims, of_client, now) is None
            or not is_for(claims, self._client_id, nonce)
        ):
            raise ExchangeRefused("the ID token is not for this sign-in")
        holder = reader.holder(access_token, now) if isinstance(access_token, str) else None
        return holder or holder_of(claims, of_client, now)


def _derived(secret: str, purpose: str) -> str:
    """A value for one purpose: 256 bits, from which the others can't be told."""
    return _text(hmac.digest(secret.encode(), f"patchbay {purpose}".encode(), "sha256"))


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _read(text: str) -> str | None:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return None


def _fields(raw_query: str) -> dict[str, str] | None:
    """The parameters of a callback; None if one is there twice, or they are too long."""
    if len(raw_query) > MAX_QUERY:
        return None
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None
