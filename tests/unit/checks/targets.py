"""What a test of the engine is made of: an integration's documents with an endpoint's values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from patchbay.checks.plan import Plan
from patchbay.checks.recipe import Recipe


@dataclass(frozen=True, slots=True)
class CheckTarget:
    """A release's `manifest`, `authConfig`, and `variablesSchema`, and the values of an endpoint.

    No secret is printed with it.
    """

    manifest: Mapping[str, object]
    auth_config: Mapping[str, object]
    variables_schema: Mapping[str, object]
    variables: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)

    @property
    def recipe(self) -> Recipe:
        return Recipe(self.manifest, self.auth_config, self.variables_schema)

    def plan(self) -> Plan:
        return self.recipe.plan(self.variables, self.secrets)
