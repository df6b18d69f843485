"""PostgreSQL's protocol, version 3: the messages, and the proof of the password. No I/O.

The server is treated as hostile: how much it may send is limited, and so is the work that SCRAM
lets it demand of us. Of its errors the SQLSTATE is read, and its words decide only between meanings
of ours: they are never repeated.
"""

import hashlib
import re
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.protocols.error_meaning import Meaning
from patchbay.checks.protocols.scram import (
    BOUND,
    NOT_OFFERED,
    NOT_POSSIBLE,
    ScramClient,
    ScramRefused,
    prepared,
)

MAX_WIRE: Final = 64 * 1024
MAX_MESSAGE: Final = 32 * 1024
SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
HEAD_BYTES: Final = 5
"""The kind of a message and its length."""
IS_IN, CLEAR, MD5, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
"""What an authentication message (kind `R`) says or asks for."""

_PROTOCOL: Final = 196608
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_SCRAM: Final = "SCRAM-SHA-256"
_SCRAM_PLUS: Final = "SCRAM-SHA-256-PLUS"
# Notices, settings, the key for cancellation, notifications: they may come at any time.
_ASIDE: Final = frozenset({b"N", b"S", b"K", b"v", b"A"})
_KINDS: Final = _ASIDE | {b"R", b"Z", b"T", b"D", b"C", b"E", b"1", b"2", b"n", b"s", b"I"}

type ChannelBinding = Literal["prefer", "require", "disable"]
"""As libpq's `channel_binding`."""

# By SQLSTATE or its class: https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES: Final[Mapping[str, Meaning]] = {
    "28000": Meaning("auth_invalid", "The server does not let this user in", "user"),
    "28": Meaning("auth_invalid", "The server did not accept the user and password"),
    "3D000": Meaning("config_invalid", "The server has no database of this name", "database"),
    "3F000": Meaning("config_invalid", "The database has no schema of this name", "database"),
    "42P01": Meaning(
        "config_invalid", "The database has no table of the name that is read", "database"
    ),
    "42703": Meaning("config_invalid", "A column that is read is not there", "database"),
    "42883": Meaning("config_invalid", "A function that is called is not there", "database"),
    "42501": Meaning("permission_denied", "The user does not have the privilege for this"),
    # Invalid transaction states: it writes (25006), or asks to be allowed to (25001).
    "25": Meaning("request_rejected", "The statement tries to write, which a check must not do"),
    "42601": Meaning("request_rejected", "The server does not understand the statement"),
    "53300": Meaning("provider_error", "The server has no free connection"),
    "53": Meaning("provider_error", "The server is short of resources"),
    "57014": Meaning("provider_timeout", "The server did not answer the statement in time"),
    "57": Meaning("provider_error", "The server is starting, stopping, or not available"),
    "58": Meaning("provider_error", "The server has a fault"),
    "XX": Meaning("provider_error", "The server has a fault"),
}
_UNKNOWN_STATE: Final = Meaning("unexpected_response", "The server refused")

_NO_TENANT: Final = Meaning(
    "auth_invalid", "The pooler knows no such user: the name may lack its project", "user"
)
_ALLOWLIST: Final = Meaning("address_not_allowed", "The server does not take connections from here")
_WORDS: Final[tuple[tuple[str, Meaning], ...]] = (
    # https://www.postgresql.org/docs/current/client-authentication-problems.html: the name of the
    # file stands in the message of every language
    ("pg_hba.conf", _ALLOWLIST),
    # https://learn.microsoft.com/azure/postgresql/ (firewall rules)
    ("not allowed to connect", _ALLOWLIST),
    ("not in the allow list", _ALLOWLIST),
    # https://github.com/supabase/supavisor: its answer to a user name without a project
    ("tenant or user not found", _NO_TENANT),
    # https://neon.com/docs/connect/connection-errors
    (
        "endpoint id is not specified",
        Meaning("config_invalid", "The pooler needs the id of the endpoint in the host", "host"),
    ),
    (
        "password authentication failed",
        Meaning("auth_invalid", "The password is wrong", "password"),
    ),
    # https://www.pgbouncer.org/config.html: it answers for databases and users that it lacks
    (
        "no such database",
        Meaning("config_invalid", "The pooler has no such database", "database"),
    ),
    ("no such user", Meaning("auth_invalid", "The pooler has no such user", "user")),
    ("server login failed", Meaning("auth_invalid", "The database did not let the pooler in")),
    ("too many connections", Meaning("provider_error", "The server has no free connection")),
)
"""What the words of an error add to its SQLSTATE, in lower case: the first that is found decides.
Poolers answer for the server, with states that are coarse or the same for everything."""


class MessageHeads:
    """Reads the heads of the server's messages within the budget of a session."""

    def __init__(self) -> None:
        self._received = 0

    def read(self, head: bytes) -> tuple[bytes, int]:
        """The kind of a message, and how many bytes follow its head of five bytes.

        Raises CheckFailure.
        """
        kind = head[:1]
        (length,) = struct.unpack_from("!i", head, 1)
        self._received += length + 1
        if length < 4 or kind not in _KINDS:
            raise not_postgres()
        if length > MAX_MESSAGE or self._received > MAX_WIRE:
            raise CheckFailure("response_too_large", "The server sends more than a check reads.")
        return kind, length - 4


def is_aside(kind: bytes) -> bool:
    """Whether a message of this kind may come at any time and is ignored here."""
    return kind in _ASIDE


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def startup(parameters: Mapping[str, str]) -> bytes:
    """The first message. It is the only one without a kind."""
    pairs = b"".join(_text(name) + _text(value) for name, value in parameters.items())
    return message(b"", struct.pack("!i", _PROTOCOL) + pairs + b"\0")


