"""Reports of several endpoints as one."""

from collections.abc import Mapping

from patchbay.checks.codes import describe
from patchbay.checks.model import CheckReport, Diagnosis, Step
from patchbay.checks.verdict import verdict


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


def naming_reference(report: CheckReport) -> CheckReport:
    """The report of an endpoint whose secrets are elsewhere: the field to change is where."""
    steps = tuple(
        step.model_copy(update={"field_pointer": "/secret_ref"})
        if (step.field_pointer or "").startswith("/secrets/")
        else step
        for step in report.steps
    )
    return report.model_copy(update={"steps": steps})


def out_of_secrets() -> CheckReport:
    """The report of a test whose secrets could not be read, through no fault of its owner."""
    info = describe("secret_store_unavailable")
    step = Step(
        name="secrets",
        status="failed",
        code="secret_store_unavailable",
        summary="The stored secrets could not be read.",
        diagnosis=Diagnosis(title=info.title, remediation=info.remediation),
    )
    return verdict([step], proven=False, called=False, latency_ms=0)
