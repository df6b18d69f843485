"""The defaults of a JSON Schema (2020-12), applied to a document: one rule for all who do it. Pure.

A value that is given goes before the author's (`defaults` of a manifest), and that before the
`default` of its schema. Defaults are applied in the properties of objects that are there, however
deep: in items, behind `$ref`, in `allOf`, and in the one branch of `oneOf` or `anyOf` that the
value can only mean. A property that is absent and has no default stays absent. JSON Schema itself
leaves the use of `default` to applications (validation, section 9.2).

- Objects of the author's defaults are merged into those that are given, unless their schema has
  branches: an object of one branch is not completed by members of another.
- A null where the schema allows none is as good as absent.
- A number without a fraction where the schema wants an integer becomes one: `1.0` is written `1`.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final
from urllib.parse import unquote

from patchbay.platform.strict_json import compact

MAX_STEPS: Final = 200_000
"""Parts of a schema that meet values of a document: 0.3 s."""
MAX_ADDED: Final = 64 * 1024
"""Bytes of the defaults that are added, as JSON."""

_UNIONS: Final = ("anyOf", "oneOf")
_NOTHING: Final = object()


class TooManyDefaults(ValueError):
    """Filling in the defaults would exceed a bound; the text is for the caller."""


def with_defaults(
    document: Mapping[str, Any],
    schema: Mapping[str, Any],
    chosen: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A document with the defaults that it leaves out: `chosen` by the author, then the schema's.

    Raises `TooManyDefaults`.
    """
    return _Filling(schema).document(document, chosen or {})


