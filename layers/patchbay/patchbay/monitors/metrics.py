"""What the monitors tell operators."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from patchbay.monitors.dispatcher import DispatchResult
from patchbay.monitors.sweep_queue import SweepMessage
from patchbay.monitors.sweeper import SweepResult
from patchbay.platform.metrics import log_counts, report_if_late, report_trouble

MOST_DISPATCH_LAG: Final = timedelta(minutes=5)
MOST_TEST_LAG: Final = timedelta(minutes=10)


def report_dispatch(result: DispatchResult) -> None:
    """Logs `slots_dispatched` and `minutes_skipped`."""
    report_if_late("dispatch of monitors", result.lag, MOST_DISPATCH_LAG)
    log_counts(
        "monitors dispatched", slots_dispatched=result.sweeps, minutes_skipped=result.skipped
    )


def report_sweep(
    result: SweepResult, messages: Iterable[SweepMessage], started_at: datetime
) -> None:
    """Logs `tests_run`, `tests_in_flight`, `sweeps_handed_back`, `sweeps_sent_again`,
    `tests_put_off`, `test_lag` in seconds, of the oldest of the sweeps' minutes, and
    `test_failures_<category>`.

    A sweep of tests that were put off has no lag: it is late because of its organization.
    """
    sweeps = (message.sweep for message in messages)
    minutes = [sweep.minute for sweep in sweeps if sweep.organization_id is None]
    lag = max((started_at - minute for minute in minutes), default=timedelta())
    report_if_late("tests of monitors", lag, MOST_TEST_LAG)
    offline = sum(report.code == "monitor_offline" for report in result.reports)
    report_trouble("tests_offline", offline)
    failures = Counter(report.category for report in result.reports if report.category)
    log_counts(
        "monitors swept",
        tests_run=len(result.reports),
        tests_in_flight=result.most_in_flight,
        sweeps_handed_back=result.handed_back,
        sweeps_sent_again=result.sent_again,
        tests_put_off=result.put_off,
        test_lag=max(0, round(lag.total_seconds())),
        **{f"test_failures_{category}": count for category, count in failures.items()},
    )
