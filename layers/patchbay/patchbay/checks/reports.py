"""Reports of several endpoints as one, and what is judged after them. Pure."""

from collections.abc import Mapping, Sequence

from patchbay.checks.report import CheckReport, Step
from patchbay.checks.verdict import undialed_report, verdict
from patchbay.platform.errors import Problem

CONFIGURATIONS = "configurations"


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
            "certificate_expires_at": min(
                (end for report in reports.values() if (end := report.certificate_expires_at)),
                default=None,
            ),
            "message": spokesman.message if verified else f"{speaking}: {spokesman.message}",
            "steps": tuple(
                step.model_copy(update={"name": f"{role}: {step.name}"})
                for role, report in reports.items()
                for step in report.steps
            ),
        }
    )


def naming_reference(report: CheckReport) -> CheckReport:
    """The report of an endpoint whose secrets are elsewhere: the field to change is where."""
    steps = tuple(
        step.model_copy(update={"field_pointer": "/secret_ref"})
        if (step.field_pointer or "").startswith("/secrets/")
        else step
        for step in report.steps
    )
    return report.model_copy(update={"steps": steps})


def judged_configurations(problems: Sequence[Problem]) -> Step:
    """The step of a connection's test that holds its configurations to the source's release.

    They were good when they were stored; an upgrade of the source may have changed that.
    """
    if not problems:
        return Step(
            name=CONFIGURATIONS, status="passed", summary="The source's release takes them."
        )
    return Step.failed(
        CONFIGURATIONS,
        "config_invalid",
        "; ".join(f"{p.pointer} {p.message}" for p in problems) + ".",
        field_pointer=problems[0].pointer,
    )


def concluded(report: CheckReport, steps: Sequence[Step]) -> CheckReport:
    """The report with steps that dialled nothing behind it. What failed first keeps the word."""
    every = (*report.steps, *steps)
    failed = any(step.status == "failed" and step.mandatory for step in steps)
    if not (report.passed and failed):
        return report.model_copy(update={"steps": every})
    judged = verdict(steps, proven=False, called=True, latency_ms=report.latency_ms)
    return judged.model_copy(
        update={"steps": every, "account": report.account, "fault": report.fault}
    )


def out_of_secrets() -> CheckReport:
    """The report of a test whose secrets could not be read, through no fault of its owner."""
    return undialed_report(
        "secrets", "secret_store_unavailable", "The stored secrets could not be read."
    )
