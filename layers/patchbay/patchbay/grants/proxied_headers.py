"""Which headers pass the proxy, in either direction. Pure.

From the caller: what is about the request. Not what belongs to one hop, what says where a request
comes from or goes to, cookies, and the caller's own credential, which is for Patchbay. From the
provider: what is about the answer. Not what belongs to one hop, cookies, and what speaks to a
browser about the origin, which is Patchbay's.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from patchbay.egress.headers import is_header_name, name_problem, value_problem
from patchbay.platform.errors import InvalidInput, Problem
from patchbay.platform.validation import pointer

type Headers = Iterable[tuple[str, str]]

PREFIX: Final = "patchbay-"
"""Of headers that are ours, in both directions."""

_END_TO_END: Final = frozenset({"content-encoding"})
"""Refused where a manifest sets headers; here it says what the caller's body is."""

_MEANT_FOR_US: Final = frozenset(
    {"authorization", "cookie", "cookie2", "origin", "referer", "priority", "early-data"}
)
_MEANT_FOR_US_PREFIXES: Final = (
    PREFIX,
    "x-amzn-",
    "x-amz-cf-",
    "cloudfront-",
    "sec-",
    "access-control-",
)

_OTHER_REQUESTS: Final = frozenset(
    {"x-http-method", "x-http-method-override", "x-method-override", "x-original-method"}
    | {"x-original-url", "x-rewrite-url", "x-http-host-override", "x-original-host"}
)
"""Without them a request would mean another thing, so they are refused and not left out."""

_HOP_BY_HOP: Final = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
        *("content-length", "date", "via", "http2-settings"),
    }
)
_TO_BROWSERS: Final = frozenset(
    {
        *("set-cookie", "set-cookie2", "clear-site-data", "service-worker-allowed", "refresh"),
        *("strict-transport-security", "public-key-pins", "public-key-pins-report-only"),
        *("expect-ct", "alt-svc", "nel", "report-to", "reporting-endpoints", "sourcemap"),
        *("content-security-policy", "content-security-policy-report-only", "x-frame-options"),
        *("x-content-type-options", "permissions-policy", "origin-agent-cluster"),
        *("timing-allow-origin", "cache-control", "expires", "pragma", "age"),
    }
)
_TO_BROWSERS_PREFIXES: Final = (
    PREFIX,
    "proxy-",
    "access-control-",
    "cross-origin-",
    "x-amzn-",
    "x-amz-apigw-",
)

_NOT_PRINTABLE: Final = re.compile(r"[^\t\x20-\x7e]")


def sent_headers(given: Mapping[str, str], credential: Headers) -> tuple[tuple[str, str], ...]:
    """The headers of a request to the provider: the caller's, and the credential's, which replace
    what the caller set.

    Raises `InvalidInput` for a header that can't be sent as it is.
    """
    placed = tuple(credential)
    taken = {_plain(name) for name, _ in placed}
    named = _named_by_connection(given)
    sent = []
    problems = []
    for name, value in given.items():
        plain = _plain(name)
        if plain in _OTHER_REQUESTS:
            problems.append(_problem(name, "would make it another request"))
        elif plain not in taken | named and _passes(plain) and value:
            if message := value_problem(value):
                problems.append(_problem(name, message))
            sent.append((name, value))
    if problems:
        raise InvalidInput(problems)
    return (*sent, *placed)


def returned_headers(answered: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The headers of an answer that the caller gets, without `Location`."""
    named = _named_by_connection(answered)
    for name, value in answered.items():
        plain = _plain(name)
        if not is_header_name(name) or plain in named | _HOP_BY_HOP | _TO_BROWSERS:
            continue
        if plain == "location" or plain.startswith(_TO_BROWSERS_PREFIXES):
            continue
        yield name, printable(value)


def printable(value: str) -> str:
    """A value that every server and client reads alike."""
    return _NOT_PRINTABLE.sub("?", value)


def _passes(plain: str) -> bool:
    if plain in _END_TO_END:
        return True
    if plain in _MEANT_FOR_US or plain.startswith(_MEANT_FOR_US_PREFIXES):
        return False
    return name_problem(plain) is None


def _named_by_connection(headers: Mapping[str, str]) -> set[str]:
    """What a `Connection` header declares to be of this hop (RFC 9110, section 7.6.1)."""
    values = [value for name, value in headers.items() if _plain(name) == "connection"]
    return {_plain(name.strip()) for value in values for name in value.split(",")}


def _plain(name: str) -> str:
    """One spelling for what some servers take for the same header."""
    return name.lower().replace("_", "-")


def _problem(name: str, message: str) -> Problem:
    return Problem(f"/headers{pointer([name.title()])}", message)
