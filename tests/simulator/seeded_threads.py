"""Threads that run one at a time, in an order that a seed decides.

Each gives up its turn before each call to the table, so every interleaving of calls can come up and
comes up again with the same seed. moto needs it too: its transactions are not safe among threads.
"""

import threading
from collections.abc import Callable, Sequence
from random import Random


class Turns:
    """Runs works in threads, between two calls of `pause` one after the other."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._back = threading.Semaphore(0)
        self._go: dict[int, threading.Semaphore] = {}

    def run(self, works: Sequence[Callable[[], None]]) -> None:
        """Until all have ended. What one raises is raised here, when all the others are through."""
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
        """Of the thread whose turn it is: somebody else's turn, or its own again."""
        name = threading.current_thread().name
        if not name.isdecimal():
            return  # not one of ours: the simulation itself
        self._back.release()
        self._go[int(name)].acquire()
