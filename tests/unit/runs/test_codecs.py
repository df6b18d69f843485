"""What is stored can be read again, and nothing else is read."""

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.connections.wheel import moment_of
from patchbay.health.buckets import Bucket
from patchbay.health.model import event_of_test
from patchbay.platform.ids import ulid_bytes, ulid_text
from patchbay.runs.bits import decode_bits, encode_bits
from patchbay.runs.codec import decode_group, decode_run, encode_run, groups_in
from patchbay.runs.day import (
    ClosedDay,
    ClosedHours,
    CountedHours,
    OpenDay,
    SpaceRun,
    closed,
    counts_of,
    read_day,
    read_hours,
)
from patchbay.runs.keys import note_key, read_note_key, read_run_key, run_key
from patchbay.runs.model import Cell, Run, RunEntry, RunKey, Series, TimedEntry
from patchbay.runs.segments import DaySegment, decode_chunk, encode_chunk

DAY = 20_501
MINUTE = DAY * 1440 + 617
SPACE = "5f6a1f0e-0c1f-4b8e-9a55-3f4bb0a3c1de"

ulids = st.binary(min_size=16, max_size=16).map(ulid_text)
near_ulids = st.binary(min_size=2, max_size=2).map(lambda end: ulid_text(bytes(14) + end))
connections = (ulids | near_ulids).map(lambda ulid: f"con_{ulid}")
spaces = st.uuids().map(str)
numbers = st.integers(0, 2**40) | st.integers(0, 300)
entries = st.builds(
    RunEntry,
    connection_id=connections,
    passed=st.booleans(),
    fault=st.booleans(),
    code=st.integers(0, 500),
    shape=st.binary(min_size=6, max_size=6),
    start_ms=numbers,
    took_ms=numbers,
    latency_ms=numbers,
    times=st.lists(numbers, max_size=9).map(tuple),
    streak=numbers,
    extra=st.binary(max_size=40),
)
groups = st.lists(entries, min_size=1, max_size=6, unique_by=lambda entry: entry.connection_id).map(
    lambda found: tuple(sorted(found, key=lambda entry: entry.connection_id))
)
cells = st.one_of(
    st.just(Cell.of_space(SPACE)),
    st.just(Cell.of_space(SPACE, at_once=True)),
    st.just(Cell.of_pool(7)),
)


def key_of(cell: Cell) -> RunKey:
    return RunKey(cell, MINUTE, "5m#0")


@st.composite
def runs(draw: st.DrawFn) -> Run:
    cell = draw(cells)
    ids = spaces if cell.space_id is None else st.just(cell.space_id)
    return Run(key_of(cell), draw(st.dictionaries(ids, groups, max_size=4)))


@given(runs())
def test_a_run_is_read_as_it_was_written(run: Run) -> None:
    stored = encode_run(run)

    assert decode_run(run.key, stored) == run
    groups = groups_in(run.key, stored)
    assert list(groups) == sorted(run.entries)
    for space_id, group in groups.items():
        assert decode_group(stored, group) == run.entries[space_id]


@given(runs(), st.data())
def test_a_damaged_run_is_refused_or_is_another_one(run: Run, data: st.DataObject) -> None:
    """Whatever is accepted is what the encoder returns for it."""
    stored = bytearray(encode_run(run))
    at = data.draw(st.integers(0, len(stored) - 1))
    stored[at] = data.draw(st.integers(0, 255))
    stored = stored[: data.draw(st.sampled_from([len(stored), at]))]

    try:
        found = decode_run(run.key, bytes(stored))
    except ValueError:
        return
    assert encode_run(found) == bytes(stored)


def test_connections_that_share_more_than_is_said_are_refused() -> None:
    first, second = (ulid_text(bytes(15) + bytes([last])) for last in (1, 2))
    shape = b"shape."
    one, other = (
        RunEntry(f"con_{ulid}", True, False, 0, shape, 0, 0, 0, (), 1) for ulid in (first, second)
    )
    run = Run(key_of(Cell.of_space(SPACE)), {SPACE: (one, other)})
    stored = encode_run(run)
    version, spaces, number, length = stored[:4]
    all_15, last_2 = bytes([0xF1, 2]) + shape, bytes([0xE1, 0, 2]) + shape
    assert all_15 in stored

    head = bytes([version, spaces, number, length + 1])
    longer = head + stored[4:].replace(all_15, last_2)

    with pytest.raises(ValueError, match="not in order"):
        decode_run(run.key, longer)


