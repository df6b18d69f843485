"""What a deployment would publish of what was imported."""

from collections.abc import Mapping
from typing import Any

from patchbay_importers.imported import Imported

from bench.importers import problems_of_definition


def published(imported: Imported) -> dict[str, Any]:
    """The definition, which a deployment would publish."""
    assert imported.refused is None
    assert imported.definition is not None
    assert problems_of_definition(imported.definition) == []
    return dict(imported.definition)


def steps_of(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = definition["manifest"].get("checks", {}).get("steps", [])
    return steps
