"""Turns: so many a minute, and later ones for the rest."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.dynamodb import ABSENT, ConditionFailed, Key, Table, Update, equals
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.pacing import Turns, TurnsGiven, minute_of, start_of

FAR = 10_000


def test_above_the_limit_the_turns_are_in_the_next_minutes_in_order() -> None:
    given_out, turns = TurnsGiven().with_more([FAR] * 7, 3, 100)
    assert turns == [100, 100, 100, 101, 101, 101, 102]
    # Who comes later has a later turn, even if the minute has begun
    _, turns = given_out.with_more([FAR] * 3, 3, 101)
    assert turns == [102, 102, 103]


def test_the_turns_of_past_minutes_are_not_given_again() -> None:
    given_out, _ = TurnsGiven().with_more([FAR] * 2, 3, 100)
    assert given_out.with_more([FAR], 3, 200) == (TurnsGiven(200, 1), [200])


def test_a_turn_that_would_come_too_late_is_not_given_and_takes_no_place() -> None:
    given_out, turns = TurnsGiven().with_more([FAR, 100, 100, FAR], 1, 100)
    assert turns == [100, None, None, 101]
    assert given_out == TurnsGiven(101, 1)


def test_a_minute_begins_where_it_says() -> None:
    moment = datetime(2026, 2, 17, 10, 0, 59, tzinfo=UTC)
    assert start_of(minute_of(moment)) == datetime(2026, 2, 17, 10, tzinfo=UTC)


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 20), max_size=8)), max_size=12),
)
def test_no_minute_has_more_turns_than_its_limit_and_none_is_wasted(
    per_minute: int, takes: list[tuple[int, list[int]]]
) -> None:
    state, now, all_turns = TurnsGiven(), 0, list[int]()
    for passed, latest in takes:
        now += passed
        state, turns = state.with_more([now + wait for wait in latest], per_minute, now)
        for turn, wait in zip(turns, latest, strict=True):
            assert turn is None or now <= turn <= now + wait
        fresh = [turn for turn in turns if turn is not None]
        all_turns += fresh
        assert all(all_turns.count(turn) <= per_minute for turn in fresh)
        # A minute is only begun when the one before it is full
        for turn in fresh:
            if turn > now:
                assert all_turns.count(turn - 1) == per_minute


NOW = datetime(2026, 2, 17, 10, 0, 30, tzinfo=UTC)
THIS = int(NOW.timestamp()) // 60
KEY = Key("LIMIT#org_1", "deliveries")


class OneItem:
    """A table with the item of one organization's turns."""

    def __init__(self, item: dict[str, Any] | None = None) -> None:
        self.item = item
        self.meanwhile: list[dict[str, Any] | None] = []
        """What others leave there before each of the next writes; None removes the item."""
        self.reply_lost = False
        """Whether the next write is done, and then repeated by botocore."""
        self.writes: list[Update] = []

    def get(self, key: Key) -> dict[str, Any] | None:
        assert key == KEY
        return self.item and dict(self.item)

    def write(self, update: Update) -> None:
        assert update.key == KEY
        self.writes.append(update)
        if self.meanwhile:
            self.item = self.meanwhile.pop(0)
        for _ in range(2 if self.reply_lost else 1):
            standing = equals("revision", self.item["revision"]) if self.item else ABSENT
            if update.condition != standing:
                raise ConditionFailed(self.item and dict(self.item))
            self.item = dict(update.values)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, which pass at once."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def take(table: OneItem, count: int, per_minute: int = 2) -> Sequence[int | None]:
    latest = [NOW + timedelta(hours=9)] * count
    return Turns(cast(Table, table), "deliveries", per_minute).take("org_1", latest, NOW)


def of_another(minute: int, count: int, revision: int) -> dict[str, Any]:
    return {"minute": minute, "count": count, "revision": revision, "taken_by": "another"}


def test_nothing_was_given_at_first() -> None:
    assert TurnsGiven() == TurnsGiven(0, 0)
    # In the very first minute there is, too
    assert TurnsGiven().with_more([0, 0, 0], 2, 0) == (TurnsGiven(0, 2), [0, 0, None])


def test_turns_are_taken_by_one_write_that_is_kept_for_an_hour() -> None:
    table = OneItem()
    assert take(table, 3) == [THIS, THIS, THIS + 1]
    assert table.item is not None
    token = table.item.pop("taken_by")
    assert table.item == {
        "minute": THIS + 1,
        "count": 1,
        "revision": 1,
        "expires_at": (THIS + 1) * 60 + 3600,
    }
    table.item["taken_by"] = token
    assert take(table, 2) == [THIS + 1, THIS + 2]
    assert (table.item["revision"], table.item["count"], len(table.writes)) == (2, 1, 2)
    assert table.item["taken_by"] != token
    # A turn may be used until the minute of its latest time, however late in it
    turns = Turns(cast(Table, table), "deliveries", 2)
    ends = [NOW + timedelta(minutes=2, seconds=second) for second in (-30, 29)]
    assert turns.take("org_1", ends, NOW) == [THIS + 2, None]


def test_turns_that_others_took_in_between_are_not_given_again(pauses: list[float]) -> None:
    table = OneItem(of_another(THIS, 1, 7))
    table.meanwhile = [of_another(THIS, 2, 8), of_another(THIS + 1, 1, 9)]
    assert take(table, 2) == [THIS + 1, THIS + 2]
    assert table.item is not None
    assert (table.item["revision"], len(table.writes)) == (10, 3)
    assert len(pauses) == 2
    assert 0 <= pauses[0] <= 0.01
    assert 0 <= pauses[1] <= 0.02


def test_a_first_turn_may_be_anothers_and_an_item_may_go(pauses: list[float]) -> None:
    table = OneItem()
    table.meanwhile = [of_another(THIS, 1, 1), None]
    assert take(table, 2) == [THIS, THIS]
    assert table.item is not None
    assert table.item["revision"] == 1
    assert len(pauses) == 2


def test_a_lost_reply_gives_the_turns_once() -> None:
    table = OneItem(of_another(THIS, 1, 7))
    table.reply_lost = True
    assert take(table, 2) == [THIS, THIS + 1]
    assert len(table.writes) == 1
    table.reply_lost = False
    assert take(table, 1) == [THIS + 1]


def test_after_twenty_attempts_it_is_left_for_later(pauses: list[float]) -> None:
    table = OneItem(of_another(THIS, 0, 1))
    table.meanwhile = [of_another(THIS, 0, 100 + n) for n in range(20)]
    with pytest.raises(TemporarilyUnavailable):
        take(table, 1)
    assert (len(table.writes), len(pauses)) == (20, 20)
