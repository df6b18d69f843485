"""The newest tests that monitors made of connections, where the connections do not have them.

A connection whose health is steady is not written by each test: its newest test is in a run. What
shows connections lays that test over what is stored. Runs are read by a package that stands on this
one; these are its answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, Self

from patchbay.checks.codes import Code
from patchbay.connections.health_state import WINDOW
from patchbay.connections.lifecycle import Lifecycle
from patchbay.connections.plans import Group, PlanPlace
from patchbay.platform.dynamodb import Item

OF_NEWEST_TESTS: Final = ("state", "plans")
"""Attributes of connections that `TestedConnection.of_item` reads, among others."""


@dataclass(frozen=True, slots=True)
class NewestTest:
    """A test of a connection that was not a platform fault. `at` is its scheduled minute, `streak`
    how many in a row had this outcome."""

    at: datetime
    ended: datetime
    streak: int
    passed: bool
    latency_ms: int
    code: Code | None


@dataclass(frozen=True, slots=True)
class TestedConnection:
    """What finding the newest test of a connection takes.

    `groups` are those that it is tested with: two while it is moved, none if runs no longer get
    tests of it. `may_lag` is whether what is stored may be far behind: its window is full.
    """

    id: str
    space_id: str
    groups: tuple[Group, ...]
    may_lag: bool

    @classmethod
    def of_item(cls, item: Item) -> Self | None:
        """None for a connection that stores each of its tests."""
        groups = tuple(Group.of_key(PlanPlace(*place).key) for place in item.get("plans", ()))
        may_lag = _window_of(item.get("state", {})) >= WINDOW
        watched = item["monitor"]["enabled"] and item["status"] == Lifecycle.ACTIVE
        if not groups and (watched or not may_lag):
            return None
        return cls(item["id"], item["space_id"], groups, may_lag)


class NewestTests(Protocol):
    """Reads the newest tests of connections from runs."""

    def newest(
        self, connections: Iterable[TestedConnection], now: datetime
    ) -> Mapping[str, NewestTest]:
        """By the ids of the connections; those without a test in a run are left out."""
        ...


class _NoNewestTests:
    """A deployment in which each test is stored in its connection."""

    def newest(self, *_: object) -> Mapping[str, NewestTest]:
        return {}


NO_NEWEST_TESTS: Final[NewestTests] = _NoNewestTests()


def _window_of(state: Mapping[str, Any]) -> int:
    seen: int = state.get("seen", 0)
    return seen
