"""What the monitors tell of themselves: the metrics that the alarms and the operator look at."""

from collections import Counter
from datetime import datetime

from patchbay.monitors.dispatching import Dispatched
from patchbay.monitors.sweeping import Swept
from patchbay.monitors.wheel import Sweep
from patchbay.platform.metrics import emit


def tell_dispatched(done: Dispatched) -> None:
    """`dispatch_lag` in seconds, `slots_dispatched` and `minutes_skipped`."""
    emit({"dispatch_lag": done.lag.total_seconds()}, "Seconds")
    emit({"slots_dispatched": done.sweeps, "minutes_skipped": done.skipped})


def tell_swept(swept: Swept, oldest: Sweep, began: datetime) -> None:
    """`test_lag` in seconds, `tests_run`, and `test_failures` by category."""
    emit({"test_lag": max(0.0, (began - oldest.minute).total_seconds())}, "Seconds")
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
