"""Sends what is in the outbox: at least once, and in order for each alert and channel.

1. A delivery that is due is claimed: it becomes due again only when the claim has expired. So there
   is one attempt at a time, and an attempt whose process died is made again.
2. A recovery waits for messages of its alert that are on their way to the same channel, and is
   skipped if none arrived: a receiver should not learn the end of an outage that it never heard of.
   A reminder is sent to every channel, also to one that the first message did not reach, and is
   skipped if the alert has ended. Once it arrives, the first message need not.
3. Each attempt is one of the turns of its organization in a minute. Above the limit, a delivery is
   put off to the next minute with room, in the order in which they are due. One whose turn would
   come after its 24 hours has failed, and says so.
4. A failed attempt is repeated for 24 hours, with growing pauses.
"""

import asyncio
import random
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from patchbay.alerts.channel_sender import ATTEMPT_SECONDS, AttemptOutcome, ChannelSender
from patchbay.alerts.delivery_events import DeliveryEvents
from patchbay.alerts.keys import LANES, space_of
from patchbay.alerts.model import DeliveryAttempt, DeliveryStatus, NoticeKind
from patchbay.alerts.outbox import Outbox, OutgoingDelivery
from patchbay.alerts.rule_store import RuleStore
from patchbay.platform.clock import Clock, to_text
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.platform.pacing import Turns, minute_of, start_of

LEASE: Final = timedelta(seconds=60)
"""Longer than an attempt with its reads and writes."""

AT_ONCE: Final = 64
INTERRUPTED: Final = "interrupted"
LATE_MINUTES: Final = 1
"""A turn may be used one minute late, if the notifier comes late: at most twice the limit in one
minute."""

WAIT_FOR_FIRST: Final = timedelta(seconds=60)
FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=2)
LONGEST_RETRY_AFTER: Final = timedelta(hours=6)
_PAGE: Final = 128
_PAGE_SECONDS: Final = 2 * ATTEMPT_SECONDS + 5
"""A page whose receivers all hang takes two rounds of attempts."""


