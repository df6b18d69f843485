"""What decides where an endpoint's secrets go: their binding.

An edit that leaves the binding unchanged may keep the stored secrets. An edit that changes it may
not: otherwise anyone who can edit an endpoint could have its secrets sent to a server of their own.
GitLab has the same rule for integrations: a changed URL resets the masked fields.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from patchbay.checks.credentials import Credential
from patchbay.checks.probe import StepTemplate
from patchbay.checks.templates import ValueRefused, Values

_PLACES: Final = frozenset({"hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference"})
_DECIDING: Final = frozenset(
    {
        *("user", "username", "login", "account"),
        *("scheme", "host", "hostname", "domain", "port", "url", "base_url", "endpoint"),
        *("token_url", "proxy", "http_proxy", "https_proxy"),
        *("tls", "tls_mode", "ssl", "ssl_mode", "sslmode", "verify", "verify_tls", "verify_ssl"),
        *("insecure", "skip_verify", "ca", "ca_bundle", "ca_cert", "ca_certificate"),
    }
)
"""Names of variables that decide where secrets go, for schemas without a format: in any spelling
(`tokenUrl`, `token-url`). Names of a place count at the end of a longer name too (`db_host`)."""

_DECIDING_AT_THE_END: Final = ("host", "hostname", "domain", "port", "url", "endpoint", "proxy")
_NEXT_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|-")


class BindingRule:
    """How the secrets of a release's endpoints are bound; made once for a release."""

    def __init__(
        self,
        steps: Sequence[StepTemplate],
        credential: Credential | None,
        token_url: object,
        variables_schema: Mapping[str, object],
    ) -> None:
        self._steps = [(step, _secrets(step)) for step in steps]
        self._placement = [credential.header.lower(), credential.prefix] if credential else []
        self._token_url = token_url
        self._variables_schema = variables_schema

    def binding(self, integration_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the secrets of an endpoint are bound to, by name, in canonical form. Pure.

        The integration; the destinations (scheme, user, host, port) of every step, and if there
        are several, which secrets go to which; the header that carries the credential; the token
        URL; and every variable that by its format or name is a place, a user, or a matter of
        trust, even if no step uses it: the product that reads the endpoint will.
        """
        values = Values(variables, {})
        reached = [(_destination(step, values), secrets) for step, secrets in self._steps]
        destinations = sorted({destination for destination, _ in reached})
        binding = {
            "integration": integration_id,
            "destination": destinations,
            "placement": self._placement,
            "token_url": self._token_url,
            "variables": dict(_deciding(variables, self._variables_schema, "")),
        }
        if len(destinations) > 1:
            binding["sent"] = sorted(
                {
                    f"{secret} to {destination}"
                    for destination, secrets in reached
                    for secret in secrets
                }
            )
        return binding


def _destination(step: StepTemplate, values: Values) -> str:
    try:
        return step.destination(values)
    except ValueRefused as refused:
        # What can't be dialed is a place of its own: making it dialable changes the binding.
        return f"none: {refused.problem.pointer}"


def _secrets(step: StepTemplate) -> list[str]:
    return [p.name for p in step.placeholders() if p.source == "secrets"]


def _deciding(values: Mapping[str, Any], schema: object, within: str) -> Iterator[tuple[str, Any]]:
    """The deciding values by name; a value inside another one by its path."""
    rules = _member(schema, "properties")
    for name, value in sorted(values.items()):
        rule = _member(rules, name)
        at, items = f"{within}{name}", _member(rule, "items")
        if _is_place(rule) or _is_place(items) or _is_deciding(name):
            yield at, _canonical(value) if _is_place(rule) else value
        elif isinstance(value, Mapping):
            yield from _deciding(value, rule, f"{at}/")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _deciding(item, items, f"{at}/{index}/")


def _member(schema: object, name: str) -> object:
    return schema.get(name) if isinstance(schema, Mapping) else None


def _is_place(rule: object) -> bool:
    named = _member(rule, "format")
    return isinstance(named, str) and named in _PLACES


def _is_deciding(name: str) -> bool:
    words = _NEXT_WORD.sub("_", name).lower()
    last = words.rpartition("_")[2]
    return words in _DECIDING or last.removesuffix("s") in _DECIDING_AT_THE_END


def _canonical(value: object) -> object:
    """A host name in one spelling. A URL stays as it is: the case of its path matters."""
    if not isinstance(value, str) or "/" in value:
        return value
    return value.lower().removesuffix(".")
