"""Sends the announcements about connections from their outbox to the bus, at least once each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Final

from patchbay.connections.announcements import OUTBOX_PK, Announcement
from patchbay.platform.aws import call, client
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import Delete, Table
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import logger
from patchbay.platform.strict_json import compact

if TYPE_CHECKING:
    from mypy_boto3_events.client import EventBridgeClient

SOURCE: Final = "patchbay.connections"
_MAX_ENTRIES: Final = 10
"""AWS: PutEvents takes up to 10 events."""
_LEFT_BEHIND: Final = timedelta(minutes=1)
"""The writer of an announcement sends it within seconds; an older one was left behind."""
_MAX_LEFT_BEHIND: Final = 500
_FIRST: Final = "0"


class Announcer:
    """Sends announcements and takes them out of the outbox. `bus` is the bus's name."""

    def __init__(self, table: Table, bus: str, events: "EventBridgeClient | None" = None) -> None:
        self._table = table
        self._bus = bus
        self._events = events

    def announce(self, announcements: Sequence[Announcement]) -> None:
        """Sends what was just written; what is not sent stays for `send_left_behind`."""
        try:
            self._send(announcements)
        except PatchbayError as error:
            logger.warning(
                "announcements left in the outbox", code=error.code, count=len(announcements)
            )

    def send_left_behind(self, now: datetime) -> int:
        """Sends what was left behind, oldest first. Returns how many there were.

        Raises `TemporarilyUnavailable`.
        """
        page = self._table.query(
            OUTBOX_PK, between=(_FIRST, to_sortable(now - _LEFT_BEHIND)), limit=_MAX_LEFT_BEHIND
        )
        waiting = [Announcement.read(item) for item in page.items]
        self._send(waiting)
        return len(waiting)

    def _send(self, announcements: Sequence[Announcement]) -> None:
        for batch in batched(announcements, _MAX_ENTRIES, strict=False):
            answer = call(
                (self._events or client("events")).put_events,
                Entries=[
                    {
                        "EventBusName": self._bus,
                        "Source": SOURCE,
                        "DetailType": one.type.value,
                        "Detail": compact(one.detail).decode(),
                        "Resources": [one.detail["connection_id"]],
                        "Time": one.at,
                    }
                    for one in batch
                ],
            )
            for one, entry in zip(batch, answer["Entries"], strict=True):
                if "EventId" in entry:
                    self._table.write(Delete(one.key))
