"""`manifest.checks`: its steps as their kinds read them, and the problems of all of it.

Defaults: a step is a gate; a gate is mandatory, a capability is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from patchbay.checks.credentials import Credential
from patchbay.checks.kinds import KINDS, kind_of
from patchbay.checks.patterns import patterns_problem
from patchbay.checks.probe import Kind, StepTemplate
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.report import StepCategory
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Declarations
from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer as pointer_to

DEFAULT_TIMEOUT_MS: Final = 10_000
MAX_TIMEOUT_MS: Final = 60_000
"""The time of a queued test. A test that a caller waits for ends after 25 s at the latest."""
MAX_STEPS: Final = 20
MAX_NAME: Final = 64
# The gates that every test begins with; a step of a manifest can't have their names.
GATES: Final = ("config", "secrets", "egress", "dns", "tcp", "tls")

_CHECKS_KEYS: Final = frozenset({"timeoutMs", "steps"})
_STEP_KEYS: Final = frozenset(
    {"name", "kind", "category", "mandatory", "capability", "timeoutMs", "retry"}
)


@dataclass(frozen=True, slots=True)
class ManifestStep:
    """A step of a manifest without problems, before any value is filled in.

    `parts` are the templates that dial: the template itself, or those inside it.
    With `retry` a failure that a second try may mend is tried once more within the test. `obtained`
    are the secrets it uses that mandatory gates before it obtain.
    """

    name: str
    category: StepCategory
    mandatory: bool
    timeout_ms: int
    retry: bool
    capability: str | None
    template: StepTemplate
    parts: tuple[StepTemplate, ...]
    obtained: frozenset[str]


def checks_problems(manifest: Mapping[str, object]) -> list[Problem]:
    """What is wrong with `checks` itself; its steps are judged by `read_steps`."""
    checks = manifest.get("checks", {})
    if not isinstance(checks, dict):
        return [Problem("/manifest/checks", "must be an object")]
    problems = [
        Problem(f"/manifest/checks{pointer_to([key])}", "is not a known key")
        for key in checks.keys() - _CHECKS_KEYS
    ]
    problems += _timeout_problems(checks, "/manifest/checks")
    steps = checks.get("steps", [])
    if not isinstance(steps, list) or sum(map(_calls, steps)) > MAX_STEPS:
        message = f"must be a list of at most {MAX_STEPS} steps, alternatives included"
        problems.append(Problem("/manifest/checks/steps", message))
    elif refused := patterns_problem(steps):
        problems.append(Problem("/manifest/checks/steps", refused))
    return problems


def _calls(step: object) -> int:
    """How many steps it counts as: each alternative of an `any_of` is one."""
    alternatives = step.get("anyOf") if isinstance(step, dict) else None
    return max(1, len(alternatives)) if isinstance(alternatives, list) else 1


def read_timeout(manifest: Mapping[str, object]) -> int | None:
    """The time limit that a manifest sets for a whole test, in milliseconds."""
    checks = manifest.get("checks")
    return _timeout(checks) if isinstance(checks, dict) and "timeoutMs" in checks else None


def read_steps(
    manifest: Mapping[str, object],
    declared: Declarations,
    credential: Credential | None,
    auth_config: Mapping[str, object],
) -> tuple[list[ManifestStep], list[Problem]]:
    """The steps of a manifest whose `checks` itself has no problems, and the problems of the steps.

    Pointers lead into the integration (`/manifest/checks/steps/0/request/url`). A step that has
    problems is left out.
    """
    checks = manifest.get("checks")
    steps = checks.get("steps", []) if isinstance(checks, dict) else []
    read: list[ManifestStep] = []
    problems: list[Problem] = []
    if steps and all(isinstance(step, dict) and not _is_mandatory(step) for step in steps):
        problems.append(Problem("/manifest/checks/steps", "must have at least one mandatory step"))
    taken, provided = set(GATES), frozenset[str]()
    for index, step in enumerate(steps):
        pointer = f"/manifest/checks/steps/{index}"
        if not isinstance(step, dict):
            problems.append(Problem(pointer, "must be an object"))
            continue
        found = list(_step_problems(step, pointer, manifest, taken))
        problems += found
        if step.get("kind") not in KINDS:
            continue
        kind = kind_of(str(step["kind"]))
        try:
            known = replace(declared, secrets=declared.secrets | provided)
            template = kind.read(StepReader(step, pointer, known, credential, auth_config))
        except ManifestProblems as more:
            problems += more.problems
            continue
        if not found:
            taken.add(str(step["name"]))
            read.append(_manifest_step(step, template, kind, provided))
            if read[-1].mandatory and read[-1].category == "gate":
                provided |= kind.provides(template)
    return read, problems


def _manifest_step(
    step: Mapping[str, object], template: StepTemplate, kind: Kind, provided: frozenset[str]
) -> ManifestStep:
    capability = step.get("capability")
    return ManifestStep(
        name=str(step["name"]),
        category="capability" if step.get("category") == "capability" else "gate",
        mandatory=_is_mandatory(step),
        timeout_ms=_timeout(step),
        retry=step.get("retry") is True,
        capability=capability if isinstance(capability, str) else None,
        template=template,
        parts=kind.parts(template),
        obtained=provided
        and provided.intersection(p.name for p in template.placeholders() if p.source == "secrets"),
    )


def _is_mandatory(step: Mapping[str, object]) -> bool:
    return bool(step.get("mandatory", step.get("category") != "capability"))


def _step_problems(
    step: Mapping[str, object], pointer: str, manifest: Mapping[str, object], taken: set[str]
) -> Iterator[Problem]:
    """What is wrong with the keys that steps of all kinds have."""
    name = step.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        yield Problem(
            f"{pointer}/name", f"must be a string of 1 to {MAX_NAME} printable characters"
        )
    elif name in taken:
        yield Problem(f"{pointer}/name", "is the name of another step or of a gate")
    if step.get("kind") not in KINDS:
        yield Problem(f"{pointer}/kind", f"must be one of {', '.join(KINDS)}")
    else:
        for key in step.keys() - _STEP_KEYS - kind_of(str(step["kind"])).keys:
            yield Problem(f"{pointer}{pointer_to([key])}", "is not a known key")
    if step.get("category", "gate") not in ("gate", "capability"):
        yield Problem(f"{pointer}/category", "must be gate or capability")
    if not isinstance(step.get("mandatory", True), bool):
        yield Problem(f"{pointer}/mandatory", "must be true or false")
    if not isinstance(step.get("retry", False), bool):
        yield Problem(f"{pointer}/retry", "must be true or false")
    capability, known = step.get("capability"), manifest.get("capabilities")
    if capability is not None and not (isinstance(known, list) and capability in known):
        yield Problem(f"{pointer}/capability", "must be one of the manifest's capabilities")
    yield from _timeout_problems(step, pointer)


def _timeout_problems(spec: Mapping[str, object], pointer: str) -> Iterator[Problem]:
    timeout = spec.get("timeoutMs", DEFAULT_TIMEOUT_MS)
    if type(timeout) is not int or not 1 <= timeout <= MAX_TIMEOUT_MS:
        yield Problem(f"{pointer}/timeoutMs", f"must be an integer from 1 to {MAX_TIMEOUT_MS}")


def _timeout(spec: Mapping[str, object]) -> int:
    timeout = spec.get("timeoutMs", DEFAULT_TIMEOUT_MS)
    return min(timeout, MAX_TIMEOUT_MS) if isinstance(timeout, int) else DEFAULT_TIMEOUT_MS
