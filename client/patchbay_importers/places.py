"""A value of an input together with its place in it, so that every refusal names the place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from patchbay_importers.refusals import ImportRefused


def pointer(*names: object) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


@dataclass(frozen=True)
class Place:
    """`value` is what stands at `at`."""

    value: Any
    at: str = ""

    def __truediv__(self, name: str) -> Place:
        """The member of this name; of an object without it, None."""
        members = self.value if isinstance(self.value, dict) else {}
        return Place(members.get(name), self.at + pointer(name))

    def __bool__(self) -> bool:
        return bool(self.value)

    def members(self) -> Iterator[tuple[str, Place]]:
        """Of an object, or of nothing. Raises ImportRefused for anything else."""
        if self.value is None:
            return
        if not isinstance(self.value, dict):
            raise ImportRefused(self.at, "must be an object")
        for name, value in self.value.items():
            yield name, Place(value, self.at + pointer(name))

    def items(self) -> Iterator[Place]:
        """Of a list, or of nothing. Raises ImportRefused for anything else."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise ImportRefused(self.at, "must be a list")
        for position, value in enumerate(self.value):
            yield Place(value, self.at + pointer(position))

    def text(self) -> str:
        """Raises ImportRefused if it is not a string."""
        if not isinstance(self.value, str):
            raise ImportRefused(self.at, "must be a string")
        return self.value

    def text_or_none(self) -> str | None:
        """Raises ImportRefused if it is there and not a string."""
        return None if self.value is None else self.text()

    def scalar(self) -> str:
        """A string, number, or boolean as text. Raises ImportRefused."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, (str, int, float)):
            return str(self.value)
        raise ImportRefused(self.at, "must be a string, a number, or a boolean")

    def texts(self) -> list[str]:
        """Of a list of strings, or of nothing."""
        return [item.text() for item in self.items()]
