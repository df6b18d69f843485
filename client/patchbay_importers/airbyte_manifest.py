"""From your copy of a low-code connector of Airbyte: its `manifest.yaml`.

The form is that of its `spec`. The stream that its own `check` reads becomes the check, if it is a
GET whose URL needs nothing but the configuration. A stream that goes through the records of another
one is asked for that other one instead.
"""

from __future__ import annotations

import re
from typing import Any, Final

from patchbay_importers.airbyte_forms import AirbyteForm
from patchbay_importers.credentials import NOT_IN_A_HEADER, header_key
from patchbay_importers.drafts import Draft, Origin, slug_of
from patchbay_importers.imported import Imported
from patchbay_importers.overlay import add_whoami
from patchbay_importers.places import Place
from patchbay_importers.references import References
from patchbay_importers.refusals import ImportRefused
from patchbay_importers.url_shapes import shaped_url

ORIGIN: Final = Origin(
    "your copy of a manifest.yaml of Airbyte", "see the connector's own, for your own use"
)
MAX_PARENTS: Final = 5

_JINJA: Final = re.compile(r"\{\{([^{}]*)\}\}")
_CONFIG: Final = re.compile(
    r"""config(?:\.get\(\s*['"](?P<got>[\w-]+)['"]\s*\)"""
    r"""|(?P<keys>(?:\[\s*['"][\w-]+['"]\s*\])+)|\.(?P<dotted>\w+(?:\.\w+)*))"""
)
_KEY: Final = re.compile(r"""\[\s*['"]([\w-]+)['"]\s*\]""")
_PARAMETER: Final = re.compile(
    r"""(?:\$?parameters|options)(?:\[\s*['"](\w+)['"]\s*\]|\.get\(\s*['"](\w+)['"]\s*\)|\.(\w+))"""
)


class _NotPlain(Exception):
    """A text needs a value that is no configuration."""


def imported_from(document: object, name: str) -> Imported:
    """The definition of one manifest; `name` is what it is called. Raises ImportRefused if the
    document is no such manifest."""
    manifest = Place(document)
    if not isinstance(document, dict) or "check" not in document or "version" not in document:
        raise ImportRefused("", "must be an object with version and check, as in manifest.yaml")
    return _Manifest(manifest, name).imported()


