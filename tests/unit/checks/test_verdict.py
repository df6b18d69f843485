"""The verdict's message, and the report of a test that dialed nothing."""

import pytest

from patchbay.checks.report import Step
from patchbay.checks.verdict import undialed_report, verdict


@pytest.mark.parametrize(
    ("summary", "continued"),
    [
        ("The host refused the connection.", "the host refused the connection."),
        ("A fault of the platform ended the step.", "a fault of the platform ended the step."),
        ("TLS could not be agreed.", "TLS could not be agreed."),
        ("PostgreSQL is starting.", "PostgreSQL is starting."),
        ("/variables/region is missing.", "/variables/region is missing."),
        ("db.example.net has no A record.", "db.example.net has no A record."),
    ],
)
def test_the_message_goes_on_with_the_summary_of_the_step(summary: str, continued: str) -> None:
    step = Step.failed("reach", "tls_error", summary)
    report = verdict([step], proven=False, called=True, latency_ms=1)
    assert report.message == f'Step "reach" failed: {continued}'


def test_a_test_that_dialed_nothing_has_one_step_which_explains_itself() -> None:
    # when
    report = undialed_report("queue", "budget_exhausted", "The test was not started in time.")

    # then
    assert (report.passed, report.verified, report.latency_ms) == (False, False, 0)
    assert (report.code, report.blame) == ("budget_exhausted", "platform")
    [step] = report.steps
    assert (step.name, step.status, step.mandatory) == ("queue", "failed", True)
    assert step.diagnosis is not None


def test_an_optional_step_that_fails_is_a_warning() -> None:
    step = Step.failed("reads", "scope_missing", "It lacks a scope.", mandatory=False)
    assert (step.status, step.code) == ("warning", "scope_missing")
