"""`private_key_jwt`: a client shows who it is by a JWT that its private key signed (RFC 7523 §2.2,
https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication).

The key is in PEM, or a JWK in JSON, as Okta hands it out
(https://developer.okta.com/docs/guides/implement-oauth-for-okta-serviceapp/main/). It decides the
algorithm: RS256 for RSA, ES256 for P-256, ES384 for P-384.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from patchbay.checks.templates import Parts, Placeholder, ValueRefused, Values, plain

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PRIVATE_KEY: Final = Placeholder("secrets", "private_key")

LIFETIME: Final = timedelta(minutes=5)
"""From when it is made until it is no longer accepted. Okta takes an hour at most, Microsoft
recommends five to ten minutes
(https://learn.microsoft.com/en-us/entra/identity-platform/certificate-credentials)."""
MIN_KEY_BITS: Final = 2048
MAX_KEY_BITS: Final = 4096
"""Of an RSA key."""
MAX_KEY_TEXT: Final = 4096
"""Characters of a key: 4,096 bits take 3,272 as PEM. A key is judged as it is loaded, and that of
10,240 bits takes ten seconds of CPU."""
_CRT: Final = ("p", "q", "dp", "dq", "qi")
"""The members of an RSA key without which its primes are searched for, which takes longer yet."""
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384"}


@dataclass(frozen=True, slots=True)
class AssertionSettings:
    """`audience` is that of the JWT, the token URL if it is empty; `key_id` its `kid`."""

    audience: Parts = ()
    key_id: Parts = ()


def client_assertion(
    settings: AssertionSettings, client_id: str, token_url: str, values: Values, now: datetime
) -> str:
    """The JWT. Raises ValueRefused for a private key that can't be used."""
    # Most integrations have no private key, and a cold start must not wait for cryptography.
    from uuid import uuid4

    import jwt

    text = values.text(PRIVATE_KEY)
    key, algorithm = _judged(_loaded(text))
    key_id = plain(settings.key_id, values) or _key_id(text)
    return jwt.encode(
        {
            "iss": client_id,
            "sub": client_id,
            "aud": plain(settings.audience, values) or token_url,
            "jti": str(uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
        },
        key,
        algorithm=algorithm,
        headers={"kid": key_id} if key_id else None,
    )


def _loaded(text: str) -> object:
    """The key. Raises ValueRefused."""
    if len(text) > MAX_KEY_TEXT:
        raise _unusable()
    return _from_jwk(text) if text.lstrip().startswith("{") else _from_pem(text)


def _from_pem(text: str) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable() from error


def _from_jwk(text: str) -> object:
    from json import loads

    from jwt import InvalidKeyError, PyJWK, PyJWKError

    try:
        members = loads(text)
        is_rsa = members.get("kty") == "RSA"
        if is_rsa and not all(members.get(name) for name in (*_CRT, "n")):
            raise _unusable()
        if is_rsa and len(members["n"]) * 6 > MAX_KEY_BITS + 8:
            raise _wrong_size()
        return PyJWK.from_dict(members).key
    except ValueRefused:
        raise
    except (
        ValueError,
        TypeError,
        AttributeError,
        RecursionError,
        InvalidKeyError,
        PyJWKError,
    ) as error:
        raise _unusable() from error


def _key_id(text: str) -> str:
    """The `kid` of a JWK, empty if it has none."""
    from json import loads

    key_id = loads(text).get("kid") if text.lstrip().startswith("{") else None
    return key_id if isinstance(key_id, str) else ""


def _judged(key: object) -> "tuple[RSAPrivateKey | EllipticCurvePrivateKey, str]":
    """The key and its algorithm. Raises ValueRefused."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key, RSAPrivateKey):
        if not MIN_KEY_BITS <= key.key_size <= MAX_KEY_BITS:
            raise _wrong_size()
        return key, "RS256"
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return key, _CURVES[key.curve.name]
    raise _unusable()


def _wrong_size() -> ValueRefused:
    return ValueRefused(PRIVATE_KEY.pointer, f"must have {MIN_KEY_BITS} to {MAX_KEY_BITS} bits")


def _unusable() -> ValueRefused:
    return ValueRefused(
        PRIVATE_KEY.pointer,
        "must be a private key of RSA, P-256, or P-384, in PEM without a password or as a JWK",
    )
