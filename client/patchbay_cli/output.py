"""What is printed: for people, or as JSON, one document a line.

Results go to standard output. Notes, progress, and errors go to standard error, so that a result
can be piped. Colors and progress are for terminals only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Final, TextIO

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_ERASE_LINE: Final = "\r\033[2K"


class Output:
    """Where a command prints to."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._in_progress = False

    def result(self, value: Mapping[str, Any], *lines: str) -> None:
        """One result: the document with `--json`, the lines without."""
        if self.as_json:
            self.record(value)
        else:
            for line in lines:
                self.line(line)

    def record(self, value: Mapping[str, Any]) -> None:
        """A line of JSON."""
        self.line(json_line(value, sys.stdout))

    def line(self, text: str) -> None:
        """A line on standard output, at once, so that a pipe sees it."""
        self.end_progress()
        print(text, flush=True)

    def note(self, text: str) -> None:
        """A line for people, beside the result."""
        self.end_progress()
        said = json.dumps({"note": text}) if self.as_json else text
        print(said, file=sys.stderr, flush=True)

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns for people. A number is aligned at its right."""
        texts = [[shown(cell) for cell in row] for row in rows]
        numeric = [
            bool(texts) and all(_is_number(row[column]) for row in texts)
            for column in range(len(headers))
        ]
        widths = [max(len(row[i]) for row in [list(headers), *texts]) for i in range(len(headers))]

        def joined(cells: Sequence[str]) -> str:
            padded = [
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(cells, widths, numeric, strict=True)
            ]
            return "  ".join(padded).rstrip()

        self.line(self.styled(joined(headers), "bold"))
        for row in texts:
            self.line(joined(row))

    def progress(self, text: str) -> None:
        """How far it is, in one line that is drawn again; nothing without a terminal."""
        if is_drawn_on(sys.stderr):
            print(f"{_ERASE_LINE}{text}", end="", file=sys.stderr, flush=True)
            self._in_progress = True

    def end_progress(self) -> None:
        if self._in_progress:
            print(_ERASE_LINE, end="", file=sys.stderr, flush=True)
            self._in_progress = False

    def styled(self, text: str, *styles: str, stream: TextIO | None = None) -> str:
        """The text in a color, if it goes to a terminal that wants colors."""
        if not has_colors(stream or sys.stdout):
            return text
        return f"\033[{';'.join(_CODES[style] for style in styles)}m{text}\033[0m"


def has_colors(stream: TextIO) -> bool:
    """NO_COLOR and FORCE_COLOR are what other programs heed, too."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_drawn_on(stream)


def is_drawn_on(stream: TextIO) -> bool:
    """Whether it is a terminal that knows how to move its cursor."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def json_line(value: Mapping[str, Any], stream: TextIO | None = None) -> str:
    """JSON as people read it, unless it has what would move a cursor, or what the stream can't
    have: then it is all ASCII."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text if text.isprintable() else json.dumps(value, separators=(",", ":"))


def shown(value: object) -> str:
    """A value in a cell or a sentence. What would move the cursor or change a color is escaped: a
    name or a message may be written by anybody."""
    if value is None:
        return "-"
    text = _utc(value) if isinstance(value, datetime) else str(value)
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def counted(count: int, thing: str) -> str:
    """A number of things, such as `1 file` or `2 files`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _utc(value: datetime) -> str:
    return f"{value.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("%", "", 1).isdigit()
