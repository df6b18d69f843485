"""The dispatcher over a world in memory."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.monitors.dispatcher import CATCH_UP_PAUSE, Dispatcher
from patchbay.monitors.wheel import MAX_LANES, Sweep
from patchbay.platform.errors import TemporarilyUnavailable
from tests.unit.monitors.doubles import World, every_interval
from tests.unit.monitors.test_wheel import connection_ids

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IDS = connection_ids(200)


def world() -> World:
    return World(intervals=every_interval(IDS))


def asked_for(world: World) -> Counter[tuple[str, datetime]]:
    """How often each test is asked for by the queue."""
    return Counter(
        (sk.partition("#")[2], sweep.minute)
        for sweep in (order.sweep for order in world.queue)
        for sk in world.index(sweep.pk)
        if sweep.low <= sk <= sweep.high
    )


def test_a_minute_asks_for_every_due_test_once_and_for_no_empty_slot() -> None:
    here = world()
    done = Dispatcher(here, here, lanes=4).dispatch(NOON + timedelta(seconds=42))
    assert asked_for(here) == dict.fromkeys(here.expected([NOON]), 1)
    assert all(here.read_page(order.sweep, 1).keys for order in here.queue)
    assert {order.delay for order in here.queue} == {timedelta(0)}
    assert (done.minutes, done.sweeps, done.skipped, done.lag) == (
        1,
        len(here.queue),
        0,
        timedelta(0),
    )
    assert here.mark == NOON


def test_an_idle_deployment_sends_nothing() -> None:
    here = World()
    assert Dispatcher(here, here, lanes=MAX_LANES).dispatch(NOON).sweeps == 0
    assert here.mark == NOON


def test_a_minute_that_was_dispatched_is_not_dispatched_again() -> None:
    here = world()
    for _ in range(3):
        Dispatcher(here, here, lanes=4).dispatch(NOON)
    assert Dispatcher(here, here, lanes=4).dispatch(NOON - MINUTE).minutes == 0
    assert set(asked_for(here).values()) == {1}
    assert here.mark == NOON


def test_a_missed_hour_is_caught_up_minute_by_minute_the_newest_first() -> None:
    here = world()
    here.mark = NOON - 60 * MINUTE
    done = Dispatcher(here, here, lanes=4).dispatch(NOON)
    missed = [NOON - number * MINUTE for number in range(60)]
    assert asked_for(here) == dict.fromkeys(here.expected(missed), 1)
    assert {(order.sweep.minute, order.delay) for order in here.queue} == {
        (minute, number * CATCH_UP_PAUSE) for number, minute in enumerate(missed)
    }
    # SQS allows a delay of up to 15 minutes.
    assert max(order.delay for order in here.queue) <= timedelta(minutes=15)
    assert (done.minutes, done.skipped, done.lag) == (60, 0, 59 * MINUTE)


def test_minutes_older_than_an_hour_are_skipped_and_counted() -> None:
    here = world()
    here.mark = NOON - 200 * MINUTE
    done = Dispatcher(here, here, lanes=4).dispatch(NOON)
    assert (done.minutes, done.skipped) == (60, 140)
    assert here.mark == NOON


def test_the_work_of_a_dispatcher_that_dies_is_repeated_by_the_next() -> None:
    class Dying(World):
        def send(self, orders: object) -> None:  # noqa: ARG002 - the signature of the port
            raise TemporarilyUnavailable

    here = Dying(intervals=every_interval(IDS), mark=NOON - MINUTE)
    with pytest.raises(TemporarilyUnavailable):
        Dispatcher(here, here, lanes=4).dispatch(NOON)
    assert here.mark == NOON - MINUTE
    alive = World(intervals=here.intervals, mark=here.mark)
    Dispatcher(alive, alive, lanes=4).dispatch(NOON + MINUTE)
    assert set(asked_for(alive)) == alive.expected([NOON, NOON + MINUTE])


def test_two_dispatchers_at_once_ask_twice_for_the_same_tests() -> None:
    class Racing(World):
        """Both dispatchers read the watermark before either moves it."""

        def watermark(self) -> datetime | None:
            return NOON - MINUTE

    here = Racing(intervals=every_interval(IDS))
    for _ in range(2):
        Dispatcher(here, here, lanes=4).dispatch(NOON)
    assert asked_for(here) == dict.fromkeys(here.expected([NOON]), 2)


@settings(deadline=None, max_examples=30)
@given(lanes=st.lists(st.integers(1, MAX_LANES), min_size=2, max_size=6))
def test_changing_the_lanes_between_minutes_loses_and_doubles_nothing(lanes: list[int]) -> None:
    here = world()
    minutes = [NOON + number * MINUTE for number in range(len(lanes))]
    for minute, number in zip(minutes, lanes, strict=True):
        Dispatcher(here, here, lanes=number).dispatch(minute)
    assert asked_for(here) == dict.fromkeys(here.expected(minutes), 1)


def test_a_message_keeps_its_meaning_under_another_number_of_lanes() -> None:
    here = world()
    Dispatcher(here, here, lanes=3).dispatch(NOON)
    again = [Sweep.decode(order.encode()) for order in here.queue]
    assert again == [order.sweep for order in here.queue]
