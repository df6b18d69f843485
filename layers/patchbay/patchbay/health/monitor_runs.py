"""What health asks of the runs of monitors, which are counted and listed beside stored events.

The tests of monitors are no items of their own: many of them are one item, a run. The package
`runs` knows how they are stored. Health merges what it reads of them with the events that callers
pushed: the buckets of a period add up, and the events of both are one list.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from patchbay.health.buckets import Bucket
from patchbay.health.model import Event, EventOutline, EventStatus
from patchbay.health.periods import Period
from patchbay.platform.dynamodb import Item
from patchbay.platform.lists import Stretch

OF_RUNS: Final = "#M"
"""The end of the sort keys of counts of runs: `D#2026-02-17#M`. Those of buckets end in a digit."""


class EventOutlines(NamedTuple):
    """Events, newest first. There were too many if `cut_at` is set: those before it are missing,
    and some of that time may be."""

    items: list[EventOutline]
    cut_at: datetime | None


class MonitorRuns(Protocol):
    """The runs of all spaces. Sort keys are those of events: `<occurred_at>#<event id>`."""

    def counts(
        self, space_id: str, found: Sequence[Item], ranges: Sequence[tuple[str, str]]
    ) -> Mapping[Period, Bucket] | None:
        """The counts of runs in ranges of sort keys of buckets, and maybe in others.

        `found` has the counts of runs that were read in these ranges, and the days of all hours.
        Runs that none of them counts yet are read and counted. None if the items do not fit
        together: a day was closed while they were read. Then they have to be read again.
        """
        ...

    def events(
        self,
        space_id: str,
        *,
        since: datetime,
        before: str,
        limit: int,
        now: datetime,
        status: EventStatus | None,
        connection_id: str | None,
    ) -> Stretch[Event]:
        """The newest events before a sort key, at most `limit`, by a bounded number of queries."""
        ...

    def outlines(
        self, space_id: str, *, since: datetime, until: datetime, most: int, now: datetime
    ) -> EventOutlines:
        """The newest events of a time, at most this many of them."""
        ...


class _NoRuns:
    """A store of events in which no monitor writes."""

    def counts(self, *_: object) -> Mapping[Period, Bucket]:
        return {}

    def events(self, *_: object, **__: object) -> Stretch[Event]:
        return Stretch({}, None)

    def outlines(self, *_: object, **__: object) -> EventOutlines:
        return EventOutlines([], None)


NO_RUNS: Final[MonitorRuns] = _NoRuns()


def is_of_runs(item: Item) -> bool:
    """Whether an item among the buckets of a space has counts of runs."""
    return bool(item["sk"].endswith(OF_RUNS))
