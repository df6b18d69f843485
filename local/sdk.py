"""Writes what of the SDKs follows from the API document: types, and a method per operation.

    python -m local.sdk            write it below client/
    python -m local.sdk --check    exit 1 if a file of it is out of date

`sdk_methods.toml` names the method of each operation.
"""

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from local.openapi import DOCUMENT, ROOT
from local.problems import Problem
from local.sdk_types import (
    GENERATED,
    Json,
    Types,
    choices,
    docstring,
    named,
    python_name,
    quoted,
    wrapped,
)
from local.written_files import settle

METHODS: Final = ROOT / "local/sdk_methods.toml"
CLIENT: Final = ROOT / "client"
_JSON: Final = "application/json"
_LISTS: Final = {"items": "next_cursor", "connections": "nextCursor"}
"""The fields of an answer that is one page of a list."""


@dataclass(frozen=True)
class Method:
    """A method of the SDK: an operation, with one parameter fixed, perhaps."""

    namespace: str
    name: str
    http_method: str
    path: str
    operation: Json
    types: "Types" = field(repr=False)
    fixed: str | None = None
    answer: str | None = None
    without: tuple[str, ...] = ()

    @property
    def constant(self) -> str:
        return f"{self.namespace}_{self.name}".upper()

    @property
    def parameters(self) -> list[Json]:
        return [
            parameter
            for parameter in self.operation.get("parameters", [])
            if parameter["name"] not in (*self.without, self.fixed)
        ]

    @cached_property
    def body(self) -> Json | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        if _JSON not in content:
            return None
        return self.types.schemas[str(named(content[_JSON]["schema"]))]

    @cached_property
    def answers(self) -> list[Json]:
        """The schemas of what it may answer."""
        found: dict[str, Json] = {}
        for status, response in self.operation["responses"].items():
            if status.startswith("2"):
                for content in response.get("content", {}).values():
                    for schema in choices(content["schema"]):
                        found.setdefault(json.dumps(schema), schema)
        schemas = list(found.values())
        if self.answer:
            return [schema for schema in schemas if named(schema) == self.answer]
        return [schema for schema in schemas if named(schema) not in self.without]

    @property
    def media_type(self) -> str | None:
        for status, response in self.operation["responses"].items():
            if status.startswith("2") and response.get("content"):
                return str(next(iter(response["content"])))
        return None

    @property
    def item(self) -> tuple[str, str, Json] | None:
        """The names of the items and the cursor of a list, and the schema of one item."""
        for schema in self.answers:
            fields = self.types.schemas.get(named(schema) or "", {}).get("properties", {})
            for items, cursor in _LISTS.items():
                if self.http_method == "get" and {items, cursor} <= fields.keys():
                    return items, cursor, fields[items]["items"]
        return None

    @property
    def is_keyed(self) -> bool:
        return any(one["name"] == "Idempotency-Key" for one in self.operation.get("parameters", []))

    def declaration(self) -> str:
        """The line of operations.py."""
        if self.item:
            items, cursor, schema = self.item
            kind = self.types.answer(schema, "models.")
            reader = self.types.reader(schema, "models.")
            names = "" if items == "items" else f", {items!r}, {cursor!r}"
            return (
                f"{self.constant}: ListOperation[{kind}] = "
                f"ListOperation({self.path!r}, {reader}{names})"
            )
        keyed = ", is_keyed=True" if self.is_keyed else ""
        return (
            f"{self.constant}: Operation[{self.returned}] = Operation("
            f"{self.http_method.upper()!r}, {self.path!r}, {self._reader}{keyed})"
        )

    @property
    def returned(self) -> str:
        if self.media_type is None:
            return "None"
        if self.media_type != _JSON:
            return "str"
        return " | ".join(self.types.answer(schema, "models.") for schema in self.answers)

    @property
    def _reader(self) -> str:
        if self.media_type is None:
            return "nothing"
        if self.media_type != _JSON:
            return "text"
        reader = self.types.reader({"anyOf": self.answers}, "models.")
        return f"model({reader or 'mapping'})"

    def arguments(self) -> Iterator[tuple[str, str, str]]:
        """The name, the type with its default, and the meaning of each argument."""
        for parameter in self._of("path"):
            kind = self.types.param(parameter["schema"])
            yield python_name(parameter["name"]), kind, parameter.get("description", "")
        if self.body is not None:
            required = self.body.get("required", ())
            fields = self.body["properties"].items()
            for name, schema in sorted(fields, key=lambda item: item[0] not in required):
                kind = self.types.param(schema)
                kind = kind if name in required else f"{kind} | Omit = OMIT"
                yield python_name(name), kind, schema.get("description", "")
        for parameter in (*self._of("query"), *self._of("header")):
            kind = self.types.param(parameter["schema"])
            kind = kind if parameter["required"] else f"{kind} | None = None"
            yield python_name(parameter["name"]), kind, parameter.get("description", "")

    def _of(self, place: str) -> list[Json]:
        return [parameter for parameter in self.parameters if parameter["in"] == place]

    def code(self, *, is_async: bool) -> str:
        arguments = list(self.arguments())
        names = [name for name, _, _ in arguments]
        if len(set(names)) < len(names):
            raise Problem(f"two arguments of {self.namespace}.{self.name} have one name: {names}")
        signature = "".join(f", {name}: {kind}" for name, kind, _ in arguments)
        wait, call = ("async ", "await self._call") if is_async else ("", "self._call")
        returned = self.returned
        if self.item:
            pages = "AsyncPages" if is_async else "Pages"
            wait, call = "", "self._list"
            returned = f"{pages}[{self.types.answer(self.item[2], 'models.')}]"
        star = ", *" if signature else ""
        return "\n".join(
            [
                f"    {wait}def {self.name}(self{star}{signature}) -> {returned}:",
                self._docstring(arguments),
                f"        return {call}(operations.{self.constant}, {self._values()})",
                "",
            ]
        )

    def _docstring(self, arguments: list[tuple[str, str, str]]) -> str:
        lines = wrapped(f"{self.operation['summary']}.", 8)
        lines += ["", *wrapped(self.operation["description"], 8)]
        meanings = [f"{name}: {meaning}" for name, _, meaning in arguments if meaning]
        if meanings:
            lines.append("")
        for meaning in meanings:
            lines += wrapped(" ".join(meaning.split()), 8, hanging="    ")
        return quoted(lines, 8)

    def _values(self) -> str:
        """What is sent where."""
        found = [f"{{{self._pairs('path')}}}"]
        query = self._pairs("query")
        if self.fixed:
            query = f"{self.fixed!r}: True, {query}"
        if query:
            found.append(f"query={{{query}}}")
        if headers := self._pairs("header"):
            found.append(f"headers={{{headers}}}")
        if self.body is not None:
            pairs = (f"{name!r}: {python_name(name)}" for name in self.body["properties"])
            found.append(f"body={{{', '.join(pairs)}}}")
        return ", ".join(found)

    def _pairs(self, place: str) -> str:
        names = [parameter["name"] for parameter in self._of(place)]
        return ", ".join(f"{name!r}: {python_name(name)}" for name in names)


