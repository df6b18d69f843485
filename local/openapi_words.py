"""The words of the document: a description and an example for every field, parameter, and answer.

They are in `openapi_words.toml`, by name. What is made of other things gets an example made of
theirs, so all examples are of the same connection of the same organization.
"""

import json
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from local.openapi_schemas import Json, operations, variants

WORDS: Final = Path(__file__).with_suffix(".toml")
GUIDES: Final = "/docs#/guides/"


_OF_ALL_OPERATIONS: Final = {
    "version": "1.0.0",
    "stability": "experimental",
    "owners": ["@platform.integrations"],
    "tags": ["integration", "connections"],
}
"""What the published contract says of `integrations.connection.test`, and so of its family."""


class Wordless(Exception):
    """A name that `openapi_words.toml` has no words for."""


def explain(document: Json, bodies: dict[str, Json]) -> None:
    """Adds tags, descriptions, and examples. `bodies` are whole examples by model.

    Raises `Wordless` with everything that has no words.
    """
    _Explaining(document, bodies).run()


class _Explaining:
    def __init__(self, document: Json, bodies: dict[str, Json]) -> None:
        self._document = document
        self._schemas: Json = document["components"]["schemas"]
        self._bodies = bodies
        self._wordless: list[str] = []

    def run(self) -> None:
        self._document["tags"] = [
            # In `externalDocs` the address would have to name a host, which each deployment has its
            # own of.
            {"name": name, "description": f"{tag['says']} [Guide]({GUIDES}{tag['guide']})"}
            for name, tag in words()["tags"].items()
        ]
        for name, schema in self._schemas.items():
            self._explain_schema(name, schema)
        for operation in operations(self._document):
            for parameter in operation.get("parameters", []):
                self._explain_parameter(operation["operationId"], parameter)
            self._explain_answers(operation)
            if contract := words()["contracts"].get(operation["operationId"]):
                policy = operation.pop("x-policy")
                operation["x-contract"] = {**contract, **_OF_ALL_OPERATIONS, "policy": policy}
        if self._wordless:
            names = ", ".join(sorted(set(self._wordless)))
            raise Wordless(f"{WORDS.name} has no words, or no example, for: {names}")

    def _explain_schema(self, name: str, schema: Json) -> None:
        text = schema.get("description") or words()["schemas"].get(name, {}).get("says")
        if text is None and name.endswith("List"):
            text = "One page of a list."
        if text is None:
            self._wordless.append(name)
        else:
            schema["description"] = _paragraphs(text)
        for field, of in schema.get("properties", {}).items():
            entry = self._entry("fields", field, name)
            text = _sentence(of.get("description") or entry.get("says", ""))
            of["description"] = text + _said_default(of.pop("default", None))
            of["examples"] = [self._field(name, field, of)]

    def _explain_parameter(self, operation: str, parameter: Json) -> None:
        name = parameter["name"]
        entry = self._entry("parameters", name, operation)
        found = parameter.get("description") or parameter["schema"].pop("description", None)
        parameter["schema"].pop("description", None)
        parameter["description"] = _sentence(found or entry.get("says", ""))
        of = parameter["schema"]
        if "example" in entry:
            parameter["example"] = entry["example"]
        elif "default" in of:
            parameter["example"] = of["default"]
        else:
            parameter["example"] = self._value(f"{operation}.{name}", of)

    def _explain_answers(self, operation: Json) -> None:
        for status, answer in operation["responses"].items():
            for content in answer.get("content", {}).values() if status < "400" else ():
                name = operation["operationId"]
                whole = words()["answers"].get(name)
                if whole is None:
                    whole = self._value(name, content["schema"])
                content["example"] = whole

    def _field(self, model: str, field: str, of: Json) -> Any:
        entry = self._entry("fields", field, model)
        if "const" not in of and "example" in entry:
            return entry["example"]
        return self._value(f"{model}.{field}", of)

    def _entry(self, table: str, name: str, owner: str) -> Json:
        found = words()[table].get(f"{owner}.{name}") or words()[table].get(name)
        if found is None:
            self._wordless.append(f"{owner}.{name}")
        return found or {}

    def _value(self, where: str, schema: Json) -> Any:
        """An example made of the schema; null if there is none."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self._instance(name)
        if "properties" in schema:
            return self._object(where, schema)
        if len(variants(schema)) > 1:
            kinds = [one for one in variants(schema) if one.get("type") != "null"]
            return self._value(where, kinds[0])
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("type") == "array":
            return [self._value(where, schema["items"])]
        self._wordless.append(where)
        return None

    def _instance(self, name: str) -> Any:
        if name in self._bodies:
            return json.loads(json.dumps(self._bodies[name]))
        return self._value(name, self._schemas[name])

    def _object(self, name: str, schema: Json) -> Json:
        nulls = words()["schemas"].get(name, {}).get("null", [])
        return {
            field: None if field in nulls else self._field(name, field, of)
            for field, of in schema.get("properties", {}).items()
            if field not in nulls or _may_be_null(of)
        }


@cache
def words() -> Json:
    return tomllib.loads(WORDS.read_text())


def _may_be_null(schema: Json) -> bool:
    return any(one.get("type") == "null" for one in variants(schema))


def _said_default(value: Any) -> str:
    """In words: of a `default`, openapi-typescript makes a member that a body must have."""
    return f" Default: `{json.dumps(value)}`." if value or value is False or value == 0 else ""


def _sentence(text: str) -> str:
    """As a sentence: a model's own description may begin in lower case, without a period."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) or not text else ".")


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def unused(document: Json) -> Iterator[str]:
    """Entries of `openapi_words.toml` that nothing in the document is called."""
    fields = {
        name
        for model, schema in document["components"]["schemas"].items()
        for field in schema.get("properties", {})
        for name in (field, f"{model}.{field}")
    }
    parameters = {
        name
        for operation in operations(document)
        for parameter in operation.get("parameters", [])
        for name in (parameter["name"], f"{operation['operationId']}.{parameter['name']}")
    }
    known = {
        "fields": fields,
        "parameters": parameters,
        "schemas": set(document["components"]["schemas"]),
        "answers": {operation["operationId"] for operation in operations(document)},
        "tags": {tag for operation in operations(document) for tag in operation["tags"]},
    }
    for table, names in known.items():
        yield from (f"{table}.{name}" for name in words()[table] if name not in names)
