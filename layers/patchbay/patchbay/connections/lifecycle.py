"""Whether a connection is in service. Pure."""

from enum import StrEnum
from typing import Final


class Lifecycle(StrEnum):
    """What its owner wants from a connection. How it is doing is its health."""

    DRAFT = "draft"
    """Not finished: its configurations may be incomplete. It can be tested on demand."""
    ACTIVE = "active"
    PAUSED = "paused"
    """For a while: its monitor does not run. It can be tested on demand."""
    DISABLED = "disabled"
    """Switched off: nothing is dialed for it."""


TRANSITIONS: Final[dict[Lifecycle, frozenset[Lifecycle]]] = {
    Lifecycle.DRAFT: frozenset({Lifecycle.ACTIVE, Lifecycle.DISABLED}),
    Lifecycle.ACTIVE: frozenset({Lifecycle.PAUSED, Lifecycle.DISABLED}),
    Lifecycle.PAUSED: frozenset({Lifecycle.ACTIVE, Lifecycle.DISABLED}),
    Lifecycle.DISABLED: frozenset({Lifecycle.ACTIVE}),
}
"""What each may become. Nothing becomes a draft again."""


def may_become(old: Lifecycle, new: Lifecycle) -> bool:
    return new is old or new in TRANSITIONS[old]
