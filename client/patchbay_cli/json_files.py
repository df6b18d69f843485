"""JSON files that people write: what they say, and where in the text each part of it stands.

They are read as strictly as the deployment reads a body: no name twice in an object, and no `NaN`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class JsonFile:
    """A JSON object, and the text that it was read from."""

    name: str
    value: dict[str, Any]
    _offsets: dict[str, int] = field(repr=False)
    _text: str = field(repr=False)

    def place(self, pointer: str) -> Place:
        """Where a value is, or the nearest one around it, if it is one that is missing."""
        while pointer and pointer not in self._offsets:
            pointer = pointer.rpartition("/")[0]
        return place_of(self._text, self._offsets[pointer])

    def problem(self, pointer: str, message: str) -> FileProblem:
        return FileProblem(self.name, pointer, message, self.place(pointer))


def read_json_file(path: Path) -> JsonFile:
    """The object that a file has. Raises `Unreadable`, and `OSError`."""
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
        offsets = _offsets_of(text)
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        raise refused(f"is not JSON: {_lowered(error.msg)}", place) from None
    except _Refused as error:
        raise refused(error.message, place_of(text, error.offset), error.pointer) from None
    except RecursionError:
        raise refused(_TOO_DEEP) from None
    except ValueError:
        raise refused("has a number that is too large") from None
    if not isinstance(value, dict):
        raise refused("must be an object", place_of(text, offsets[""]))
    return JsonFile(name, value, offsets, text)


def place_of(text: str, offset: int) -> Place:
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class _Refused(Exception):
    """JSON that means something else to other readers, or nothing."""

    def __init__(self, message: str, offset: int, pointer: str) -> None:
        super().__init__(message)
        self.message, self.offset, self.pointer = message, offset, pointer


_TOO_DEEP: Final = f"is nested deeper than {_MAX_DEPTH} levels"


def _offsets_of(text: str) -> dict[str, int]:
    """Where each value of a valid JSON text begins, by its pointer; of a member, where its name
    does. Raises `_Refused`."""
    offsets: dict[str, int] = {}
    _walk(text, _after_space(text, 0), "", 0, offsets)
    return offsets


def _walk(text: str, at: int, pointer: str, depth: int, offsets: dict[str, int]) -> int:
    """Notes the value at an offset and all in it, and returns the offset after it."""
    offsets.setdefault(pointer, at)
    if text[at] not in '{["':
        return _after_scalar(text, at, pointer)
    if text[at] == '"':
        return _after_string(text, at, pointer)[1]
    if depth == _MAX_DEPTH:
        raise _Refused(_TOO_DEEP, at, pointer)
    is_object, position = text[at] == "{", 0
    at = _after_space(text, at + 1)
    while text[at] not in "}]":
        name: str | int = position
        if is_object:
            begins = at
            name, at = _after_string(text, at, pointer)
            member = f"{pointer}/{_escaped(name)}"
            if member in offsets:
                raise _Refused("is there twice", begins, member)
            offsets[member] = begins
            at = _after_space(text, _after_space(text, at) + 1)
        at = _walk(text, at, f"{pointer}/{_escaped(str(name))}", depth + 1, offsets)
        at = _after_space(text, at)
        if text[at] == ",":
            at = _after_space(text, at + 1)
        position += 1
    return at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _after_string(text: str, at: int, pointer: str) -> tuple[str, int]:
    value, end = scanstring(text, at + 1)
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _Refused("has an unpaired surrogate", at, pointer)
    return value, end


def _after_scalar(text: str, at: int, pointer: str) -> int:
    found = _SCALAR.match(text, at)
    word = text[at:] if found is None else found[0]
    if word in ("NaN", "Infinity", "-Infinity"):
        raise _Refused(f"is {word}, which is not JSON", at, pointer)
    if word[0] not in "tfn" and isinf(float(word)):
        raise _Refused("is a number that is too large", at, pointer)
    return at + len(word)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
