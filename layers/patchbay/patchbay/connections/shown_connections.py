"""Connections as they are shown: what is stored, with the newest test of a run laid over it."""

from collections.abc import Sequence
from datetime import datetime

from patchbay.connections.connection_model import Connection
from patchbay.connections.health_state import HealthState
from patchbay.connections.newest_tests import NewestTest, NewestTests, TestedConnection
from patchbay.connections.steady_health import StreakTest, overlaid, seen_in_run, shown


class ShownConnections:
    """Lays the newest tests over connections that are shown. Their revisions stay: a test makes
    no new one."""

    def __init__(self, tests: NewestTests) -> None:
        self._tests = tests

    def one(self, connection: Connection, now: datetime) -> Connection:
        [found] = self.all([connection], now)
        return found

    def all(self, connections: Sequence[Connection], now: datetime) -> list[Connection]:
        asked = [found for one in connections if (found := tested(one))]
        newest = self._tests.newest(asked, now) if asked else {}
        return [_laid_over(one, newest[one.id]) if one.id in newest else one for one in connections]


def tested(connection: Connection) -> TestedConnection | None:
    """What finding its newest test takes; None for a connection that stores each."""
    return TestedConnection.of_item(
        {
            "id": connection.id,
            "space_id": connection.space_id,
            "plans": connection.plans,
            "state": connection.state,
            "planned_from": connection.planned_from,
        }
    )


def streak_test(newest: NewestTest) -> StreakTest:
    """What a test says about the health of its connection."""
    return seen_in_run(
        newest.at,
        ended=newest.ended,
        streak=newest.streak,
        latency_ms=newest.latency_ms,
        code=newest.code,
    )


def _laid_over(connection: Connection, newest: NewestTest) -> Connection:
    test = streak_test(newest)
    state = overlaid(HealthState.decode(connection.state), test)
    return connection.model_copy(
        update={
            "health": shown(connection.health, state, test),
            "state": state.encode(),
        }
    )