def commands(text: str) -> bytes:
    """Runs commands, separated by semicolons, by the simple protocol."""
    return message(b"Q", _text(text))


def statement(text: str) -> bytes:
    """Runs one statement and asks for its first row, by the extended protocol: it refuses a second
    statement in the text."""
    return (
        message(b"P", b"\0" + _text(text) + struct.pack("!h", 0))
        + message(b"B", b"\0\0" + struct.pack("!hhh", 0, 0, 0))
        + message(b"E", b"\0" + struct.pack("!i", 1))
        + message(b"S")
    )


def goodbye() -> bytes:
    return message(b"X")


def password(method: int, salt: bytes, user: str, secret: str) -> bytes:
    """The password as `method` asks for it: in the clear, or hashed with MD5."""
    if method == CLEAR:
        return message(b"p", _text(secret))
    inner = _md5(secret.encode() + user.encode()).encode()
    return message(b"p", b"md5" + _md5(inner + salt).encode() + b"\0")


def authentication(kind: bytes, body: bytes) -> int:
    """What a message says or asks for, which must be one of authentication. Raises CheckFailure."""
    if kind != b"R":
        raise not_postgres()
    (method,) = struct.unpack_from("!i", body)
    return int(method)


class ScramExchange:
    """The proof of a password by SCRAM-SHA-256, with channel binding if the server offers it."""

    def __init__(
        self,
        offered: bytes,
        password: str,
        tls: ssl.SSLObject | None,
        channel_binding: ChannelBinding = "prefer",
    ) -> None:
        """`offered` are the mechanisms of the server. Raises CheckFailure."""
        names = [name.decode("ascii", "replace") for name in offered.split(b"\0")]
        channel = b"" if channel_binding == "disable" else _server_end_point(tls)
        if channel and _SCRAM_PLUS in names:
            self._mechanism, binding = _SCRAM_PLUS, BOUND
        elif channel_binding == "require":
            raise no_channel_binding()
        elif _SCRAM in names:
            self._mechanism, binding = _SCRAM, NOT_OFFERED if channel else NOT_POSSIBLE
        else:
            raise unknown_authentication()
        # PostgreSQL takes the user of the startup message and ignores the one of SCRAM.
        self._client = ScramClient(
            "", prepared(password), binding=binding, channel=channel if binding == BOUND else b""
        )

    def first(self) -> bytes:
        """The first message of the exchange."""
        first = self._client.first().encode()
        return message(b"p", _text(self._mechanism) + struct.pack("!i", len(first)) + first)

    def proof(self, server_first: bytes) -> bytes:
        """The answer to the server's first message. This is the work: some milliseconds of CPU."""
        with _scram_failures():
            return message(b"p", self._client.final(server_first.decode()).encode())

    def verify(self, server_final: bytes) -> None:
        """Raises CheckFailure if the server does not know the password."""
        with _scram_failures():
            self._client.verify(server_final.decode())


@contextmanager
def _scram_failures() -> Iterator[None]:
    try:
        yield
    except ScramRefused as error:
        code: Code = "authentication_too_weak" if error.is_weak else "unexpected_response"
        raise CheckFailure(code, str(error)) from error
    except ValueError as error:
        raise not_postgres() from error


def _server_end_point(tls: ssl.SSLObject | None) -> bytes:
    """The data of the channel binding `tls-server-end-point` (RFC 5929 §4.1); empty if there is
    none, as for a signature without a hash (Ed25519)."""
    certificate = tls.getpeercert(binary_form=True) if tls else None
    if not certificate:
        return b""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import load_der_x509_certificate

    try:
        algorithm = load_der_x509_certificate(certificate).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        return b""
    if algorithm is None:
        return b""
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate).digest()


def first_row(body: bytes) -> list[str]:
    """The first two values of a row (a message of kind `D`); nulls are left out."""
    (count,) = struct.unpack_from("!h", body)
    values, offset = [], 2
    for _ in range(min(count, 2)):
        (length,) = struct.unpack_from("!i", body, offset)
        offset += 4
        if length >= 0:
            values.append(body[offset : offset + length].decode("utf-8", "replace"))
            offset += length
    return values


def read_error(body: bytes) -> tuple[str, str]:
    """The SQLSTATE and the words of an error (a message of kind `E`).

    Raises CheckFailure if it has no state.
    """
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    state = fields.get(b"C", "")
    if not _SQLSTATE.fullmatch(state):
        raise not_postgres()
    return state, fields.get(b"M", "")


def meaning_of(state: str, words: str) -> Meaning:
    """What an error means, in our words."""
    said = words.lower()
    by_words = next((meaning for word, meaning in _WORDS if word in said), None)
    return by_words or _STATES.get(state) or _STATES.get(state[:2]) or _UNKNOWN_STATE


def not_postgres() -> CheckFailure:
    return CheckFailure("unexpected_response", "The server does not speak PostgreSQL's protocol.")


def unknown_authentication() -> CheckFailure:
    return CheckFailure(
        "authentication_unsupported",
        "The server asks for an authentication method that this check does not use.",
    )


def too_weak(what: str) -> CheckFailure:
    return CheckFailure("authentication_too_weak", f"{what}: nothing was sent.")


def no_channel_binding() -> CheckFailure:
    return CheckFailure(
        "authentication_too_weak",
        "The server offers no channel binding, which this check requires: nothing was sent.",
    )


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
