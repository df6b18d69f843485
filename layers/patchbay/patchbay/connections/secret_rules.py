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

    One that is missing may come later: a test of the endpoint says so.
    """
    recipe = recipe_of(release)
    known = recipe.secret_names
    listed = listing(known) or "none"
    return [
        Problem(f"/secrets/{name}", f"is not a secret of this integration (it has: {listed})")
        for name in names
        if name not in known
    ] + recipe.secret_problems(entered, "/secrets")
