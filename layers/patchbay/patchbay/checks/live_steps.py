"""What a running test shows of itself while it is followed."""

import json
from collections.abc import Callable, Iterable

from patchbay.checks.report import Step


class LiveSteps:
    """The steps that a running test has so far, in the order of its report.

    The runner of the test sets how to `look`; before that there are none. Look in the
    event loop of the test, where nothing is half done.
    """

    def __init__(self) -> None:
        self.look: Callable[[], tuple[Step, ...]] = tuple

    def __call__(self) -> tuple[Step, ...]:
        return self.look()


def text_of(steps: Iterable[Step]) -> str:
    """Steps as they are stored while their test runs."""
    shown = [step.model_dump(mode="json", exclude_defaults=True) for step in steps]
    return json.dumps(shown, separators=(",", ":"))


def steps_of(text: str) -> tuple[Step, ...]:
    """The steps that `text_of` stored."""
    return tuple(Step.model_validate(step) for step in json.loads(text))
