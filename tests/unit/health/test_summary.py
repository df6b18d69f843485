from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from patchbay.health.buckets import SHARDS, Bucket
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.periods import Period, sort_keys_since
from patchbay.health.summary import (
    DEFAULT_DAYS,
    HealthSummary,
    PeriodDays,
    success_rate,
    summarize,
    window_start,
)

SPACE = "0b8f8e0e-5b7e-4d0c-9a53-0f6f3f6f2d10"
NOW = datetime(2026, 2, 17, 10, 20, 30, tzinfo=UTC)
MIDNIGHT = datetime(2026, 2, 17, tzinfo=UTC)


def event(
    occurred_at: datetime = NOW,
    kind: IntegrationType = IntegrationType.WEBHOOK,
    status: EventStatus = EventStatus.SUCCESS,
    platform_fault: bool = False,
) -> Event:
    return Event(
        id="evt",
        space_id=SPACE,
        integration_type=kind,
        status=status,
        occurred_at=occurred_at,
        received_at=occurred_at,
        platform_fault=platform_fault,
    )


def stored_since(events: Iterable[Event], start: datetime) -> list[Bucket]:
    """The buckets that a table returns for these events from `start` on, spread over the shards."""
    shares: dict[str, list[Event]] = {}
    for position, one in enumerate(events):
        for period in (Period.hour_of(one.occurred_at), Period.day_of(one.occurred_at)):
            shares.setdefault(period.sort_key(position % SHARDS), []).append(one)
    return [
        Bucket().absorb(share)
        for low, high in sort_keys_since(start)
        for key, share in shares.items()
        if low <= key <= high
    ]


def counted_one_by_one(events: Iterable[Event], now: datetime, days: int) -> HealthSummary:
    """The contract, word by word, computed from the events."""
    inside = [e for e in events if e.occurred_at >= window_start(now, days)]
    ours = [e for e in inside if e.platform_fault]
    theirs = [e for e in inside if not e.platform_fault]
    good = [e for e in theirs if e.status is EventStatus.SUCCESS]
    bad = [e for e in theirs if e.status is EventStatus.ERROR]
    by_type = [
        {
            "integration_type": kind,
            "total": sum(e.integration_type is kind for e in theirs),
            "success": sum(e.integration_type is kind for e in good),
            "errors": sum(e.integration_type is kind for e in bad),
            "last_event_at": max(e.occurred_at for e in theirs if e.integration_type is kind),
        }
        for kind in {e.integration_type for e in theirs}
    ]
    return HealthSummary.model_validate(
        {
            "space_id": SPACE,
            "period_days": days,
            "total_events": len(theirs),
            "success_count": len(good),
            "error_count": len(bad),
            "success_rate": success_rate(len(good), len(theirs)),
            "last_success_at": max((e.occurred_at for e in good), default=None),
            "last_error_at": max((e.occurred_at for e in bad), default=None),
            "by_integration_type": sorted(
                by_type, key=lambda t: (-int(str(t["total"])), str(t["integration_type"]))
            ),
            "no_data": not theirs,
            "platform_faults": len(ours),
        }
    )


events_of_four_days = st.lists(
    st.builds(
        event,
        occurred_at=st.integers(-4 * 24 * 60, 5).map(lambda m: MIDNIGHT + timedelta(minutes=m)),
        kind=st.sampled_from(IntegrationType),
        status=st.sampled_from(EventStatus),
        platform_fault=st.sampled_from([False, False, False, True]),
    ),
    max_size=60,
)


@given(
    events_of_four_days,
    st.integers(0, 24 * 60 * 60 * 1000).map(lambda ms: MIDNIGHT + timedelta(milliseconds=ms)),
    st.integers(1, 5),
)
@example([event(MIDNIGHT - timedelta(days=1))], MIDNIGHT, 1)
@example([event(MIDNIGHT - timedelta(days=1, milliseconds=1))], MIDNIGHT, 1)
@example([event(MIDNIGHT - timedelta(hours=15))], MIDNIGHT + timedelta(hours=9), 1)
@example([event(MIDNIGHT - timedelta(hours=15, milliseconds=1))], MIDNIGHT + timedelta(hours=9), 1)
@example([event(MIDNIGHT + timedelta(minutes=5))], MIDNIGHT - timedelta(milliseconds=1), 1)
def test_a_summary_equals_counting_the_events_of_its_window_one_by_one(
    events: list[Event], now: datetime, days: int
) -> None:
    summary = summarize(stored_since(events, window_start(now, days)), days, SPACE)

    assert summary == counted_one_by_one(events, now, days)


