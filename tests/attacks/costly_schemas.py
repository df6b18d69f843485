"""Schemas, documents, and steps that are small, and whose product is not.

`test_schema_costs.py` gives them to the engine, and `bench/abuse.py` to the routes.
"""

import json
from functools import partial
from typing import Any

TIMES = 2000
LONG = "y" * 32_000
DIGITS = "0110100110010110"


def of_v(rule: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"v": rule}}


def each(*rules: dict[str, Any]) -> dict[str, Any]:
    return of_v({"items": {"allOf": [*rules]}})


def chain(length: int, **beside: Any) -> dict[str, Any]:
    links = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}], **beside} for n in range(length)}
    return {"$defs": {**links, f"a{length}": {"type": "integer"}}, "$ref": "#/$defs/a0"}


def nested(levels: int, **beside: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {"properties": {"k": {}}}
    for _ in range(levels):
        schema = {"unevaluatedProperties": {"type": "string"}, "anyOf": [schema], **beside}
    return schema


def doubling(reference: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Each of 22 definitions has two references to the next one."""
    links: dict[str, Any] = {"a22": {"b": {"type": "integer"}, "allOf": [{"type": "integer"}]}}
    for n in range(22):
        pair = [{"$ref": reference.format(n + 1)}] * 2
        links[f"a{n}"] = json.loads(json.dumps(definition), object_hook=partial(_filled, pair))
    return {"$defs": links, "$ref": reference.format(0)}


def _filled(pair: list[Any], found: dict[str, Any]) -> dict[str, Any]:
    return {name: pair if value == "PAIR" else value for name, value in found.items()}


VALIDATIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an error with a copy of the body for each name": (
        {"required": [f"n{n}" for n in range(4900)]},
        {"v": LONG},
    ),
    "an error with a copy of the body for each type": (
        of_v({"allOf": [{"type": "integer"}] * TIMES}),
        {"v": LONG},
    ),
    "one error with a copy of the body for each branch": (
        of_v({"anyOf": [{"const": n} for n in range(TIMES)]}),
        {"v": LONG},
    ),
    "not": (of_v({"allOf": [{"not": {}}] * 1600}), {"v": LONG}),
    "anyOf of constants, beyond the limit": (
        of_v({"items": {"anyOf": [{"const": n} for n in range(1500)]}}),
        {"v": ["x"] * 8000},
    ),
    "anyOf of constants, within the limit": (
        of_v({"items": {"anyOf": [{"const": n} for n in range(1500)]}}),
        {"v": ["x"] * 4000},
    ),
    "contains": (
        of_v({"allOf": [{"contains": {"const": n}} for n in range(1500)]}),
        {"v": ["x"] * 3000},
    ),
    "oneOf": (
        of_v({"items": {"oneOf": [{"const": n} for n in range(TIMES)]}}),
        {"v": ["x"] * 3000},
    ),
    "enum of strings": (
        of_v({"items": {"enum": [f"x{n}" for n in range(4900)]}}),
        {"v": ["x"] * 4000},
    ),
    "enum of objects": (
        of_v({"items": {"enum": [{"a": n} for n in range(1500)]}}),
        {"v": [{"a": -1}] * 1500},
    ),
    "uniqueItems": (of_v({"allOf": [{"uniqueItems": True}] * 1600}), {"v": [*range(1000)]}),
    "uniqueItems of objects": (
        of_v({"allOf": [{"uniqueItems": True}] * 1600}),
        {"v": [{"a": n} for n in range(500)]},
    ),
    "propertyNames": (
        {"propertyNames": {"anyOf": [{"const": f"q{n}"} for n in range(TIMES)]}},
        {f"k{n}": 1 for n in range(3000)},
    ),
    "dependentSchemas": (
        {"dependentSchemas": {f"k{n}": {"required": ["z"]} for n in range(1200)}},
        {f"k{n}": 1 for n in range(1200)},
    ),
    "unevaluatedProperties": (
        {
            "allOf": [
                {"anyOf": [{"properties": {f"k{n}": {}}}], "unevaluatedProperties": False}
                for n in range(500)
            ]
        },
        {f"k{n}": 1 for n in range(2000)},
    ),
    "numbers of 4,300 digits, compared": (each(*[{"minimum": 1.5}] * TIMES), {"v": [10**4299] * 7}),
    "numbers of 4,300 digits, divided": (each({"multipleOf": 0.1}), {"v": [10**4299] * 7}),
    "numbers of 300 digits": (each(*[{"minimum": 1.5}] * 300), {"v": [10**300] * 20}),
    "the largest by the smallest number": (
        each(*[{"multipleOf": 1e-300}] * 40),
        {"v": [1e308] * 25},
    ),
    "numbers of the schema": (each(*[{"minimum": 10**4299}] * 10), {"v": [1.5] * 1000}),
    "format regex": (each(*[{"format": "regex"}] * 60), {"v": ["(" * 30_000]}),
    "format idn-hostname": (each(*[{"format": "idn-hostname"}] * 300), {"v": ["é" * 10_000]}),
    "format email": (each(*[{"format": "email"}] * 600), {"v": ["a@" + "b." * 15_000]}),
    "a long name over many errors": (
        of_v({"patternProperties": {"": {"items": {"allOf": [{"type": "integer"}] * 20}}}}),
        {"v": {"n" * 20_000: ["x"] * 2000}},
    ),
    "a long name over many rules": (
        of_v({"properties": {"a" * 30_000: {"items": {"allOf": [{"type": "integer"}] * 2400}}}}),
        {"v": {"a" * 30_000: ["x"] * 10}},
    ),
    "a long name over many unknown ones": (
        of_v({"additionalProperties": {"additionalProperties": False}}),
        {"v": {"p" * 15_000: {f"k{n}": 1 for n in range(2000)}}},
    ),
    "200 patterns": (
        {"properties": {f"k{n}": {"pattern": f"^[^/]{{1,999}}x{n}$"} for n in range(200)}},
        {"k1": "x"},
    ),
    "90 growing patterns": (
        {"properties": {f"k{n}": {"pattern": f"[^/]{{{n + 1}}}"} for n in range(90)}},
        {"k1": "x"},
    ),
    "two large patterns": (
        of_v({"allOf": [{"pattern": f"[^x]{{40{n}}}"} for n in range(2)]}),
        {"v": "é" * 5000},
    ),
    "patterns that remember": (
        of_v({"allOf": [{"pattern": f"[01]*1[01]{{30}}{n}"} for n in range(99)]}),
        {"v": DIGITS * 500},
    ),
    "repetitions within each other": (of_v({"pattern": "((a{30}){30}){30}"}), {"v": "a" * 1000}),
    "repetitions beyond all bounds": (of_v({"pattern": "((a{999}){999}){999}"}), {"v": "a" * 1000}),
    "classes of all letters": (
        of_v({"allOf": [{"pattern": "\\p{L}" * 3 + str(n)} for n in range(99)]}),
        {"v": "é" * 5000},
    ),
    "a pattern that is slow to read": (
        of_v({"pattern": "(?i)" + "[\\w]" * 1000}),
        {"v": "é" * 5000},
    ),
    "a pattern whose classes are spelled out one by one": (
        of_v({"pattern": "\\s" * 2000}),
        {"v": "y"},
    ),
    "many patterns of many classes": (
        of_v({"allOf": [{"pattern": "\\S" * 18 + str(n)} for n in range(99)]}),
        {"v": "y"},
    ),
    "classes of a pattern that is none": (of_v({"pattern": "\\s" * 1500 + "("}), {"v": "y"}),
    "classes as names": ({"patternProperties": {"\\W" * 1000: {}}}, {"v": "y"}),
    "patternProperties": (
        {"patternProperties": {f"[01]*1[01]{{20}}x{n}": {} for n in range(99)}},
        {f"{n:016b}": "x" for n in range(1500)},
    ),
    "one pattern by many references": (
        {
            "$defs": {"p": {"pattern": "[01]*1[01]{300}x"}},
            "properties": {"v": {"allOf": [{"$ref": "#/$defs/p"}] * 60}},
        },
        {"v": DIGITS * 1500},
    ),
    "a chain of 1,000 references": (chain(1000), {"v": 1}),
    "a chain that is evaluated again at each link": (
        chain(24, unevaluatedProperties=False),
        {"v": 1},
    ),
    "evaluated again within what is evaluated again": (nested(18), {"k": {}}),
    "the same by if": (nested(12, **{"if": nested(6)}), {"k": {}}),
    "the same below a member": (of_v(nested(17)), {"v": {"k": 1}}),
    "references that hide their target: an encoded slash": (
        doubling("#/$defs/a{}%2Fb", {"b": {"allOf": "PAIR"}}),
        {"v": 1},
    ),
    "references that hide their target: an index with a sign": (
        doubling("#/$defs/a{}/allOf/+0", {"allOf": [{"allOf": "PAIR"}]}),
        {"v": 1},
    ),
    "a schema with 39,200 errors": ({"allOf": [1] * 4900}, {}),
    "errors below a long name": (
        {"properties": {"x" * 30_000: {"properties": {f"k{n}": 7 for n in range(2900)}}}},
        {},
    ),
}


def step(**members: Any) -> dict[str, Any]:
    return {
        "name": "a",
        "kind": "http",
        "request": {"url": "https://x.example.com/"},
        **members,
    }


def _named(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "name": f"s{n}"} for n, one in enumerate(steps)]


PATTERNS = [{"matches": f"a{n}"} for n in range(45)]
STEPS: dict[str, list[dict[str, Any]]] = {
    "many patterns": _named(
        [step(expect={"json": {f"/p{n}": {"matches": f"[^x]{{{400 + n}}}"} for n in range(50)}})]
        * 20
    ),
    "classes of patterns": _named(
        [step(expect={"json": {f"/p{n}": {"matches": "\\s" * 245 + str(n)} for n in range(8)}})]
    ),
    "many values by many operators, of one step": _named(
        [step(expect={"json": {"/a": {"enum": ["xxx"] * 9000, "anyOf": PATTERNS}}})]
    ),
    "many values by many operators": _named(
        [step(expect={"json": {"/a": {"enum": ["xxx"] * 200, "anyOf": PATTERNS}}})] * 20
    ),
    "one value in 2,000 places": _named(
        [step(request={"url": "https://x.example.com/" + "{{variables.v}}" * 2000})]
    ),
}
"""Steps of a manifest, whose cost is that of publishing it."""
