"""Where the plans of a space are on the wheel: its layout. Pure.

A layout has the space's **cell** (its own, a busy one, or a pool that it shares) and its **bands**:
how many groups the connections of one interval are divided into. It is an attribute of the space.

A change of the layout counts from `since` on, some minutes later. Until then the plans are moved:
each connection has one plan that ends at that minute, and one that begins there. So each minute of
a connection belongs to exactly one plan, and that names exactly one run.

The thresholds have a gap each: a space at a threshold does not change back and forth.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple, Self

from patchbay.connections.plans import Group, PlanPlace
from patchbay.connections.wheel import MonitorInterval

POOLED_BELOW: Final = 4
OWN_ABOVE: Final = 6
"""A space of fewer monitored connections than the first shares a pool, until it has more than the
second."""
BUSY_FROM: Final = 20
BUSY_BELOW: Final = 14
"""Tests a minute."""
MAX_GROUP: Final = 250
"""Connections of one interval in one band, on average over the bands; beyond, there are more bands.
"""
_FILLED: Final = 160
"""What new bands are filled to at most: a hash is uneven."""
_SPARSE: Final = 40
_CROWDED: Final = 320
"""A group of so many is beyond what an uneven hash makes of `MAX_GROUP`."""
SPACES_OF_POOL: Final = 24

NOTICE: Final = timedelta(minutes=15)
"""How long before its first minute a layout is decided: for moving the plans."""

MARGIN: Final = 2
"""Minutes from an edit to the first that a new place on the wheel can have: the sweep of an older
minute may have read the old place. It allows for clocks that differ by a minute."""

POOL: Final = "p"
OWN: Final = "s"
BUSY: Final = "b"


class Form(NamedTuple):
    """What a layout has that follows from how many connections are monitored."""

    kind: str
    bands: int


@dataclass(frozen=True, slots=True)
class Layout:
    """`since` is a minute; before it, `before` counts."""

    number: int
    cell: str
    bands: int = 1
    since: int = 0
    before: "Layout | None" = None

    @property
    def form(self) -> Form:
        return Form(self.cell[:1], self.bands)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        before = stored.get("before")
        return cls(
            stored["number"],
            stored["cell"],
            stored["bands"],
            stored["since"],
            cls.read(before) if before else None,
        )

    def encode(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "cell": self.cell,
            "bands": self.bands,
            "since": self.since,
            **({"before": self.before.encode()} if self.before else {}),
        }

    def then(self, cell: str, bands: int, since: int) -> "Layout":
        """The layout that replaces this one from a minute on."""
        before = Layout(self.number, self.cell, self.bands, self.since)
        return Layout(self.number + 1, cell, bands, since, before)

    def group(self, interval: MonitorInterval, connection_id: str) -> Group:
        return Group(interval, self.cell, _band_of(connection_id, self.bands))

    def places(
        self, interval: MonitorInterval, connection_id: str, first: int
    ) -> tuple[PlanPlace, ...]:
        """The plans of a connection from a minute on, without gap or overlap."""
        after = self.group(interval, connection_id).plan_key(connection_id)
        if self.before is None or first >= self.since:
            return (PlanPlace(*after, first),)
        before = self.before.group(interval, connection_id).plan_key(connection_id)
        if before == after:
            return (PlanPlace(*after, first),)
        return PlanPlace(*before, first, self.since), PlanPlace(*after, self.since)


def decided(current: Form | None, monitored: Mapping[MonitorInterval, int], *, pools: bool) -> Form:
    """The form of a layout for so many monitored connections; None if there is no layout yet."""
    kind, bands = current or Form("", 1)
    total = sum(monitored.values())
    a_minute = sum(count / interval.minutes for interval, count in monitored.items())
    if a_minute >= (BUSY_BELOW if kind == BUSY else BUSY_FROM):
        kind = BUSY
    elif pools and (total < POOLED_BELOW or (kind == POOL and total <= OWN_ABOVE)):
        kind = POOL
    else:
        kind = OWN
    largest = max(monitored.values(), default=0)
    if largest > MAX_GROUP * bands or largest < _SPARSE * bands:
        bands = 1
        while largest > _FILLED * bands and largest > MAX_GROUP:
            bands *= 2
    return Form(kind, bands)


def may_change(group: Group, space_id: str, in_group: int, minute: int, *, pools: bool) -> bool:
    """Whether a space may need another layout, as far as a group with so many of its connections
    shows. Then all of them are counted.

    That a space grew shows in a group. That it shrank, or grew in other groups, does not: once a
    day, at a minute of its own, each is counted.
    """
    kind = group.cell[:1]
    if in_group > _CROWDED:
        return True
    if kind != BUSY and in_group / group.interval.minutes >= BUSY_FROM:
        return True
    if kind == POOL and (in_group > OWN_ABOVE or not pools):
        return True
    own = int.from_bytes(hashlib.blake2b(f"day {space_id}".encode(), digest_size=4).digest())
    return group.band == 0 and (minute + own) % MonitorInterval.DAY.minutes < group.interval.minutes


def _band_of(connection_id: str, bands: int) -> int:
    """Bands are powers of two, so twice as many divide each band into two."""
    digest = hashlib.blake2b(f"band {connection_id}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) % bands
