"""The API against its own document: requests that fit it and requests that don't, by schemathesis.

No fault of ours (5xx), no status and no answer that the document does not tell, every error in the
envelope, nothing open without a key; what fits is accepted, what doesn't is refused. Run with keys
of every kind. `make fuzz` asks more: FUZZ_EXAMPLES requests of each operation, mode and key, and
FUZZ_SEED others.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from local.openapi import DOCUMENT
from tests.e2e.fuzz_exceptions import excused
from tests.e2e.fuzz_world import World, filled
from tests.e2e.harness import TENANT, Stack

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
SEED = int(os.environ.get("FUZZ_SEED", "20260217"))
KEYS = ["operator", *TENANT]

type Reached = dict[str, Counter[str]]


@pytest.fixture(scope="module")
def world(stack: Stack) -> World:
    return World.made(stack)


@pytest.fixture(scope="module")
def reached() -> Iterator[Reached]:
    """How many requests of each operation got an answer of each class, by all keys."""
    counted: Reached = defaultdict(Counter)
    yield counted
    print("\n" + table(counted))


def table(reached: Reached) -> str:
    classes = sorted({one for counts in reached.values() for one in counts})
    width = max(map(len, reached))
    lines = [" ".join([" " * width, *(f"{one:>6}" for one in classes)])]
    for operation, counts in sorted(reached.items()):
        lines.append(" ".join([f"{operation:{width}}", *(f"{counts[c]:6}" for c in classes)]))
    return "\n".join(lines)


def document() -> Any:
    return schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text())).exclude(path="/docs")


class Caller:
    """Sends generated requests with one key, some of them to what is there, and judges answers."""

    def __init__(self, world: World, permission: str, reached: Reached) -> None:
        self._world = world
        self._reached = reached
        self._permission = permission
        operator = permission == "operator"
        self._key = world.stack.api_key if operator else world.key(permission)
        # What a missing or wrong key gets does not depend on which key it is not.
        self._left_out = [] if operator else [ignored_auth]
        self._sent: Counter[str] = Counter()

    def send(self, case: Any) -> None:
        operation = f"{case.method} {case.path}"
        self._aim(case, operation, self._sent[operation])
        self._sent[operation] += 1
        case.headers["Authorization"] = f"Bearer {self._key}"
        answer = case.call(base_url=self._world.stack.api_url)
        self._reached[operation][f"{answer.status_code // 100}xx"] += 1
        left_out = list(self._left_out)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["status"] == answer.status_code
            if excused(answer.status_code, error):
                left_out.append(positive_data_acceptance)
        case.validate_response(answer, excluded_checks=left_out)

    def _aim(self, case: Any, operation: str, number: int) -> None:
        """Of four requests three go to what is there, and one of these has the example's body."""
        flavour = number % 4
        if flavour == 3:
            return
        said = case.operation.definition.raw
        allowed = self._permission == "operator" or self._permission in said.get("description", "")
        names = self._world.names(operation, allowed=allowed)
        tested = case.path.split("/{")[-2].rpartition("/")[2] if "{test_id}" in case.path else ""
        if tested:
            kind = case.path.rpartition("/tests/")[0].rpartition("/")[0].rpartition("/")[2]
            names["test_id"] = names[f"{kind.removesuffix('s')}_test_id"]
        if "{publisher}" in case.path:
            names["slug"] = names["integration_slug"]
        if fits(case, ParameterLocation.PATH) and case.path_parameters:
            case.path_parameters = {n: names.get(n, v) for n, v in case.path_parameters.items()}
        if fits(case, ParameterLocation.QUERY) and case.query:
            case.query = {n: names.get(n, v) for n, v in case.query.items() if n != "cursor"}
        if fits(case, ParameterLocation.HEADER) and "if-match" in case.headers:
            case.headers["if-match"] = "*"
        if fits(case, ParameterLocation.BODY) and isinstance(case.body, dict | list):
            body = case.body
            if flavour == 0:
                body = example(said, case.operation.schema.raw_schema) or body
            case.body = filled(body, names)


def example(operation: dict[str, Any], document: dict[str, Any]) -> Any:
    """The first example that the document has of a body."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return next(iter(schema.get("examples", [])), None)


def fits(case: Any, location: ParameterLocation) -> bool:
    """Whether a part of a request is one that the document allows."""
    part = case.meta.components.get(location)
    return part is None or part.mode.is_positive


@pytest.mark.parametrize("permission", KEYS)
def test_the_api_does_what_its_document_says(
    world: World, permission: str, reached: Reached
) -> None:
    caller = Caller(world, permission, reached)
    found: list[str] = []
    for result in document().get_all_operations():
        operation: Any = result.ok()
        for mode in GenerationMode:
            try:
                fuzzed(operation.as_strategy(generation_mode=mode), caller.send)
            except Unsatisfiable:
                pass  # nothing could be wrong with a request that has no parameters
            except (Exception, BaseExceptionGroup) as error:
                found.append(f"{operation.label} {mode}\n{error}")
    assert not found, "\n\n".join(found)


def fuzzed(cases: Any, send: Callable[[Any], None]) -> None:
    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=cases)
    def run(case: Any) -> None:
        send(case)

    run()


def test_every_operation_was_reached(reached: Reached) -> None:
    """Depends on the tests before it."""
    never = [operation for operation, counts in reached.items() if not counts["2xx"]]
    assert not never