class _Filling:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._steps = 0
        self._added = 0

    def document(self, given: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
        filled: dict[str, Any] = self._filled(self._merged(given, chosen, self._root), self._root)
        return filled

    def _merged(
        self, given: Mapping[str, Any], chosen: Mapping[str, Any], rule: Any
    ) -> dict[str, Any]:
        """The author's defaults, with what is given in their place."""
        merged = dict(given)
        for name, value in chosen.items():
            inner = self._rules_of(name, given, rule)
            if name not in given or (given[name] is None and not self._allows_null(inner)):
                merged[name] = self._copied(value)
            elif _are_objects(value, given[name]) and not self._has_branches(inner):
                merged[name] = self._merged(given[name], value, {"allOf": inner})
        return merged

    def _filled(self, value: Any, rule: Any) -> Any:
        """A value with the defaults of a rule that applies to it."""
        parts = list(self._applied(value, rule))
        match value:
            case dict():
                return self._filled_object(value, parts)
            case list():
                return [
                    self._filled(item, {"allOf": _item_rules(parts, position)})
                    for position, item in enumerate(value)
                ]
            case float() if value.is_integer() and any(p.get("type") == "integer" for p in parts):
                return int(value)
        return value

    def _filled_object(
        self, value: dict[str, Any], parts: list[Mapping[str, Any]]
    ) -> dict[str, Any]:
        rules: dict[str, list[Any]] = {}
        for part in parts:
            for name, rule in _object(part.get("properties")).items():
                rules.setdefault(name, []).append(rule)
        filled = {
            name: inner
            for name, inner in value.items()
            if inner is not None or self._allows_null(rules.get(name, []))
        }
        for name, of_name in rules.items():
            if name not in filled:
                default = self._default(of_name)
                if default is not _NOTHING:
                    filled[name] = self._copied(default)
        others = [p["additionalProperties"] for p in parts if "additionalProperties" in p]
        return {
            name: self._filled(inner, {"allOf": rules.get(name, others)})
            for name, inner in filled.items()
        }

    def _parts(self, rule: Any) -> Iterator[Mapping[str, Any]]:
        """A rule, and what it refers to or is made of, whatever the value is."""
        pending = [rule]
        while pending:
            one = pending.pop()
            self._count()
            if not isinstance(one, dict):
                continue
            yield one
            if isinstance(reference := one.get("$ref"), str):
                pending.append(self._target(reference))
            if isinstance(parts := one.get("allOf"), list):
                pending.extend(reversed(parts))

    def _applied(self, value: Any, rule: Any) -> Iterator[Mapping[str, Any]]:
        """The parts of a rule, with those of the branches that the value can only mean."""
        for part in self._parts(rule):
            yield part
            for union in _UNIONS:
                if isinstance(branches := part.get(union), list):
                    branch = self._meant(value, branches)
                    if branch is not None:
                        yield from self._applied(value, branch)

    def _meant(self, value: Any, branches: list[Any]) -> Any:
        possible = [b for b in branches if not self._contradicts(value, b)]
        if len(possible) > 1:
            possible = [b for b in possible if not self._lacks(value, b)]
        return possible[0] if len(possible) == 1 else None

    def _contradicts(self, value: Any, rule: Any) -> bool:
        """Whether a type or a constant of a rule, or of one of its properties, is another."""
        for part in self._parts(rule):
            if "type" in part and not _is_of_type(value, part["type"]):
                return True
            if "const" in part and self._differs(value, [part["const"]]):
                return True
            if isinstance(options := part.get("enum"), list) and self._differs(value, options):
                return True
            if isinstance(value, dict) and any(
                self._contradicts(value[name], inner)
                for name, inner in _object(part.get("properties")).items()
                if value.get(name) is not None
            ):
                return True
        return False

    def _differs(self, value: Any, options: list[Any]) -> bool:
        """Whether a value is none of these. Objects and arrays, which take long to compare, are
        told apart by their members."""
        self._count(len(options))
        if isinstance(value, dict | list):
            return False
        return not any(_is_equal(value, option) for option in options)

    def _lacks(self, value: Any, rule: Any) -> bool:
        """Whether an object lacks a required member that has no default."""
        if not isinstance(value, dict):
            return False
        for part in self._parts(rule):
            properties = _object(part.get("properties"))
            for name in part.get("required", []):
                absent = value.get(name) is None
                if absent and self._default([properties.get(name)]) is _NOTHING:
                    return True
        return False

    def _default(self, rules: list[Any]) -> Any:
        for rule in rules:
            for part in self._parts(rule):
                if "default" in part:
                    return part["default"]
        return _NOTHING

    def _rules_of(self, name: str, value: Any, rule: Any) -> list[Any]:
        return [
            _object(part.get("properties"))[name]
            for part in self._applied(value, rule)
            if name in _object(part.get("properties"))
        ]

    def _allows_null(self, rules: list[Any]) -> bool:
        """Whether null is a value by these rules; it is if there are none."""
        return not any(self._refuses_null(rule) for rule in rules)

    def _refuses_null(self, rule: Any) -> bool:
        if rule is False:
            return True
        for part in self._parts(rule):
            if "type" in part and not _is_of_type(None, part["type"]):
                return True
            if "const" in part and part["const"] is not None:
                return True
            if isinstance(part.get("enum"), list) and None not in part["enum"]:
                return True
            for union in _UNIONS:
                branches = part.get(union)
                if isinstance(branches, list) and all(map(self._refuses_null, branches)):
                    return True
        return False

    def _has_branches(self, rules: list[Any]) -> bool:
        parts = (part for rule in rules for part in self._parts(rule))
        return any(union in part for part in parts for union in _UNIONS)

    def _target(self, reference: str) -> Any:
        """What a reference points at; None if that is nothing. Schemas that are used have been
        checked: references stay within and never lead back."""
        target: Any = self._root
        for token in unquote(reference).split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list) and name.isdecimal() and int(name) < len(target):
                target = target[int(name)]
            elif isinstance(target, dict):
                target = target.get(name)
            else:
                return None
        return target

    def _copied(self, default: Any) -> Any:
        self._added += len(compact(default))
        if self._added > MAX_ADDED:
            raise TooManyDefaults(f"has more than {MAX_ADDED} bytes of defaults")
        return deepcopy(default)

    def _count(self, steps: int = 1) -> None:
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise TooManyDefaults("is too large to be filled with the defaults of its schema")


def _item_rules(parts: list[Mapping[str, Any]], position: int) -> list[Any]:
    rules = []
    for part in parts:
        prefix = part.get("prefixItems")
        first = prefix if isinstance(prefix, list) else []
        if position < len(first):
            rules.append(first[position])
        elif "items" in part:
            rules.append(part["items"])
    return rules


def _is_of_type(value: Any, types: Any) -> bool:
    names = types if isinstance(types, list) else [types]
    match value:
        case None:
            return "null" in names
        case bool():
            return "boolean" in names
        case int():
            return "integer" in names or "number" in names
        case float():
            return "number" in names or ("integer" in names and value.is_integer())
        case str():
            return "string" in names
        case list():
            return "array" in names
    return "object" in names


def _are_objects(*values: Any) -> bool:
    return all(isinstance(value, dict) for value in values)


def _is_equal(one: Any, other: Any) -> bool:
    """Whether two scalars are one in JSON Schema, where 1 is 1.0 and true is not 1."""
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
