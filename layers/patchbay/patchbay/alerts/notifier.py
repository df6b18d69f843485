"""The outbox to the channels: at least once, in order for each alert and channel.

1. A delivery that is due is claimed: it becomes due again only when the claim has run out, so one
   attempt at a time is under way, and one whose sender died is made again.
2. A reminder or recovery waits for the alert's first message to its channel, and is skipped if that
   one never arrived: nobody hears the end of what they did not hear of.
3. What failed is tried again for 24 hours, with growing pauses.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from patchbay.alerts.channels import WebhookVault, judge_url
from patchbay.alerts.keys import LANES
from patchbay.alerts.model import (
    AlertRule,
    DeliveryAttempt,
    DeliveryStatus,
    EventBridgeChannel,
    NoticeKind,
    SnsChannel,
    WebhookChannel,
)
from patchbay.alerts.outbox import Outbox, OutgoingDelivery
from patchbay.alerts.signing import signed_headers
from patchbay.alerts.store import AlertStore
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.http_exchange import HttpResponse, exchange
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.request import HttpRequest
from patchbay.egress.retry_after import retry_after_seconds
from patchbay.platform.aws import Refused, call, client
from patchbay.platform.clock import Clock, to_text
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import NotFound, PatchbayError, SecretsLost, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import loads

ATTEMPT_SECONDS: Final = 10.0
"""For one attempt, the look-up of the name included."""

LEASE: Final = timedelta(seconds=60)
"""Longer than an attempt with its reads and writes."""

AT_ONCE: Final = 64
INTERRUPTED: Final = "interrupted"
WAIT_FOR_FIRST: Final = timedelta(seconds=60)
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=2)
LONGEST_RETRY_AFTER: Final = timedelta(hours=6)
_PAGE: Final = 128
_PAGE_SECONDS: Final = 2 * ATTEMPT_SECONDS + 5
"""A page of receivers that all hang takes two rounds of attempts."""
_SOURCE: Final = "patchbay.alerts"
_FIFO: Final = ".fifo"
"""AWS: how the name of every FIFO topic ends, and of no other."""

_SNS_REFUSALS: Final = (
    "NotFound",
    "AuthorizationError",
    "AuthorizationErrorException",
    "InvalidParameter",
    "EndpointDisabled",
)


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """What became of one attempt. `wait` is what the receiver asked for."""

    delivered: bool
    status_code: int | None = None
    error: str | None = None
    wait: timedelta | None = None
    final: bool = False


def pause(tries: int, wait: timedelta | None, roll: Callable[[], float]) -> timedelta:
    """How long to wait after the attempt number `tries`: 30 s doubled each time, up to 2 hours.

    Half of it is random (`roll` gives 0 to 1), so that many deliveries to one receiver that was
    down don't come back together. A `Retry-After` is honoured up to 6 hours.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(tries - 1, 12)))
    chosen = longest * (0.5 + 0.5 * roll())
    return max(chosen, min(wait, LONGEST_RETRY_AFTER)) if wait else chosen


