"""The OpenAPI document, the page that shows it, the guides, and every path that no route has."""

from typing import Any

from patchbay.platform import api_reference
from patchbay.platform.http import HttpApi
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.responses import Response

api = HttpApi("Documentation")


@api.get("/openapi.json", permission=None)
def get_openapi_document() -> Response[dict[str, Any]]:
    """Read the whole API as one OpenAPI 3.1 document."""
    return api_reference.document()


@api.get("/docs", permission=None, media_type="text/html")
def get_docs() -> Response[str]:
    """Show the API reference and the guides as a page."""
    return api_reference.page()


@api.get("/docs/guides/<guide>", permission=None, media_type="text/markdown", failures=(404,))
def get_guide(guide: str) -> Response[str]:
    """Read a guide, as Markdown."""
    return api_reference.guide(guide)


api.otherwise(api_reference.unrouted)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
