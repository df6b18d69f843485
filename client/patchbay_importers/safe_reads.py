"""Which of an API's many GETs proves a credential best: a guess by its path, the same each time."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_WHO: Final = (
    ("whoami", 100),
    ("me", 90),
    ("self", 85),
    ("myself", 85),
    ("current", 70),
    ("tokeninfo", 65),
    ("verify", 50),
    ("account", 60),
    ("profile", 55),
    ("user", 50),
    ("viewer", 50),
    ("organization", 35),
    ("workspace", 30),
    ("company", 30),
    ("accounts", 25),
    ("users", 20),
    ("models", 15),
)
_WEAK: Final = frozenset(
    {
        *("health", "healthz", "status", "version", "versions", "ping", "openapi", "swagger"),
        *("docs", "metrics", "ready", "live", "public", "login", "logout", "oauth", "authorize"),
        *("callback", "export", "download", "delete", "remove", "reset", "cancel", "unsubscribe"),
        *("revoke", "webhook", "webhooks", "robots", "favicon"),
    }
)
"""Anybody may read these, or a GET of such a name may change something."""


def rank(path: str) -> int:
    """The higher, the better; below zero it is no check at all. Short paths come first."""
    words = [word.lower() for word in _WORD.findall(path)]
    if _WEAK.intersection(words):
        return -1
    points = dict(_WHO)
    best = max((points.get(word, 0) for word in words[-2:]), default=0)
    return 1000 + best * 10 - min(len(words), 20) * 5
