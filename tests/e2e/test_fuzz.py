"""The API against its own document: requests that fit it and requests that don't, by schemathesis.

No fault of ours (5xx), no status and no answer that the document does not tell, every error in the
envelope, nothing open without a key; what fits is accepted, what doesn't is refused. Run with keys
of every kind. `make fuzz` asks more: FUZZ_EXAMPLES requests of each operation, mode and key, and
FUZZ_SEED others.
"""

import json
import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    ensure_resource_availability,
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    use_after_free,
)

from local.openapi import DOCUMENT
from tests.e2e.fuzz_exceptions import (
    REACHED_ELSEWHERE,
    excused,
    kept,
    named_by_body,
    reported,
)
from tests.e2e.fuzz_world import World, filled
from tests.e2e.harness import TENANT, Stack

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1"))
SEED = int(os.environ.get("FUZZ_SEED", "20260217"))
LONG = EXAMPLES > 1
COVERAGE_STEP = int(os.environ.get("FUZZ_COVERAGE_STEP", "1" if LONG else "400"))
MOST_TURNS = 10
"""Runs until a story has come to each operation."""
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
    schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
    # Keys are ours to add: one that was made up would be refused before anything is looked at.
    schema.config.generation.update(with_security_parameters=False)
    # OPTIONS is the gateway's to answer, and HEAD and TRACE have no body to judge.
    schema.config.phases.coverage.unexpected_methods = {"get", "put", "post", "patch", "delete"}
    # What passes the proxy is the provider's: tests/attacks/test_proxy.py has the requests for it.
    # Pages are for browsers, which may ask with any query: tests/integration/test_web.py has those.
    return schema.exclude(path="/docs").exclude(path_regex="/proxy/").exclude(tag="Web")


class Caller:
    """Sends generated requests with one key, some of them to what is there, and judges answers."""

    def __init__(self, world: World, permission: str, reached: Reached) -> None:
        self._world = world
        self._reached = reached
        self._permission = permission
        operator = permission == "operator"
        self._key = world.stack.api_key if operator else world.key(permission)
        self._sent: Counter[str] = Counter()

    def headers(self, case: Any) -> dict[str, str]:
        """With the key; on the routes of end users, the operator has the token of a session."""
        key, said = self._key, case.operation.definition.raw
        if self._permission == "operator" and {"installToken": []} in said.get("security", []):
            key = self._world.install_token(case.operation.label)
        return {"Authorization": f"Bearer {key}"}

    def send(self, case: Any) -> None:
        turn = f"{case.operation.label} {case.meta.generation.mode}"
        self._aim(case, self._sent[turn] % 4)
        self._sent[turn] += 1
        if len(prepared_url(case)) <= MAX_LINE:
            self.judge(case, self.call(case))

    def begin(self, case: Any) -> None:
        """A create that others go on from: in the world's organization, with a body that is sure.
        What goes on has its names from the answer before, and every second time a sure body."""
        if case.operation.definition.raw["responses"].get("201", {}).get("links"):
            self._aim(case, 0)
            # One that was used before, with another body, would be a conflict.
            if fits(case, ParameterLocation.HEADER) and "idempotency-key" in case.headers:
                case.headers["idempotency-key"] = uuid.uuid4().hex
            return
        self._sent[case.operation.label] += 1
        if self._sent[case.operation.label] % 2:
            self._aim_at_any_revision(case)
            if fits(case, ParameterLocation.BODY) and isinstance(case.body, dict):
                case.body = filled(example(case.operation.definition.raw), self._world.stay)

    def call(self, case: Any) -> Any:
        return case.call(base_url=self._world.stack.api_url, headers=self.headers(case))

    def judge(self, case: Any, answer: Any, **options: Any) -> None:
        operation = case.operation.label
        self._reached[operation][f"{answer.status_code // 100}xx"] += 1
        left_out = []
        # What a missing or wrong key gets is asked once: it does not depend on the request.
        sampled = LONG or len(operation) % 4 == 0
        if operation in self._world.keyless or not sampled:
            left_out.append(ignored_auth)
        elif answer.status_code < 300:
            self._world.keyless.add(operation)
        if answer.status_code == 200 and reported(operation, case.query):
            left_out.append(negative_data_rejection)
        is_json = "json" in answer.headers.get("content-type", ["json"])[0]
        if answer.status_code == 200 and is_json and kept(operation, answer.json()):
            left_out.append(use_after_free)
        if answer.status_code >= 400:
            error = answer.json()["error"]
            assert error["status"] == answer.status_code
            if excused(operation, answer.status_code, error):
                left_out.append(positive_data_acceptance)
            if named_by_body(operation, error):
                left_out.append(ensure_resource_availability)
        case.validate_response(
            answer, headers=self.headers(case), excluded_checks=left_out, **options
        )

    def _aim(self, case: Any, flavor: int) -> None:
        """Of four requests three go to what is there, and one of these has the example's body."""
        if flavor == 3:
            return
        operation = case.operation.label
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
        self._aim_at_any_revision(case)
        if fits(case, ParameterLocation.BODY) and isinstance(case.body, dict | list):
            case.body = filled(example(said) if flavor == 0 else case.body, names)

    def _aim_at_any_revision(self, case: Any) -> None:
        if fits(case, ParameterLocation.HEADER) and "if-match" in case.headers:
            case.headers["if-match"] = "*"


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
    for number, result in enumerate(document().get_all_operations()):
        operation: Any = result.ok()
        # The short form asks of everything once, and of a part of it what is wrong.
        if not LONG and reached[operation.label]["2xx"] and number % 8:
            continue
        for mode in GenerationMode if LONG or number % 4 == 0 else [GenerationMode.POSITIVE]:
            with noting(found, f"{operation.label} {mode}"):
                fuzzed(operation.as_strategy(generation_mode=mode), caller.send)
    assert not found, "\n\n".join(found)


