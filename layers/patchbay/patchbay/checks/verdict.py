"""From the steps of a test to its verdict. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import CheckReport, Fault, Step

PASSED = "Connection test passed"
NOTHING_CALLED = (
    "The configuration is complete, but nothing was called: this integration has no step that "
    "proves access"
)
NOT_PROVEN = "The steps passed, but none of them proved access with the credential"
_PLAIN_WORD: Final = re.compile(r"[A-Z][a-z]*\b")


def verdict(
    steps: Sequence[Step],
    *,
    proven: bool,
    called: bool,
    latency_ms: int,
    account: str | None = None,
    certificate_expires_at: datetime | None = None,
    retry_after: Mapping[str, int] | None = None,
    fault: Fault | None = None,
) -> CheckReport:
    """Passed if every mandatory step passed; the first one that did not decides the code.

    `proven`: a step proved access. `called`: a step of the manifest ran. `retry_after` has seconds
    by the name of the step.
    """
    decisive: Step | None = None
    for step in steps:
        if step.status != "passed" and step.status != "warning" and step.mandatory:
            decisive = step
            break
    if decisive is None:
        message = PASSED if proven else NOT_PROVEN if called else NOTHING_CALLED
        return CheckReport.of_valid(
            passed=True,
            verified=proven,
            latency_ms=latency_ms,
            message=message,
            account=account,
            certificate_expires_at=certificate_expires_at,
            steps=tuple(steps),
            fault=fault,
        )
    code: Code = decisive.code or _who_took_the_time(steps)
    info = describe(code)
    manner = "did not run" if decisive.status == "skipped" else "failed"
    return CheckReport(
        passed=False,
        verified=False,
        code=code,
        category=info.category,
        blame=info.blame,
        retryable=info.retryable,
        retry_after_seconds=(retry_after or {}).get(decisive.name),
        latency_ms=latency_ms,
        message=f'Step "{decisive.name}" {manner}: {_continued(decisive.summary)}',
        account=account,
        certificate_expires_at=certificate_expires_at,
        steps=tuple(steps),
        fault=fault,
    )


def undialed_report(step: str, code: Code, summary: str) -> CheckReport:
    """The report of a test that ended before it dialed anything: one failed step."""
    failed = Step.failed(step, code, summary)
    return verdict([failed], proven=False, called=False, latency_ms=0)


def secrets_unavailable_report() -> CheckReport:
    """The report of a test whose secrets could not be read, through no fault of its owner."""
    return undialed_report(
        "secrets", "secret_store_unavailable", "The stored secrets could not be read."
    )


def _who_took_the_time(steps: Sequence[Step]) -> Code:
    """The code of a step that got no time: that of the step that hung before it, else ours."""
    hung = (s.code for s in steps if s.code in {"provider_timeout", "connect_timeout"})
    return next(hung, "budget_exhausted")


def _continued(sentence: str) -> str:
    """The sentence as it goes on after a colon: `TLS` and `PostgreSQL` keep their capitals."""
    return sentence[:1].lower() + sentence[1:] if _PLAIN_WORD.match(sentence) else sentence
