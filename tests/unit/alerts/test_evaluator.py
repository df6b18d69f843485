"""One space does not use up the minute of the others, and many are not too much for one minute."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from patchbay.alerts import evaluator
from patchbay.alerts.evaluation_queue import EvaluationBatch
from patchbay.alerts.evaluator import BATCH, Evaluator
from patchbay.alerts.schedule import LOOK_MINUTES
from patchbay.connections.wheel import minute_number
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.strict_json import compact

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)


class Spaces:
    """Spaces that are due, and the minutes whose looks were asked for."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = list(ids)
        self.looks: list[int] = []
        self.noted = minute_number(NOON) - 3
        self.broken = False

    def looked(self) -> int:
        return self.noted

    def note_looked(self, number: int) -> None:
        self.noted = max(self.noted, number)

    def due(self, now: datetime, since: int) -> list[str]:
        if self.broken:
            raise TemporarilyUnavailable
        self.looks = [
            *range(since - minute_number(NOON), minute_number(now) - minute_number(NOON) + 1)
        ]
        return self.ids


class Wakes:
    def __init__(self) -> None:
        self.woken: list[str] = []
        self.broken = False

    def __call__(self, space_ids: Iterable[str], /) -> bool:
        space_ids = list(space_ids)
        self.woken += [] if self.broken else space_ids
        return not (self.broken and space_ids)


class Queue:
    def __init__(self) -> None:
        self.sent: list[EvaluationBatch] = []
        self.broken = False

    def send(self, batches: Sequence[EvaluationBatch]) -> None:
        if self.broken:
            raise TemporarilyUnavailable
        self.sent += batches


def made(spaces: Spaces, queue: Queue, wakes: Wakes) -> Evaluator:
    it = cast(Any, None)
    return Evaluator(cast(Any, spaces), it, it, it, it, it, queue, it, wakes, "")


def noting(monkeypatch: pytest.MonkeyPatch, evaluator: Evaluator, seen: list[str]) -> None:
    """Evaluations only note their spaces."""

    def note(space_id: str, *_: object) -> list[Key]:
        seen.append(space_id)
        return []

    monkeypatch.setattr(evaluator, "evaluate_space", note)


def test_a_space_that_never_ends_holds_up_no_other_space(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given spaces of an attacker that take as long as they may, beside those of everybody else
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

    ids = [f"attacker-{n:03}" for n in range(40)] + [f"victim-{n:03}" for n in range(40)]
    here = made(Spaces(ids), Queue(), Wakes())
    monkeypatch.setattr(here, "evaluate_space", evaluate_space)
    until = time.monotonic() + 6.0
    # When they are evaluated in a minute of six seconds
    report = here.run(NOON, lambda: until - time.monotonic())
    # Then every space had its turn
    assert (report.spaces, report.finished) == (80, True)
    assert sorted(done) == ids


def test_more_spaces_than_one_evaluation_does_go_to_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = [f"space-{n:04}" for n in range(3 * BATCH + 1)]
    queue, seen = Queue(), list[str]()
    here = made(Spaces(ids), queue, Wakes())
    noting(monkeypatch, here, seen)
    report = here.run(NOON, lambda: 60.0)
    # Then each is in one batch, and a batch says the same after the queue
    assert (report.spaces, report.sent) == (BATCH, 2 * BATCH + 1)
    assert sorted([*seen, *(one for batch in queue.sent for one in batch.space_ids)]) == ids
    assert [len(batch.space_ids) for batch in queue.sent] == [BATCH, BATCH, 1]
    [*_, last] = queue.sent
    body = compact(last.encode()).decode()
    assert EvaluationBatch.of({"body": body}) == EvaluationBatch(NOON, [*last.space_ids])
    # And the next minute has another order
    before = seen[:]
    seen.clear()
    here.run(NOON + timedelta(minutes=1), lambda: 60.0)
    assert set(seen) != set(before)


def test_a_queue_that_fails_leaves_all_to_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"space-{n:04}" for n in range(2 * BATCH)]
    queue, seen = Queue(), list[str]()
    queue.broken = True
    here = made(Spaces(ids), queue, Wakes())
    noting(monkeypatch, here, seen)
    assert here.run(NOON, lambda: 60.0).spaces == len(ids)
    assert sorted(seen) == ids


