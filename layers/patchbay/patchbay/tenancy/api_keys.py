"""API keys: `pb_<prefix>_<secret>`.

The prefix (8 characters) finds the key; the secret is 256 random bits. Only the SHA-256 of the key
is stored: a slow hash would add nothing to that much entropy, and would slow down every call.
"""

import hashlib
import hmac
import re
import secrets
import string
from typing import Final, NamedTuple

_ALPHABET: Final = string.ascii_lowercase + string.digits
_FORM: Final = re.compile(r"pb_([a-z0-9]{8})_[A-Za-z0-9_-]{43}")
_BEARER: Final = re.compile(r"bearer +([!-~]+)", re.IGNORECASE)


class MintedKey(NamedTuple):
    """A new key: `text` is sent to the caller once, `digest` is stored."""

    prefix: str
    text: str
    digest: str


def mint() -> MintedKey:
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(8))
    text = f"pb_{prefix}_{secrets.token_urlsafe(32)}"
    return MintedKey(prefix, text, digest(text))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def matches(text: str, stored_digest: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(digest(text), stored_digest)


def prefix_of(text: str) -> str | None:
    """The prefix, or None if the text can't be a key at all."""
    found = _FORM.fullmatch(text)
    return found.group(1) if found else None


def bearer_token(header: str) -> str | None:
    """The token of an `Authorization` header (RFC 6750), or None."""
    found = _BEARER.fullmatch(header)
    return found.group(1) if found else None
