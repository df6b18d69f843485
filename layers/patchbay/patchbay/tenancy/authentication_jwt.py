"""JSON Web Tokens (RFC 7519) of the one issuer that the operator trusts.

A token is accepted if all of this is true:

1. It is small enough and has three parts. Its header says one of `ALGORITHMS`, names a key, and has
   no critical extension (`crit`).
2. The issuer has a key of that name for that algorithm. No other key is tried.
3. The signature is valid.
4. Issuer and audience match, the token is valid now (give or take 30 s), and it has a subject. A
   token without `aud` has its audience in `client_id`, as access tokens of Cognito do; so does
   API Gateway read them:
   https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
5. The claims name an organization, and a space of it if they have one. The caller of this module
   looks them up.

A token never gets the operator's permission (`platform.admin`), whatever its claims say: anyone who
can edit claims at the identity provider would cross all tenants.
"""

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from patchbay.platform.errors import InvalidJson
from patchbay.platform.ids import SLUG_PATTERN, is_id
from patchbay.platform.strict_json import loads
from patchbay.tenancy.access import Permission, Principal
from patchbay.tenancy.api_key_store import Holder
from patchbay.tenancy.authentication_jwks import ALGORITHMS, KeyName, KeySet

MAX_BYTES: Final = 8 * 1024
"""API Gateway accepts at most 10 KiB of headers."""

LEEWAY: Final = timedelta(seconds=30)
"""How far the issuer's clock may be off."""

SUBJECT_PREFIX: Final = "jwt:"
"""Distinguishes the subject of a token from the id of an API key."""

GRANTED: Final = frozenset(Permission) - {Permission.ADMIN}

_FAR_AWAY: Final = 2**35
"""The year 3058: beyond it, times plus a leeway could exceed what `datetime` can represent."""

_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)[.]([A-Za-z0-9_-]+)[.][A-Za-z0-9_-]+")
_SLUG: Final = re.compile(SLUG_PATTERN.strip("^$"))
_SUBJECT: Final = re.compile(r"[ -~]{1,255}")
"""OpenID Connect Core 1.0, section 2: up to 255 ASCII characters."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Whose tokens are accepted, for which audience, and which claims name the caller.

    A claim is its name; or, if the token has none of this name, a path of names with dots in
    between (`realm_access.roles`) or a JSON Pointer (`/resource_access/my.app/roles`). The claims
    with permissions may be several, with commas in between.
    """

    issuer: str
    audience: str
    organization_claim: str
    permissions_claim: str
    permissions_prefix: str = "patchbay/"
    """What may stand before a permission: the identifier of a resource server at Cognito."""
    space_claim: str = ""
    """Empty if no claim confines a token to a space."""


class TokenReader:
    """Finds the holder of a token."""

    def __init__(self, trusted: TrustedIssuer, keys: KeySet) -> None:
        self._trusted = trusted
        self._keys = keys

    def holder(self, text: str, now: datetime) -> Holder | None:
        """Who holds this token and until when, whether or not their organization exists; None for a
        token that is not valid.

        Raises `TemporarilyUnavailable` if the issuer's keys can't be fetched.
        """
        claims = self.claims(text, now)
        return holder_of(claims, self._trusted, now) if claims is not None else None

    def claims(self, text: str, now: datetime) -> dict[str, Any] | None:
        """The claims of a token that the issuer has signed, for whomever and whenever; None for one
        that it has not. Raises as `holder`."""
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
        return claims if isinstance(claims, dict) else None


def key_name(text: str) -> KeyName | None:
    """The key that a token says it is signed by; None for what can't be a token of the issuer."""
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
    """The holder that the claims of a signed token name; None for claims that are not valid."""
    until = valid_until(claims, trusted, now)
    if until is None:
        return None
    subject, organization_id = claims.get("sub"), _claim(claims, trusted.organization_claim)
    if not (isinstance(subject, str) and _SUBJECT.fullmatch(subject)):
        return None
    if not (isinstance(organization_id, str) and is_id("org", organization_id)):
        return None
    space = _claim(claims, trusted.space_claim) if trusted.space_claim else None
    if not (space is None or (isinstance(space, str) and _SLUG.fullmatch(space))):
        return None
    names = {
        name.removeprefix(trusted.permissions_prefix)
        for claim in trusted.permissions_claim.split(",")
        for name in _names(_claim(claims, claim.strip()))
    }
    principal = Principal(
        organization_id=organization_id,
        subject=f"{SUBJECT_PREFIX}{subject}",
        permissions=frozenset(permission for permission in GRANTED if permission in names),
    )
    return Holder(principal, until, space)


def valid_until(
    claims: Mapping[str, Any], trusted: TrustedIssuer, now: datetime
) -> datetime | None:
    """Until when the claims of a signed token are valid; None if they are not now, or are of
    another issuer or for another audience."""
    audience = claims["aud"] if "aud" in claims else claims.get("client_id")
    if claims.get("iss") != trusted.issuer or trusted.audience not in _texts(audience):
        return None
    expires_at, issued_at = _moment(claims.get("exp")), _moment(claims.get("iat"))
    begins_at = _moment(claims["nbf"]) if "nbf" in claims else issued_at
    if expires_at is None or issued_at is None or begins_at is None:
        return None
    until = expires_at + LEEWAY
    return until if max(issued_at, begins_at) - LEEWAY <= now < until else None


def is_for(claims: Mapping[str, Any], client_id: str, nonce: str) -> bool:
    """Whether the claims of an ID token answer the sign-in of this `nonce` at this client
    (OpenID Connect Core 1.0, section 3.1.3.7)."""
    said, party = claims.get("nonce"), claims.get("azp")
    if party is not None and party != client_id:
        return False
    if party is None and len(_texts(claims.get("aud"))) != 1:
        return False
    return isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode())


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """The value of a claim by its name or path; None if there is none."""
    if name in claims:
        return claims[name]
    path = name.split(".")
    if name.startswith("/"):
        path = [part.replace("~1", "/").replace("~0", "~") for part in name.split("/")[1:]]
    value: Any = claims
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _names(value: Any) -> list[str]:
    """A list (`permissions`) or one string with spaces in between (`scope`, RFC 8693 4.2)."""
    return value.split() if isinstance(value, str) else _texts(value)


def _texts(value: Any) -> list[str]:
    """A single string, or the strings of a list."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _moment(value: Any) -> datetime | None:
    """A NumericDate: seconds since 1970, whole or not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return datetime.fromtimestamp(value, UTC) if 0 <= value < _FAR_AWAY else None
