"""What a test shows of each capability that a release declares. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict

from patchbay.checks.report import Step
from patchbay.checks.roles import Capability, Role
from patchbay.platform.model import Model

if TYPE_CHECKING:
    # Reading a report needs no recipe.
    from patchbay.checks.recipe import Recipe

type CapabilityStatus = Literal["proven", "at_risk", "untested"]


class CapabilityReport(Model):
    """A capability that a release declares.

    `proven`: its steps passed. `at_risk`: one of them did not, which does not affect other
    capabilities. `untested`: the release has no step for it, or none of its steps ran.
    """

    model_config = ConfigDict(frozen=True)

    role: Role
    name: Capability
    status: CapabilityStatus


def capability_reports(
    role: Role, recipe: "Recipe", steps: Iterable[Step]
) -> list[CapabilityReport]:
    """The capabilities of one endpoint's release, by the steps of its own report."""
    seen = {step.name: step.status for step in steps}
    return [
        CapabilityReport(
            role=role,
            name=name,
            status=_status(
                [seen.get(step.name) for step in recipe.steps if step.capability == name]
            ),
        )
        for name in recipe.capabilities
    ]


def _status(outcomes: list[str | None]) -> CapabilityStatus:
    if any(outcome in {"failed", "warning"} for outcome in outcomes):
        return "at_risk"
    if outcomes and all(outcome == "passed" for outcome in outcomes):
        return "proven"
    return "untested"
