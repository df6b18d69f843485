"""A cache with a bound in bytes, because tenants choose how large what is kept in it is."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class BoundedCache[K: Hashable, V]:
    """Keeps values up to an estimated number of bytes. The least recently used are dropped first.

    A value that exceeds the bound by itself is returned and not kept. Threads may share it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[K, tuple[V, int, K]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """The estimated size of what is kept."""
        return self._bytes

    def get(self, key: K, make: Callable[[], tuple[V, int]]) -> V:
        """The value of a key; `make` returns it with its estimated size in bytes."""
        with self._lock:
            if found := self._kept.get(key):
                # By the key that is kept: to compare another that is equal may take long.
                self._kept.move_to_end(found[2])
                return found[0]
        # Two threads may make the same value; neither waits for the other.
        value, size = make()
        with self._lock:
            if key not in self._kept and size <= self._max_bytes:
                self._kept[key] = value, size, key
                self._bytes += size
                while self._bytes > self._max_bytes:
                    self._bytes -= self._kept.popitem(last=False)[1][1]
        return value