def test_what_fails_or_is_not_reached_is_due_in_the_next_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluator, "_AT_ONCE", 1)
    ids = ["a", "b", "c"]
    wakes = Wakes()
    here = made(Spaces(ids), Queue(), wakes)

    def fail(*_: object) -> list[Key]:
        raise RuntimeError

    monkeypatch.setattr(here, "evaluate_space", fail)
    left = iter([60.0] * 2 + [0.0] * 10)
    report = here.run(NOON, lambda: next(left))
    assert (report.spaces, report.failed, report.finished) == (2, 2, False)
    assert sorted(wakes.woken) == ids


def test_a_batch_that_waited_too_long_is_left_to_the_next_minute() -> None:
    batch = EvaluationBatch(NOON, ["a", "b"])
    assert not batch.is_too_late(NOON + timedelta(minutes=2))
    assert batch.is_too_late(NOON + timedelta(minutes=4))
    wakes = Wakes()
    made(Spaces([]), Queue(), wakes).put_off(batch)
    assert wakes.woken == ["a", "b"]


def test_a_batch_whose_rest_cannot_be_left_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    wakes = Wakes()
    wakes.broken = True
    here = made(Spaces([]), Queue(), wakes)
    noting(monkeypatch, here, [])
    batch = EvaluationBatch(NOON, ["a", "b"])
    with pytest.raises(TemporarilyUnavailable):
        here.run_batch(batch, lambda: 0.0)
    with pytest.raises(TemporarilyUnavailable):
        here.put_off(batch)
    assert here.run_batch(batch, lambda: 60.0).finished


def test_the_next_minute_makes_up_for_the_looks_of_those_that_were_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spaces, wakes = Spaces(["a"]), Wakes()

    def process() -> Evaluator:
        one = made(spaces, Queue(), wakes)
        noting(monkeypatch, one, [])
        return one

    def looks(minute: int, of: Evaluator, seconds: float = 60.0) -> list[int]:
        spaces.looks = []
        of.run(NOON + timedelta(minutes=minute), lambda: seconds)
        return spaces.looks

    here, there = process(), process()
    # A process that has just begun makes up for what was missed before
    assert looks(0, here) == [-2, -1, 0]
    assert looks(1, here) == [1]
    # Another process did some, and nobody the others
    assert looks(2, there) == [2]
    assert looks(5, here) == [3, 4, 5]
    # One that comes late, or twice
    assert looks(4, here) == [4]
    assert looks(6, there) == [6]
    # The index is not readable
    spaces.broken = True
    with pytest.raises(TemporarilyUnavailable):
        looks(7, here)
    spaces.broken = False
    assert looks(8, there) == [7, 8]
    # A space is neither evaluated nor woken
    wakes.broken = True
    with pytest.raises(TemporarilyUnavailable):
        looks(9, here, seconds=0.0)
    wakes.broken = False
    assert looks(10, here) == [9, 10]
    # After some hours, each quiet space is looked at once
    later = 10 + 10 * LOOK_MINUTES
    assert looks(later, here) == [*range(later - LOOK_MINUTES + 1, later + 1)]


def test_looks_that_find_nothing_write_nothing() -> None:
    spaces = Spaces([])
    here, before = made(spaces, Queue(), Wakes()), spaces.noted
    for minute in range(3):
        here.run(NOON + timedelta(minutes=minute), lambda: 60.0)
        assert minute in spaces.looks
    assert spaces.looks == [2]
    assert spaces.noted == before


def test_an_evaluation_stands_if_its_looks_cannot_be_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    spaces = Spaces(["a"])
    here = made(spaces, Queue(), Wakes())
    noting(monkeypatch, here, [])

    def fail(_: int) -> None:
        raise TemporarilyUnavailable

    monkeypatch.setattr(spaces, "note_looked", fail)
    assert here.run(NOON, lambda: 60.0).spaces == 1
