"""Airbyte's `connectionSpecification` (JSON Schema draft-07 with marks of its own) as the variables
and secrets of a draft."""

from __future__ import annotations

import json
from typing import Any, Final

from patchbay_importers.drafts import Draft, usable_pattern
from patchbay_importers.places import Place
from patchbay_importers.refusals import ImportRefused

MAX_FORM_LEVELS: Final = 12
_TYPES: Final = frozenset(
    {"string", "number", "integer", "boolean", "object", "array", "null"},
)
_MARKS: Final = {"order": "x-order", "pattern_descriptor": "x-pattern-words", "group": "x-group"}
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems")
_PYTHON_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


class AirbyteForm:
    """`names` are the names in the draft of what stands at a path of the configuration."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.names: dict[tuple[str, ...], str] = {}

    def declare(self, specification: Place) -> None:
        """Declares all of it. Raises ImportRefused."""
        if not isinstance(specification.value, dict):
            raise ImportRefused(specification.at, "must be an object")
        if not specification / "properties" and (specification / "oneOf"):
            self._branches(specification, ())
            return
        self._members(specification, (), are_required=True)

    def _members(self, schema: Place, path: tuple[str, ...], *, are_required: bool) -> None:
        if len(path) > MAX_FORM_LEVELS:
            raise ImportRefused(schema.at, f"is nested deeper than {MAX_FORM_LEVELS} levels")
        required = (schema / "required").value
        needed = set(required) if _is_texts(required) else set()
        for name, rule in (schema / "properties").members():
            if not isinstance(rule.value, dict):
                raise ImportRefused(rule.at, "must be an object")
            here = (*path, name)
            self._member(rule, here, is_required=are_required and name in needed)

    def _member(self, rule: Place, path: tuple[str, ...], *, is_required: bool) -> None:
        if (rule / "airbyte_hidden").value is True and not is_required:
            return
        own = self._draft.own_name("_".join(path))
        if _is_secret(rule):
            self.names[path] = own
            self._draft.declare_secret(own, _cleaned(rule), is_required=is_required)
        elif not _has_secret(rule):
            self.names.setdefault(path, own)
            if own not in self._draft.variables:
                self._draft.declare("_".join(path), _cleaned(rule), is_required=is_required)
        elif (rule / "oneOf").value or (rule / "anyOf").value:
            self._branches(rule, path)
        elif (rule / "type").value == "array":
            raise ImportRefused(rule.at, "is a list with secrets in it")
        else:
            self._members(rule, path, are_required=is_required)

    def _branches(self, rule: Place, path: tuple[str, ...]) -> None:
        """One choice of several: a variable says which, and what the choices need is optional."""
        choices = [*(rule / "oneOf").items(), *(rule / "anyOf").items()]
        constants: dict[str, list[str]] = {}
        for choice in choices:
            for name, member in (choice / "properties").members():
                constant = (member / "const").value
                if isinstance(constant, str):
                    constants.setdefault(name, []).append(constant)
        self._members(rule, path, are_required=False)
        for name, values in constants.items():
            here = (*path, name)
            unique = list(dict.fromkeys(values))
            title = (rule / "title").value
            schema: dict[str, Any] = {"type": "string", "enum": unique}
            if isinstance(title, str):
                schema["title"] = title
            self.names[here] = self._draft.own_name("_".join(here))
            self._draft.declare("_".join(here), schema, is_required=False)
        for choice in choices:
            self._members(choice, path, are_required=False)
        self._draft.notes.append(
            f"{'.'.join(path) or 'its form'} is one choice of {len(choices)}: what they need is "
            "optional"
        )


def _is_secret(rule: Place) -> bool:
    return (
        (rule / "airbyte_secret").value is True
        or (rule / "writeOnly").value is True
        or (rule / "format").value == "password"
    )


def _has_secret(rule: Place, level: int = 0) -> bool:
    if level > 2 * MAX_FORM_LEVELS:
        raise ImportRefused(rule.at, "is nested too deep")
    if not isinstance(rule.value, (dict, list)):
        return False
    if isinstance(rule.value, list):
        return any(_has_secret(Place(one, rule.at), level + 1) for one in rule.value)
    return _is_secret(rule) or any(
        _has_secret(Place(one, rule.at), level + 1) for one in rule.value.values()
    )


def _cleaned(rule: Place, level: int = 0) -> dict[str, Any]:
    """The part of a schema that JSON Schema 2020-12 and our forms know."""
    if level > MAX_FORM_LEVELS:
        raise ImportRefused(rule.at, f"is nested deeper than {MAX_FORM_LEVELS} levels")
    clean: dict[str, Any] = {}
    kinds = (rule / "type").value
    named = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    known = [kind for kind in dict.fromkeys(map(str, named)) if kind in _TYPES]
    if known:
        clean["type"] = known[0] if len(known) == 1 else known
    for key in ("title", "description", "format"):
        if isinstance((rule / key).value, str):
            clean[key] = (rule / key).value
    pattern = (rule / "pattern").value
    if isinstance(pattern, str) and usable_pattern(pattern):
        clean["pattern"] = pattern
    enum = (rule / "enum").value
    if isinstance(enum, list) and enum:
        clean["enum"] = list({json.dumps(value, sort_keys=True): value for value in enum}.values())
    if "const" in rule.value:
        clean["const"] = (rule / "const").value
    for key in _NUMBERS:
        if _is_number((rule / key).value):
            clean[key] = (rule / key).value
    for key in _COUNTS:
        count = (rule / key).value
        if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
            clean[key] = count
    examples = (rule / "examples").value
    if isinstance(examples, list) and examples:
        clean["examples"] = examples
    for key, mark in _MARKS.items():
        value = (rule / key).value
        if isinstance(value, (str, int)):
            clean[mark] = value
    if (rule / "multiline").value is True:
        clean["x-multiline"] = True
    clean |= _structure(rule, level)
    if "default" in rule.value and _is_of_type((rule / "default").value, clean.get("type")):
        clean["default"] = (rule / "default").value
    return clean


def _structure(rule: Place, level: int) -> dict[str, Any]:
    structure: dict[str, Any] = {}
    items = rule / "items"
    if isinstance(items.value, dict):
        structure["items"] = _cleaned(items, level + 1)
    properties = {
        name: _cleaned(member, level + 1)
        for name, member in (rule / "properties").members()
        if isinstance(member.value, dict)
    }
    if properties:
        structure["properties"] = properties
    required = (rule / "required").value
    if _is_texts(required) and required:
        structure["required"] = list(dict.fromkeys(required))
    for key in ("oneOf", "anyOf"):
        choices = [
            _cleaned(choice, level + 1)
            for choice in (rule / key).items()
            if isinstance(choice.value, dict)
        ]
        if choices:
            structure[key] = choices
    if isinstance((rule / "uniqueItems").value, bool):
        structure["uniqueItems"] = (rule / "uniqueItems").value
    return structure


def _is_of_type(value: object, kinds: object) -> bool:
    names = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []
    if not names:
        return True
    return any(
        isinstance(value, _PYTHON_TYPES[name])
        and (name == "boolean" or not isinstance(value, bool))
        for name in names
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
