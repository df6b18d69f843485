"""The pages and what they load, as browsers get them: headers, caching, and policies of content.

    /assets/<name of the tree>/<path>   a file of web/; it never changes
    a page                              its index.html, asked for again each time
    /embed.js                           the script for the pages of others, at one address for good

Every answer is packed ahead (`web_tree`) and has an ETag. Pages have a policy that lets them load
this origin's files and nothing else, and make no markup of strings (Trusted Types).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from patchbay.platform.errors import NotFound
from patchbay.platform.http import RawReply, RawRequest
from patchbay.platform.web_tree import WebTree, pack

FOLDER: Final = Path(__file__).with_name("web")
"""web/ of the checkout: a link in the source, which the build of the layer follows and packs."""

ASSETS: Final = "/assets"
EMBED_SCRIPT: Final = "embed/embed.js"

_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_ASKED_EACH_TIME: Final = "no-cache"
_FIVE_MINUTES: Final = "public, max-age=300"

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors "
)
"""Pictures of other origins are icons of integrations and the operator's logo."""
_NOTHING: Final = "default-src 'none'; sandbox"
"""For a file that someone opens by itself: a picture may have scripts."""
_FEATURES: Final = ", ".join(
    f"{name}=()"
    for name in (
        *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope"),
        *("magnetometer", "microphone", "midi", "payment", "usb"),
    )
)
_MARK: Final = "{assets}"
_END_OF_HEAD: Final = "</head>"
_ETAG: Final = re.compile(r'(?:W/)?"[^"]*"|\*')


class WebPage(NamedTuple):
    """A page: the folder of its index.html, and what sets it apart."""

    folder: str
    referrer_policy: str = "no-referrer"
    is_isolated: bool = True
    """Whether no window of another origin may hold on to it (Cross-Origin-Opener-Policy)."""


DASHBOARD: Final = WebPage("app", referrer_policy="same-origin")
WIZARD: Final = WebPage("install", is_isolated=False)
"""A popup, which tells its opener how it went."""
STATUS_PAGE: Final = WebPage("status")


class WebFiles:
    """What is served of a folder. Every method raises `NotFound` for what is not there."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._tree = WebTree(folder)
        self.prefix: Final = f"{ASSETS}/{self._tree.name}"

    def asset(self, request: RawRequest) -> RawReply:
        """A file by `<name of the tree>/<path>`; one of another tree is not here any more."""
        name, _, path = request.rest.partition("/")
        if name != self._tree.name or path.endswith(".html"):
            raise NotFound("file")
        headers = {
            "Cache-Control": _FOR_GOOD,
            "Content-Security-Policy": _NOTHING,
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return self._file(path, request, headers)

    def embed_script(self, request: RawRequest) -> RawReply:
        """The script that pages of other origins load."""
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": _FIVE_MINUTES,
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return self._file(EMBED_SCRIPT, request, headers)

    def page(
        self,
        page: WebPage,
        request: RawRequest,
        *,
        meta: Mapping[str, str] | None = None,
        frame_ancestors: Iterable[str] = (),
    ) -> RawReply:
        """A page with the addresses of its files. `meta` becomes elements of its head, by name;
        `frame_ancestors` are the origins that may show it in a frame."""
        html = self._html(page, meta or {})
        policy = _POLICY + (" ".join(frame_ancestors) or "'none'")
        headers = {
            "Cache-Control": _ASKED_EACH_TIME,
            "Content-Security-Policy": policy,
            "Permissions-Policy": _FEATURES,
            "Referrer-Policy": page.referrer_policy,
            "X-Robots-Tag": "noindex",
        }
        if page.is_isolated:
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
        # A page that may be framed elsewhere is another page, though its text is the same.
        tag = _tag(html + policy.encode())
        return _answer(request, headers, "text/html; charset=utf-8", tag, html, pack(html))

    def _html(self, page: WebPage, meta: Mapping[str, str]) -> bytes:
        try:
            text = self._tree.plain(f"{page.folder}/index.html").decode()
        except KeyError:
            raise NotFound("page") from None
        elements = "".join(
            f'<meta name="{escape(name)}" content="{escape(content)}">\n'
            for name, content in meta.items()
        )
        text = text.replace(_MARK, self.prefix)
        return text.replace(_END_OF_HEAD, elements + _END_OF_HEAD, 1).encode()

    def _file(self, path: str, request: RawRequest, headers: Mapping[str, str]) -> RawReply:
        try:
            file = self._tree.file(path)
        except KeyError:
            raise NotFound("file") from None
        plain = None if _takes_gzip(request.headers) else file.plain
        return _answer(request, headers, file.media_type, _tag(file.packed), plain, file.packed)


def _answer(
    request: RawRequest,
    headers: Mapping[str, str],
    media_type: str,
    tag: str,
    plain: bytes | None,
    packed: bytes,
) -> RawReply:
    """`plain` is needed only for who takes no gzip. The tag is weak: it is that of both."""
    sent = {**headers, "ETag": tag, "Vary": "Accept-Encoding", "X-Content-Type-Options": "nosniff"}
    if _is_known(request.headers.get("if-none-match", ""), tag):
        return RawReply(304, sent, b"")
    sent["Content-Type"] = media_type
    if plain is not None and not _takes_gzip(request.headers):
        return RawReply(200, sent, plain)
    return RawReply(200, {**sent, "Content-Encoding": "gzip"}, packed)


def _tag(content: bytes) -> str:
    return f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'


def _is_known(if_none_match: str, tag: str) -> bool:
    """Whether the client has it already (RFC 9110, section 13.1.2): weak tags are compared."""
    known = _ETAG.findall(if_none_match)
    return "*" in known or tag.removeprefix("W/") in [one.removeprefix("W/") for one in known]


def _takes_gzip(headers: Mapping[str, str]) -> bool:
    """Whether Accept-Encoding has gzip, and does not refuse it (RFC 9110, section 12.5.3)."""
    weights = {}
    for part in headers.get("accept-encoding", "").lower().split(","):
        coding, _, parameter = part.partition(";")
        weights[coding.strip()] = parameter.replace(" ", "")
    said = [weights[name] for name in ("gzip", "x-gzip", "*") if name in weights]
    return bool(said) and re.fullmatch(r"q=0(?:\.0{0,3})?", said[0]) is None
