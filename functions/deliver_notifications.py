"""Sends what is in the outbox: what a queue message names, and each minute what is due."""

from typing import Any

from patchbay.alerts.queue import keys_of
from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import log_counts, report_trouble
from patchbay.platform.sqs_batches import read_each

deployment = Deployment(at_start=("notifier",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "Records" in event:
        named, unreadable = read_each(event["Records"], keys_of)
        outcomes, interrupted = deployment.notifier.send_messages(named)
        failed = [*unreadable, *interrupted]
    else:
        outcomes = deployment.notifier.send_due(
            lambda: context.get_remaining_time_in_millis() / 1000
        )
        failed = []
    counts = {f"notifications_{outcome}": number for outcome, number in outcomes.items()}
    log_counts("notifications sent", **counts)
    report_trouble("notifications_failed", counts.get("notifications_failed", 0))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
