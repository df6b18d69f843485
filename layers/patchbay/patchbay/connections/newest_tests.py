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
from patchbay.connections.health_status import WINDOW
from patchbay.connections.plans import PlanPlace
from patchbay.platform.dynamodb import Item

OF_NEWEST_TESTS: Final = ("state", "plans", "planned_from")
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

    `places` are those of its plans: two while it is moved. `may_lag` is whether what is stored may
    be far behind: its window is full. It is not before the minute `written_until`: an edit wrote
    it.
    """

    id: str
    space_id: str
    places: tuple[PlanPlace, ...]
    may_lag: bool
    written_until: int | None = None

    @classmethod
    def of_item(cls, item: Item) -> Self | None:
        """None for a connection that stores each of its tests."""
        places = tuple(PlanPlace(*place) for place in item.get("plans", ()))
        if not places:
            return None
        may_lag = _window_of(item.get("state", {})) >= WINDOW
        return cls(item["id"], item["space_id"], places, may_lag, item.get("planned_from"))


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
