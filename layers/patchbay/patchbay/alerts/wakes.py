"""Waking the rules of a space: the implementation of `tenancy.wakes.Wake`.

A wake makes the space's entry in the index due at once, and notes the minute. An evaluation that
read the entry before that moves it nowhere (`watched_spaces`), and one that begins in the minutes
after it does not either (`schedule.SETTLE_MINUTES`). So most wakes find their space awake. That is
read, at half a unit or less, because a write that is refused costs as much as one that is not: what
goes on failing writes nothing while an alert fires, and at most one wake in `COVERED` minutes
otherwise. What was read is remembered by the process.
"""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from patchbay.alerts.schedule import INDEX_PK, INDEX_SK, SETTLE_MINUTES, at_once
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

COVERED: Final = SETTLE_MINUTES - 3
"""For how many minutes after that of a wake it stands for others: the space is evaluated for two
more minutes after each of them, as after a wake of its own."""

_REMEMBERED: Final = 10_000
"""Spaces, some 200 bytes each. Of others, each wake reads whether they are awake."""

_WRITERS: Final = 8


def watch_key(space_id: str) -> Key:
    """The item that has the entry of a space; it exists as soon as there was a rule."""
    return Key(f"SPACE#{space_id}", "ALERTING")


class RuleWaker:
    """Wakes the rules of spaces. A space without rules costs half a read unit."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._awake_until: dict[str, int] = {}
        """The last minute at which a space need not be looked at again."""
        self._lock = threading.Lock()

    def __call__(self, space_ids: Iterable[str], /) -> bool:
        minute = minute_number(self._clock())
        unknown = [one for one in dict.fromkeys(space_ids) if not self._is_known(one, minute)]
        if not unknown:
            return True
        asleep = self._asleep(unknown, minute)
        if len(asleep) <= 1:
            return all(self._wake(space_id, minute) for space_id in asleep)
        with ThreadPoolExecutor(_WRITERS) as pool:
            return all(list(pool.map(lambda space_id: self._wake(space_id, minute), asleep)))

    def _is_known(self, space_id: str, minute: int) -> bool:
        return self._awake_until.get(space_id, -1) >= minute

    def _asleep(self, space_ids: list[str], minute: int) -> list[str]:
        """Those that rules watch and that are not awake; all if that is not readable."""
        keys = {watch_key(space_id): space_id for space_id in space_ids}
        try:
            watches = self._table.get_all(keys, consistent=False)
        except Exception as error:  # as in `_wake`
            log_exception("watches not read", error)
            return space_ids
        asleep = []
        for key, space_id in keys.items():
            watch = watches.get(key, {})
            if INDEX_PK not in watch:
                # A rule that is made from now on wakes its space itself.
                self._remember(space_id, minute, minute)
            elif _is_awake(space_id, watch, minute):
                self._remember(space_id, min(watch["woken"], minute), minute)
            else:
                asleep.append(space_id)
        return asleep

    def _wake(self, space_id: str, minute: int) -> bool:
        """Whether it is awake."""
        try:
            self._table.write(
                Update(
                    watch_key(space_id),
                    values={**at_once(space_id).attributes, "woken": minute},
                    condition=exists(INDEX_PK) & less_or_absent("woken", minute),
                )
            )
        except ConditionFailed:
            pass  # another process was faster, or the last rule has gone
        except Exception as error:  # the write that follows must not fail because of its alerts
            log_exception("rules not woken", error, space_id=space_id)
            return False
        self._remember(space_id, minute, minute)
        return True

    def _remember(self, space_id: str, woken: int, minute: int) -> None:
        with self._lock:
            if len(self._awake_until) >= _REMEMBERED:
                known = self._awake_until.items()
                self._awake_until = {one: until for one, until in known if until >= minute}
            if len(self._awake_until) < _REMEMBERED:
                self._awake_until[space_id] = woken + COVERED


def _is_awake(space_id: str, watch: Mapping[str, Any], minute: int) -> bool:
    """Whether a wake in this minute would change nothing that matters."""
    is_due = watch[INDEX_SK] == at_once(space_id).sk
    return bool(is_due and watch.get("woken", 0) + COVERED >= minute)
