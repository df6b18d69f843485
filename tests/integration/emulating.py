"""The AWS emulator of the local cloud, as `make run` starts it."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

from local import emulator
from local.emulator import Emulator
from local.paths import StateDir


@contextmanager
def emulating(folder: Path) -> Iterator[Emulator]:
    """A running emulator with its state in this folder."""
    with asyncio.Runner() as runner:
        running = emulator.running(StateDir(folder))
        try:
            yield runner.run(_entered(running))
        finally:
            runner.run(_left(running))


async def _entered(running: AbstractAsyncContextManager[Emulator]) -> Emulator:
    return await running.__aenter__()


async def _left(running: AbstractAsyncContextManager[Emulator]) -> None:
    await running.__aexit__(None, None, None)
