"""SCRAM (RFC 5802, RFC 7677): the client's part, its work bounded. No I/O.

It is our own, because the server is hostile and the password is any string. A server that asks for
too little work would get a proof that it can guess the password by; one that asks for too much
would burn our CPU; and libpq sends what SASLprep refuses as it is, which libraries do not.
"""

import hashlib
import hmac
import re
import secrets
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

type Hash = Literal["sha1", "sha256", "sha512"]
type Binding = Literal["bound", "not offered", "not possible"]
"""What the client says about channel binding: that it binds, that it could but the server does not
offer it (a server that did offer it notices the lie in between), or that it can't."""

MIN_ITERATIONS: Final = 4096
"""The least that RFC 7677 recommends (section 4), and PostgreSQL's default. A server that asks for
less is sent a proof that it can guess the password by, at a fraction of the work."""

MAX_ITERATIONS: Final = 65_536
"""This many take some 40 ms here."""

_ITERATIONS: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_NONCE: Final = re.compile(r"[!-+\--~]{1,256}", re.ASCII)
_MAX_SALT: Final = 1024
BOUND: Final[Binding] = "bound"
NOT_OFFERED: Final[Binding] = "not offered"
NOT_POSSIBLE: Final[Binding] = "not possible"
_GS2: Final[dict[Binding, str]] = {
    BOUND: "p=tls-server-end-point,,",
    NOT_OFFERED: "y,,",
    NOT_POSSIBLE: "n,,",
}


class ScramRefused(Exception):
    """The server's message is not valid, or asks for what is not done.

    `is_weak`: it asks for too little work. The text is ours.
    """

    def __init__(self, message: str, *, is_weak: bool = False) -> None:
        super().__init__(message)
        self.is_weak = is_weak


@dataclass(slots=True)
class ScramClient:
    """One exchange: `first`, `final`, and `verify`, in this order.

    `user` is empty where the protocol has the user elsewhere. `channel` is the data of the channel
    binding `tls-server-end-point` (RFC 5929 §4.1).
    """

    user: str
    password: bytes
    hash: Hash = "sha256"
    binding: Binding = "not possible"
    channel: bytes = b""
    nonce: str = ""
    _expected: bytes = b""

    def first(self) -> str:
        """The client's first message."""
        self.nonce = self.nonce or secrets.token_urlsafe(24)
        return _GS2[self.binding] + self._first_bare()

    def final(self, server_first: str) -> str:
        """The client's final message, with the proof: milliseconds of CPU. Raises ScramRefused."""
        nonce, salt, iterations = self._read(server_first)
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, salt, iterations)
        key = self._hmac(salted, b"Client Key")
        bound = b64encode(_GS2[self.binding].encode() + self.channel).decode()
        without_proof = f"c={bound},r={nonce}"
        signed = f"{self._first_bare()},{server_first},{without_proof}".encode()
        signature = self._hmac(hashlib.new(self.hash, key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self._expected = self._hmac(self._hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={b64encode(proof).decode()}"

    def verify(self, server_final: str) -> None:
        """Raises ScramRefused if the server does not show that it knows the password."""
        given = server_final.partition(",")[0]
        if not given.startswith("v=") or not hmac.compare_digest(
            _decoded(given[2:]), self._expected
        ):
            raise ScramRefused("The server did not prove that it knows the password.")

    def _first_bare(self) -> str:
        user = self.user.replace("=", "=3D").replace(",", "=2C")
        return f"n={user},r={self.nonce}"

    def _read(self, server_first: str) -> tuple[str, bytes, int]:
        """The nonce, the salt, and the iterations of the server's first message.

        An attribute that is given twice, and an extension that must be understood (`m=`), are
        refused.
        """
        parts = server_first.split(",")
        names = [part[:2] for part in parts]
        if names[:3] != ["r=", "s=", "i="] or len(set(names)) < len(names):
            raise ScramRefused("The server's SCRAM message is not valid.")
        nonce, salt, iterations = parts[0][2:], _decoded(parts[1][2:]), parts[2][2:]
        if not nonce.startswith(self.nonce) or nonce == self.nonce or not _NONCE.fullmatch(nonce):
            raise ScramRefused("The server's SCRAM message is of another exchange.")
        if not 0 < len(salt) <= _MAX_SALT or not _ITERATIONS.fullmatch(iterations):
            raise ScramRefused("The server's SCRAM message is not valid.")
        if int(iterations) > MAX_ITERATIONS:
            raise ScramRefused("The server asks for more work than a check allows.")
        if int(iterations) < MIN_ITERATIONS:
            raise ScramRefused(
                f"The server asks for a SCRAM proof of fewer than {MIN_ITERATIONS:,} iterations: "
                "nothing was sent.",
                is_weak=True,
            )
        return nonce, salt, int(iterations)

    def _hmac(self, key: bytes, data: bytes) -> bytes:
        return hmac.digest(key, data, self.hash)


def prepared(password: str) -> bytes:
    """The password as libpq sends it: prepared by SASLprep (RFC 4013), or as it is if SASLprep
    refuses it (https://www.postgresql.org/docs/current/sasl-authentication.html)."""
    try:
        return saslprep(password).encode()
    except ValueError:
        return password.encode("utf-8", "surrogatepass")


def saslprep(text: str) -> str:
    """The text by RFC 4013, with the code points of Unicode 3.2. Raises ValueError if it is
    refused. ASCII stays as it is, as in libpq."""
    if text.isascii():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if not normal or any(is_in(one) for one in normal for is_in in _PROHIBITED):
        raise ValueError("has prohibited characters")
    if any(map(stringprep.in_table_d1, normal)):
        # RFC 3454 §6: no mix of directions, and right-to-left at both ends.
        ends = stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1])
        if not ends or any(map(stringprep.in_table_d2, normal)):
            raise ValueError("mixes directions")
    return normal


_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise ScramRefused("The server's SCRAM message is not valid.") from error
