"""The document in the forms that linters and client generators know, whatever pydantic writes.

Each function changes the document in place. None of them changes what it means.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

type Json = dict[str, Any]

_LISTING = re.compile(r"Listing_(\w+)_")
_COMPONENT = "#/components/schemas/"


def tidy(document: Json) -> None:
    """All of the below, in the order in which they build on each other."""
    _rename_lists(document)
    for schema in _schemas(document):
        _write_as_map(schema)
        _drop_title(schema)
        _write_whole_numbers(schema)
        _name_discriminator(schema, document["components"]["schemas"])
    for operation in operations(document):
        # Nothing comes with a 204, where Powertools writes JSON without a schema.
        operation["responses"].get("204", {}).pop("content", None)
        for parameter in operation.get("parameters", []):
            parameter["schema"] = _without_null(parameter["schema"])
            if parameter["in"] == "header":
                parameter["name"] = parameter["name"].title()


def operations(document: Json) -> Iterator[Json]:
    for methods in document["paths"].values():
        yield from methods.values()


def nodes(value: Any) -> Iterator[Json]:
    """Every object in a JSON value, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from nodes(inner)


def variants(schema: Json) -> list[Json]:
    """The schemas of a union, or the schema itself."""
    found: list[Json] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return found


def describe_answers(document: Json, always: Mapping[str, Collection[str]]) -> None:
    """What holds for models that only answers have: a field that is always sent is always there,
    and there may be more fields than a client knows.

    `always` are the fields that a model is never sent without, by its name.
    """
    schemas: Json = document["components"]["schemas"]
    sent = [operation["responses"] for operation in operations(document)]
    taken = [[one.get("requestBody"), one.get("parameters")] for one in operations(document)]
    for name in _reachable(schemas, sent) - _reachable(schemas, taken):
        schema = schemas[name]
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]
        if "properties" in schema:
            required = {*schema.get("required", []), *always.get(name, [])}
            schema["required"] = [field for field in schema["properties"] if field in required]


def _schemas(document: Json) -> Iterator[Json]:
    """Every schema, those of components and of parameters, bodies, and answers."""

    def inner(schema: Any) -> Iterator[Json]:
        if not isinstance(schema, dict):
            return
        yield schema
        for word in ("items", "additionalProperties", "propertyNames", "if", "then", "not"):
            yield from inner(schema.get(word))
        for word in ("anyOf", "oneOf", "allOf"):
            for one in schema.get(word, []):
                yield from inner(one)
        for one in schema.get("properties", {}).values():
            yield from inner(one)

    for schema in document["components"]["schemas"].values():
        yield from inner(schema)
    for node in nodes(document["paths"]):
        if "schema" in node:
            yield from inner(node["schema"])


def _rename_lists(document: Json) -> None:
    """`Listing_Alert_` is how pydantic spells `Listing[Alert]`."""
    schemas: Json = document["components"]["schemas"]
    names = {name: f"{found[1]}List" for name in schemas if (found := _LISTING.fullmatch(name))}
    document["components"]["schemas"] = dict(
        sorted((names.get(name, name), schema) for name, schema in schemas.items())
    )
    for node in nodes(document):
        name = str(node.get("$ref", "")).removeprefix(_COMPONENT)
        if name in names:
            node["$ref"] = _COMPONENT + names[name]


def _drop_title(schema: Json) -> None:
    """A title repeats the name of the field; generators would make a class name of it."""
    if isinstance(schema.get("title"), str):
        del schema["title"]


def _write_as_map(schema: Json) -> None:
    """A map whose names have a pattern. Few generators know `patternProperties`, and a client made
    without them drops what it is given."""
    named = schema.get("patternProperties", {})
    if len(named) == 1 and schema.get("additionalProperties", False) is False:
        [(pattern, of)] = schema.pop("patternProperties").items()
        schema["propertyNames"] = {"pattern": pattern}
        schema["additionalProperties"] = of


def _write_whole_numbers(schema: Json) -> None:
    """`86400`, where the merge writes `86400.0`."""
    for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
        bound = schema.get(word)
        if isinstance(bound, float) and bound.is_integer():
            schema[word] = int(bound)


def _name_discriminator(schema: Json, components: Json) -> None:
    """Which member of a union it is, if each has a constant `kind`."""
    names = [str(one.get("$ref", "")).removeprefix(_COMPONENT) for one in schema.get("oneOf", [])]
    kinds = [
        components.get(name, {}).get("properties", {}).get("kind", {}).get("const")
        for name in names
    ]
    if kinds and all(kinds):
        mapping = {kind: _COMPONENT + name for kind, name in zip(kinds, names, strict=True)}
        schema["discriminator"] = {"propertyName": "kind", "mapping": mapping}


def _without_null(schema: Json) -> Json:
    """A parameter can be left out, but nothing in a URL or a header is null."""
    kinds = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(kinds) != 1:
        return schema
    [kind] = kinds
    rest: Json = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**rest, **kind}


def drop_unused(document: Json) -> None:
    """Powertools adds schemas of errors that our routes never answer."""
    schemas: Json = document["components"]["schemas"]
    used = _reachable(schemas, [document["paths"], document["components"]["responses"]])
    document["components"]["schemas"] = {n: s for n, s in schemas.items() if n in used}


def _reachable(schemas: Json, found: list[Any]) -> set[str]:
    """The names of the schemas that something refers to, or that one of those refers to."""
    used: set[str] = set()
    while found:
        names = {
            node["$ref"].removeprefix(_COMPONENT)
            for node in nodes(found)
            if str(node.get("$ref", "")).startswith(_COMPONENT)
        }
        found = [schemas[name] for name in sorted(names - used)]
        used |= names
    return used
