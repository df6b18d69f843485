"""The OpenAPI document, a page that shows it, and every path that no route has."""

from typing import Any

from patchbay.platform.api_reference import document, page, unrouted
from patchbay.platform.http import HttpApi
from patchbay.platform.lambda_entry import entry_point

api = HttpApi("Documentation")


@api.get("/openapi.json", permission=None)
def get_openapi_document() -> dict[str, Any]:
    """Read the whole API as one OpenAPI 3.1 document."""
    return document()  # type: ignore[return-value]  # of Powertools, with headers of its own


@api.get("/docs", permission=None, media_type="text/html")
def get_docs() -> str:
    """Show the API reference and the guides as a page."""
    return page()  # type: ignore[return-value]  # of Powertools, with headers of its own


api.otherwise(unrouted)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event, context)
