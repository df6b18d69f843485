"""Turns: so many a minute, and later ones for the rest."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from patchbay.platform.pacing import TurnsGiven, minute_of, start_of

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
