"""AWS KMS, as the vault uses it: it makes keys of 256 bits, and wraps and unwraps them.

Each wrapped key is bound to what it is for, its encryption context: KMS unwraps it for nothing
else, and writes the context into CloudTrail.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from patchbay.platform.aws import call, client

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

type Context = Mapping[str, str]


class KeyService:
    """Wraps under one KMS key. Every method raises `TemporarilyUnavailable` and `InternalError`."""

    def __init__(self, key_id: str, kms: "KMSClient | None" = None) -> None:
        self._key_id = key_id
        self._given = kms

    @property
    def _kms(self) -> "KMSClient":
        # Only when needed: most requests open no secret.
        return self._given or client("kms")

    @property
    def region(self) -> str:
        """The region of this deployment."""
        return str(self._kms.meta.region_name)

    def made(self, context: Context) -> tuple[bytes, bytes]:
        """A new key, and the same wrapped."""
        response: Any = call(
            self._kms.generate_data_key,
            KeyId=self._key_id,
            KeySpec="AES_256",
            EncryptionContext=dict(context),
        )
        return response["Plaintext"], response["CiphertextBlob"]

    def unwrapped(self, wrapped: bytes, context: Context) -> bytes:
        """Raises `InternalError` for what was altered, or was wrapped for something else."""
        response: Any = call(
            self._kms.decrypt,
            KeyId=self._key_id,
            CiphertextBlob=wrapped,
            EncryptionContext=dict(context),
        )
        key: bytes = response["Plaintext"]
        return key
