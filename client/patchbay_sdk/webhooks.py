"""Whether a webhook comes from the deployment, by the Standard Webhooks specification (v1).

    message = verify(secret, request.headers, request.body)

What is signed is `<webhook-id>.<webhook-timestamp>.<body>`, so give the body as it came: bytes that
were parsed and written again are other bytes. `webhook-id` is the same for each attempt of one
notification: remember it to ignore repetitions.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from patchbay_sdk.errors import WebhookInvalid

TOLERANCE_SECONDS: Final = 300
_PREFIX: Final = "whsec_"
_VERSION: Final = "v1"


def verify(
    secret: str | Sequence[str],
    headers: Mapping[str, str],
    body: bytes | str,
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> dict[str, Any]:
    """The message, once its signature and its age are right. Raises `WebhookInvalid`.

    `secret` is that of the channel, or several. `now` is for tests, in seconds since 1970.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id = _header(found, "webhook-id")
    timestamp = _header(found, "webhook-timestamp")
    signatures = _header(found, "webhook-signature").split()
    secrets = [secret] if isinstance(secret, str) else list(secret)
    try:
        raw = body.encode() if isinstance(body, str) else body
        expected = [_signature(one, message_id, timestamp, raw) for one in secrets]
    except UnicodeEncodeError:
        # Some servers decode bytes that are not UTF-8 to halves of characters.
        raise WebhookInvalid("the message is not UTF-8") from None
    given = [
        text
        for version, _, text in (one.partition(",") for one in signatures)
        if version == _VERSION
    ]
    # Each is compared, so that the time does not say which of them is near.
    matches = [
        hmac.compare_digest(mine.encode(), theirs.encode("utf-8", "replace"))
        for mine in expected
        for theirs in given
    ]
    if not any(matches):
        raise WebhookInvalid("no signature is one of this secret")
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise WebhookInvalid("webhook-timestamp is not a number")
    age = (time.time() if now is None else now) - int(timestamp)
    if not abs(age) <= tolerance_seconds:
        raise WebhookInvalid(f"the message is {age:.0f} s old; is the clock of this machine right?")
    try:
        message = json.loads(raw)
    except ValueError:
        raise WebhookInvalid("the body is not JSON") from None
    if not isinstance(message, dict):
        raise WebhookInvalid("the body is not a JSON object")
    return message


def _header(headers: Mapping[str, Any], name: str) -> str:
    value = headers.get(name)
    if value is None:
        raise WebhookInvalid(f"the header {name} is missing")
    if not isinstance(value, str):
        raise WebhookInvalid(f"the header {name} is no string")
    return value


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    text = secret[len(_PREFIX) :] if secret.startswith(_PREFIX) else secret
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        # Not even its length may be in a traceback.
        raise ValueError("the secret is not one of a channel: whsec_ and base64") from None
    if not key:
        raise ValueError("the secret is empty")
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
