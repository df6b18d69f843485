"""How MySQL and MariaDB let a client prove a password, by the names of their plugins. No I/O.

| method | of | what is sent |
|---|---|---|
| `mysql_native_password` | both | a hash with the server's seed |
| `caching_sha2_password` | MySQL from 8.0 | a hash, and the password itself if it is not cached |
| `sha256_password` | MySQL | the password itself |
| `client_ed25519` | MariaDB | a signature |
| `parsec` | MariaDB from 11.6 | a signature, with a key that is slow to derive |
| `mysql_clear_password`, `dialog` | both, for PAM, LDAP, and tokens | the password itself |

The password itself is only ever sent within TLS that is verified, which all of a check's sessions
are. RSA, with which MySQL protects it elsewhere, is not needed.
"""

import hashlib
import os
from typing import Final

from patchbay.checks.failures import CheckFailure
from patchbay.checks.protocols.foreign import Malformed

NATIVE: Final = "mysql_native_password"
CACHING_SHA2: Final = "caching_sha2_password"
SHA256: Final = "sha256_password"
ED25519: Final = "client_ed25519"
PARSEC: Final = "parsec"
CLEAR: Final = "mysql_clear_password"
DIALOG: Final = "dialog"

SEED_BYTES: Final = 20
_LONG_SEED_BYTES: Final = 32
ACCEPTED, IN_FULL = b"\x03", b"\x04"
"""What `caching_sha2_password` adds: the hash was right, or the password itself is needed."""
# The first byte of a question of `dialog`: those that ask for a password.
_PASSWORD_QUESTIONS: Final = (4, 5)
_MAX_PARSEC_FACTOR: Final = 6
"""2^10 times two to this power are 65,536 iterations, the most that SCRAM is allowed, too. MariaDB
allows 3 (plugin/auth_parsec/server_parsec.cc)."""


def first_method(offered: str) -> str:
    """The method to begin with. It reveals nothing if it is not the one of the user: the server
    switches to that."""
    return offered if offered in (NATIVE, CACHING_SHA2) else NATIVE


def hashed(method: str, password: str, seed: bytes) -> bytes:
    """The proof by `mysql_native_password` or `caching_sha2_password`. Raises Malformed.

    https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_authentication_methods_native_password_authentication.html
    https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
    """
    seed = _seed(seed, SEED_BYTES)
    secret = password.encode()
    if method == NATIVE:
        once = _sha1(secret)
        return _xor(once, _sha1(seed + _sha1(once)))
    once = hashlib.sha256(secret).digest()
    twice = hashlib.sha256(once).digest()
    return _xor(once, hashlib.sha256(twice + seed).digest())


def itself(password: str) -> bytes:
    """The password as it is."""
    return password.encode() + b"\0"


def signed(password: str, seed: bytes) -> bytes:
    """The proof by `client_ed25519`. Raises Malformed.

    https://mariadb.com/docs/server/reference/plugins/authentication-plugins/authentication-with-ed25519
    """
    from patchbay.checks.protocols.mariadb_ed25519 import sign

    return sign(password.encode(), _seed(seed, _LONG_SEED_BYTES))


def parsec(password: str, seed: bytes, salt: bytes) -> bytes:
    """The proof by `parsec`, up to 60 ms of CPU. Raises CheckFailure, Malformed.

    https://mariadb.com/docs/server/reference/plugins/authentication-plugins/authentication-plugin-parsec
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if salt[:1] != b"P" or len(salt) < 3:
        raise Malformed
    factor = salt[1]
    if factor > _MAX_PARSEC_FACTOR:
        raise CheckFailure(
            "unexpected_response", "The server asks for more work than a check allows."
        )
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt[2:], 1024 << factor, 32)
    own_seed = os.urandom(_LONG_SEED_BYTES)
    message = _seed(seed, _LONG_SEED_BYTES) + own_seed
    return own_seed + Ed25519PrivateKey.from_private_bytes(key).sign(message)


def asks_for_password(question: bytes) -> bool:
    """Whether a question of `dialog` is for a password, not for anything else."""
    return question[:1] in [bytes([kind]) for kind in _PASSWORD_QUESTIONS]


def unknown_method() -> CheckFailure:
    return CheckFailure(
        "authentication_unsupported",
        "The server asks for an authentication method that checks do not support.",
    )


def _seed(data: bytes, size: int) -> bytes:
    """Seeds are followed by a zero that is not part of them."""
    if len(data) < size:
        raise Malformed
    return data[:size]


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
