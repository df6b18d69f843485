"""Which secrets an endpoint of a release may have, and whether they match their schema."""

from collections.abc import Iterable, Mapping
from typing import Final

from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import document_problems
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

_CLOSING: Final = ("additionalProperties", "unevaluatedProperties")
"""Of a secretsSchema: the secrets of `authConfig` come beside those that it declares."""


def secret_problems(
    names: Iterable[str], entered: Mapping[str, str], release: Release
) -> list[Problem]:
    """Secrets that the release does not know, or whose schema refuses them; none is quoted.

    One that is missing may come later: a test of the endpoint says so.
    """
    known = recipe_of(release).secret_names
    listed = ", ".join(known) or "none"
    return [
        Problem(f"/secrets/{name}", f"is not a secret of this integration (it has: {listed})")
        for name in names
        if name not in known
    ] + schema_problems(entered, release, "/secrets")


def schema_problems(secrets: Mapping[str, str], release: Release, at: str) -> list[Problem]:
    """What the release's `secretsSchema` refuses; pointers begin with `at`."""
    schema = recipe_of(release).secrets_schema
    rules = {name: rule for name, rule in schema.items() if name not in ("required", *_CLOSING)}
    return document_problems(dict(secrets), rules, at)
