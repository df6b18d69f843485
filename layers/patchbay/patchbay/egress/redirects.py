"""Where an HTTP request goes after a redirect, if it may.

Every hop is parsed and vetted like the first. A hop to another origin carries nothing of the
step's headers, so no credential crosses an origin. A hop from https to http is refused.
"""

import re
from dataclasses import replace
from typing import Final

from patchbay.egress.failures import EgressBlocked
from patchbay.egress.request import HttpRequest
from patchbay.egress.url import HttpUrl, parse_url

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS: Final = 5
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def after_redirect(request: HttpRequest, status: int, location: str) -> HttpRequest:
    """The request that follows a redirect with this `Location`.

    Raises EgressBlocked: `parse` or `scheme` of the new URL, or `redirect` when it may not be
    followed.
    """
    target = parse_url(_resolve(request.target, location))
    if request.method not in {"GET", "HEAD"} and status != 303:
        raise EgressBlocked("redirect", "Only GET and HEAD requests are redirected.")
    if request.target.scheme == "https" and target.scheme == "http":
        raise EgressBlocked("redirect", "A redirect from https to http is not followed.")
    method = "HEAD" if request.method == "HEAD" else "GET"
    if target.origin == request.target.origin:
        return replace(request, method=method, target=target, body=b"")
    return HttpRequest(method, target)


def _resolve(base: HttpUrl, location: str) -> str:
    """An absolute URL, from forms that clients resolve alike: absolute, `//host`, `/path`."""
    if _ABSOLUTE.match(location):
        return location
    if location.startswith("//"):
        return f"{base.scheme}:{location}"
    if location.startswith("/"):
        return f"{base.scheme}://{base.authority}{location}"
    raise EgressBlocked("redirect", "The redirect has no absolute URL or path.")