def pause(tries: int, wait: timedelta | None, roll: Callable[[], float]) -> timedelta:
    """How long to wait after attempt number `tries`: 30 s, doubled each time, up to 2 hours.

    Half of it is random (`roll` returns 0 to 1), so that the deliveries to a receiver that was down
    do not come back together. A `Retry-After` (`wait`) is honored up to 6 hours.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(tries - 1, 12)))
    chosen = longest * (0.5 + 0.5 * roll())
    return max(chosen, min(wait, LONGEST_RETRY_AFTER)) if wait else chosen


class Notifier:
    """Sends what is in the outbox."""

    def __init__(
        self,
        rules: RuleStore,
        outbox: Outbox,
        channels: ChannelSender,
        turns: Turns,
        clock: Clock,
        events: DeliveryEvents,
    ) -> None:
        self._events = events
        self._turns = turns
        self._rules = rules
        self._outbox = outbox
        self._channels = channels
        self._clock = clock

    def send_due(self, seconds_left: Callable[[], float]) -> Counter[str]:
        """Sends all that is due, a page of each lane in turn. Returns the count of each outcome."""
        outcomes: Counter[str] = Counter()
        seen: set[Key] = set()
        lanes = deque(range(LANES))
        while lanes and seconds_left() > _PAGE_SECONDS:
            lane = lanes.popleft()
            keys = self._outbox.due(lane, self._clock(), _PAGE)
            # The index may still hold what was settled just now.
            fresh = [key for key in keys if key not in seen]
            if fresh:
                seen.update(fresh)
                outcomes += self.send(fresh)
                lanes.append(lane)
        return outcomes

    def send_messages(
        self, messages: Mapping[str, Sequence[Key]]
    ) -> tuple[Counter[str], list[str]]:
        """Sends the deliveries that queue messages name, by message id.

        Returns the count of each outcome, and the ids of the messages to receive again.
        """
        keys = list(dict.fromkeys(key for named in messages.values() for key in named))
        outcomes = dict(zip(keys, self._send_all(keys), strict=True))
        failed = [
            message_id
            for message_id, named in messages.items()
            if any(outcomes[key] == INTERRUPTED for key in named)
        ]
        return Counter(outcomes.values()), failed

    def send(self, keys: Sequence[Key]) -> Counter[str]:
        """Sends those of the deliveries that are due, many at once. Returns the count of each
        outcome."""
        return Counter(self._send_all(keys))

    def _send_all(self, keys: Sequence[Key]) -> list[str]:
        async def all_of_them() -> list[str]:
            gate = asyncio.Semaphore(AT_ONCE)

            async def look(key: Key) -> OutgoingDelivery | str:
                async with gate:
                    return await _interruptible(key, asyncio.to_thread(self._look, key))

            async def deliver(one: OutgoingDelivery, turn: int | None) -> str:
                async with gate:
                    return await _interruptible(one.key, self._deliver(one, turn))

            found = await asyncio.gather(*map(look, keys))
            ready = [one for one in found if isinstance(one, OutgoingDelivery)]
            turns = await asyncio.to_thread(self._turns_of, ready)
            with_turn = [one for one in _by_turns(ready) if one.key in turns]
            words = await asyncio.gather(*(deliver(one, turns[one.key]) for one in with_turn))
            outcomes = dict(zip((one.key for one in with_turn), words, strict=True))
            return [
                one if isinstance(one, str) else outcomes.get(one.key, INTERRUPTED) for one in found
            ]

        return asyncio.run(all_of_them())

    def _look(self, key: Key) -> OutgoingDelivery | str:
        """The delivery if it is ready to be sent, or the word for why it is not."""
        now = self._clock()
        outgoing = self._outbox.outgoing(key)
        if outgoing is None or outgoing.delivery.status is not DeliveryStatus.PENDING:
            return "settled"
        due_at = outgoing.delivery.next_attempt_at
        if due_at is not None and due_at > now:
            return "not_due"
        if outgoing.after is None:
            return outgoing
        verdict = self._turn_of(outgoing, now)
        if verdict == "send":
            return outgoing
        claimed = self._outbox.claim(outgoing, now + LEASE)
        if claimed is None:
            return "not_due"
        if verdict == "wait":
            self._outbox.postpone(claimed, now + WAIT_FOR_FIRST)
            return "waiting"
        self._outbox.settle(claimed, DeliveryStatus.SKIPPED, None, None)
        return "skipped"

    def _turn_of(
        self, outgoing: OutgoingDelivery, now: datetime
    ) -> Literal["send", "wait", "skip"]:
        """Whether a message that is not the first of its alert to the channel is sent now."""
        first = self._first_of(outgoing)
        first_pending = first is not None and first.delivery.status is DeliveryStatus.PENDING
        standing = self._outbox.standing(outgoing)
        if outgoing.delivery.notice is NoticeKind.RESOLVED:
            arrived = first is not None and first.delivery.status is DeliveryStatus.DELIVERED
            if first_pending or self._outbox.pending_for(outgoing):
                return "wait"
            return "send" if standing.told or arrived else "skip"
        if not standing.fires:
            return "skip"
        if first is not None and first_pending and first.tries == 0:
            # It is about to be sent, or waits for its turn.
            return "wait" if now < outgoing.give_up_at else "skip"
        return "send"

    def _first_of(self, outgoing: OutgoingDelivery) -> OutgoingDelivery | None:
        """The first message of the alert to the channel, None if it is this one or has expired."""
        after = outgoing.after
        return self._outbox.outgoing(Key(outgoing.key.pk, after)) if after else None

    def _turns_of(self, ready: Sequence[OutgoingDelivery]) -> dict[Key, int | None]:
        """The minute of each delivery's turn, None if none comes in time. A delivery is missing if
        the table does not answer."""
        now = self._clock()
        turns: dict[Key, int | None] = {}
        waiting: defaultdict[str, list[OutgoingDelivery]] = defaultdict(list)
        for one in ready:
            if one.turn is not None and 0 <= minute_of(now) - one.turn <= LATE_MINUTES:
                turns[one.key] = one.turn
            else:
                waiting[one.organization_id].append(one)
        for organization_id, deliveries in waiting.items():
            deliveries.sort(key=lambda one: (one.delivery.created_at, one.delivery.id))
            # One that is overdue still has its last attempt, if there is room now.
            latest = [max(one.give_up_at, now) for one in deliveries]
            try:
                given = self._turns.take(organization_id, latest, now)
            except TemporarilyUnavailable as error:
                logger.warning("no turns", organization_id=organization_id, error=error.code)
                continue
            turns |= zip((one.key for one in deliveries), given, strict=True)
        return turns

    async def _deliver(self, outgoing: OutgoingDelivery, turn: int | None) -> str:
        """Claims, sends, and settles one delivery, or puts it off to its turn. Returns the word for
        the outcome."""
        started = self._clock()
        claimed = await asyncio.to_thread(self._outbox.claim, outgoing, started + LEASE)
        if claimed is None:
            return "not_due"
        if turn is not None and turn > minute_of(started):
            await asyncio.to_thread(self._outbox.postpone, claimed, start_of(turn), turn)
            return "delayed"
        if turn is None:
            outcome = AttemptOutcome(delivered=False, error="delivery_limit", final=True)
        else:
            outcome = await self._attempt_safely(claimed, started)
        return await asyncio.to_thread(self._settle, claimed, outcome, started)

    async def _attempt_safely(self, claimed: OutgoingDelivery, now: datetime) -> AttemptOutcome:
        """Makes one attempt. Raises `TemporarilyUnavailable` and nothing else.

        Any other exception is a failed attempt of this delivery: it ends after 24 hours and stops
        no other delivery.
        """
        try:
            return await self._attempt(claimed, now)
        except TemporarilyUnavailable:
            raise
        except Exception as error:
            # Only the type: the text of an unforeseen exception may quote what was being sent.
            logger.error("delivery crashed", delivery=claimed.key.sk, error=type(error).__name__)
            return AttemptOutcome(delivered=False, error="internal_error")

    async def _attempt(self, claimed: OutgoingDelivery, now: datetime) -> AttemptOutcome:
        """Makes one attempt if the rule still has the channel."""
        try:
            rule = await asyncio.to_thread(
                self._rules.rule, space_of(claimed.key), claimed.delivery.rule_id
            )
        except NotFound:
            return AttemptOutcome(delivered=False, error="rule_deleted", final=True)
        channel = next((c for c in rule.channels if c.id == claimed.delivery.channel_id), None)
        if channel is None:
            return AttemptOutcome(delivered=False, error="channel_removed", final=True)
        return await self._channels.send(rule, channel, claimed, now)

    def _note_arrival(self, claimed: OutgoingDelivery, now: datetime) -> None:
        """The channel has heard of the alert. A first message that a reminder overtook is not sent
        any more."""
        if claimed.delivery.notice is NoticeKind.RESOLVED:
            return
        self._outbox.mark_told(claimed, now)
        first = self._first_of(claimed)
        if first is not None and first.delivery.status is DeliveryStatus.PENDING:
            self._outbox.settle(first, DeliveryStatus.SKIPPED, None, None)

    def _settle(self, claimed: OutgoingDelivery, outcome: AttemptOutcome, started: datetime) -> str:
        """Writes the outcome of an attempt: delivered, failed, or due again later."""
        now = self._clock()
        attempt = DeliveryAttempt(
            at=started,
            status_code=outcome.status_code,
            error=outcome.error,
            duration_ms=round((now - started).total_seconds() * 1000),
        )
        next_at = None
        status = DeliveryStatus.DELIVERED if outcome.delivered else DeliveryStatus.FAILED
        if not outcome.delivered and not outcome.final:
            # Jitter spreads load and guards nothing.
            again = now + pause(claimed.tries + 1, outcome.wait, random.random)
            if again < claimed.give_up_at:
                status, next_at = DeliveryStatus.PENDING, again
        if next_at is None:
            self._events.record(space_of(claimed.key), claimed, attempt, status, now)
        if status is DeliveryStatus.DELIVERED:
            self._note_arrival(claimed, now)
        self._outbox.settle(claimed, status, attempt, next_at)
        word = "retried" if next_at else status.value
        logger.info(
            "delivery",
            delivery_id=claimed.delivery.id,
            notification_id=claimed.delivery.notification_id,
            outcome=word,
            status_code=outcome.status_code,
            error=outcome.error,
            next_attempt_at=to_text(next_at) if next_at else None,
        )
        return word


async def _interruptible[T](key: Key, work: Awaitable[T]) -> T | str:
    """The result of the work on a delivery, or the word for work that was interrupted."""
    try:
        return await work
    except Exception as error:
        # The table or the vault does not answer. A claim expires, and the delivery is due.
        logger.warning("delivery interrupted", delivery=key.sk, error=type(error).__name__)
        return INTERRUPTED


def _by_turns(ready: Sequence[OutgoingDelivery]) -> list[OutgoingDelivery]:
    """One delivery of each organization, then the next of each: nobody waits for all of another."""
    seen: Counter[str] = Counter()
    places: dict[Key, int] = {}
    for one in ready:
        places[one.key] = seen[one.organization_id]
        seen[one.organization_id] += 1
    return sorted(ready, key=lambda one: places[one.key])
