"""What an account's owner does at an authorization server, without a browser: reads the page, ticks
scopes, allows or denies."""

import base64
from collections.abc import Collection, Mapping
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from local.authorization_server import AuthorizationServer, Request

BASE: Final = "https://127.0.0.1:8099"


def jwk(key: RSAPublicKey) -> dict[str, str]:
    """A public key in JSON (RFC 7517)."""
    numbers = key.public_numbers()
    modulus = numbers.n.to_bytes(key.key_size // 8)
    return {
        "kty": "RSA",
        "n": base64.urlsafe_b64encode(modulus).rstrip(b"=").decode(),
        "e": "AQAB",  # 65537, as always
    }


class Form(HTMLParser):
    """The first form of a page: where it goes, and what a browser sends with it.

    `fields` are its inputs as they stand, boxes only if they are ticked. `buttons` are left out.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self._forms = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self._forms += tag == "form"
        if self._forms != 1:
            return
        if tag == "form":
            self.action = found.get("action", "")
        if tag == "input" and (found.get("type") != "checkbox" or "checked" in found):
            self.fields.append((found.get("name", ""), found.get("value", "")))

    def filled(self, typed: Mapping[str, str], without: Collection[str] = ()) -> bytes:
        """The body of the form: with these values typed in or of the button that is pressed, and
        without the boxes of these values."""
        kept = [field for field in self.fields if field[1] not in without and field[0] not in typed]
        return urlencode([*kept, *typed.items()]).encode()


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
        form = Form(page.body.decode())
        body = form.filled({"decision": decision}, without)
        page = server.answer(Request("POST", form.action, body=body, base=BASE))
    assert page is not None
    assert page.status == 303, page.body
    return dict(parse_qsl(urlsplit(page.headers["Location"]).query))
