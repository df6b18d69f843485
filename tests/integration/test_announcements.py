"""The outbox of announcements: its lanes, and what an earlier release left in its one partition."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from patchbay.connections.announcements import LANES, OUTBOX_PKS, UNDIVIDED_PK, Announcement
from patchbay.connections.health_state import AnnouncementType
from patchbay.monitors.announcer import Announcer
from patchbay.platform.dynamodb import Put, Table
from patchbay.platform.ids import new_id

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)
IN_A_MINUTE = 500
"""What `send_left_behind` sends at most."""


class Accepting:
    """A bus that notes what it accepts."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's
        self.accepted += Entries
        return {"Entries": [{"EventId": "1"} for _ in Entries]}

    @property
    def connections(self) -> list[str]:
        return [entry["Resources"][0] for entry in self.accepted]


def send_left_behind(table: Table) -> Accepting:
    bus = Accepting()
    sent = Announcer(table, "integrations", bus).send_left_behind(NOW)  # type: ignore[arg-type]  # a stand-in
    assert sent == len(bus.accepted)
    return bus


def announced(connection_id: str, seconds_ago: int) -> Announcement:
    at = NOW - timedelta(seconds=seconds_ago)
    detail = {"connection_id": connection_id}
    return Announcement(new_id("evt", NOW), AnnouncementType.FAILING, at, detail)


def leave(table: Table, announcements: Iterable[Announcement], pk: str | None = None) -> None:
    """Leaves them where they belong, or in another partition."""
    for one in announcements:
        table.write(Put(one.item() | ({"pk": pk} if pk else {})))


def by_lane(count: int) -> list[list[str]]:
    """This many ids of connections for each lane."""
    lanes: dict[str, list[str]] = {pk: [] for pk in OUTBOX_PKS}
    while any(len(ids) < count for ids in lanes.values()):
        connection_id = new_id("con", NOW)
        ids = lanes[announced(connection_id, 0).key.pk]
        if len(ids) < count:
            ids.append(connection_id)
    return list(lanes.values())


def is_empty(table: Table) -> bool:
    return not any(table.query(pk).items for pk in (UNDIVIDED_PK, *OUTBOX_PKS))


def test_connections_that_fail_together_are_spread_evenly_over_the_lanes() -> None:
    lanes = Counter(announced(new_id("con", NOW), 0).key.pk for _ in range(LANES * 500))
    assert set(lanes) == set(OUTBOX_PKS)
    assert all(400 < count < 600 for count in lanes.values())


def test_what_is_announced_about_a_connection_is_sent_in_order(integrations_table: Table) -> None:
    connections = [one for [one] in by_lane(1)]
    told = [announced(connection, ago) for ago in (90, 300, 120) for connection in connections]
    leave(integrations_table, told)
    bus = send_left_behind(integrations_table)
    for connection in connections:
        times = [one["Time"] for one in bus.accepted if one["Resources"] == [connection]]
        assert times == sorted(one.at for one in told if one.detail["connection_id"] == connection)
    assert is_empty(integrations_table)


def test_what_its_writer_may_be_sending_is_left_to_it(integrations_table: Table) -> None:
    leave(integrations_table, [announced(new_id("con", NOW), 30)])
    assert send_left_behind(integrations_table).accepted == []
    assert not is_empty(integrations_table)


def test_each_lane_has_a_turn_each_minute(integrations_table: Table) -> None:
    # Given one connection about which much is left, and one in each of the other lanes
    [busy], *others = by_lane(1)
    leave(integrations_table, [announced(busy, 3600 + ago) for ago in range(IN_A_MINUTE + 20)])
    leave(integrations_table, [announced(one, 90) for [one] in others])
    # Then the others do not wait for it
    bus = send_left_behind(integrations_table)
    assert Counter(bus.connections) == {busy: IN_A_MINUTE - len(others)} | {
        one: 1 for [one] in others
    }
    assert len(send_left_behind(integrations_table).accepted) == 20 + len(others)
    assert is_empty(integrations_table)


def test_what_an_earlier_release_left_is_sent_first(integrations_table: Table) -> None:
    [early, late] = by_lane(2)[0]
    leave(integrations_table, [announced(early, 90), announced(late, 80)])
    leave(integrations_table, [announced(early, 3600), announced(late, 3500)], UNDIVIDED_PK)
    bus = send_left_behind(integrations_table)
    assert bus.connections == [early, late, early, late]
    assert is_empty(integrations_table)


def test_all_that_an_earlier_release_left_is_sent_before_the_lanes(
    integrations_table: Table,
) -> None:
    [connection] = by_lane(1)[0]
    leave(integrations_table, [announced(connection, 90)])
    earlier = [announced(connection, 3600 + ago) for ago in range(IN_A_MINUTE + 1)]
    leave(integrations_table, earlier, UNDIVIDED_PK)
    assert len(send_left_behind(integrations_table).accepted) == IN_A_MINUTE
    last = send_left_behind(integrations_table)
    assert [entry["Time"] for entry in last.accepted] == [
        NOW - timedelta(seconds=3600),
        NOW - timedelta(seconds=90),
    ]
    assert is_empty(integrations_table)
