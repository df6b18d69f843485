"""Which secrets an endpoint of a release may have, and whether they match their schema."""

from collections.abc import Iterable, Mapping

from patchbay.platform.errors import Problem
from patchbay.platform.problem_messages import listing
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of


def secret_problems(
    names: Iterable[str], entered: Mapping[str, str], release: Release
) -> list[Problem]:
    """Secrets that the release does not know, or whose schema refuses them; none is quoted.

    One that is missing may come later: a test of the endpoint says so. Keys and tokens have no
    white space at their ends; what an author declares, such as a password, may.
    """
    recipe = recipe_of(release)
    known = recipe.secret_names
    listed = listing(known) or "none"
    return [
        Problem(
            f"/secrets/{name}",
            "is a variable of this integration: give it in variables"
            if name in recipe.variable_names
            else f"is not a secret of this integration (it has: {listed})",
        )
        for name in names
        if name not in known
    ] + [
        *recipe.secret_problems(entered, "/secrets"),
        *(
            Problem(f"/secrets/{name}", "must not begin or end with white space")
            for name, secret in entered.items()
            if name in recipe.credentials and _is_padded(secret)
        ),
    ]


def _is_padded(secret: str) -> bool:
    """Whether a secret of one line was copied with the white space around it."""
    return secret != secret.strip() and len(secret.strip().splitlines()) == 1
