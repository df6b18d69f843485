from bisect import bisect_left
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.health.bucket_codec import decode_bucket, encode_bucket
from patchbay.health.buckets import (
    LATENCY_BOUNDS_MS,
    SHARDS,
    Bucket,
    FaultTally,
    Tally,
    merge,
    merge_all,
    total_of,
)
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.periods import Period, Span, sort_keys_since

DAY = datetime(2026, 2, 17, tzinfo=UTC)
HOUR = DAY.replace(hour=10)

events_of_a_day = st.lists(
    st.builds(
        Event,
        id=st.just("evt"),
        space_id=st.just("space"),
        integration_type=st.sampled_from(IntegrationType),
        status=st.sampled_from(EventStatus),
        occurred_at=st.integers(0, 86_399_999).map(lambda ms: DAY + timedelta(milliseconds=ms)),
        received_at=st.just(DAY),
        duration_ms=st.none() | st.integers(0, 86_400_000) | st.sampled_from(LATENCY_BOUNDS_MS),
        platform_fault=st.sampled_from([False, False, False, True]),
    ),
    max_size=30,
)


def count(events: list[Event]) -> Bucket:
    """A plain count of the events."""
    ours = [event for event in events if event.platform_fault]
    theirs = [event for event in events if not event.platform_fault]
    by_type = {}
    for kind in {event.integration_type for event in theirs}:
        of_type = [event for event in theirs if event.integration_type is kind]
        good = [e.occurred_at for e in of_type if e.status is EventStatus.SUCCESS]
        bad = [e.occurred_at for e in of_type if e.status is EventStatus.ERROR]
        durations = [e.duration_ms for e in of_type if e.duration_ms is not None]
        slots = [bisect_left(LATENCY_BOUNDS_MS, duration) for duration in durations]
        by_type[kind] = Tally(
            success=len(good),
            errors=len(bad),
            last_success_at=max(good, default=None),
            last_error_at=max(bad, default=None),
            latency_sum_ms=sum(durations),
            latencies=tuple(slots.count(slot) for slot in range(len(LATENCY_BOUNDS_MS) + 1)),
        )
    faults = {
        kind: FaultTally(
            sum(event.integration_type is kind for event in ours),
            max(event.occurred_at for event in ours if event.integration_type is kind),
        )
        for kind in {event.integration_type for event in ours}
    }
    return Bucket(by_type, faults)


def event(
    status: EventStatus = EventStatus.SUCCESS,
    at: datetime = HOUR,
    duration_ms: int | None = None,
    kind: IntegrationType = IntegrationType.WEBHOOK,
    *,
    fault: bool = False,
) -> Event:
    return Event(
        id="evt",
        space_id="space",
        integration_type=kind,
        status=status,
        occurred_at=at,
        received_at=at,
        duration_ms=duration_ms,
        platform_fault=fault,
    )


# Stored: a bucket has a count for each of these slots, by position.
@pytest.mark.parametrize(
    ("slot", "fastest", "slowest"),
    [
        *[(0, 0, 50), (1, 51, 100), (2, 101, 250), (3, 251, 500), (4, 501, 1000)],
        *[(5, 1001, 2500), (6, 2501, 5000), (7, 5001, 15_000), (8, 15_001, 60_000)],
        *[(9, 60_001, 300_000), (10, 300_001, 1_800_000), (11, 1_800_001, 86_400_000)],
    ],
)
def test_a_duration_counts_in_the_slot_whose_end_it_reaches(
    slot: int, fastest: int, slowest: int
) -> None:
    tally = Tally().plus(event(duration_ms=fastest)).plus(event(duration_ms=slowest))
    assert tally.latencies == (0,) * slot + (2,) + (0,) * (11 - slot)
    assert tally.latency_sum_ms == fastest + slowest


def test_an_event_counts_once_and_its_time_is_the_last_if_none_is_later() -> None:
    # given two successes and an error, not in the order of time
    early, late = HOUR, HOUR + timedelta(minutes=5)

    # when
    tally = (
        Tally()
        .plus(event(at=late))
        .plus(event(at=early, duration_ms=7))
        .plus(event(EventStatus.ERROR, early))
    )

    # then
    assert (tally.success, tally.errors, tally.total) == (2, 1, 3)
    assert (tally.last_success_at, tally.last_error_at) == (late, early)
    assert tally.last_event_at == late
    assert Tally().plus(event(EventStatus.ERROR, late)).last_event_at == late
    assert Tally().last_event_at is None


