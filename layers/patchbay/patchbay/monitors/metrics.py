"""What the monitors tell of themselves: the metrics that the alarms and the operator look at."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from patchbay.monitors.dispatcher import DispatchResult
from patchbay.monitors.sweeper import SweepResult
from patchbay.platform.metrics import emit


def emit_dispatch_metrics(done: DispatchResult) -> None:
    """`dispatch_lag` in seconds, `slots_dispatched` and `minutes_skipped`."""
    emit({"dispatch_lag": done.lag.total_seconds()}, "Seconds")
    emit({"slots_dispatched": done.sweeps, "minutes_skipped": done.skipped})


def emit_sweep_metrics(swept: SweepResult, minutes: Iterable[datetime], began: datetime) -> None:
    """`test_lag` in seconds, of the oldest of the sweeps' minutes; `tests_run`, and `test_failures`
    by category."""
    lag = max(((began - minute).total_seconds() for minute in minutes), default=0.0)
    emit({"test_lag": max(0.0, lag)}, "Seconds")
    emit(
        {
            "tests_run": len(swept.reports),
            "tests_in_flight": swept.most_in_flight,
            "sweeps_handed_back": swept.handed_back,
        }
    )
    failures = Counter(report.category for report in swept.reports if report.category)
    for category, count in failures.items():
        emit({"test_failures": count}, category=category)
