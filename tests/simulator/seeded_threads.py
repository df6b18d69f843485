"""Threads that run one at a time, in an order that a seed decides.

Each thread yields before each call to the table, so every interleaving of calls is possible, and
the same seed repeats it. moto needs this too: its transactions are not thread-safe.
"""

import threading
from collections.abc import Callable, Sequence
from random import Random


class SeededThreads:
    """Runs functions in threads. Between two calls of `pause`, only one of them runs."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._ended = threading.Event()
        self._go: dict[int, threading.Lock] = {}
        """Released to let a thread run."""
        self._running: list[int] = []

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Returns when all have ended. Raises the first exception of any, after all have ended."""
        failures: list[BaseException] = []

        def guarded(work: Callable[[], None], number: int) -> None:
            self._go[number].acquire()
            try:
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                self._running.remove(number)
                if self._running:
                    self._go[self._chance.choice(self._running)].release()
                else:
                    self._ended.set()

        self._running = list(range(len(works)))
        self._ended.clear()
        for number, work in enumerate(works):
            self._go[number] = threading.Lock()
            self._go[number].acquire()
            threading.Thread(target=guarded, args=(work, number), name=str(number)).start()
        if works:
            self._go[self._chance.choice(self._running)].release()
            self._ended.wait()
        if failures:
            raise failures[0]

    def pause(self) -> None:
        """Called by the running thread: lets another run, or goes on itself."""
        name = threading.current_thread().name
        if not name.isdecimal():
            return  # the simulation itself
        following = self._chance.choice(self._running)
        if following != int(name):
            self._go[following].release()
            self._go[int(name)].acquire()
