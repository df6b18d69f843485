"""Public status pages, and their badges: open to everybody who has the address of one.

It is a function of its own, because strangers call it: it can write to no table.
"""

from typing import Any

from patchbay.deployment import Deployment
from patchbay.platform.clock import utc_now
from patchbay.platform.http import JSON_TYPE, HttpApi
from patchbay.platform.lambda_entry import entry_point
from patchbay.platform.responses import Response
from patchbay.status_pages.model import BadgeQuery, StatusReport

deployment = Deployment(at_start=("status_page_reader",))
api = HttpApi("Status pages", lambda: deployment)

PUBLIC = {
    "Cache-Control": "public, max-age=60",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


@api.get("/v1/status/<token>", permission=None, failures=(404, 429))
def get_status_page(token: str) -> Response[StatusReport]:
    """Read a status page: how a space is doing, and how it did on each of the last 90 days."""
    report = deployment.status_page_reader.report(token, utc_now())
    return Response(200, JSON_TYPE, report.model_dump_json(), PUBLIC, compressed=True)


@api.get(
    "/status/<token>/badges/<badge>",
    permission=None,
    media_type="image/svg+xml",
    failures=(404, 429),
)
def get_status_badge(token: str, badge: str, query: BadgeQuery) -> Response[str]:
    """Read a badge of a status page: `uptime.svg`, `health.svg`, or `response.svg`."""
    from patchbay.status_pages.badges import badge_of

    report = deployment.status_page_reader.report(token, utc_now())
    named = query.named == "true"
    svg = badge_of(report, badge, int(query.days), named=named).svg()
    headers = {
        **PUBLIC,
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        # Pages that isolate themselves may show it, too.
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return Response(200, "image/svg+xml; charset=utf-8", svg, headers)


@entry_point
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return api.resolve(event)
