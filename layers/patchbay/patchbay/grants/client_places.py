"""Where a release sends the secret of its OAuth client, and who decides that. Pure.

A client secret may belong to somebody else than the one who fills in the variables: to the owner of
the integration, or to colleagues of an end user. So it goes only to a host that its owner or the
author has chosen:

- a host, or the domain that ends it, as the author wrote it: `{{variables.shop}}.example.com`;
- a host of a variable that the author has limited: by `enum`, by `const`, by a `pattern` that ends
  with a domain (`^[a-z]+\\.example\\.com$`), or by the `hosts` that `capture` allows. Under a
  pattern the host itself must be below the domain, which the path of a URL can end with too;
- any other host, if the application names the value of its variable (`variables`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from patchbay.checks.templates import (
    BaseTemplate,
    OriginTemplate,
    Parts,
    Placeholder,
    UrlTemplate,
    ValueRefused,
)
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.public_suffixes import is_below_own_domain, is_own_domain
from patchbay.egress.url import parse_host, parse_url
from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer
from patchbay.registry.recipes import recipe_of

if TYPE_CHECKING:
    from patchbay.checks.captures import Capture
    from patchbay.registry.model import Release

_SECOND_LEVELS: Final = frozenset(
    {"ac", "co", "com", "edu", "go", "gob", "gov", "mil", "ne", "net", "nom", "or", "org", "sch"}
)
"""What stands before the code of a country where anybody may register a name: for ends of hosts in
which a value may be a label."""
_DOMAIN_AT_THE_END: Final = re.compile(
    r"\^[^|\n]*?(?<!\\)\\\.(?P<domain>[a-z0-9-]+(?:\\\.[a-z0-9-]+)+)\$"
)
"""A pattern that is one alternative, and ends with a domain whose dots are escaped."""


@dataclass(frozen=True, slots=True)
class ClientPlaces:
    """The origins that a release sends a client secret to, as the author wrote them.

    `open_variables` let the one who fills them in choose a host. `domains` are those that patterns
    end with, by the variable of a host. `captures` are the variables of hosts that a flow captures,
    by name. `defaults` are those of the schema.
    """

    origins: tuple[str, ...]
    open_variables: tuple[str, ...]
    domains: Mapping[str, str]
    captures: "Mapping[str, Capture]"
    defaults: Mapping[str, object]

    def problems(
        self, variables: Mapping[str, object], named: Mapping[str, object]
    ) -> Iterator[Problem]:
        """Why the secret must not be sent where these variables lead. `named` are the values that
        the application names."""
        given = {**self.defaults, **variables}
        for name in self.open_variables:
            at = f"/variables{pointer([name])}"
            if name not in named:
                yield Problem(
                    at,
                    "decides which host the client secret is sent to, so the OAuth application has "
                    "to name its value",
                )
            elif given.get(name) != named[name]:
                yield Problem(at, "is not the value that the OAuth application is for")
        for name, value in given.items():
            capture, domain = self.captures.get(name), self.domains.get(name)
            if value not in (None, "") and not (
                (capture is None or _allows(capture, value))
                and (domain is None or _is_below(domain, value))
            ):
                at = f"/variables{pointer([name])}"
                yield Problem(at, "is not one of the hosts that the integration allows")


def client_places(release: "Release") -> ClientPlaces:
    """Those of a release that has OAuth; of another one, nowhere."""
    recipe = recipe_of(release)
    authorization, renewal = recipe.authorization, recipe.renewal
    revocation = recipe.oauth.revocation
    urls: list[UrlTemplate] = []
    captures: dict[str, Capture] = {}
    defaults: Mapping[str, object] = {}
    if authorization:
        urls.append(authorization.request.url)
        found = (*authorization.callback_captures, *authorization.token_captures)
        captures = {one.variable: one for one in found if one.form != "text"}
        defaults = authorization.defaults
    if renewal:
        urls.append(renewal.request.url)
    if revocation:
        urls.append(revocation.url)
    rules = _rules(release.variables_schema)
    limited = frozenset(name for name, rule in rules.items() if _is_limited(rule))
    limited |= captures.keys()
    deciding = {p.name for url in urls for p in url.start.placeholders()}
    return ClientPlaces(
        tuple(dict.fromkeys(_text(url) for url in urls)),
        tuple(dict.fromkeys(name for url in urls for name in _open(url, limited))),
        {
            name: domain
            for name, rule in rules.items()
            if name in deciding and not _is_listed(rule) and (domain := _domain(rule))
        },
        {name: capture for name, capture in captures.items() if name in deciding},
        defaults,
    )


def _allows(capture: "Capture", value: object) -> bool:
    try:
        return capture.value(value) == value
    except ValueRefused:
        return False


def _is_below(domain: str, value: object) -> bool:
    """Whether the host of a value, which is a URL or the rest of a host, is below a domain."""
    if not isinstance(value, str):
        return False
    try:
        host = parse_url(value).host if "://" in value else parse_host(f"x{value}")
    except EgressBlocked:
        return False
    return is_below_own_domain(host, domain)


def _text(url: UrlTemplate) -> str:
    """The origin as the author wrote it."""
    start = url.start
    if isinstance(start, BaseTemplate):
        return _spelled((start.base,))
    port = "" if start.port is None else f":{_spelled((_part(start.port),))}"
    return f"{_spelled((_part(start.scheme),))}://{_spelled(start.host.parts)}{port}".lower()


def _part(part: str | int | Placeholder) -> str | Placeholder:
    return part if isinstance(part, Placeholder) else str(part)


def _spelled(parts: Parts) -> str:
    return "".join(
        part if isinstance(part, str) else f"{{{{{part.source}.{part.name}}}}}" for part in parts
    )


def _open(url: UrlTemplate, limited: frozenset[str]) -> Iterator[str]:
    """The variables that decide an origin, and that neither the author nor a domain limits."""
    start = url.start
    for placeholder in start.placeholders():
        if placeholder.name not in limited and not (
            isinstance(start, OriginTemplate) and _is_below_a_domain(placeholder, start, limited)
        ):
            yield placeholder.name


def _is_below_a_domain(
    placeholder: Placeholder, start: OriginTemplate, limited: frozenset[str]
) -> bool:
    parts = start.host.parts
    if placeholder not in parts or placeholder in (start.scheme, start.port):
        return False
    last = len(parts) - 1 - parts[::-1].index(placeholder)
    if any(isinstance(p, Placeholder) and p.name not in limited for p in parts[last + 1 :]):
        return True  # what stands behind it decides
    tail = "".join(part if isinstance(part, str) else "*" for part in parts[last + 1 :])
    _, dot, domain = tail.partition(".")
    return bool(dot) and _is_domain(domain)


def _is_domain(name: str) -> bool:
    """Whether it is a domain of somebody, and not one that anybody may register a name in. `*` in a
    label stands for values of the author's."""
    labels = name.lower().split(".")
    if len(labels) < 2 or not all(labels):
        return False
    if "*" not in name:
        return is_own_domain(name.lower())
    second, last = labels[-2:]
    is_of_a_country = len(last) == 2 or "*" in last
    is_open = is_of_a_country and (second in _SECOND_LEVELS or "*" in second)
    return len(labels) > 2 or not is_open


def _rules(variables_schema: Mapping[str, Any]) -> Mapping[str, object]:
    properties = variables_schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _is_limited(rule: object) -> bool:
    """Whether the author has limited the values of a variable to hosts of their choice."""
    return _is_listed(rule) or _domain(rule) is not None


def _is_listed(rule: object) -> bool:
    return isinstance(rule, Mapping) and (
        isinstance(rule.get("enum"), list) or isinstance(rule.get("const"), str)
    )


def _domain(rule: object) -> str | None:
    """The domain that the pattern of a variable ends with, if it does."""
    pattern = rule.get("pattern") if isinstance(rule, Mapping) else None
    match = _DOMAIN_AT_THE_END.fullmatch(pattern) if isinstance(pattern, str) else None
    domain = match["domain"].replace("\\.", ".") if match else ""
    return domain if _is_domain(domain) else None
