"""The types of the SDK, from the schemas of the API document.

What answers have becomes a class of `models.py`, what bodies have within them a `TypedDict` of
`params.py`, and an enumeration a `Literal` of `choices.py`. Fields have the names of Python
(`icon_url`) where they are attributes and arguments, and their own (`iconUrl`) where they are keys
of JSON.
"""

import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

type Json = dict[str, Any]

WIDTH: Final = 100
_COMPONENT: Final = "#/components/schemas/"
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_READERS: Final = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "object": "mapping",
}
_IDENTIFIERS: Final = re.compile(r"slug|id|(?!external_|trace_).*_id")
"""The fields whose values are parts of paths."""


def python_name(name: str) -> str:
    """`iconUrl` and `If-Match` as Python writes them."""
    return _CAMEL.sub("_", name).replace("-", "_").lower()


def named(schema: Json) -> str | None:
    """The name of the component that a schema refers to."""
    reference: str = schema.get("$ref", "")
    return reference.removeprefix(_COMPONENT) or None


def choices(schema: Json) -> list[Json]:
    """The schemas of a union, without null; the schema itself if it is none."""
    members = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [member for member in members if member.get("type") != "null"]


def is_nullable(schema: Json) -> bool:
    return any(member.get("type") == "null" for member in schema.get("anyOf", ()))


def is_object(schema: Json) -> bool:
    return "properties" in schema


def parts(schema: Json) -> Iterator[Json]:
    """The schemas within one that are not behind a name."""
    if named(schema):
        return
    for member in schema.get("anyOf", ()) or schema.get("oneOf", ()):
        yield member
    for member in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(member, dict):
            yield member
    yield from schema.get("properties", {}).values()