def test_two_buckets_add_up_by_type() -> None:
    # given
    early, late = HOUR, HOUR + timedelta(minutes=5)
    sync = IntegrationType.METADATA_SYNC
    one = Bucket().absorb(
        [event(at=early, duration_ms=60), event(at=early, fault=True), event(kind=sync)]
    )
    other = Bucket().absorb(
        [
            *[event(at=late, duration_ms=40), event(EventStatus.ERROR, late)],
            *[event(at=late, fault=True), event(at=early, fault=True)],
            event(kind=IntegrationType.ALERT, fault=True),
        ]
    )

    # when
    both = merge(one, other)

    # then
    assert both == merge(other, one) == merge_all([one, Bucket(), other])
    assert both.by_type == {
        IntegrationType.WEBHOOK: Tally(2, 1, late, late, 100, (1, 1) + (0,) * 10),
        sync: Tally(1, 0, HOUR),
    }
    assert both.faults == {
        IntegrationType.WEBHOOK: FaultTally(3, late),
        IntegrationType.ALERT: FaultTally(1, HOUR),
    }
    assert both.platform_faults == 4
    assert total_of(both) == Tally(3, 1, late, late, 100, (1, 1) + (0,) * 10)
    assert both.of_type(sync) == Bucket({sync: Tally(1, 0, HOUR)})


def test_nothing_adds_up_to_nothing() -> None:
    assert merge_all([]) == Bucket()
    assert total_of(Bucket()) == Tally()
    assert SHARDS == 8


@given(events_of_a_day, st.randoms(use_true_random=False))
def test_the_fold_equals_a_plain_count_in_any_order(events: list[Event], random: object) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's Random

    assert Bucket().absorb(shuffled) == count(events)


@given(events_of_a_day, st.integers(0, 30))
def test_the_fold_in_parts_equals_a_plain_count(events: list[Event], at: int) -> None:
    one, other = events[:at], events[at:]

    assert Bucket().absorb(one).absorb(other) == count(events)
    assert merge(Bucket().absorb(one), Bucket().absorb(other)) == count(events)


@given(events_of_a_day, events_of_a_day, events_of_a_day)
def test_merging_is_associative_and_commutative(
    one: list[Event], two: list[Event], three: list[Event]
) -> None:
    a, b, c = count(one), count(two), count(three)

    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, b) == merge(b, a)
    assert merge(a, Bucket()) == merge(Bucket(), a) == a


@given(events_of_a_day)
def test_a_stored_bucket_is_read_back_unchanged(events: list[Event]) -> None:
    bucket = count(events)

    assert decode_bucket(encode_bucket(bucket, DAY), DAY) == bucket


def test_no_total_counts_a_platform_fault() -> None:
    fault = event(
        EventStatus.ERROR, duration_ms=10, kind=IntegrationType.CONNECTION_TEST, fault=True
    )

    assert Bucket().absorb([fault, fault]) == Bucket(
        {}, {IntegrationType.CONNECTION_TEST: FaultTally(2, HOUR)}
    )


@pytest.mark.parametrize(
    ("events_per_type", "at_most_bytes"),
    [
        (1_000, 260),  # a lively hour
        (100_000, 340),  # three million events a month, of each type
        (10**9, 560),
    ],
)
def test_a_bucket_of_all_six_types_is_small(events_per_type: int, at_most_bytes: int) -> None:
    # given: every type has events of both kinds, and all slots are in use
    busy = Tally(
        success=events_per_type,
        errors=events_per_type,
        last_success_at=DAY + timedelta(days=1) - timedelta(milliseconds=1),
        last_error_at=DAY + timedelta(days=1) - timedelta(milliseconds=1),
        latency_sum_ms=events_per_type * 2 * 60_000,
        latencies=(events_per_type // 6,) * (len(LATENCY_BOUNDS_MS) + 1),
    )

    # when
    faults = {
        IntegrationType.CONNECTION_TEST: FaultTally(events_per_type, DAY + timedelta(hours=23))
    }
    # Uses are events only of connections that ask for it
    kinds = [kind for kind in IntegrationType if kind is not IntegrationType.USAGE]
    stored = encode_bucket(Bucket(dict.fromkeys(kinds, busy), faults), DAY)

    # then: with about 110 bytes of keys, revision, and expiry, well below the 1 KB of a write unit
    assert len(stored) <= at_most_bytes


# A number has seven bits in each byte, the lowest first; the highest bit says that more follow.
@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (16_383, "ff7f"),
        (16_384, "808001"),
        (2_097_151, "ffff7f"),
        (2_097_152, "80808001"),
    ],
)
def test_a_count_is_stored_in_as_few_bytes_as_it_needs(number: int, encoded: str) -> None:
    bucket = Bucket({IntegrationType.METADATA_SYNC: Tally(success=number)})
    stored = bytes.fromhex(f"020100{encoded}00000000") + bytes(12)
    assert encode_bucket(bucket, DAY) == stored
    assert decode_bucket(stored, DAY) == bucket


def test_a_stored_bucket_has_its_types_by_code_and_then_its_faults() -> None:
    # given
    one = Tally(1, 2, DAY, DAY + timedelta(milliseconds=1), 3, tuple(range(12)))
    other = Tally(success=4)
    bucket = Bucket(
        {IntegrationType.CONNECTION_TEST: one, IntegrationType.QUALITY_CHECK: other},
        {
            IntegrationType.ALERT: FaultTally(5, DAY + timedelta(milliseconds=6)),
            IntegrationType.METADATA_SYNC: FaultTally(7, DAY),
        },
    )

    # then: the version, two masks, two tallies, two faults
    stored = bytes(
        [
            *[2, 0b100010, 0b010001],
            *[4, 0, 0, 0, 0, *[0] * 12],
            *[1, 2, 1, 2, 3, *range(12)],
            *[7, 0],
            *[5, 6],
        ]
    )
    assert encode_bucket(bucket, DAY) == stored
    assert decode_bucket(stored, DAY) == bucket


