from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from patchbay.health.buckets import Bucket, merge
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.periods import Period, periods_of
from patchbay.health.series import SeriesInterval, points_of
from patchbay.health.summary import summarize, window_start

NOW = datetime(2026, 2, 17, 10, 20, 30, tzinfo=UTC)


def event(at: datetime, kind: IntegrationType = IntegrationType.WEBHOOK) -> Event:
    return Event(
        id="e",
        space_id="s",
        integration_type=kind,
        status=EventStatus.SUCCESS,
        occurred_at=at,
        received_at=at,
        duration_ms=70,
    )


def counted(events: list[Event], start: datetime, interval: SeriesInterval) -> dict[Period, Bucket]:
    """As the store returns them: hours, or days with the hours of a first day that is cut."""
    counts: dict[Period, Bucket] = {}
    for one in events:
        if one.occurred_at < start:
            continue
        hour, day = periods_of(one.occurred_at)
        cut = day.start < start
        period = hour if interval is SeriesInterval.HOUR or cut else day
        counts[period] = merge(counts.get(period, Bucket()), Bucket().absorb([one]))
    return counts


def test_days_start_with_the_window_and_have_no_gaps() -> None:
    start = window_start(NOW, 2)
    events = [event(NOW - timedelta(hours=47)), event(NOW)]

    points = points_of(counted(events, start, SeriesInterval.DAY), start, NOW, SeriesInterval.DAY)

    assert [(p.starts_at, p.total, p.no_data) for p in points] == [
        (datetime(2026, 2, 15, 10, tzinfo=UTC), 1, False),
        (datetime(2026, 2, 16, tzinfo=UTC), 0, True),
        (datetime(2026, 2, 17, tzinfo=UTC), 1, False),
    ]
    assert (points[0].success_rate, points[0].latency.p50_ms) == (100.0, 75)
    assert (points[1].success_rate, points[1].latency.p50_ms) == (0.0, None)


def test_hours_go_from_the_start_to_now() -> None:
    start = window_start(NOW, 1)
    points = points_of({}, start, NOW, SeriesInterval.HOUR)
    assert [p.starts_at for p in points] == [start + timedelta(hours=n) for n in range(25)]


def test_a_future_hour_has_a_point_only_if_it_has_events() -> None:
    now = datetime(2026, 2, 17, 23, 58, tzinfo=UTC)
    start = window_start(now, 1)
    ahead = event(datetime(2026, 2, 18, 0, 2, tzinfo=UTC))

    points = points_of(counted([ahead], start, SeriesInterval.DAY), start, now, SeriesInterval.DAY)

    assert [(p.starts_at.day, p.total) for p in points] == [(16, 0), (17, 0), (18, 1)]


@given(
    st.lists(st.integers(-40 * 24 * 60, 5).map(lambda m: event(NOW + timedelta(minutes=m)))),
    st.integers(1, 31),
    st.sampled_from(SeriesInterval),
)
def test_the_points_together_are_the_summary(
    events: list[Event], days: int, interval: SeriesInterval
) -> None:
    start = window_start(NOW, days)
    counts = counted(events, start, interval)

    points = points_of(counts, start, NOW, interval)

    assert sum(p.total for p in points) == summarize(counts.values(), days, "s").total_events
    starts = [p.starts_at for p in points]
    assert starts == sorted(set(starts))
    assert all(later - one <= timedelta(days=1) for one, later in pairwise(starts))
