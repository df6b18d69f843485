"""Token buckets of organizations."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from patchbay.tenancy.request_rates import MAX_BUCKETS, RequestRates

NOW = datetime(2026, 2, 17, 10, tzinfo=UTC)


def test_the_limit_passes_at_once_and_the_next_request_waits() -> None:
    rates = RequestRates(60)
    assert [rates.seconds_to_wait("a", NOW) for _ in range(61)] == [0] * 60 + [1]
    assert rates.seconds_to_wait("b", NOW) == 0
    assert rates.seconds_to_wait("a", NOW + timedelta(seconds=1)) == 0
    assert rates.seconds_to_wait("a", NOW + timedelta(seconds=1)) == 1


def test_a_slow_bucket_says_how_long() -> None:
    rates = RequestRates(2)
    assert [rates.seconds_to_wait("a", NOW) for _ in range(3)] == [0, 0, 30]
    assert rates.seconds_to_wait("a", NOW + timedelta(seconds=29)) == 1
    assert rates.seconds_to_wait("a", NOW + timedelta(seconds=30)) == 0


def test_without_a_limit_every_request_passes() -> None:
    rates = RequestRates(0)
    assert {rates.seconds_to_wait("a", NOW) for _ in range(10_000)} == {0}


def test_the_memory_is_bounded() -> None:
    rates = RequestRates(1)
    for number in range(MAX_BUCKETS + 1):
        assert rates.seconds_to_wait(str(number), NOW) == 0
    assert len(rates._buckets) <= MAX_BUCKETS


def test_a_full_memory_forgets_who_is_idle_and_never_who_is_over_its_rate() -> None:
    # Given one that has used up its bucket, and others that were here a minute ago
    rates = RequestRates(1)
    for number in range(MAX_BUCKETS - 1):
        rates.seconds_to_wait(str(number), NOW - timedelta(minutes=2))
    assert [rates.seconds_to_wait("loud", NOW) for _ in range(2)] == [0, 60]
    # When more come than are remembered
    for number in range(MAX_BUCKETS - 1):
        rates.seconds_to_wait(f"new {number}", NOW)
    # Then it still waits
    assert rates.seconds_to_wait("loud", NOW) == 60


@given(st.integers(1, 50), st.lists(st.floats(-5, 30), max_size=200))
def test_no_more_pass_than_a_full_bucket_and_its_refill(
    per_minute: int, pauses: list[float]
) -> None:
    rates, now, latest, passed = RequestRates(per_minute), NOW, NOW, 0
    # The bucket is there, and refills, from the first request on.
    for pause in (0.0, *pauses):
        now += timedelta(seconds=pause)
        latest = max(latest, now)
        passed += rates.seconds_to_wait("a", now) == 0
        filled = (latest - NOW).total_seconds() * per_minute / 60
        assert passed <= per_minute + filled + 0.001
