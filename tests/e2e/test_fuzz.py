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
from contextlib import contextmanager
from typing import Any

import pytest
import requests
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
COVERAGE_STEP = int(os.environ.get("FUZZ_COVERAGE_STEP", "10"))
KEYS = ["operator", *TENANT]
MAX_LINE = 8000
"""Longer addresses are refused before they are ours: by API Gateway, and here by the proxy."""

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
        self._keyless: set[str] = set()
        self._sent: Counter[str] = Counter()

    def send(self, case: Any) -> None:
        operation = case.operation.label
        turn = f"{operation} {case.meta.generation.mode}"
        self._aim(case, operation, self._sent[turn])
        self._sent[turn] += 1
        # A request that is wrong may be so by its key.
        own = "Authorization" in case.headers
        headers = {} if own else {"Authorization": f"Bearer {self._key}"}
        if len(prepared_url(case)) > MAX_LINE:
            return
        answer = case.call(base_url=self._world.stack.api_url, headers=headers)
        self._reached[operation][f"{answer.status_code // 100}xx"] += 1
        left_out = []
        # What a missing or wrong key gets is asked once: it does not depend on the request.
        if operation in self._keyless:
            left_out.append(ignored_auth)
        elif answer.status_code < 300 and not own:
            self._keyless.add(operation)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["status"] == answer.status_code
            if excused(answer.status_code, error):
                left_out.append(positive_data_acceptance)
        case.validate_response(answer, headers=headers, excluded_checks=left_out)

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
            case.body = filled(example(said) if flavour == 0 else case.body, names)


def example(operation: dict[str, Any]) -> Any:
    """The document's example of a body."""
    return operation["requestBody"]["content"]["application/json"]["example"]


def prepared_url(case: Any) -> str:
    request = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1"))
    return request.prepare().url or ""


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
            with noting(found, f"{operation.label} {mode}"):
                fuzzed(operation.as_strategy(generation_mode=mode), caller.send)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("permission", ["operator", "platform.integration.manage"])
def test_the_limits_that_the_document_names_are_those_of_the_api(
    world: World, permission: str, reached: Reached
) -> None:
    """Values at and beyond each bound, left out, of another type; methods and contents that the
    document does not have."""
    caller = Caller(world, permission, reached)
    found: list[str] = []
    turns = 0
    for result in document().get_all_operations():
        operation: Any = result.ok()
        cases = operation.schema.iter_coverage_cases(
            operation,
            generation_modes=list(GenerationMode),
            generation_config=operation.schema.config.generation_for(operation=operation),
        )
        for case in cases:
            turns += 1
            if (turns + SEED) % COVERAGE_STEP == 0:
                with noting(found, f"{operation.label} {case.meta.phase.data.description}"):
                    caller.send(case)
    assert not found, "\n\n".join(found)


@contextmanager
def noting(found: list[str], what: str) -> Iterator[None]:
    try:
        yield
    except Unsatisfiable:
        pass  # nothing could be wrong with a request that has no parameters
    except (Exception, BaseExceptionGroup) as error:
        found.append(f"{what}\n{error}")


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
