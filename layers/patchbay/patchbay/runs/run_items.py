"""Runs as items of the events table: how one is written, and reading those of a cell."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

from patchbay.connections.wheel import moment_of
from patchbay.platform.clock import epoch_seconds
from patchbay.platform.dynamodb import ABSENT, Item, Put, Table
from patchbay.runs.codec import PackedGroup, decode_group, decode_run, encode_run, groups_in
from patchbay.runs.day import SpaceRun
from patchbay.runs.keys import read_run_key, run_key, runs_between, runs_pk
from patchbay.runs.model import Cell, Run, RunKey

RUNS_KEPT: Final = timedelta(days=4)
"""How long a run is stored: its day is closed long before."""


@dataclass(frozen=True)
class RunItem:
    """A run as it is stored. Entries are decoded when they are needed."""

    key: RunKey
    packed: bytes

    @classmethod
    def of(cls, run: Run) -> "RunItem":
        return cls(run.key, encode_run(run))

    @classmethod
    def read(cls, cell: Cell, item: Item) -> "RunItem":
        return cls(read_run_key(cell, item["sk"]), item["b"])

    @property
    def run(self) -> Run:
        return decode_run(self.key, self.packed)

    @property
    def spaces(self) -> list[str]:
        """The spaces that have entries in it."""
        return list(self._groups)

    def of_space(self, space_id: str) -> SpaceRun | None:
        """What the run has of a space; None if that is nothing."""
        group = self._groups.get(space_id)
        return SpaceRun(self.key, decode_group(self.packed, group)) if group else None

    @cached_property
    def _groups(self) -> Mapping[str, PackedGroup]:
        """Read once: a closing asks a run of a pool for each of its spaces."""
        return groups_in(self.key, self.packed)

    @property
    def put(self) -> Put:
        """Refused if the run is there: what stands is the truth."""
        return Put(
            {
                **run_key(self.key)._asdict(),
                "b": self.packed,
                "expires_at": epoch_seconds(moment_of(self.key.minute), RUNS_KEPT),
            },
            ABSENT,
        )


def runs_at(table: Table, keys: Iterable[RunKey]) -> dict[RunKey, Run]:
    """The runs that stand under these keys, read together."""
    asked = {run_key(key): key for key in keys}
    found = table.get_all(asked)
    return {asked[at]: RunItem.read(asked[at].cell, item).run for at, item in found.items()}


def runs_of_cell(
    table: Table, cell: Cell, first: int, last: int, *, newest_first: bool = False
) -> Iterator[RunItem]:
    """The runs of a cell from one minute to another, ends included, singles too, in their order."""
    between = runs_between(first, last)
    for item in table.query_all(runs_pk(cell), between=between, newest_first=newest_first):
        yield RunItem.read(cell, item)
