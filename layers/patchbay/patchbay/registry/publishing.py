"""What makes a draft publishable: every problem at once, each with a JSON Pointer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from patchbay.checks.auth_config import auth_config_problems
from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import default_problems, object_schema_problems
from patchbay.registry.manifest import manifest_problems
from patchbay.registry.model import Integration


class PlanProblem(Protocol):
    """What the check engine finds wrong: a pointer into the integration and a sentence."""

    @property
    def pointer(self) -> str: ...

    @property
    def message(self) -> str: ...


type PlanProblems = Callable[
    [Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], Iterable[PlanProblem]
]
"""(manifest, authConfig, variablesSchema) → problems of the check plan.

The check engine gives it: the registry knows manifests, the engine knows what a check can do.
"""


def problems_of(draft: Integration, plan_problems: PlanProblems) -> list[Problem]:
    """Why this draft can't become a release, by its own content; empty if it can.

    Whether its dependencies can be met is `RegistryStore.dependency_problems`.
    """
    found = plan_problems(draft.manifest, draft.auth_config, draft.variables_schema)
    problems = [
        *object_schema_problems(draft.variables_schema, "/variablesSchema"),
        *default_problems(draft.variables_schema, "/variablesSchema"),
        *manifest_problems(draft.manifest, draft.variables_schema),
        *auth_config_problems(draft.auth_config),
        *(Problem(problem.pointer, problem.message) for problem in found),
    ]
    # Two judges may find the same place: the first word on it is enough.
    first = {problem.pointer: problem for problem in reversed(problems)}
    return sorted(first.values(), key=lambda problem: problem.pointer)
