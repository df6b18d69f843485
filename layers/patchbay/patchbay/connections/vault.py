"""The vault: secrets sealed with AES-256-GCM under a data key of their organization.

A sealed secret has the organization, the endpoint, and its binding (what decides where the secret
is sent) as additional data: copied to another endpoint, or read for another destination, it does
not open. An endpoint may refer to a secret of AWS Secrets Manager instead. The vault reads both.
"""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self

from patchbay.connections.data_key_model import DeletedDataKeys, DeletionQuery, Resealed
from patchbay.connections.data_keys import KeyRing
from patchbay.connections.endpoint_model import Endpoint
from patchbay.connections.keys import GRANTS, SECRETS, key_of, secret_key
from patchbay.connections.secret_references import PermittingTag, SecretReference, read_reference
from patchbay.connections.secrets_manager import AHEAD_SECONDS, secrets_of_run
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    Item,
    Key,
    Table,
    TransactionRefused,
    Update,
    equals,
)
from patchbay.platform.errors import (
    Conflict,
    InternalError,
    InvalidInput,
    NotFound,
    SecretsLost,
    TemporarilyUnavailable,
)
from patchbay.platform.lists import ListQuery, Lists, Position, position_of
from patchbay.platform.logging import logger
from patchbay.platform.revisions import serially
from patchbay.platform.strict_json import canonical, compact
from patchbay.registry.model import Release
from patchbay.tenancy.keys import organization_pk

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

_NONCE_BYTES: Final = 12
_MAX_BYTES: Final = 256 * 1024
"""Of all secrets of an endpoint together. An item of DynamoDB has at most 400 KB."""
_MAX_NAMED_USERS: Final = 20
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
GRANT_PURPOSE: Final = "grant"
_PURPOSES: Final[Mapping[str, str]] = {GRANTS: GRANT_PURPOSE, SECRETS: ""}
"""The items that have something sealed, by the prefixes of their sort keys: what each is for."""
_SEALED: Final = ("data_key", "nonce", "sealed")
"""The attributes that another seal changes."""


@dataclass(frozen=True, slots=True)
class SecretScope:
    """What secrets are sealed for: their endpoint, and the hash of its binding.

    `purpose` is empty for secrets that were entered, and `grant` for what a provider issued: the
    one does not open as the other.
    """

    organization_id: str
    endpoint_id: str
    binding: str
    purpose: str = ""

    @classmethod
    def of(cls, endpoint: Endpoint, binding: Mapping[str, Any], purpose: str = "") -> Self:
        """The scope of an endpoint's secrets under a binding."""
        return cls.bound(endpoint.organization_id, endpoint.id, binding, purpose)

    @classmethod
    def bound(
        cls, organization_id: str, owner_id: str, binding: Mapping[str, Any], purpose: str = ""
    ) -> Self:
        """The scope of what something of an organization has under a binding."""
        digest = hashlib.sha256(canonical(dict(binding))).hexdigest()
        return cls(organization_id, owner_id, digest, purpose)

    def additional_data(self) -> bytes:
        purpose = {"purpose": self.purpose} if self.purpose else {}
        return canonical(
            {
                "organization": self.organization_id,
                "endpoint": self.endpoint_id,
                "binding": self.binding,
                **purpose,
            }
        )


