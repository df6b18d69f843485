"""Reads a JSON or YAML file that somebody else wrote. What can go wrong is an `ImportRefused`.

Bounds hold before anything is built: bytes, levels, and how many values a file has once its YAML
aliases are followed, so that neither a bomb of aliases nor a circle of them costs anything.
"""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final

from patchbay_importers.refusals import ImportRefused

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_LEVELS: Final = 100
MAX_VALUES: Final = 5_000_000
"""Values of a document, each counted as often as an alias repeats it."""
MAX_NUMBER: Final = 1000
"""Characters of a number."""

_MERGE: Final = "tag:yaml.org,2002:merge"
_NUMBERS: Final = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_OF_NUMBERS: Final = "0123456789abcdefABCDEFx_:.+-"
_SCALARS: Final = (str, int, float, bytes, date, type(None))


def read_document(path: Path) -> Any:
    """The content of a file, with names that are all strings. Raises ImportRefused."""
    try:
        with path.open("rb") as stream:
            return read_stream(stream)
    except OSError as error:
        reason = error.strerror or "an error of the file system"
        raise ImportRefused(str(path), f"can't be read: {reason}") from error


def read_stream(stream: BinaryIO) -> Any:
    """The same of a stream, of which no more is read than a file may have."""
    return parse_document(stream.read(MAX_FILE_BYTES + 1))


def parse_document(content: bytes) -> Any:
    """The same of bytes: JSON if they begin with a bracket or a brace, or else YAML."""
    if len(content) > MAX_FILE_BYTES:
        raise ImportRefused("", f"has more than {MAX_FILE_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefused(f"byte {error.start}", "is not UTF-8") from error
    is_json = text.lstrip()[:1] in ("{", "[")
    document = _json(text) if is_json else _yaml(text)
    _require_bounds(document)
    return _plain(document, {})


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ImportRefused(f"line {error.lineno}", "is not valid JSON") from error
    except RecursionError as error:
        raise ImportRefused("", f"is nested deeper than {MAX_LEVELS} levels") from error
    except ValueError as error:
        raise ImportRefused("", "has a number that is too long") from error


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ImportRefused(
            "", "is not JSON, and YAML needs: pip install 'patchbay-sdk[importers]'"
        ) from error

    # The parser in C is 8 times as fast, and not on all machines.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _require_flat(yaml.parse(text, Loader=loader))
        return yaml.load(text, Loader=_with_few_merges(loader))  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ImportRefused(f"line {line}", "is not valid YAML") from error
    except yaml.YAMLError as error:
        raise ImportRefused("", "is not valid YAML") from error
    except (ValueError, OverflowError, TypeError) as error:
        raise ImportRefused("", "has a number or a date that can't be read") from error
    except RecursionError as error:
        raise ImportRefused("", "has an alias that leads back to itself") from error


def _with_few_merges(loader: Any) -> Any:
    """The loader copies what a merge (`<<`) repeats, so it is counted before: an alias that
    merges others is as good a bomb as one that lists them."""

    class Loader(loader):  # type: ignore[misc]  # it is one of two
        merged = 0

        def flatten_mapping(self, node: Any) -> None:
            for name, value in node.value:
                if name.tag != _MERGE:
                    continue
                sources = value.value if type(value).__name__ == "SequenceNode" else [value]
                for source in sources:
                    if type(source).__name__ == "MappingNode":
                        self.flatten_mapping(source)
                        self.merged += len(source.value)
                    if self.merged > MAX_VALUES:
                        line = node.start_mark.line + 1
                        raise ImportRefused(f"line {line}", f"merges more than {MAX_VALUES} values")
            super().flatten_mapping(node)

    return Loader


def _require_flat(events: Any) -> None:
    """The loader calls itself for each level, so levels are counted before it runs."""
    levels = 0
    for event in events:
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            levels += 1
            if levels > MAX_LEVELS:
                line = event.start_mark.line + 1
                raise ImportRefused(f"line {line}", f"is nested deeper than {MAX_LEVELS} levels")
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            levels -= 1
        elif kind == "ScalarEvent" and _is_long_number(event):
            line = event.start_mark.line + 1
            raise ImportRefused(f"line {line}", "has a number that is too long")


def _is_long_number(event: Any) -> bool:
    """YAML reads `1:30` as a number of base 60, whose time is a power of its length."""
    is_read = event.implicit[0] or event.tag in _NUMBERS
    return is_read and len(event.value) > MAX_NUMBER and not event.value.strip(_OF_NUMBERS)


def _require_bounds(document: Any) -> None:
    """Counts the values below each object once, by its identity."""
    sizes: dict[int, int] = {}
    open_now: set[int] = set()
    waiting: list[tuple[Any, bool, int]] = [(document, False, 1)]
    while waiting:
        value, is_done, level = waiting.pop()
        if not isinstance(value, (dict, list)):
            if not isinstance(value, _SCALARS):
                raise ImportRefused("", "has a set, or pairs, which JSON does not have")
            continue
        members = list(value.values()) if isinstance(value, dict) else value
        if is_done:
            open_now.discard(id(value))
            sizes[id(value)] = 1 + sum(sizes.get(id(member), 1) for member in members)
            if sizes[id(value)] > MAX_VALUES:
                raise ImportRefused("", f"has more than {MAX_VALUES} values")
            continue
        if id(value) in sizes:
            continue
        if id(value) in open_now:
            raise ImportRefused("", "has an alias that leads back to itself")
        if level > MAX_LEVELS:
            raise ImportRefused("", f"is nested deeper than {MAX_LEVELS} levels")
        open_now.add(id(value))
        waiting.append((value, True, level))
        waiting += [(member, False, level + 1) for member in members if id(member) not in sizes]


def _plain(value: Any, seen: dict[int, Any]) -> Any:
    """As JSON has it: YAML has names that are numbers, dates, and numbers that are none."""
    if id(value) in seen:
        return seen[id(value)]
    plain = value
    if isinstance(value, dict):
        plain = {_name(name): _plain(member, seen) for name, member in value.items()}
    elif isinstance(value, list):
        plain = [_plain(member, seen) for member in value]
    elif isinstance(value, date):
        return value.isoformat()
    elif not _is_of_json(value):
        return str(value)
    if isinstance(value, (dict, list)):
        seen[id(value)] = plain
    return plain


def _is_of_json(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def _name(name: object) -> str:
    if isinstance(name, bool):
        return "true" if name else "false"
    return name if isinstance(name, str) else str(name)
