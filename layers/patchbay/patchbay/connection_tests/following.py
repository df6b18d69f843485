"""A test that somebody follows: its steps are told as they end, and the test does not notice.

- The event loop of the test looks at the steps. A thread of its own writes them, one write at a
  time and at most every 300 ms, and only if there is something new. A table that does not respond
  holds up that thread, and nothing else.
- A write that fails is logged and tried again with the next one. The test goes on.
- At the end the last write has a second to be done: a test never takes longer because of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Final, Protocol

from patchbay.checks.report import Step
from patchbay.connection_tests.model import TestFindings
from patchbay.platform.logging import logger

EVERY_SECONDS: Final = 0.3
"""People see no difference below this, and a test of 25 s is at most 84 writes."""
_LAST_WRITE_SECONDS: Final = 1.0


type SoFar = Callable[[], tuple[Step, ...]]
"""The steps that a running test has, such as a `LiveSteps`."""


class Telling(Protocol):
    """Where the steps of one test are written. All of it blocks, and may fail."""

    def begin(self) -> None: ...

    def tell(self, steps: Sequence[Step]) -> None:
        """Replaces what was told before."""

    def end(self, result: TestFindings | None) -> None:
        """None if the test did not come to a result."""


class Following:
    """One test that somebody follows."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._thread = ThreadPoolExecutor(1, "following")
        self._has_failed = False

    def begin(self) -> None:
        self._do(self._telling.begin)

    def end(self, result: TestFindings | None) -> None:
        """Returns when the last write is done, or after a second."""
        last = self._do(self._telling.end, result)
        wait([last] if last else [], _LAST_WRITE_SECONDS)
        self.stop()

    def stop(self) -> None:
        """Tells nothing any more; a write that was begun ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def during[T](self, test: Awaitable[T], so_far: SoFar) -> T:
        """Tells the steps so far of the test until it ends. Raises what the test raises."""
        looking = asyncio.create_task(self._look(so_far))
        try:
            return await test
        finally:
            looking.cancel()

    async def _look(self, so_far: SoFar) -> None:
        told: Sequence[Step] = ()
        writing: Future[bool] | None = None
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            if writing and not writing.done():
                continue
            if writing and not writing.result():
                told = ()
            steps = so_far()
            if steps != told:
                writing, told = self._do(self._telling.tell, steps), steps

    def _do[**P](
        self, write: Callable[P, None], *args: P.args, **kwargs: P.kwargs
    ) -> "Future[bool] | None":
        """None if there is no thread to be had."""

        def done() -> bool:
            try:
                write(*args, **kwargs)
            except Exception as error:
                self._note(error)
                return False
            return True

        try:
            return self._thread.submit(done)
        except RuntimeError as error:
            self._note(error)
            return None

    def _note(self, error: Exception) -> None:
        """Once a test: what fails once fails often."""
        if not self._has_failed:
            self._has_failed = True
            logger.warning("progress of a test not written", error=type(error).__name__)


class Ending:
    """How a test ended: to be set before its time is over."""

    result: TestFindings | None = None


@contextmanager
def told(following: Following | None) -> Iterator[Ending]:
    """The time in which a request runs its test: from its beginning to its end, if it is
    followed."""
    ending = Ending()
    if following is None:
        yield ending
        return
    following.begin()
    try:
        yield ending
    finally:
        following.end(ending.result)
