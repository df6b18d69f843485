"""From a manifest and the values of an endpoint to what will be dialled. Pure: nothing is dialled
here.

`plan_problems` judges a manifest whatever the values will be; publishing asks it. `compile_plan`
fills the values in. Whatever it finds wrong becomes a problem of the plan, which the runner
answers as the failed gate `config` or `secrets`: a test of a broken configuration is a result, not
an error.

Defaults: a step is a gate; a gate is mandatory, a capability is not.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from patchbay.checks.auth_config import SECRETS_OF_TYPE, auth_type
from patchbay.checks.credentials import credential, credential_problems
from patchbay.checks.kinds import KINDS, kind_of
from patchbay.checks.probe import Compiled, StepTemplate
from patchbay.checks.problems import Problem, Problems
from patchbay.checks.report import StepCategory
from patchbay.checks.templates import Declared, Placeholder, ValueRefused, Values
from patchbay.platform.json_schema import with_defaults

DEFAULT_TIMEOUT_MS: Final = 10_000
MAX_TIMEOUT_MS: Final = 60_000
"""What a queued test has. One that a caller waits for ends after 25 s, whatever is asked for."""
MAX_STEPS: Final = 20
MAX_NAME: Final = 64
# The gates that every test begins with; a manifest's step can't take their names.
GATES: Final = ("config", "secrets", "egress", "dns", "tcp", "tls")

# Stands for a secret that an earlier step will obtain; never sent: the step is made anew before.
_NOT_YET: Final = "not-obtained-yet"
_CHECKS_KEYS: Final = frozenset({"timeoutMs", "steps"})
_STEP_KEYS: Final = frozenset({"name", "kind", "category", "mandatory", "capability", "timeoutMs"})


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """What is tested: a release's `manifest`, `authConfig` and `variablesSchema`, and the values.

    Nothing of the secrets is printed with it.
    """

    manifest: Mapping[str, object]
    auth_config: Mapping[str, object]
    variables_schema: Mapping[str, object]
    variables: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """`recompile` makes it anew with secrets that the steps before it obtained, by name.

    It is there when one of them obtains a secret that this one uses; without it `compiled` is
    final. It raises ValueRefused.
    """

    name: str
    category: StepCategory
    mandatory: bool
    timeout_ms: int
    compiled: Compiled = field(repr=False)
    recompile: Callable[[Mapping[str, str]], Compiled] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the runner runs. With `problems` there are no steps: nothing would be dialled.

    `secret_values` are what no text of the result may contain.
    """

    timeout_ms: int
    steps: tuple[PlannedStep, ...] = ()
    problems: tuple[Problem, ...] = ()
    secret_values: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _StepOutline:
    name: str
    category: StepCategory
    mandatory: bool
    timeout_ms: int
    template: StepTemplate
    obtained: frozenset[str]
    """The secrets it uses that steps before it obtain."""


def compile_plan(target: CheckTarget) -> Plan:
    """The plan of a test. Never raises for what tenants or manifests contain.

    Problems have the code `config_missing_field` or `config_invalid` with a pointer like
    `/variables/region`, or `secret_not_found` with one like `/secrets/api_key`. A variable that is
    not given takes the `default` of its schema.
    """
    secret_values = tuple(value for value in target.secrets.values() if value)
    outlines, problems = _read(target.manifest, target.auth_config, target.variables_schema)
    timeout_ms = _timeout(_mapping(target.manifest.get("checks")))
    if problems:
        return Plan(timeout_ms, problems=tuple(problems), secret_values=secret_values)
    values = Values(with_defaults(target.variables, target.variables_schema), target.secrets)
    problems = [*_missing(target, outlines, values)]
    steps = []
    if not problems:
        for outline in outlines:
            try:
                compiled, recompile = _compiled(outline, values)
            except ValueRefused as refusal:
                problems.append(refusal.problem)
                continue
            secret_values += compiled.secret_values
            steps.append(
                PlannedStep(
                    outline.name,
                    outline.category,
                    outline.mandatory,
                    outline.timeout_ms,
                    compiled,
                    recompile,
                )
            )
    return Plan(
        timeout_ms,
        steps=() if problems else tuple(steps),
        problems=tuple(dict.fromkeys(problems)),
        secret_values=secret_values,
    )


