"""What a tenant may do at once and per minute: the rule itself."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.errors import RateLimited
from patchbay.platform.limits import Limit, Usage

NOW = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)
LEASE = timedelta(seconds=30)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_as_many_get_in_as_are_allowed_at_once_and_the_next_has_to_wait() -> None:
    usage = Usage()
    for token in ("a", "b"):
        usage = usage.entered(token, Limit(100, 2), NOW, LEASE)
    with pytest.raises(RateLimited) as refused:
        usage.entered("c", Limit(100, 2), NOW, LEASE)
    assert refused.value.status == 429
    assert refused.value.code == "RATE_LIMITED"
    assert refused.value.retry_after_seconds == 2


def test_a_lease_that_is_not_returned_ends() -> None:
    usage = Usage().entered("a", Limit(100, 1), NOW, LEASE)
    with pytest.raises(RateLimited):
        usage.entered("b", Limit(100, 1), after(30), LEASE)
    assert list(usage.entered("b", Limit(100, 1), after(31), LEASE).leases) == ["b"]


def test_entering_again_under_the_same_token_counts_nothing() -> None:
    once = Usage().entered("a", Limit(1, 1), NOW, LEASE)
    assert once.entered("a", Limit(1, 1), after(5), LEASE).count == once.count == 1


def test_the_minute_slides_so_that_a_full_minute_does_not_evade_it() -> None:
    # Given three at the end of a minute
    usage = Usage()
    for token in "abc":
        usage = usage.entered(token, Limit(3, 10), after(59), LEASE)
    # Then the next minute does not allow three more at once
    with pytest.raises(RateLimited) as refused:
        usage.entered("d", Limit(3, 10), after(60), LEASE)
    # And a caller that waits as long as it says gets in
    wait = refused.value.retry_after_seconds
    assert wait is not None
    assert usage.entered("d", Limit(3, 10), after(60 + wait), LEASE).count == 1


@given(
    limit=st.integers(1, 8),
    steps=st.lists(st.integers(0, 40), min_size=1, max_size=60),
)
def test_no_minute_of_the_clock_lets_more_in_than_the_limit_and_waiting_as_asked_helps(
    limit: int, steps: list[int]
) -> None:
    usage, now = Usage(), NOW
    entered: dict[int, int] = {}
    for number, step in enumerate(steps):
        now += timedelta(seconds=step)
        try:
            usage = usage.entered(str(number), Limit(limit, 1000), now, LEASE)
        except RateLimited as refused:
            wait = refused.retry_after_seconds
            assert wait is not None
            assert wait > 0
            later = now + timedelta(seconds=wait)
            assert usage.entered("later", Limit(limit, 1000), later, LEASE).count >= 1
        else:
            minute = int(now.timestamp()) // 60
            entered[minute] = entered.get(minute, 0) + 1
    assert max(entered.values()) <= limit


def test_a_clock_that_is_behind_anothers_does_not_reset_the_counts() -> None:
    usage = Usage().entered("a", Limit(1, 10), after(60), LEASE)
    with pytest.raises(RateLimited):
        usage.entered("b", Limit(1, 10), after(59), LEASE)
