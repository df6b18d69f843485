"""The recipes of releases, each read once in a process. The least recently used are dropped first.

A release never changes, so neither does its recipe.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from patchbay.checks.recipe import Recipe
    from patchbay.registry.model import Integration, Release

MAX_KEPT: Final = 128
"""The documents of a release have at most 64 KB each. 128 releases of that size take some 100 MB in
memory; of the usual size, less than 1 MB."""


def recipe_of(release: "Release") -> "Recipe":
    """The recipe of a release: the same object for the same release."""
    return _kept(_Documents(release))


def recipe_of_draft(draft: "Integration") -> "Recipe":
    """The recipe of a draft, read each time, because an edit may have changed it."""
    # A cold start must not wait for the engine of checks.
    from patchbay.checks.recipe import Recipe

    return Recipe(draft.manifest, draft.auth_config, draft.variables_schema)


class _Documents:
    """A release as the key of its recipe: equal only to one with the same documents."""

    __slots__ = ("_hash", "release")

    def __init__(self, release: "Release") -> None:
        self.release = release
        self._hash = hash((release.id, release.version, release.published_at))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Documents) and _documents(self) == _documents(other)


def _documents(key: _Documents) -> tuple[dict[str, Any], ...]:
    release = key.release
    return release.manifest, release.auth_config, release.variables_schema


@lru_cache(maxsize=MAX_KEPT)
def _kept(key: _Documents) -> "Recipe":
    return recipe_of_draft(key.release)
