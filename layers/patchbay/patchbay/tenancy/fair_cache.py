"""A cache that organizations share without pushing each other out. In memory, not thread-safe."""

from datetime import datetime


class FairCache[K, V]:
    """At most `size` values, each with its owner and the time until which it may be used.

    When it is full, the owner that would have the most values loses its oldest one. So an owner
    with more than its share only pushes out values of its own.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._owners: dict[K, str] = {}
        self._values: dict[str, dict[K, tuple[datetime, V]]] = {}

    def get(self, key: K, now: datetime) -> tuple[datetime, V] | None:
        """The value, and until when it may be used."""
        owner = self._owners.get(key)
        if owner is None:
            return None
        found = self._values[owner][key]
        return found if now < found[0] else None

    def put(self, key: K, owner: str, until: datetime, value: V) -> None:
        """Keeps a value in place of an older one of this key."""
        self.drop(key)
        if len(self._owners) >= self._size:
            largest = max(self._values, key=lambda one: len(self._values[one]) + (one == owner))
            self.drop(next(iter(self._values[largest])))
        self._owners[key] = owner
        self._values.setdefault(owner, {})[key] = (until, value)

    def drop(self, key: K) -> None:
        """Forgets the value of this key, if there is one."""
        owner = self._owners.pop(key, None)
        if owner is not None:
            values = self._values[owner]
            del values[key]
            if not values:
                del self._values[owner]
