"""One attempt to send a delivery to its channel: a webhook, an SNS topic, or the event bus."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from patchbay.alerts.channels import judge_webhook_url
from patchbay.alerts.outbox import OutgoingDelivery
from patchbay.alerts.rule_model import (
    AlertRule,
    Channel,
    EventBridgeChannel,
    SnsChannel,
    WebhookChannel,
)
from patchbay.alerts.signing import signed_headers
from patchbay.alerts.webhook_secrets import WebhookVault
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.http_exchange import HttpResponse, exchange
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.platform.aws import Refused, call, client
from patchbay.platform.errors import PatchbayError, SecretsLost
from patchbay.platform.strict_json import loads

ATTEMPT_SECONDS: Final = 10.0
"""For one attempt, including the name lookup."""

_EVENT_SOURCE: Final = "patchbay.alerts"
_FIFO: Final = ".fifo"
"""AWS: the names of FIFO topics end with this, and only theirs."""

_SNS_REFUSALS: Final = (
    "NotFound",
    "AuthorizationError",
    "AuthorizationErrorException",
    "InvalidParameter",
    "EndpointDisabled",
)


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The result of one attempt.

    `wait` is how long the receiver asks to wait. `final` means that no other attempt can succeed.
    """

    delivered: bool
    status_code: int | None = None
    error: str | None = None
    wait: timedelta | None = None
    final: bool = False


class ChannelSender:
    """Sends deliveries. `bus` is the name of the deployment's event bus."""

    def __init__(
        self,
        webhook_vault: WebhookVault,
        guard: EgressGuard,
        policy: EgressPolicy,
        topics: frozenset[str],
        bus: str,
    ) -> None:
        self._webhook_vault = webhook_vault
        self._guard = guard
        self._policy = policy
        self._topics = topics
        self._bus = bus

    async def send(
        self, rule: AlertRule, channel: Channel, delivery: OutgoingDelivery, now: datetime
    ) -> AttemptOutcome:
        """Makes one attempt. Raises `TemporarilyUnavailable` if the vault does not answer."""
        match channel:
            case WebhookChannel():
                return await self._to_webhook(rule, channel, delivery, now)
            case SnsChannel():
                return await asyncio.to_thread(self._to_topic, channel, delivery)
            case EventBridgeChannel():
                return await asyncio.to_thread(self._to_bus, delivery)

    async def _to_webhook(
        self, rule: AlertRule, channel: WebhookChannel, delivery: OutgoingDelivery, now: datetime
    ) -> AttemptOutcome:
        try:
            secrets = await asyncio.to_thread(
                self._webhook_vault.open, rule.organization_id, rule.id, channel, now
            )
        except SecretsLost:
            # Not final: once the secret is rotated, the delivery can be signed again.
            return AttemptOutcome(delivered=False, error="signing_secret_lost")
        body = delivery.payload.encode()
        signature = signed_headers(
            secrets.signing(now), delivery.delivery.notification_id, body, now
        )
        deadline = asyncio.get_running_loop().time() + ATTEMPT_SECONDS
        try:
            request = HttpRequest(
                method="POST",
                target=judge_webhook_url(self._policy, channel.url),
                headers=(("Content-Type", "application/json"), *signature),
                body=body,
            )
            async with exchange(self._guard, request, deadline=deadline) as response:
                return _outcome_of(response, now)
        except DialFailure as failure:
            return AttemptOutcome(delivered=False, error=failure.code)

    def _to_topic(self, channel: SnsChannel, delivery: OutgoingDelivery) -> AttemptOutcome:
        if channel.topic_arn not in self._topics:
            return AttemptOutcome(delivered=False, error="topic_not_allowed")
        message_type = _type_of(delivery)
        order: dict[str, str] = {}
        if channel.topic_arn.endswith(_FIFO):
            # The notifications of one alert stay in order. One that was sent twice because the
            # first reply was lost arrives once.
            order = {
                "MessageGroupId": delivery.delivery.alert_id,
                "MessageDeduplicationId": delivery.delivery.notification_id,
            }
        try:
            call(
                client("sns").publish,
                expected=_SNS_REFUSALS,
                TopicArn=channel.topic_arn,
                Message=delivery.payload,
                Subject=message_type,
                MessageAttributes={"type": {"DataType": "String", "StringValue": message_type}},
                **order,
            )
        except (Refused, PatchbayError) as error:
            return AttemptOutcome(delivered=False, error=f"sns_{error.code}"[:100].lower())
        return AttemptOutcome(delivered=True)

    def _to_bus(self, delivery: OutgoingDelivery) -> AttemptOutcome:
        entry = {
            "Source": _EVENT_SOURCE,
            "DetailType": _type_of(delivery),
            "Detail": delivery.payload,
            "EventBusName": self._bus,
        }
        try:
            answer: Any = call(client("events").put_events, Entries=[entry])
        except PatchbayError as error:
            return AttemptOutcome(delivered=False, error=f"events_{error.code}".lower())
        if answer["FailedEntryCount"]:
            return AttemptOutcome(delivered=False, error="events_refused")
        return AttemptOutcome(delivered=True)


def _outcome_of(response: HttpResponse, now: datetime) -> AttemptOutcome:
    """2xx is delivered, 410 is final. Anything else, including a redirect, is tried again."""
    status = response.status
    if 200 <= status < 300:
        return AttemptOutcome(delivered=True, status_code=status)
    if status == HTTPStatus.GONE:
        return AttemptOutcome(delivered=False, status_code=status, error="gone", final=True)
    asked = retry_after_seconds(response.headers.get("retry-after", ""), now)
    wait = None if asked is None else timedelta(seconds=asked)
    return AttemptOutcome(delivered=False, status_code=status, error="http_status", wait=wait)


def _type_of(delivery: OutgoingDelivery) -> str:
    message: dict[str, Any] = loads(delivery.payload.encode())
    kind: str = message["type"]
    return kind
