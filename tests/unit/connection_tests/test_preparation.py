"""Preparations on a machine that is so busy that threads start late."""

import asyncio

import pytest

from patchbay.connection_tests import preparation
from patchbay.connection_tests.preparation import (
    PreparationLimits,
    Preparations,
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
