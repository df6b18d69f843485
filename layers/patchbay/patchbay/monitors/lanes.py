"""Into how many sweeps the rest of a sweep is split: as many as there is work for. Pure.

Nobody counts the connections of a slot. But places are hashes, so the first page of a sweep tells
how dense its range is. If the rest is more than one function should do, it is cut into ranges of
equal size, which go to the queue at once. A guess that is wrong does no harm: each part is split
again after its own first page, and a part without connections costs one query.
"""

from collections.abc import Sequence
from typing import Final

from patchbay.monitors.wheel import Sweep
from patchbay.platform.dynamodb import AFTER_ALL

CONNECTIONS_OF_A_SWEEP: Final = 1_000
"""Four pages: some seconds for targets that respond, and a minute and a half for ones that hang."""

MOST_PARTS: Final = 64
"""In one step. More connections than 64,000 at one minute are split in a second one."""


def sweeps_of_rest(rest: Sweep, first_page: Sequence[str], low: str) -> list[Sweep]:
    """The rest of a sweep, in parts of some 1,000 connections each, in their order.

    `first_page` are the sort keys before the rest, `low` is where they began. A part begins with a
    place, so connections of one place are not separated.
    """
    if rest.organization_id is not None or not first_page:
        return [rest]
    begin, after, end = _place(low), _place(first_page[-1]) + 1, _place(rest.high) + 1
    expected = len(first_page) * (end - after) / max(1, after - begin)
    parts = min(MOST_PARTS, round(expected / CONNECTIONS_OF_A_SWEEP), end - after)
    if parts <= 1:
        return [rest]
    bounds = [after + (end - after) * number // parts for number in range(1, parts)]
    lows = [rest.low, *(f"{bound:04x}" for bound in bounds)]
    highs = [*(f"{bound - 1:04x}{AFTER_ALL}" for bound in bounds), rest.high]
    return [rest.only(first, last) for first, last in zip(lows, highs, strict=True)]


def _place(sort_key: str) -> int:
    return int(sort_key[:4], 16)
