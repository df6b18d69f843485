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
        self._back = threading.Semaphore(0)
        self._go: dict[int, threading.Semaphore] = {}

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Returns when all have ended. Raises the first exception of any, after all have ended."""
        failures: list[BaseException] = []
        running: dict[int, threading.Thread] = {}

        def guarded(work: Callable[[], None], number: int) -> None:
            self._go[number].acquire()
            try:
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                del running[number]
                self._back.release()

        for number, work in enumerate(works):
            thread = threading.Thread(target=guarded, args=(work, number), name=str(number))
            self._go[number] = threading.Semaphore(0)
            running[number] = thread
            thread.start()
        while running:
            self._go[self._chance.choice(sorted(running))].release()
            self._back.acquire()
        if failures:
            raise failures[0]

    def pause(self) -> None:
        """Called by the running thread: lets another run, or goes on itself."""
        name = threading.current_thread().name
        if not name.isdecimal():
            return  # the simulation itself
        self._back.release()
        self._go[int(name)].acquire()
