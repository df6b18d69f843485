"""Sends a delivery again when a caller asks for it."""

from datetime import datetime

from patchbay.alerts.keys import delivery_key
from patchbay.alerts.model import Delivery
from patchbay.alerts.outbox import Outbox
from patchbay.alerts.queue import NotificationQueue
from patchbay.alerts.store import AlertStore
from patchbay.tenancy.model import Space


class Redelivery:
    """The use case: the delivery is due at once, and the notifier is woken for it."""

    def __init__(self, alerts: AlertStore, outbox: Outbox, queue: NotificationQueue) -> None:
        self._alerts = alerts
        self._outbox = outbox
        self._queue = queue

    def resend(self, space: Space, alert_id: str, delivery_id: str, now: datetime) -> Delivery:
        """Raises `NotFound`, and `Conflict` if the delivery is still pending."""
        alert = self._alerts.alert(space.id, alert_id, now)
        delivery = self._outbox.resend(space, alert, delivery_id, now)
        self._queue.wake([delivery_key(space.id, alert.id, delivery.id)])
        return delivery