# Stored: another code would read one type's counts as another's.
@pytest.mark.parametrize(
    ("kind", "mask"),
    [
        (IntegrationType.METADATA_SYNC, 1),
        (IntegrationType.QUALITY_CHECK, 2),
        (IntegrationType.PROFILING, 4),
        (IntegrationType.WEBHOOK, 8),
        (IntegrationType.ALERT, 16),
        (IntegrationType.CONNECTION_TEST, 32),
    ],
)
def test_each_type_has_its_bit(kind: IntegrationType, mask: int) -> None:
    bucket = Bucket({}, {kind: FaultTally(1, DAY)})
    assert encode_bucket(bucket, DAY) == bytes([2, 0, mask, 1, 0])
    assert decode_bucket(bytes([2, 0, mask, 1, 0]), DAY) == bucket


def test_version_1_without_faults_has_none() -> None:
    assert decode_bucket(bytes([1, 0]), HOUR) == Bucket()


def test_an_unknown_version_is_an_error() -> None:
    for version in (0, 3):
        with pytest.raises(ValueError, match=f"version {version}"):
            decode_bucket(bytes([version, 0, 0]), DAY)


def test_a_period_has_the_sort_keys_of_its_shards() -> None:
    moment = HOUR + timedelta(minutes=59, seconds=59, milliseconds=999)

    assert Period.hour_of(moment).sort_key(0) == "H#2026-02-17T10#0"
    assert Period.day_of(moment).sort_key(7) == "D#2026-02-17#7"


@pytest.mark.parametrize("period", [Period(Span.HOUR, HOUR), Period(Span.DAY, DAY)])
def test_a_sort_key_has_its_period(period: Period) -> None:
    assert Period.of_sort_key(period.sort_key(3)) == period


@given(st.integers(0, 24 * 10 - 1), st.integers(0, 24 * 60 * 10 - 1), st.integers(0, 7))
def test_the_ranges_cover_each_moment_from_the_start_once(
    start_hour: int, minute: int, shard: int
) -> None:
    # given
    start = DAY + timedelta(hours=start_hour)
    moment = DAY + timedelta(minutes=minute)
    keys = [Period.hour_of(moment).sort_key(shard), Period.day_of(moment).sort_key(shard)]

    # when
    hits = sum(low <= key <= high for low, high in sort_keys_since(start) for key in keys)

    # then
    assert hits == (1 if moment >= start else 0)


def test_a_start_at_midnight_needs_no_hours() -> None:
    assert sort_keys_since(DAY) == [("D#2026-02-17#", "D#~")]
    assert sort_keys_since(HOUR) == [
        ("H#2026-02-17T10#", "H#2026-02-17T~"),
        ("D#2026-02-18#", "D#~"),
    ]


def test_version_1_is_read_with_its_faults_as_connection_tests() -> None:
    # given: an old bucket with 3 faults, and one success of a webhook after 10 ms
    slots = bytes([1] + [0] * len(LATENCY_BOUNDS_MS))
    stored = bytes([1, 3, 3, 1, 0, 1, 0, 10]) + slots

    # when
    bucket = decode_bucket(stored, HOUR)

    # then
    assert bucket.faults == {IntegrationType.CONNECTION_TEST: FaultTally(3, HOUR)}
    assert bucket.by_type == {
        IntegrationType.WEBHOOK: Tally(
            success=1, last_success_at=HOUR, latency_sum_ms=10, latencies=tuple(slots)
        )
    }
    assert decode_bucket(encode_bucket(bucket, HOUR), HOUR) == bucket


@given(events_of_a_day)
def test_faults_as_errors_equal_a_count_of_them_as_errors(events: list[Event]) -> None:
    as_errors = [
        event.model_copy(
            update={"platform_fault": False, "status": EventStatus.ERROR, "duration_ms": None}
        )
        if event.platform_fault
        else event
        for event in events
    ]

    counted = count(events).with_faults_as_errors()

    assert counted.by_type == count(as_errors).by_type
    assert counted.platform_faults == count(events).platform_faults


@given(events_of_a_day)
def test_the_counts_of_a_type_are_those_of_its_events(events: list[Event]) -> None:
    for kind in IntegrationType:
        of_kind = [event for event in events if event.integration_type is kind]
        assert count(events).of_type(kind) == count(of_kind)


@given(events_of_a_day, st.sets(st.sampled_from(IntegrationType)))
def test_the_counts_without_some_types_are_those_of_the_others(
    events: list[Event], kinds: set[IntegrationType]
) -> None:
    others = [event for event in events if event.integration_type not in kinds]
    assert count(events).without_types(kinds) == count(others)
