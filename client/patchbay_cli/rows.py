"""Files with one thing a line: NDJSON, or CSV with a header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import click

from patchbay_sdk.messages import json_of

_SUFFIXES: Final = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson"}
FORMATS: Final = ("ndjson", "csv")
format_option = click.option(
    "--format",
    "format_name",
    type=click.Choice(FORMATS),
    help="What the file is. By default its name says it.",
)


class Row(NamedTuple):
    """One line. With a problem it could not be read, and its text is kept."""

    line: int
    values: dict[str, Any]
    problem: str | None = None
    text: str = ""


def format_of(name: str, chosen: str | None) -> str:
    found = chosen or _SUFFIXES.get(Path(name).suffix.lower())
    if found is None:
        raise click.UsageError(f"The name of {name} does not say what it is: use --format.")
    return found


def read_rows(file: TextIO, format_name: str) -> Iterator[Row]:
    """The rows of a file, one by one. Empty lines, and empty cells, are left out."""
    return _csv(file) if format_name == "csv" else _ndjson(file)


def _ndjson(file: TextIO) -> Iterator[Row]:
    for number, line in enumerate(_without_mark(file), 1):
        if not line.strip():
            continue
        try:
            values = json_of(line)
        except ValueError:
            yield Row(number, {}, "is not JSON", line)
            continue
        if isinstance(values, dict):
            yield Row(number, values)
        else:
            yield Row(number, {}, "is not a JSON object", line)


def _csv(file: TextIO) -> Iterator[Row]:
    import csv

    reader = csv.DictReader(_without_mark(file), strict=True)
    try:
        _check_header([name.strip() for name in reader.fieldnames or ()])
        for found in reader:
            yield _row_of_csv(reader.line_num, found)
    except csv.Error as error:
        # Where a quote is open, nothing that follows can be trusted.
        raise click.UsageError(f"Line {reader.line_num} is not CSV: {error}.") from None


def _check_header(names: Sequence[str]) -> None:
    if len(set(names)) < len(names) or "" in names:
        raise click.UsageError("The header of the CSV has a name twice, or one that is empty.")


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """Without the mark that spreadsheets write at the beginning: standard input has it still."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")


def _row_of_csv(line: int, found: Mapping[Any, Any]) -> Row:
    if None in found or None in found.values():
        return Row(
            line, {}, "does not have as many cells as the header", repr(list(found.values()))
        )
    return Row(line, {name.strip(): cell for name, cell in found.items() if cell != ""})
