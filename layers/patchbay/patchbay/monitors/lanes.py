"""Into how many sweeps the rest of a sweep is split: as many as there is work for. Pure.

Nobody counts the connections of a slot. But places are hashes, so the first pages of a sweep tell
how dense its range is. If the rest is more than one function should do, it is cut into ranges of
equal size, which go to the queue at once. A guess that is wrong does no harm: each part is split
again as its own pages tell, and a part without connections costs one query.

The connections of a group share one place, so they are never separated.
"""

from collections.abc import Sequence
from typing import Final

from patchbay.monitors.wheel import Sweep
from patchbay.platform.dynamodb import AFTER_ALL

CONNECTIONS_OF_A_SWEEP: Final = 1_000
"""Four pages: some seconds for targets that respond, and a minute and a half for ones that hang."""

MOST_PARTS: Final = 64
"""In one step. More connections than 64,000 at one minute are split in a second one."""

_DIGITS: Final = 4
"""Of a place, with which sort keys begin."""


def sweeps_of_rest(rest: Sweep, read: Sequence[str], low: str) -> list[Sweep]:
    """The rest of a sweep, in parts of some 1,000 connections each, in their order.

    `read` are the sort keys before the rest, `low` is where they began. If the last of them is of a
    group that is not at its end, the first part has the others of it.
    """
    if rest.organization_id is not None or not read:
        return [rest]
    begin, after, end = _place(low), _place(read[-1]) + 1, _place(rest.high) + 1
    # The distance to the last of n places is that of n - 1 that were not looked for: one place by
    # itself, however many connections are there, says nothing.
    places = len({key[:_DIGITS] for key in read})
    density = len(read) * (places - 1) / places / max(1, after - begin)
    expected = density * (end - after)
    parts = min(MOST_PARTS, round(expected / CONNECTIONS_OF_A_SWEEP), end - after)
    if parts <= 1:
        return [rest]
    bounds = [after + (end - after) * number // parts for number in range(1, parts)]
    lows = [rest.low, *(f"{bound:04x}" for bound in bounds)]
    highs = [*(f"{bound - 1:04x}{AFTER_ALL}" for bound in bounds), rest.high]
    return [rest.only(first, last) for first, last in zip(lows, highs, strict=True)]


def _place(sort_key: str) -> int:
    return int(sort_key[:_DIGITS], 16)
