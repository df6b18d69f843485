"""Evaluates alert rules: each minute those that are due, and what a queue message names."""

from typing import Any

from patchbay.alerts.evaluation_queue import EvaluationBatch
from patchbay.alerts.evaluator import EvaluationReport
from patchbay.deployment import Deployment
from patchbay.platform.clock import from_text
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import emit
from patchbay.platform.sqs_batches import read_each

deployment = Deployment(at_start=("evaluator",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    def seconds_left() -> float:
        seconds: float = context.get_remaining_time_in_millis() / 1000
        return seconds

    if "Records" not in event:
        done = deployment.evaluator.run(from_text(event["time"]), seconds_left)
        emit(_counted(done))
        return done.metrics()
    batches, unreadable = read_each(event["Records"], EvaluationBatch.of)
    for batch in batches.values():
        late = deployment.clock() - batch.now
        emit({"alert_lag": max(0.0, late.total_seconds())}, "Seconds")
        if batch.is_too_late(deployment.clock()):
            deployment.evaluator.put_off(batch)
        else:
            emit(_counted(deployment.evaluator.run_batch(batch, seconds_left)))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unreadable]}


def _counted(done: EvaluationReport) -> dict[str, float]:
    """The metrics without those that are 0: CloudWatch is paid by the metrics of an hour."""
    return {name: number for name, number in done.metrics().items() if number}