def test_the_limits_that_the_document_names_are_those_of_the_api(
    world: World, reached: Reached
) -> None:
    """Values at and beyond each bound, left out, of another type; methods and contents that the
    document does not have."""
    caller = Caller(world, "operator", reached)
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


def test_what_was_made_can_be_read_changed_and_deleted(world: World, reached: Reached) -> None:
    """Along the links of the document: from a create to what its answer leads to."""
    caller = Caller(world, "operator", reached)
    found: list[str] = []
    followed: set[tuple[str, str]] = set()
    own = own_operations(document())
    told(document(), caller, found, followed, SEED)
    for create in sorted(own) if LONG else ():
        labels = {create, *own[create]}
        for turn in range(MOST_TURNS):
            told(document().include(name=sorted(labels)), caller, found, followed, SEED + turn)
            if all((create, label) in followed for label in own[create]):
                break
        else:
            found.append(f"not all that may follow {create} was done: {own[create]}")
    assert not found, "\n\n".join(found)


def told(
    schema: Any, caller: Caller, found: list[str], followed: set[tuple[str, str]], number: int
) -> None:
    """Runs a seed's stories; notes what failed, and which operation was done after which."""
    # Links that schemathesis guesses lead from whatever a list has: things of other tests too.
    schema.config.phases.stateful.inference.algorithms = []

    class Story(schema.as_state_machine()):  # type: ignore[misc]  # made at run time
        def before_call(self, case: Any) -> None:
            caller.begin(case)

        def call(self, case: Any, **_: Any) -> Any:
            return caller.call(case)

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            if len(prepared_url(case)) > MAX_LINE:
                return
            with noting(found, f"{case.operation.label} in a story"):
                caller.judge(case, response, recorder=self.recorder)
            parent = self.recorder.find_parent(case_id=case.id)
            if parent is not None and response.status_code < 300:
                followed.add((parent.operation.label, case.operation.label))

    # One story may come to where another was, and find what that one left: then hypothesis
    # refuses to go on. What failed is noted by then.
    with suppress(FlakyStrategyDefinition):
        seed(number)(Story).run(
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=6,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                database=None,
            )
        )


def own_operations(schema: Any) -> dict[str, set[str]]:
    """Of each create: what is done to the thing itself that it made, one path parameter further."""
    paths = schema.raw_schema["paths"]
    operations = {
        operation["operationId"]: (f"{method.upper()} {path}", path)
        for path, methods in paths.items()
        for method, operation in methods.items()
    }
    own: dict[str, set[str]] = defaultdict(set)
    for path, methods in paths.items():
        created = methods.get("post", {}).get("responses", {}).get("201", {})
        for linked in created.get("links", {}):
            label, target = operations[linked]
            if target.endswith("}"):
                own[f"POST {path}"].add(label)
    return own


def test_every_operation_was_reached(reached: Reached) -> None:
    """Depends on the tests before it."""
    # A callback succeeds by its redirect.
    never = {label for label, counts in reached.items() if not counts["2xx"] + counts["3xx"]}
    assert not never - REACHED_ELSEWHERE
