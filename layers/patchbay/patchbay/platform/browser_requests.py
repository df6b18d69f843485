"""Where the request of a browser comes from: what a session needs beside its cookie.

A browser sends our cookie along with some requests that pages of other sites ask it for. It says so
itself, in headers that no page can set: Sec-Fetch-Site
(https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header), and Origin
(https://fetch.spec.whatwg.org/#origin-header), which older ones send, too, with what changes
something.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from patchbay.platform.cookies import SESSION_COOKIE, cookies_of

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN: Final = "same-origin"
_BY_THE_PERSON: Final = "none"
"""An address that was typed or bookmarked."""
_LOOPBACK: Final = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class BrowserRequest:
    """What a request says of its browser. `site` and `origin` are None where it says nothing.

    `host` is the Host header, which a page can't choose. `session` is the text of the cookie.
    """

    method: str
    site: str | None
    origin: str | None
    host: str
    session: str = field(default="", repr=False)

    def may_use_session(self, public_url: str) -> bool:
        """Whether it may act by a cookie: no page of another site has asked for it.

        What reads needs no proof, because no other page can read the answer; it only must not be
        known to come from another site.
        """
        if self.method not in _SAFE:
            return self.is_of_own_page(public_url)
        if self.site is not None:
            return self.site in (_OWN, _BY_THE_PERSON)
        return self.origin is None or self._is_own(self.origin, public_url)

    def is_of_own_page(self, public_url: str) -> bool:
        """Whether the browser says that a page of ours asked for it; `public_url` is where pages
        are, empty for the host of the request."""
        if self.site is not None:
            return self.site == _OWN
        return self.origin is not None and self._is_own(self.origin, public_url)

    def _is_own(self, origin: str, public_url: str) -> bool:
        host = self.host.lower()
        own = {public_url, f"https://{host}"} if host else {public_url}
        if _LOOPBACK.fullmatch(host):
            own.add(f"http://{host}")
        return bool(origin) and origin in own


def browser_of(event: Mapping[str, Any]) -> BrowserRequest:
    """Of an event of API Gateway (payload 2.0), or of its authorizer."""
    headers: Mapping[str, str] = event.get("headers") or {}
    return BrowserRequest(
        method=event["requestContext"]["http"]["method"],
        site=headers.get("sec-fetch-site"),
        origin=headers.get("origin"),
        host=headers.get("host", ""),
        session=cookies_of(event).get(SESSION_COOKIE, ""),
    )


def browser_request(event: Mapping[str, Any]) -> BrowserRequest | None:
    """The same, if it has a session; None otherwise."""
    return browser_of(event) if cookies_of(event).get(SESSION_COOKIE) else None
