"""What decides where an endpoint's secrets go, and to whom: their binding.

An edit that leaves the binding unchanged may keep the stored secrets. An edit that changes it may
not: otherwise anyone who can edit an endpoint could have its secrets sent to a server of their own,
or to their own account on a server that many share. GitLab has the same rule for integrations: a
changed URL resets the masked fields.

A variable is bound if it decides the destination of a step, or if it is in anything that a step
sends. The author of the integration may take a variable of the second kind out of the binding, by
`"x-binding": "free"` in `variablesSchema`: a page size, the version of an API.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from patchbay.checks.credentials import Credential
from patchbay.checks.probe import StepTemplate
from patchbay.checks.templates import UrlTemplate, ValueRefused, Values
from patchbay.checks.url_members import url_place
from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer

VERSION: Final = 2
"""Of the bindings that secrets are sealed for. Those of version 1 have no member `version`."""

MARK: Final = "x-binding"
FREE: Final = "free"

_PLACES: Final = frozenset({"hostname", "idn-hostname", "ipv4", "ipv6", "uri", "uri-reference"})
_DECIDING: Final = frozenset(
    {
        *("user", "username", "login", "account", "scheme"),
        *("tls", "tls_mode", "ssl", "ssl_mode", "sslmode", "verify", "verify_tls", "verify_ssl"),
        *("insecure", "skip_verify", "ca", "ca_bundle", "ca_cert", "ca_certificate"),
    }
)
"""Names of variables that decide where secrets go, for schemas without a format: in any spelling
(`skipVerify`, `skip-verify`)."""

_DECIDING_AT_THE_END: Final = ("host", "hostname", "domain", "port", "url", "endpoint", "proxy")
"""Names of a place, which count at the end of a longer name too (`db_host`, `tokenUrl`)."""

_NEXT_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|-")


class _Asked(Exception):
    """A value is needed."""


class _Unknown(Mapping[str, Any]):
    """Values that nobody knows: each question about them raises."""

    def __getitem__(self, _: str) -> Any:
        raise _Asked

    def __iter__(self) -> Iterator[str]:
        raise _Asked

    def __len__(self) -> int:
        raise _Asked


@dataclass(frozen=True, slots=True)
class _Step:
    """A step, and the names of the secrets that it sends."""

    template: StepTemplate
    secrets: tuple[str, ...]
    fixed: str | None = None
    """Its destination, if that is the same whatever the values are."""

    @classmethod
    def of(cls, template: StepTemplate) -> "_Step":
        sent = [*template.placeholders(), *template.request_placeholders()]
        step = cls(template, tuple(dict.fromkeys(p.name for p in sent if p.source == "secrets")))
        unknown = _Unknown()
        try:
            # If this needs no value, no value changes it.
            return replace(step, fixed=step.destination(Values(unknown, unknown)))
        except _Asked:
            return step

    def place(self, values: Values) -> str:
        try:
            return self.template.place(values)
        except ValueRefused:
            return ""

    def destination(self, values: Values) -> str:
        if self.fixed is not None:
            return self.fixed
        try:
            return self.template.destination(values)
        except ValueRefused as refused:
            # What can't be dialed is a place of its own: making it dialable changes the binding.
            return f"none: {refused.problem.pointer}"


class BindingRule:
    """How the secrets of a release's endpoints are bound; made once for a release."""

    def __init__(
        self,
        steps: Sequence[StepTemplate],
        credential: Credential | None,
        token_url: object,
        variables_schema: Mapping[str, object],
        urls: Mapping[str, UrlTemplate] | None = None,
        sent: frozenset[str] = frozenset(),
    ) -> None:
        self._steps = [_Step.of(step) for step in steps]
        self._placement = credential.placement if credential else []
        self._urls = urls or {}
        self._token_url = token_url
        self._schema = variables_schema
        self._properties = _object(_member(variables_schema, "properties"))
        self._reached_by = frozenset(
            p.name
            for step in steps
            for p in step.destination_placeholders()
            if p.source == "variables"
        )
        reached = (p for url in self._urls.values() for p in url.placeholders())
        self._reached_by |= {p.name for p in reached if p.source == "variables"}
        self._sent = frozenset(
            p.name for step in steps for p in step.request_placeholders() if p.source == "variables"
        )
        # Which account a token is for may follow from what its request has.
        self._sent |= sent
        self.free: frozenset[str] = frozenset(
            name
            for name, rule in self._properties.items()
            if _member(rule, MARK) == FREE and not self._is_destination(name)
        )
        """The variables that may change while the secrets are kept."""
        self._bound_as_sent = self._sent - self.free
        self._places = frozenset(n for n in self._sent if _is_place(self._properties.get(n)))

    def binding(self, integration_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the secrets of an endpoint are bound to, by name, in canonical form. Pure.

        The integration; the destinations (scheme, user, host, port, and what is trusted) of every
        step, and if there are several, which secrets go to which; the header that carries the
        credential; the token URL; the other URLs that get secrets, as far as the release has them;
        and variables: those that a step sends, and those that by their format or name are a place,
        a user, or a matter of trust, even if no step uses them: the product that reads the endpoint
        will. Free variables are not in it.
        """
        values = Values(variables, {})
        places = {name: url_place(url, values) for name, url in self._urls.items()}
        return {
            **({"urls": places} if places else {}),
            "version": VERSION,
            **self._parts([(step.destination(values), step.secrets) for step in self._steps]),
            "integration": integration_id,
            "variables": dict(self._bound(variables)),
        }

    def places(self, variables: Mapping[str, Any]) -> list[str]:
        """The hosts that the steps dial, as `scheme://host:port`."""
        values = Values(variables, {})
        return sorted({step.place(values) for step in self._steps} - {""})

    def first_binding(self, integration_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The binding of version 1, which secrets that were sealed before version 2 have.

        Of what a step sends, it has only what by its format or name is deciding.
        """
        values = Values(variables, {})
        reached = [
            (
                step.destination(values),
                [p.name for p in step.template.placeholders() if p.source == "secrets"],
            )
            for step in self._steps
        ]
        return {
            **self._parts(reached),
            "integration": integration_id,
            "variables": dict(_deciding(variables, self._schema, "")),
        }

    def problems(self) -> Iterator[Problem]:
        """Marks that can't be used, with pointers that start with `/variablesSchema`."""
        for name, rule in self._properties.items():
            at = f"/variablesSchema/properties{pointer([name])}"
            if isinstance(rule, Mapping) and MARK in rule:
                if rule[MARK] != FREE:
                    yield Problem(f"{at}/{MARK}", f'must be "{FREE}"')
                elif self._is_destination(name):
                    yield Problem(
                        f"{at}/{MARK}", "can't be set: the variable decides where secrets are sent"
                    )
            yield from _misplaced(rule, at, is_variable=True)
        rest = {name: rule for name, rule in self._schema.items() if name != "properties"}
        yield from _misplaced(rest, "/variablesSchema")

    def notices(self) -> Iterator[Problem]:
        """What an edit of each variable that a step sends means, for the author."""
        for name in self._properties:
            at = f"/variablesSchema/properties{pointer([name])}"
            if name in self.free:
                yield Problem(f"{at}/{MARK}", "lets an edit of this variable keep stored secrets")
            elif name in self._sent and not self._is_destination(name):
                yield Problem(
                    at,
                    "is part of what a step sends: an edit of it needs the secrets again. If it "
                    f'can\'t select another account, mark it with "{MARK}": "{FREE}"',
                )

    def _parts(self, reached: Sequence[tuple[str, Sequence[str]]]) -> dict[str, Any]:
        """What both versions have. `reached` are destinations, and the secrets that go there."""
        destinations = sorted({destination for destination, _ in reached})
        parts = {
            "destination": destinations,
            "placement": self._placement,
            "token_url": self._token_url,
        }
        if len(destinations) > 1:
            parts["sent"] = sorted(
                {
                    f"{secret} to {destination}"
                    for destination, secrets in reached
                    for secret in secrets
                }
            )
        return parts

    def _bound(self, variables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """The variables of the binding by name; a value inside another one by its path."""
        bound = {name: value for name, value in variables.items() if name not in self.free}
        yield from _deciding(bound, self._schema, "")
        for name in self._bound_as_sent:
            value = variables.get(name)
            yield name, _canonical(value) if name in self._places else value

    def _is_destination(self, name: str) -> bool:
        return name in self._reached_by or _has_place(self._properties.get(name))


def _deciding(values: Mapping[str, Any], schema: object, within: str) -> Iterator[tuple[str, Any]]:
    """The deciding values by name; a value inside another one by its path."""
    rules = _member(schema, "properties")
    for name, value in sorted(values.items()):
        rule = _member(rules, name)
        at, items = f"{within}{name}", _member(rule, "items")
        if _is_deciding(name) or _is_place(rule) or _is_place(items):
            yield at, _canonical(value) if _is_place(rule) else value
        elif isinstance(value, str):
            continue
        elif isinstance(value, Mapping):
            yield from _deciding(value, rule, f"{at}/")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _deciding(item, items, f"{at}/{index}/")


def _member(schema: object, name: str) -> object:
    # A dict is the usual one, and asking whether it is a mapping takes longer than the rest.
    if type(schema) is dict or isinstance(schema, Mapping):
        return schema.get(name)
    return None


def _is_place(rule: object) -> bool:
    named = _member(rule, "format")
    return isinstance(named, str) and named in _PLACES


@lru_cache(maxsize=1024)
def _is_deciding(name: str) -> bool:
    words = _NEXT_WORD.sub("_", name).lower()
    last = words.rpartition("_")[2]
    return words in _DECIDING or last.removesuffix("s") in _DECIDING_AT_THE_END


def _has_place(rule: object) -> bool:
    """Whether a schema of a variable, or of a value inside it, has the format of a place."""
    inner = [*_object(_member(rule, "properties")).values(), _member(rule, "items")]
    return _is_place(rule) or any(_has_place(one) for one in inner if one is not None)


_NAMED_SCHEMAS: Final = ("properties", "patternProperties", "$defs", "dependentSchemas")
_DATA: Final = ("default", "const", "enum", "examples")


def _misplaced(schema: object, at: str, *, is_variable: bool = False) -> Iterator[Problem]:
    """Marks in a schema that is not that of a variable, where they would have no effect."""
    if isinstance(schema, list):
        for index, one in enumerate(schema):
            yield from _misplaced(one, f"{at}/{index}")
        return
    for keyword, value in _object(schema).items():
        here = at + pointer([keyword])
        if keyword == MARK and not is_variable:
            yield Problem(here, "can be set only on a variable itself, under properties")
        elif keyword in _NAMED_SCHEMAS:
            for name, one in _object(value).items():
                yield from _misplaced(one, here + pointer([name]))
        elif keyword not in _DATA:
            yield from _misplaced(value, here)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _canonical(value: object) -> object:
    """A host name in one spelling. A URL stays as it is: the case of its path matters."""
    if not isinstance(value, str) or "/" in value:
        return value
    return value.lower().removesuffix(".")
