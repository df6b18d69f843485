"""Where an HTTP request goes after a redirect, if it may (RFC 9110 §15.4, RFC 3986 §5).

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
_KEEP_METHOD: Final = frozenset({307, 308})
"""After the others a POST goes on as a GET, as browsers and curl do it."""
MAX_REDIRECTS: Final = 5
_REFERENCE: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?(?://(?P<authority>[^/?#]*))?"
    r"(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?",
    re.DOTALL,
)
"""RFC 3986, appendix B."""
_UNSAFE: Final = re.compile(r"[^!-~]")
_UNSAFE_IN_PATH: Final = re.compile(r'["<>\[\]^`{|}]')
_UNSAFE_IN_QUERY: Final = re.compile(r'["<>^`{|}]')
"""Characters that RFC 3986 does not allow and that clients send encoded or as they are. A backslash
is not one of them: to browsers it is a slash, which may begin another host."""


def after_redirect(request: HttpRequest, status: int, location: str) -> HttpRequest:
    """The request that follows a redirect with this `Location`.

    Raises EgressBlocked: `parse` or `scheme` of the new URL, or `redirect` when it may not be
    followed.
    """
    target = parse_url(resolve(request.target, location))
    if request.target.scheme == "https" and target.scheme == "http":
        raise EgressBlocked("redirect", "A redirect from https to http is not followed.")
    is_same_origin = target.origin == request.target.origin
    if request.method not in {"GET", "HEAD"} and status in _KEEP_METHOD:
        if is_same_origin:
            return replace(request, target=target)
        raise EgressBlocked("redirect", "A body is not sent to another origin.")
    method = "HEAD" if request.method == "HEAD" else "GET"
    if is_same_origin:
        # Nothing of a body is left, nor what describes it.
        headers = request.headers
        if request.body:
            headers = tuple(one for one in headers if one[0].lower() != "content-type")
        return replace(request, method=method, target=target, headers=headers, body=b"")
    return HttpRequest(method, target, cookies=request.cookies)


def resolve(base: HttpUrl, location: str) -> str:
    """The absolute URL that `location`, a URI reference, means beside `base` (RFC 3986 §5.2).

    Its fragment is for browsers, and dropped. Spaces, characters beyond ASCII, and such as `|` are
    encoded, as browsers do. A header that is there twice with the same value counts once. The
    result is not judged here: it is parsed like any other URL.
    """
    first, _, rest = location.partition(", ")
    if rest and all(other == first for other in rest.split(", ")):
        location = first
    reference = _REFERENCE.fullmatch(_encoded(location.strip()))
    if reference is None:
        return location
    scheme, authority = reference["scheme"], reference["authority"]
    path = _UNSAFE_IN_PATH.sub(lambda match: _percent(match[0]), reference["path"])
    query = _UNSAFE_IN_QUERY.sub(lambda match: _percent(match[0]), reference["query"] or "")
    if scheme is not None:
        if authority is None:
            return location
        return f"{scheme}://{authority}{_without_dots(path)}{query}"
    if authority is not None:
        return f"{base.scheme}://{authority}{_without_dots(path)}{query}"
    base_path, mark, base_query = base.path.partition("?")
    if not path:
        path, query = base_path, query or mark + base_query
    elif path.startswith("/"):
        path = _without_dots(path)
    else:
        path = _without_dots(base_path[: base_path.rindex("/") + 1] + path)
    return f"{base.scheme}://{base.authority}{path}{query}"


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def _encoded(text: str) -> str:
    """Bytes of a header arrive as Latin-1, one character each."""
    return _UNSAFE.sub(lambda match: _percent(match[0]), text)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("latin-1", "replace"))
