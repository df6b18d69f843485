"""Deployment keys: one call of KMS opens the data keys of all organizations.

    deployment key    SYSTEM   DEPLOYMENTKEY#<number>   wrapped by KMS
    the current one   SYSTEM   DEPLOYMENTKEY_CURRENT    its number; without an item there is none

KMS wraps each data key for its organization, and that is what lasts. To unwrap the keys of a
thousand organizations so takes a thousand calls each five minutes. Therefore, the item of a data
key has the same key once more, wrapped under a deployment key. Without its deployment key, a data
key is unwrapped by KMS as if there had never been one: losing a deployment key costs calls, and no
secret.

An unwrapped deployment key is kept in memory for five minutes. Numbers only grow.
"""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from patchbay.connections.data_key_model import DataKey, DeploymentKeyList
from patchbay.connections.key_service import KeyService
from patchbay.connections.keys import (
    CURRENT_DEPLOYMENT_KEY,
    DEPLOYMENT_KEYS,
    SYSTEM,
    deployment_key_key,
)
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    equals,
)
from patchbay.platform.errors import Conflict, InternalError, NotFound, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.revisions import serially
from patchbay.platform.strict_json import canonical

KEY_LIFETIME: Final = timedelta(minutes=5)
"""How long an unwrapped key is kept: how long a process may open secrets after a deletion."""

ABSENCE_LIFETIME: Final = timedelta(minutes=1)
"""How long it is known that a key is not there, or does not open, without another read."""

WAIT_SECONDS: Final = 15.0
"""How long a thread waits for another that unwraps the same key. A call that hangs ends within 12 s
(`patchbay.platform.aws.client`)."""

