"""Preparations on a machine that is so busy that threads start late."""

import asyncio
import time

import pytest

from patchbay.connection_tests import preparation
from patchbay.connection_tests.preparation import (
    PreparationLimits,
    Preparations,
    SliceUsed,
    prepared_in_time,
)


@pytest.fixture(autouse=True)
def _threads_start_after_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "_TURN_SECONDS", 0.0)


def test_a_turn_that_begins_late_still_does_one_preparation() -> None:
    async def prepared() -> str:
        return await asyncio.wait_for(prepared_in_time(lambda: "ready"), 10)

    assert asyncio.run(prepared()) == "ready"


def test_turns_that_begin_late_come_to_an_end() -> None:
    async def prepared() -> list[int]:
        here = Preparations(PreparationLimits())
        every = (here.prepare("acme", lambda number=number: number) for number in range(20))  # type: ignore[misc]
        return await asyncio.wait_for(asyncio.gather(*every), 10)

    assert asyncio.run(prepared()) == list(range(20))


def test_who_has_used_a_slice_is_put_off_and_nobody_else() -> None:
    async def prepared() -> list[str | BaseException]:
        here = Preparations(PreparationLimits(slice_seconds=0.05))

        def costly() -> str:
            began = time.thread_time()
            while time.thread_time() - began < 0.1:
                pass
            return "ready"

        works = [here.prepare("costly", costly) for _ in range(3)]
        works.append(here.prepare("cheap", lambda: "ready"))
        return await asyncio.gather(*works, return_exceptions=True)

    first, second, third, neighbor = asyncio.run(prepared())
    assert first == neighbor == "ready"
    assert isinstance(second, SliceUsed)
    assert isinstance(third, SliceUsed)
