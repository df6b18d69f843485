"""The API reference that ships with the code: the OpenAPI document and a page that shows it."""

import base64
import hashlib
import itertools
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from patchbay.platform.errors import MethodNotAllowed, NotFound
from patchbay.platform.http import JSON_TYPE
from patchbay.platform.strict_json import loads

DOCUMENT: Final = files("patchbay.platform") / "openapi.json"
"""Made from the route declarations by `make openapi`; `make test` checks that it is current."""

_SWAGGER_UI: Final = files("aws_lambda_powertools") / "event_handler" / "openapi" / "swagger_ui"
_START: Final = "SwaggerUIBundle({url: '/openapi.json', dom_id: '#ui', deepLinking: true});"


def document() -> Response[str]:
    """The document as it was built, byte for byte."""
    return Response(
        200, JSON_TYPE, _document_text(), {"Cache-Control": "public, max-age=300"}, compress=True
    )


def page() -> Response[str]:
    """Swagger UI (it comes with Powertools) on our document. Nothing is loaded from elsewhere."""
    script = (_SWAGGER_UI / "swagger-ui-bundle.min.js").read_text()
    style = (_SWAGGER_UI / "swagger-ui.min.css").read_text()
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Patchbay API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{style}</style></head><body><div id="ui"></div>'
        f"<script>{script}</script><script>{_START}</script></body></html>"
    )
    headers: dict[str, str | list[str]] = {
        "Cache-Control": "public, max-age=300",
        "Content-Security-Policy": (
            "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
            f"style-src 'unsafe-inline'; script-src {_hash(script)} {_hash(_START)}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(200, "text/html; charset=utf-8", html, headers, compress=True)


def unrouted(method: str, path: str) -> Response[str]:
    """The answer for what no route takes: OPTIONS, and the way from `/` to the reference.

    Raises `NotFound`, or `MethodNotAllowed` if the path has other methods.
    """
    allowed = methods_of(path)
    if not allowed:
        raise NotFound(
            hint=": leave out the slash at the end" if methods_of(path.rstrip("/")) else ""
        )
    if method == "OPTIONS":
        return Response(204, body="", headers={"Allow": ", ".join([*allowed, "OPTIONS"])})
    if path == "/" and method in allowed:
        return Response(307, body="", headers={"Location": "/docs"})
    raise MethodNotAllowed(allowed)


def methods_of(path: str) -> list[str]:
    """The methods that a path has; none if there is no such path."""
    found = [methods for pattern, methods in _paths() if pattern.fullmatch(path)]
    return sorted(itertools.chain.from_iterable(found))


@cache
def _document_text() -> str:
    return DOCUMENT.read_text()


@cache
def _paths() -> list[tuple[re.Pattern[str], list[str]]]:
    paths: dict[str, Any] = loads(_document_text().encode())["paths"]
    documented = [
        (
            re.compile(re.sub(r"\\\{[^}]*\}", "[^/]+", re.escape(template))),
            [m for name, operation in operations.items() for m in _methods(name, operation)],
        )
        for template, operations in paths.items()
    ]
    return [(re.compile("/"), ["GET", "HEAD"]), *documented]


def _methods(name: str, operation: Mapping[str, Any]) -> list[str]:
    """What an operation of the document takes: HEAD like GET where it is open to everybody."""
    return ["GET", "HEAD"] if name == "get" and not operation.get("security") else [name.upper()]


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
