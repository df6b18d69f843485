"""The table of bounds in docs/security.md lists every bound of the code, with its value.

The column "where" names the constants of a row, as `module.CONSTANT` below the package, or
parameters of template.yaml, as `template.Parameter`. Each value stands in the row, as people write
it: 65536 as `64 KiB` or `65,536`, ten seconds as `10 s`.
"""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cloudformation import read_template

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "layers/patchbay/patchbay"
DOCUMENT = ROOT / "docs/security.md"

IS_BOUND = re.compile(r"^(_?MAX_[A-Z_]+|MOST_[A-Z_]+_BYTES|FILTERED_READ|BLOCK)\b.*=", re.MULTILINE)
"""Constants with these names are bounds."""

NOT_OF_CALLERS = {
    "platform.dynamodb": "limits of DynamoDB itself",
    "connections.endpoint_store": "how many users a message names",
    "connections.vault._MAX_NAMED_USERS": "how many users a message names",
    "monitors.announcer": "sizes of our own calls",
    "monitors.sweep_queue": "a limit of SQS itself",
    "platform.problem_messages": "how many values a message lists",
    "health.bus_intake": "how many problems a log line has",
    "connections.record_store._MAX_READS": "how many queries a page makes",
}
"""Modules or constants that no caller's input meets, with the reason."""


@dataclass(frozen=True)
class Bound:
    """A row of the table."""

    what: str
    bound: str
    where: list[str]


def rows() -> list[Bound]:
    section = DOCUMENT.read_text().partition("\n## Bounds\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    found = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 4, f"what, bound, above it, where: {line}"
        found.append(Bound(cells[0], cells[1], re.findall(r"`([\w.]+)`", cells[3])))
    return found


ROWS = rows()


def constants() -> Iterator[str]:
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for name in IS_BOUND.findall(path.read_text()):
            yield f"{module}.{name}"


def value_of(where: str) -> Any:
    module, _, name = where.rpartition(".")
    if module == "template":
        return read_template()["Parameters"][name]["Default"]
    parts = where.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(f"patchbay.{'.'.join(parts[:length])}")
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("patchbay"):
                raise
            continue
        for name in parts[length:]:
            # The default of a class with slots is that of an instance.
            value = getattr(value() if isinstance(value, type) else value, name)
        return value
    raise LookupError(where)


def spellings(value: Any) -> set[str]:
    """How people write a value."""
    if isinstance(value, timedelta):
        return spellings(value.total_seconds())
    if isinstance(value, float) and not value.is_integer():
        return {f"{value:g}"}
    number = int(value)
    found = {f"{number:,}", str(number)}
    for unit, size in (("KiB", 1 << 10), ("KB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)):
        if number % size == 0:
            found.add(f"{number // size} {unit}")
    for unit, size in (("MB", 10**6), ("million", 10**6), ("s", 1000)):
        if number % size == 0:
            found.add(f"{number // size} {unit}")
    for unit, size in (("minute", 60), ("hour", 3600), ("day", 86_400)):
        if number % size == 0:
            found.add(f"{number // size} {unit}")
    return found


def is_in(spelling: str, text: str) -> bool:
    return re.search(rf"(?<![\w,.]){re.escape(spelling)}(?![\d]|,\d)", text) is not None


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_a_row_says_the_values_of_the_code(row: Bound) -> None:
    assert row.where
    for where in row.where:
        wanted = spellings(value_of(where))
        assert any(is_in(one, row.bound) for one in wanted), f"{where} is {sorted(wanted)}"


def test_every_bound_of_the_code_is_in_the_table() -> None:
    listed = {where for row in ROWS for where in row.where}
    missing = [
        one
        for one in constants()
        if one not in listed
        and one not in NOT_OF_CALLERS
        and one.rpartition(".")[0] not in NOT_OF_CALLERS
    ]
    assert missing == [], "add a row to the table in docs/security.md"


def test_what_is_left_out_exists() -> None:
    found = {*constants(), *(one.rpartition(".")[0] for one in constants())}
    assert set(NOT_OF_CALLERS) <= found
