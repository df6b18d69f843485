"""Addresses that are credentials: anyone who knows the path and query of a webhook may post there,
as with those of Slack, Teams, and PagerDuty. Only the origin is shown."""

import hashlib
import re
from typing import Final
from urllib.parse import urlsplit

_MASK: Final = re.compile(r"[^/]*//[^/]*/\*{4}-[0-9a-f]{6}")


def masked_url(url: str, salt: str) -> str:
    """`https://hooks.example.com/****-1f2e3d`; a URL without path and query is shown as it is.

    The last part is a digest, so that a change is seen. It is too short to confirm a guess by, and
    with another `salt`, the id of what has the address, the same address has another one.
    """
    parts = urlsplit(url)
    if parts.path in ("", "/") and not parts.query and not parts.fragment:
        return url
    digest = hashlib.sha256(f"{salt} {url}".encode()).hexdigest()[:6]
    return f"{parts.scheme}://{parts.netloc}/****-{digest}"


def is_masked(url: str) -> bool:
    """Whether this is what `masked_url` makes, of any URL."""
    return _MASK.fullmatch(url) is not None
