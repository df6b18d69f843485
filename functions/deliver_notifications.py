"""Sends what is in the outbox: what a queue message names, and each minute what is due."""

from functools import cache
from typing import Any

from patchbay.alerts.channels import WebhookVault, allowed_topics
from patchbay.alerts.notifier import Notifier
from patchbay.alerts.outbox import Outbox
from patchbay.alerts.queue import keys_of
from patchbay.alerts.store import AlertStore
from patchbay.connections.vault import Vault
from patchbay.egress.guard import EgressGuard
from patchbay.egress.nameservers import Nameservers
from patchbay.egress.policy import EgressPolicy
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.metrics import emit
from patchbay.platform.settings import DeliverNotificationsSettings
from patchbay.platform.sqs_batches import read_each


@cache
def _sender() -> Notifier:
    settings = DeliverNotificationsSettings.from_env()
    table = Table(settings.integrations_table)
    policy = EgressPolicy.parse(settings.egress_allow, settings.own_host_names).excluding(
        [settings.api_host]
    )
    return Notifier(
        AlertStore(table),
        Outbox(table),
        WebhookVault(Vault(table, settings.vault_key_id)),
        EgressGuard(policy, nameservers=Nameservers(settings.dns_resolver)),
        policy,
        allowed_topics(settings.alert_topic_arns),
        settings.integration_bus,
        utc_now,
    )


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if "Records" in event:
        named, unreadable = read_each(event["Records"], keys_of)
        outcomes, interrupted = _sender().send_messages(named)
        failed = [*unreadable, *interrupted]
    else:
        outcomes = _sender().send_due(lambda: context.get_remaining_time_in_millis() / 1000)
        failed = []
    emit({f"notifications_{outcome}": number for outcome, number in outcomes.items()})
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
