"""JSON Web Tokens (RFC 7519) of the one issuer that the operator trusts.

A token is believed in these steps, and is nobody's at the first that fails:

1. it is small enough and has three parts; its header asks for RS256 or ES256 and names a key, and
   has no critical extension (`crit`);
2. the issuer has a key of that name for that algorithm: no other kind of key is ever tried;
3. the signature is right;
4. issuer, audience and times hold (30 s are forgiven), and there is a subject;
5. the claims name an organization, which the caller of this module looks up.

The operator's permission (`platform.admin`) can't be had by a token, whatever its claims say:
whoever can edit claims at the identity provider would cross all tenants.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from patchbay.platform.errors import InvalidJson
from patchbay.platform.ids import is_id
from patchbay.platform.strict_json import loads
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_key_store import Holder
from patchbay.tenancy.authentication_jwks import KeyName, KeySet

MAX_BYTES: Final = 8 * 1024
"""API Gateway takes 10 KiB of headers in all."""

LEEWAY: Final = timedelta(seconds=30)
"""How far the issuer's clock and ours may be apart."""

ALGORITHMS: Final = frozenset({"RS256", "ES256"})
SUBJECT_PREFIX: Final = "jwt:"
"""Tells a subject of a token from the id of an API key."""

GRANTED: Final = frozenset(Permission) - {Permission.ADMIN}

_FAR_AWAY: Final = 2**35
"""A moment in the year 3058: times with a leeway stay within what `datetime` can hold."""

_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)[.]([A-Za-z0-9_-]+)[.][A-Za-z0-9_-]+")
_SUBJECT: Final = re.compile(r"[ -~]{1,255}")
"""OpenID Connect Core 1.0, section 2: up to 255 ASCII characters."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Whose tokens are believed, for whom they have to be, and where they say who calls."""

    issuer: str
    audience: str
    organization_claim: str
    permissions_claim: str


class TokenReader:
    """Tells who holds a token."""

    def __init__(self, trusted: TrustedIssuer, keys: KeySet) -> None:
        self._trusted = trusted
        self._keys = keys

    def holder(self, text: str, now: datetime) -> Holder | None:
        """Who holds this token and until when, whether or not their organization exists.

        Raises `TemporarilyUnavailable` if the issuer's keys can't be had.
        """
        name = key_name(text)
        key = self._keys.find(name, now) if name else None
        if name is None or key is None:
            return None
        import jwt

        try:
            payload = jwt.PyJWS().decode(text, key, algorithms=[name.algorithm])
            claims = loads(payload)
        except (jwt.PyJWTError, InvalidJson):
            return None
        return holder_of(claims, self._trusted, now) if isinstance(claims, dict) else None


def key_name(text: str) -> KeyName | None:
    """The key that a token says it is signed by; None for what can't be a token of ours."""
    parts = _FORM.fullmatch(text) if len(text) <= MAX_BYTES else None
    if parts is None:
        return None
    try:
        header = loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, InvalidJson):
        return None
    match header:
        case {"crit": _}:
            return None
        case {"alg": str(algorithm), "kid": str(key_id)} if algorithm in ALGORITHMS:
            return KeyName(key_id, algorithm)
    return None


def holder_of(claims: Mapping[str, Any], trusted: TrustedIssuer, now: datetime) -> Holder | None:
    """Who the claims of a token with a right signature speak for; None if they do not hold."""
    if claims.get("iss") != trusted.issuer or trusted.audience not in _texts(claims.get("aud")):
        return None
    expires_at, issued_at = _moment(claims.get("exp")), _moment(claims.get("iat"))
    begins_at = _moment(claims["nbf"]) if "nbf" in claims else issued_at
    if expires_at is None or issued_at is None or begins_at is None:
        return None
    until = expires_at + LEEWAY
    if not max(issued_at, begins_at) - LEEWAY <= now < until:
        return None
    subject, organization_id = claims.get("sub"), claims.get(trusted.organization_claim)
    if not (isinstance(subject, str) and _SUBJECT.fullmatch(subject)):
        return None
    if not (isinstance(organization_id, str) and is_id("org", organization_id)):
        return None
    named = claims.get(trusted.permissions_claim)
    # A list (`permissions`) or one text with spaces in between (`scope`, RFC 8693 section 4.2).
    names = named.split() if isinstance(named, str) else _texts(named)
    principal = Principal(
        organization_id=organization_id,
        subject=f"{SUBJECT_PREFIX}{subject}",
        permissions=frozenset(permission for permission in GRANTED if permission in names),
    )
    return Holder(principal, until)


def _texts(value: Any) -> list[str]:
    """A text alone or the texts of a list."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _moment(value: Any) -> datetime | None:
    """A NumericDate: seconds since 1970, whole or not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC) if 0 <= value < _FAR_AWAY else None
