from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.health.buckets import LATENCY_BOUNDS_MS, Tally
from patchbay.health.latency import Latency, latency_of, percentile

SLOTS = len(LATENCY_BOUNDS_MS) + 1


def slots(**counts: int) -> list[int]:
    """`_100=3` is three durations in the slot that ends at 100 ms; `over` is the last slot."""
    bounds = {f"_{bound}": position for position, bound in enumerate(LATENCY_BOUNDS_MS)}
    filled = [0] * SLOTS
    for name, count in counts.items():
        filled[bounds.get(name, SLOTS - 1)] = count
    return filled


@pytest.mark.parametrize(
    ("filled", "p50", "p95"),
    [
        (slots(), None, None),
        (slots(_50=10), 25, 48),  # 47.5: half up
        (slots(_100=4), 75, 98),
        (slots(_50=50, _100=50), 50, 95),
        (slots(_50=9, _1000=1), 28, 750),  # 27.8; and the middle of 500 to 1000
        (slots(_50=1, over=1), 50, 1_800_000),
        (slots(over=3), 1_800_000, 1_800_000),
    ],
)
def test_a_percentile_lies_evenly_inside_its_slot(
    filled: list[int], p50: int | None, p95: int | None
) -> None:
    assert (percentile(filled, 50), percentile(filled, 95)) == (p50, p95)


@given(st.lists(st.integers(0, 1_800_000), min_size=1, max_size=60), st.sampled_from([50, 95]))
def test_a_percentile_is_in_the_slot_of_the_true_one(durations: list[int], percent: int) -> None:
    # given: the nearest-rank percentile of the durations themselves
    rank = -(-percent * len(durations) // 100)
    true = sorted(durations)[rank - 1]
    filled = [0] * SLOTS
    for duration in durations:
        filled[bisect_left(LATENCY_BOUNDS_MS, duration)] += 1

    # when
    latency = percentile(filled, percent)

    # then
    slot = bisect_left(LATENCY_BOUNDS_MS, true)
    low = LATENCY_BOUNDS_MS[slot - 1] if slot else 0
    assert latency is not None
    assert low <= latency <= LATENCY_BOUNDS_MS[slot]


def test_latency_is_of_the_events_with_a_duration() -> None:
    assert latency_of(Tally(success=9)) == Latency(count=0, mean_ms=None, p50_ms=None, p95_ms=None)
    latency = latency_of(
        Tally(success=9, latency_sum_ms=125, latencies=tuple(slots(_50=1, _100=1)))
    )
    assert (latency.count, latency.mean_ms) == (2, 63)
