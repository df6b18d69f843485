"""Events from the bus, batch by batch of the queue."""

from functools import cache
from typing import Any

from patchbay.health.bus_intake import BusIntake, BusMessage
from patchbay.health.store import EventStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.settings import HealthSettings
from patchbay.tenancy.store import TenancyStore


@cache
def _intake() -> BusIntake:
    settings = HealthSettings.from_env()
    events = EventStore(Table(settings.events_table), settings.raw_event_days)
    return BusIntake(TenancyStore(Table(settings.integrations_table)), events)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    messages = [BusMessage(record["messageId"], record["body"]) for record in event["Records"]]
    refused = _intake().take(messages, utc_now())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in refused]}
