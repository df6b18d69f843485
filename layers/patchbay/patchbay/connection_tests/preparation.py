"""Prepares the tests of many organizations, so that none of them uses up the time of the others.

What preparing costs depends on what a tenant has stored: schemas, secrets, the store that a
reference leads to. Each piece of it is bounded, but Python can't interrupt it, so:

1. **A deadline.** Tests are prepared in threads. A caller stops waiting at the deadline, and the
   thread is free again later: no call to AWS takes more than 12 s. There is no fixed number of
   threads, which would be used up by what hangs.
2. **One at a time.** An organization has one thread at a time, and pauses after a test that took
   long, for as long as it used the CPU: the event loop gets at least every other turn.
3. **A slice.** What an organization used of the CPU, or spent waiting, is added up. When it is more
   than a slice, the rest of its tests is put off: `SliceUsed`.
"""

import asyncio
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, Final

PREPARATION_SECONDS: Final = 8.0
"""The deadline of one preparation. Usually it takes 1–2 ms, and 20 ms if it reads a reference."""

_THREADS: Final = 8
_SHORT_SECONDS: Final = 0.5
"""A thread that takes longer does not keep others from starting. Waiting this long is free."""

_TURN_SECONDS: Final = 0.02
"""After this, a thread starts no further test: the event loop decides about the next turn."""


class PreparationOverdue(Exception):
    """A preparation did not end by its deadline."""


class SliceUsed(Exception):
    """The organization has used its slice: prepare this test later."""


@dataclass(frozen=True, slots=True)
class PreparationLimits:
    """`slice_seconds` is what an organization may use in one invocation. `start_seconds` is how
    long a test may wait for its turn."""

    deadline_seconds: float = PREPARATION_SECONDS
    slice_seconds: float = 4.0
    start_seconds: float = 10.0

    @property
    def most_seconds(self) -> float:
        """The time until the last of the tests that are waiting now is prepared, or put off."""
        return self.start_seconds + self.deadline_seconds


class Preparations:
    """The preparations of one invocation. Made and used within one event loop."""

    def __init__(self, limits: PreparationLimits) -> None:
        self._limits = limits
        self._waiting: defaultdict[str, deque[_Job]] = defaultdict(deque)
        self._used: defaultdict[str, float] = defaultdict(float)
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._threads = asyncio.Semaphore(_THREADS)

    async def prepare[T](self, organization_id: str, work: Callable[[], T]) -> T:
        """What `work`, which blocks, returns or raises.

        Raises `PreparationOverdue`, and `SliceUsed` before `work` was started.
        """
        job = _Job(work)
        self._waiting[organization_id].append(job)
        if organization_id not in self._lanes:
            self._lanes[organization_id] = asyncio.create_task(self._lane(organization_id))
        return await job.result  # type: ignore[no-any-return]  # what its own work returned

    async def _lane(self, organization_id: str) -> None:
        """Turn after turn until nothing is waiting."""
        waiting = self._waiting[organization_id]
        try:
            while waiting:
                await self._threads.acquire()
                self._put_off(organization_id)
                if not waiting:
                    self._threads.release()
                    break
                turn = _Turn(waiting)
                self._used[organization_id] += await turn.taken(
                    self._limits.deadline_seconds, self._threads.release
                )
                if turn.cpu_seconds > _TURN_SECONDS:
                    await asyncio.sleep(turn.cpu_seconds)
        finally:
            del self._lanes[organization_id]

    def _put_off(self, organization_id: str) -> None:
        """Those that may not start any more."""
        waiting = self._waiting[organization_id]
        is_used = self._used[organization_id] >= self._limits.slice_seconds
        oldest = time.monotonic() - self._limits.start_seconds
        while waiting and (is_used or waiting[0].asked_at < oldest):
            waiting.popleft().settle(None, SliceUsed())


async def prepared_in_time[T](work: Callable[[], T]) -> T:
    """What `work`, which blocks, returns or raises. Raises `PreparationOverdue`."""
    job = _Job(work)
    await _Turn(deque([job])).taken(PREPARATION_SECONDS, lambda: None)
    return await job.result  # type: ignore[no-any-return]  # what its own work returned


@dataclass(slots=True)
class _Job:
    """A preparation, and where its result is awaited."""

    work: Callable[[], Any]
    asked_at: float = field(default_factory=time.monotonic)
    result: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def settle(self, value: Any, failure: BaseException | None) -> None:
        if self.result.done():
            return  # overdue, or nobody waits any more
        if failure is None:
            self.result.set_result(value)
        else:
            self.result.set_exception(failure)


class _Threads:
    """Threads that take one turn after the other. If none is idle, another one is started."""

    def __init__(self, most_idle: int) -> None:
        self._most_idle = most_idle
        self._idle: deque[SimpleQueue[Callable[[], None]]] = deque()

    def begin(self, turn: Callable[[], None]) -> None:
        try:
            turns = self._idle.pop()
        except IndexError:
            turns = SimpleQueue()
            threading.Thread(target=self._work, args=(turns,), daemon=True).start()
        turns.put(turn)

    def _work(self, turns: SimpleQueue[Callable[[], None]]) -> None:
        while True:
            turns.get()()
            if len(self._idle) >= self._most_idle:
                return
            self._idle.append(turns)


_IDLE: Final = _Threads(most_idle=_THREADS)


class _Turn:
    """A thread that prepares what is waiting, one after the other, for a short while."""

    def __init__(self, waiting: deque[_Job]) -> None:
        self.cpu_seconds = 0.0
        self._waiting = waiting
        self._job: _Job | None = None
        self._job_started = self._started = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._results: deque[tuple[_Job, Any, BaseException | None]] = deque()
        self._is_told = False
        _IDLE.begin(partial(copy_context().run, self._run))

    async def taken(self, deadline_seconds: float, no_longer_short: Callable[[], None]) -> float:
        """Waits for its end, and returns the seconds that count: of the CPU, or of waiting.

        Calls `no_longer_short` once: when it has ended, or has taken long. A preparation that does
        not end by its deadline is left to its thread.
        """
        try:
            await self._end_within(min(_SHORT_SECONDS, deadline_seconds))
        finally:
            no_longer_short()
        # While the thread goes from one preparation to the next, each has its own deadline.
        while not self._ended.is_set():
            left = self._job_started + deadline_seconds - time.monotonic()
            if left <= 0:
                break
            await self._end_within(left)
        if not self._ended.is_set() and self._job:
            self._job.settle(None, PreparationOverdue())
        return max(self.cpu_seconds, time.monotonic() - self._started - _SHORT_SECONDS)

    async def _end_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    def _run(self) -> None:
        began = time.thread_time()
        while self._waiting:
            job = self._job = self._waiting.popleft()
            self._job_started = time.monotonic()
            value: Any = None
            failure: BaseException | None = None
            try:
                value = job.work()
            except BaseException as error:
                failure = error  # raised where it is waited for
            self.cpu_seconds = time.thread_time() - began
            self._results.append((job, value, failure))
            if not self._is_told:
                # Waking the event loop is a call of the kernel: once for all that it has not seen.
                self._is_told = True
                self._tell(self._settle)
            # Asked after the first one: on a busy machine, a thread may start later than this.
            if time.monotonic() - self._started >= _TURN_SECONDS:
                break
        self._tell(self._ended.set)

    def _settle(self) -> None:
        # First of all: what the thread adds from now on, it tells again.
        self._is_told = False
        while self._results:
            job, value, failure = self._results.popleft()
            job.settle(value, failure)

    def _tell(self, what: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(what)
