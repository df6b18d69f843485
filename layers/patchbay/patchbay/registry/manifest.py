"""What a manifest may have apart from its checks: roles, category, members, dependencies, …

The manifest of a draft is free. It is held to this model when it is published, so the manifest of a
release always fits it.
"""

import re
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from patchbay.checks.auth_config import PLACEHOLDER_NAME_PATTERN
from patchbay.checks.roles import Capability, Role
from patchbay.platform.errors import Problem
from patchbay.platform.json_schema import DocumentSchema, object_schema_problems, secret_problems
from patchbay.platform.model import Model
from patchbay.platform.strict_json import compact
from patchbay.platform.validation import pointer, problems_of
from patchbay.registry.members import MAX_MEMBERS, Member
from patchbay.registry.naming import UNCATEGORIZED, Category, IntegrationKey
from patchbay.registry.version_ranges import RangeText

MAX_DEPENDENCIES: Final = 20


def _unique[T](names: list[T]) -> list[T]:
    if len(set(names)) < len(names):
        raise ValueError("has a duplicate")
    return names


class _Part(Model):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Dependency(_Part):
    """Another integration that is required, in a version of the range."""

    integration: IntegrationKey
    version: Annotated[str, RangeText] = "*"


class Manifest(_Part):
    """A manifest as it is published. `Recipe` judges its `checks`."""

    checks: dict[str, Any] = Field(default_factory=dict)
    roles: Annotated[list[Role], Field(min_length=1), AfterValidator(_unique)] = Field(
        default_factory=lambda: [*Role]
    )
    capabilities: Annotated[list[Capability], AfterValidator(_unique)] = Field(default_factory=list)
    category: Category = UNCATEGORIZED
    base_url: str | None = None
    configuration_schema: dict[str, Any] = Field(default_factory=dict)
    secrets_schema: dict[str, Any] = Field(default_factory=dict)
    members: Annotated[list[Member], Field(max_length=MAX_MEMBERS)] = Field(default_factory=list)
    dependencies: Annotated[list[Dependency], Field(max_length=MAX_DEPENDENCIES)] = Field(
        default_factory=list
    )
    defaults: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> Self:
        """Reads a manifest. Raises pydantic's `ValidationError` if it is not valid."""
        return cls.model_validate_json(compact(manifest), strict=True)


def manifest_problems(manifest: dict[str, Any], variables_schema: dict[str, Any]) -> list[Problem]:
    """What keeps a manifest from being published; pointers lead into the integration."""
    try:
        read = Manifest.of(manifest)
    except ValidationError as error:
        return problems_of(error, "/manifest")
    return [
        *object_schema_problems(read.configuration_schema, "/manifest/configurationSchema"),
        *secret_problems(read.configuration_schema, "/manifest/configurationSchema"),
        *object_schema_problems(read.secrets_schema, "/manifest/secretsSchema"),
        *_secret_name_problems(read.secrets_schema),
        *_repeated("members", [member.name for member in read.members]),
        *_repeated("dependencies", [dependency.integration for dependency in read.dependencies]),
        *_default_problems(read.defaults, variables_schema),
    ]


def _secret_name_problems(secrets_schema: dict[str, Any]) -> list[Problem]:
    properties = secrets_schema.get("properties", {})
    return [
        Problem(
            f"/manifest/secretsSchema/properties{pointer([name])}",
            "is not a valid name of a secret",
        )
        for name in (properties if isinstance(properties, dict) else {})
        if re.fullmatch(PLACEHOLDER_NAME_PATTERN.strip("^$"), name) is None
    ] + [
        Problem(f"/manifest/secretsSchema/properties{pointer([name])}/type", 'must be "string"')
        for name, rule in (properties if isinstance(properties, dict) else {}).items()
        if isinstance(rule, dict) and rule.get("type", "string") != "string"
    ]


def _repeated(field: str, names: list[str]) -> list[Problem]:
    return [
        Problem(f"/manifest/{field}/{position}", "is listed twice")
        for position, name in enumerate(names)
        if name in names[:position]
    ]


def _default_problems(defaults: dict[str, Any], variables_schema: dict[str, Any]) -> list[Problem]:
    """Each default must be a value of a declared variable that its schema accepts."""
    declared = variables_schema.get("properties", {})
    names = declared.keys() if isinstance(declared, dict) else frozenset()
    known = {name: value for name, value in defaults.items() if name in names}
    problems = [
        Problem(f"/manifest/defaults{pointer([name])}", "is not a variable of variablesSchema")
        for name in defaults
        if name not in names
    ]
    if known:
        problems += DocumentSchema(variables_schema).member_problems(known, "/manifest/defaults")
    return problems
