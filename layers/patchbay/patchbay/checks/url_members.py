"""The URLs of `authConfig`, of `manifest.baseUrl`, and of a step that asks for a token. Pure."""

from typing import Final

from patchbay.checks.templates import (
    BaseTemplate,
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
    UrlTemplate,
    ValueRefused,
    Values,
)

_CLIENT_ID: Final = Placeholder("secrets", "client_id")


def read_url(text: object, declared: Declarations) -> UrlTemplate:
    """An https URL with placeholders. Raises TemplateError."""
    if not isinstance(text, str):
        raise TemplateError("must be a string, here or in authConfig")
    template = UrlTemplate.parse(text, declared)
    if template.scheme not in ("https", None):
        raise TemplateError("must be an https URL")
    return template


def read_open_url(text: object, declared: Declarations) -> UrlTemplate:
    """One that a browser shows, so that it has no secret but the client's id. Raises
    TemplateError."""
    template = read_url(text, declared)
    secrets = (p for p in template.path_placeholders() if p.source == "secrets")
    if any(secret != _CLIENT_ID for secret in secrets):
        raise TemplateError("may not have a secret: a browser shows it")
    return template


def read_base_url(text: object, declared: Declarations) -> UrlTemplate:
    """The beginning of the URLs of an API. Raises TemplateError."""
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    template = UrlTemplate.parse(text, declared)
    if template.query:
        raise TemplateError("may not have a query")
    return template


def url_place(url: UrlTemplate, values: Values) -> str:
    """Where a URL leads, with its variables filled in and its secrets by their names. A place that
    can't be dialed is one of its own."""
    try:
        is_base = isinstance(url.start, BaseTemplate)
        start = url.start.fill(values) if is_base else url.place(values)
    except ValueRefused as refused:
        return f"none: {refused.problem.pointer}"
    path = "".join(f"/{_named(segment, values)}" for segment in url.path)
    query = "&".join(name + _named(value, values) for name, value in url.query)
    return f"{start}{path}" + (f"?{query}" if query else "")


def _named(parts: Parts, values: Values) -> str:
    return "".join(_text(part, values) if isinstance(part, Placeholder) else part for part in parts)


def _text(placeholder: Placeholder, values: Values) -> str:
    if placeholder.source == "secrets" or not values.has(placeholder):
        return f"{{{{{placeholder.source}.{placeholder.name}}}}}"
    return str(values.variables[placeholder.name])
