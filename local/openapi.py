"""Writes what follows from the route declarations: the OpenAPI document and the template's routes.

    python -m local.openapi            write both
    python -m local.openapi --check    exit 1 if one of them is out of date

Each `HttpApi` declares its routes once. For the document they become typed signatures on a resolver
of Powertools', whose OpenAPI merge makes one document of all functions.
"""

import importlib
import inspect
import json
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.merge import OpenAPIMerge
from aws_lambda_powertools.event_handler.openapi.models import (
    APIKey,
    APIKeyIn,
    Contact,
    HTTPBearer,
    License,
    SecurityScheme,
)
from aws_lambda_powertools.event_handler.openapi.params import Body, Header, Path, Query
from pydantic import BaseModel, Field, StringConstraints

from local.openapi_failures import share_failures
from local.openapi_schemas import describe_answers, drop_unused, tidy
from local.openapi_words import Wordless, explain
from local.template_routes import TEMPLATE, template
from local.written_files import settle
from patchbay.platform.clock import UtcTime
from patchbay.platform.cookies import SESSION_COOKIE
from patchbay.platform.http import JSON_TYPE, HttpApi, RouteDeclaration
from patchbay.platform.idempotency import KEY_PATTERN
from patchbay.platform.model import Model
from patchbay.tenancy.access import ANY_PRINCIPAL, ANYONE, INSTALL_SESSION

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENT = ROOT / "layers/patchbay/patchbay/platform/openapi.json"
BYTES = "application/octet-stream"
SPACE = r"/spaces/\{(slug)\}"


class ErrorItem(BaseModel):
    """One thing that is wrong, with a JSON Pointer (RFC 6901) to it."""

    pointer: str
    message: str


class ErrorDetails(BaseModel):
    """What a program needs to know of the error; other members depend on its code."""

    model_config = {"extra": "allow"}

    errors: list[ErrorItem] | None = None


class ErrorBody(BaseModel):
    code: str = Field(examples=["CONNECTOR_INVALID_CONFIG"])
    message: str
    type: Literal["client_error", "server_error"]
    status: int
    details: ErrorDetails
    trace_id: str
    timestamp: UtcTime


class ErrorEnvelope(BaseModel):
    """Every failure of every route."""

    success: Literal[False]
    error: ErrorBody


def apis() -> dict[str, HttpApi]:
    """The routes of every function that has any, by the names of their modules."""
    names = sorted(path.stem for path in (ROOT / "functions").glob("*.py"))
    found = {name: getattr(importlib.import_module(name), "api", None) for name in names}
    return {name: api for name, api in found.items() if isinstance(api, HttpApi)}


