"""What the runner runs: the steps of a recipe with the values of an endpoint filled in. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from patchbay.checks.manifest_steps import ManifestStep
from patchbay.checks.probe import Compiled
from patchbay.checks.problems import PlanProblem
from patchbay.checks.report import StepCategory
from patchbay.checks.templates import Placeholder, Values

# Stands for a secret that an earlier step will obtain. It is never sent: the step is compiled
# again before it runs.
_NOT_YET: Final = "not-obtained-yet"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step that is ready to run.

    `recompile` is set if the step uses a secret that a step before it obtains: it compiles the step
    again with the secrets obtained, by name, and raises ValueRefused. Without it `compiled` is
    final. `obtained` are the pointers of these secrets: no field of the endpoint has them.
    """

    name: str
    category: StepCategory
    mandatory: bool
    timeout_ms: int
    compiled: Compiled = field(repr=False)
    recompile: Callable[[Mapping[str, str]], Compiled] | None = field(default=None, repr=False)
    retry: bool = False
    obtained: frozenset[str] = frozenset()

    @classmethod
    def of(cls, step: ManifestStep, values: Values) -> "PlannedStep":
        """The step with these values. Raises ValueRefused."""

        if not step.obtained:
            return cls(
                step.name,
                step.category,
                step.mandatory,
                step.timeout_ms,
                step.template.compile(values),
                None,
                step.retry,
            )

        def compiled(obtained: Mapping[str, str]) -> Compiled:
            secrets = {**values.secrets, **obtained}
            return step.template.compile(Values(values.variables, secrets, values.kept))

        return cls(
            step.name,
            step.category,
            step.mandatory,
            step.timeout_ms,
            # Any value shows whether the rest of the step can be compiled.
            compiled(dict.fromkeys(step.obtained, _NOT_YET)),
            compiled,
            step.retry,
            frozenset(Placeholder("secrets", name).pointer for name in step.obtained),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one test. With `problems` there are no steps: nothing is dialed.

    No text of the report may contain any of the `secret_values`.
    """

    timeout_ms: int
    steps: tuple[PlannedStep, ...] = ()
    problems: tuple[PlanProblem, ...] = ()
    secret_values: tuple[str, ...] = field(default=(), repr=False)