@pytest.mark.parametrize(
    ("now", "start"),
    [
        ("2026-02-17T10:20:30.5Z", "2026-01-18T10:00:00Z"),
        ("2026-02-17T10:00:00Z", "2026-01-18T10:00:00Z"),
        ("2026-02-17T09:59:59.999Z", "2026-01-18T09:00:00Z"),
        ("2026-02-17T00:00:00Z", "2026-01-18T00:00:00Z"),
        ("2024-03-30T00:59:00Z", "2024-02-29T00:00:00Z"),
    ],
)
def test_a_window_begins_at_the_full_hour_days_times_24_hours_ago(now: str, start: str) -> None:
    assert window_start(datetime.fromisoformat(now), 30) == datetime.fromisoformat(start)


def test_the_fields_are_those_of_the_contract_in_its_order() -> None:
    # given
    events = [
        *[event(NOW - timedelta(minutes=i), IntegrationType.METADATA_SYNC) for i in range(5)],
        event(NOW - timedelta(days=1), IntegrationType.METADATA_SYNC, EventStatus.ERROR),
        event(NOW - timedelta(minutes=15), IntegrationType.QUALITY_CHECK),
    ]

    # when
    summary = summarize([Bucket().absorb(events)], 30, SPACE)

    # then
    answer = summary.model_dump(mode="json")
    assert answer == {
        "space_id": SPACE,
        "period_days": 30,
        "total_events": 7,
        "success_count": 6,
        "error_count": 1,
        "success_rate": 85.71,
        "last_success_at": "2026-02-17T10:20:30Z",
        "last_error_at": "2026-02-16T10:20:30Z",
        "by_integration_type": [
            {
                "integration_type": "metadata_sync",
                "total": 6,
                "success": 5,
                "errors": 1,
                "last_event_at": "2026-02-17T10:20:30Z",
            },
            {
                "integration_type": "quality_check",
                "total": 1,
                "success": 1,
                "errors": 0,
                "last_event_at": "2026-02-17T10:05:30Z",
            },
        ],
        "no_data": False,
        "platform_faults": 0,
    }
    assert list(answer) == [
        "space_id",
        "period_days",
        "total_events",
        "success_count",
        "error_count",
        "success_rate",
        "last_success_at",
        "last_error_at",
        "by_integration_type",
        "no_data",
        "platform_faults",
    ]
    assert list(answer["by_integration_type"][0]) == [
        "integration_type",
        "total",
        "success",
        "errors",
        "last_event_at",
    ]


def test_a_space_without_events_has_no_data_rather_than_a_low_rate() -> None:
    summary = summarize([], 30, SPACE)

    assert (summary.no_data, summary.success_rate, summary.total_events) == (True, 0.0, 0)
    assert summary.last_success_at is summary.last_error_at is None
    assert summary.by_integration_type == []


def test_platform_faults_alone_are_no_data() -> None:
    fault = event(kind=IntegrationType.CONNECTION_TEST, platform_fault=True)

    summary = summarize([Bucket().absorb([fault])], 30, SPACE)

    assert (summary.no_data, summary.platform_faults, summary.error_count) == (True, 1, 0)


def test_types_are_sorted_by_total_and_then_by_name() -> None:
    kinds = [
        IntegrationType.WEBHOOK,
        IntegrationType.ALERT,
        IntegrationType.PROFILING,
        IntegrationType.PROFILING,
    ]

    summary = summarize([Bucket().absorb([event(kind=kind) for kind in kinds])], 30, SPACE)

    assert [t.integration_type for t in summary.by_integration_type] == [
        "profiling",
        "alert",
        "webhook",
    ]


@pytest.mark.parametrize(
    ("success", "total", "rate"),
    [
        (0, 0, 0.0),
        (0, 7, 0.0),
        (7, 7, 100.0),
        (1180, 1250, 94.4),
        (1, 3, 33.33),
        (2, 3, 66.67),
        (1, 800, 0.13),  # 0.125: half up, where banker's rounding gives 0.12
        (201, 20_000, 1.01),  # 1.005, which no float holds
        (99_996, 100_000, 99.99),
        (99_994, 100_000, 99.99),
        (1, 1_000_000, 0.01),  # not 0.0: there was a success
        (2, 1_000_000, 0.01),
        (999_999, 1_000_000, 99.99),
    ],
)
def test_a_rate_is_rounded_half_up_to_two_decimals(success: int, total: int, rate: float) -> None:
    assert success_rate(success, total) == rate


def test_a_look_back_is_30_days_by_default() -> None:
    assert DEFAULT_DAYS == 30


@pytest.mark.parametrize("days", [1, 366])
def test_a_look_back_is_1_to_366_days(days: int) -> None:
    assert TypeAdapter(PeriodDays).validate_python(days) == days


@pytest.mark.parametrize("days", [0, 367])
def test_a_look_back_out_of_range_is_refused(days: int) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(PeriodDays).validate_python(days)
