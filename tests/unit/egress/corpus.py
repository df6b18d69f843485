"""The rows of `egress.jsonl`: hostile targets and answers, each with the verdict it must get."""

import json
from pathlib import Path
from typing import Any

import pytest

# Not splitlines: rows hold characters that it takes for line ends.
_LINES = Path(__file__).with_name("egress.jsonl").read_text("utf-8").split("\n")
_ROWS: list[dict[str, Any]] = [json.loads(line) for line in _LINES if line]


def rows(kind: str) -> pytest.MarkDecorator:
    """A parametrisation over the rows of a kind, named by their ids."""
    chosen = [row for row in _ROWS if row["kind"] == kind]
    return pytest.mark.parametrize("row", chosen, ids=[row["id"] for row in chosen])


def row(row_id: str) -> dict[str, Any]:
    return next(row for row in _ROWS if row["id"] == row_id)


def kinds() -> set[str]:
    return {row["kind"] for row in _ROWS}


def count() -> int:
    return len(_ROWS)
