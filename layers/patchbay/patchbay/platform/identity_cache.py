"""A cache of what was made of the last few objects, by their identity."""

from collections.abc import Callable


class IdentityCache[K, V]:
    """What was made of an object, for the very same object again: nothing is compared or hashed.

    It keeps the objects, so it is for few. Threads may share it; two of them may make the same.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[int, tuple[K, V]] = {}

    def get(self, of: K, make: Callable[[K], V]) -> V:
        kept = self._kept.get(id(of))
        if kept and kept[0] is of:
            return kept[1]
        made = make(of)
        if len(self._kept) >= self._most:
            self._kept = {}
        self._kept[id(of)] = of, made
        return made
