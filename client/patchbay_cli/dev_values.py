"""Where `patchbay dev` has variables and secrets from: a file, the environment, or a person.

What a person enters is kept in memory from one save to the next, and nowhere else.
"""

from __future__ import annotations

import copy
import json
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from patchbay_cli.json_files import FileProblem, JsonFile, Unreadable, read_json_file

if TYPE_CHECKING:
    from patchbay_cli.dev_form import FormField

VARIABLE_PREFIX: Final = "PATCHBAY_VARIABLE_"
SECRET_PREFIX: Final = "PATCHBAY_SECRET_"  # noqa: S105 - of names of variables
_MEMBERS: Final = ("variables", "secrets", "configurations")
_OF_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass
class Values:
    """What a test uses. The repr does not show secrets."""

    variables: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, Any] = field(default_factory=dict, repr=False)
    configurations: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Where each value is from, by its pointer."""

    def has(self, asked: FormField) -> bool:
        return asked.name in (self.secrets if asked.is_secret else self.variables)

    def take(self, asked: FormField, value: Any, origin: str) -> None:
        (self.secrets if asked.is_secret else self.variables)[asked.name] = value
        self.origins[asked.pointer] = origin

    def to_dict(self) -> dict[str, Any]:
        """As a body has them."""
        return {
            "variables": self.variables,
            "secrets": self.secrets,
            "configurations": self.configurations,
        }


class ValueSource:
    """Finds the values for a form, again at each save."""

    def __init__(
        self,
        file: Path | None,
        ask: Callable[[FormField], str] | None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """`ask` asks a person for the value of a field; None if nobody is there."""
        self._file = file
        self._ask = ask
        self._environment = environment
        self._entered: dict[str, str] = {}
        self._from_pipe: Values | None = None

    def __repr__(self) -> str:
        return f"ValueSource({self._file})"

    def values(self, fields: Iterable[FormField]) -> Values:
        """Of the file, then of the environment, then what a person enters for the rest that is
        required. Raises `Unreadable`, and `OSError`."""
        found = self._given()
        for asked in fields:
            if found.has(asked):
                continue
            text = self._environment.get(variable_of(asked))
            if text is not None:
                _require_unicode(text, variable_of(asked))
                found.take(asked, _typed(asked, text), "environment")
            elif asked.required and (text := self._answer(asked)) is not None:
                found.take(asked, _typed(asked, text), "entered")
        return found

    def _given(self) -> Values:
        """Those of the file. A pipe says what it has once, so that is kept from save to save."""
        if self._file is None:
            return Values()
        if self._from_pipe is None:
            found = _of_file(self._file)
            if not stat.S_ISFIFO(self._file.stat().st_mode):
                return found
            self._from_pipe = found
        return copy.deepcopy(self._from_pipe)

    @property
    def has_asked(self) -> bool:
        return bool(self._entered)

    def forget(self) -> None:
        """Ask again for what was entered."""
        self._entered.clear()

    def _answer(self, asked: FormField) -> str | None:
        if asked.pointer not in self._entered and self._ask is not None:
            answer = self._ask(asked)
            _require_unicode(answer, asked.pointer)
            self._entered[asked.pointer] = answer
        return self._entered.get(asked.pointer)


def variable_of(asked: FormField) -> str:
    """The environment variable of a field: `PATCHBAY_SECRET_API_KEY`."""
    prefix = SECRET_PREFIX if asked.is_secret else VARIABLE_PREFIX
    return prefix + asked.name.replace("-", "_").upper()


def _of_file(path: Path) -> Values:
    file = read_json_file(path, or_pipe=True)
    problems = [
        file.problem(f"/{name}", message)
        for name, value in file.value.items()
        if name != "$schema" and (message := _problem(name, value))
    ]
    if problems:
        raise Unreadable(problems)
    if file.value.get("secrets"):
        _require_private(path, file)
    found = Values(*(dict(file.value.get(name, {})) for name in _MEMBERS))
    for source in ("variables", "secrets"):
        for name in file.value.get(source, {}):
            found.origins[f"/{source}/{name.replace('~', '~0').replace('/', '~1')}"] = path.name
    return found


def _problem(name: str, value: Any) -> str | None:
    if name not in _MEMBERS:
        return f"is not one of {', '.join(_MEMBERS)}"
    return None if isinstance(value, dict) else "must be an object"


def _require_private(path: Path, file: JsonFile) -> None:
    if os.name == "posix" and path.stat().st_mode & _OF_OTHERS:
        message = f"others may read them: chmod 600 {path}"
        raise Unreadable([file.problem("/secrets", message)])


def _typed(asked: FormField, text: str) -> Any:
    """A text as what the schema asks for: `8080` as a number, where no string may be."""
    if asked.is_secret or not asked.types or "string" in asked.types:
        return text
    try:
        value = json.loads(text)
        # Python reads more than there is in JSON: NaN, 1e999, halves of characters.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        # Its schema refuses it, and says what it must be.
        return text
    return value


def _require_unicode(text: str, place: str) -> None:
    """Raises `Unreadable` for bytes that are no text, which Python has as surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable([FileProblem(place, "", "is not UTF-8")]) from None
