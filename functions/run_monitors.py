"""Tests the connections of the slots that are due."""

from typing import Any

from patchbay.deployment import MonitorDeployment
from patchbay.monitors.metrics import report_sweep
from patchbay.monitors.sweep_queue import SweepMessage
from patchbay.platform.clock import utc_now
from patchbay.platform.lambda_entry import collect_rarely, entry_point
from patchbay.platform.sqs_batches import read_each

deployment = MonitorDeployment(at_start=("sweeper",))
collect_rarely()


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    messages, unreadable = read_each(event["Records"], SweepMessage.of)
    sweeps = list(messages.values())
    started_at = utc_now()
    result = deployment.sweeper.run(sweeps, lambda: context.get_remaining_time_in_millis() / 1000)
    report_sweep(result, sweeps, started_at)
    failed = [*unreadable, *result.failed]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}
