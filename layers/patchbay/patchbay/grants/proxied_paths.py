"""The URL of a proxied request: always on the host of the base URL, and below its path. Pure.

A caller chooses a path and a query. Servers differ in how often they decode a path, in what they
take for a slash, and in which characters they take for others. So a path is refused if in any
reading of it a segment is `.` or `..`, and everything else is passed on as it is.
"""

import re
from typing import Final
from unicodedata import normalize
from urllib.parse import quote, unquote_to_bytes, urljoin

from patchbay.egress.failures import EgressBlocked
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.errors import InvalidInput

MAX_TARGET: Final = 8192
"""Characters of the path and the query that are sent."""

MAX_LAYERS: Final = 5
"""How often a path may be encoded. Nobody means more."""

_ESCAPE: Final = re.compile(r"(%[0-9A-Fa-f]{2})")
_IN_PATH: Final = "!$&'()*+,;=:@/~"
_IN_QUERY: Final = _IN_PATH + "?[]"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOTS: Final = frozenset({".", ".."})
_CUT_OFF: Final = re.compile(r"[;?#]")
_SLASHES: Final = re.compile(r"[/\\]")
_OF_IIS: Final = re.compile(r"%u[0-9a-f]{4}", re.IGNORECASE)
"""No escape of URLs (RFC 3986, section 2.1), but one that old servers decode."""
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"


def target_of(base: HttpUrl, path: str, query: str, at: str = "/path/path") -> HttpUrl:
    """The URL below `base` that a caller means; `at` points at what has the path.

    Raises `InvalidInput`.
    """
    problem = path_problem(path)
    if problem:
        raise InvalidInput.at(at, problem)
    try:
        sent = f"{base.path.rstrip('/')}/{_escaped(path, _IN_PATH)}"
        if query:
            sent += f"?{_escaped(query, _IN_QUERY)}"
    except UnicodeEncodeError:
        raise InvalidInput.at(at, "is not valid Unicode text") from None
    if len(sent) > MAX_TARGET:
        raise InvalidInput.at(
            at, f"is too long: with the query it may have {MAX_TARGET} characters"
        )
    try:
        return base.at(sent, longest=MAX_TARGET + len(base.address))
    except EgressBlocked:
        raise InvalidInput.at(at, "has characters or parts that are not allowed") from None


def path_problem(path: str) -> str | None:
    """Why a path might lead out of its base, in some reading of it; None if it can't."""
    for _ in range(MAX_LAYERS):
        if problem := _problem_of_reading(path):
            return problem
        try:
            decoded = unquote_to_bytes(path).decode()
        except UnicodeError:
            return "is not valid UTF-8 once it is decoded"
        if decoded == path:
            return None
        path = decoded
    return "is encoded too often"


def location_within(base: HttpUrl, target: HttpUrl, location: str) -> str | None:
    """What follows the base in the URL that an answer's `Location` leads to: a path below the base
    and a query. None if it leads elsewhere."""
    try:
        url = parse_url(urljoin(target.url, location.partition("#")[0]))
    except (EgressBlocked, ValueError):
        return None
    start = base.path.rstrip("/") + "/"
    if url.origin != base.origin or not url.path.startswith(start):
        return None
    path, mark, query = url.path.removeprefix(start).partition("?")
    return None if not path or path_problem(path) else path + mark + query


def _problem_of_reading(path: str) -> str | None:
    if _CONTROL.search(path) or _REPLACED in path:
        return "has control characters, or is not valid UTF-8"
    if "\\" in path or _OF_IIS.search(path):
        return "has a backslash, or an escape that is none of URLs"
    if path.startswith("/"):
        return "begins with a slash of its own"
    if any(_is_dots(segment) for segment in _SLASHES.split(normalize("NFKC", path))):
        return "may not lead to another path with dots (./ or ../)"
    return None


def _is_dots(segment: str) -> bool:
    """Also with what servers cut off before they look at it, parameters (`..;x`), or, once it is
    decoded, a query or a fragment (`..?x`), and in spaces."""
    return _CUT_OFF.split(segment, maxsplit=1)[0].strip() in _DOTS


def _escaped(text: str, safe: str) -> str:
    """Percent-encodes what a URL can't have. What is encoded already stays as it is."""
    parts = _ESCAPE.split(text)
    return "".join(
        part if index % 2 else quote(part, safe=safe) for index, part in enumerate(parts)
    )
