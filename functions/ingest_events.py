"""Stores events from the bus, one batch of the queue at a time."""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.health.bus_intake import BusMessage
from patchbay.platform.clock import utc_now
from patchbay.platform.lambda_entry import entry_point

deployment = Deployment(at_start=("bus_intake",))


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    messages = [BusMessage(record["messageId"], record["body"]) for record in event["Records"]]
    refused = deployment.bus_intake.take(messages, utc_now())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in refused]}
