"""Data keys: what the secrets of an organization are sealed under.

    data key          ORG#<org>   DATAKEY#<number>   wrapped by KMS
    the current one   ORG#<org>   DATAKEY_CURRENT    its number; without an item it is 1

KMS makes a key and wraps it, with the organization as encryption context. An unwrapped key is kept
in memory for five minutes. Numbers only grow, and are never reused. Every seal reads which key is
current, and the transaction that writes the sealed secret checks that it still is: after a
rotation, nothing more is sealed under older keys.
"""

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from patchbay.connections.data_key_model import DataKey, DataKeys, DeletedDataKeys
from patchbay.connections.keys import (
    DATA_KEYS,
    FIRST_DATA_KEY,
    current_key,
    data_key_key,
    is_current,
    still_current,
)
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.aws import call, client
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
)
from patchbay.platform.errors import (
    InternalError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    SecretsLost,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.logging import logger
from patchbay.platform.revisions import serially
from patchbay.tenancy.keys import organization_key, organization_pk

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

KEY_LIFETIME: Final = timedelta(minutes=5)
"""How long an unwrapped key is kept: how long a process may open secrets after a deletion."""

MAX_KEYS: Final = 100
"""Of an organization, so that their list is one page."""


class KeyRing:
    """The data keys of organizations. `kms_key_id` wraps them."""

    def __init__(self, table: Table, kms_key_id: str, kms: "KMSClient | None" = None) -> None:
        self._table = table
        self._kms_key_id = kms_key_id
        self._given = kms
        self._lock = threading.Lock()
        """For the attributes of this object; nothing waits while it is held."""
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        """Of organizations: threads that need the same key unwrap it once, and no organization
        waits for the keys of another."""
        self._unwrapped: dict[tuple[str, int], tuple[datetime, bytes]] = {}

    @property
    def _kms(self) -> "KMSClient":
        # Only when needed: most requests open no secret.
        return self._given or client("kms")

    @property
    def region(self) -> str:
        """The region of this deployment."""
        return str(self._kms.meta.region_name)

    def current_number(self, organization_id: str) -> int:
        item = self._table.get(current_key(organization_id))
        return int(item["number"]) if item else FIRST_DATA_KEY

    def current(self, organization_id: str, now: datetime) -> tuple[int, bytes]:
        """The number of the current key, and the key. The first call creates it.

        Raises `TemporarilyUnavailable` if KMS or the table does not respond.
        """

        def attempt() -> tuple[int, bytes]:
            number = self.current_number(organization_id)
            return number, self._key(organization_id, number, now, make=True)

        return serially(attempt)

    def key(self, organization_id: str, number: int, now: datetime) -> bytes:
        """An existing key.

        Raises `SecretsLost` for one that was deleted, `InternalError` for one that KMS did not
        wrap for this organization, and `TemporarilyUnavailable`.
        """
        return self._key(organization_id, number, now, make=False)

    def keys(self, organization_id: str) -> DataKeys:
        """All keys that were not deleted, oldest first."""
        number = self.current_number(organization_id)
        keys = [_shown(item, number) for item in self._items(organization_id)]
        return DataKeys(current=number, keys=sorted(keys, key=lambda key: key.number))

    def rotate(self, organization_id: str, stamp: Stamp) -> DataKey:
        """Creates a new current key. The older ones still open what they sealed.

        The same stamp creates one key. Raises `NotFound` for an organization that does not exist,
        `QuotaExceeded`, `Conflict` if others keep rotating, `TemporarilyUnavailable`.
        """
        mark = stamp.uuid()

        def attempt() -> DataKey:
            number = self.current_number(organization_id)
            items = self._items(organization_id)
            for item in items:
                if item.get("rotation") == mark:
                    return _shown(item, number)
            if len(items) >= MAX_KEYS:
                raise QuotaExceeded("data_keys", MAX_KEYS, len(items))
            item, _ = self._made(organization_id, number + 1, stamp.now)
            item["rotation"] = mark
            shown = _shown(item, number + 1)
            event = _audited(organization_id, number + 1, Action.CREATED, after=shown)
            self._advance(organization_id, number, Put(item, ABSENT), event)
            return shown

        return serially(attempt)

    def delete(self, organization_id: str, number: int) -> None:
        """Deletes one key. Nothing may be sealed under it. Raises `NotFound`."""
        if not self._delete(organization_id, number):
            raise NotFound("data key")

    def delete_all(self, organization_id: str, through: int, now: datetime) -> DeletedDataKeys:
        """Deletes every key up to a number. What was sealed under them can't be opened again.

        If the current one is among them, the next number becomes current first, so that nothing
        more is sealed under the deleted keys. A repetition deletes what is left of the same keys,
        and never a newer one. Raises `InvalidInput` for a number that is too high, `NotFound` for
        an organization that does not exist.
        """

        def attempt() -> None:
            number = self.current_number(organization_id)
            if through > number:
                raise InvalidInput.at(
                    "/query/through", "must be at most the number of the current key"
                )
            if through == number:
                event = _audited(organization_id, number + 1, Action.MADE_CURRENT)
                self._advance(organization_id, number, event)

        serially(attempt)
        deleted = []
        for item in self._items(organization_id):
            number = _number(item)
            if number <= through:
                self._delete(organization_id, number)
                deleted.append(number)
        logger.warning("data keys deleted", organization_id=organization_id, numbers=deleted)
        return DeletedDataKeys(deleted=sorted(deleted), unreadable_at=now + KEY_LIFETIME)

    def _delete(self, organization_id: str, number: int) -> bool:
        """Whether this call deleted it; False if it did not exist."""
        key = data_key_key(organization_id, number)
        event = _audited(organization_id, number, Action.DELETED)
        try:
            self._table.transact([Delete(key, PRESENT), event])
        except TransactionRefused:
            return False
        finally:
            self._forget(organization_id, number)
        return True

    def _advance(self, organization_id: str, number: int, *with_it: Write) -> None:
        """Makes the next number current. Raises `TransactionRefused` if another did, `NotFound`."""
        try:
            self._table.transact(
                [
                    Check(organization_key(organization_id), PRESENT),
                    Update(
                        current_key(organization_id),
                        values={"number": number + 1},
                        condition=is_current(number),
                    ),
                    *with_it,
                ]
            )
        except TransactionRefused as refused:
            if 0 in refused.failed:
                raise NotFound("organization") from None
            raise

    def _items(self, organization_id: str) -> list[Item]:
        return list(self._table.query_all(organization_pk(organization_id), prefix=DATA_KEYS))

    def _key(self, organization_id: str, number: int, now: datetime, *, make: bool) -> bytes:
        with self._lock:
            own = self._locks.setdefault(organization_id, threading.Lock())
        with own:
            cached = self._unwrapped.get((organization_id, number))
            # A request that is repeated after hours has the time at which it was first made.
            if cached and cached[0] <= now < cached[0] + KEY_LIFETIME:
                return cached[1]
            item = self._table.get(data_key_key(organization_id, number))
            if item:
                key = self._unwrap(organization_id, item["wrapped"])
            elif make:
                key = self._make(organization_id, number, now)
            else:
                logger.warning("data key is gone", organization_id=organization_id, number=number)
                # A number above the current one never had a key: the item was altered.
                is_old = number <= self.current_number(organization_id)
                raise SecretsLost if is_old else InternalError
            with self._lock:
                # Expired keys are removed from the memory of a long-lived process.
                self._unwrapped = {
                    k: kept for k, kept in self._unwrapped.items() if now < kept[0] + KEY_LIFETIME
                }
                self._unwrapped[organization_id, number] = (now, key)
            return key

    def _make(self, organization_id: str, number: int, now: datetime) -> bytes:
        """Raises `TransactionRefused` if the number is no longer the current one."""
        item, key = self._made(organization_id, number, now)
        try:
            self._table.transact([Put(item, ABSENT), still_current(organization_id, number)])
        except TransactionRefused as refused:
            current = refused.failed.get(0)
            if current is None:
                raise
            return self._unwrap(organization_id, current["wrapped"])
        return key

    def _made(self, organization_id: str, number: int, now: datetime) -> tuple[Item, bytes]:
        """The item of a new key, and the key."""
        response: Any = call(
            self._kms.generate_data_key,
            KeyId=self._kms_key_id,
            KeySpec="AES_256",
            EncryptionContext=_context(organization_id),
        )
        item = {
            **data_key_key(organization_id, number)._asdict(),
            "wrapped": response["CiphertextBlob"],
            "created_at": to_text(now),
        }
        return item, response["Plaintext"]

    def _unwrap(self, organization_id: str, wrapped: bytes) -> bytes:
        response: Any = call(
            self._kms.decrypt,
            KeyId=self._kms_key_id,
            CiphertextBlob=wrapped,
            EncryptionContext=_context(organization_id),
        )
        key: bytes = response["Plaintext"]
        return key

    def _forget(self, organization_id: str, number: int) -> None:
        with self._lock:
            self._unwrapped.pop((organization_id, number), None)


def _audited(
    organization_id: str, number: int, action: Action, after: DataKey | None = None
) -> Put:
    """The audit event of a data key, for the end of the transaction that changes it."""
    return recorded(organization_id, Entity.DATA_KEY, str(number), action, after=after)


def _number(item: Item) -> int:
    return int(item["sk"].removeprefix(DATA_KEYS))


def _shown(item: Item, current: int) -> DataKey:
    number = _number(item)
    return DataKey(
        number=number, current=number == current, created_at=from_text(item["created_at"])
    )


def _context(organization_id: str) -> dict[str, str]:
    return {"organization": organization_id}
