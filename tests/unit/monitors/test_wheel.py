"""The laws of the wheel."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.connection_tests import identity
from patchbay.connections.wheel import (
    PLACES,
    MonitorInterval,
    is_due,
    on_the_wheel,
    phase_of,
    place_of,
    slot_sk,
)
from patchbay.monitors.wheel import (
    MAX_LANES,
    Slot,
    Sweep,
    due_minutes,
    due_phases,
    lane_of,
    lane_of_sort_key,
    minute_of,
)
from patchbay.platform.dynamodb import AFTER_ALL
from patchbay.platform.ids import Stamp, is_id

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

ids = st.integers(0, 2**80 - 1).map(lambda bits: Stamp(NOON, bits.to_bytes(10)).id("con"))
intervals = st.sampled_from(sorted(MonitorInterval))
minutes = st.integers(0, 60_000_000).map(
    lambda number: datetime(1970, 1, 1, tzinfo=UTC) + number * MINUTE
)
lane_counts = st.integers(1, MAX_LANES)


def connection_ids(count: int) -> list[str]:
    return [Stamp(NOON, number.to_bytes(10)).id("con") for number in range(count)]


def slots_of(minute: datetime, lanes: int) -> list[Slot]:
    """All slots that are due at a minute: one for each interval and lane."""
    return [Slot(*phase, lane, lanes) for phase in due_phases(minute) for lane in range(lanes)]


@given(connection_id=ids, interval=intervals, start=minutes)
def test_a_connection_is_due_exactly_once_in_any_span_of_its_interval(
    connection_id: str, interval: MonitorInterval, start: datetime
) -> None:
    span = [start + number * MINUTE for number in range(interval.minutes)]
    assert sum(is_due(connection_id, interval, minute) for minute in span) == 1


@given(connection_id=ids, interval=intervals, minute=minutes, lanes=lane_counts)
def test_a_due_connection_is_in_exactly_one_slot_of_the_minute_whatever_the_lanes(
    connection_id: str, interval: MonitorInterval, minute: datetime, lanes: int
) -> None:
    index = on_the_wheel(connection_id, interval)
    holding = [
        slot
        for slot in slots_of(minute, lanes)
        if (sweep := Sweep.of(slot, minute)).pk == index["monitor_slot_pk"]
        and sweep.low <= index["monitor_slot_sk"] <= sweep.high
    ]
    assert len(holding) == is_due(connection_id, interval, minute)
    assert all(slot.lane == lane_of_sort_key(index["monitor_slot_sk"], lanes) for slot in holding)


@given(lanes=lane_counts)
def test_the_lanes_of_a_phase_cover_every_place_and_do_not_overlap(lanes: int) -> None:
    slots = [slot for slot in slots_of(NOON, lanes) if slot.interval == "1m"]
    bounds = [(int(slot.low, 16), int(slot.high[:4], 16)) for slot in slots]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == PLACES - 1
    assert all(high + 1 == low for (_, high), (low, _) in pairwise(bounds))
    assert {lane_of(place, lanes) for pair in bounds for place in pair} == set(range(lanes))


# A lane ends right before the next begins, even if the places can't be divided evenly.
@pytest.mark.parametrize(
    ("lane", "lanes", "low", "high"),
    [
        (0, 1, "0000", "ffff"),
        (0, 2, "0000", "7fff"),
        (1, 2, "8000", "ffff"),
        (0, 3, "0000", "5555"),
        (1, 3, "5556", "aaaa"),
        (2, 3, "aaab", "ffff"),
        (63, 64, "fc00", "ffff"),
    ],
)
def test_a_slot_has_the_places_of_its_lane(lane: int, lanes: int, low: str, high: str) -> None:
    slot = Slot("1h", 38, lane, lanes)
    assert slot.low == low
    assert slot.high == f"{high}{AFTER_ALL}"
    assert slot.high > f"{high}#con_ZZZZZZZZZZZZZZZZZZZZZZZZZZ"
    # The dispatcher asks for the lane of both ends: another lane there would never end.
    assert lane_of_sort_key(slot.low, lanes) == lane_of_sort_key(slot.high, lanes) == lane
    assert lane_of(int(low, 16), lanes) == lane_of(int(high, 16), lanes) == lane


def test_a_sweep_has_the_name_and_the_range_of_its_slot() -> None:
    # given
    sweep = Sweep.of(Slot("1h", 38, 1, 3), NOON)

    # then
    assert sweep == Sweep(NOON, "1h#38#1", "5556", f"aaaa{AFTER_ALL}")
    assert sweep.pk == "1h#38"
    assert sweep.encode() == {
        "minute": "2026-02-17T12:00:00Z",
        "slot": "1h#38#1",
        "low": "5556",
        "high": f"aaaa{AFTER_ALL}",
        "hops": 0,
    }
    assert Sweep.decode(sweep.encode()) == sweep


def test_a_part_of_a_sweep_keeps_its_minute_and_slot() -> None:
    sweep = Sweep.of(Slot("1h", 38, 1, 3), NOON)
    first, last = "6000#con_01", "7000#con_02"
    assert sweep.after(first) == Sweep(NOON, sweep.slot, f"{first}!", sweep.high)
    assert sweep.only(first, last) == Sweep(NOON, sweep.slot, first, last)


def test_a_sweep_may_be_of_one_organization_alone() -> None:
    sweep = Sweep.of(Slot("1h", 38, 1, 3), NOON)
    own = sweep.of_organization("org_1")
    assert own == Sweep(NOON, sweep.slot, sweep.low, sweep.high, "org_1")
    assert own.encode() == {**sweep.encode(), "organization_id": "org_1"}
    assert Sweep.decode(own.encode()) == own


def test_one_phase_of_each_interval_is_due_at_a_minute() -> None:
    assert [*due_phases(NOON)] == [("1m", 0), ("5m", 0), ("15m", 0), ("1h", 0), ("24h", 720)]
    assert [*due_phases(NOON + 67 * MINUTE)] == [
        ("1m", 0),
        ("5m", 2),
        ("15m", 7),
        ("1h", 7),
        ("24h", 787),
    ]


def test_phases_and_lanes_are_balanced() -> None:
    ids_of_many = connection_ids(20_000)
    often, hourly = MonitorInterval.FIVE_MINUTES, MonitorInterval.HOUR
    for counts, groups in (
        (Counter(phase_of(one, hourly) for one in ids_of_many), 60),
        (Counter(lane_of(place_of(one), 4) for one in ids_of_many), 4),
        (Counter((phase_of(one, often), lane_of(place_of(one), 4)) for one in ids_of_many), 20),
    ):
        fair = len(ids_of_many) / groups
        assert len(counts) == groups
        # Six standard deviations: never in practice, if the hash is uniform.
        assert all(abs(count - fair) < 6 * fair**0.5 for count in counts.values())


@given(connection_id=ids, interval=intervals, minute=minutes, lanes=lane_counts)
def test_the_rest_of_a_sweep_starts_right_after_a_connection(
    connection_id: str, interval: MonitorInterval, minute: datetime, lanes: int
) -> None:
    sort_key = slot_sk(connection_id)
    for slot in slots_of(minute, lanes):
        rest = Sweep.of(slot, minute).after(sort_key)
        assert rest.low > sort_key
        assert rest.low < sort_key[:-1] + chr(ord(sort_key[-1]) + 1)


@given(minute=minutes, lanes=lane_counts)
def test_a_sweep_is_read_as_it_was_written(minute: datetime, lanes: int) -> None:
    for slot in slots_of(minute, lanes):
        sweep = Sweep.of(slot, minute)
        assert Sweep.decode(sweep.encode()) == sweep


def test_a_minute_has_at_most_320_slots() -> None:
    assert MAX_LANES == 64
    assert len(slots_of(NOON, MAX_LANES)) == 320
    assert len(list(due_phases(NOON))) == 5


@given(connection_id=ids, other=ids, minute=minutes)
def test_a_test_has_one_id_by_connection_and_minute(
    connection_id: str, other: str, minute: datetime
) -> None:
    def test_of(connection_id: str, minute: datetime) -> identity.TestIdentity:
        subject = identity.TestSubject.connection("org_1", connection_id)
        return identity.TestIdentity.scheduled(subject, minute)

    mine = test_of(connection_id, minute)
    assert is_id("tst", mine.test_id)
    assert mine == test_of(connection_id, minute)
    assert mine.test_id != test_of(connection_id, minute + MINUTE).test_id
    if other != connection_id:
        assert mine.test_id != test_of(other, minute).test_id
    assert mine.at == minute


@pytest.mark.parametrize(
    ("behind", "dispatched", "skipped", "lag"),
    [
        *[(-3, 0, 0, 0), (0, 0, 0, 0), (1, 1, 0, 0), (2, 2, 0, 1), (60, 60, 0, 59)],
        *[(61, 60, 1, 60), (75, 60, 15, 74)],
    ],
)
def test_missed_minutes_are_caught_up_for_up_to_an_hour(
    behind: int, dispatched: int, skipped: int, lag: int
) -> None:
    due = due_minutes(NOON - behind * MINUTE, NOON)
    assert due.minutes == tuple(NOON - number * MINUTE for number in range(dispatched))
    assert (due.skipped, due.lag) == (skipped, lag * MINUTE)


def test_the_very_first_dispatch_has_missed_nothing() -> None:
    due = due_minutes(None, NOON)
    assert (due.minutes, due.skipped, due.lag) == ((NOON,), 0, timedelta(0))


def test_a_schedule_that_fires_during_a_minute_means_that_minute() -> None:
    assert minute_of(NOON + timedelta(seconds=37, milliseconds=5)) == NOON
    assert minute_of(NOON) == NOON
