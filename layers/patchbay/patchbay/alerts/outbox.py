"""The outbox: the deliveries of notifications, with the outcome of each attempt.

A pending delivery is in the index, under the time at which it is due. A claim moves that time on
the condition that the delivery still has the version that was read, so there is one attempt at a
time.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from patchbay.alerts.keys import (
    INDEX,
    INDEX_PK,
    INDEX_SK,
    alert_key,
    deliveries_of,
    deliveries_of_lane_pk,
    delivery_index,
    delivery_key,
    space_of,
    space_pk,
)
from patchbay.alerts.model import (
    Alert,
    AlertResolution,
    AlertState,
    AlertWords,
    Delivery,
    DeliveryAttempt,
    DeliveryStatus,
    NoticeKind,
)
from patchbay.alerts.rule_model import MAX_CHANNELS, AlertRule, Channel
from patchbay.alerts.state_machine import TrackedSubject
from patchbay.platform.audit import Action, Entity, recorded
from patchbay.platform.clock import epoch_seconds, from_text, to_sortable, to_text
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import (
    AFTER_ALL,
    PRESENT,
    ConditionFailed,
    Item,
    Key,
    Table,
    Update,
    equals,
)
from patchbay.platform.errors import Conflict, NotFound
from patchbay.platform.ids import Stamp, is_id, new_id
from patchbay.platform.lists import Listing, ListQuery, Lists
from patchbay.platform.revisions import serially
from patchbay.platform.strict_json import compact
from patchbay.tenancy.model import Space

GIVE_UP_AFTER: Final = timedelta(hours=24)
_DELIVERIES_KEPT: Final = timedelta(days=30)
_ATTEMPTS_KEPT: Final = 50
_NEWEST: Final = 4 * MAX_CHANNELS
"""The recoveries of an alert, its last reminders, and those before."""


@dataclass(frozen=True, slots=True)
class OutgoingDelivery:
    """A delivery as the notifier reads it. `version` counts its writes.

    `after` is the sort key of the delivery that must arrive first: that of the firing alert. `turn`
    is the minute that it was put off to, by the limit of its organization.
    """

    delivery: Delivery
    key: Key
    organization_id: str
    payload: str
    after: str | None
    give_up_at: datetime
    tries: int
    version: int
    turn: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether an alert fires, and whether the channel of a delivery has heard of it."""

    fires: bool
    told: bool


