"""Requests made from the OpenAPI document, so that tests call a new route without a line here.

The document has an example of each body. Wherever the example or its schema names something that a
tenant owns, the request names what the test has.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from local.openapi import DOCUMENT
from tests.integration.conftest import Tenant

_DOCUMENT: dict[str, Any] = json.loads(DOCUMENT.read_text())
_NEW = frozenset({"slug", "version"})
"""Members of a body that name what it creates."""
_ALIASES = {
    "tenantId": "{organization_id}",
    "confirm": "{organization_id}",
    "space": "{slug}",
    "integration": "{publisher}/{integration_slug}",
    "integrationKey": "{publisher}.{integration_slug}",
    "secretRef": "patchbay://{source_id}",
    "connectionId": "{connection_id}",
}
"""Other names of the same things."""
_ID = re.compile(r"[a-z]{3}_[0-9A-Z]{26}")
_NUMBERS = count(1)
# `oauth_slug` is that of an integration that has an OAuth application.
NEVER_MADE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
NOBODYS = "a-test-of-nobody"
"""The progress of a test that was never made."""


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    operation: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.operation["operationId"]
        return name

    @property
    def parameters(self) -> list[str]:
        return [p["name"] for p in self.operation.get("parameters", []) if p["in"] == "path"]

    @property
    def query(self) -> list[str]:
        return [p["name"] for p in self.operation.get("parameters", []) if p["in"] == "query"]

    @property
    def required(self) -> list[str]:
        """The required query parameters."""
        parameters = self.operation.get("parameters", [])
        return [p["name"] for p in parameters if p["in"] == "query" and p.get("required")]

    @property
    def has_body(self) -> bool:
        """One of our own: what goes to a provider is not described."""
        return "application/json" in self.operation.get("requestBody", {}).get("content", {})

    @property
    def names_anything(self) -> bool:
        return bool(self.parameters or self.required or self.has_body)

    @property
    def is_of_operators(self) -> bool:
        return "`platform.admin`" in self.operation["description"]

    @property
    def is_of_sessions(self) -> bool:
        """Whether it is for the tokens of install sessions alone."""
        return "installToken" in self.operation["security"][0]

    @property
    def is_of_callers(self) -> bool:
        """Whether it is about the caller, whatever the caller may do."""
        return {"browserSession": []} in self.operation["security"]

    @property
    def status(self) -> int:
        """The status of its success."""
        return next(int(status) for status in self.operation["responses"] if status < "300")

    @property
    def gives(self) -> tuple[str, str] | None:
        """The path parameter that others take from the answer of a create, and the member of it."""
        links = self.operation["responses"].get("201", {}).get("links", {})
        for link in links.values():
            for name, source in link["parameters"].items():
                if source.startswith("$response.body#/"):
                    return name, source.removeprefix("$response.body#/")
        return None


def _routes() -> Iterator[Route]:
    for path, methods in _DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if operation.get("security"):
                yield Route(method.upper(), path, operation)


ROUTES = list(_routes())
"""All routes that need a permission."""


@dataclass(frozen=True, slots=True)
class Names:
    """What requests name: path and query parameters, and members of bodies."""

    names: Mapping[str, str]

    @classmethod
    def of(cls, names: Mapping[str, str]) -> "Names":
        """With the aliases of these names."""
        aliases = {
            alias: form.format(**names)
            for alias, form in _ALIASES.items()
            if names.keys() >= set(_named_in(form))
        }
        return cls({**names, **aliases})

    def and_(self, names: Mapping[str, str]) -> "Names":
        return Names.of({**self.names, **names})

    def path(self, route: Route) -> str:
        """The route's path, with its required query parameters."""
        # `test_id` is another for each kind of subject.
        [*_, tested] = re.findall(r"/(source|destination|connection)s/", f"/sources/{route.path}")
        names = {
            "path": "me",
            "progress": NOBODYS,
            **self.names,
            "test_id": self.names.get(f"{tested}_test_id", ""),
        }
        if "publisher" in route.parameters:
            names["slug"] = names["integration_slug"]
        unknown = {*route.parameters, *route.required} - set(names)
        assert not unknown, f"no create of the document gives {unknown} of {route.path}"
        query = "&".join(f"{name}={names[name]}" for name in route.required)
        return route.path.format(**names) + (f"?{query}" if query else "")

    def body(self, route: Route) -> dict[str, Any] | None:
        """The document's example with these names; None for a route without a body."""
        if not route.has_body:
            return None
        content = route.operation["requestBody"]["content"]["application/json"]
        names = self
        if route.name == "create_oauth_application" and "oauth_slug" in self.names:
            names = self.and_({"integration_slug": self.names["oauth_slug"]})
        body: dict[str, Any] = names._filled(content["example"], content["schema"])
        return body

    def fresh_body(self, route: Route) -> dict[str, Any] | None:
        """As `body`, with a slug that is not taken."""
        body = self.body(route)
        if body and "slug" in body:
            body["slug"] += f"-{next(_NUMBERS)}"
        return body

    def _filled(self, value: Any, schema: dict[str, Any]) -> Any:
        if isinstance(value, list):
            items = {} if not (of := _variants(schema, value)) else of[0].get("items", {})
            return [self._filled(one, items) for one in value]
        if not isinstance(value, dict):
            return value
        filled = dict(value)
        for variant in _variants(schema, value):
            for name, inner in variant.get("properties", {}).items():
                if name in self.names and name not in _NEW:
                    filled[name] = self.names[name]
                elif name in filled:
                    filled[name] = self._filled(filled[name], inner)
        return filled

    def never_made(self) -> "Names":
        """Names of the same form, of things that do not exist."""
        ids = {
            name: f"{text.partition('_')[0]}_{NEVER_MADE}"
            for name, text in self.names.items()
            if _ID.fullmatch(text)
        }
        return Names.of(
            ids
            | {
                "slug": "nowhere",
                "workspaceId": "5e0125fe-4699-4e36-9fcc-54330afd1709",
                "publisher": "nobody",
                "integration_slug": "nothing",
                "oauth_slug": "nothing",
                "version": "1.0.0",
                "number": "7",
                "through": "7",
            }
        )


