"""The last steps of a connection's test, which dial nothing. Pure."""

from collections.abc import Sequence
from functools import cache
from typing import Final

from patchbay.checks.recipe import Recipe
from patchbay.checks.redaction import Redactor
from patchbay.checks.report import Step
from patchbay.platform.errors import Problem

CONFIGURATIONS: Final = "configurations"
CAPABILITIES: Final = "capabilities"


def configurations_step(problems: Sequence[Problem], secrets: Sequence[str]) -> Step:
    """The step that holds the connection's configurations to the source's release.

    They were valid when they were stored; an upgrade of the source may have changed that. Their
    names may be anything, even `secrets`.
    """
    if not problems:
        return _accepted()
    redact = Redactor(secrets)
    return Step.failed(
        CONFIGURATIONS,
        "config_invalid",
        "; ".join(f"{redact(p.pointer)} {p.message}" for p in problems) + ".",
        field_pointer=redact.pointer(problems[0].pointer, is_declared=False),
    )


@cache
def _accepted() -> Step:
    return Step(name=CONFIGURATIONS, status="passed", summary="The source's release accepts them.")


def capabilities_step(source: Recipe, destination: Recipe) -> Step:
    """The step that compares what the source gives with what the destination takes.

    Nothing in common fails the connection; something that is not taken is a warning. Releases that
    declare nothing can't be compared.
    """
    given, taken = source.capabilities, destination.capabilities
    if not given or not taken:
        return Step(
            name=CAPABILITIES,
            mandatory=False,
            status="skipped",
            summary="One of the releases declares no capabilities: there is nothing to compare.",
            skip_reason="not_applicable",
        )
    missing = [name for name in given if name not in taken]
    if not missing:
        names = ", ".join(given)
        return Step(name=CAPABILITIES, status="passed", summary=f"The destination takes {names}.")
    names = ", ".join(missing)
    return Step.failed(
        CAPABILITIES,
        "config_invalid",
        f"The destination does not take {names}, which the source gives.",
        mandatory=len(missing) == len(given),
        field_pointer="/destination_id",
    )