class Outbox:
    """The deliveries of spaces."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._lists = Lists(table, CursorSeal(table))

    def deliveries(
        self, space: Space, alert: Alert, query: ListQuery, now: datetime
    ) -> Listing[Delivery]:
        """The deliveries of one alert, newest first."""
        return self._lists.page(
            space.organization_id,
            query,
            now,
            read_delivery,
            pk=space_pk(space.id),
            prefix=deliveries_of(alert.id),
            newest_first=True,
        )

    def outgoing(self, key: Key) -> OutgoingDelivery | None:
        """None if the delivery does not exist."""
        item = self._table.get(key)
        return _outgoing(item) if item else None

    def resend(self, space: Space, alert: Alert, delivery_id: str, now: datetime) -> Delivery:
        """Makes a delivery due now, under the same notification id. It is tried for 24 hours.

        Raises `NotFound`, and `Conflict` if the delivery is still pending.
        """

        def attempt() -> Delivery:
            key = delivery_key(space.id, alert.id, delivery_id)
            outgoing = self.outgoing(key) if is_id("dlv", delivery_id) else None
            if outgoing is None:
                raise NotFound("delivery")
            if outgoing.delivery.status is DeliveryStatus.PENDING:
                raise Conflict("This delivery is still being sent.")
            self._table.transact(
                [
                    Update(
                        key,
                        values={
                            "status": DeliveryStatus.PENDING.value,
                            "tries": 0,
                            "give_up_at": to_text(now + GIVE_UP_AFTER),
                            "version": outgoing.version + 1,
                            "expires_at": epoch_seconds(now, _DELIVERIES_KEPT),
                            **_due(space.id, delivery_id, now),
                        },
                        remove=["after", "turn"],
                        condition=equals("version", outgoing.version),
                    ),
                    recorded(
                        space.organization_id,
                        Entity.ALERT,
                        alert.id,
                        Action.RESENT,
                        after={"delivery_id": delivery_id},
                    ),
                ]
            )
            return outgoing.delivery.model_copy(
                update={"status": DeliveryStatus.PENDING, "next_attempt_at": now}
            )

        return serially(attempt)

    def standing(self, outgoing: OutgoingDelivery) -> Standing:
        """How the alert of a delivery stands."""
        delivery = outgoing.delivery
        item = self._table.get(alert_key(space_of(outgoing.key), delivery.alert_id))
        return Standing(
            fires=item is not None and item["state"] == AlertState.FIRING,
            told=item is not None and _told(delivery.channel_id) in item,
        )

    def mark_told(self, outgoing: OutgoingDelivery, now: datetime) -> None:
        """Writes that the alert has reached the channel: its end will be told, too."""
        delivery = outgoing.delivery
        key = alert_key(space_of(outgoing.key), delivery.alert_id)
        with suppress(ConditionFailed):  # its rule was deleted, or it has expired
            self._table.write(
                Update(key, values={_told(delivery.channel_id): to_text(now)}, condition=PRESENT)
            )

    def pending_for(self, outgoing: OutgoingDelivery) -> bool:
        """Whether one of the newest messages of the alert is still on its way to the channel."""
        delivery = outgoing.delivery
        page = self._table.query(
            outgoing.key.pk,
            prefix=deliveries_of(delivery.alert_id),
            newest_first=True,
            limit=_NEWEST,
        )
        return any(
            item["status"] == DeliveryStatus.PENDING
            and item["channel_id"] == delivery.channel_id
            and item["notice"] != NoticeKind.RESOLVED
            for item in page.items
        )

    def due(self, lane: int, now: datetime, limit: int) -> list[Key]:
        """Up to `limit` deliveries of a lane that are due, the longest overdue first."""
        page = self._table.query(
            deliveries_of_lane_pk(lane),
            between=("0", f"{to_sortable(now)}{AFTER_ALL}"),
            index=INDEX,
            limit=limit,
        )
        return [Key(item["pk"], item["sk"]) for item in page.items]

    def claim(self, outgoing: OutgoingDelivery, until: datetime) -> OutgoingDelivery | None:
        """Claims a delivery until `until`. Returns None if it is claimed or settled by now.

        The claim moves the time at which the delivery is due. If the claimant dies, it becomes due
        again. Its turn is used.
        """
        version = outgoing.version + 1
        token = new_id("clm", until)
        claimed = {"version": version, "claimed_by": token}
        due = _due(space_of(outgoing.key), outgoing.delivery.id, until)
        condition = equals("version", outgoing.version) & equals(
            "status", DeliveryStatus.PENDING.value
        )
        try:
            self._table.write(
                Update(outgoing.key, values=claimed | due, remove=["turn"], condition=condition)
            )
        except ConditionFailed as failed:
            if failed.item is None or failed.item.get("claimed_by") != token:
                return None
            # Our own token: the write was applied, and repeated because its reply was lost.
        return replace(outgoing, version=version)

    def postpone(self, claimed: OutgoingDelivery, until: datetime, turn: int | None = None) -> None:
        """Releases a claimed delivery without an attempt. It is due again at `until`, and then has
        this `turn`, if any."""
        due = _due(space_of(claimed.key), claimed.delivery.id, until)
        given = {} if turn is None else {"turn": turn}
        self._settle(claimed, due | given, ())

    def settle(
        self,
        claimed: OutgoingDelivery,
        status: DeliveryStatus,
        attempt: DeliveryAttempt | None,
        next_attempt_at: datetime | None,
    ) -> None:
        """Writes the outcome of an attempt. Writes nothing if the claim has expired.

        `next_attempt_at` None ends the delivery.
        """
        attempts = [*claimed.delivery.attempts, *([attempt] if attempt else [])][-_ATTEMPTS_KEPT:]
        values: dict[str, Any] = {
            "status": status.value,
            "tries": claimed.tries + (attempt is not None),
            "attempts": [one.model_dump(mode="json") for one in attempts],
        }
        if next_attempt_at is None:
            self._settle(claimed, values, ("due_at", INDEX_PK, INDEX_SK))
        else:
            due = _due(space_of(claimed.key), claimed.delivery.id, next_attempt_at)
            self._settle(claimed, values | due, ())

    def _settle(
        self, claimed: OutgoingDelivery, values: Mapping[str, Any], remove: Sequence[str]
    ) -> None:
        update = Update(
            claimed.key,
            values={**values, "version": claimed.version + 1},
            remove=remove,
            condition=equals("version", claimed.version),
        )
        try:
            self._table.write(update)
        except ConditionFailed:
            return  # our own write, repeated by botocore after a lost reply, or another claim


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification about the alert of a subject, as its transition leaves it."""

    rule: AlertRule
    tracked: TrackedSubject
    notice: NoticeKind
    words: AlertWords
    resolution: AlertResolution = AlertResolution.RECOVERED

    @property
    def notification_id(self) -> str:
        return notification_id(self.tracked.alert_id, self.tracked.generation)

    def payload(self, now: datetime) -> str:
        """The message as text, so that every attempt sends the same bytes."""
        rule, tracked, notice = self.rule, self.tracked, self.notice
        connection = self.words.connection
        message = {
            "type": f"alert.{notice}",
            "timestamp": to_text(now),
            "data": {
                "notification_id": self.notification_id,
                "alert_id": tracked.alert_id,
                "organization_id": rule.organization_id,
                "space_id": rule.space_id,
                "space": rule.space,
                "rule": {
                    "id": rule.id,
                    "name": rule.name,
                    "severity": rule.severity.value,
                    "condition": rule.condition.kind,
                },
                "subject": self.words.subject.model_dump(mode="json"),
                "connection": connection.model_dump(mode="json") if connection else None,
                "summary": self.words.summary,
                "link": f"{self.words.alerts_url}/{tracked.alert_id}",
                "reminder": tracked.state.reminders if notice is NoticeKind.REMINDER else None,
                "resolution": self.resolution.value if notice is NoticeKind.RESOLVED else None,
            },
        }
        return compact(message).decode()