def _compiled(
    outline: _StepOutline, values: Values
) -> tuple[Compiled, Callable[[Mapping[str, str]], Compiled] | None]:
    if not outline.obtained:
        return outline.template.compile(values), None

    def recompile(obtained: Mapping[str, str]) -> Compiled:
        return outline.template.compile(Values(values.variables, {**values.secrets, **obtained}))

    # Any value will do to see whether the rest of the step can be made.
    return recompile(dict.fromkeys(outline.obtained, _NOT_YET)), recompile


def templates_of(target: CheckTarget) -> list[StepTemplate]:
    """The steps of a release, before any value is filled in."""
    outlines, _ = _read(target.manifest, target.auth_config, target.variables_schema)
    return [outline.template for outline in outlines]


def plan_problems(
    manifest: Mapping[str, object],
    auth_config: Mapping[str, object],
    variables_schema: Mapping[str, object],
) -> list[Problem]:
    """What is wrong with the checks of an integration, whatever values an endpoint will give.

    Pointers lead into the integration (`/manifest/checks/steps/0/request/url`, `/authConfig/type`).
    An empty list: every plan of this manifest compiles, if the values are usable.
    """
    return _read(manifest, auth_config, variables_schema)[1]


def _read(
    manifest: Mapping[str, object],
    auth_config: Mapping[str, object],
    variables_schema: Mapping[str, object],
) -> tuple[list[_StepOutline], list[Problem]]:
    problems = list(credential_problems(auth_config))
    checks = manifest.get("checks", {})
    if not isinstance(checks, dict):
        return [], [*problems, Problem("/manifest/checks", "must be an object")]
    problems += [
        Problem(f"/manifest/checks/{key}", "is not a known key")
        for key in checks.keys() - _CHECKS_KEYS
    ]
    problems += _timeout_problems(checks, "/manifest/checks")
    steps = checks.get("steps", [])
    if not isinstance(steps, list) or len(steps) > MAX_STEPS:
        return [], [
            *problems,
            Problem("/manifest/checks/steps", f"must be a list of at most {MAX_STEPS} steps"),
        ]
    if problems:
        return [], problems
    if steps and all(isinstance(step, dict) and not _is_mandatory(step) for step in steps):
        problems.append(Problem("/manifest/checks/steps", "must have at least one mandatory step"))
    declared = _declared(manifest, auth_config, variables_schema)
    sent = credential(auth_config)
    outlines: list[_StepOutline] = []
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
            template = kind.read(step, pointer, declared, sent)
        except Problems as more:
            problems += more.problems
            continue
        if not found:
            taken.add(str(step["name"]))
            outlines.append(_outline(step, template, provided))
            if outlines[-1].mandatory and outlines[-1].category == "gate":
                provided |= kind.provides
    return outlines, problems


def _outline(
    step: Mapping[str, object], template: StepTemplate, provided: frozenset[str]
) -> _StepOutline:
    category: StepCategory = "capability" if step.get("category") == "capability" else "gate"
    obtained = provided and provided.intersection(
        p.name for p in template.placeholders() if p.source == "secrets"
    )
    return _StepOutline(
        str(step["name"]), category, _is_mandatory(step), _timeout(step), template, obtained
    )


def _is_mandatory(step: Mapping[str, object]) -> bool:
    return bool(step.get("mandatory", step.get("category") != "capability"))


