"""Runs: the tests of one cell in one slot at one scheduled minute, recorded together. Pure.

A **cell** is what shares runs: a space, or a pool of small spaces. A **slot** is
`<interval>#<band>` (`5m#0`). Minutes are whole minutes since 1970 (`connections/wheel.py`), days
are whole days.

A test of a connection at a scheduled minute belongs to exactly one run, which its cell, its slot,
and its minute name. A test that could not run with the others has a run of its own, a **single**.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple, Self

from patchbay.connections.wheel import MonitorInterval, moment_of

MINUTES_OF_DAY: Final = 1440
SHAPE_BYTES: Final = 6


class CellKind(StrEnum):
    """Which spaces share the runs of a cell, and when these are counted."""

    SPACE = "s"
    """One space; its runs are folded into the day some minutes later."""
    BUSY = "b"
    """One space whose runs are large; each is counted as soon as it is recorded."""
    POOL = "p"
    """Several small spaces; folded as those of a space."""


class Cell(NamedTuple):
    """What shares runs. In text, `s<space id>`, `b<space id>`, or `p<number>`."""

    kind: CellKind
    name: str

    @classmethod
    def of_space(cls, space_id: str, *, at_once: bool = False) -> Self:
        return cls(CellKind.BUSY if at_once else CellKind.SPACE, space_id)

    @classmethod
    def of_pool(cls, number: int) -> Self:
        return cls(CellKind.POOL, str(number))

    @classmethod
    def read(cls, text: str) -> Self:
        """Parses `str(cell)`. Raises `ValueError`."""
        return cls(CellKind(text[:1]), text[1:])

    def __str__(self) -> str:
        return f"{self.kind}{self.name}"

    @property
    def at_once(self) -> bool:
        """Whether a run is counted as soon as it is recorded."""
        return self.kind is CellKind.BUSY

    @property
    def space_id(self) -> str | None:
        """The one space of the cell; None for a pool."""
        return None if self.kind is CellKind.POOL else self.name

    @property
    def within_space(self) -> str:
        """The cell's name among those of one space: `s`, `b`, or `p<number>`."""
        return str(self) if self.kind is CellKind.POOL else self.kind.value

    @classmethod
    def of_name_within(cls, space_id: str, name: str) -> Self:
        """Parses `within_space`. Raises `ValueError`."""
        kind = CellKind(name[:1])
        return cls(kind, name[1:] if kind is CellKind.POOL else space_id)


class RunKey(NamedTuple):
    """Which run. `single` is the id of the one connection of a single's run."""

    cell: Cell
    minute: int
    slot: str
    single: str | None = None

    @property
    def day(self) -> int:
        return self.minute // MINUTES_OF_DAY

    @property
    def series(self) -> "Series":
        return Series(self.cell.within_space, self.slot, self.single)

    def of_connection(self, connection_id: str) -> "RunKey":
        """The run of one connection of this run that was tested by itself."""
        return self._replace(single=connection_id)


class Series(NamedTuple):
    """The runs of a space that differ only in their minutes. `cell` is `Cell.within_space`."""

    cell: str
    slot: str
    single: str | None = None


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One test. Times are milliseconds, `start_ms` since the scheduled minute.

    `code` is a stored number, 0 for none. `times` are those of the steps, in the order of the
    shape. `streak` is how many tests in a row had this outcome, this one included; a platform fault
    carries the one before. `extra` is what this test has beyond its shape, usually nothing.
    """

    connection_id: str
    passed: bool
    fault: bool
    """A platform fault, which no tally counts."""
    code: int
    shape: bytes
    start_ms: int
    took_ms: int
    latency_ms: int
    times: tuple[int, ...]
    streak: int
    extra: bytes = b""


class TimedEntry(NamedTuple):
    """A test and its scheduled minute."""

    minute: int
    entry: RunEntry


@dataclass(frozen=True)
class Run:
    """What was recorded together. Entries are grouped by the id of their space."""

    key: RunKey
    entries: Mapping[str, tuple[RunEntry, ...]]

    @cached_property
    def by_connection(self) -> Mapping[str, RunEntry]:
        return {entry.connection_id: entry for _, entry in self.all_entries()}

    def all_entries(self) -> Iterator[tuple[str, RunEntry]]:
        """Each entry with the id of its space."""
        for space_id, entries in self.entries.items():
            for entry in entries:
                yield space_id, entry

    def without(self, connection_ids: Iterable[str]) -> "Run":
        """The run without some connections, and without spaces that have no others."""
        left_out = set(connection_ids)
        kept = {
            space_id: tuple(e for e in entries if e.connection_id not in left_out)
            for space_id, entries in self.entries.items()
        }
        return Run(self.key, {space_id: entries for space_id, entries in kept.items() if entries})


def shape_id(content: bytes) -> bytes:
    """What an entry has of its shape: enough to tell apart the shapes of one connection."""
    return blake2b(content, digest_size=SHAPE_BYTES).digest()


@lru_cache(maxsize=256)
def interval_of(slot: str) -> MonitorInterval:
    """Raises `ValueError` for a slot without an interval."""
    return MonitorInterval(slot.partition("#")[0])


def start_of_day(day: int) -> datetime:
    return moment_of(day * MINUTES_OF_DAY)
