"""The OpenAPI document, a page that shows it, and every path that no route has."""

from typing import Any

from patchbay.platform.api_reference import document, page, unrouted
from patchbay.platform.http import HttpApi
from patchbay.platform.lambda_entry import entry_point

api = HttpApi("Documentation")


@api.get("/openapi.json", permission=None)
def openapi() -> Any:
    """Read the whole API as one OpenAPI 3.1 document."""
    return document()


@api.get("/docs", permission=None)
def docs() -> Any:
    """Show the API reference as a page."""
    return page()


api.otherwise(unrouted)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
