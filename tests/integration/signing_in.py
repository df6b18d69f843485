"""A browser that is signed in to the dashboard, as far as tests of the API need one."""

import json
from dataclasses import dataclass
from typing import Any

from patchbay.platform.cookies import SESSION_COOKIE
from tests.integration.api import Answer, Client

SESSIONS = "/v1/browser-sessions"
CURRENT = f"{SESSIONS}/current"
PUBLIC_URL = "https://go.acme.com"
"""Of the deployment that tests are about."""


@dataclass
class Page:
    """A page of ours in a browser, which keeps the cookie of the session."""

    cookie: str = ""

    def call(self, method: str, target: str, body: Any = None, **headers: str) -> Answer:
        """As a browser sends it; `headers` replace what the browser says by itself, and leave it
        out if they are empty."""
        said = {"sec_fetch_site": "same-origin", "host": "go.acme.com", **headers}
        if self.cookie:
            said["cookie"] = f"theme=dark; {SESSION_COOKIE}={self.cookie}"
        said = {name: value for name, value in said.items() if value}
        text = None if body is None else json.dumps(body)
        answer = Client(None).call(method, target, text, said)
        self._take(answer)
        return answer

    def get(self, target: str, **headers: str) -> Answer:
        return self.call("GET", target, None, **headers)

    def post(self, target: str, body: Any, **headers: str) -> Answer:
        return self.call("POST", target, body, **headers)

    def delete(self, target: str, **headers: str) -> Answer:
        return self.call("DELETE", target, None, **headers)

    def sign_in(self, **given: Any) -> Answer:
        return self.post(SESSIONS, given)

    @property
    def client(self) -> Client:
        """The same browser, for tests that call what others call with a key."""
        return Client(None, f"{SESSION_COOKIE}={self.cookie}")

    def _take(self, answer: Answer) -> None:
        for text in answer.cookies:
            pair, *attributes = text.split("; ")
            name, _, value = pair.partition("=")
            if name == SESSION_COOKIE:
                assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
                self.cookie = "" if "Max-Age=0" in attributes else value


def signed_in(key: str | None) -> Page:
    """A page that is signed in with a key."""
    page = Page()
    answer = page.sign_in(api_key=key)
    assert answer.status == 201, answer.text
    return page