class Types:
    """The components of a document, by their use."""

    def __init__(self, document: Json, answers: Collection[str], bodies: Collection[str]) -> None:
        self.schemas: dict[str, Json] = document["components"]["schemas"]
        self.answered = self._reached({"$ref": _COMPONENT + name} for name in answers)
        self.sent = self._reached(
            field for name in bodies for field in self.schemas[name]["properties"].values()
        )

    def _reached(self, starts: Iterator[Json]) -> set[str]:
        found: set[str] = set()
        open_ends = list(starts)
        while open_ends:
            schema = open_ends.pop()
            name = named(schema)
            if name is None:
                open_ends += parts(schema)
            elif name not in found:
                found.add(name)
                open_ends.append(self.schemas[name])
        return found

    def answer(self, schema: Json, prefix: str = "") -> str:
        """The type of what is read."""
        found = [self._answer(member, prefix) for member in choices(schema)]
        return " | ".join(dict.fromkeys([*found, *(["None"] if is_nullable(schema) else [])]))

    def _answer(self, schema: Json, prefix: str) -> str:
        name = named(schema)
        if name:
            target = self.schemas[name]
            if "enum" in target:
                # A later version may have more of them.
                return f"choices.{name} | str"
            if len(choices(target)) > 1:
                return self.answer(target, prefix)
            return prefix + name if is_object(target) else "Any"
        match schema:
            case {"type": "array"}:
                return f"list[{self.answer(schema['items'], prefix)}]"
            case {"type": "object", "additionalProperties": dict(values)}:
                return f"dict[str, {self.answer(values, prefix)}]"
            case {"type": "object"}:
                return "dict[str, Any]"
            case {"format": "date-time"}:
                return "datetime"
            case {"enum": [*values]}:
                return f"Literal[{', '.join(map(repr, values))}] | str"
            case {"const": value}:
                return f"Literal[{value!r}]"
        return _PLAIN.get(schema.get("type", ""), "Any")

    def param(self, schema: Json, prefix: str = "params.") -> str:
        """The type of what is sent."""
        found = [self._param(member, prefix) for member in choices(schema)]
        return " | ".join(dict.fromkeys([*found, *(["None"] if is_nullable(schema) else [])]))

    def _param(self, schema: Json, prefix: str) -> str:
        name = named(schema)
        if name:
            target = self.schemas[name]
            if not is_object(target) and not len(choices(target)) > 1 and "enum" not in target:
                return "Any"
            if "enum" in target:
                return f"choices.{name}"
            # What was read may be sent back.
            if is_object(target) and name in self.answered:
                return f"{prefix}{name} | models.{name}"
            return f"{prefix}{name} | Model" if "discriminator" in target else prefix + name
        match schema:
            case {"type": "array"}:
                return f"Sequence[{self.param(schema['items'], prefix)}]"
            case {"type": "object", "additionalProperties": dict(values)}:
                return f"Mapping[str, {self.param(values, prefix)}]"
            case {"type": "object"}:
                return "Mapping[str, Any]"
            case {"format": "date-time"}:
                return "datetime | str"
            case {"enum": [*values]}:
                return f"Literal[{', '.join(map(repr, values))}]"
            case {"const": value}:
                return f"Literal[{value!r}]"
        return _PLAIN.get(schema.get("type", ""), "Any")

    def reader(self, schema: Json, prefix: str = "") -> str | None:
        """What reads a value, which raises if it is of another type; None if it may be anything."""
        members = choices(schema)
        reader = (
            self._reader_of_union(schema, members, prefix)
            if len(members) > 1
            else self._reader(members[0], prefix)
        )
        return f"maybe({reader})" if reader and is_nullable(schema) else reader

    def _reader(self, schema: Json, prefix: str) -> str | None:
        name = named(schema)
        if name:
            target = self.schemas[name]
            return prefix + name if is_object(target) else self.reader(target, prefix)
        match schema:
            case {"type": "array", "items": items}:
                return f"many({self.reader(items, prefix) or 'anything'})"
            case {"type": "object", "additionalProperties": dict(values)}:
                return f"each({self.reader(values, prefix) or 'anything'})"
            case {"format": "date-time"}:
                return "time"
        return _READERS.get(schema.get("type", ""))

    def _reader_of_union(self, schema: Json, members: list[Json], prefix: str) -> str | None:
        names = [named(member) for member in members]
        if None in names:
            return None
        if "discriminator" in schema:
            mapping = schema["discriminator"]["mapping"].items()
            kinds = ", ".join(
                f"{value!r}: {prefix}{target.removeprefix(_COMPONENT)}" for value, target in mapping
            )
            return f"by({schema['discriminator']['propertyName']!r}, {{{kinds}}})"
        return f"either({', '.join(f'{prefix}{name}' for name in names)})"

    def models_module(self) -> str:
        objects = sorted(name for name in self.answered if is_object(self.schemas[name]))
        classes = [self._model(name) for name in objects]
        readings = [line for name in objects for line in self._readings(name)]
        return "\n".join([_MODELS, *classes, *readings])

    def _model(self, name: str) -> str:
        schema = self.schemas[name]
        fields = schema["properties"]
        lines = [f"class {name}(Model):", docstring(schema.get("description", name), 4)]
        for field, inner in fields.items():
            kind = self.answer(inner)
            optional = field not in schema.get("required", ())
            if optional and "None" not in kind.split(" | "):
                kind += " | None"
            lines += [f"    {python_name(field)}: {kind}"]
            lines += [docstring(inner["description"], 4)] if "description" in inner else []
        missing = tuple(
            python_name(field) for field in fields if field not in schema.get("required", ())
        )
        if missing:
            lines.append(f"    _optional = {missing!r}")
        return "\n".join(lines) + "\n\n"

    def _readings(self, name: str) -> Iterator[str]:
        """How the fields of a model are read, once all models are there."""
        fields = self.schemas[name]["properties"]
        aliases = {field: python_name(field) for field in fields if python_name(field) != field}
        if aliases:
            yield f"{name}._aliases = {aliases!r}"
        required = self.schemas[name].get("required", ())
        pairs = []
        for field, schema in fields.items():
            reader = self.reader(schema)
            if reader and _IDENTIFIERS.fullmatch(python_name(field)):
                reader = reader.replace("string", "identifier")
            if reader and field not in required and not is_nullable(schema):
                reader = f"maybe({reader})"
            if reader:
                pairs.append(f"{python_name(field)!r}: {reader}")
        yield f"{name}._readers = {{{', '.join(pairs)}}}"

    def choices_module(self, parameters: Collection[str]) -> str:
        """`parameters` are names of enumerations that parameters of requests have."""
        used = {*self.answered, *self.sent, *parameters}
        lines = [_CHOICES]
        for name in sorted(name for name in used if "enum" in self.schemas[name]):
            schema = self.schemas[name]
            lines.append(f"{name} = Literal[{', '.join(map(repr, schema['enum']))}]")
            lines += [docstring(schema["description"], 0)] if "description" in schema else []
        return "\n".join([*lines, ""])

    def params_module(self) -> str:
        objects = sorted(name for name in self.sent if is_object(self.schemas[name]))
        lines = [_PARAMS, *map(self._typed_dict, objects)]
        unions = sorted(name for name in self.sent if len(choices(self.schemas[name])) > 1)
        for name in unions:
            members = " | ".join(str(named(one)) for one in choices(self.schemas[name]))
            lines.append(f"{name} = {members}")
            lines.append(docstring(self.schemas[name]["description"], 0))
        return "\n".join([*lines, ""])

    def _typed_dict(self, name: str) -> str:
        schema = self.schemas[name]
        needed = {f: s for f, s in schema["properties"].items() if f in schema.get("required", ())}
        others = {f: s for f, s in schema["properties"].items() if f not in needed}
        lines = []
        parent = "TypedDict"
        # Python 3.10 has no `Required`, so what is required is the class below.
        if needed and others:
            parent = f"_{name}"
            lines += [f"class {parent}(TypedDict):", *self._keys(needed), ""]
        rest = others if needed and others else schema["properties"]
        ending = ", total=False" if others else ""
        lines.append(f"class {name}({parent}{ending}):")
        lines.append(docstring(schema.get("description", name), 4))
        return "\n".join([*lines, *self._keys(rest), ""])

    def _keys(self, fields: Mapping[str, Json]) -> Iterator[str]:
        for field, schema in fields.items():
            yield f"    {field}: {self.param(schema, '')}"
            if "description" in schema:
                yield docstring(schema["description"], 4)


