"""What the waits of all tests in one event loop share: one timer, and one look at all sockets.

asyncio gives every wait a timer and two changes of the loop's selector. For a short exchange that
is more work than the exchange. Here, a socket is registered once, edge-triggered, with an epoll
that is a single descriptor to the loop (epoll(7)); where there is no epoll, each wait registers
with the loop. The loop has one timer, for the first of all limits. A limit is absolute: its wait
ends at that time.
"""

import asyncio
import select
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable
from math import inf
from typing import Final, Protocol
from weakref import WeakKeyDictionary

HAS_EPOLL: Final = hasattr(select, "epoll")
_MOST_EVENTS: Final = 256
"""Of one look. If there are more, the loop looks again in its next turn."""


class _Limit(Protocol):
    """A wait that ends at `when`, a time of the event loop, by `ring`."""

    when: float

    def ring(self) -> None: ...


class LoopWaits:
    """The limits and sockets of one event loop. It ends when the loop shuts down."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._limits: set[_Limit] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf
        self._told: dict[int, Callable[[int], None]] = {}
        self._epoll: select.epoll | None = None
        if HAS_EPOLL:
            self._epoll = select.epoll()
            loop.add_reader(self._epoll.fileno(), self._look)

    def begin(self, limit: _Limit) -> None:
        """The limit rings at its time, unless it is ended before."""
        self._limits.add(limit)
        if limit.when < self._rings_at:
            self._set_timer(limit.when)

    def end(self, limit: _Limit) -> None:
        # The timer stays: it finds nothing to do, or the limit that is the first then.
        self._limits.discard(limit)

    def watch(self, descriptor: int, happened: Callable[[int], None]) -> bool:
        """Calls `happened` with the events of epoll on each of their edges, until `unwatch`; False
        if there is no epoll. Raises OSError."""
        if self._epoll is None:
            return False
        self._epoll.register(
            descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
        )
        self._told[descriptor] = happened
        return True

    def unwatch(self, descriptor: int) -> None:
        """Right before the descriptor is closed, which takes it from the epoll."""
        self._told.pop(descriptor, None)

    def close(self, loop: AbstractEventLoop) -> None:
        if self._timer:
            self._timer.cancel()
        if self._epoll:
            loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _look(self) -> None:
        if self._epoll is None:
            return
        for descriptor, events in self._epoll.poll(0, _MOST_EVENTS):
            happened = self._told.get(descriptor)
            if happened:
                happened(events)

    def _set_timer(self, when: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._rings_at = when
        self._timer = asyncio.get_running_loop().call_at(when, self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, inf
        now = asyncio.get_running_loop().time()
        for limit in [limit for limit in self._limits if limit.when <= now]:
            self._limits.discard(limit)
            limit.ring()
        if self._limits:
            self._set_timer(min(limit.when for limit in self._limits))


_OF_LOOPS: Final = WeakKeyDictionary[AbstractEventLoop, LoopWaits]()


async def waits_of(loop: AbstractEventLoop) -> LoopWaits:
    """The waits of the running event loop. Raises OSError."""
    waits = _OF_LOOPS.get(loop)
    if waits is None:
        waits = _OF_LOOPS[loop] = LoopWaits(loop)
        ending = _until_shutdown(loop, waits)
        await anext(ending)
        _ENDINGS[loop] = ending
    return waits


async def _until_shutdown(loop: AbstractEventLoop, waits: LoopWaits) -> AsyncGenerator[None]:
    """An event loop that shuts down closes the generators that began in it: this is how it says
    so."""
    try:
        yield
    finally:
        del _OF_LOOPS[loop], _ENDINGS[loop]
        waits.close(loop)


_ENDINGS: Final = WeakKeyDictionary[AbstractEventLoop, AsyncGenerator[None]]()


class _TaskLimit:
    """Cancels a task at its time."""

    __slots__ = ("_task", "has_rung", "when")

    def __init__(self, when: float, task: "asyncio.Task[object]") -> None:
        self.when = when
        self.has_rung = False
        self._task = task

    def ring(self) -> None:
        self.has_rung = True
        self._task.cancel()


async def within[T](deadline: float, work: Awaitable[T]) -> T:
    """What `work` returns or raises; TimeoutError if it has not ended at `deadline`, a time of the
    event loop. As `asyncio.timeout_at`, which takes a timer of its own."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task(loop)
    if task is None:
        raise RuntimeError("a limit needs a task")
    waits = await waits_of(loop)
    limit = _TaskLimit(deadline, task)
    before = task.cancelling()
    waits.begin(limit)
    try:
        result = await work
    except asyncio.CancelledError:
        if limit.has_rung and task.uncancel() <= before:
            raise TimeoutError from None
        raise
    except BaseException:
        if limit.has_rung:
            task.uncancel()
        raise
    finally:
        waits.end(limit)
    if limit.has_rung:
        task.uncancel()
    return result
