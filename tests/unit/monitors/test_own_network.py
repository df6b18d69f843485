"""Which tests count when it is judged whether our own network is down."""

import pytest

from patchbay.checks.codes import Code, describe
from patchbay.checks.report import Step
from patchbay.checks.verdict import verdict
from patchbay.monitors.own_network import TargetReport


@pytest.mark.parametrize(
    ("code", "dialed"),
    [
        ("config_invalid", False),
        ("egress_blocked", False),
        # A 404 is the answer of a server that was reached.
        ("not_found", True),
        ("payment_required", True),
        ("dns_error", True),
    ],
)
def test_what_was_answered_was_dialed(code: Code, dialed: bool) -> None:
    step = Step(name="x", status="failed", code=code, summary=describe(code).title)
    report = verdict([step], proven=False, called=True, latency_ms=1)
    assert TargetReport(frozenset({"https://x"}), report).dialed is dialed