@dataclass(frozen=True)
class Sdk:
    """All that is generated."""

    document: Json
    table: dict[str, Any]

    @classmethod
    def committed(cls) -> "Sdk":
        return cls(json.loads(DOCUMENT.read_text()), tomllib.loads(METHODS.read_text()))

    @cached_property
    def operations(self) -> dict[str, tuple[str, str, Json]]:
        """Method, path, and operation, by operation id."""
        return {
            operation["operationId"]: (method, path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    @cached_property
    def types(self) -> Types:
        answers: set[str] = set()
        bodies: set[str] = set()
        for identifier in self.table["methods"]:
            if identifier not in self.operations:
                raise Problem(f"sdk_methods.toml has {identifier}, which is not an operation")
            _, _, operation = self.operations[identifier]
            body = operation.get("requestBody", {}).get("content", {}).get(_JSON)
            if body:
                bodies.add(str(named(body["schema"])))
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values():
                    if status.startswith("2"):
                        answers |= {str(named(one)) for one in choices(content["schema"])}
        lists = {
            name
            for name in answers
            if any(
                {items, cursor}
                <= self.document["components"]["schemas"].get(name, {}).get("properties", {}).keys()
                for items, cursor in _LISTS.items()
            )
        }
        schemas = self.document["components"]["schemas"]
        items = {
            str(named(schemas[name]["properties"][key]["items"]))
            for name in lists
            for key in _LISTS
            if key in schemas[name]["properties"]
        }
        known = {name for name in (answers - lists) | items if name in schemas}
        return Types(self.document, known, bodies)

    @cached_property
    def methods(self) -> list[Method]:
        fixed = {one["operation"]: one for one in self.table["fixed"]}
        found = []
        for identifier, name in self.table["methods"].items():
            namespace, _, method = name.partition(".")
            verb, path, operation = self.operations[identifier]
            split = fixed.get(identifier)
            without = (split["parameter"], split["answer"]) if split else ()
            found.append(
                Method(namespace, method, verb, path, operation, self.types, without=without)
            )
            if split:
                namespace, _, method = split["method"].partition(".")
                found.append(
                    Method(
                        namespace,
                        method,
                        verb,
                        path,
                        operation,
                        self.types,
                        fixed=split["parameter"],
                        answer=split["answer"],
                        without=tuple(split["without"]),
                    )
                )
        return found

    def unnamed(self) -> set[str]:
        """Operations of the document that the table has no place for."""
        by_hand = {name for names in self.table["by_hand"].values() for name in names}
        known = {*self.table["methods"], *by_hand, *self.table["browsers"]["pages"]}
        return self.operations.keys() - known

    def files(self) -> dict[str, str]:
        """The text of each generated module, by its name."""
        if missing := self.unnamed():
            raise Problem(f"sdk_methods.toml has no method for {', '.join(sorted(missing))}")
        used = {
            name
            for method in self.methods
            for parameter in method.parameters
            if (name := named(parameter["schema"]))
        }
        made = {
            "models.py": self.types.models_module(),
            "choices.py": self.types.choices_module(used),
            "params.py": self.types.params_module(),
            "operations.py": self._operations(),
            "resources.py": self._resources(is_async=False),
            "async_resources.py": self._resources(is_async=True),
        }
        python = {f"patchbay_sdk/{name}": text for name, text in made.items()}
        return {
            **{name: _formatted(text, name) for name, text in python.items()},
            "typescript/codes.ts": self._codes(),
            "typescript/keyed.ts": self._keyed(),
        }

    def _codes(self) -> str:
        """The codes of errors, for TypeScript: those that the Python SDK has classes of."""
        from patchbay_sdk.errors import BY_CODE

        lines = "".join(f"\n  | {json.dumps(code)}" for code in sorted(BY_CODE))
        return f"// {GENERATED}\nexport type ErrorCode ={lines};\n"

    def _keyed(self) -> str:
        """The routes that honor an Idempotency-Key, for TypeScript."""
        found = sorted(
            f"{verb.upper()} {path}"
            for verb, path, operation in self.operations.values()
            if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", []))
        )
        lines = "".join(f"  {json.dumps(route)},\n" for route in found)
        return f"// {GENERATED}\nexport const KEYED = new Set([\n{lines}]);\n"

    def _operations(self) -> str:
        lines = (method.declaration() for method in self.methods)
        return "\n".join([_OPERATIONS, *lines, ""])

    def _resources(self, *, is_async: bool) -> str:
        by_namespace = defaultdict(list)
        for method in self.methods:
            by_namespace[method.namespace].append(method)
        meanings = self.table["namespaces"]
        prefix = "Async" if is_async else ""
        lines = [_resources_head(prefix)]
        for name, methods in sorted(by_namespace.items()):
            if name not in meanings:
                raise Problem(f"sdk_methods.toml does not say what the namespace {name} is")
            lines += [f"class {_class(name, prefix)}({prefix}Namespace):"]
            lines += [docstring(meanings[name], 4), ""]
            lines += [method.code(is_async=is_async) for method in methods]
        lines += [f"class {prefix}Resources:", '    """The namespaces of a client."""', ""]
        lines.append(f"    def __init__(self, client: {prefix}Exchange) -> None:")
        for name in sorted(by_namespace):
            lines.append(f"        self.{name} = {_class(name, prefix)}(client)")
        lines.append(f"        self.proxy = {prefix}Proxy(client)")
        return "\n".join([*lines, ""])


def _class(namespace: str, prefix: str) -> str:
    return prefix + "".join(word.title() for word in namespace.split("_"))


_OPERATIONS: Final = f'''"""The operations that have a method: where each is, and how it is read.

{GENERATED}
"""

from __future__ import annotations

from typing import Any

from patchbay_sdk import models
from patchbay_sdk.model import either, mapping
from patchbay_sdk.operation import ListOperation, Operation, model, nothing, text

'''


def _resources_head(prefix: str) -> str:
    return f'''"""A method for each operation, in namespaces.

{GENERATED}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from patchbay_sdk import operations
from patchbay_sdk.namespace import {prefix}Exchange, {prefix}Namespace
from patchbay_sdk.operation import OMIT, Omit
from patchbay_sdk.proxy import {prefix}Proxy

if TYPE_CHECKING:
    from patchbay_sdk import choices, models, params
    from patchbay_sdk.model import Model
    from patchbay_sdk.pages import {prefix}Pages

'''


def _formatted(text: str, name: str) -> str:
    """As ruff writes it, without what is imported and not used."""
    ruff = str(Path(sys.executable).with_name("ruff"))
    where = ("--stdin-filename", str(CLIENT / name), "-")
    for command in (("check", "--quiet", "--fix-only", "--exit-zero"), ("format", "--quiet")):
        done = subprocess.run(  # noqa: S603 - our own tool
            (ruff, *command, *where), input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text


def main() -> int:
    try:
        wanted = Sdk.committed().files()
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    files = {CLIENT / name: text for name, text in wanted.items()}
    return settle(files, "make sdk", check="--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