def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of all functions, as plain JSON values."""
    merge = OpenAPIMerge(
        title="Patchbay",
        version=_version(),
        description="Integration control plane: registry, connections, tests, events and health.",
        license_info=License(name="MIT", identifier="MIT"),
        contact=Contact(name="The operator of this deployment"),
        security_schemes={
            "apiKey": HTTPBearer(bearerFormat="pb_<prefix>_<secret>"),
            "installToken": HTTPBearer(bearerFormat="pbi_<secret>"),
            "browserSession": _browser_session(),
        },
    )
    for api in apis().values():
        merge.add_schema(_schema_of(api))
    made: dict[str, Any] = json.loads(merge.get_openapi_json_schema())
    made["paths"] = dict(sorted(made["paths"].items()))
    made["servers"] = [{"url": "/", "description": "This deployment"}]
    _link(made["paths"])
    tidy(made)
    describe_answers(made, _always_sent())
    share_failures(made)
    drop_unused(made)
    explain(made, _bodies())
    return made


def _bodies() -> dict[str, Any]:
    """The example of each body, by the name of its model."""
    routes = [declared for api in apis().values() for declared in api.routes]
    return {
        declared.body.__name__: example_of(declared.body) for declared in routes if declared.body
    }


def _always_sent() -> dict[str, list[str]]:
    """The fields of each model that no answer leaves out, by the names that they have there."""
    models = {Model}
    while more := {kind for model in models for kind in model.__subclasses__()} - models:
        models |= more
    return {
        model.__name__: [
            field.serialization_alias or field.alias or name
            for name, field in model.model_fields.items()
            if field.exclude_if is None
        ]
        for model in models
    }


def _link(paths: dict[str, Any]) -> None:
    """Says of each answer to a create which routes go on from there, and with what.

    They are those under a path that is the create's and one parameter more. Spaces are made under
    their organization, and addressed by their slug alone.
    """
    for path, methods in paths.items():
        created = methods.get("post", {}).get("responses", {}).get("201")
        under = SPACE if path.endswith("/spaces") else re.escape(path) + r"/\{(\w+)\}"
        for target, others in paths.items() if created else ():
            found = re.match(under + "(?:/|$)", target)
            if found is None:
                continue
            known = {name: f"$request.path.{name}" for name in re.findall(r"\{(\w+)\}", path)}
            made = "number" if found[1] == "number" else "slug" if found[1] == "slug" else "id"
            known[found[1]] = f"$response.body#/{made}"
            wanted = set(re.findall(r"\{(\w+)\}", target))
            for operation in others.values() if wanted <= set(known) else ():
                link = {"operationId": operation["operationId"]}
                link["parameters"] = {name: known[name] for name in sorted(wanted)}
                created.setdefault("links", {})[operation["operationId"]] = link


def _schema_of(api: HttpApi) -> dict[str, Any]:
    resolver = APIGatewayHttpResolver(enable_validation=True)
    for declared in api.routes:
        resolver.route(
            _documented_path(declared).replace("{", "<").replace("}", ">"),
            declared.method,
            summary=(declared.handler.__doc__ or "").splitlines()[0].rstrip("."),
            tags=[declared.tag],
            operation_id=declared.name,
            responses=_responses(declared),
            security=_security(declared),
        )(_stub(declared))
    schemes: dict[str, SecurityScheme] = {
        "apiKey": HTTPBearer(),
        "installToken": HTTPBearer(),
        "browserSession": _browser_session(),
    }
    schema = resolver.get_openapi_schema(security_schemes=schemes)
    paths: dict[str, Any] = json.loads(schema.model_dump_json(by_alias=True, exclude_none=True))
    for declared in api.routes:
        operation = paths["paths"][_documented_path(declared)][declared.method.lower()]
        operation["responses"].pop("422", None) if 422 not in _failures(declared) else None
        for parameter in operation.get("parameters", []):
            _say_bounds(parameter["schema"])
        if declared.body:
            content = operation["requestBody"]["content"][JSON_TYPE]
            content["example"] = example_of(declared.body)
        operation["description"] = _who_may(declared)
        if declared.path.startswith("/integrations/connection/"):
            operation["x-policy"] = {
                "auth": "admin",
                "policies": [{"key": str(declared.permission), "version": "1.0.0"}],
            }
        if declared.path.endswith("+}"):
            operation["x-rest-of-path"] = declared.path_parameters[-1]
        if declared.is_raw and declared.permission:
            _describe_proxied(operation, declared.method)
        elif declared.is_raw:
            _describe_page(operation, declared.method)
        if declared.in_space:
            operation["description"] += " Keys of one space may call it."
        # Powertools leaves out an empty list, which says that the operation needs no key.
        operation.setdefault("security", [])
    return paths


def _documented_path(declared: RouteDeclaration) -> str:
    """The document has no sign for a parameter that is the rest of a path."""
    return declared.path.replace("+}", "}")


def _describe_page(operation: dict[str, Any], method: str) -> None:
    """A browser asks for it again with the ETag that it has."""
    operation["responses"]["304"] = {"description": "It is what If-None-Match names"}
    if method == "HEAD":
        operation["responses"]["200"].pop("content")


def _describe_proxied(operation: dict[str, Any], method: str) -> None:
    """What passes a proxy is what the other side says it is. To generators, which don't know
    `*/*`, that is bytes."""
    anything = {BYTES: {"schema": {"type": "string", "format": "binary"}}}
    if method not in ("GET", "HEAD"):
        example = {"example": '{"title": "Login fails"}'}
        operation["requestBody"] = {
            "description": "The body for the provider, as it is.",
            "required": False,
            "content": {BYTES: {**anything[BYTES], **example}},
        }
    names = ("Patchbay-Role", "Patchbay-Path")
    operation["parameters"] += [
        {"name": name, "in": "header", "required": False, "schema": {"type": "string"}}
        for name in names
    ]
    said = {
        "Patchbay-Proxied": "`true`: this is an answer of the provider, whatever its status.",
        "Patchbay-Location": "Where a redirect of the provider leads, if not below its base URL.",
    }
    operation["responses"]["200"] = {
        "description": "What the provider answered: its status, its headers, and its body",
        "headers": {
            name: {"description": text, "schema": {"type": "string"}} for name, text in said.items()
        },
        **({} if method == "HEAD" else {"content": anything}),
    }


def _security(declared: RouteDeclaration) -> list[dict[str, list[str]]]:
    if declared.permission in (None, ANYONE):
        return []
    if declared.permission == ANY_PRINCIPAL:
        return [{"apiKey": []}, {"browserSession": []}]
    return [{"installToken" if declared.permission == INSTALL_SESSION else "apiKey": []}]


def _browser_session() -> APIKey:
    meaning = (
        "The session of a browser that is signed in. On pages of this deployment it takes the "
        "place of a key on every operation that takes one."
    )
    return APIKey(name=SESSION_COOKIE, description=meaning, **{"in": APIKeyIn.cookie})


def _who_may(declared: RouteDeclaration) -> str:
    if declared.permission in (None, ANYONE):
        return "Open to everybody."
    if declared.permission == ANY_PRINCIPAL:
        return "For every caller with a session, a key, or a token."
    if declared.permission == INSTALL_SESSION:
        return "For the token of an install session alone."
    return f"Permission: `{declared.permission}`."


def example_of(body: type[BaseModel]) -> dict[str, Any]:
    """What a first call might send: each model of a body has its own `EXAMPLE`."""
    example: dict[str, Any] = vars(body)["EXAMPLE"]
    return example


def _say_bounds(schema: dict[str, Any]) -> None:
    """Powertools prints the bounds of a query parameter under pydantic's names."""
    for ours, theirs in (("ge", "minimum"), ("le", "maximum")):
        if ours in schema:
            schema[theirs] = schema.pop(ours)


