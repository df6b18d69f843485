"""One space does not use up the minute of the others."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from patchbay.alerts import evaluator
from patchbay.alerts.evaluator import RESERVE_SECONDS, Evaluator
from patchbay.alerts.keys import LANES
from patchbay.alerts.rule_store import EvaluationPosition
from patchbay.platform.dynamodb import Key

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)


class Rules:
    """Spaces with rules, all in one lane."""

    def __init__(self, spaces: list[str]) -> None:
        self.spaces = spaces
        self.kept: EvaluationPosition | None = None

    def position(self) -> EvaluationPosition | None:
        return self.kept

    def keep_position(self, position: EvaluationPosition) -> None:
        self.kept = position

    def forget_position(self) -> None:
        self.kept = None

    def watched_spaces(self, lane: int, after: str) -> Iterator[str]:
        return iter([one for one in self.spaces if one > after] if lane == 0 else [])


def test_a_space_that_never_ends_holds_up_no_other_space(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given spaces of an attacker that take as long as they may, before those of everybody else
    monkeypatch.setattr(evaluator, "SPACE_SECONDS", 0.1)
    monkeypatch.setattr(evaluator, "RESERVE_SECONDS", 1.0)
    done: list[str] = []

    def evaluate_space(
        space_id: str, _: datetime, in_time: Callable[[], bool] = lambda: True, *_of: object
    ) -> list[Key]:
        while space_id.startswith("attacker") and in_time():
            time.sleep(0.01)
        done.append(space_id)
        return []

    rules = Rules([f"attacker-{n:03}" for n in range(40)] + [f"victim-{n:03}" for n in range(40)])
    nothing = cast(Any, None)
    here = Evaluator(cast(Any, rules), nothing, nothing, nothing, nothing, nothing, "")
    monkeypatch.setattr(here, "evaluate_space", evaluate_space)
    until = time.monotonic() + 6.0
    # When they are evaluated in a minute of six seconds
    report = here.run(NOON, lambda: until - time.monotonic())
    # Then every space had its turn
    assert (report.spaces, report.finished, rules.kept) == (80, True, None)
    assert sorted(done) == rules.spaces


def test_an_evaluation_goes_on_where_the_last_one_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a space in each lane, and time for one space
    spaces = [f"lane-{lane}" for lane in range(LANES)]
    rules = Rules([])
    monkeypatch.setattr(rules, "watched_spaces", lambda lane, _: iter(spaces[lane : lane + 1]))
    nothing = cast(Any, None)
    here = Evaluator(cast(Any, rules), nothing, nothing, nothing, nothing, nothing, "")
    seen: list[str] = []

    def evaluate_space(space_id: str, *_: object) -> list[Key]:
        seen.append(space_id)
        return []

    monkeypatch.setattr(here, "evaluate_space", evaluate_space)
    # When as many evaluations as there are spaces run out of time
    for _ in spaces:
        left = iter([RESERVE_SECONDS, 0.0, 0.0])
        assert not here.run(NOON, left.__next__).finished
    # Then each space had its turn, whichever lane they stopped in
    assert sorted(seen) == spaces
