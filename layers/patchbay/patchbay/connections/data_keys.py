"""Data keys: what the secrets of an organization are sealed under.

    data key          ORG#<org>   DATAKEY#<number>   wrapped by KMS
    the current one   ORG#<org>   DATAKEY_CURRENT    its number; without an item it is 1

KMS makes a key and wraps it, with the organization as encryption context. The item has the key once
more, wrapped under a key of the deployment (`deployment_keys`): usually that is what opens it, with
no call of KMS. An unwrapped key is kept in memory for five minutes. Numbers only grow, and are
never reused. Every seal reads which key is current, and the transaction that writes the sealed
secret checks that it still is: after a rotation, nothing more is sealed under older keys.
"""

import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from patchbay.connections.data_key_model import (
    DataKey,
    DataKeys,
    DeletedDataKeys,
    Rewrapped,
)
from patchbay.connections.deployment_keys import (
    KEY_LIFETIME,
    DeploymentKey,
    DeploymentKeys,
    Wrapped,
)
from patchbay.connections.key_service import KeyService
from patchbay.connections.keys import (
    DATA_KEYS,
    FIRST_DATA_KEY,
    current_key,
    data_key_key,
    is_current,
    still_current,
)
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import from_text, to_text
from patchbay.platform.dynamodb import (
    ABSENT,
    PRESENT,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Put,
    Table,
    TransactionRefused,
    Update,
    Write,
    equals,
)
from patchbay.platform.errors import (
    InternalError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.platform.ids import Stamp
from patchbay.platform.logging import logger
from patchbay.platform.revisions import serially
from patchbay.tenancy.keys import organization_key, organization_pk

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

STALE_FOR: Final = timedelta(minutes=1)
"""By how much a key is forgotten sooner that was read without strong consistency. Such a read may
miss a deletion, usually by less than a second
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html).
"""

CLEARED_EVERY: Final = timedelta(minutes=1)
"""How often a process looks for expired keys, of which it may have thousands."""

MAX_KEYS: Final = 100
"""Of an organization, so that their list is one page."""


class KeyRing:
    """The data keys of organizations. `kms_key_id` wraps them.

    A process with `makes_deployment_keys` creates the first deployment key when it opens a data
    key. Every process does so when it creates a data key.
    """

    def __init__(
        self,
        table: Table,
        kms_key_id: str,
        kms: "KMSClient | None" = None,
        *,
        makes_deployment_keys: bool = False,
    ) -> None:
        self._table = table
        self._service = KeyService(kms_key_id, kms)
        self.deployment_keys = DeploymentKeys(table, self._service)
        self._makes_deployment_keys = makes_deployment_keys
        self._lock = threading.Lock()
        """For the attributes of this object; nothing waits while it is held."""
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        """Of organizations: threads that need the same key unwrap it once, and no organization
        waits for the keys of another."""
        self._unwrapped: dict[tuple[str, int], tuple[datetime, bytes]] = {}
        self._cleared_at: datetime | None = None

    @property
    def region(self) -> str:
        """The region of this deployment."""
        return self._service.region

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

    def are_open(self, wanted: Iterable[tuple[str, int]], now: datetime) -> bool:
        """Whether all of these keys are in memory."""
        return all(self._kept(*one, now) for one in wanted)

    def read_ahead(
        self, wanted: Iterable[tuple[str, int]], now: datetime
    ) -> frozenset[tuple[str, int]]:
        """Opens the data keys of many organizations, by one read for each hundred. Returns those
        that are gone.

        What does not open under the current deployment key is left to `key`, which reads it by
        itself. Raises `TemporarilyUnavailable`.
        """
        missing = [one for one in dict.fromkeys(wanted) if self._kept(*one, now) is None]
        if not missing:
            return frozenset()
        found = self._table.get_all((data_key_key(*one) for one in missing), consistent=False)
        under = self.deployment_keys.current(now, make=self._makes_deployment_keys)
        opened = {}
        for organization_id, number in missing:
            item = found.get(data_key_key(organization_id, number))
            if item and under and item.get("deployment_key") == under.number:
                key = under.unwrap(item.get("rewrapped"), _wrapped(organization_id, item))
                if key is not None:
                    opened[organization_id, number] = (now - STALE_FOR, key)
        self._keep(opened, now)
        return frozenset(one for one in missing if data_key_key(*one) not in found)

    def rewrap(self, organization_id: str, now: datetime) -> Rewrapped:
        """Wraps the data keys of an organization under the current deployment key.

        This may be interrupted and repeated. Raises `InternalError` if there is no deployment key
        that opens, and `TemporarilyUnavailable`.
        """
        current = self.deployment_keys.current(now, make=True)
        if current is None:
            raise InternalError
        rewrapped, unreadable = 0, []
        for item in self._items(organization_id):
            if item.get("deployment_key") == current.number:
                continue
            try:
                key, _ = self._unwrapped_key(organization_id, item, current, now)
                self._rewrap(current, key, _wrapped(organization_id, item))
                rewrapped += 1
            except InternalError:
                unreadable.append(f"{organization_id} {_number(item)}")
            except ConditionFailed:
                logger.info("data key deleted meanwhile", organization_id=organization_id)
        return Rewrapped(rewrapped=rewrapped, unreadable=unreadable)

    def deployment_keys_in_use(self, organization_id: str) -> set[int]:
        """The numbers of the deployment keys that an organization's data keys are wrapped under."""
        return {
            int(item["deployment_key"])
            for item in self._items(organization_id)
            if "deployment_key" in item
        }

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
            if kept := self._kept(organization_id, number, now):
                return kept
            item = self._table.get(data_key_key(organization_id, number))
            if item:
                key = self._opened(organization_id, item, now)
            elif make:
                key = self._make(organization_id, number, now)
            else:
                logger.warning("data key is gone", organization_id=organization_id, number=number)
                # A number above the current one never had a key: the item was altered.
                is_old = number <= self.current_number(organization_id)
                raise SecretsLost if is_old else InternalError
            self._keep({(organization_id, number): (now, key)}, now)
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
            return self._opened(organization_id, current, now)
        return key

    def _made(self, organization_id: str, number: int, now: datetime) -> tuple[Item, bytes]:
        """The item of a new key, and the key."""
        key, wrapped = self._service.made(_context(organization_id))
        item = {
            **data_key_key(organization_id, number)._asdict(),
            "wrapped": wrapped,
            "created_at": to_text(now),
        }
        under = self.deployment_keys.current(now, make=True)
        if under is not None:
            item |= _under(under, key, _wrapped(organization_id, item))
        return item, key

    def _opened(self, organization_id: str, item: Item, now: datetime) -> bytes:
        """The key of an item, which is then wrapped under the current deployment key."""
        current = self.deployment_keys.current(now, make=self._makes_deployment_keys)
        key, under = self._unwrapped_key(organization_id, item, current, now)
        if current is not None and under < current.number:
            try:
                self._rewrap(current, key, _wrapped(organization_id, item))
            except (ConditionFailed, TemporarilyUnavailable):
                # The key was deleted, or the next who opens it writes this.
                logger.info("data key not rewrapped", organization_id=organization_id)
        return key

    def _unwrapped_key(
        self, organization_id: str, item: Item, current: DeploymentKey | None, now: datetime
    ) -> tuple[bytes, int]:
        """The key of an item, and the number of the deployment key that opened it: 0 for KMS."""
        of = _wrapped(organization_id, item)
        if "deployment_key" in item:
            number = int(item["deployment_key"])
            is_current = current is not None and current.number == number
            under = current if is_current else self.deployment_keys.numbered(number, now)
            if under is not None:
                if key := under.unwrap(item.get("rewrapped"), of):
                    return key, number
                logger.error("rewrapped data key does not open", organization_id=organization_id)
        return self._service.unwrapped(of.wrapped, _context(organization_id)), 0

    def _rewrap(self, under: DeploymentKey, key: bytes, of: Wrapped) -> None:
        """Replaces what opens the key without KMS. Raises `ConditionFailed` if it was deleted: then
        it is not brought back."""
        self._table.write(
            Update(
                data_key_key(of.organization_id, of.number),
                values=_under(under, key, of),
                condition=equals("wrapped", of.wrapped),
            )
        )

    def _kept(self, organization_id: str, number: int, now: datetime) -> bytes | None:
        kept = self._unwrapped.get((organization_id, number))
        # A request that is repeated after hours has the time at which it was first made.
        return kept[1] if kept and _is_within(now, kept[0], KEY_LIFETIME) else None

    def _keep(
        self, opened: Mapping[tuple[str, int], tuple[datetime, bytes]], now: datetime
    ) -> None:
        with self._lock:
            if self._cleared_at is None or not _is_within(now, self._cleared_at, CLEARED_EVERY):
                # Expired keys are removed from the memory of a long-lived process.
                self._unwrapped = {
                    name: kept
                    for name, kept in self._unwrapped.items()
                    if now < kept[0] + KEY_LIFETIME
                }
                self._cleared_at = now
            self._unwrapped.update(opened)

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


def _is_within(now: datetime, since: datetime, lifetime: timedelta) -> bool:
    return since <= now < since + lifetime


def _wrapped(organization_id: str, item: Item) -> Wrapped:
    return Wrapped(organization_id, _number(item), item["wrapped"])


def _under(key: DeploymentKey, data_key: bytes, of: Wrapped) -> Item:
    """The attributes of a data key that is wrapped under a deployment key."""
    return {"deployment_key": key.number, "rewrapped": key.wrap(data_key, of)}


def _context(organization_id: str) -> dict[str, str]:
    return {"organization": organization_id}
