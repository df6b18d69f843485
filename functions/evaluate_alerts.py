"""Evaluates alert rules: each minute those that are due, and what a queue message names."""

from datetime import timedelta
from typing import Any, Final

from patchbay.alerts.evaluation_queue import EvaluationBatch
from patchbay.deployment import Deployment
from patchbay.platform.clock import from_text
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import log_counts, report_if_late
from patchbay.platform.sqs_batches import read_each

MOST_LAG: Final = timedelta(minutes=2)

deployment = Deployment(at_start=("evaluator",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    def seconds_left() -> float:
        seconds: float = context.get_remaining_time_in_millis() / 1000
        return seconds

    if "Records" not in event:
        done = deployment.evaluator.run(from_text(event["time"]), seconds_left)
        log_counts("alerts evaluated", **done.counts())
        return done.counts()
    batches, unreadable = read_each(event["Records"], EvaluationBatch.of)
    for batch in batches.values():
        report_if_late("evaluation of alerts", deployment.clock() - batch.now, MOST_LAG)
        if batch.is_too_late(deployment.clock()):
            deployment.evaluator.put_off(batch)
        else:
            done = deployment.evaluator.run_batch(batch, seconds_left)
            log_counts("alerts evaluated", **done.counts())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in unreadable]}
