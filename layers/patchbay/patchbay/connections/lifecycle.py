"""Whether a connection is in service. Pure."""

from enum import StrEnum
from typing import Final


class Lifecycle(StrEnum):
    """What its owner wants of a connection; how it is doing is its health."""

    DRAFT = "draft"
    """Not finished: its configurations may be incomplete. A test by hand is possible."""
    ACTIVE = "active"
    PAUSED = "paused"
    """For a while: its monitor rests, a test by hand is possible."""
    DISABLED = "disabled"
    """Switched off: nothing is dialled for it."""


TRANSITIONS: Final[dict[Lifecycle, frozenset[Lifecycle]]] = {
    Lifecycle.DRAFT: frozenset({Lifecycle.ACTIVE, Lifecycle.DISABLED}),
    Lifecycle.ACTIVE: frozenset({Lifecycle.PAUSED, Lifecycle.DISABLED}),
    Lifecycle.PAUSED: frozenset({Lifecycle.ACTIVE, Lifecycle.DISABLED}),
    Lifecycle.DISABLED: frozenset({Lifecycle.ACTIVE}),
}
"""What each may become. Nothing becomes a draft again, and to stay as it is is no transition."""


def may_become(old: Lifecycle, new: Lifecycle) -> bool:
    return new is old or new in TRANSITIONS[old]
