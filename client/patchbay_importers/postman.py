"""From a Postman collection (2.0, 2.1): one definition.

Values of a collection are often real keys, so none is taken over but the address of the API:
`{{name}}` in a URL becomes a variable, the credential of `auth` a secret without a value. People
paste keys into paths, names, and descriptions, too: what looks like one is left out there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from patchbay_importers import safe_reads
from patchbay_importers.credentials import header_key, oauth2, query_key
from patchbay_importers.drafts import Draft, Origin, is_https
from patchbay_importers.imported import Imported
from patchbay_importers.key_shapes import looks_like_key, without_keys
from patchbay_importers.overlay import add_whoami
from patchbay_importers.places import Place
from patchbay_importers.refusals import ImportRefused
from patchbay_importers.url_shapes import shaped_url

MAX_REQUESTS: Final = 20_000
MAX_FOLDERS: Final = 30
_VARIABLE: Final = re.compile(r"\{\{([^{}]+)\}\}")
_OF_SECRETS: Final = re.compile(
    r"key|token|secret|pass|pwd|auth|sig(?:n|$)|credential|\bpin\b|session", re.IGNORECASE
)
"""A name or a text with such a word may stand beside a secret of any shape."""
_PLAIN_HEADERS: Final = frozenset({"accept", "accept-language", "user-agent"})
_VERSION: Final = re.compile(r"(?:[a-z0-9]+-)*version")
_NOT_WRITTEN: Final = "%/?#[]@!$&'()*+,;=:~{}"

_Way = tuple[str, str | None, str | None]
"""A kind of credential; of a key, its name and place, too."""


def imported_from(document: object) -> Imported:
    """The definition of a collection. Raises ImportRefused if the document is none."""
    place = Place(document)
    # That is how Postman's own API answers with one.
    if isinstance(document, dict) and "info" not in document and place / "collection":
        place = place / "collection"
        document = place.value
    if not isinstance(document, dict) or not isinstance(document.get("info"), dict):
        raise ImportRefused("", "must be an object with info and item, as Postman exports it")
    if "item" not in document:
        raise ImportRefused((place / "item").at, "is missing")
    return _Collection(place).imported()


class _Request(NamedTuple):
    """A request whose address is known: `auth` is its own, or that of a folder around it."""

    url: str
    name: str
    place: Place
    auth: Place
    is_get: bool


class _Collection:
    def __init__(self, collection: Place) -> None:
        self._collection = collection
        name = without_keys((collection / "info" / "name").text())
        origin = Origin(f'the Postman collection "{name[:100]}"', "not stated")
        self._draft = Draft(name, name, origin)
        self._query: dict[str, str] = {}
        self._addresses = dict(self._known_addresses())

    def imported(self) -> Imported:
        draft = self._draft
        about = self._collection / "info" / "description"
        content = about.value if isinstance(about.value, str) else (about / "content").value
        if isinstance(content, str) and content:
            if looks_like_key(content) or _OF_SECRETS.search(content):
                draft.notes.append("its description was left out: it may have a key")
            else:
                draft.description = content
        requests = list(self._requests(self._collection, self._collection / "auth"))
        if not requests:
            raise ImportRefused(self._items, "has no request")
        usual = self._usual_credential(requests)
        self._authenticate(usual)
        found = list(self._addressed(requests))
        reads = [one for one in found if one.is_get]
        draft.base_url = self._common([one.url for one in reads or found])
        add_whoami(draft)
        if not draft.steps:
            way = _way(usual)
            self._check([one for one in reads if way is None or _way(one.auth) == way])
        return draft.imported()

    @property
    def _items(self) -> str:
        return (self._collection / "item").at

    def _usual_credential(self, requests: list[tuple[str, Place, Place]]) -> Place:
        """That of most requests, the first of them if as many have another one. A folder, and each
        request, may have its own."""
        kinds: dict[_Way, list[Place]] = {}
        for _, _, auth in requests:
            if way := _way(auth):
                kinds.setdefault(way, []).append(auth)
        if not kinds:
            return Place(None)
        usual = max(kinds.values(), key=len)[0]
        if len(kinds) > 1:
            name = str((usual / "type").value)[:20]
            self._draft.notes.append(
                f"of the {len(kinds)} credentials of its requests {name} was taken"
            )
        return usual

    def _known_addresses(self) -> Iterator[tuple[str, str]]:
        """Variables of the collection that are nothing but an address."""
        for variable in (self._collection / "variable").items():
            name, value = (variable / "key").value, (variable / "value").value
            if isinstance(name, str) and isinstance(value, str) and is_https(value):
                parts = urlsplit(value)
                if not parts.query and not parts.fragment:
                    yield name, value.rstrip("/")

    def _requests(self, root: Place, auth: Place) -> Iterator[tuple[str, Place, Place]]:
        """Name, request, and credential of each, whatever folders it is in, in their order."""
        open_folders = [((root / "item").items(), auth)]
        count = 0
        while open_folders:
            items, inherited = open_folders[-1]
            item = next(items, None)
            if item is None:
                open_folders.pop()
                continue
            count += 1
            if count > MAX_REQUESTS:
                raise ImportRefused(self._items, f"has more than {MAX_REQUESTS} requests")
            own = item / "auth" or inherited
            if (item / "item").value is not None:
                if len(open_folders) > MAX_FOLDERS:
                    raise ImportRefused(item.at, f"is in more than {MAX_FOLDERS} folders")
                open_folders.append(((item / "item").items(), own))
                continue
            request = item / "request"
            name = (item / "name").value
            if isinstance(request.value, (dict, str)):
                chosen = request / "auth" or own
                yield name if isinstance(name, str) else "request", request, chosen

    def _authenticate(self, auth: Place) -> None:
        draft = self._draft
        kind = (auth / "type").text_or_none() or "noauth"
        values = _attributes(auth / kind)
        match kind:
            case "noauth":
                draft.auth = {"type": "none"}
            case "bearer":
                draft.auth = header_key("Authorization", "Bearer")
            case "basic":
                draft.auth = {"type": "basic"}
            case "apikey":
                name = values.get("key") or "X-API-Key"
                name = "X-API-Key" if "{{" in name or looks_like_key(name) else name
                if values.get("in") == "query":
                    self._query = query_key(draft, name)
                else:
                    draft.auth = header_key(name, "")
            case "oauth2":
                self._oauth(values)
            case _:
                draft.needs_code.append(f"it authenticates by {kind[:20]}")

    def _oauth(self, values: dict[str, str]) -> None:
        token_url = self._without_query(self._filled(values.get("accessTokenUrl", "")))
        start = self._without_query(self._filled(values.get("authUrl", "")))
        has_flow = values.get("grant_type", "authorization_code").startswith("authorization_code")
        if not is_https(token_url) or (has_flow and not is_https(start)):
            self._draft.auth = header_key("Authorization", "Bearer")
            what = "where a person agrees" if is_https(token_url) else "for tokens"
            self._draft.notes.append(f"it has no https URL {what}: an access token is pasted")
            return
        scopes = [
            scope
            for scope in _VARIABLE.sub("", values.get("scope", "")).split()
            if not looks_like_key(scope)
        ]
        self._draft.auth = oauth2(token_url, start if has_flow else None, scopes)

    def _without_query(self, url: str) -> str:
        base = url.partition("?")[0].partition("#")[0]
        if base != url:
            self._draft.notes.append("the query of its OAuth URL was left out: it may be a key")
        return base

    def _addressed(self, requests: list[tuple[str, Place, Place]]) -> Iterator[_Request]:
        """Those with an address that can be read."""
        for name, request, auth in requests:
            is_get = str((request / "method").value or "GET").upper() == "GET"
            try:
                yield _Request(self._url(request), name, request, auth, is_get)
            except ImportRefused as refused:
                self._draft.notes.append(f"a request was left out: {refused}")

    def _url(self, request: Place) -> str:
        """The address without its query, with variables of ours."""
        url = request / "url" if isinstance(request.value, dict) else request
        address = self._filled(_raw(url).partition("?")[0].partition("#")[0])
        if not address:
            raise ImportRefused(url.at, "is empty")
        if "{{" in _VARIABLE.sub("", address):
            raise ImportRefused(url.at, "has a variable without an end")
        if "@" in address.partition("://")[2].partition("/")[0]:
            raise ImportRefused(url.at, "has a user name or a password")
        if "://" not in address and not address.startswith("{{"):
            address = f"https://{address}"
        start, found, path = address.partition("://")
        host, slash, path = path.partition("/") if found else (start, "", "")
        segments = "/".join(self._segment(one) for one in path.split("/"))
        text = f"{start}{found}{host}{slash}{segments}" if found else address
        text = _VARIABLE.sub(lambda m: self._variable(m[1].strip()), text).rstrip("/")
        return text.replace("http://", "https://", 1)

    def _segment(self, segment: str) -> str:
        """Postman's own `:id` is a variable, too."""
        if segment.startswith(":") and len(segment) > 1:
            return f"{{{{{segment[1:]}}}}}"
        return quote(segment, safe=_NOT_WRITTEN)

    def _filled(self, text: str) -> str:
        return _VARIABLE.sub(lambda m: self._addresses.get(m[1].strip(), m[0]), text)

    def _variable(self, name: str) -> str:
        return f"{{{{variables.{self._draft.variable(name)}}}}}"

    def _common(self, urls: list[str]) -> str:
        """What most requests begin with: a variable alone, or an origin."""
        starts: dict[str, int] = {}
        for url in urls:
            before, found, after = url.partition("://")
            start = f"{before}://{after.partition('/')[0]}" if found else url.partition("/")[0]
            starts[start] = starts.get(start, 0) + 1
        if len(starts) > 1:
            self._draft.notes.append(f"its requests have {len(starts)} addresses, one was taken")
        # One that can't be a base may be that of most: `{{host}}{{path}}`.
        usual_first = sorted(starts, key=lambda start: (starts[start], start), reverse=True)
        base = next(filter(None, map(self._shaped, usual_first)), None)
        if base is None:
            raise ImportRefused(self._items, "has no request with an absolute URL")
        return base

    def _shaped(self, start: str) -> str | None:
        try:
            return shaped_url(start, self._draft, self._items)
        except ImportRefused:
            return None

    def _check(self, found: list[_Request]) -> None:
        draft = self._draft
        best: tuple[int, str, str, Place] | None = None
        for url, name, request, _, _ in found:
            path = url.removeprefix(str(draft.base_url))
            points = safe_reads.rank(path)
            if points < 0 or path == url or not self._has_credential(request):
                continue
            if looks_like_key(_VARIABLE.sub("", unquote(path))):
                draft.notes.append(f"{request.at} is no check: its path may have a key")
                continue
            points -= 200 * path.count("{{")
            if best is None or (points, -len(url)) > (best[0], -len(best[1])):
                best = points, url, name, request
        needed = [] if best is None else self._headers(best[3])
        self._forget_unused("" if best is None else best[1])
        if best is None or draft.needs_code:
            return
        _, url, name, request = best
        sent: dict[str, Any] = {"method": "GET", "url": url}
        if query := {**self._parameters(request), **self._query}:
            sent["query"] = query
        if needed:
            sent["headers"] = dict(needed)
        auth = {"auth": False} if draft.auth["type"] == "none" else {}
        draft.step(without_keys(name), "http", mandatory=True, request=sent, **auth)
        draft.notes.append("its check was chosen by its path: see that it proves access")

    @staticmethod
    def _has_credential(request: Place) -> bool:
        return bool((request / "auth" / "type").value != "noauth")

    @staticmethod
    def _parameters(request: Place) -> dict[str, str]:
        """Plain numbers and words: anything longer may be a key."""
        url = request / "url"
        if not isinstance(url.value, dict):
            return {}
        kept = {}
        for one in (url / "query").items():
            name, value = (one / "key").value, (one / "value").value
            is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z]{1,12}|[0-9]{1,4}", value)
            if not isinstance(name, str) or not name or (one / "disabled").value:
                continue
            if is_plain and not _OF_SECRETS.search(name):
                kept[name] = str(value)
        return kept

    def _headers(self, request: Place) -> list[tuple[str, str]]:
        """Those that can't be a key; the others are named."""
        kept = []
        headers = request / "header"
        for one in headers.items() if isinstance(headers.value, list) else ():
            name, value = (one / "key").value, (one / "value").value
            if not isinstance(name, str) or not isinstance(value, str) or (one / "disabled").value:
                continue
            is_known = name.lower() in _PLAIN_HEADERS or _VERSION.fullmatch(name.lower())
            is_text = value.isprintable() and value.isascii() and "{{" not in value
            if is_known and is_text and not looks_like_key(value):
                kept.append((name, value[:200]))
            elif name.lower() not in ("authorization", "content-type"):
                self._draft.notes.append(f"its header {name[:60]} was left out: it may be a key")
        return kept

    def _forget_unused(self, url: str) -> None:
        """Variables of requests that are no check are no part of the form."""
        used = f"{self._draft.base_url} {url}"
        kept = {name for name in self._draft.variables if f"{{{{variables.{name}}}}}" in used}
        self._draft.variables = {n: r for n, r in self._draft.variables.items() if n in kept}
        self._draft.required = sorted(kept)


