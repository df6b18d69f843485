"""The OpenAPI document, the page that shows it, and what no other route takes."""

from typing import Any

from patchbay.platform.api_reference import document, methods_of, page
from patchbay.platform.errors import MethodNotAllowed, NotFound
from patchbay.platform.http import HttpApi
from patchbay.platform.lambda_entry import entry_point

api = HttpApi("Documentation")


@api.get("/openapi.json", permission=None)
def openapi() -> Any:
    """The whole API in one OpenAPI 3.1 document."""
    return document()


@api.get("/docs", permission=None)
def docs() -> Any:
    """The API reference, for people."""
    return page()


@api.otherwise
def unknown(path: str) -> None:
    """404, or 405 where the path exists and takes other methods."""
    if allowed := methods_of(path):
        raise MethodNotAllowed(allowed)
    raise NotFound


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
