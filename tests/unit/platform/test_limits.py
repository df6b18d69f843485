"""What a tenant may do at once and per minute: the rule itself."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.dynamodb import (
    PRESENT,
    ConditionFailed,
    Key,
    Table,
    Update,
    equals,
    without,
)
from patchbay.platform.errors import RateLimited, TemporarilyUnavailable
from patchbay.platform.limits import Limit, Limiter, Usage
from patchbay.platform.logging import logger

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


def test_a_refusal_names_the_limit_and_what_is_used() -> None:
    usage = Usage()
    for token in "abcd":
        usage = usage.entered(token, Limit(4, 4), NOW, LEASE)
    with pytest.raises(RateLimited) as refused:
        usage.entered("e", Limit(100, 4), NOW, LEASE, "tests")
    assert refused.value.details == {"quota": "tests_in_flight", "limit": 4, "used": 4}
    # Of the four of the minute before, a fraction counts
    for seconds, limit, used in ((0, 4, 4), (60, 4, 4), (61, 3, 3), (90, 2, 2), (119, 0, 0)):
        with pytest.raises(RateLimited) as refused:
            usage.entered("e", Limit(limit, 9), after(seconds), LEASE, "tests")
        details = {"quota": "tests_per_minute", "limit": limit, "used": used}
        assert refused.value.details == details
    with pytest.raises(RateLimited) as refused:
        usage.entered("e", Limit(1, 1), NOW, LEASE)
    assert refused.value.details["quota"] == "uses_per_minute"


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


@pytest.mark.parametrize(
    ("seconds", "count", "before"),
    [
        # Within its minute, in the next one, and after that.
        (0, 3, 2),
        (59, 3, 2),
        (60, 0, 3),
        (119, 0, 3),
        (120, 0, 0),
        # Seen by a clock that is behind.
        (-60, 3, 2),
    ],
)
def test_counters_move_on_with_the_minutes(seconds: int, count: int, before: int) -> None:
    usage = Usage(minute=int(NOW.timestamp()) // 60, count=3, before=2).at(after(seconds))
    assert (usage.count, usage.before) == (count, before)
    assert usage.minute == int(NOW.timestamp()) // 60 + max(0, seconds // 60)


def test_nothing_is_in_use_at_first() -> None:
    assert Usage() == Usage(0, 0, 0, {})


@pytest.mark.parametrize(
    ("count", "before", "into", "wait"),
    [
        # Two a minute: there is room while less than two count.
        (1, 0, 0, 0),
        (0, 2, 30, 0),
        (1, 1, 30, 0),
        # The minute before counts by the share of it that is within 60 s.
        (0, 2, 0, 1),
        (1, 2, 0, 31),
        (1, 2, 29, 2),
        (1, 2, 30, 1),
        (1, 2, 31, 0),
        # This minute counts in full until it ends, and then by its share.
        (2, 0, 0, 61),
        (2, 0, 59, 2),
        (4, 0, 0, 91),
        (120, 0, 0, 120),
        (120, 0, 30, 90),
        (1000, 0, 0, 120),
    ],
)
def test_the_wait_is_the_first_second_with_room_for_one_more(
    count: int, before: int, into: int, wait: int
) -> None:
    usage = Usage(int(NOW.timestamp()) // 60, count, before)
    assert usage.seconds_to_wait(Limit(2, 10), after(into)) == wait


def test_a_refusal_for_the_rate_says_how_long_to_wait() -> None:
    usage = Usage(int(NOW.timestamp()) // 60, 2, 0)
    with pytest.raises(RateLimited) as refused:
        usage.entered("a", Limit(2, 10), NOW, LEASE)
    assert refused.value.retry_after_seconds == 61
    assert "2 a minute: try again in 61 s" in refused.value.message


def test_a_refusal_names_the_quota_and_what_is_used_of_it() -> None:
    # given two of this minute, and one of the two before that still count
    usage = Usage(int(NOW.timestamp()) // 60, 2, 2, {"x": 10**12})

    # then
    for limit, details in (
        (Limit(3, 9), {"quota": "tests_per_minute", "limit": 3, "used": 3}),
        (Limit(99, 1), {"quota": "tests_in_flight", "limit": 1, "used": 1}),
    ):
        with pytest.raises(RateLimited) as refused:
            usage.entered("a", limit, after(30), LEASE, "tests")
        assert refused.value.details == details
    with pytest.raises(RateLimited) as unnamed:
        usage.entered("a", Limit(99, 1), after(30), LEASE)
    assert unnamed.value.details["quota"] == "uses_in_flight"


@pytest.mark.parametrize(
    ("into", "used"), [(0, 8), (15, 7), (30, 6), (31, 5), (59, 4), (60, 4), (75, 4), (-15, 9)]
)
def test_of_the_minute_before_the_share_counts_that_is_within_60_seconds(
    into: int, used: int
) -> None:
    minute = int(NOW.timestamp()) // 60
    assert Usage(minute, 4, 4).in_window(after(into)) == used
    assert Usage(minute, 0, 600).in_window(after(60)) == 0


class OneItem:
    """A table with one item, for the conditions of a limiter."""

    def __init__(self, item: dict[str, Any] | None = None, meanwhile: int = 0) -> None:
        self.item = item
        self.meanwhile = meanwhile
        """How many writes are preceded by one of another caller."""
        self.broken = False
        self.writes: list[Update] = []

    def get(self, key: Key) -> dict[str, Any] | None:
        assert key == Key("LIMIT#org_1", "tests")
        return self.item and dict(self.item)

    def write(self, update: Update) -> None:
        assert update.key == Key("LIMIT#org_1", "tests")
        self.writes.append(update)
        if self.broken:
            raise TemporarilyUnavailable
        if self.meanwhile and self.item:
            self.meanwhile -= 1
            self.item["revision"] += 1
        revision = (self.item or {}).get("revision")
        standing = without("revision") if revision is None else equals("revision", revision)
        if update.condition != standing and (update.condition != PRESENT or self.item is None):
            raise ConditionFailed(self.item and dict(self.item))
        self.item = {**(self.item or {}), **update.values}
        for name in update.remove:
            self.item.pop(name, None)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a limiter has waited, which pass at once."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def limiter(table: OneItem) -> Limiter:
    return Limiter(cast(Table, table), "tests")


MINUTE_NUMBER = int(NOW.timestamp()) // 60
ENDS = int(NOW.timestamp()) + 31


def test_entering_takes_a_lease_and_counts_once() -> None:
    # given
    table = OneItem()

    # when
    limiter(table).enter("org_1", "a", Limit(10, 10), NOW, LEASE)
    limiter(table).enter("org_1", "b", Limit(10, 10), NOW, LEASE)
    limiter(table).enter("org_1", "a", Limit(10, 10), NOW, LEASE)

    # then: the same token twice is one entry
    assert table.item == {
        "minute": MINUTE_NUMBER,
        "count": 2,
        "before": 0,
        "revision": 2,
        "expires_at": int(NOW.timestamp()) + 3600,
        "lease_a": ENDS,
        "lease_b": ENDS,
    }
    # and a write has only the lease it takes, so that it can't restore one that was returned
    assert [sorted(w.values.keys() & {"lease_a", "lease_b"}) for w in table.writes] == [
        ["lease_a"],
        ["lease_b"],
    ]


def test_entering_removes_leases_that_have_ended() -> None:
    table = OneItem()
    limiter(table).enter("org_1", "a", Limit(10, 1), NOW, LEASE)
    limiter(table).enter("org_1", "b", Limit(10, 1), after(31), LEASE)
    assert table.item is not None
    assert "lease_a" not in table.item
    assert table.item["lease_b"] == ENDS + 31
    assert table.item["count"] == 2


def test_a_caller_who_is_refused_writes_nothing() -> None:
    table = OneItem()
    limiter(table).enter("org_1", "a", Limit(10, 1), NOW, LEASE)
    with pytest.raises(RateLimited) as refused:
        limiter(table).enter("org_1", "b", Limit(10, 1), NOW, LEASE)
    assert refused.value.details["quota"] == "tests_in_flight"
    assert len(table.writes) == 1
    assert refused.value.details["quota"] == "tests_in_flight"


def test_a_caller_tries_again_when_another_came_in_between(pauses: list[float]) -> None:
    table = OneItem({"minute": MINUTE_NUMBER, "count": 1, "before": 0, "revision": 7}, meanwhile=3)
    limiter(table).enter("org_1", "a", Limit(10, 10), NOW, LEASE)
    assert len(table.writes) == 4
    assert len(pauses) == 3
    assert all(0 <= pause <= 0.2 for pause in pauses)
    assert table.item is not None
    assert (table.item["count"], table.item["revision"]) == (2, 11)


def test_a_caller_gives_up_after_twenty_attempts(pauses: list[float]) -> None:
    table = OneItem({"minute": MINUTE_NUMBER, "count": 1, "before": 0, "revision": 7}, meanwhile=99)
    with pytest.raises(TemporarilyUnavailable):
        limiter(table).enter("org_1", "a", Limit(10, 10), NOW, LEASE)
    assert len(table.writes) == 20


def test_an_item_without_a_revision_is_no_use_yet() -> None:
    table = OneItem({"expires_at": 5})
    limiter(table).enter("org_1", "a", Limit(10, 10), NOW, LEASE)
    assert table.item is not None
    assert (table.item["count"], table.item["revision"]) == (1, 1)


def test_a_lease_is_returned_at_the_end_of_the_block_even_after_an_error() -> None:
    table = OneItem()

    def fail_within() -> None:
        with limiter(table).held("org_1", "a", Limit(10, 1), NOW, LEASE):
            assert table.item is not None
            assert table.item["lease_a"] == ENDS
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    assert table.item is not None
    assert "lease_a" not in table.item
    assert table.item["count"] == 1


def test_a_lease_that_is_gone_or_can_not_be_returned_is_only_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # given
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(logger, "warning", lambda _, **about: logged.append(about))

    # when the item is gone
    limiter(OneItem()).leave("org_1", "a")

    # then
    assert logged == []

    # when the table can't be reached
    table = OneItem()
    table.broken = True
    limiter(table).leave("org_1", "a")

    # then
    assert logged == [{"what": "tests", "organization_id": "org_1"}]
    assert [write.remove for write in table.writes] == [["lease_a"]]


def test_a_limit_of_none_at_all_is_tried_again_in_two_minutes() -> None:
    assert Usage().seconds_to_wait(Limit(0, 10), NOW) == 120
