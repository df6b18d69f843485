"""What makes a draft publishable: every problem at once, each with a JSON Pointer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from patchbay.platform.errors import Problem
from patchbay.platform.schemas import schema_problems
from patchbay.registry.model import ROLES, Integration


class PlanProblem(Protocol):
    """What the check engine finds wrong: a pointer into the manifest and a sentence."""

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

AUTH_TYPES = ("oauth2", "api_key", "none")
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
    problems = [
        *schema_problems(draft.variables_schema, "/variablesSchema"),
        *_auth_problems(draft.auth_config),
        *_manifest_problems(draft.manifest),
    ]
    if not problems:
        found = plan_problems(draft.manifest, draft.auth_config, draft.variables_schema)
        problems += [Problem(f"/manifest{p.pointer}", p.message) for p in found]
    return problems


def _auth_problems(auth_config: Mapping[str, Any]) -> list[Problem]:
    if auth_config.get("type") not in AUTH_TYPES:
        return [Problem("/authConfig/type", f"is one of {', '.join(AUTH_TYPES)}")]
    return [
        Problem(f"/authConfig/{name}", "is a string")
        for name in ("authHeaderName", "authValuePrefix", "callbackUrl")
        if not isinstance(auth_config.get(name, ""), str)
    ]


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