class Vault:
    """Seals and opens the secrets of endpoints. The parameters are those of `KeyRing`."""

    def __init__(
        self,
        table: Table,
        kms_key_id: str,
        kms: "KMSClient | None" = None,
        *,
        makes_deployment_keys: bool = False,
    ) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))
        self.keys = KeyRing(table, kms_key_id, kms, makes_deployment_keys=makes_deployment_keys)

    def sealed(self, scope: SecretScope, secrets: Mapping[str, str], now: datetime) -> Item:
        """The item with these secrets, sealed under the current key.

        The transaction that writes the endpoint writes it, with the check `key_of` it. Raises
        `InvalidInput` if the secrets are too large for an item, and `TemporarilyUnavailable` if KMS
        or the table does not respond.
        """
        key = secret_key(scope.organization_id, scope.endpoint_id)
        return {
            **key._asdict(),
            **self.sealed_parts(scope, secrets, now),
            "updated_at": to_text(now),
        }

    def sealed_parts(self, scope: SecretScope, secrets: Mapping[str, str], now: datetime) -> Item:
        """The attributes of an item that holds these secrets beside others. Raises as `sealed`."""
        text = compact(dict(secrets))
        if len(text) > _MAX_BYTES:
            raise InvalidInput.at("/secrets", f"must have at most {_MAX_BYTES} bytes as JSON")
        return self._sealed(scope, text, now)

    def open(self, scope: SecretScope, now: datetime, names: Iterable[str] = ()) -> dict[str, str]:
        """The sealed secrets of an endpoint; empty if it has none.

        Raises `InternalError` for an item that was altered, belongs to another endpoint, or is
        bound to another destination; `SecretsLost` with `names` if its data key was deleted; and
        `TemporarilyUnavailable`.
        """
        key = secret_key(scope.organization_id, scope.endpoint_id)
        item = self._table.get(key)
        if item is None:
            return {}
        try:
            return self.open_parts(scope, item, now)
        except SecretsLost:
            raise SecretsLost(names) from None

    def open_parts(self, scope: SecretScope, item: Item, now: datetime) -> dict[str, str]:
        """What `sealed_parts` sealed, in an item that was read. Raises as `open`."""
        # It opened, so it is a text of our own, which needs no strict reader.
        secrets: dict[str, str] = json.loads(
            self._opened_by_now(Key(item["pk"], item["sk"]), scope, item, now)
        )
        return secrets

    def read_ahead(self, items: Iterable[Item | None], now: datetime) -> list[Item]:
        """Opens the data keys that sealed items are under, and reads the secrets that endpoints
        refer to: side by side, and no longer than `AHEAD_SECONDS`.

        What is not opened here is opened, or fails, when an item is. Returns the items whose data
        key is gone: since they were read, they may have been sealed under another.
        """
        until = time.monotonic() + AHEAD_SECONDS
        found = [item for item in items if item]
        sealed = [(_data_key_of(item), item) for item in found if "sealed" in item]
        wanted = {key for key, _ in sealed}
        opening = None
        if not self.keys.are_open(wanted, now):
            opening = _begun(partial(self.keys.read_ahead, wanted, now))
        if names := self._referred(found):
            secrets_of_run().read_ahead(names, AHEAD_SECONDS)
        if opening is None:
            return []
        try:
            gone = opening.result(timeout=max(0, until - time.monotonic()))
        except (TemporarilyUnavailable, TimeoutError):
            logger.warning("data keys not read ahead")
            return []
        return [item for key, item in sealed if key in gone]

    def _referred(self, items: Iterable[Item]) -> set[str]:
        """The names of the secrets that the endpoints among these items refer to."""
        names = set()
        for item in items:
            if reference := item.get("secret_ref"):
                with suppress(InternalError):  # said where it is used
                    owner = item["organization_id"]
                    names.add(SecretReference.stored(reference, owner, self.keys.region).name)
        return names

    def item(self, key: Key) -> Item | None:
        """An item that may have something sealed, as it stands now."""
        return self._table.reread(key)

    def secrets_of(
        self, endpoint: Endpoint, release: Release, binding: Mapping[str, Any], now: datetime
    ) -> dict[str, str]:
        """The secrets of an endpoint, sealed or referred to, to be sent where `binding` says.

        A secret that is referred to must have the tag that permits this binding. Raises
        `ReferenceUnusable` for a reference that can't be used, `SecretsLost` if their data
        key was deleted, `InternalError` if the secrets are missing, altered, or bound to another
        destination, and `TemporarilyUnavailable`.
        """
        scope = SecretScope.of(endpoint, binding)
        if endpoint.secret_ref is not None:
            if scope != SecretScope.of(endpoint, endpoint.binding):
                logger.error("reference is bound to another place", endpoint_id=endpoint.id)
                raise InternalError
            return read_reference(
                SecretReference.stored(
                    endpoint.secret_ref, endpoint.organization_id, self.keys.region
                ),
                release,
                PermittingTag.of(release, endpoint.variables),
            )
        if not endpoint.secrets_set:
            return {}
        secrets = self.open(scope, now, endpoint.secrets_set)
        if not secrets.keys() >= set(endpoint.secrets_set):
            logger.error("sealed secret is gone", endpoint_id=endpoint.id)
            raise InternalError
        return secrets

    def require_own_reference(self, reference: str, organization_id: str) -> None:
        """Raises `ReferenceDenied` and `InvalidInput` as `SecretReference.entered`."""
        SecretReference.entered(reference, organization_id, self.keys.region)

    def reseal(self, organization_id: str, query: ListQuery, now: datetime) -> Resealed:
        """Re-seals one page of an organization's secrets: those that are sealed under older keys.

        A secret that is edited in between is left as it is, because it is under the current key
        already. This may be interrupted and repeated. Raises `InvalidCursor`, and
        `TemporarilyUnavailable`.
        """
        page = self._lists.computed(
            organization_id,
            "sealed",
            query,
            now,
            lambda start: self._sealed_items(organization_id, query.limit, start),
        )
        resealed, unreadable = 0, []
        for item in page.items:
            attempt = partial(self._resealed, organization_id, item, now)
            try:
                resealed += serially(attempt)
            except (InternalError, SecretsLost):
                unreadable.append(_endpoint_id(item))
        return Resealed(resealed=resealed, unreadable=unreadable, next_cursor=page.next_cursor)

    def delete_keys(
        self, organization_id: str, query: DeletionQuery, now: datetime
    ) -> DeletedDataKeys:
        """Deletes data keys and what is sealed under them. Raises `InvalidInput`, `NotFound`."""
        if query.confirm != organization_id:
            raise InvalidInput.at("/query/confirm", "must be the id of the organization")
        return self.keys.delete_all(organization_id, query.through, now)

    def delete_key(self, organization_id: str, text: str) -> None:
        """Deletes an old data key, by its number, that no secret is sealed under.

        Raises `NotFound`, and `Conflict` IN_USE with the endpoints that need it.
        """
        if _NUMBER.fullmatch(text) is None:
            raise NotFound("data key")
        number = int(text)
        if number == self.keys.current_number(organization_id):
            raise Conflict("This is the current data key: rotate first.", "IN_USE", used_by=[])
        # Nothing new is sealed under a key that is no longer current, so no user is missed.
        users = dict.fromkeys(
            _endpoint_id(item)
            for prefix in _PURPOSES
            for item in self._table.query_all(
                organization_pk(organization_id), prefix=prefix, attributes=("sk", "data_key")
            )
            if item.get("data_key") == number
        )
        if users:
            raise Conflict(
                "Secrets are sealed under this data key: re-seal them first.",
                "IN_USE",
                used_by=list(users)[:_MAX_NAMED_USERS],
            )
        self.keys.delete(organization_id, number)

    def _resealed(self, organization_id: str, item: Item, now: datetime) -> bool:
        """Raises `TransactionRefused` if the keys were rotated in between."""
        if item.get("data_key") in (None, self.keys.current_number(organization_id)):
            return False
        scope = _scope_of(organization_id, item)
        sealed = self._sealed(scope, self._opened(scope, item, now), now)
        # Nothing else of the item is written: others may change it at the same time.
        values = {name: sealed[name] for name in _SEALED}
        try:
            self._table.transact(
                [
                    Update(
                        Key(item["pk"], item["sk"]),
                        values=values,
                        condition=equals("nonce", item["nonce"]),
                    ),
                    key_of(sealed),
                    recorded(
                        organization_id,
                        Entity.DATA_KEY,
                        str(sealed["data_key"]),
                        Action.RESEALED,
                        after={"endpoint_id": scope.endpoint_id},
                    ),
                ]
            )
        except TransactionRefused as refused:
            if 0 in refused.failed:
                return False  # edited or deleted in between
            raise
        return True

    def _sealed_items(
        self, organization_id: str, limit: int, start: Position | None
    ) -> "_SealedItems":
        """Items with something sealed: those of one prefix, then those of the next."""
        prefixes, found = list(_PURPOSES), list[Item]()
        place = dict(start or {"prefix": prefixes[0]})
        for prefix in prefixes[prefixes.index(place["prefix"]) :]:
            after = place.get("after") if prefix == place["prefix"] else None
            # One more than requested shows whether there are others.
            page = self._table.query(
                organization_pk(organization_id),
                prefix=prefix,
                limit=limit - len(found) + 1,
                start=after,
            )
            for item in page.items:
                if len(found) == limit:
                    return _SealedItems(found, {"prefix": prefix, "after": after})
                found.append(item)
                after = position_of(item, None)
            if page.last_key:
                return _SealedItems(found, {"prefix": prefix, "after": page.last_key})
        return _SealedItems(found, None)

    def _sealed(self, scope: SecretScope, text: bytes, now: datetime) -> Item:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        number, key = self.keys.current(scope.organization_id, now)
        nonce = os.urandom(_NONCE_BYTES)
        return {
            "organization_id": scope.organization_id,
            "data_key": number,
            "binding": scope.binding,
            "nonce": nonce,
            "sealed": AESGCM(key).encrypt(nonce, text, scope.additional_data()),
        }

    def _opened_by_now(self, key: Key, scope: SecretScope, item: Item, now: datetime) -> bytes:
        """Since it was read, it may have been re-sealed and the old key deleted."""
        try:
            return self._opened(scope, item, now)
        except SecretsLost:
            fresh = self._table.reread(key)
            if fresh is None or fresh["data_key"] == item["data_key"]:
                raise
            return self._opened(scope, fresh, now)

    def _opened(self, scope: SecretScope, item: Item, now: datetime) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self.keys.key(scope.organization_id, int(item["data_key"]), now)
        try:
            return AESGCM(key).decrypt(item["nonce"], item["sealed"], scope.additional_data())
        except (InvalidTag, ValueError):  # a nonce of another length is a ValueError
            logger.error("sealed secret does not open", endpoint_id=scope.endpoint_id)
            raise InternalError from None


@dataclass(frozen=True, slots=True)
class _SealedItems:
    """A page of items that have something sealed."""

    items: list[Item]
    next_start: Position | None


def _begun[T](work: Callable[[], T]) -> Future[T]:
    """In a thread of its own: a call of KMS that hangs takes longer than a page may wait."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:
            result.set_exception(error)  # raised where it is waited for

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return result


def _data_key_of(item: Item) -> tuple[str, int]:
    return str(item.get("organization_id")), int(item.get("data_key") or 0)


def _scope_of(organization_id: str, item: Item) -> SecretScope:
    purpose = _PURPOSES[_prefix(item)]
    return SecretScope(organization_id, _endpoint_id(item), item["binding"], purpose)


def _endpoint_id(item: Item) -> str:
    endpoint_id: str = item["sk"].removeprefix(_prefix(item))
    return endpoint_id


def _prefix(item: Item) -> str:
    return str(item["sk"]).partition("#")[0] + "#"