def _failures(declared: RouteDeclaration) -> dict[int, str]:
    # What a route does not know in the query string or the body is refused on every one.
    failures = {400: "The request is invalid"}
    failures |= {500: "A fault of ours", 503: "Try again in a moment"}
    if declared.permission:
        failures |= {401: "No valid key", 403: "The key lacks the permission"}
        failures[429] = "Too many requests: see Retry-After"
    if declared.path_parameters or declared.body:
        failures[404] = "No such thing, or another tenant's"
    if "stamp" in declared.takes:
        failures[409] = "It conflicts with the current state"
    if declared.body:
        failures |= {409: "It conflicts with the current state", 413: "The body is too large"}
        failures[415] = "The body is not JSON in UTF-8 by its headers, or is compressed"
    if "if_match" in declared.takes:
        failures |= {
            409: "It conflicts with the current state",
            412: "It has changed since you read it",
        }
    return failures | dict.fromkeys(declared.failures, "See the error's code")


def _responses(declared: RouteDeclaration) -> dict[int, Any]:
    failures = {
        status: {
            "description": meaning,
            "content": {"application/json": {"model": ErrorEnvelope}},
        }
        for status, meaning in sorted(_failures(declared).items())
    }
    if declared.status == 204:
        return {204: {"description": "Done"}, **failures}
    answers = {declared.status: declared.returns, **declared.answers()}
    if declared.is_raw:
        answers = {declared.status: str}
    successes = {
        status: {"description": "Success", "content": {declared.media_type: {"model": model}}}
        for status, model in sorted(answers.items())
    }
    return {**successes, **failures}


def _stub(declared: RouteDeclaration) -> Callable[..., None]:
    """A function that has nothing but the signature which Powertools reads."""

    def stub() -> None: ...

    parameters = [_parameter(name, Annotated[str, Path()]) for name in declared.path_parameters]
    if declared.query:
        parameters += [
            _parameter(
                field.alias or name,
                Annotated[field.annotation, *field.metadata, Query(description=field.description)],
                field.default,
            )
            for name, field in declared.query.model_fields.items()
        ]
    if declared.body:
        parameters.append(_parameter("body", Annotated[declared.body, Body()]))
    if "stamp" in declared.takes:
        meaning = "The same request sent again within 24 hours gets the first answer again."
        text = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
        header = Annotated[text | None, Header(alias="Idempotency-Key", description=meaning)]
        parameters.append(_parameter("idempotency_key", header, None))
    if "if_match" in declared.takes:
        parameters.append(
            _parameter("if_match", Annotated[str | None, Header(alias="If-Match")], None)
        )
    stub.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect looks for
    stub.__name__ = declared.name
    return stub


def _parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> Any:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )


def _version() -> str:
    import tomllib

    version: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return version


def main() -> int:
    try:
        made = document()
    except Wordless as error:
        print(error, file=sys.stderr)
        return 1
    wanted = {
        DOCUMENT: json.dumps(made, indent=1, ensure_ascii=False) + "\n",
        TEMPLATE: template(apis()),
    }
    return settle(wanted, "make openapi", check="--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