def _step_problems(
    step: Mapping[str, object], pointer: str, manifest: Mapping[str, object], taken: set[str]
) -> Iterator[Problem]:
    """What is wrong with the part of a step that all kinds have in common."""
    name = step.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME or not name.isprintable():
        yield Problem(f"{pointer}/name", f"must be a text of 1 to {MAX_NAME} characters")
    elif name in taken:
        yield Problem(f"{pointer}/name", "is the name of another step or of a gate")
    if step.get("kind") not in KINDS:
        yield Problem(f"{pointer}/kind", f"must be one of {', '.join(KINDS)}")
    else:
        for key in step.keys() - _STEP_KEYS - kind_of(str(step["kind"])).keys:
            yield Problem(f"{pointer}/{key}", "is not a known key")
    if step.get("category", "gate") not in ("gate", "capability"):
        yield Problem(f"{pointer}/category", "must be gate or capability")
    if not isinstance(step.get("mandatory", True), bool):
        yield Problem(f"{pointer}/mandatory", "must be true or false")
    capability, known = step.get("capability"), manifest.get("capabilities")
    if capability is not None and not (isinstance(known, list) and capability in known):
        yield Problem(f"{pointer}/capability", "must be one of the manifest's capabilities")
    yield from _timeout_problems(step, pointer)


def _timeout_problems(spec: Mapping[str, object], pointer: str) -> Iterator[Problem]:
    timeout = spec.get("timeoutMs", DEFAULT_TIMEOUT_MS)
    if type(timeout) is not int or not 1 <= timeout <= MAX_TIMEOUT_MS:
        yield Problem(f"{pointer}/timeoutMs", f"must be a number from 1 to {MAX_TIMEOUT_MS}")


def _timeout(spec: Mapping[str, object]) -> int:
    timeout = spec.get("timeoutMs", DEFAULT_TIMEOUT_MS)
    return min(timeout, MAX_TIMEOUT_MS) if isinstance(timeout, int) else DEFAULT_TIMEOUT_MS


def _declared(
    manifest: Mapping[str, object],
    auth_config: Mapping[str, object],
    variables_schema: Mapping[str, object],
) -> Declared:
    variables = _mapping(variables_schema.get("properties"))
    secrets_schema = _mapping(manifest.get("secretsSchema"))
    return Declared(
        variables=frozenset(variables),
        secrets=frozenset(SECRETS_OF_TYPE[auth_type(auth_config)])
        | frozenset(_mapping(secrets_schema.get("properties"))),
        hostnames=frozenset(
            name
            for name, schema in variables.items()
            if _mapping(schema).get("format") == "hostname"
        ),
        scopes=_texts(auth_config.get("scopes")),
        token_url=token_url if isinstance(token_url := auth_config.get("tokenUrl"), str) else None,
    )


def _missing(
    target: CheckTarget, outlines: list[_StepOutline], values: Values
) -> Iterator[Problem]:
    """What the endpoint has to give and does not: what schemas require, and what steps use.

    The secret `api_key` is asked for by its type alone, even when no step sends it.
    """
    required = [Placeholder("variables", n) for n in _required(target.variables_schema)]
    if auth_type(target.auth_config) == "api_key":
        required.append(Placeholder("secrets", "api_key"))
    secrets_schema = _mapping(target.manifest.get("secretsSchema"))
    required += [Placeholder("secrets", name) for name in _required(secrets_schema)]
    for outline in outlines:
        required += (
            p
            for p in outline.template.placeholders()
            if p.source == "variables" or p.name not in outline.obtained
        )
    for placeholder in dict.fromkeys(required):
        if placeholder.source == "variables":
            if values.variables.get(placeholder.name) is None:
                yield Problem(placeholder.pointer, "is missing", "config_missing_field")
        elif not values.secrets.get(placeholder.name):
            yield Problem(placeholder.pointer, "is missing", "secret_not_found")


def _required(schema: Mapping[str, object]) -> tuple[str, ...]:
    return _texts(schema.get("required"))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
