"""Cursors: where a list goes on, sealed.

A cursor is AES-256-GCM of the position, with the tenant and the query as additional data: it opens
for the same caller and the same list only, can't be altered, reveals nothing about our keys, and
expires after a day. The sealing key is 32 random bytes in the integrations table, made on first
use: who can read that table needs no cursor, so a key service would protect nothing here.
"""

import base64
import binascii
import os
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import ABSENT, ConditionFailed, Key, Put, Table
from patchbay.platform.errors import InvalidCursor
from patchbay.platform.strict_json import canonical, compact, loads

LIFETIME: Final = timedelta(days=1)
_KEY: Final = Key("SYSTEM", "CURSORKEY")
_NONCE_BYTES: Final = 12


class CursorSeal:
    """Seals and opens the cursors of one deployment."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._key: bytes | None = None

    def seal(self, position: Mapping[str, Any], scope: Mapping[str, Any], now: datetime) -> str:
        """The cursor of a position in the list that `scope` describes (tenant, list, filters)."""
        nonce = os.urandom(_NONCE_BYTES)
        text = compact({"p": dict(position), "e": epoch_seconds(now, LIFETIME)})
        return base64.urlsafe_b64encode(
            nonce + self._cipher().encrypt(nonce, text, canonical(scope))
        ).decode()

    def open(self, cursor: str, scope: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """The position. Raises `InvalidCursor` for a foreign, altered or expired one."""
        from cryptography.exceptions import InvalidTag

        try:
            sealed = base64.b64decode(cursor, altchars=b"-_", validate=True)
            text = self._cipher().decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], canonical(scope)
            )
        except (InvalidTag, ValueError, binascii.Error):
            raise InvalidCursor from None
        content = loads(text)
        if content["e"] <= epoch_seconds(now):
            raise InvalidCursor
        position: dict[str, Any] = content["p"]
        return position

    def _cipher(self) -> Any:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        with self._lock:
            if self._key is None:
                self._key = self._stored_key()
        return AESGCM(self._key)

    def _stored_key(self) -> bytes:
        if item := self._table.get(_KEY):
            key: bytes = item["key"]
            return key
        fresh = os.urandom(32)
        try:
            self._table.write(Put({**_KEY._asdict(), "key": fresh}, ABSENT))
        except ConditionFailed as lost:
            if lost.item is None:
                raise
            first: bytes = lost.item["key"]
            return first
        return fresh