FIRST: Final = 1
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as KMS wrapped it, and whose it is."""

    organization_id: str
    number: int
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeploymentKey:
    """An unwrapped deployment key."""

    number: int
    _key: bytes = field(repr=False)

    def wrap(self, key: bytes, of: Wrapped) -> bytes:
        """The nonce, and a data key under AES-256-GCM. It opens for this `Wrapped` alone."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, key, self._additional_data(of))

    def unwrap(self, text: bytes | None, of: Wrapped) -> bytes | None:
        """None if it is missing, altered, or of another organization, number, or deployment key."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if not isinstance(text, bytes):
            return None
        nonce, sealed = text[:_NONCE_BYTES], text[_NONCE_BYTES:]
        try:
            return AESGCM(self._key).decrypt(nonce, sealed, self._additional_data(of))
        except (InvalidTag, ValueError):  # a nonce of another length is a ValueError
            return None

    def _additional_data(self, of: Wrapped) -> bytes:
        return canonical(
            {
                "organization": of.organization_id,
                "data_key": of.number,
                "deployment_key": self.number,
                "wrapped": hashlib.sha256(of.wrapped).hexdigest(),
            }
        )


@dataclass(frozen=True, slots=True)
class _Kept[T]:
    """What was read, when, for how long it is good, and how many reads there were by then."""

    what: T
    since: datetime
    lifetime: timedelta
    read: int

    def is_fresh(self, now: datetime, reads_before: int) -> bool:
        """For a request that came when there had been so many reads.

        What another thread read while this one waited is fresh, although this one's time may be a
        little earlier. A request that is repeated after hours has the time of its first attempt.
        """
        return self.read > reads_before or self.since <= now < self.since + self.lifetime


class DeploymentKeys:
    """The deployment keys of one deployment."""

    def __init__(self, table: Table, service: KeyService) -> None:
        self._table = table
        self._service = service
        self._lock = threading.Lock()
        """Threads that need the same key unwrap it once."""
        self._unwrapped: dict[int, _Kept[DeploymentKey | None]] = {}
        self._current: _Kept[int | None] | None = None
        self._reads = 0
        self._failures = 0

    def current(self, now: datetime, *, make: bool) -> DeploymentKey | None:
        """The current key; None if there is none, or if it does not open.

        With `make`, the first one is created. Processes that do so at once get the same one.
        Raises `TemporarilyUnavailable` if KMS or the table does not respond.
        """
        with self._one_at_a_time() as reads_before:
            kept = self._current
            if kept is None or not kept.is_fresh(now, reads_before) or (make and kept.what is None):
                number = self._current_number()
                if number is None and make:
                    number = self._made_first(now)
                kept = self._current = self._kept(number, now)
            return self._opened(kept.what, now, reads_before) if kept.what is not None else None

    def numbered(self, number: int, now: datetime) -> DeploymentKey | None:
        """A key that a data key was wrapped under; None if it was deleted, or does not open.

        Raises as `current`.
        """
        with self._one_at_a_time() as reads_before:
            return self._opened(number, now, reads_before)

    def keys(self) -> DeploymentKeyList:
        """All keys that were not deleted, oldest first."""
        current = self._current_number()
        shown = [_shown(item, current) for item in self._items()]
        return DeploymentKeyList(current=current, keys=sorted(shown, key=lambda key: key.number))

    def rotate(self, now: datetime) -> DataKey:
        """Creates a new current key. Other processes use it within five minutes.

        Raises `Conflict` if others keep rotating, and `TemporarilyUnavailable`.
        """

        def attempt() -> DataKey:
            current = self._current_number()
            highest = max((_number(item) for item in self._items()), default=0)
            return self._advance(current, max(current or 0, highest) + 1, now)

        rotated = serially(attempt)
        self._current = None
        logger.warning("deployment key rotated", number=rotated.number)
        return rotated

    def delete(self, number: int) -> None:
        """Deletes an old key. Raises `NotFound`, and `Conflict` for the current one.

        Numbers only grow, so an old key does not become current again.
        """
        current = self._current_number()
        if number == current:
            raise Conflict("This is the current deployment key: rotate first.", "IN_USE")
        if current is None or number > current:
            raise NotFound("deployment key")
        try:
            self._table.transact([Delete(deployment_key_key(number), PRESENT)])
        except TransactionRefused:
            raise NotFound("deployment key") from None
        logger.warning("deployment key deleted", number=number)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[int]:
        """Yields how many reads there had been when the thread came.

        Raises `TemporarilyUnavailable` if the read of the thread that it waited for failed.
        """
        reads_before, failures_before = self._reads, self._failures
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            raise TemporarilyUnavailable
        try:
            # Of what does not respond, threads do not wait for one another in turn.
            if self._failures != failures_before:
                raise TemporarilyUnavailable
            try:
                yield reads_before
            except TemporarilyUnavailable:
                self._failures += 1
                raise
        finally:
            self._lock.release()

    def _kept[T](self, what: T, now: datetime) -> _Kept[T]:
        self._reads += 1
        lifetime = ABSENCE_LIFETIME if what is None else KEY_LIFETIME
        return _Kept(what, now, lifetime, self._reads)

    def _opened(self, number: int, now: datetime, reads_before: int) -> DeploymentKey | None:
        kept = self._unwrapped.get(number)
        if kept and kept.is_fresh(now, reads_before):
            return kept.what
        opened = self._read(number)
        # Expired keys are removed from the memory of a long-lived process.
        others = {n: one for n, one in self._unwrapped.items() if one.is_fresh(now, self._reads)}
        self._unwrapped = {**others, number: self._kept(opened, now)}
        return opened

    def _read(self, number: int) -> DeploymentKey | None:
        item = self._table.get(deployment_key_key(number))
        if item is None:
            logger.error("deployment key is gone", number=number)
            return None
        try:
            return DeploymentKey(number, self._service.unwrapped(item["wrapped"], _context(number)))
        except InternalError:
            logger.error("deployment key does not open", number=number)
            return None

    def _current_number(self) -> int | None:
        item = self._table.get(CURRENT_DEPLOYMENT_KEY)
        return int(item["number"]) if item else None

    def _items(self) -> Iterator[Item]:
        return self._table.query_all(SYSTEM, prefix=DEPLOYMENT_KEYS)

    def _made_first(self, now: datetime) -> int | None:
        """Its number, no matter which process made it; None if only its pointer is missing."""
        try:
            number = self._advance(None, FIRST, now).number
        except TransactionRefused:
            return self._current_number()
        logger.info("deployment key created", number=number)
        return number

    def _advance(self, current: int | None, number: int, now: datetime) -> DataKey:
        """Creates a key and makes it current. Raises `TransactionRefused` if another did."""
        _, wrapped = self._service.made(_context(number))
        item = {
            **deployment_key_key(number)._asdict(),
            "wrapped": wrapped,
            "created_at": to_text(now),
        }
        pointer = Update(
            CURRENT_DEPLOYMENT_KEY,
            values={"number": number},
            condition=ABSENT if current is None else equals("number", current),
        )
        self._table.transact([pointer, Put(item, ABSENT)])
        return _shown(item, number)


def _number(item: Item) -> int:
    return int(item["sk"].removeprefix(DEPLOYMENT_KEYS))


def _shown(item: Item, current: int | None) -> DataKey:
    number = _number(item)
    return DataKey(
        number=number, current=number == current, created_at=from_text(item["created_at"])
    )


def _context(number: int) -> dict[str, str]:
    return {"deployment_key": str(number)}
