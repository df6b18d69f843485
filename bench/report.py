"""A measured row: what was promised, what it came to."""

import importlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is figure ÷ budget; at most 1 is met, unless more is better."""

    what: str
    figure: float
    unit: str
    budget: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        return self.figure / self.budget if self.budget else None

    @property
    def met(self) -> bool | None:
        if self.budget is None:
            return None
        return self.figure >= self.budget if self.more_is_better else self.figure <= self.budget


def table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | figure | budget | ratio | met |", "|---|---|---|---|---|"]
    for row in rows:
        budget = f"{'≥' if row.more_is_better else '≤'} {row.budget:g}" if row.budget else ""
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        met = {None: "", True: "yes", False: "no"}[row.met]
        lines.append(f"| {row.what} | {row.figure:.4g} {row.unit} | {budget} | {ratio} | {met} |")
    return "\n".join(lines)


class Skipped(Exception):
    """A bench can't run on this machine; the text says what is missing."""


def rows_of(name: str) -> list[Row]:
    """What a bench measures, by the name of its module. Raises `Skipped`."""
    rows: list[Row] = importlib.import_module(f"bench.{name}").rows()
    return rows
