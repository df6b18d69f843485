"""Waking the rules of a space: the implementation of `tenancy.wakes.Wake`.

A wake makes the space's entry in the index due at once, and notes the minute. An evaluation that
read the entry before that moves it nowhere (`watched_spaces`), and one that begins in the minutes
after it does not either (`schedule.SETTLE_MINUTES`). So one wake a minute is enough: the process
remembers which spaces it has woken, and the item refuses a second one by another process.
"""

import threading
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from patchbay.alerts.schedule import INDEX_PK, at_once
from patchbay.connections.wheel import minute_number
from patchbay.platform.clock import Clock
from patchbay.platform.dynamodb import (
    ConditionFailed,
    Key,
    Table,
    Update,
    exists,
    less_or_absent,
)
from patchbay.platform.logging import log_exception

_REMEMBERED: Final = 10_000
"""Spaces of one minute, some 100 bytes each. Beyond them, the item alone refuses repetitions."""


def watch_key(space_id: str) -> Key:
    """The item that has the entry of a space; it exists as soon as there was a rule."""
    return Key(f"SPACE#{space_id}", "ALERTING")


class RuleWaker:
    """Wakes the rules of spaces. A space without rules costs a refused write a minute."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._minute = 0
        self._woken: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, space_ids: Iterable[str], /) -> None:
        """Never raises: the next look at a quiet space is a quarter of an hour away at most."""
        now = self._clock()
        for space_id in dict.fromkeys(space_ids):
            if self._is_new(space_id, now):
                self._wake(space_id, minute_number(now))

    def _is_new(self, space_id: str, now: datetime) -> bool:
        minute = minute_number(now)
        with self._lock:
            if minute != self._minute:
                self._minute, self._woken = minute, set()
            if space_id in self._woken:
                return False
            if len(self._woken) < _REMEMBERED:
                self._woken.add(space_id)
            return True

    def _wake(self, space_id: str, minute: int) -> None:
        try:
            self._table.write(
                Update(
                    watch_key(space_id),
                    values={**at_once(space_id).attributes, "woken": minute},
                    condition=exists(INDEX_PK) & less_or_absent("woken", minute),
                )
            )
        except ConditionFailed:
            return  # no rule is watching, or it is awake
        except Exception as error:  # the write that follows must not fail because of its alerts
            with self._lock:
                self._woken.discard(space_id)
            log_exception("rules not woken", error, space_id=space_id)
