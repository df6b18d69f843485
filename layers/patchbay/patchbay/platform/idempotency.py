"""Idempotency-Key: a create that is sent again gives the first answer again.

    IDEM#<organization>#<lane>   <hash of caller, route and key>   for 24 hours

The lane is the first digit of the hash: the records of an organization can be listed, and its
writes do not share one partition.

1. The first request writes a record with its body's hash and its stamp, and does its work.
2. Its answer is added to the record, sealed under the caller's own API key and Idempotency-Key:
   an answer may hold a secret (a new API key does), and readers of the table must not see it.
3. A repetition with the same body gets that answer; with another body, 409.
4. A repetition after a crash in between takes the record over and does the work again with the
   same stamp, so the store recognizes by its id what already exists.

An answer of 4xx is not kept: the request did nothing, and may be corrected under the same key.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from patchbay.platform.clock import epoch_seconds, from_text, to_sortable
from patchbay.platform.dynamodb import (
    ABSENT,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Put,
    Table,
    Update,
    equals,
)
from patchbay.platform.errors import Conflict, InvalidInput, PatchbayError, TemporarilyUnavailable
from patchbay.platform.ids import Stamp
from patchbay.platform.strict_json import compact, loads

LIFETIME: Final = timedelta(hours=24)
BUSY_FOR: Final = timedelta(seconds=30)
"""Longer than any request runs: after that, the one that began it is gone."""

KEY_PATTERN: Final = "^[!-~]{1,255}$"
_FORM: Final = re.compile(KEY_PATTERN.strip("^$"))
_NONCE_BYTES: Final = 12


def records_pks(organization_id: str) -> list[str]:
    """The partitions that have the records of an organization."""
    return [f"IDEM#{organization_id}#{lane:x}" for lane in range(16)]


class IdempotentRequest(NamedTuple):
    """What makes a request the same: who sends it, where to, its key and its body.

    `credential` is the token of the caller; only hashes of it are used.
    """

    organization_id: str
    credential: str
    route: str
    key: str
    body: bytes

    def body_mark(self) -> bytes:
        """Of the body, which may hold secrets: no guess can be checked without the credential."""
        return hmac.digest(_hash("body", self.credential, self.key), self.body, "sha256")

    def record_key(self) -> Key:
        mark = _hash(self.credential, self.route, self.key)
        return Key(f"IDEM#{self.organization_id}#{mark.hex()[0]}", mark.hex())


class KeptAnswer(NamedTuple):
    """An answer as it is kept: status, the headers that belong to it, the text of the body."""

    status: int
    headers: dict[str, str]
    text: str


class Idempotency:
    """The records of one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def once(
        self, request: IdempotentRequest, now: datetime, work: Callable[[Stamp], KeptAnswer]
    ) -> KeptAnswer:
        """The answer of `work`, which is done once for a request and its repetitions.

        Raises `InvalidInput` for a key that is none, `Conflict` IDEMPOTENCY_CONFLICT for another
        body, `Conflict` while the first is still being worked on, and whatever `work` raises.
        """
        if _FORM.fullmatch(request.key) is None:
            raise InvalidInput.at(
                "/headers/Idempotency-Key", "must be 1 to 255 visible ASCII characters"
            )
        record = self._begun(request, now)
        if "sealed" in record:
            return _opened(request, record)
        try:
            answer = work(Stamp(from_text(record["began_at"]), record["seed"]))
        except Exception as error:
            nothing_done = isinstance(error, PatchbayError) and error.status < 500
            self._settle(_forgotten(request, record) if nothing_done else _freed(request, record))
            raise
        kept = Update(
            request.record_key(),
            values={"sealed": _sealed(request, record, answer)},
            condition=equals("seed", record["seed"]),
        )
        if not self._settle(kept):
            # The work is done and reported; a repetition finds it by its ids.
            self._settle(_freed(request, record))
        return answer

    def _begun(self, request: IdempotentRequest, now: datetime) -> Item:
        """The record of this request: fresh, taken over, or finished."""
        stamp = Stamp.fresh(now)
        fresh = {
            **request.record_key()._asdict(),
            "body": request.body_mark(),
            "seed": stamp.seed,
            "began_at": to_sortable(now),
            "busy_until": epoch_seconds(now, BUSY_FOR),
            "expires_at": epoch_seconds(now, LIFETIME),
        }
        try:
            self._table.write(Put(fresh, ABSENT))
        except ConditionFailed as standing:
            if standing.item is None:
                raise
            return self._joined(request, standing.item, fresh, now)
        except TemporarilyUnavailable:
            self._settle(_freed(request, fresh))  # it may have been written all the same
            raise
        return fresh

    def _joined(
        self, request: IdempotentRequest, standing: Item, fresh: Item, now: datetime
    ) -> Item:
        same = equals("seed", standing["seed"]) & equals("busy_until", standing["busy_until"])
        try:
            if standing["seed"] == fresh["seed"]:
                return fresh  # our own write, repeated after its reply was lost
            if standing["expires_at"] <= epoch_seconds(now):
                self._table.write(Put(fresh, same))
                return fresh
            if standing["body"] != fresh["body"]:
                raise Conflict(
                    "This Idempotency-Key was used for another request.", "IDEMPOTENCY_CONFLICT"
                )
            if "sealed" in standing:
                return standing
            if standing["busy_until"] > epoch_seconds(now):
                raise _busy()
            busy_until = fresh["busy_until"]
            self._table.write(
                Update(
                    request.record_key(),
                    values={"busy_until": busy_until},
                    condition=same,
                )
            )
        except ConditionFailed:
            raise _busy() from None
        return standing | {"busy_until": busy_until}

    def _settle(self, write: Update | Delete) -> bool:
        """Whether it went through; if not, the record is free after 30 s by itself."""
        try:
            self._table.write(write)
        except (ConditionFailed, PatchbayError):
            return False
        return True


def _forgotten(request: IdempotentRequest, record: Item) -> Delete:
    return Delete(request.record_key(), equals("seed", record["seed"]))


def _freed(request: IdempotentRequest, record: Item) -> Update:
    return Update(
        request.record_key(),
        values={"busy_until": 0},
        condition=equals("seed", record["seed"]),
    )


def _busy() -> Conflict:
    conflict = Conflict("The first request with this Idempotency-Key is still being worked on.")
    conflict.retry_after_seconds = 1
    return conflict


def _cipher(request: IdempotentRequest, record: Item) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(_hash("seal", request.credential, request.key, record["seed"].hex()))


def _sealed(request: IdempotentRequest, record: Item, answer: KeptAnswer) -> bytes:
    # The body as it is, behind a line: JSON within JSON could outgrow an item.
    text = compact([answer.status, answer.headers]) + b"\n" + answer.text.encode()
    nonce = os.urandom(_NONCE_BYTES)
    sealed: bytes = nonce + _cipher(request, record).encrypt(nonce, text, None)
    return sealed


def _opened(request: IdempotentRequest, record: Item) -> KeptAnswer:
    sealed: bytes = record["sealed"]
    nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    opened: bytes = _cipher(request, record).decrypt(nonce, text, None)
    head, _, body = opened.partition(b"\n")
    status, headers = loads(head)
    return KeptAnswer(status, headers, body.decode())


def _hash(*parts: str) -> bytes:
    """Of several texts, with their lengths, so that no two lists run together."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape")
        digest.update(len(raw).to_bytes(8) + raw)
    return digest.digest()
