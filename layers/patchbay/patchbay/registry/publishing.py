"""What makes a draft publishable: every problem at once, each with a JSON Pointer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from patchbay.platform.errors import Problem
from patchbay.platform.schemas import schema_problems
from patchbay.registry.model import ROLES, Integration


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

MANIFEST_FIELDS = frozenset(
    {
        "checks",
        "roles",
        "capabilities",
        "configurationSchema",
        "secretsSchema",
        "members",
        "dependencies",
        "defaults",
    }
)


def problems_of(draft: Integration, plan_problems: PlanProblems) -> list[Problem]:
    """Why this draft can't become a release; empty if it can."""
    found = plan_problems(draft.manifest, draft.auth_config, draft.variables_schema)
    problems = {
        *schema_problems(draft.variables_schema, "/variablesSchema"),
        *_manifest_problems(draft.manifest),
        *([] if "type" in draft.auth_config else [Problem("/authConfig/type", "is required")]),
        *(Problem(problem.pointer, problem.message) for problem in found),
    }
    return sorted(problems, key=lambda problem: (problem.pointer, problem.message))


def _manifest_problems(manifest: Mapping[str, Any]) -> list[Problem]:
    problems = [
        Problem(f"/manifest/{name}", "is not a field of a manifest")
        for name in manifest
        if name not in MANIFEST_FIELDS
    ]
    for name in ("configurationSchema", "secretsSchema"):
        if name in manifest:
            problems += schema_problems(manifest[name], f"/manifest/{name}")
    roles = manifest.get("roles", list(ROLES))
    if not isinstance(roles, list) or not roles or any(role not in ROLES for role in roles):
        problems.append(Problem("/manifest/roles", f"is a list of {' and '.join(ROLES)}"))
    capabilities = manifest.get("capabilities", [])
    if not isinstance(capabilities, list) or any(not isinstance(c, str) for c in capabilities):
        problems.append(Problem("/manifest/capabilities", "is a list of names"))
    return problems
