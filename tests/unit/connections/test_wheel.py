"""At which minutes a monitored connection is tested, and where it stands in the index."""

from datetime import UTC, datetime, timedelta

import pytest

from patchbay.connections.wheel import (
    PLACES,
    MonitorInterval,
    is_due,
    minute_number,
    on_the_wheel,
    phase_of,
    place_of,
    slot_pk,
    slot_sk,
)

# Its hash (BLAKE2b of 8 bytes) is b7dbc8037e2a1845.
CONNECTION = "con_01KHNQHEG0MXHF3G3DEKEKTQN9"


@pytest.mark.parametrize(
    ("interval", "minutes"), [("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60), ("24h", 24 * 60)]
)
def test_an_interval_has_its_length(interval: str, minutes: int) -> None:
    assert MonitorInterval(interval).minutes == minutes
    assert MonitorInterval(interval).duration == timedelta(minutes=minutes)


def test_there_are_five_intervals() -> None:
    assert [(interval.name, interval.value) for interval in MonitorInterval] == [
        ("MINUTE", "1m"),
        ("FIVE_MINUTES", "5m"),
        ("QUARTER", "15m"),
        ("HOUR", "1h"),
        ("DAY", "24h"),
    ]


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:59.999Z", 0),
        ("1970-01-01T00:01:00Z", 1),
        ("2026-02-17T12:00:00Z", 29_522_160),
    ],
)
def test_minutes_are_counted_from_1970(moment: str, number: int) -> None:
    assert minute_number(datetime.fromisoformat(moment)) == number


# Stored with every connection: another hash would test all of them at other minutes.
@pytest.mark.parametrize(
    ("interval", "phase"), [("1m", 0), ("5m", 3), ("15m", 8), ("1h", 38), ("24h", 458)]
)
def test_a_phase_is_the_first_six_bytes_of_the_hash_modulo_the_interval(
    interval: str, phase: int
) -> None:
    assert phase_of(CONNECTION, MonitorInterval(interval)) == phase
    assert 0xB7DB_C803_7E2A % MonitorInterval(interval).minutes == phase


def test_a_place_is_the_last_two_bytes_of_the_hash() -> None:
    assert place_of(CONNECTION) == 0x1845
    assert PLACES == 256**2


def test_a_connection_is_due_once_a_day_at_its_phase() -> None:
    midnight = datetime(2026, 2, 17, tzinfo=UTC)
    due = [
        number
        for number in range(24 * 60)
        if is_due(CONNECTION, MonitorInterval.DAY, midnight + timedelta(minutes=number))
    ]
    assert due == [458]


def test_the_index_has_the_interval_and_phase_and_then_the_place_and_the_id() -> None:
    assert on_the_wheel(CONNECTION, MonitorInterval.HOUR) == {
        "monitor_slot_pk": "1h#38",
        "monitor_slot_sk": f"1845#{CONNECTION}",
    }
    assert slot_pk("24h", 1439) == "24h#1439"


def test_all_sort_keys_have_one_length_and_sort_as_their_places() -> None:
    ids = [f"con_{number:026}" for number in range(2000)]
    keys = [slot_sk(one) for one in ids]
    assert {len(key) for key in keys} == {4 + 1 + 30}
    assert sorted(keys) == [slot_sk(one) for one in sorted(ids, key=lambda i: (place_of(i), i))]
    assert min(map(place_of, ids)) < 0x100
