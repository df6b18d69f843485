"""The report of a connection, from those of its endpoints. Pure."""

from collections.abc import Mapping, Sequence

from patchbay.checks.report import CheckReport, Step
from patchbay.checks.verdict import verdict


def joined_report[R: str](reports: Mapping[R, CheckReport]) -> CheckReport:
    """One report of a connection's endpoints, by role.

    It passed if all did, and is verified if all are. Its message is that of the first that failed,
    or else of the first that is not verified. With more than one, steps and message name their
    role.
    """
    if len(reports) == 1:
        [only] = reports.values()
        return only
    deciding = min(reports, key=lambda role: (reports[role].passed, reports[role].verified))
    decisive = reports[deciding]
    verified = all(report.verified for report in reports.values())
    return decisive.model_copy(
        update={
            "verified": verified,
            "latency_ms": max(report.latency_ms for report in reports.values()),
            "certificate_expires_at": min(
                (end for report in reports.values() if (end := report.certificate_expires_at)),
                default=None,
            ),
            "message": decisive.message if verified else f"{deciding}: {decisive.message}",
            "steps": joined_steps({role: report.steps for role, report in reports.items()}),
        }
    )


def joined_steps[R: str](steps: Mapping[R, Sequence[Step]]) -> tuple[Step, ...]:
    """The steps of a connection's endpoints, by role; with more than one they name their role."""
    if len(steps) == 1:
        [only] = steps.values()
        return tuple(only)
    return tuple(
        step.model_copy(update={"name": f"{role}: {step.name}"})
        for role, its in steps.items()
        for step in its
    )


def concluded_report(report: CheckReport, steps: Sequence[Step]) -> CheckReport:
    """The report with `steps`, which dialed nothing, at its end. The first failure decides it."""
    every = (*report.steps, *steps)
    failed = any(step.status == "failed" and step.mandatory for step in steps)
    if not (report.passed and failed):
        return report.model_copy(update={"steps": every})
    judged = verdict(steps, proven=False, called=True, latency_ms=report.latency_ms)
    return judged.model_copy(
        update={"steps": every, "account": report.account, "fault": report.fault}
    )