class _Manifest:
    def __init__(self, manifest: Place, name: str) -> None:
        self._manifest = manifest
        self._references = References(manifest.value)
        self._draft = Draft(name, _title(name), ORIGIN, slug=slug_of(name), role="source")
        self._form = AirbyteForm(self._draft)
        self._query: dict[str, str] = {}

    def imported(self) -> Imported:
        draft = self._draft
        if description := (self._manifest / "description").text_or_none():
            draft.description = description
        specification = self._references.resolved(self._manifest / "spec")
        form = specification / "connection_specification"
        if form:
            self._form.declare(self._references.resolved(form))
        else:
            draft.notes.append("it has no spec: its form has only what its requests use")
        try:
            stream = self._checked_stream()
            self._request(stream)
        except _NotPlain as why:
            draft.needs_code.append(str(why))
        except ImportRefused as refused:
            # Its form is still of use.
            draft.notes.append(f"its check was left out: {refused}")
        add_whoami(draft)
        return draft.imported()

    def _checked_stream(self) -> Place:
        """The stream that `check` names, or the one whose records it goes through."""
        check = self._references.resolved(self._manifest / "check")
        named = (check / "stream_names").texts()
        if not named:
            raise _NotPlain("its check is no stream")
        refused: ImportRefused | None = None
        for one in (self._manifest / "streams").items():
            try:
                stream = self._references.resolved(one)
            except ImportRefused as why:
                # It may be another stream than the one that is looked for.
                refused = why
                continue
            if self._name(stream) == named[0]:
                return self._parent(stream)
        if refused is not None:
            raise refused
        raise _NotPlain("its check names a stream that is made by code")

    def _name(self, stream: Place) -> object:
        return (stream / "name").value or self._parameters(stream).get("name")

    def _parent(self, stream: Place) -> Place:
        for _ in range(MAX_PARENTS):
            retriever = self._references.resolved(stream / "retriever")
            router = self._references.resolved(retriever / "partition_router")
            parents = [*(router / "parent_stream_configs").items()] if _is_object(router) else []
            if not parents:
                if router:
                    raise _NotPlain("its check goes through a list")
                return stream
            parent = self._references.resolved(parents[0])
            stream = self._references.resolved(parent / "stream")
        raise _NotPlain(f"its check goes through more than {MAX_PARENTS} streams")

    def _parameters(self, *places: Place) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for place in places:
            for key in ("$options", "$parameters"):
                given = (place / key).value
                merged |= given if isinstance(given, dict) else {}
        return merged

    def _request(self, stream: Place) -> None:
        retriever = self._references.resolved(stream / "retriever")
        requester = self._references.resolved(retriever / "requester")
        kind = (requester / "type").value
        if not _is_object(requester) or (isinstance(kind, str) and kind.startswith("Custom")):
            raise _NotPlain("its requests are made by code")
        parameters = self._parameters(stream, retriever, requester)
        self._authenticate(self._references.resolved(requester / "authenticator"), parameters)
        base = self._text(_first(requester / "url_base", requester / "url"), parameters)
        draft = self._draft
        base = shaped_url(base.rstrip("/"), draft, (requester / "url_base").at)
        if "?" not in base:
            draft.base_url = base
        method = (requester / "http_method").value or "GET"
        if str(method).upper() != "GET":
            raise _NotPlain(f"its check is a {str(method)[:10]}, which is not safe")
        path_place = self._references.resolved(requester / "path")
        path = parameters.get("path", "") if path_place.value is None else path_place.value
        path = self._text(Place(path, path_place.at), parameters)
        request: dict[str, Any] = {
            "method": "GET",
            "url": f"{base}/{path.lstrip('/')}" if path else base,
        }
        query = self._texts(requester / "request_parameters", parameters) | self._query
        if query:
            request["query"] = query
        headers = self._texts(requester / "request_headers", parameters)
        own = str(draft.auth.get("authHeaderName", "Authorization")).lower()
        headers = {name: text for name, text in headers.items() if name.lower() != own}
        if headers:
            request["headers"] = headers
        if draft.auth.get("grantType"):
            draft.step("token", "oauth2_token", grant=draft.auth["grantType"])
        auth = {"auth": False} if draft.auth["type"] == "none" else {}
        name = self._name(stream)
        title = f"read {name}" if isinstance(name, str) else "read"
        draft.step(title, "http", mandatory=True, request=request, **auth)

    def _texts(self, place: Place, parameters: dict[str, Any]) -> dict[str, str]:
        if isinstance(place.value, str):
            raise _NotPlain("its parameters are computed")
        return {
            name: self._text(text, parameters)
            for name, text in self._references.resolved(place).members()
            if text.value is not None
        }

    def _text(self, place: Place, parameters: dict[str, Any]) -> str:
        """A text with our placeholders. Raises _NotPlain if it needs anything but configuration."""

        def filled(match: re.Match[str]) -> str:
            inner = match[1].strip("-").strip()
            if parameter := _PARAMETER.fullmatch(inner):
                value = parameters.get(next(filter(None, parameter.groups())))
                if isinstance(value, str) and "{{" not in value:
                    return value
            if config := _CONFIG.fullmatch(inner):
                return self._placeholder(_path(config))
            raise _NotPlain("its check needs a value that is computed")

        place = self._references.resolved(place)
        if place.value is None:
            raise _NotPlain("its check has no URL")
        given = place.scalar()
        text = _JINJA.sub(filled, given)
        if "{%" in given or "{{" in _JINJA.sub("", given):
            raise _NotPlain("its check needs a value that is computed")
        return text

    def _placeholder(self, path: tuple[str, ...]) -> str:
        name = self._form.names.get(path) or self._draft.own_name("_".join(path))
        if name in self._draft.secrets:
            return f"{{{{secrets.{name}}}}}"
        return f"{{{{variables.{self._draft.variable('_'.join(path))}}}}}"

    def _authenticate(self, authenticator: Place, parameters: dict[str, Any]) -> None:
        draft = self._draft
        if (authenticator / "type").value == "SelectiveAuthenticator":
            choices = list((authenticator / "authenticators").members())
            if not choices:
                raise _NotPlain("its authenticator is none of several")
            draft.notes.append(f"of its {len(choices)} authenticators {choices[0][0]} was taken")
            authenticator = self._references.resolved(choices[0][1])
        parameters = {**parameters, **self._parameters(authenticator)}
        match (authenticator / "type").value:
            case None | "NoAuth":
                draft.auth = {"type": "none"}
            case "BearerAuthenticator":
                self._key(authenticator / "api_token", parameters, "Authorization", "Bearer")
            case "ApiKeyAuthenticator":
                self._api_key(authenticator, parameters)
            case "BasicHttpAuthenticator":
                self._basic(authenticator, parameters)
            case "OAuthAuthenticator":
                self._oauth(authenticator, parameters)
            case _:
                raise _NotPlain("its authenticator is code")

    def _api_key(self, authenticator: Place, parameters: dict[str, Any]) -> None:
        inject = self._references.resolved(authenticator / "inject_into")
        field = _first(inject / "field_name", authenticator / "header")
        name = self._text(field, parameters)
        if (inject / "inject_into").value == "request_parameter":
            self._draft.auth = {"type": "none"}
            self._draft.notes.append(NOT_IN_A_HEADER)
            self._query[name] = self._text(authenticator / "api_token", parameters)
        elif (inject / "inject_into").value in (None, "header"):
            self._key(authenticator / "api_token", parameters, name, "")
        else:
            raise _NotPlain("its key is in the body of each request")

    def _key(
        self, token: Place, parameters: dict[str, Any], header: str, default_prefix: str
    ) -> None:
        """A header with one secret, which has to be called `api_key`."""
        text = self._text(token, parameters)
        match = re.fullmatch(r"([!-~ ]*?)\{\{secrets\.([\w-]+)\}\}", text)
        if match is None:
            match = re.fullmatch(r"([!-~ ]*?)\{\{variables\.([\w-]+)\}\}", text)
            if match is None:
                raise _NotPlain("its key is computed")
            self._make_secret(match[2])
        self._rename(match[2], "api_key")
        self._draft.auth = header_key(header, match[1].strip() or default_prefix)

    def _basic(self, authenticator: Place, parameters: dict[str, Any]) -> None:
        username = self._text(authenticator / "username", parameters)
        password = authenticator / "password"
        text = "" if not password.value else self._text(password, parameters)
        if "{{secrets." not in username + text:
            # A key that stands in for a user name or a password is a secret all the same.
            if "{{variables." in text:
                text = self._as_secrets(text)
            else:
                username = self._as_secrets(username)
        self._draft.auth = {"type": "basic", "username": username, "password": text}

    def _oauth(self, authenticator: Place, parameters: dict[str, Any]) -> None:
        grant = (authenticator / "grant_type").value or "refresh_token"
        url = self._text(authenticator / "token_refresh_endpoint", parameters)
        for own in ("client_id", "client_secret", "refresh_token"):
            place = authenticator / own
            if not place.value:
                continue
            match = re.fullmatch(
                r"\{\{(?:variables|secrets)\.([\w-]+)\}\}", self._text(place, parameters)
            )
            if match is None:
                raise _NotPlain("its client is computed")
            self._make_secret(match[1])
            self._rename(match[1], own)
        self._draft.auth = {
            "type": "oauth2",
            "tokenUrl": shaped_url(url, self._draft, authenticator.at),
            "clientAuth": "body",
            "grantType": str(grant),
        }
        if grant == "refresh_token":
            self._draft.notes.append(
                "a test refreshes its token: where a refresh token can be used once, connect by "
                "the code flow instead"
            )

    def _as_secrets(self, text: str) -> str:
        for name in re.findall(r"\{\{variables\.([\w-]+)\}\}", text):
            self._make_secret(name)
        return text.replace("{{variables.", "{{secrets.")

    def _make_secret(self, name: str) -> None:
        """What authenticates is a secret, whatever the form says."""
        rule = self._draft.variables.pop(name, None)
        if name in self._draft.secrets:
            return
        is_required = name in self._draft.required
        self._draft.required = [one for one in self._draft.required if one != name]
        self._draft.declare_secret(name, rule or {}, is_required=is_required)

    def _rename(self, old: str, new: str) -> None:
        """Gives a secret the name that the type of `authConfig` has for it."""
        draft = self._draft
        if old == new:
            return
        draft.secrets = {new if name == old else name: r for name, r in draft.secrets.items()}
        draft.required_secrets = [new if n == old else n for n in draft.required_secrets]
        for path, own in self._form.names.items():
            if own == old:
                self._form.names[path] = new


def _path(match: re.Match[str]) -> tuple[str, ...]:
    if match["got"]:
        return (match["got"],)
    if match["keys"]:
        return tuple(_KEY.findall(match["keys"]))
    return tuple(match["dotted"].split("."))


def _first(*places: Place) -> Place:
    return next((place for place in places if place.value is not None), places[0])


def _is_object(place: Place) -> bool:
    return isinstance(place.value, dict)


def _title(name: str) -> str:
    return name.removeprefix("source-").replace("-", " ").replace("_", " ").title()