def names_of(tenant: Tenant, integration: str) -> Names:
    """The names of a tenant, and of an integration by its key, `publisher/slug`."""
    publisher, _, slug = integration.partition("/")
    return Names.of(
        {
            "organization_id": tenant.organization_id,
            "slug": tenant.space_slug,
            "workspaceId": tenant.space_id,
            "publisher": publisher,
            "integration_slug": slug,
            "oauth_slug": "tracker",
            "version": "1.0.0",
        }
    )


def with_what_it_needs(names: Names, route: Route, call: Callable[[Route, Names], Any]) -> Names:
    """Creates whatever the route names and `names` lacks, by the creates of the document.

    `call` makes a request and returns the JSON of its answer.
    """
    body = names.body(route) or {}
    wanted = [
        *route.parameters,
        *(one for name in body for one in _named_in(_ALIASES.get(name, f"{{{name}}}"))),
    ]
    for create in ROUTES:
        if create.gives is None:
            continue
        parameter, member = create.gives
        if parameter in wanted and parameter not in names.names and parameter not in _NEW:
            names = with_what_it_needs(names, create, call)
            names = names.and_({parameter: str(call(create, names)[member])})
            if parameter == "integration_id" and "version" in route.parameters:
                [publish] = [one for one in ROUTES if one.name == "publish_integration"]
                names = names.and_({"version": call(publish, names)["version"]})
    return names


def _named_in(form: str) -> list[str]:
    return re.findall(r"{(\w+)}", form)


def _variants(schema: dict[str, Any], value: Any) -> list[dict[str, Any]]:
    """The schemas that this value may have, with references resolved."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _variants(_DOCUMENT["components"]["schemas"][name], value)
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices is None:
        kind = schema.get("properties", {}).get("kind", {}).get("const")
        of_this_kind = kind is None or not isinstance(value, dict) or value.get("kind") == kind
        is_this_type = schema.get("type") == ("array" if isinstance(value, list) else "object")
        return [schema] if of_this_kind and is_this_type else []
    return [variant for choice in choices for variant in _variants(choice, value)]
