"""The metrics of the monitors, which alarms and operators look at."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from patchbay.monitors.dispatcher import DispatchResult
from patchbay.monitors.sweep_queue import SweepMessage
from patchbay.monitors.sweeper import SweepResult
from patchbay.platform.metrics import emit


def emit_dispatch_metrics(result: DispatchResult) -> None:
    """`dispatch_lag` in seconds, `slots_dispatched`, and `minutes_skipped`."""
    emit({"dispatch_lag": result.lag.total_seconds()}, "Seconds")
    emit({"slots_dispatched": result.sweeps, "minutes_skipped": result.skipped})


def emit_sweep_metrics(
    result: SweepResult, messages: Iterable[SweepMessage], started_at: datetime
) -> None:
    """`test_lag` in seconds, of the oldest of the sweeps' minutes; `tests_run`, `tests_in_flight`,
    `tests_offline`, `sweeps_handed_back`, `sweeps_sent_again`, `tests_put_off`, and
    `test_failures` by category.

    A sweep of tests that were put off has no lag: it is late because of its organization.
    """
    sweeps = (message.sweep for message in messages)
    minutes = [sweep.minute for sweep in sweeps if sweep.organization_id is None]
    lag = max(((started_at - minute).total_seconds() for minute in minutes), default=0.0)
    emit({"test_lag": max(0.0, lag)}, "Seconds")
    emit(
        {
            "tests_run": len(result.reports),
            "tests_in_flight": result.most_in_flight,
            "tests_offline": sum(report.code == "monitor_offline" for report in result.reports),
            "sweeps_handed_back": result.handed_back,
            "sweeps_sent_again": result.sent_again,
            "tests_put_off": result.put_off,
        }
    )
    failures = Counter(report.category for report in result.reports if report.category)
    for category, count in failures.items():
        emit({"test_failures": count}, category=category)
