"""Where plans are, and when a space's layout changes."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from patchbay.connections.layouts import (
    MAX_GROUP,
    Form,
    Layout,
    decided,
    may_change,
)
from patchbay.connections.plans import Group
from patchbay.connections.wheel import MonitorInterval

IDS = [f"con_{number:026d}" for number in range(1000)]
FIVE = MonitorInterval.FIVE_MINUTES
OWN, POOLED, BUSY = Form("s", 1), Form("p", 1), Form("b", 1)

layouts = st.builds(
    Layout,
    st.integers(1, 9),
    st.sampled_from(["p7", "s0d1f", "b0d1f"]),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(0, 50),
)


@given(layouts, st.sampled_from(["p8", "s0d1f", "b0d1f"]), st.sampled_from([1, 2, 4]))
def test_a_layout_is_read_as_it_was_written(layout: Layout, cell: str, bands: int) -> None:
    for one in (layout, layout.then(cell, bands, 60)):
        assert Layout.read(one.encode()) == one


@given(
    layouts,
    st.sampled_from(["p8", "s0d1f", "b0d1f"]),
    st.sampled_from([1, 2, 4]),
    st.integers(40, 80),
    st.sampled_from(list(MonitorInterval)),
)
def test_each_minute_belongs_to_one_plan(
    layout: Layout, cell: str, bands: int, first: int, interval: MonitorInterval
) -> None:
    changed = layout.then(cell, bands, 60)
    for connection_id in IDS[:20]:
        places = changed.places(interval, connection_id, first)
        for minute in range(first, 100):
            [place] = [
                p for p in places if p.since <= minute and (p.until is None or minute < p.until)
            ]
            which = layout if minute < 60 else changed
            assert Group.of_key(place.key) == which.group(interval, connection_id)


def test_bands_are_even_and_double_by_dividing() -> None:
    one, two, four = (Layout(1, "s0d1f", bands) for bands in (1, 2, 4))
    assert {one.group(FIVE, i).band for i in IDS} == {0}
    assert all(four.group(FIVE, i).band % 2 == two.group(FIVE, i).band for i in IDS)
    assert all(
        200 < count < 300 for count in Counter(four.group(FIVE, i).band for i in IDS).values()
    )


def test_small_spaces_share_a_pool_unless_that_is_switched_off() -> None:
    assert decided(None, {FIVE: 3}, pools=True) == POOLED
    assert decided(None, {FIVE: 3}, pools=False) == OWN
    assert decided(None, {FIVE: 4}, pools=True) == OWN
    assert decided(POOLED, {FIVE: 6}, pools=True) == POOLED
    assert decided(POOLED, {FIVE: 7}, pools=True) == OWN
    assert decided(POOLED, {FIVE: 3}, pools=False) == OWN
    assert decided(OWN, {FIVE: 4}, pools=True) == OWN
    assert decided(OWN, {FIVE: 2, MonitorInterval.HOUR: 1}, pools=True) == POOLED


def test_a_space_of_many_tests_a_minute_is_busy() -> None:
    assert decided(OWN, {FIVE: 99}, pools=True) == OWN
    assert decided(OWN, {FIVE: 100}, pools=True) == BUSY
    assert decided(BUSY, {FIVE: 71}, pools=True) == BUSY
    assert decided(BUSY, {FIVE: 69}, pools=True) == OWN


@given(
    st.none() | st.builds(Form, st.sampled_from("psb"), st.sampled_from([1, 2, 4, 8])),
    st.dictionaries(st.sampled_from(list(MonitorInterval)), st.integers(0, 3000)),
    st.booleans(),
)
def test_what_was_decided_stands_while_nothing_changes(
    current: Form | None, monitored: dict[MonitorInterval, int], pools: bool
) -> None:
    form = decided(current, monitored, pools=pools)
    assert decided(form, monitored, pools=pools) == form
    assert max(monitored.values(), default=0) <= MAX_GROUP * form.bands
    assert pools or form.kind != "p"


def test_growth_shows_in_a_group_and_anything_else_once_a_day() -> None:
    def minutes(cell: str, in_group: int, interval: str = "5m", *, pools: bool = True) -> int:
        group = Group(MonitorInterval(interval), cell, 0)
        return sum(
            may_change(group, "0d1f", in_group, minute, pools=pools)
            for minute in range(group.phase, 1440, group.interval.minutes)
        )

    assert minutes("s0d1f", 321) == 288
    assert minutes("s0d1f", 100) == 288
    assert minutes("p7", 7) == 288
    assert minutes("p7", 2, pools=False) == 288
    assert minutes("s0d1f", 20, "1m") == 1440
    assert minutes("b0d1f", 120) == 1
    assert minutes("s0d1f", 2) == 1
    assert minutes("s0d1f", 2, "24h") == 1
    band = Group(FIVE, "s0d1f", 1)
    assert not any(may_change(band, "0d1f", 2, minute, pools=True) for minute in range(1440))
