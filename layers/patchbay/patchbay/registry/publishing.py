"""What keeps a draft from being published: every problem at once, each with a JSON Pointer."""

from patchbay.checks.auth_config import auth_config_problems
from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import default_problems, object_schema_problems, secret_problems
from patchbay.platform.validation import MAX_PROBLEMS
from patchbay.registry.manifest import manifest_problems
from patchbay.registry.model import Integration
from patchbay.registry.recipes import recipe_of_draft


def draft_problems(draft: Integration) -> list[Problem]:
    """Why the content of this draft can't become a release; empty if it can.

    `Dependencies.problems_of` judges its dependencies.
    """
    recipe = recipe_of_draft(draft)
    problems = [
        *object_schema_problems(draft.variables_schema, "/variablesSchema"),
        *default_problems(draft.variables_schema, "/variablesSchema"),
        *secret_problems(draft.variables_schema, "/variablesSchema"),
        *manifest_problems(draft.manifest, draft.variables_schema),
        *auth_config_problems(draft.auth_config),
        *recipe.problems,
        *recipe.binding_problems(),
    ]
    # Two rules may find the same place: the first message on it is enough.
    first = {problem.pointer: problem for problem in reversed(problems)}
    return sorted(first.values(), key=lambda problem: problem.pointer)[:MAX_PROBLEMS]


def draft_notices(draft: Integration) -> list[Problem]:
    """What the author should know of a draft that can be published: which of its variables need
    the secrets again when they change."""
    return recipe_of_draft(draft).binding_notices()