def docstring(text: str, indent: int) -> str:
    """A docstring in lines that fit."""
    return _quoted(wrapped(text, indent), indent)


def wrapped(text: str, indent: int, hanging: str = "") -> list[str]:
    """Paragraphs in lines that fit, with an empty line between two of them."""
    lines: list[str] = []
    for paragraph in text.replace("\\", "\\\\").split("\n\n"):
        lines += [
            "",
            *textwrap.wrap(
                paragraph,
                WIDTH - indent - 6,
                subsequent_indent=hanging,
                break_long_words=False,
                break_on_hyphens=False,
            ),
        ]
    return lines[1:]


def _quoted(lines: list[str], indent: int) -> str:
    space = " " * indent
    if len(lines) == 1:
        return f'{space}"""{lines[0]}"""'
    body = "\n".join(f"{space}{line}".rstrip() for line in lines[1:])
    return f'{space}"""{lines[0]}\n{body}\n{space}"""'


def quoted(lines: list[str], indent: int) -> str:
    """A docstring of lines that fit already."""
    return _quoted(lines, indent)


GENERATED: Final = "Written by `make sdk` from the API document: edits are lost."
_MODELS: Final = f'''"""What the API answers.

{GENERATED}
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from patchbay_sdk import choices
from patchbay_sdk.model import (
    Model,
    anything,
    boolean,
    by,
    each,
    either,
    identifier,
    integer,
    many,
    mapping,
    maybe,
    number,
    string,
    time,
)

'''
_CHOICES: Final = f'''"""The values of enumerations; answers of a later version may have more.

{GENERATED}
"""

from __future__ import annotations

from typing import Literal

'''
_PARAMS: Final = f'''"""Objects within the bodies of requests, with their names in JSON.

{GENERATED}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from patchbay_sdk import choices, models
from patchbay_sdk.model import Model

'''
