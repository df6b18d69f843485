"""Signatures of webhooks by the Standard Webhooks specification (v1, HMAC-SHA256).

A secret is `whsec_` and the base64 of 32 random bytes. What is signed is `<id>.<timestamp>.<body>`;
while a secret is being rotated, both sign, and the header holds both signatures.
"""

import base64
import hmac
import os
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from patchbay.platform.clock import epoch_seconds

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def signed_headers(
    secrets: Sequence[str], message_id: str, body: bytes, now: datetime
) -> tuple[tuple[str, str], ...]:
    """The three headers; `now` is when this attempt is sent, not when the alert was raised."""
    timestamp = str(epoch_seconds(now))
    signatures = [_signature(secret, message_id, timestamp, body) for secret in secrets]
    return (
        ("webhook-id", message_id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", " ".join(signatures)),
    )


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
