"""Each minute: what every alert rule says now."""

from functools import cache
from typing import Any

from patchbay.alerts.evaluator import Evaluator
from patchbay.alerts.queue import NotificationQueue
from patchbay.alerts.store import AlertStore
from patchbay.health.store import EventStore
from patchbay.platform.clock import from_text
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import emit
from patchbay.platform.settings import EvaluateAlertsSettings
from patchbay.tenancy.store import TenancyStore


@cache
def _evaluator() -> Evaluator:
    settings = EvaluateAlertsSettings.from_env()
    table = Table(settings.integrations_table)
    return Evaluator(
        AlertStore(table),
        EventStore(Table(settings.events_table), settings.raw_event_days),
        TenancyStore(table),
        NotificationQueue(settings.notification_queue_url).wake,
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    done = _evaluator().run(
        from_text(event["time"]), lambda: context.get_remaining_time_in_millis() / 1000
    )
    emit(done.metrics())
    return done.metrics()
