"""What operators are told: counts in the log, and the metrics that alarms watch.

A custom metric costs 0.30 $ a month, by the hour, and only in hours in which it is published
(https://aws.amazon.com/cloudwatch/pricing/). So a metric is published only when something is wrong,
and counts are fields of log lines, which CloudWatch Logs Insights sums up.
"""

import json
import os
import time
from datetime import timedelta
from typing import Final, Literal

from patchbay.platform.logging import logger

type Trouble = Literal["late", "tests_offline", "notifications_failed", "erasures_stuck"]
"""Each has an alarm in template.yaml."""

_DEFAULT_NAMESPACE: Final = "Patchbay"


def log_counts(message: str, **counts: float) -> None:
    """Logs what a run of a function did; nothing if all of it is zero."""
    done = {name: count for name, count in counts.items() if count}
    if done:
        logger.info(message, extra=done)


def report_trouble(trouble: Trouble, count: float = 1, **fields: str | float) -> None:
    """Publishes a metric that an alarm watches; nothing for zero. `fields` tell operators more.

    The line has the embedded metric format. The metric has no dimension, so that it is one metric,
    whichever function publishes it; the namespace keeps the stacks of an account apart.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    if not count:
        return
    directive = {
        "Namespace": os.environ.get("METRICS_NAMESPACE", _DEFAULT_NAMESPACE),
        "Dimensions": [[]],
        "Metrics": [{"Name": trouble, "Unit": "Count"}],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
        "service": os.environ.get("POWERTOOLS_SERVICE_NAME", ""),
        trouble: count,
        **fields,
    }
    print(json.dumps(line), flush=True)


def report_if_late(what: str, by: timedelta, most: timedelta) -> None:
    """Publishes `late` for what is later than it may be; the line says by how much."""
    if by > most:
        report_trouble("late", what=what, seconds=by.total_seconds())
