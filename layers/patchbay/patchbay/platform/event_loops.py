"""Event loops for modules that seldom need one: asyncio, a tenth of a cold start, is imported when
it is used."""

from collections.abc import Awaitable, Callable
from typing import Any


def run_within[T](work: Callable[[float], Awaitable[T]], seconds: float) -> T:
    """Runs `work` on an event loop of its own. It gets its deadline, a time of that loop."""
    import asyncio

    async def within() -> T:
        return await work(loop_time() + seconds)

    return asyncio.run(within())


def loop_time() -> float:
    """The time of the running loop."""
    import asyncio

    return asyncio.get_running_loop().time()


async def sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


async def beside_loop(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Runs what blocks, in a thread."""
    import asyncio

    return await asyncio.to_thread(work, *args, **options)
