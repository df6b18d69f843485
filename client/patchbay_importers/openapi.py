"""From an OpenAPI document (3.0, 3.1) or a Swagger one (2.0): one definition.

The first server becomes `baseUrl`, the first security requirement that `authConfig` can express the
credential. The check is our own if the host is known, or else a GET that needs no parameters and
asks for that credential.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urljoin

from patchbay_importers import safe_reads
from patchbay_importers.credentials import header_key, oauth2, query_key
from patchbay_importers.drafts import Draft, Origin, is_https
from patchbay_importers.imported import Imported
from patchbay_importers.overlay import add_whoami
from patchbay_importers.places import Place
from patchbay_importers.references import References
from patchbay_importers.refusals import ImportRefused
from patchbay_importers.url_shapes import shaped_url

MAX_PATHS: Final = 20_000
MAX_PARAMETERS: Final = 100
"""Of a GET that may be the check."""
_SERVER_VARIABLE: Final = re.compile(r"\{([^{}]+)\}")
_HTTP_PLACES: Final = ("header", "query")


def imported_from(document: object, server: str | None = None) -> Imported:
    """The definition of a document. `server` is its address if the document has none, or another
    one. Raises ImportRefused if the document is none of OpenAPI."""
    place = Place(document)
    if not isinstance(document, dict) or not ("openapi" in document or "swagger" in document):
        raise ImportRefused("", "must be an object with openapi, or swagger")
    return _Document(place, server).imported()


class _Document:
    def __init__(self, document: Place, server: str | None) -> None:
        self._document, self._server = document, server
        self._references = References(document.value)
        info = document / "info"
        self._title = (info / "title").text_or_none() or "API"
        license_name = (info / "license" / "name").value
        stated = license_name if isinstance(license_name, str) and license_name else "not stated"
        origin = Origin(f'the OpenAPI document "{self._title[:100]}"', stated[:100])
        self._draft = Draft(self._title, self._title, origin)
        self._query: dict[str, str] = {}
        self._scheme = ""
        self._passed_over: list[str] = []

    def imported(self) -> Imported:
        draft = self._draft
        draft.description = (self._document / "info" / "description").text_or_none() or ""
        if url := (self._document / "externalDocs" / "url").text_or_none():
            draft.documentation.append(url)
        draft.base_url = self._base_url()
        self._credential()
        add_whoami(draft)
        if not draft.steps:
            self._check()
        return draft.imported()

    def _base_url(self) -> str:
        if self._server is not None:
            return self._shaped(self._server, "--server")
        if "swagger" in self._document.value:
            schemes = (self._document / "schemes").texts() or ["https"]
            scheme = "https" if "https" in schemes else schemes[0]
            host = (self._document / "host").text_or_none()
            path = (self._document / "basePath").text_or_none() or ""
            if not host:
                raise ImportRefused("/host", "is missing: say --server")
            return self._shaped(f"{scheme}://{host}{path}", "/host")
        servers = list((self._document / "servers").items())
        if not servers:
            raise ImportRefused("/servers", "is missing: say --server")
        if len(servers) > 1:
            self._draft.notes.append(f"of its {len(servers)} servers the first was taken")
        server = servers[0]
        url = (server / "url").text()
        if url.startswith("/"):
            raise ImportRefused(f"{server.at}/url", "is no absolute URL: say --server")

        def filled(match: re.Match[str]) -> str:
            self._server_variable(match[1], server / "variables" / match[1])
            return f"{{{{variables.{self._draft.own_name(match[1])}}}}}"

        return self._shaped(_SERVER_VARIABLE.sub(filled, url), server.at)

    def _shaped(self, url: str, at: str) -> str:
        base = url.partition("?")[0].partition("#")[0]
        if base != url:
            self._draft.notes.append("the query of its address was left out: it may be a key")
        return shaped_url(base.rstrip("/"), self._draft, at)

    def _server_variable(self, name: str, variable: Place) -> None:
        rule: dict[str, Any] = {"type": "string", "title": name}
        if description := (variable / "description").text_or_none():
            rule["description"] = description
        if choices := [choice.scalar() for choice in (variable / "enum").items()]:
            rule["enum"] = list(dict.fromkeys(choices))
        default = variable / "default"
        if default.value not in (None, ""):
            rule["default"] = default.scalar()
        self._draft.declare(name, rule, is_required=True)

    def _schemes(self) -> Place:
        if "swagger" in self._document.value:
            return self._document / "securityDefinitions"
        return self._document / "components" / "securitySchemes"

    def _credential(self) -> None:
        """The first scheme of a requirement that `authConfig` can express."""
        required = [
            name for one in (self._document / "security").items() for name, _ in one.members()
        ]
        every = [name for name, _ in self._schemes().members()]
        refused = []
        for name in dict.fromkeys([*required, *every]):
            try:
                if name not in every:
                    raise _Inexpressible("it is not declared")
                self._read_scheme(self._references.resolved(self._schemes() / name))
            except (_Inexpressible, ImportRefused) as why:
                refused.append(f"{name}: {why}")
                continue
            self._scheme = name
            if len(every) > 1:
                self._draft.notes.append(f"of its {len(every)} security schemes {name} was taken")
            return
        self._draft.needs_code += refused

    def _read_scheme(self, scheme: Place) -> None:
        draft = self._draft
        kind = (scheme / "type").text()
        http = ((scheme / "scheme").text_or_none() or "").lower()
        if kind == "basic" or (kind == "http" and http == "basic"):
            draft.auth = {"type": "basic"}
        elif kind == "http" and http == "bearer":
            draft.auth = header_key("Authorization", "Bearer")
        elif kind == "http":
            raise _Inexpressible(f"the http scheme {http or 'without a name'}")
        elif kind == "apiKey":
            self._read_key(scheme)
        elif kind == "oauth2":
            draft.auth = self._read_oauth(scheme)
        else:
            raise _Inexpressible("it is neither a key, http, nor oauth2")

    def _read_key(self, scheme: Place) -> None:
        name = (scheme / "name").text()
        match (scheme / "in").text():
            case "header":
                self._draft.auth = header_key(name, "")
            case "query":
                self._query = query_key(self._draft, name)
            case _:
                raise _Inexpressible("its key is a cookie")

    def _read_oauth(self, scheme: Place) -> dict[str, Any]:
        if "flow" in scheme.value:
            flows = {(scheme / "flow").text(): scheme}
        else:
            flows = dict((scheme / "flows").members())
        for name in ("authorizationCode", "accessCode", "clientCredentials", "application"):
            if name not in flows:
                continue
            flow = flows[name]
            is_code = name in ("authorizationCode", "accessCode")
            token_url = self._absolute((flow / "tokenUrl").text())
            start = self._absolute((flow / "authorizationUrl").text()) if is_code else None
            for url in filter(None, (token_url, start)):
                if not is_https(url):
                    raise ImportRefused(flow.at, "has a URL that is not https")
            scopes = [scope for scope, _ in (flow / "scopes").members() if scope]
            if len(scopes) > 1:
                self._draft.notes.append(
                    f"it asks for all {len(scopes)} scopes of the document: leave out what you do "
                    "not need"
                )
            refresh_url = (flow / "refreshUrl").text_or_none()
            return oauth2(token_url, start, scopes, refresh_url and self._absolute(refresh_url))
        raise _Inexpressible("it has no flow for a server")

    def _absolute(self, url: str) -> str:
        """A URL that may be relative: to the server, whose address may have variables."""
        base = self._draft.base_url or ""
        return url if "://" in url or "{{" in base else urljoin(f"{base}/", url)

    def _check(self) -> None:
        draft = self._draft
        if draft.auth.get("grantType"):
            draft.step("token", "oauth2_token", grant=draft.auth["grantType"])
        best = max(self._candidates(), key=lambda one: (one[0], -len(one[1]), one[1]), default=None)
        if self._passed_over:
            draft.notes.append(
                f"{len(self._passed_over)} of its paths can't be read here, such as "
                f"{self._passed_over[0]}"
            )
        if best is None or not self._scheme:
            if self._scheme:
                draft.notes.append("no GET of it asks for the credential without parameters")
            return
        _, path, query = best
        request: dict[str, Any] = {"method": "GET", "url": f"{draft.base_url}{path}"}
        if parameters := {**query, **self._query}:
            request["query"] = parameters
        auth = {"auth": False} if draft.auth["type"] == "none" else {}
        draft.step(f"GET {path}", "http", mandatory=True, request=request, **auth)
        draft.notes.append(f"its check was chosen by its path, {path}: see that it proves access")

    def _candidates(self) -> Iterator[tuple[int, str, dict[str, str]]]:
        """GETs that need no parameters, with a rank."""
        paths = self._document / "paths"
        if isinstance(paths.value, dict) and len(paths.value) > MAX_PATHS:
            raise ImportRefused(paths.at, f"has more than {MAX_PATHS} paths")
        for path, item in paths.members():
            points = safe_reads.rank(path)
            if points < 0 or "{" in path or not path.startswith("/"):
                continue
            try:
                query = self._query_of(item)
            except ImportRefused as refused:
                # It may be in another file, or lead in a circle. Others are still there.
                self._passed_over.append(str(refused))
                continue
            if query is not None:
                yield points - 40 * len(query), path, query

    def _query_of(self, item: Place) -> dict[str, str] | None:
        """What the GET of a path needs; None if it can't be the check."""
        item = self._references.resolved(item)
        operation = item / "get"
        if not isinstance(operation.value, dict) or (operation / "deprecated").value:
            return None
        if not self._asks_for_credential(operation):
            return None
        return self._needed(item, operation)

    def _asks_for_credential(self, operation: Place) -> bool:
        security = operation / "security" if "security" in operation.value else None
        security = self._document / "security" if security is None else security
        requirements = [dict(one.members()) for one in security.items()]
        return any(self._scheme in one for one in requirements) and {} not in requirements

    def _needed(self, item: Place, operation: Place) -> dict[str, str] | None:
        """Required parameters with a default; None if one has none."""
        needed: dict[str, str] = {}
        both = (item / "parameters", operation / "parameters")
        if sum(len(one.value) for one in both if isinstance(one.value, list)) > MAX_PARAMETERS:
            return None
        for given in (*both[0].items(), *both[1].items()):
            parameter = self._references.resolved(given)
            if not (parameter / "required").value:
                continue
            schema = self._references.resolved(parameter / "schema")
            default = schema / "default" if "swagger" not in self._document.value else None
            value = (parameter / "default").value if default is None else default.value
            if (parameter / "in").value != "query" or not isinstance(value, (str, int)):
                return None
            if "{{" in str(value):
                # It would be a placeholder of ours.
                return None
            needed[(parameter / "name").text()] = str(value)
        return needed


class _Inexpressible(Exception):
    """`authConfig` has no such scheme."""
