"""The bindings of stored endpoints, some of which are of the first version.

Secrets that were sealed before variables of requests were bound have a binding of version 1. They
stay usable: a test opens them for that version. Every edit compares bindings of the current version
and seals for it, so secrets of version 1 are only where nothing was edited since.
"""

from typing import Any

from patchbay.connections.endpoint_model import Endpoint
from patchbay.platform.strict_json import same
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of


def binding_to_dial(endpoint: Endpoint, release: Release) -> dict[str, Any]:
    """The binding of what a test of the endpoint dials, in the version of its stored secrets."""
    recipe = recipe_of(release)
    if _is_first(endpoint):
        return recipe.first_binding(release.id, endpoint.variables)
    return recipe.binding(release.id, endpoint.variables)


def binding_before(endpoint: Endpoint, release: Release) -> dict[str, Any]:
    """The stored binding of an endpoint with this release, as an edit compares it.

    One of version 1 is the current one of the same variables, if it fits them; else it stays as it
    is, and differs from any other.
    """
    if _is_first(endpoint) and same(endpoint.binding, binding_to_dial(endpoint, release)):
        return recipe_of(release).binding(release.id, endpoint.variables)
    return endpoint.binding


def _is_first(endpoint: Endpoint) -> bool:
    return "version" not in endpoint.binding
