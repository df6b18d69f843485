"""A sweep is split into as many parts as there is work, and no connection is lost or done twice."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.connections.plans import Group
from patchbay.connections.wheel import MonitorInterval, on_the_wheel
from patchbay.monitors.lanes import CONNECTIONS_OF_A_SWEEP, MOST_PARTS, sweeps_of_rest
from patchbay.monitors.sweeper import SweepLimits
from patchbay.monitors.wheel import Slot, Sweep
from tests.unit.monitors.doubles import World
from tests.unit.monitors.test_sweeper import drain, first, sweep
from tests.unit.monitors.test_wheel import connection_ids

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)
WHOLE = Sweep.of(Slot("1m", 0, 0, 1), NOON)
PAGE = 250


def sort_keys(count: int) -> list[str]:
    members = (on_the_wheel(one, MonitorInterval.MINUTE) for one in connection_ids(count))
    return sorted(member["monitor_slot_sk"] for member in members)


def split(keys: list[str], of: Sweep = WHOLE) -> list[Sweep]:
    page = keys[:PAGE]
    return sweeps_of_rest(of.after(page[-1]), page, of.low)


@pytest.mark.parametrize(("count", "least", "most"), [(300, 1, 1), (1000, 1, 1), (20_000, 15, 25)])
def test_there_are_as_many_parts_as_there_is_work(count: int, least: int, most: int) -> None:
    parts = split(sort_keys(count))
    assert least <= len(parts) <= most


@pytest.mark.parametrize("lanes", [1, 4, 7])
def test_each_connection_is_in_one_part(lanes: int) -> None:
    keys = sort_keys(20_000)
    for lane in range(lanes):
        whole = Sweep.of(Slot("1m", 0, lane, lanes), NOON)
        own = [key for key in keys if whole.low <= key <= whole.high]
        parts = split(own, whole)
        found = [key for part in parts for key in own if part.low <= key <= part.high]
        assert found == own[PAGE:]
        sizes = [sum(part.low <= key <= part.high for key in own) for part in parts]
        assert max(sizes) <= 1.5 * CONNECTIONS_OF_A_SWEEP


@given(places=st.lists(st.integers(0, 65_535), min_size=1), more=st.integers(0, 65_535))
def test_whatever_the_first_page_says_the_parts_cover_the_rest(
    places: list[int], more: int
) -> None:
    page = [f"{place:04x}#con_{number}" for number, place in enumerate(sorted(places))]
    rest = WHOLE.after(page[-1])
    parts = sweeps_of_rest(rest, page, WHOLE.low)
    assert 1 <= len(parts) <= MOST_PARTS
    assert (parts[0].low, parts[-1].high) == (rest.low, rest.high)
    for one in (f"{more:04x}#con_x", f"{more:04x}"):
        assert sum(part.low <= one <= part.high for part in parts) == (rest.low <= one)


def plan_keys(groups: int, of_each: int) -> list[str]:
    """The sort keys of a slot of plans."""
    keys = [
        Group(MonitorInterval.MINUTE, f"s{number:032x}").plan_key(connection_id).sk
        for number in range(groups)
        for connection_id in connection_ids(of_each)
    ]
    return sorted(keys)


@pytest.mark.parametrize("of_each", [1, 5, 50, 250])
def test_a_group_of_plans_is_in_one_part(of_each: int) -> None:
    keys = plan_keys(20_000 // of_each, of_each)
    page = keys[: 4 * PAGE]
    parts = sweeps_of_rest(WHOLE.after(page[-1]), page, WHOLE.low)
    assert 5 <= len(parts) <= 60
    part_of_group: dict[str, set[int]] = {}
    for key in keys[len(page) :]:
        (number,) = (n for n, part in enumerate(parts) if part.low <= key <= part.high)
        part_of_group.setdefault(key.rpartition("#")[0], set()).add(number)
    assert {len(parts) for parts in part_of_group.values()} == {1}


def test_one_large_group_says_nothing_of_the_others() -> None:
    keys = plan_keys(3, 250)
    assert split(keys) == [WHOLE.after(keys[249])]


def test_a_group_that_is_cut_is_ended_by_who_began_it() -> None:
    many = plan_keys(20, 400)
    page = many[:900]
    first, *others = sweeps_of_rest(WHOLE.after(page[-1]), page, WHOLE.low)
    assert others
    assert all(first.low <= key <= first.high for key in many[900:1200])


def test_tests_that_were_put_off_are_not_split() -> None:
    keys = sort_keys(5000)
    own = WHOLE.of_organization("org_1")
    assert sweeps_of_rest(own.after(keys[0]), keys[:1], own.low) == [own.after(keys[0])]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> World:
    """Six times what a sweep should do."""
    monkeypatch.setattr("patchbay.monitors.lanes.CONNECTIONS_OF_A_SWEEP", 50)
    return World(intervals=dict.fromkeys(connection_ids(300), MonitorInterval.MINUTE))


LIMITS = SweepLimits(page=40, page_seconds=5.0, test_ms=500)


def test_a_sweep_hands_the_parts_of_others_to_the_queue_at_once(here: World) -> None:
    swept = sweep(here, [first()], LIMITS)
    # Then it did its own part, and the others are there for other functions
    assert swept.split >= 1
    assert len(here.queue) == swept.split
    assert len(swept.reports) < len(here.intervals)
    drain(here, LIMITS)
    assert len(here.history) == len(here.intervals)
    assert set(here.dialed.values()) == {1}


def test_a_queue_that_fails_leaves_all_parts_to_the_sweep(here: World) -> None:
    here.lost_sends = 1_000
    swept = sweep(here, [first()], LIMITS)
    assert (swept.split, len(swept.reports)) == (0, len(here.intervals))


def test_a_sweep_that_was_not_split_at_first_is_split_later(here: World) -> None:
    here.lost_sends = 1
    assert sweep(here, [first()], LIMITS).split >= 1
    drain(here, LIMITS)
    assert set(here.dialed.values()) == {1}
    assert len(here.history) == len(here.intervals)