def _attributes(place: Place) -> dict[str, str]:
    """2.1 has a list of attributes, 2.0 an object."""
    if isinstance(place.value, list):
        pairs = [((one / "key").value, (one / "value").value) for one in place.items()]
    else:
        pairs = [(name, one.value) for name, one in place.members()]
    return {k: v for k, v in pairs if isinstance(k, str) and isinstance(v, str)}


def _way(auth: Place) -> _Way | None:
    """How a request sends its credential, whose value does not matter; None if it has none, or
    one that can't be read."""
    kind = (auth / "type").value
    if not isinstance(kind, str) or kind == "noauth":
        return None
    try:
        values = _attributes(auth / kind) if kind == "apikey" else {}
    except ImportRefused:
        return None
    return kind, values.get("key"), values.get("in")


def _raw(url: Place) -> str:
    """An address as text. `raw` may be missing, where its parts are there."""
    if isinstance(url.value, str):
        return url.value
    if (url / "raw").value is not None or not url / "host":
        return (url / "raw").text()
    host, path = url / "host", url / "path"
    scheme = (url / "protocol").text_or_none()
    port = (url / "port").text_or_none()
    parts = [
        f"{scheme}://" if scheme else "",
        host.value if isinstance(host.value, str) else ".".join(host.texts()),
        f":{port}" if port else "",
    ]
    inner = path.value if isinstance(path.value, str) else "/".join(path.texts())
    return "".join(parts) + (f"/{inner.lstrip('/')}" if inner else "")