@given(st.binary(max_size=60))
def test_garbage_is_a_value_error_everywhere(garbage: bytes) -> None:
    for read in (
        lambda: decode_run(key_of(Cell.of_pool(1)), garbage),
        lambda: decode_bits(garbage),
        lambda: CountedHours.decode(DAY, garbage),
        lambda: decode_chunk(DAY, garbage),
        lambda: decode_chunk(DAY, b"\x01" + garbage),
    ):
        with contextlib.suppress(ValueError):
            read()


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_ms": -1},
        {"took_ms": -1},
        {"latency_ms": -1},
        {"streak": -1},
        {"code": -1},
        {"times": (1, -1)},
        {"shape": b"short"},
        {"connection_id": "con_?"},
    ],
)
def test_what_can_not_be_read_again_is_not_written(wrong: dict[str, object]) -> None:
    fields = {
        "connection_id": "con_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "passed": True,
        "fault": False,
        "code": 0,
        "shape": bytes(6),
        "start_ms": 1,
        "took_ms": 1,
        "latency_ms": 1,
        "times": (),
        "streak": 1,
    }
    entry = RunEntry(**{**fields, **wrong})  # type: ignore[arg-type]  # of any field

    with pytest.raises(ValueError, match=r"out of range|another size|not|ULID|invalid"):
        encode_run(Run(key_of(Cell.of_space(SPACE)), {SPACE: (entry,)}))


def test_a_connection_is_in_a_run_once() -> None:
    entry = some_entry()

    with pytest.raises(ValueError, match="two entries"):
        encode_run(Run(key_of(Cell.of_space(SPACE)), {SPACE: (entry, entry)}))


def some_entry(connection: str = "con_01ARZ3NDEKTSV4RRFFQ69G5FAV", **changes: object) -> RunEntry:
    fields = {
        "connection_id": connection,
        "passed": True,
        "fault": False,
        "code": 0,
        "shape": b"shape1",
        "start_ms": 4211,
        "took_ms": 172,
        "latency_ms": 168,
        "times": (0, 0, 0, 0, 12, 31, 125, 0),
        "streak": 20_512,
    }
    return RunEntry(**{**fields, **changes})  # type: ignore[arg-type]  # of any field


def test_an_entry_takes_about_forty_bytes() -> None:
    made = [
        some_entry(f"con_{ulid_text(bytes((1, 150, 90, n)) + bytes((n * 37 % 256,)) * 12)}")
        for n in range(50)
    ]

    stored = encode_run(Run(key_of(Cell.of_space(SPACE)), {SPACE: tuple(made)}))

    assert len(stored) / len(made) <= 40


series = st.builds(
    Series,
    cell=st.sampled_from(["s", "b", "p7"]),
    slot=st.sampled_from(["1m#0", "5m#0", "15m#3", "1h#0", "24h#0"]),
    single=st.none() | connections,
)
minutes = st.sets(st.integers(0, 1439), min_size=1, max_size=80).map(
    lambda found: sum(1 << minute for minute in found)
)


@given(st.dictionaries(series, minutes, max_size=4))
def test_bits_are_read_as_they_were_written(bits: dict[Series, int]) -> None:
    assert decode_bits(encode_bits(bits)) == bits


@pytest.mark.parametrize(("slot", "interval", "phase"), [("1m#0", 1, 0), ("5m#2", 5, 3)])
def test_the_bits_of_a_whole_day_take_a_few_bytes(slot: str, interval: int, phase: int) -> None:
    bits = {Series("s", slot): sum(1 << minute for minute in range(phase, 1440, interval))}

    assert len(encode_bits(bits)) <= 14


def test_minutes_beyond_the_day_are_refused() -> None:
    stored = bytearray(encode_bits({Series("s", "5m#0"): 1 << 1439}))
    stored[-1] = 2

    with pytest.raises(ValueError, match="beyond the day"):
        decode_bits(bytes(stored))


@given(st.lists(st.tuples(st.integers(0, 1439), entries), max_size=30))
@settings(max_examples=60)
def test_a_segment_is_read_as_it_was_collected(found: list[tuple[int, RunEntry]]) -> None:
    found.sort(key=lambda one: one[0])
    segment = DaySegment(DAY)
    expected: dict[str, list[TimedEntry]] = {}
    for minute, entry in found:
        at = DAY * 1440 + minute
        segment.add(at, [entry])
        expected.setdefault(entry.connection_id, []).append(TimedEntry(at, entry))

    read: dict[str, list[TimedEntry]] = {}
    for first, chunk in segment.chunks():
        part = decode_chunk(DAY, chunk)
        assert next(iter(part)) == first
        assert not read.keys() & part.keys()
        read |= {name: list(rows) for name, rows in part.items()}

    assert read == expected
    assert list(read) == sorted(read)
    assert segment.entries == len(found)
    if found:
        whole = [timed for rows in expected.values() for timed in rows]
        assert decode_chunk(DAY, encode_chunk(DAY, whole)) == expected


