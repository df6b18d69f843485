"""What decides where an endpoint's secrets go: their binding.

An edit that leaves the binding as it is may keep the stored secrets; one that changes it may not,
or whoever can edit an endpoint could have its secrets sent to a place of their own. The rule is
GitLab's for integrations: a changed URL resets the masked fields.
"""

from collections.abc import Mapping
from typing import Any, Final

from patchbay.checks.credentials import credential
from patchbay.checks.placeholders import ValueRefused, Values
from patchbay.checks.plan import CheckTarget, templates_of
from patchbay.checks.probe import StepTemplate
from patchbay.registry.model import Release

_PLACES: Final = frozenset({"hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference"})
_DECIDING: Final = frozenset(
    {
        *("user", "username", "login", "account"),
        *("scheme", "host", "hostname", "domain", "port", "url", "base_url", "endpoint"),
        *("token_url", "proxy", "http_proxy", "https_proxy"),
        *("tls", "ssl", "sslmode", "verify", "verify_tls", "ca", "ca_bundle", "ca_certificate"),
    }
)
"""Names that say what a variable decides where its schema has no format for it."""


def binding_of(release: Release, variables: Mapping[str, Any]) -> dict[str, Any]:
    """What the secrets of an endpoint are bound to, by name, in canonical form. Pure.

    Integration, destinations (scheme, user, host, port) of every step, the header that carries the
    credential, the token URL; and every variable that by its format or name is a place, a user or
    a matter of trust, also where no step uses it: the product that reads the endpoint will.
    """
    target = CheckTarget(
        release.manifest, release.auth_config, release.variables_schema, variables, {}
    )
    sent = credential(target.auth_config)
    values = Values(target.variables, {})
    return {
        "integration": release.id,
        "destination": sorted({_destination(step, values) for step in templates_of(target)}),
        "placement": [sent.header.lower(), sent.prefix] if sent else [],
        "token_url": target.auth_config.get("tokenUrl"),
        "variables": _deciding_variables(target),
    }


def _destination(template: StepTemplate, values: Values) -> str:
    try:
        return template.destination(values)
    except ValueRefused as refused:
        # What can't be dialled is a place of its own: making it dialable changes the binding.
        return f"none: {refused.problem.pointer}"


def _deciding_variables(target: CheckTarget) -> dict[str, object]:
    properties = target.variables_schema.get("properties")
    rules = properties if isinstance(properties, dict) else {}
    places = {
        name
        for name, rule in rules.items()
        if isinstance(rule, Mapping) and rule.get("format") in _PLACES
    }
    return {
        name: _canonical(value) if name in places else value
        for name, value in sorted(target.variables.items())
        if name in places or name in _DECIDING
    }


def _canonical(value: object) -> object:
    """A host name in one spelling; a URL's path is not folded, so only names are."""
    if not isinstance(value, str) or "/" in value:
        return value
    return value.lower().removesuffix(".")
