"""DynamoDB in memory whose indexes are behind."""

from random import Random
from typing import Any, Final

from tests.simulator.memory_dynamodb import MemoryClient, Typed

_LIKELY: Final = 0.3


class LaggingClient(MemoryClient):
    """An index may show an item as it was before its first change since the indexes caught up."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance
        self._before: dict[tuple[str, str], Typed | None] = {}

    def settle(self) -> None:
        """The indexes catch up."""
        self._before.clear()

    def shown_in(self, index: str, pk: Any) -> list[Typed]:
        """The items that an index shows in a partition, in the order of its sort key."""
        found = []
        for place, item in list(self._items.items()):
            shown: Typed | None = item
            if place in self._before and self._chance.random() < _LIKELY:
                shown = self._before[place]
            if shown and shown.get(f"{index}_pk") == pk:
                found.append(shown)
        return sorted(found, key=lambda item: item[f"{index}_sk"]["S"])

    def _place_item(self, place: tuple[str, str], item: Typed) -> None:
        self._before.setdefault(place, self._items.get(place))
        super()._place_item(place, item)