def test_a_large_segment_is_cut_between_connections() -> None:
    segment = DaySegment(DAY)
    names = [f"con_{ulid_text(bytes((n, *bytes(15))))}" for n in range(1, 60)]
    for minute in range(DAY * 1440, (DAY + 1) * 1440, 5):
        segment.add(minute, [some_entry(name, latency_ms=minute * 37 % 400) for name in names])

    chunks = list(segment.chunks())

    assert len(chunks) > 2
    assert [first for first, _ in chunks] == sorted(first for first, _ in chunks)
    assert sum(len(decode_chunk(DAY, chunk)) for _, chunk in chunks) == len(names)


@given(groups, st.integers(0, 1439))
def test_tests_are_counted_as_their_events_are(found: tuple[RunEntry, ...], minute: int) -> None:
    at = DAY * 1440 + minute
    events = [
        event_of_test(
            SPACE,
            entry.connection_id,
            passed=entry.passed,
            latency_ms=entry.latency_ms % 86_400_000,
            code=None,
            platform_fault=entry.fault,
            now=moment_of(at),
        )
        for entry in found
    ]
    same = [
        some_entry(passed=e.passed, fault=e.fault, latency_ms=e.latency_ms % 86_400_000)
        for e in found
    ]

    assert counts_of(at, same) == Bucket().absorb(events)


@given(st.lists(st.tuples(st.integers(0, 1439), groups), max_size=12))
@settings(max_examples=50)
def test_days_are_read_as_they_were_written(found: list[tuple[int, tuple[RunEntry, ...]]]) -> None:
    cell = Cell.of_space(SPACE)
    day = OpenDay.begin(SPACE, DAY).with_cell(cell, DAY * 1440)
    runs = [SpaceRun(RunKey(cell, DAY * 1440 + minute, "1m#0"), group) for minute, group in found]

    counting = day.counting(runs).passing(cell, DAY * 1440 + 700)

    stored = read_day(SPACE, counting.item)
    assert isinstance(stored, OpenDay)
    assert (stored.through, stored.bits) == (counting.through, counting.bits)
    assert stored.hours.total() == counting.hours.total()
    assert stored.revision == 1
    assert stored.cells == [cell]
    assert all(stored.is_counted(run.key) for run in runs)
    assert stored.counting(runs) == stored

    one, hours = closed(stored, "c1", 2)
    read, of_hours = read_day(SPACE, one.item), read_hours(SPACE, hours.item)
    assert isinstance(read, ClosedDay)
    assert isinstance(of_hours, ClosedHours)
    assert read.counts == stored.hours.total() == of_hours.hours.total()
    assert (read.closing, read.parts, read.revision, of_hours.revision) == ("c1", 2, 2, 2)
    assert sum(map(len, (b.by_type for b in of_hours.hours.by_hour().values()))) <= 24


@given(cells, st.sampled_from(["5m#0", "24h#17"]), st.none() | connections)
def test_keys_are_read_as_they_were_written(cell: Cell, slot: str, single: str | None) -> None:
    key = RunKey(cell, MINUTE, slot, single)

    assert read_run_key(cell, run_key(key).sk) == key
    assert Cell.read(str(cell)) == cell
    assert Cell.of_name_within(SPACE, cell.within_space) == cell
    assert read_note_key(note_key(cell, SPACE, DAY).sk) == (DAY, cell, SPACE)


@given(st.binary(min_size=16, max_size=16))
def test_ulids_are_bytes_and_text(raw: bytes) -> None:
    assert ulid_bytes(f"con_{ulid_text(raw)}") == raw


@pytest.mark.parametrize(
    "text", ["con_8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "con_", "con_01arz3ndektsv4", "-1"]
)
def test_what_is_not_a_ulid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"bits|base"):
        ulid_bytes(text)


def test_minutes_are_those_of_the_wheel() -> None:
    from patchbay.connections.wheel import minute_number

    assert minute_number(moment_of(MINUTE)) == MINUTE
    assert moment_of(MINUTE) - moment_of(MINUTE - 60) == timedelta(hours=1)
