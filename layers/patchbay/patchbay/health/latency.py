"""Percentiles from the histogram of a tally.

As in Prometheus' `histogram_quantile`, the percentile `q` is where the cumulative count reaches
`q × count`. Within a slot, durations are assumed to be evenly distributed, so a figure is exact to
the width of a slot. The last slot has no upper end and is reported as its lower end: 1,800,000 ms
is "30 minutes or more".
"""

from collections.abc import Sequence
from typing import Final

from patchbay.health.buckets import LATENCY_BOUNDS_MS, Tally
from patchbay.platform.model import Model

_ENDS: Final = (0, *LATENCY_BOUNDS_MS)


class Latency(Model):
    """The latency of the events that have a `duration_ms`. Null if none has."""

    count: int
    mean_ms: int | None
    p50_ms: int | None
    p95_ms: int | None


def latency_of(tally: Tally) -> Latency:
    count = sum(tally.latencies)
    return Latency(
        count=count,
        mean_ms=_round_half_up(tally.latency_sum_ms, count) if count else None,
        p50_ms=percentile(tally.latencies, 50),
        p95_ms=percentile(tally.latencies, 95),
    )


def percentile(slots: Sequence[int], percent: int) -> int | None:
    """In whole milliseconds, rounded half up. None without events. Computed in integers."""
    count = sum(slots)
    if count == 0:
        return None
    rank = percent * count  # in hundredths of an event
    below = 0
    for low, high, inside in zip(_ENDS, _ENDS[1:], slots, strict=False):
        if 100 * (below + inside) >= rank and inside:
            return low + _round_half_up((high - low) * (rank - 100 * below), 100 * inside)
        below += inside
    return _ENDS[-1]


def _round_half_up(dividend: int, divisor: int) -> int:
    return (2 * dividend + divisor) // (2 * divisor)
