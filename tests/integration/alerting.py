"""The steps that tests of alerts share: rules, events, evaluations, and deliveries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import deliver_notifications
import evaluate_alerts
from patchbay.alerts.evaluation_queue import EvaluationBatch
from patchbay.alerts.keys import space_of
from patchbay.alerts.schedule import INDEX, LANES, QUARTER_MINUTES, due_pk, quiet_pk
from patchbay.deployment import Deployment
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.platform.aws import client
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import Key, Table
from patchbay.platform.ids import new_id
from tests.integration.api import sample_event
from tests.integration.conftest import Tenant

RATE = {
    "kind": "success_rate",
    "threshold": 90,
    "short_window_seconds": 3600,
    "long_window_seconds": 3600,
    "minimum_events": 5,
}


@dataclass(frozen=True)
class Context:
    """The context that Lambda passes to a handler."""

    seconds: float = 50

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def rule(**changes: Any) -> dict[str, Any]:
    """The body of a rule for the success rate of the space."""
    return {"name": "Success rate", "condition": RATE, **changes}


def webhook(url: str) -> dict[str, Any]:
    return {"kind": "webhook", "url": url}


def create_rule(tenant: Tenant, **changes: Any) -> dict[str, Any]:
    answer = tenant.client.post(f"/spaces/{tenant.space_slug}/alert-rules", rule(**changes))
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def report(
    tenant: Tenant,
    status: EventStatus,
    at: datetime,
    number: int = 10,
    kind: IntegrationType = IntegrationType.WEBHOOK,
    connection_id: str | None = None,
    platform_fault: bool = False,
) -> None:
    """Stores events of the tenant's space, as its product would send them."""
    events = [
        Event(
            id=new_id("evt", at),
            space_id=tenant.space_id,
            integration_type=kind,
            status=status,
            occurred_at=at,
            received_at=at,
            connection_id=connection_id,
            platform_fault=platform_fault,
        )
        for _ in range(number)
    ]
    Deployment(clock=lambda: at).event_store.add(events, at)


def evaluate(now: datetime, seconds: float = 50) -> dict[str, Any]:
    """Runs the scheduled evaluation at this minute, as if all spaces with rules were due: tests of
    what is decided need not go through the minutes in between."""
    batch = EvaluationBatch(now, watched())
    done = evaluate_alerts.deployment.evaluator.run_batch(batch, lambda: seconds)
    return done.counts()


def evaluate_due(now: datetime, seconds: float = 50) -> dict[str, Any]:
    """Runs the scheduled evaluation at this minute."""
    event = sample_event("evaluate_alerts") | {"time": to_text(now)}
    return evaluate_alerts.handler(event, Context(seconds))


def watched() -> list[str]:
    """The spaces with rules to evaluate, wherever in the index they are."""
    table = Table("IntegrationsTable")
    pks = [*map(due_pk, range(LANES)), *map(quiet_pk, range(QUARTER_MINUTES))]
    items = [item for pk in pks for item in table.query_all(pk, index=INDEX)]
    return [space_of(Key(item["pk"], item["sk"])) for item in items]


def deliver(seconds: float = 50) -> dict[str, Any]:
    """Runs the notifier as scheduled."""
    return deliver_notifications.handler(sample_event("evaluate_alerts"), Context(seconds))


def queued() -> list[dict[str, Any]]:
    """The messages of the queue, as Lambda's event source passes them."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="notifications")["QueueUrl"]
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    messages: list[dict[str, Any]] = received.get("Messages", [])
    return [{"messageId": m["MessageId"], "body": m["Body"]} for m in messages]


def alerts(tenant: Tenant, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = tenant.client.get(
        f"/spaces/{tenant.space_slug}/alerts{query}"
    ).json["items"]
    return items


def deliveries(tenant: Tenant, alert_id: str) -> list[dict[str, Any]]:
    """The deliveries of an alert, oldest first."""
    path = f"/spaces/{tenant.space_slug}/alerts/{alert_id}/deliveries"
    items: list[dict[str, Any]] = tenant.client.get(path).json["items"]
    return items[::-1]


def make_due(later: timedelta) -> None:
    """Makes all of the outbox due, as if so much time had passed."""
    from patchbay.platform.clock import from_text, to_sortable
    from patchbay.platform.dynamodb import Update

    table = Table("IntegrationsTable")
    for lane in range(LANES):
        for found in table.query_all(f"OUTBOX#{lane}", index="monitor_slot"):
            item = table.get(Key(found["pk"], found["sk"]))
            assert item is not None
            due = from_text(item["due_at"]) - later
            values = {
                "due_at": to_text(due),
                "monitor_slot_sk": f"{to_sortable(due)}#{item['id']}",
                "give_up_at": to_text(from_text(item["give_up_at"]) - later),
            }
            table.write(Update(Key(found["pk"], found["sk"]), values=values))
