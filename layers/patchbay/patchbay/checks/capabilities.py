"""What a test says of each capability, and whether two endpoints have any in common. Pure."""

from collections.abc import Iterable
from typing import Final, Literal

from pydantic import ConfigDict

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import Step
from patchbay.checks.roles import Capability, Role
from patchbay.platform.model import Model

type CapabilityStatus = Literal["proven", "at_risk", "untested"]

NAME: Final = "capabilities"


class CapabilityReport(Model):
    """A capability that a release declares.

    `proven`: its steps passed. `at_risk`: one of them did not; other capabilities are not touched
    by that. `untested`: the release has no step for it, or none of them came to run.
    """

    model_config = ConfigDict(frozen=True)

    role: Role
    name: Capability
    status: CapabilityStatus


def capability_reports(role: Role, recipe: Recipe, steps: Iterable[Step]) -> list[CapabilityReport]:
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


def fitting(source: Recipe, destination: Recipe) -> Step:
    """The last step of a connection's test: whether the destination takes what the source gives.

    Nothing in common fails the connection; something that is not taken is a warning. Releases that
    declare nothing can't be compared.
    """
    given, taken = source.capabilities, destination.capabilities
    if not given or not taken:
        return Step(
            name=NAME,
            mandatory=False,
            status="skipped",
            summary="One of the releases declares no capabilities: there is nothing to compare.",
            skip_reason="not_applicable",
        )
    missing = [name for name in given if name not in taken]
    if not missing:
        told = ", ".join(given)
        return Step(name=NAME, status="passed", summary=f"The destination takes {told}.")
    told = ", ".join(missing)
    return Step.failed(
        NAME,
        "config_invalid",
        f"The destination does not take {told}, which the source gives.",
        mandatory=len(missing) == len(given),
        field_pointer="/destination_id",
    )
