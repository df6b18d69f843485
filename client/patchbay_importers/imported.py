"""What became of one definition of an input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Imported:
    """`definition` has the form of a file of `catalog/`; None if none could be made, and then
    `refused` says why."""

    name: str
    definition: Mapping[str, Any] | None
    refused: str | None = None
    notes: tuple[str, ...] = ()
    """What was cut, chosen, or left to the reader."""
    needs_code: tuple[str, ...] = ()
    """What the source does by code, which no definition has."""

    @property
    def has_check(self) -> bool:
        """Whether a test of it does more than open a connection."""
        manifest = (self.definition or {}).get("manifest", {})
        return bool(manifest.get("checks", {}).get("steps"))

    def state(self, problems: Sequence[str] | None) -> str:
        """`published`, `draft`, or `not imported`. `problems` are those of publishing: None if
        nobody asked to publish."""
        if self.definition is None:
            return "not imported"
        return "published" if problems is not None and not problems else "draft"

    def line(self, problems: Sequence[str] | None) -> str:
        """One line of a report."""
        marks = [] if self.has_check or self.definition is None else ["no check"]
        marks += ["needs code"] if self.needs_code else []
        state = ", ".join([self.state(problems), *marks])
        details = [
            *([self.refused] if self.refused else []),
            *(problems or ()),
            *(f"needs code: {what}" for what in self.needs_code),
            *self.notes,
        ]
        return "\n".join([f"{self.name}: {state}", *(f"  {detail}" for detail in details)])


def totals(found: Iterable[tuple[Imported, Sequence[str] | None]]) -> dict[str, int]:
    """How many there are of each state, and how many have no check or need code."""
    counts = dict.fromkeys(["published", "draft", "not imported", "no check", "needs code"], 0)
    for imported, problems in found:
        counts[imported.state(problems)] += 1
        if imported.definition is not None:
            counts["no check"] += not imported.has_check
        counts["needs code"] += bool(imported.needs_code)
    return counts
