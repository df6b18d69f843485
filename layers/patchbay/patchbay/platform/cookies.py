"""Cookies of browsers: those that a request has, and those that an answer sets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

HOST_PREFIX: Final = "__Host-"
"""A browser takes such a cookie only from the host itself, over TLS or on loopback, and sends it to
no other host. Neither a neighboring subdomain nor plain http can set it
(https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis, section 4.1.3.2)."""


SESSION_COOKIE: Final = f"{HOST_PREFIX}patchbay_session"
"""The session of a browser that is signed in to the dashboard."""


@dataclass(frozen=True, slots=True)
class HostCookie:
    """A cookie that scripts can't read, and that comes along when another site leads the browser
    here (`SameSite=Lax`), but not when another site sends a form or loads a picture.

    `name` begins with `HOST_PREFIX`; name and value are of URL-safe characters. `max_age_seconds`
    of 0 deletes the cookie.
    """

    name: str
    value: str = field(repr=False)
    max_age_seconds: int

    def __str__(self) -> str:
        return (
            f"{self.name}={self.value}; Path=/; Max-Age={self.max_age_seconds}; "
            "Secure; HttpOnly; SameSite=Lax"
        )


def cookies_of(event: Mapping[str, Any]) -> dict[str, str]:
    """The cookies of a request to API Gateway (payload 2.0), by name.

    A name that comes twice has its first value. The gateway has taken the header apart; the local
    emulator leaves it as it came.
    """
    header: str = (event.get("headers") or {}).get("cookie", "")
    given: Iterable[str] = event.get("cookies") or header.split(";")
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.strip().partition("=")
        if equals:
            found.setdefault(name, value)
    return found
