"""How those who write what alert rules look at say so.

Alerts stand above tenants, connections, and events, which know nothing of rules. Each is given a
`Wake`, and calls it **before** the write that may let a rule fire: a process that dies between the
two has woken a space for nothing, which costs an evaluation and loses no alert.
"""

from collections.abc import Iterable
from typing import Protocol


class Wake(Protocol):
    """Says that something may be about to happen in these spaces that their rules look at."""

    def __call__(self, space_ids: Iterable[str], /) -> bool:
        """Whether all of them are awake. Never raises.

        What is not is looked at within an hour. Work that a queue delivers again should not be done
        before all are; a caller of the API should not be refused because of it.
        """
        ...


def wake_nobody(space_ids: Iterable[str], /) -> bool:
    """For a store whose writes no rule waits for."""
    del space_ids
    return True
