"""The variables and secrets of an endpoint, and their problems. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from patchbay.connections.config_values import MAX_VALUES_BYTES
from patchbay.connections.secret_rules import secret_problems
from patchbay.platform.errors import InvalidConfig, Problem
from patchbay.platform.schema_defaults import TooManyDefaults, with_defaults
from patchbay.platform.strict_json import same
from patchbay.platform.validation import excess
from patchbay.registry.manifest import Manifest
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of


def settled_variables(given: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """The variables of an endpoint: what is given, then `defaults` of the manifest, then those of
    the schema. Every create, edit, and upgrade goes through here.

    Host names get one spelling: lower case, without the dot of the root. Raises `InvalidConfig` if
    there are too many defaults.
    """
    schema = release.variables_schema
    try:
        filled = with_defaults(given, schema, Manifest.of(release.manifest).defaults)
    except TooManyDefaults as error:
        raise InvalidConfig([Problem("/variables", str(error))]) from None
    return in_one_spelling(filled, release)


def in_one_spelling(variables: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """Variables whose host names are in lower case, without the dot of the root."""
    hosts = {
        name
        for name, rule in release.variables_schema.get("properties", {}).items()
        if isinstance(rule, dict) and rule.get("format") == "hostname"
    }
    return {
        name: value.lower().removesuffix(".") if name in hosts and isinstance(value, str) else value
        for name, value in variables.items()
    }


def value_problems(
    release: Release,
    variables: Mapping[str, Any],
    entered: Mapping[str, str],
    kept: Sequence[str],
    secret_ref: str | None,
) -> list[Problem]:
    """Why a release does not accept these variables, secrets, and reference.

    `entered` are new secrets, `kept` the names of those that stay. Pointers lead into the body of a
    create or an edit.
    """
    names = [*kept, *entered]
    return [
        *size_problems(variables, "/variables"),
        *recipe_of(release).variable_problems(variables),
        *secret_problems(names, entered, release),
        *_exclusion_problems(secret_ref, names),
    ]


def size_problems(values: Mapping[str, Any], at: str) -> list[Problem]:
    """Each of many patches may be small, and their sum may still be too large for an item."""
    message = excess(values, MAX_VALUES_BYTES)
    return [Problem(at, message)] if message else []


def revealed(secrets: Mapping[str, SecretStr | None]) -> dict[str, str]:
    """The values of secrets by their names, without those that are null."""
    return {name: value.get_secret_value() for name, value in secrets.items() if value is not None}


def changed_parts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The parts of a binding that differ as JSON: secrets are sealed for its exact text."""
    return sorted(
        name for name in old.keys() | new.keys() if not same(new.get(name), old.get(name))
    )


def _exclusion_problems(secret_ref: str | None, names: Sequence[str]) -> list[Problem]:
    if secret_ref is None or not names:
        return []
    message = 'can\'t be combined with secrets; to remove stored ones, set "secrets" to null'
    return [Problem("/secret_ref", message)]
