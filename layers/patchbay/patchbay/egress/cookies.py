"""The cookies of one test (RFC 6265), for sites that log in by one. Pure.

A cookie goes only to the origin that set it, whatever its `Domain` says: scheme, host, and port. So
no session crosses an origin, and no public suffix has to be known.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from patchbay.egress.headers import is_header_name, value_problem
from patchbay.egress.url import HttpUrl

MAX_COOKIES: Final = 20
"""Kept in one test; more are ignored."""

MAX_COOKIE: Final = 4096
"""Characters of a name and its value (RFC 6265 §6.1)."""

MIN_SECRET: Final = 8
"""Characters of a value that is kept secret. A session id has at least 64 random bits
(https://cheatsheetseries.owasp.org/cheatsheets/Session_Management_Cheat_Sheet.html), 11 characters
of Base64. A shorter value is `true`, `en-US`, or a number, which ordinary texts have too."""

# Repeated headers are joined by commas, and a date has one too.
_NEXT: Final = re.compile(r",[ \t]*(?=[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}=)")
_AGE: Final = re.compile(r"(-[0-9]+|0+)|[0-9]+")
"""Seconds. The first group has those that have ended the cookie."""


class CookieJar:
    """What servers have set in one test."""

    def __init__(self) -> None:
        self._cookies: dict[tuple[tuple[str, str, int], str, str], str] = {}

    def keep(self, url: HttpUrl, headers: str, now: datetime) -> None:
        """Keeps the cookies of an answer from `url`. `headers` are its `Set-Cookie` headers, joined
        by commas; `now` is aware. A cookie that is not valid is ignored."""
        for header in _NEXT.split(headers):
            pair, _, attributes = header.partition(";")
            name, _, value = pair.partition("=")
            name, value = name.strip(), value.strip().strip('"')
            if not is_header_name(name) or len(name) + len(value) > MAX_COOKIE:
                continue
            if value and value_problem(value):
                continue
            given = dict(_attributes(attributes))
            path = given.get("path", "")
            key = (url.origin, path if path.startswith("/") else _default_path(url.path), name)
            if _has_ended(given, now):
                self._cookies.pop(key, None)
            elif key in self._cookies or len(self._cookies) < MAX_COOKIES:
                self._cookies[key] = value

    def header(self, url: HttpUrl) -> str | None:
        """The value of the `Cookie` header for a request to `url`, None if there is none."""
        path = url.path.partition("?")[0]
        found = [
            (cookie_path, f"{name}={value}")
            for (origin, cookie_path, name), value in self._cookies.items()
            if origin == url.origin and _is_below(path, cookie_path)
        ]
        # RFC 6265 §5.4: those of longer paths first.
        found.sort(key=lambda cookie: -len(cookie[0]))
        return "; ".join(pair for _, pair in found) or None

    def value(self, name: str) -> str | None:
        """The value of the cookie of this name that was set last, None if there is none."""
        found = [v for (_, _, known), v in self._cookies.items() if known == name]
        return found[-1] if found else None

    def secret_values(self) -> tuple[str, ...]:
        """The values that may be as good as a password."""
        return tuple(value for value in self._cookies.values() if len(value) >= MIN_SECRET)


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    for attribute in text.split(";")[:20]:
        name, _, value = attribute.partition("=")
        yield name.strip().lower(), value.strip()


def _has_ended(attributes: dict[str, str], now: datetime) -> bool:
    if age := _AGE.fullmatch(attributes.get("max-age", "")):
        return age[1] is not None
    try:
        expires = parsedate_to_datetime(attributes.get("expires", ""))
    except (ValueError, OverflowError):
        return False
    if expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return expires <= now


def _default_path(path: str) -> str:
    """RFC 6265 §5.1.4."""
    return path.partition("?")[0].rpartition("/")[0] or "/"


def _is_below(path: str, cookie_path: str) -> bool:
    return path == cookie_path or (
        path.startswith(cookie_path)
        and (cookie_path.endswith("/") or path[len(cookie_path) :].startswith("/"))
    )
