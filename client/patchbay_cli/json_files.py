"""JSON files that people write: what they say, and where in the text each part of it stands.

They are read as strictly as the deployment reads a body: no name twice in an object, and no `NaN`.
"""

from __future__ import annotations

import json
import re
import stat
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed does not know it
from math import isinf
from pathlib import Path
from typing import Any, Final, NamedTuple

MAX_FILE_BYTES: Final = 1 << 20
"""Four bodies of the API. What is larger is not a file of these."""
_MAX_DEPTH: Final = 40
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SCALAR: Final = re.compile(r"[^ \t\n\r,\]}]+")


class Place(NamedTuple):
    """In a text. Both count from 1, as editors do."""

    line: int
    column: int


class FileProblem(NamedTuple):
    """What is wrong with a file, and where: as a JSON Pointer, and as a place in its text."""

    file: str
    pointer: str
    message: str
    place: Place | None = None

    @classmethod
    def of_system(cls, path: Path, error: OSError) -> FileProblem:
        """Why a file could not be read."""
        return cls(str(error.filename or path), "", error.strerror or str(error))

    def __str__(self) -> str:
        at = "" if self.place is None else f":{self.place.line}:{self.place.column}"
        return f"{self.file}{at}: {f'{self.pointer} ' if self.pointer else ''}{self.message}"

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        line, column = self.place or (None, None)
        return {
            "file": self.file,
            "pointer": self.pointer,
            "line": line,
            "column": column,
            "message": self.message,
        }


class Unreadable(Exception):
    """The file is not what it should be."""

    def __init__(self, problems: Iterable[FileProblem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


class _Container(NamedTuple):
    """Where an object or a list begins, and what is in it."""

    offset: int
    members: dict[str, _Located] | list[_Located]


_Located = int | _Container
"""Where a value begins in a text; of a member, where its name does. A pointer for each of them
would be too much: a name can be as long as the file, and be around most of its values."""


@dataclass(frozen=True)
class JsonFile:
    """A JSON object, and the text that it was read from."""

    name: str
    value: dict[str, Any]
    _located: _Located = field(repr=False)
    _text: str = field(repr=False)

    def place(self, pointer: str) -> Place:
        """Where a value is, or the nearest one around it, if it is one that is missing."""
        at = self._located
        for name in pointer.split("/")[1:]:
            within = _member(at, name.replace("~1", "/").replace("~0", "~"))
            if within is None:
                break
            at = within
        return _place_of(self._lines, at if isinstance(at, int) else at.offset)

    def problem(self, pointer: str, message: str) -> FileProblem:
        return FileProblem(self.name, pointer, message, self.place(pointer))

    @cached_property
    def _lines(self) -> list[int]:
        return _lines_of(self._text)


def _member(at: _Located, name: str) -> _Located | None:
    if isinstance(at, int):
        return None
    if isinstance(at.members, dict):
        return at.members.get(name)
    is_position = name.isdecimal() and int(name) < len(at.members)
    return at.members[int(name)] if is_position else None


def json_files_in(folder: Path) -> list[Path]:
    """By name. What begins with a dot is of editors and systems: `.#crm.json`, `._crm.json`."""
    return sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))


def read_json_file(path: Path, *, or_pipe: bool = False) -> JsonFile:
    """The object that a file has. Raises `Unreadable`, and `OSError`.

    `or_pipe` is for what a shell makes of `<(…)`. To open another pipe may be to wait for ever.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not (or_pipe and stat.S_ISFIFO(mode)):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise Unreadable([FileProblem(str(path), "", f"is {what}, and not a file")])
    with path.open("rb") as file:
        raw = file.read(MAX_FILE_BYTES + 1)
    return read_json(str(path), raw)


def read_json(name: str, raw: bytes) -> JsonFile:
    """The object that the content of a file has. Raises `Unreadable`."""

    def refused(message: str, place: Place | None = None, pointer: str = "") -> Unreadable:
        return Unreadable([FileProblem(name, pointer, message, place)])

    if len(raw) > MAX_FILE_BYTES:
        raise refused("is larger than 1 MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused("is not UTF-8") from None
    if not text.strip():
        raise refused("is empty")
    try:
        value = json.loads(text)
        located = _located_in(text)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        raise refused(f"is not JSON: {_lowered(error.msg)}", place) from None
    except _Refused as error:
        place = _place_of(_lines_of(text), error.offset)
        raise refused(error.message, place, error.pointer) from None
    except RecursionError:
        raise refused(_TOO_DEEP) from None
    except ValueError:
        raise refused("has a number that is too large") from None
    if not isinstance(value, dict):
        raise refused("must be an object", _place_of(_lines_of(text), _after_space(text, 0)))
    return JsonFile(name, value, located, text)


def _lines_of(text: str) -> list[int]:
    """Where each line begins."""
    return [0, *(found.end() for found in re.finditer("\n", text))]


def _place_of(lines: Sequence[int], offset: int) -> Place:
    line = bisect_right(lines, offset)
    return Place(line, offset - lines[line - 1] + 1)


class _Refused(Exception):
    """JSON that means something else to other readers, or nothing."""

    def __init__(self, message: str, offset: int, path: Iterable[str | int]) -> None:
        super().__init__(message)
        self.message, self.offset = message, offset
        self.pointer = "".join(f"/{_escaped(str(name))}" for name in path)


_TOO_DEEP: Final = f"is nested deeper than {_MAX_DEPTH} levels"


def _located_in(text: str) -> _Located:
    """Where each value of a valid JSON text begins. Raises `_Refused`."""
    begins = _after_space(text, 0)
    return _walk(text, begins, begins, [])[0]


def _walk(text: str, at: int, begins: int, path: list[str | int]) -> tuple[_Located, int]:
    """A value at an offset with all in it, and the offset after it. `begins` is where its name does
    if it has one, and `path` the names around it, which is as it was if nothing is refused."""
    if text[at] not in '{["':
        return begins, _after_scalar(text, at, path)
    if text[at] == '"':
        return begins, _after_string(text, at, path)[1]
    if len(path) == _MAX_DEPTH:
        raise _Refused(_TOO_DEEP, at, path)
    by_name: dict[str, _Located] = {}
    by_position: list[_Located] = []
    is_object = text[at] == "{"
    at = _after_space(text, at + 1)
    while text[at] not in "}]":
        inner = at
        if is_object:
            name, at = _after_string(text, at, path)
            path.append(name)
            if name in by_name:
                raise _Refused("is there twice", inner, path)
            at = _after_space(text, _after_space(text, at) + 1)
            by_name[name], at = _walk(text, at, inner, path)
        else:
            path.append(len(by_position))
            found, at = _walk(text, at, inner, path)
            by_position.append(found)
        path.pop()
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
    return _Container(begins, by_name if is_object else by_position), at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _after_string(text: str, at: int, path: list[str | int]) -> tuple[str, int]:
    value, end = scanstring(text, at + 1)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _Refused("has an unpaired surrogate", at, path)
    return value, end


def _after_scalar(text: str, at: int, path: list[str | int]) -> int:
    found = _SCALAR.match(text, at)
    word = text[at:] if found is None else found[0]
    if word in ("NaN", "Infinity", "-Infinity"):
        raise _Refused(f"is {word}, which is not JSON", at, path)
    if word[0] not in "tfn" and isinf(float(word)):
        raise _Refused("is a number that is too large", at, path)
    return at + len(word)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
