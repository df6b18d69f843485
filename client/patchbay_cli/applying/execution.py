"""Makes the changes of a plan: those of a stage side by side, one stage after another.

If one fails, the others of its stage are still made, since they do not depend on it, and what comes
after is not begun.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from patchbay_cli.applying.plan import Change, Step
from patchbay_cli.bulk import Bulk, Outcome, failure
from patchbay_cli.run import CommandFailed

if TYPE_CHECKING:
    from patchbay_sdk import Patchbay

_MOST_FAILURES_PERCENT: Final = 20.0


@dataclass
class Result:
    """What became of a change."""

    change: Change
    done_steps: int = 0
    failure: Outcome | None = field(default=None, repr=False)

    @property
    def is_done(self) -> bool:
        return self.done_steps == len(self.change.steps)

    @property
    def status(self) -> str:
        if self.failure is not None:
            return "failed"
        if self.is_done:
            return "done"
        return "begun" if self.done_steps else "not tried"


def execute(
    client: Patchbay,
    results: Sequence[Result],
    *,
    at_once: int,
    told: Callable[[Result], None],
    counted: Callable[[int, int], None],
) -> None:
    """Makes the changes of these results, and notes the outcomes there. `told` hears of each that
    is done or has failed, and `counted` how many steps of how many were made. `client` must not try
    again by itself: all wait if one is told to."""
    stages: dict[int, list[tuple[Result, Step]]] = defaultdict(list)
    for result in results:
        for step in result.change.steps:
            stages[step.stage].append((result, step))

    def do(item: tuple[Result, Step]) -> Outcome:
        try:
            item[1].do(client)
        except (CommandFailed, OSError) as error:
            return failure(error)
        return Outcome(True, "done", {})

    steps, count = sum(map(len, stages.values())), 0

    def note(item: tuple[Result, Step], outcome: Outcome) -> None:
        nonlocal count
        result = item[0]
        if outcome.done:
            result.done_steps += 1
        else:
            result.failure = outcome
        if result.failure is not None or result.is_done:
            told(result)
        count += 1
        counted(count, steps)

    for _, items in sorted(stages.items()):
        bulk = Bulk(do, at_once=at_once, max_error_rate=_MOST_FAILURES_PERCENT)
        bulk.each(items, note)
        if bulk.failed or bulk.count < len(items):
            break
