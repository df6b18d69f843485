"""What an account's owner does at an authorization server, without a browser: reads the page, ticks
scopes, allows or denies."""

from collections.abc import Collection
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from local.authorization_server import AuthorizationServer, Request

BASE: Final = "https://127.0.0.1:8099"


class ConsentForm(HTMLParser):
    """The form of a page: where it goes, its hidden fields, and its ticked boxes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.hidden: list[tuple[str, str]] = []
        self.ticked: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "form":
            self.action = found.get("action") or ""
        if tag == "input":
            field = (found.get("name") or "", found.get("value") or "")
            if found.get("type") == "hidden":
                self.hidden.append(field)
            elif "checked" in found:
                self.ticked.append(field)

    def sent(self, decision: str, without: Collection[str] = ()) -> bytes:
        """The body of the form, with this button and without these boxes."""
        boxes = [box for box in self.ticked if box[1] not in without]
        return urlencode([*self.hidden, *boxes, ("decision", decision)]).encode()


def consented(
    server: AuthorizationServer,
    authorization_url: str,
    decision: str = "allow",
    without: Collection[str] = (),
) -> dict[str, str]:
    """What the callback gets after this decision."""
    url = urlsplit(authorization_url)
    page = server.answer(Request("GET", url.path, dict(parse_qsl(url.query)), base=BASE))
    assert page is not None
    if page.status == 200:
        form = ConsentForm(page.body.decode())
        page = server.answer(
            Request("POST", form.action, body=form.sent(decision, without), base=BASE)
        )
    assert page is not None
    assert page.status == 303, page.body
    return dict(parse_qsl(urlsplit(page.headers["Location"]).query))