class Notifier:
    """Sends what is in the outbox. `bus` is the name of the deployment's event bus."""

    def __init__(
        self,
        store: AlertStore,
        outbox: Outbox,
        webhook_vault: WebhookVault,
        guard: EgressGuard,
        policy: EgressPolicy,
        topics: frozenset[str],
        bus: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._webhook_vault = webhook_vault
        self._guard = guard
        self._policy = policy
        self._topics = topics
        self._bus = bus
        self._clock = clock

    def send_due(self, seconds_left: Callable[[], float]) -> Counter[str]:
        """All that is due in the outbox, a page of each lane in turn; the outcomes."""
        outcomes: Counter[str] = Counter()
        seen: set[Key] = set()
        lanes = deque(range(LANES))
        while lanes and seconds_left() > _PAGE_SECONDS:
            lane = lanes.popleft()
            keys = self._outbox.due(lane, self._clock(), _PAGE)
            # The index may still tell of what has just been settled.
            fresh = [key for key in keys if key not in seen]
            if fresh:
                seen.update(fresh)
                outcomes += self.send(fresh)
                lanes.append(lane)
        return outcomes

    def send_messages(
        self, messages: Mapping[str, Sequence[Key]]
    ) -> tuple[Counter[str], list[str]]:
        """The deliveries that queue messages name; the outcomes, and the messages to send again."""
        keys = list(dict.fromkeys(key for named in messages.values() for key in named))
        became = dict(zip(keys, self._all(keys), strict=True))
        failed = [
            message_id
            for message_id, named in messages.items()
            if any(became[key] == INTERRUPTED for key in named)
        ]
        return Counter(became.values()), failed

    def send(self, keys: Sequence[Key]) -> Counter[str]:
        """These deliveries, as far as they are due, many at once; the outcomes."""
        return Counter(self._all(keys))

    def _all(self, keys: Sequence[Key]) -> list[str]:
        async def all_of_them() -> list[str]:
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(key: Key) -> str:
                async with gate:
                    return await self._deliver(key)

            return await asyncio.gather(*map(one, keys))

        return asyncio.run(all_of_them())

    async def _deliver(self, key: Key) -> str:
        """One delivery; the word for what became of it."""
        try:
            claimed = await asyncio.to_thread(self._claimed, key)
            if not isinstance(claimed, OutgoingDelivery):
                return claimed
            started = self._clock()
            sent = await self._attempted(claimed, started)
            return await asyncio.to_thread(self._settle, claimed, sent, started)
        except Exception as error:
            # A table or key that does not answer: the claim runs out and it is due again.
            logger.warning("delivery interrupted", delivery=key.sk, error=type(error).__name__)
            return INTERRUPTED

    def _claimed(self, key: Key) -> OutgoingDelivery | str:
        now = self._clock()
        outgoing = self._outbox.outgoing(key)
        if outgoing is None or outgoing.delivery.status is not DeliveryStatus.PENDING:
            return "settled"
        due_at = outgoing.delivery.next_attempt_at
        if due_at is not None and due_at > now:
            return "not_due"
        claimed = self._outbox.claim(outgoing, now + LEASE)
        if claimed is None:
            return "not_due"
        if claimed.after is not None:
            first = self._outbox.outgoing(Key(key.pk, claimed.after))
            status = first.delivery.status if first else DeliveryStatus.FAILED
            if status is DeliveryStatus.PENDING and claimed.delivery.notice is NoticeKind.RESOLVED:
                self._outbox.postpone(claimed, now + WAIT_FOR_FIRST)
                return "waiting"
            if status is not DeliveryStatus.DELIVERED:
                self._outbox.settle(claimed, DeliveryStatus.SKIPPED, None, None)
                return "skipped"
        return claimed

    async def _attempted(self, claimed: OutgoingDelivery, now: datetime) -> AttemptOutcome:
        """An attempt to its end. Raises `TemporarilyUnavailable` and nothing else: what was not
        foreseen is a failure of this delivery, so that it ends with its 24 hours and stops no
        other."""
        try:
            return await self._attempt(claimed, now)
        except TemporarilyUnavailable:
            raise
        except Exception as error:
            # Only the type: the text of an unforeseen error may quote what was being sent.
            logger.error("delivery crashed", delivery=claimed.key.sk, error=type(error).__name__)
            return AttemptOutcome(delivered=False, error="internal_error")

    async def _attempt(self, claimed: OutgoingDelivery, now: datetime) -> AttemptOutcome:
        try:
            rule = await asyncio.to_thread(
                self._store.rule, claimed.key.pk.removeprefix("SPACE#"), claimed.delivery.rule_id
            )
        except NotFound:
            return AttemptOutcome(delivered=False, error="rule_deleted", final=True)
        channel = next((c for c in rule.channels if c.id == claimed.delivery.channel_id), None)
        if channel is None:
            return AttemptOutcome(delivered=False, error="channel_removed", final=True)
        match channel:
            case WebhookChannel():
                return await self._to_webhook(rule, channel, claimed, now)
            case SnsChannel():
                return await asyncio.to_thread(self._to_topic, channel, claimed)
            case EventBridgeChannel():
                return await asyncio.to_thread(self._to_bus, claimed)

    async def _to_webhook(
        self, rule: AlertRule, channel: WebhookChannel, claimed: OutgoingDelivery, now: datetime
    ) -> AttemptOutcome:
        try:
            secrets = await asyncio.to_thread(
                self._webhook_vault.open, rule.organization_id, rule.id, channel, now
            )
        except SecretsLost:
            # Not the end of it: whoever rotates the secret gets what is still due.
            return AttemptOutcome(delivered=False, error="signing_secret_lost")
        body = claimed.payload.encode()
        headers = signed_headers(secrets.signing(now), claimed.delivery.notification_id, body, now)
        deadline = asyncio.get_running_loop().time() + ATTEMPT_SECONDS
        try:
            request = HttpRequest(
                method="POST",
                target=judge_url(self._policy, channel.url),
                headers=(("Content-Type", "application/json"), *headers),
                body=body,
            )
            async with exchange(self._guard, request, deadline=deadline) as response:
                return _answered(response, now)
        except DialFailure as failure:
            return AttemptOutcome(delivered=False, error=failure.code)

    def _to_topic(self, channel: SnsChannel, claimed: OutgoingDelivery) -> AttemptOutcome:
        if channel.topic_arn not in self._topics:
            return AttemptOutcome(delivered=False, error="topic_not_allowed")
        attributes = {"type": _text_attribute(_type_of(claimed))}
        order: dict[str, str] = {}
        if channel.topic_arn.endswith(_FIFO):
            # What is told of one alert stays in order, and an attempt that came through although we
            # did not hear of it is told once.
            order = {
                "MessageGroupId": claimed.delivery.alert_id,
                "MessageDeduplicationId": claimed.delivery.notification_id,
            }
        try:
            call(
                client("sns").publish,
                expected=_SNS_REFUSALS,
                TopicArn=channel.topic_arn,
                Message=claimed.payload,
                Subject=_type_of(claimed),
                MessageAttributes=attributes,
                **order,
            )
        except (Refused, PatchbayError) as error:
            return AttemptOutcome(delivered=False, error=f"sns_{error.code}"[:100].lower())
        return AttemptOutcome(delivered=True)

    def _to_bus(self, claimed: OutgoingDelivery) -> AttemptOutcome:
        entry = {
            "Source": _SOURCE,
            "DetailType": _type_of(claimed),
            "Detail": claimed.payload,
            "EventBusName": self._bus,
        }
        try:
            answer: Any = call(client("events").put_events, Entries=[entry])
        except PatchbayError as error:
            return AttemptOutcome(delivered=False, error=f"events_{error.code}".lower())
        if answer["FailedEntryCount"]:
            return AttemptOutcome(delivered=False, error="events_refused")
        return AttemptOutcome(delivered=True)

    def _settle(self, claimed: OutgoingDelivery, sent: AttemptOutcome, started: datetime) -> str:
        now = self._clock()
        attempt = DeliveryAttempt(
            at=started,
            status_code=sent.status_code,
            error=sent.error,
            duration_ms=round((now - started).total_seconds() * 1000),
        )
        next_at = None
        status = DeliveryStatus.DELIVERED if sent.delivered else DeliveryStatus.FAILED
        if not sent.delivered and not sent.final:
            # Jitter spreads load and guards nothing.
            again = now + pause(claimed.tries + 1, sent.wait, random.random)
            if again < claimed.give_up_at:
                status, next_at = DeliveryStatus.PENDING, again
        self._outbox.settle(claimed, status, attempt, next_at)
        outcome = "retried" if next_at else status.value
        logger.info(
            "delivery",
            delivery_id=claimed.delivery.id,
            notification_id=claimed.delivery.notification_id,
            outcome=outcome,
            status_code=sent.status_code,
            error=sent.error,
            next_attempt_at=to_text(next_at) if next_at else None,
        )
        return outcome


def _answered(response: HttpResponse, now: datetime) -> AttemptOutcome:
    """2xx is delivered, 410 stops, anything else, redirects included, is tried again."""
    status = response.status
    if 200 <= status < 300:
        return AttemptOutcome(delivered=True, status_code=status)
    if status == HTTPStatus.GONE:
        return AttemptOutcome(delivered=False, status_code=status, error="gone", final=True)
    asked = retry_after_seconds(response.headers.get("retry-after", ""), now)
    wait = None if asked is None else timedelta(seconds=asked)
    return AttemptOutcome(delivered=False, status_code=status, error="http_status", wait=wait)


def _type_of(claimed: OutgoingDelivery) -> str:
    message: dict[str, Any] = loads(claimed.payload.encode())
    kind: str = message["type"]
    return kind


def _text_attribute(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
