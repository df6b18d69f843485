"""Runs the tests of the queue."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.lambda_entry import entry_point

deployment = Deployment(at_start=("queued_test_runner",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    failed = deployment.queued_test_runner.run(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
