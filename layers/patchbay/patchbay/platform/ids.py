"""Identifiers: a prefix and a ULID, so that they sort by the time they were made."""

import hashlib
import os
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self
from uuid import UUID

from patchbay.platform.validation import Documented, Spelled

_ULID: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, as ULIDs are written in."""
_DIGITS: Final = {
    **dict.fromkeys(range(128), "!"),
    **{ord(digit): "0123456789abcdefghijklmnopqrstuv"[at] for at, digit in enumerate(_ALPHABET)},
}
"""To the digits that `int` reads; "!" stands for what is none."""
_PAIRS: Final = [one + other for one in _ALPHABET for other in _ALPHABET]


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something is made, and the randomness of its ids.

    A request that is repeated under its Idempotency-Key gets the same stamp again, so that what it
    makes has the same ids, and a half-finished first attempt is found instead of doubled.
    """

    now: datetime
    seed: bytes = field(repr=False)

    @classmethod
    def fresh(cls, now: datetime) -> Self:
        return cls(now, os.urandom(16))

    def id(self, prefix: str, part: str = "") -> str:
        """`<prefix>_<ULID>`: the stamp's millisecond and 80 random bits.

        `part` distinguishes several ids of one prefix and stamp.
        """
        from ulid import ULID

        milliseconds = int(self.now.timestamp() * 1000)
        return f"{prefix}_{ULID(milliseconds.to_bytes(6) + self._bits(prefix + part)[:10])}"

    def uuid(self) -> str:
        """A random UUID (version 4)."""
        return str(UUID(bytes=self._bits("uuid")[:16], version=4))

    def _bits(self, purpose: str) -> bytes:
        return hashlib.blake2b(purpose.encode(), key=self.seed).digest()


def new_id(prefix: str, now: datetime) -> str:
    """An id that no repetition will ask for again."""
    return Stamp.fresh(now).id(prefix)


def first_id(prefix: str, at: datetime) -> str:
    """Not after any id of this millisecond, and after all of earlier ones."""
    from ulid import ULID

    milliseconds = max(0, (at - _EPOCH) // timedelta(milliseconds=1))
    return f"{prefix}_{ULID(milliseconds.to_bytes(6) + bytes(10))}"


def derived_id(prefix: str, at: datetime, *parts: str) -> str:
    """The same id for the same moment and parts: for what must be made only once."""
    from ulid import ULID

    digest = hashlib.blake2b(digest_size=10)
    for part in (prefix, *parts):
        raw = part.encode()
        digest.update(len(raw).to_bytes(8) + raw)
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    return f"{prefix}_{ULID(milliseconds.to_bytes(6) + digest.digest())}"


def ulid_bytes(text: str) -> bytes:
    """The 16 bytes of an id's ULID. Raises `ValueError` for what is not an id."""
    try:
        return int(text.rpartition("_")[2].translate(_DIGITS), 32).to_bytes(16)
    except OverflowError:
        raise ValueError("the ULID has more than 128 bits") from None


def ulid_text(stored: bytes) -> str:
    """The 26 characters of a ULID: the inverse of `ulid_bytes`, without the prefix."""
    number = int.from_bytes(stored)
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def time_of(text: str) -> datetime:
    """The moment that an id was made at, to the millisecond, as the id says it.

    Raises `ValueError` for one whose time is beyond the year 9999.
    """
    from ulid import ULID

    milliseconds = ULID.from_str(text.rpartition("_")[2]).milliseconds
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError("the id is not a valid timestamp") from None


def pattern(prefix: str) -> str:
    """The regular expression of the ids with this prefix (Crockford's base 32)."""
    return f"^{prefix}_{_ULID}$"


def is_id(prefix: str, text: str) -> bool:
    """Whether a text could be such an id. What can't be one needs no look-up to be not found."""
    return re.fullmatch(pattern(prefix).removeprefix("^").removesuffix("$"), text) is not None


def spelled_id(prefix: str, thing: str) -> Spelled:
    """For an id that is not looked up, as in a filter of a list."""
    return Spelled(pattern(prefix), f"must be the id of a {thing}: {prefix}_ and 26 characters")


def named_id(prefix: str) -> Documented:
    """For the id of something that is looked up: what can't be an id is not found either."""
    return Documented({"pattern": pattern(prefix)})


SourceId = Annotated[str, spelled_id("src", "source")]
DestinationId = Annotated[str, spelled_id("dst", "destination")]
ConnectionId = Annotated[str, spelled_id("con", "connection")]

NamedSourceId = Annotated[str, named_id("src")]
NamedDestinationId = Annotated[str, named_id("dst")]
NamedConnectionId = Annotated[str, named_id("con")]

SLUG_PATTERN: Final = "^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$"
Slug = Annotated[
    str,
    Spelled(
        SLUG_PATTERN,
        "must have 1 to 63 lower-case letters, digits, and hyphens, without a hyphen at the ends",
    ),
]
"""1–63 characters, lower-case letters, digits and inner hyphens: fit for a DNS label."""