def new_deliveries(
    message: Notification, channels: Sequence[Channel], now: datetime
) -> tuple[list[Item], TrackedSubject]:
    """The items of a message, one for each channel, for the transaction of the transition; and the
    subject with what is the first message of its alert to each channel."""
    tracked, payload = message.tracked, message.payload(now)
    first = dict(tracked.first or {})
    items = []
    for channel in channels:
        delivery_id = _delivery_id(tracked.alert_id, tracked.generation, channel.id, now)
        earlier = first.setdefault(channel.id, delivery_id)
        after = None if earlier == delivery_id else earlier
        items.append(_new_delivery(message, channel, payload, delivery_id, after, now))
    return items, tracked if tracked.first is None else replace(tracked, first=first)


def notification_id(alert_id: str, generation: int) -> str:
    """The id of the notification that a generation of an alert sends, always the same."""
    digest = hashlib.sha256(f"{alert_id}#{generation}".encode()).hexdigest()
    return f"ntf_{digest[:32]}"


def _delivery_id(alert_id: str, generation: int, channel_id: str, at: datetime) -> str:
    seed = hashlib.sha256(f"{alert_id}#{generation}".encode()).digest()
    return Stamp(at, seed).id("dlv", channel_id)


def _new_delivery(
    message: Notification,
    channel: Channel,
    payload: str,
    delivery_id: str,
    first: str | None,
    now: datetime,
) -> Item:
    rule, tracked = message.rule, message.tracked
    give_up_at = now + GIVE_UP_AFTER
    if message.notice is NoticeKind.REMINDER:
        give_up_at = min(give_up_at, now + timedelta(seconds=rule.reminder_seconds))
    item: Item = {
        **delivery_key(rule.space_id, tracked.alert_id, delivery_id)._asdict(),
        "id": delivery_id,
        "organization_id": rule.organization_id,
        "notification_id": message.notification_id,
        "alert_id": tracked.alert_id,
        "rule_id": rule.id,
        "channel_id": channel.id,
        "channel": channel.kind,
        "notice": message.notice.value,
        "status": DeliveryStatus.PENDING.value,
        "created_at": to_text(now),
        "give_up_at": to_text(give_up_at),
        "payload": payload,
        "attempts": [],
        "tries": 0,
        "version": 1,
        "expires_at": epoch_seconds(now, _DELIVERIES_KEPT),
        **_due(rule.space_id, delivery_id, now),
    }
    if first is not None:
        item["after"] = delivery_key(rule.space_id, tracked.alert_id, first).sk
    return item


def _told(channel_id: str) -> str:
    """The attribute of an alert that says when it reached a channel."""
    return f"told_{channel_id}"


def _due(space_id: str, delivery_id: str, at: datetime) -> dict[str, str]:
    return {"due_at": to_text(at), **delivery_index(space_id, delivery_id, to_sortable(at))}


def read_delivery(item: Item) -> Delivery:
    return Delivery.model_validate({**item, "next_attempt_at": item.get("due_at")})


def _outgoing(item: Item) -> OutgoingDelivery:
    return OutgoingDelivery(
        delivery=read_delivery(item),
        key=Key(item["pk"], item["sk"]),
        organization_id=item["organization_id"],
        payload=item["payload"],
        after=item.get("after"),
        give_up_at=from_text(item["give_up_at"]),
        tries=item["tries"],
        version=item["version"],
        turn=item.get("turn"),
    )
