"""Limits of time, as `asyncio.timeout_at` has them, and the end of what a loop's waits share."""

import asyncio
import gc
import os
import socket

import pytest

from patchbay.egress import loop_waits
from patchbay.egress.loop_waits import within
from patchbay.egress.sockets import AsyncSocket


def test_work_that_ends_in_time_returns_its_result() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    async def run() -> int:
        return await within(asyncio.get_running_loop().time() + 5, work())

    assert asyncio.run(run()) == 3


def test_work_that_does_not_end_is_cancelled_at_its_limit() -> None:
    seen = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    async def run() -> int:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await within(began + 0.02, work())
        assert 0.02 <= loop.time() - began < 1
        # Nothing of the limit is left on the task.
        task = asyncio.current_task()
        assert task
        await asyncio.sleep(0)
        return task.cancelling()

    assert asyncio.run(run()) == 0
    assert seen == ["ended"]


def test_a_limit_that_has_passed_ends_work_at_its_first_wait() -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            await within(asyncio.get_running_loop().time() - 1, asyncio.sleep(60))

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_failure_of_the_work_is_its_own() -> None:
    async def work() -> None:
        raise ValueError("its own")

    async def run() -> None:
        await within(asyncio.get_running_loop().time() + 5, work())

    with pytest.raises(ValueError, match="its own"):
        asyncio.run(run())


def test_a_failure_while_it_is_cancelled_leaves_nothing_on_the_task() -> None:
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("while it ended") from None

    async def run() -> int:
        with pytest.raises(ValueError, match="while it ended"):
            await within(asyncio.get_running_loop().time() + 0.01, work())
        task = asyncio.current_task()
        assert task
        return task.cancelling()

    assert asyncio.run(run()) == 0


def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def run() -> None:
        limited = within(asyncio.get_running_loop().time() + 60, asyncio.sleep(60))
        task = asyncio.create_task(limited)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_limits_within_limits_each_end_their_own_work() -> None:
    async def inner() -> str:
        loop = asyncio.get_running_loop()
        try:
            await within(loop.time() + 0.01, asyncio.sleep(60))
        except TimeoutError:
            await asyncio.sleep(0)
            return "the inner one"
        return "neither"

    async def run() -> str:
        return await within(asyncio.get_running_loop().time() + 5, inner())

    assert asyncio.run(run()) == "the inner one"


def test_the_earlier_of_two_limits_that_begins_later_is_kept() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        later = asyncio.create_task(within(began + 60, asyncio.sleep(60)))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await within(began + 0.02, asyncio.sleep(60))
        later.cancel()
        return loop.time() - began

    assert 0.02 <= asyncio.run(run()) < 1


@pytest.mark.enable_socket
def test_a_loop_that_shuts_down_leaves_no_descriptor() -> None:
    async def wait() -> None:
        ours, theirs = socket.socketpair()
        with AsyncSocket(socket.AF_UNIX, fileno=ours.detach()) as sock, theirs:
            asyncio.get_running_loop().call_soon(theirs.send, b"x")
            assert await sock.receive(1) == b"x"

    gc.collect()
    before = len(os.listdir("/dev/fd"))
    gc.disable()
    try:
        for _ in range(5):
            asyncio.run(wait())
        assert len(os.listdir("/dev/fd")) == before
    finally:
        gc.enable()
    assert not list(loop_waits._OF_LOOPS)
