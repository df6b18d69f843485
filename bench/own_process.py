"""A server in a process of its own, so that its work is not that of what is measured."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from typing import Any, Final

SPAWN: Final[SpawnContext] = multiprocessing.get_context("spawn")


@contextmanager
def in_own_process(serve: Callable[..., None], *args: Any) -> Iterator[Any]:
    """Calls `serve` there with a pipe and `args`. Yields what it sends when it is ready, mostly its
    port. Ends the process afterward."""
    parent, child = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(child, *args), daemon=True)
    process.start()
    try:
        yield parent.recv()
    finally:
        process.terminate()
        process.join()
