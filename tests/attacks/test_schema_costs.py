"""Attacks by schemas, templates, and documents that are small, and whose product is not.

Each is published and used in a process of its own: in at most a second and 100 MB.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from patchbay.checks.patterns import is_found
from patchbay.checks.recipe import Recipe
from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import DocumentSchema, default_problems, schema_problems
from patchbay.platform.validation import problems_of
from patchbay.registry.manifest import manifest_problems
from patchbay.registry.model import NewIntegration

MAX_SECONDS = 1.0
MAX_MEGABYTES = 100
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


def judge(schema: dict[str, Any], document: dict[str, Any]) -> list[Problem]:
    """As publishing does, and as tests do with a release that was stored before the bounds."""
    refused = schema_problems(schema, "/s")
    compiled = DocumentSchema(schema)
    found = [*compiled.problems(document, "/d"), *compiled.member_problems(document, "/d")]
    assert len(found) <= 101
    return [*refused, *found]


def many_defaults() -> None:
    variables = {
        "properties": {
            f"k{n}": {"type": "integer", "minimum": 1, "default": n % 7} for n in range(1000)
        }
    }
    assert len(default_problems(variables, "")) == 50
    assert manifest_problems({"defaults": {f"k{n}": "x" for n in range(1000)}}, variables)


def step(**members: Any) -> dict[str, Any]:
    return {
        "name": "a",
        "kind": "http",
        "request": {"url": "https://x.example.com/"},
        **members,
    }


def recipe_of(*steps: dict[str, Any]) -> Recipe:
    named = [{**one, "name": f"s{n}"} for n, one in enumerate(steps)]
    return Recipe(
        {"checks": {"steps": named}}, {"type": "none"}, {"properties": {"v": {"type": "string"}}}
    )


def many_patterns_of_a_manifest() -> None:
    matchers = {f"/p{n}": {"matches": f"[^x]{{{400 + n}}}"} for n in range(50)}
    recipe = recipe_of(*[step(expect={"json": matchers})] * 20)
    assert [problem.pointer for problem in recipe.problems] == ["/manifest/checks/steps"]


def classes_of_patterns_of_a_manifest() -> None:
    matchers = {f"/p{n}": {"matches": "\\s" * 245 + str(n)} for n in range(8)}
    assert recipe_of(step(expect={"json": matchers})).problems


def one_long_value_in_a_thousand_places() -> None:
    url = "https://x.example.com/"
    for request in (
        {"url": url + "{{variables.v}}" * 2000},
        {"url": url + "/".join(["{{variables.v}}"] * 1000)},
        {"url": url + "?" + "&".join(["a={{variables.v}}"] * 400)},
        {"url": url, "headers": {f"x-{n}": "{{variables.v}}" * 100 for n in range(30)}},
        {
            "method": "POST",
            "safe": True,
            "url": url,
            "body": {"json": ["{{variables.v}}"] * 800},
        },
        {"method": "POST", "safe": True, "url": url, "body": {"text": "{{variables.v}}" * 900}},
    ):
        recipe = recipe_of(step(request=request))
        assert not recipe.problems, recipe.problems
        for value in ("é" * 16_000, "a" * 32_000):
            assert recipe.plan({"v": value}, {}).problems


def many_values_by_many_operators() -> None:
    patterns = [{"matches": f"a{n}"} for n in range(45)]
    for values in (9000, 200):
        expect = {"json": {"/a": {"enum": ["xxx"] * values, "anyOf": patterns}}}
        assert recipe_of(*[step(expect=expect)] * (20 if values == 200 else 1)).problems


def a_body_of_unknown_fields() -> None:
    with pytest.raises(ValidationError) as caught:
        NewIntegration.model_validate({f"k{n}": 1 for n in range(24_000)})
    assert len(problems_of(caught.value)) == 100


def slow_searches() -> None:
    for n in range(4):
        is_found(f"[01]*1[01]{{250}}x{n}", DIGITS * 4096)


def many_releases() -> None:
    from patchbay.platform import json_schema

    for n in range(150):
        schema = {"title": str(n), **VALIDATIONS["patterns that remember"][0]}
        json_schema.document_schema(schema).problems({"v": DIGITS * 100}, "")


OTHERS: dict[str, Callable[[], object]] = {
    f.__name__: f
    for f in (
        many_defaults,
        many_patterns_of_a_manifest,
        classes_of_patterns_of_a_manifest,
        one_long_value_in_a_thousand_places,
        many_values_by_many_operators,
        a_body_of_unknown_fields,
        slow_searches,
        many_releases,
    )
}
OWN_SECONDS = {"many_releases": 8.0}


@pytest.fixture(scope="module")
def costs() -> dict[str, tuple[float, float]]:
    """The CPU time and the additional memory of each attack, measured in processes of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.test_schema_costs"],
        capture_output=True,
        text=True,
        timeout=300,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return dict(map(json.loads, done.stdout.splitlines()))


@pytest.mark.parametrize("attack", [*VALIDATIONS, *OTHERS])
def test_an_attack_costs_at_most_a_second_and_100_megabytes(
    attack: str, costs: dict[str, tuple[float, float]]
) -> None:
    seconds, megabytes = costs[attack]
    assert seconds <= OWN_SECONDS.get(attack, MAX_SECONDS)
    assert megabytes <= MAX_MEGABYTES


def _measured(attack: Callable[[], object]) -> tuple[float, float]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + (2 << 30)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        attack()
        seconds = time.process_time() - started
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(writing, json.dumps([seconds, grown / 1024]).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    if status:
        return 99, 9999  # it ended by its limits, or failed
    seconds, megabytes = json.loads(os.read(reading, 100))
    return seconds, megabytes


if __name__ == "__main__":
    attacks = {name: lambda given=given: judge(*given) for name, given in VALIDATIONS.items()}
    judge({"pattern": "x"}, {})
    for name, attack in {**attacks, **OTHERS}.items():
        print(json.dumps([name, _measured(attack)]), flush=True)
