"""The recipes of releases, each read once in a process. The least recently used are dropped first.

A release never changes, so neither does its recipe. What is kept is bounded in bytes: one
organization may have any number of large releases.
"""

from typing import TYPE_CHECKING, Final

from patchbay.platform.bounded_cache import BoundedCache
from patchbay.platform.identity_cache import IdentityCache
from patchbay.platform.strict_json import compact

if TYPE_CHECKING:
    from patchbay.checks.recipe import Recipe
    from patchbay.registry.model import Integration, Release

MAX_KEPT_BYTES: Final = 32 << 20
_PER_BYTE: Final = 16
"""What a byte of a release's documents takes in memory, with what is read from it."""
_LEAST_BYTES: Final = 16 << 10
_LAST_FEW: Final = 8
"""Releases whose documents are not compared while they are at hand: the tests of a page share
them, and each asks four times."""


def recipe_of(release: "Release") -> "Recipe":
    """The recipe of a release: the same object for the same release."""
    return _LAST.get(release, _kept_recipe)


def _kept_recipe(release: "Release") -> "Recipe":
    def make() -> "tuple[Recipe, int]":
        return recipe_of_draft(release), _bytes(release)

    return _KEPT.get(_Documents(release), make)


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
        if not isinstance(other, _Documents):
            return False
        one, another = self.release, other.release
        return one is another or (
            one.manifest == another.manifest
            and one.auth_config == another.auth_config
            and one.variables_schema == another.variables_schema
        )


def _bytes(release: "Release") -> int:
    documents = release.manifest, release.auth_config, release.variables_schema
    return _LEAST_BYTES + _PER_BYTE * sum(len(compact(document)) for document in documents)


_LAST: Final = IdentityCache["Release", "Recipe"](_LAST_FEW)
_KEPT: Final = BoundedCache[_Documents, "Recipe"](MAX_KEPT_BYTES)
