"""One space does not use up the minute of the others, and many are not too much for one minute."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from patchbay.alerts import evaluator
from patchbay.alerts.evaluation_queue import EvaluationBatch
from patchbay.alerts.evaluator import BATCH, Evaluator
from patchbay.platform.dynamodb import Key
from patchbay.platform.errors import TemporarilyUnavailable
from patchbay.platform.strict_json import compact

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)


class Spaces:
    """Spaces that are due."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = list(ids)

    def due(self, _: datetime) -> list[str]:
        return self.ids


class Queue:
    def __init__(self) -> None:
        self.sent: list[EvaluationBatch] = []
        self.broken = False

    def send(self, batches: Sequence[EvaluationBatch]) -> None:
        if self.broken:
            raise TemporarilyUnavailable
        self.sent += batches


def made(spaces: Spaces, queue: Queue, woken: list[str]) -> Evaluator:
    it = cast(Any, None)
    return Evaluator(cast(Any, spaces), it, it, it, it, it, queue, it, woken.extend, "")


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
    here = made(Spaces(ids), Queue(), [])
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
    here = made(Spaces(ids), queue, [])
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
    here = made(Spaces(ids), queue, [])
    noting(monkeypatch, here, seen)
    assert here.run(NOON, lambda: 60.0).spaces == len(ids)
    assert sorted(seen) == ids


def test_what_fails_or_is_not_reached_is_due_in_the_next_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluator, "_AT_ONCE", 1)
    ids = ["a", "b", "c"]
    woken: list[str] = []
    here = made(Spaces(ids), Queue(), woken)

    def fail(*_: object) -> list[Key]:
        raise RuntimeError

    monkeypatch.setattr(here, "evaluate_space", fail)
    left = iter([60.0] * 2 + [0.0] * 10)
    report = here.run(NOON, lambda: next(left))
    assert (report.spaces, report.failed, report.finished) == (2, 2, False)
    assert sorted(woken) == ids


def test_a_batch_that_waited_too_long_is_left_to_the_next_minute() -> None:
    batch = EvaluationBatch(NOON, ["a", "b"])
    assert not batch.is_too_late(NOON + timedelta(minutes=2))
    assert batch.is_too_late(NOON + timedelta(minutes=4))
    woken: list[str] = []
    made(Spaces([]), Queue(), woken).put_off(batch)
    assert woken == ["a", "b"]
