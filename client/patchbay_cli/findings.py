"""What `patchbay doctor` found: one thing, how bad it is, why it matters, and what to do."""

from __future__ import annotations

from typing import Final, NamedTuple

OK: Final = "ok"
WARNING: Final = "warning"
PROBLEM: Final = "problem"
UNSEEN: Final = "unseen"
"""It could not be looked at."""


class Finding(NamedTuple):
    what: str
    status: str
    message: str
    why: str | None = None
    fix: str | None = None
