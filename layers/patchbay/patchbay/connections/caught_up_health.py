"""Health that is written because its tests are about to be looked for elsewhere.

The newest test of a steady connection is found by its plans. An edit that takes them away, or gives
it others, would leave what was last written.
"""

from datetime import datetime

from patchbay.connections.connection_model import Connection
from patchbay.connections.health_recorder import HealthRecorder
from patchbay.connections.newest_tests import NewestTests
from patchbay.connections.shown_connections import streak_test, tested


class CaughtUpHealth:
    """Writes what follows from the newest tests into connections."""

    def __init__(self, tests: NewestTests, health: HealthRecorder) -> None:
        self._tests = tests
        self._health = health

    def before_change(self, old: Connection, now: datetime) -> None:
        """Before a write that gives a connection other plans. A test that is on its way now is
        shown when the connection is tested again. Raises `TemporarilyUnavailable`."""
        asked = filter(None, [tested(old)])
        for newest in self._tests.newest(asked, now).values():
            self._health.catch_up(old, streak_test(newest))
