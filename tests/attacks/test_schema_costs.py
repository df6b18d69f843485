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
from tests.attacks.costly_schemas import DIGITS, STEPS, VALIDATIONS, step

MAX_SECONDS = 1.0
MAX_MEGABYTES = 100


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


def recipe_of(*steps: dict[str, Any]) -> Recipe:
    return Recipe(
        {"checks": {"steps": [*steps]}},
        {"type": "none"},
        {"properties": {"v": {"type": "string"}}},
    )


def many_patterns_of_a_manifest() -> None:
    recipe = recipe_of(*STEPS["many patterns"])
    assert [problem.pointer for problem in recipe.problems] == ["/manifest/checks/steps"]


def broken_patterns_of_all_characters() -> None:
    # Its comment is Python's syntax alone, so the place of the error is looked for there
    text = "(?i)" + "[\x01-\U0010fff0]" * 800 + "(?#c)"
    escaped = "(?i)" + r"[\x01-\uffff]" * 250 + "(?#c)"
    for pattern in (text, escaped):
        [refused] = schema_problems({"pattern": pattern}, "/s")
        assert "is not a regular expression" in refused.message


def classes_of_patterns_of_a_manifest() -> None:
    assert recipe_of(*STEPS["classes of patterns"]).problems


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
    assert recipe_of(*STEPS["many values by many operators, of one step"]).problems
    assert recipe_of(*STEPS["many values by many operators"]).problems


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
        broken_patterns_of_all_characters,
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
