"""The API reference that ships with the code: the OpenAPI document, the guides, and a page that
shows both."""

import base64
import hashlib
import itertools
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from patchbay.platform.errors import MethodNotAllowed, NotFound
from patchbay.platform.http import JSON_TYPE
from patchbay.platform.responses import Response
from patchbay.platform.strict_json import compact, loads

DOCUMENT: Final = files("patchbay.platform") / "openapi.json"
"""Made from the route declarations by `make openapi`; `make test` checks that it is current."""

GUIDES: Final = files("patchbay.platform") / "guides"
"""The pages of docs/: a link in the source, which the build of the layer follows."""

_PAGE: Final = files("patchbay.platform") / "reference"
_HEADING: Final = re.compile("^#+ (.+)$", re.MULTILINE)
_CACHED: Final = "public, max-age=300"


def document() -> Response[dict[str, Any]]:
    """The document as it was built, byte for byte."""
    return Response(200, JSON_TYPE, _document_text(), {"Cache-Control": _CACHED}, compressed=True)


def page() -> Response[str]:
    """A page that shows the document and the guides. Nothing is loaded from elsewhere."""
    html, script = _page_text()
    headers = {
        "Cache-Control": _CACHED,
        "Content-Security-Policy": (
            "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
            f"style-src 'unsafe-inline'; script-src {_hash(script)}; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
    }
    return Response(200, "text/html; charset=utf-8", html, headers, compressed=True)


def guide(name: str) -> Response[str]:
    """A guide as Markdown. Raises `NotFound`."""
    if name not in _guide_names():
        raise NotFound("guide")
    text = (GUIDES / f"{name}.md").read_text()
    headers = {
        "Cache-Control": _CACHED,
        "X-Content-Type-Options": "nosniff",
    }
    return Response(200, "text/markdown; charset=utf-8", text, headers, compressed=True)


def unrouted(method: str, path: str) -> Response[None]:
    """The answer for what no route takes: OPTIONS, and the way from `/` to the reference.

    Raises `NotFound`, or `MethodNotAllowed` if the path has other methods.
    """
    allowed = methods_of(path)
    if not allowed:
        raise NotFound(hint=_hint(path))
    if method == "OPTIONS":
        return Response(204, headers={"Allow": ", ".join([*allowed, "OPTIONS"])})
    if path == "/" and method in allowed:
        return Response(307, headers={"Location": "/docs"})
    raise MethodNotAllowed(allowed)


def _hint(path: str) -> str:
    """What to change about a path that nearly is one."""
    if methods_of(path.rstrip("/")):
        return ": leave out the slash at the end"
    if methods_of(f"/v1{path}"):
        return ": the path begins with /v1"
    if path.startswith("/v1/") and methods_of(path.removeprefix("/v1")):
        return ": the path does not begin with /v1"
    if methods_of(f"{path.removesuffix('/v1')}/v1.0.0"):
        return ": the path ends with the version of the operation, /v1.0.0"
    return ""


def methods_of(path: str) -> list[str]:
    """The methods that a path has; none if there is no such path."""
    found = [methods for pattern, methods in _paths() if pattern.fullmatch(path)]
    return sorted(itertools.chain.from_iterable(found))


@cache
def _document_text() -> str:
    return DOCUMENT.read_text()


@cache
def _page_text() -> tuple[str, str]:
    """The page, and the script in it."""
    script = (_PAGE / "page.js").read_text()
    parts = {
        "{style}": (_PAGE / "page.css").read_text(),
        # No text of a guide may end the element that it is in.
        "{guides}": compact(_index()).decode().replace("<", "\\u003c"),
        "{script}": script,
    }
    html = (_PAGE / "page.html").read_text()
    for mark, text in parts.items():
        html = html.replace(mark, text)
    return html, script


def _index() -> list[dict[str, str]]:
    """The guides by title, with what the search looks at: their headings."""
    index = []
    for name in _guide_names():
        headings = _HEADING.findall((GUIDES / f"{name}.md").read_text())
        index.append({"name": name, "title": headings[0], "text": " ".join(headings).lower()})
    return sorted(index, key=lambda guide: guide["title"])


@cache
def _guide_names() -> frozenset[str]:
    names = [entry.name for entry in GUIDES.iterdir()]
    return frozenset(name.removesuffix(".md") for name in names if name.endswith(".md"))


@cache
def _paths() -> list[tuple[re.Pattern[str], list[str]]]:
    paths: dict[str, Any] = loads(_document_text().encode())["paths"]
    documented = [
        (
            re.compile(_pattern(template, operations)),
            [m for name, operation in operations.items() for m in _methods(name, operation)],
        )
        for template, operations in paths.items()
    ]
    return [(re.compile("/"), ["GET", "HEAD"]), *documented]


def _pattern(template: str, operations: Mapping[str, Any]) -> str:
    """A parameter is one segment, or the rest of the path where an operation says so."""
    pattern = re.sub(r"\\\{[^}]*\}", "[^/]+", re.escape(template))
    if any("x-rest-of-path" in operation for operation in operations.values()):
        return pattern.removesuffix("[^/]+") + "(?s:.+)"
    return pattern


def _methods(name: str, operation: Mapping[str, Any]) -> list[str]:
    """What an operation of the document takes: HEAD like GET where this function has the route, for
    the gateway has none for HEAD."""
    is_ours = name == "get" and "Documentation" in operation.get("tags", ())
    return ["GET", "HEAD"] if is_ours else [name.upper()]


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
