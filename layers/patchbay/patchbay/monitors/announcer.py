"""Sends the announcements about connections from their outbox to the bus, at least once each."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Final

from patchbay.connections.announcements import OUTBOX_PKS, UNDIVIDED_PK, Announcement
from patchbay.platform.aws import call, client
from patchbay.platform.clock import to_sortable
from patchbay.platform.dynamodb import Delete, Item, Key, Table
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
_PAGE: Final = 50
"""So that each lane has a turn within `_MAX_LEFT_BEHIND`."""
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
            self._send([(one.key, one) for one in announcements])
        except PatchbayError as error:
            logger.warning(
                "announcements left in the outbox", code=error.code, count=len(announcements)
            )

    def send_left_behind(self, now: datetime) -> int:
        """Sends what was left behind: a page of each lane in turn, oldest first. Returns how many
        there were.

        What is undivided was written before anything in the lanes, so it goes first, and all of it.
        Raises `TemporarilyUnavailable`.
        """
        between = (_FIRST, to_sortable(now - _LEFT_BEHIND))
        left = _MAX_LEFT_BEHIND
        for partitions in ((UNDIVIDED_PK,), OUTBOX_PKS):
            turns: deque[tuple[str, Item | None]] = deque((pk, None) for pk in partitions)
            while turns and left:
                pk, start = turns.popleft()
                limit = min(_PAGE, left)
                page = self._table.query(
                    pk, between=between, limit=limit, start=start, consistent=False
                )
                self._send(
                    [(Key(item["pk"], item["sk"]), Announcement.read(item)) for item in page.items]
                )
                left -= len(page.items)
                if page.last_key:
                    turns.append((pk, page.last_key))
        return _MAX_LEFT_BEHIND - left

    def _send(self, waiting: Sequence[tuple[Key, Announcement]]) -> None:
        """Sends announcements, and deletes their entries at these keys."""
        for batch in batched(waiting, _MAX_ENTRIES, strict=False):
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
                    for _, one in batch
                ],
            )
            for (key, _), entry in zip(batch, answer["Entries"], strict=True):
                if "EventId" in entry:
                    self._table.write(Delete(key))
