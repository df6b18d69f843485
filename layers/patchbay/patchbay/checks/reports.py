"""Reports of several endpoints as one."""

from collections.abc import Mapping

from patchbay.checks.model import CheckReport


def joined[R: str](reports: Mapping[R, CheckReport]) -> CheckReport:
    """One report of a connection's endpoints, by role.

    It passed if all did, and is verified if all are. The first that failed, or else the first that
    is not verified, speaks for it. With more than one, steps and message name their role.
    """
    if len(reports) == 1:
        [only] = reports.values()
        return only
    speaking = min(reports, key=lambda role: (reports[role].passed, reports[role].verified))
    spokesman = reports[speaking]
    verified = all(report.verified for report in reports.values())
    return spokesman.model_copy(
        update={
            "verified": verified,
            "latency_ms": max(report.latency_ms for report in reports.values()),
            "message": spokesman.message if verified else f"{speaking}: {spokesman.message}",
            "steps": tuple(
                step.model_copy(update={"name": f"{role}: {step.name}"})
                for role, report in reports.items()
                for step in report.steps
            ),
        }
    )
