"""The pages of web/: wizard, dashboard, and status page, and the files that they load."""

from functools import cache
from typing import Any
from urllib.parse import parse_qs

from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.http import HttpApi, RawReply, RawRequest
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.public_url import FRAME_PARAMETER
from patchbay.platform.web_files import DASHBOARD, STATUS_PAGE, WIZARD, WebFiles, WebPage

deployment = Deployment()
api = HttpApi("Web")


@api.page("/assets/<file+>", media_type="application/octet-stream")
def get_asset(request: RawRequest) -> RawReply:
    """Read a file that a page loads: scripts, styles, and pictures."""
    return _files().asset(request)


@api.page("/embed.js", media_type="text/javascript")
def get_embed_script(request: RawRequest) -> RawReply:
    """Read the script that shows the wizard in a frame of another site."""
    return _files().embed_script(request)


@api.page("/app")
def show_dashboard(request: RawRequest) -> RawReply:
    """Show the dashboard."""
    return _page(DASHBOARD, request)


@api.page("/app/<page+>")
def show_dashboard_page(request: RawRequest) -> RawReply:
    """Show a page of the dashboard, which finds it by the path."""
    return _page(DASHBOARD, request)


@api.page("/install/<publisher>/<slug>")
def show_wizard(publisher: str, slug: str, request: RawRequest) -> RawReply:
    """Show the wizard, by which an end user connects an integration, or repairs a connection."""
    handles = parse_qs(request.query).get(FRAME_PARAMETER, []) if request.query else []
    # No address has it twice
    origins = deployment.framing.origins(handles[0], utc_now()) if len(handles) == 1 else []
    return _page(WIZARD, request, origins)


@api.page("/status/<token>")
def show_status_page(token: str, request: RawRequest) -> RawReply:
    """Show the public status page of a space, which looks for it by the token."""
    return _page(STATUS_PAGE, request)


def _page(page: WebPage, request: RawRequest, frame_ancestors: list[str] | None = None) -> RawReply:
    return _files().page(
        page, request, meta=deployment.brand_meta, frame_ancestors=frame_ancestors or ()
    )


@cache
def _files() -> WebFiles:
    return WebFiles()


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
