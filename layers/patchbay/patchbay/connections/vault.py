"""The vault: secrets sealed with AES-256-GCM under a data key of their organization.

An organization's data key is made by KMS, which keeps the key that wraps it, with the organization
as encryption context; it lies wrapped in the integrations table and is unwrapped for five minutes
at a time. A sealed secret carries the organization, the endpoint and its binding (what decides
where the secret goes) as additional data: copied to another place, or read for another
destination, it does not open.
"""

import hashlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from patchbay.connections.model import Endpoint
from patchbay.platform.aws import call, client
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import ABSENT, ConditionFailed, Item, Key, Put, Table
from patchbay.platform.errors import InternalError
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import canonical, compact, loads
from patchbay.tenancy.store import organization_pk

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

_NONCE_BYTES: Final = 12
_KEY_LIFETIME: Final = timedelta(minutes=5)
_FIRST_KEY: Final = 1


def data_key_key(organization_id: str, number: int) -> Key:
    return Key(organization_pk(organization_id), f"DATAKEY#{number}")


def secret_key(organization_id: str, endpoint_id: str) -> Key:
    return Key(organization_pk(organization_id), f"SECRET#{endpoint_id}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret belongs: its endpoint, and the hash of what decides where it is sent."""

    organization_id: str
    endpoint_id: str
    binding: str

    @classmethod
    def of(cls, endpoint: Endpoint, binding: Mapping[str, Any]) -> Self:
        """The place of an endpoint's secrets under these parts of a binding."""
        digest = hashlib.sha256(canonical(dict(binding))).hexdigest()
        return cls(endpoint.organization_id, endpoint.id, digest)

    def additional_data(self) -> bytes:
        return canonical(
            {
                "organization": self.organization_id,
                "endpoint": self.endpoint_id,
                "binding": self.binding,
            }
        )


class Vault:
    """Seals and opens the secrets of endpoints. `kms_key_id` wraps the data keys."""

    def __init__(self, table: Table, kms_key_id: str, kms: "KMSClient | None" = None) -> None:
        self._table = table
        self._kms_key_id = kms_key_id
        self._kms = kms or client("kms")
        self._lock = threading.Lock()
        self._unwrapped: dict[tuple[str, int], tuple[datetime, bytes]] = {}

    def sealed(self, place: Place, secrets: Mapping[str, str], now: datetime) -> Item:
        """The item that holds these secrets, sealed: for the transaction that writes the endpoint.

        Raises `TemporarilyUnavailable` if KMS or the table does not answer.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._data_key(place.organization_id, _FIRST_KEY, now, make=True)
        nonce = os.urandom(_NONCE_BYTES)
        text = AESGCM(key).encrypt(nonce, compact(dict(secrets)), place.additional_data())
        return {
            **secret_key(place.organization_id, place.endpoint_id)._asdict(),
            "data_key": _FIRST_KEY,
            "nonce": nonce,
            "sealed": text,
            "updated_at": to_text(now),
        }

    def open(self, place: Place, now: datetime) -> dict[str, str]:
        """The secrets of an endpoint; none if it has none.

        Raises `InternalError` for an item that was altered, belongs elsewhere or is bound to
        another destination, and `TemporarilyUnavailable`.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        item = self._table.get(secret_key(place.organization_id, place.endpoint_id))
        if item is None:
            return {}
        key = self._data_key(place.organization_id, item["data_key"], now, make=False)
        try:
            text = AESGCM(key).decrypt(item["nonce"], item["sealed"], place.additional_data())
        except InvalidTag:
            logger.error("sealed secret does not open", endpoint_id=place.endpoint_id)
            raise InternalError from None
        secrets: dict[str, str] = loads(text)
        return secrets

    def entered_at(self, endpoint: Endpoint) -> str | None:
        """When the sealed secrets of an endpoint were last entered; None if it has none."""
        item = self._table.get(secret_key(endpoint.organization_id, endpoint.id))
        return item["updated_at"] if item else None

    def _data_key(self, organization_id: str, number: int, now: datetime, *, make: bool) -> bytes:
        with self._lock:
            cached = self._unwrapped.get((organization_id, number))
            if cached and now < cached[0]:
                return cached[1]
            item = self._table.get(data_key_key(organization_id, number))
            if item:
                key = self._unwrap(organization_id, item["wrapped"])
            elif make:
                key = self._make(organization_id, number, now)
            else:
                logger.error("data key is gone", organization_id=organization_id, number=number)
                raise InternalError
            self._unwrapped[organization_id, number] = (now + _KEY_LIFETIME, key)
            return key

    def _make(self, organization_id: str, number: int, now: datetime) -> bytes:
        answer: Any = call(
            self._kms.generate_data_key,
            KeyId=self._kms_key_id,
            KeySpec="AES_256",
            EncryptionContext=_context(organization_id),
        )
        item = {
            **data_key_key(organization_id, number)._asdict(),
            "wrapped": answer["CiphertextBlob"],
            "created_at": to_text(now),
        }
        try:
            self._table.write(Put(item, ABSENT))
        except ConditionFailed as lost:
            if lost.item is None:
                raise
            return self._unwrap(organization_id, lost.item["wrapped"])
        key: bytes = answer["Plaintext"]
        return key

    def _unwrap(self, organization_id: str, wrapped: bytes) -> bytes:
        answer: Any = call(
            self._kms.decrypt,
            KeyId=self._kms_key_id,
            CiphertextBlob=wrapped,
            EncryptionContext=_context(organization_id),
        )
        key: bytes = answer["Plaintext"]
        return key


def _context(organization_id: str) -> dict[str, str]:
    return {"organization": organization_id}
