"""A browser without a screen: pages, cookies, redirects, and forms over HTTP."""

import ssl
from collections.abc import Collection, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import (
    HTTPCookieProcessor,
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from tests.unit.local.consenting import Form


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    """One person's browser, which trusts the authority of a local cloud.

    As real browsers do, it counts loopback as secure: cookies with `Secure` go there over http too
    (https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy).
    """

    def __init__(self, authority: Path) -> None:
        self.cookies = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "http")))
        self._opener = build_opener(
            ProxyHandler({}),
            HTTPSHandler(context=ssl.create_default_context(cafile=str(authority))),
            HTTPCookieProcessor(self.cookies),
            _NoRedirects(),
        )
        self.url = ""
        self.page = ""
        self.status = 0
        self.headers: dict[str, str] = {}
        self.visited: list[str] = []

    def open(
        self,
        url: str,
        body: bytes | None = None,
        until: str | None = None,
        bearer: str | None = None,
        media_type: str = "application/x-www-form-urlencoded",
        origin: str | None = None,
    ) -> None:
        """Loads a page and follows redirects; not to an address that begins with `until`, which is
        `url` then. `bearer` is a token that a script would add, `media_type` what the body is,
        and `origin` that of its page."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if body is not None:
            headers["Content-Type"] = media_type
        if origin:
            headers["Origin"] = origin
        for _ in range(20):
            self.url = urljoin(self.url, url)
            self.visited.append(self.url)
            if until and self.url.startswith(until):
                return
            answer: Any
            try:
                answer = self._opener.open(Request(self.url, body, headers), timeout=35)  # noqa: S310 - http
            except HTTPError as error:
                answer = error
            with answer:
                self.page, self.status = answer.read().decode(), answer.status
                self.headers = {name.lower(): value for name, value in answer.headers.items()}
            if self.status not in (301, 302, 303):
                return
            url, body = self.headers["location"], None
            headers = {}
        raise AssertionError(f"redirects have no end: {self.visited}")

    def submit(
        self,
        typed: Mapping[str, str],
        without: Collection[str] = (),
        until: str | None = None,
    ) -> None:
        """Sends the page's form: see `Form.filled`."""
        form = Form(self.page)
        self.open(form.action or self.url, form.filled(typed, without), until)
