"""The exception tree: its docstring draws it as it is."""

import re
from collections.abc import Iterator

from patchbay.platform import errors
from patchbay.platform.errors import PatchbayError

LINE = re.compile(r"    (?P<bars>[│ ├└─]*)(?P<name>\w+) +(?P<status>\d{3})  (?P<codes>.+)")


def drawn() -> list[tuple[int, str, int]]:
    """Depth, name and status of each class, as the docstring has them."""
    lines = [LINE.fullmatch(line) for line in (errors.__doc__ or "").splitlines()]
    return [(len(m["bars"]) // 4, m["name"], int(m["status"])) for m in lines if m]


def defined(
    parent: type[PatchbayError] = PatchbayError, depth: int = 1
) -> Iterator[tuple[int, str, int]]:
    for error in parent.__subclasses__():
        if error.__module__ != errors.__name__:
            continue  # a special case of another module, which callers see as its parent
        yield depth, error.__name__, error.status
        yield from defined(error, depth + 1)


def test_the_docstring_draws_every_error() -> None:
    assert sorted(drawn()) == sorted(defined())
    assert drawn() == list(defined()), "in the order of the module"
