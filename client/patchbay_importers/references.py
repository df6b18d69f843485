"""References within a document (`{"$ref": "#/definitions/x"}`), followed but not in circles."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from patchbay_importers.places import Place
from patchbay_importers.refusals import ImportRefused

MAX_HOPS: Final = 20


class References:
    """Those of one document. References to other documents are not followed: nothing is fetched."""

    def __init__(self, document: object) -> None:
        self._root = Place(document)

    def resolved(self, place: Place) -> Place:
        """What stands at a place, or where its references lead. Members beside a `$ref` replace
        those of its target. Raises ImportRefused."""
        own: dict[str, object] = {}
        for _ in range(MAX_HOPS):
            reference = self._reference(place)
            if reference is None:
                if own and isinstance(place.value, dict):
                    return Place({**place.value, **own}, place.at)
                return place
            if isinstance(place.value, dict):
                beside = {name: v for name, v in place.value.items() if name != "$ref"}
                own = {**beside, **own}
            place = self._target(reference, place.at)
        raise ImportRefused(place.at, f"leads through more than {MAX_HOPS} references, or a circle")

    @staticmethod
    def _reference(place: Place) -> str | None:
        value = place.value
        if isinstance(value, dict) and "$ref" in value:
            return (place / "$ref").text()
        # Airbyte writes the reference alone, too.
        return value if isinstance(value, str) and value.startswith("#/") else None

    def _target(self, reference: str, at: str) -> Place:
        if not reference.startswith("#/"):
            raise ImportRefused(at, "refers to another document, which is not fetched")
        target = self._root
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(target.value, list) and name.isdigit() and int(name) < len(target.value):
                target = Place(target.value[int(name)], f"{target.at}/{name}")
            elif isinstance(target.value, dict) and name in target.value:
                target = target / name
            else:
                raise ImportRefused(at, "refers to a place that is not in the document")
        return target
