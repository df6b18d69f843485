"""Deliveries of alerts as events of their space, for spaces that ask for it.

By the health contract a webhook is of the type `webhook`, any other channel of the type `alert`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from patchbay.alerts.model import DeliveryAttempt, DeliveryStatus
from patchbay.alerts.outbox import GIVE_UP_AFTER, OutgoingDelivery
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.store import EventStore
from patchbay.platform.clock import epoch_seconds
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.logging import logger
from patchbay.tenancy.store import TenancyStore

_STATUSES: Final[Mapping[DeliveryStatus, EventStatus]] = {
    DeliveryStatus.DELIVERED: EventStatus.SUCCESS,
    DeliveryStatus.FAILED: EventStatus.ERROR,
}
_TAKEN_BACK: Final = frozenset({"rule_deleted", "channel_removed"})
"""Errors of deliveries that nobody wants any more."""


def event_of_delivery(
    space_id: str,
    outgoing: OutgoingDelivery,
    last: DeliveryAttempt,
    status: DeliveryStatus,
    now: datetime,
) -> Event | None:
    """The event of a delivery that has ended; None if it was taken back.

    It happened when the delivery was to be sent. Its identity is that of the delivery and of this
    round of attempts, so an end that is written twice counts once, and a resent one counts again.
    """
    if last.error in _TAKEN_BACK:
        return None
    delivery = outgoing.delivery
    resent_at = outgoing.give_up_at - GIVE_UP_AFTER
    is_webhook = delivery.channel == "webhook"
    return Event(
        id=f"{delivery.id}.{epoch_seconds(outgoing.give_up_at)}",
        space_id=space_id,
        integration_type=IntegrationType.WEBHOOK if is_webhook else IntegrationType.ALERT,
        status=_STATUSES[status],
        occurred_at=max(delivery.created_at, resent_at),
        received_at=now,
        duration_ms=last.duration_ms,
        error_code=_code(last),
    )


def _code(last: DeliveryAttempt) -> str | None:
    """`http_503` for a status; the table of attempts has it in a field of its own."""
    return f"http_{last.status_code}" if last.error == "http_status" else last.error


class DeliveryEvents:
    """Records how deliveries end."""

    def __init__(self, tenants: TenancyStore, events: EventStore) -> None:
        self._tenants = tenants
        self._events = events

    def record(
        self,
        space_id: str,
        outgoing: OutgoingDelivery,
        last: DeliveryAttempt,
        status: DeliveryStatus,
        now: datetime,
    ) -> None:
        """Stores the event of a delivery that has ended, if its space asks for that.

        A delivery never waits for its event: if the table does not answer, the event is lost, and
        the log says so.
        """
        try:
            space = self._tenants.space_by_id(space_id)
            if space is None or not space.record_deliveries:
                return
            if event := event_of_delivery(space_id, outgoing, last, status, now):
                self._events.add([event], now)
        except TemporarilyUnavailable as error:
            logger.warning("delivery not recorded", delivery=outgoing.key.sk, error=error.code)
