"""From your copy of Nango's `providers.yaml`.

That file is under the Elastic License 2.0: what you import from it stays in your organization.

| `auth_mode` | becomes |
|---|---|
| `API_KEY` | `api_key` if a header has the key, or else `none` with a secret that checks send |
| `BASIC` | `basic` |
| `OAUTH2`, `MCP_OAUTH2` | `oauth2`; a client that registers itself needs code |
| `OAUTH2_CC` | `oauth2` of the client's own, with a step that asks for a token |
| `TWO_STEP` with a grant | the same; without one, a step that logs in |
| `NONE` | `none` |
| the others | nothing: they sign by code |
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Final

from patchbay_importers.credentials import NOT_IN_A_HEADER, header_key
from patchbay_importers.drafts import Draft, Origin
from patchbay_importers.imported import Imported
from patchbay_importers.nango_templates import HeaderValue, Texts, last_alternative
from patchbay_importers.nango_tokens import client_grant, code_flow, login_step
from patchbay_importers.overlay import add_whoami
from patchbay_importers.places import Place
from patchbay_importers.refusals import ImportRefused

ORIGIN: Final = Origin(
    "your copy of providers.yaml of NangoHQ/nango", "Elastic License 2.0, for your own use"
)

CODE_OF_ITS_OWN: Final = frozenset(
    {
        *("absorb-lms", "agiloft", "braintree", "braintree-sandbox", "bullhorn", "clover", "coros"),
        *("coros-sandbox", "facebook", "fanvue", "figma", "figjam", "followupboss", "heygen"),
        *("instagram", "jobber", "mercury", "microsoft-admin", "microsoft-teams-bot", "one-drive"),
        *("posthog-oauth", "revolut-business", "sentry-oauth", "sharepoint-online"),
        *("shopline-oauth", "slack", "stripe-app", "stripe-app-sandbox", "threads"),
        *("tiktok-accounts", "tiktok-ads", "tiktok-personal", "walmart", "workday-oauth"),
    }
)
"""The providers with a client of their own in `packages/shared/lib/clients/provider.client.ts`."""

_CATEGORIES: Final = {
    "dev-tools": "developer-tools",
    "e-commerce": "commerce",
    "payment": "payments",
    "support": "helpdesk",
    "ticketing": "helpdesk",
    "knowledge-base": "documents",
}
_NO_KIND: Final = frozenset({"popular", "other"})
_CATEGORY: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_SCRIPTS: Final = (
    *("post_connection_script", "credentials_verification_script", "webhook_routing_script"),
    "pre_connection_deletion_script",
)
_FORMATS: Final = frozenset({"hostname", "uri", "uuid", "email", "date"})
_ANNOTATIONS: Final = {"prefix": "x-prefix", "suffix": "x-suffix", "order": "x-order"}
_BY_TRANSPORT: Final = frozenset(
    {"content-length", "host", "connection", "transfer-encoding", "accept-encoding"}
)
_DEPTH_OF_ALIASES: Final = 10


def imported_from(document: object, only: Collection[str] = ()) -> Iterator[Imported]:
    """One for each provider of the list, or of those named `only`. Raises ImportRefused if it is
    not such a list at all."""
    providers = Place(document)
    if not isinstance(document, dict) or not document:
        raise ImportRefused("", "must be an object of providers by name, as in providers.yaml")
    for missing in sorted(set(only) - document.keys()):
        yield Imported(missing, None, "is not in the list")
    for name, entry in providers.members():
        if only and name not in only:
            continue
        try:
            yield _Provider(name, _resolved(entry, providers)).imported()
        except ImportRefused as refused:
            yield Imported(name, None, str(refused))


def _resolved(entry: Place, providers: Place, depth: int = 0) -> Place:
    """A provider with what it takes from the one that it is an alias of."""
    if not isinstance(entry.value, dict):
        raise ImportRefused(entry.at, "must be an object")
    alias = (entry / "alias").text_or_none()
    if alias is None:
        return entry
    if depth > _DEPTH_OF_ALIASES:
        raise ImportRefused(f"{entry.at}/alias", "leads in a circle")
    if not providers / alias:
        raise ImportRefused(f"{entry.at}/alias", "is not the name of a provider of the list")
    other = _resolved(providers / alias, providers, depth + 1)
    own = {key: value for key, value in entry.value.items() if key != "alias"}
    return Place({**other.value, **own}, entry.at)


class _Provider:
    def __init__(self, name: str, entry: Place) -> None:
        self._name, self._entry = name, entry
        self._mode = (entry / "auth_mode").text()
        self._proxy = entry / "proxy"
        self._draft = Draft(name, (entry / "display_name").text_or_none() or name, ORIGIN)
        self._texts = Texts(self._draft)
        self._headers: dict[str, str] = {}
        """Of each request, beside the credential."""
        self._query: dict[str, str] = {}

    def imported(self) -> Imported:
        draft = self._draft
        self._describe()
        self._declare()
        base = self._proxy / "base_url"
        if base:
            draft.base_url = self._texts.url(Place(last_alternative(base, draft.notes), base.at))
        match self._mode:
            case "API_KEY":
                self._api_key()
            case "BASIC":
                self._basic()
            case "OAUTH2" | "MCP_OAUTH2":
                draft.auth = code_flow(self._entry, self._texts)
            case "OAUTH2_CC":
                draft.auth = client_grant(self._entry, self._texts)
            case "TWO_STEP":
                self._two_steps()
            case "NONE":
                draft.auth = {"type": "none"}
            case _:
                return draft.refused("it signs its requests by code")
        self._requests()
        if draft.auth.get("grantType"):
            draft.step("token", "oauth2_token", grant=draft.auth["grantType"])
        self._verification()
        add_whoami(draft, self._without_content())
        self._what_is_code()
        return draft.imported()

    def _describe(self) -> None:
        draft, entry = self._draft, self._entry
        for category in (entry / "categories").texts():
            kind = _CATEGORIES.get(category, category)
            if kind not in _NO_KIND and _CATEGORY.fullmatch(kind):
                draft.category = kind
                break
        for key in ("docs", "docs_connect", "setup_guide_url"):
            if url := (entry / key).text_or_none():
                draft.documentation.append(url)

    def _declare(self) -> None:
        """The variables and secrets, as the form of the list asks for them."""
        for name, rule in (self._entry / "connection_config").members():
            schema = self._schema(rule)
            is_filled = bool(rule / "automated")
            is_required = not (rule / "optional") and not is_filled
            if rule / "secret":
                self._texts.secret_of_config(name, schema, is_required=is_required)
                continue
            if is_filled:
                schema["readOnly"] = True
                if not any(self._texts.is_captured(name, self._entry / key) for key in _CAPTURED):
                    self._draft.needs_code.append(f"it fills in {name} after connecting")
            self._draft.declare(name, schema, is_required=is_required)
        for name, rule in (self._entry / "credentials").members():
            is_required = not (rule / "optional") and not (rule / "hidden")
            self._texts.credential(name, self._schema(rule), is_required=is_required)

    def _schema(self, rule: Place) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        for key in ("title", "description", "pattern"):
            if text := (rule / key).text_or_none():
                schema[key] = text
        kind = (rule / "format").text_or_none()
        if kind in _FORMATS:
            schema["format"] = kind
        if choices := [choice.scalar() for choice in (rule / "enum").items()]:
            schema["enum"] = choices
        default = rule / "default_value"
        if default.value is not None:
            schema["default"] = default.scalar()
        example = rule / "example"
        if example.value is not None:
            schema["examples"] = [example.scalar()]
        for key, annotation in _ANNOTATIONS.items():
            value = (rule / key).value
            if isinstance(value, (str, int)):
                schema[annotation] = value
        return schema

    def _api_key(self) -> None:
        """The key goes where the list sends it; only a header can be told to `authConfig`."""
        for header, value in self._sent_headers():
            if value.has_key and self._credential(header, value):
                return
        self._texts.keep_key()
        self._draft.auth = {"type": "none"}
        self._draft.notes.append(NOT_IN_A_HEADER)

    def _credential(self, header: str, value: HeaderValue) -> bool:
        """Whether `authConfig` can say this header."""
        if pair := value.basic():
            username, password = pair
            self._draft.auth = {"type": "basic", "username": username, "password": password}
            self._texts.keep_key()
            return True
        prefix = value.prefix()
        if prefix is None:
            return False
        self._draft.auth = header_key(header, prefix)
        return True

    def _basic(self) -> None:
        """Fields that the form hides are empty: a key is often the whole user name."""
        auth: dict[str, Any] = {"type": "basic"}
        credentials = self._entry / "credentials"
        password = credentials / "password"
        if password / "hidden" or (credentials and not password):
            auth["password"] = (password / "default_value").text_or_none() or ""
            self._texts.forget("password")
        elif password / "optional":
            auth["password"] = {"optional": "{{secrets.password}}"}
        username = credentials / "username"
        if username / "hidden":
            auth["username"] = (username / "default_value").text_or_none() or "api"
            self._texts.forget("username")
        for header, value in self._sent_headers():
            if (pair := value.basic()) and header.lower() == "authorization":
                auth["username"], auth["password"] = pair
        self._draft.auth = auth

    def _two_steps(self) -> None:
        """Credentials are posted for a token. With a grant of OAuth that is a token request."""
        for key in ("assertion", "signature", "token", "assertion_option"):
            if self._entry / key:
                raise ImportRefused(f"{self._entry.at}/{key}", "it signs an assertion by code")
        if self._entry / "additional_steps":
            raise ImportRefused(
                f"{self._entry.at}/additional_steps", "it asks for a token in more than two steps"
            )
        if self._entry / "token_params" / "grant_type":
            self._draft.auth = client_grant(self._entry, self._texts)
            return
        login_step(self._entry, self._texts)
        self._draft.notes.append(
            "it logs in for a token: checks do, the proxy and a credential's readers do not"
        )

    def _requests(self) -> None:
        """What the list adds to each request beside the credential."""
        own = str(self._draft.auth.get("authHeaderName", "authorization")).lower()
        for header, value in self._sent_headers():
            if value.has_token and "authHeaderName" not in self._draft.auth:
                self._token_header(header, value)
                continue
            if self._draft.auth["type"] != "none" and header.lower() == own:
                continue
            text = value.template()
            if text is None:
                self._draft.needs_code.append(f"its header {header} is computed")
            elif header.lower() not in _BY_TRANSPORT:
                self._headers[header] = text
        for name, place in (self._proxy / "query").members():
            text = self._texts.optional_template(place)
            if text is None:
                self._draft.needs_code.append(f"its parameter {name} is computed")
            else:
                self._query[name] = text
        sent = [*self._headers, *self._query]
        plain = {"accept", "content-type"}
        if extra := [name for name in sent if name.lower() not in plain]:
            self._draft.notes.append(f"checks send {', '.join(extra)} too, the proxy does not")

    def _token_header(self, header: str, value: HeaderValue) -> None:
        prefix = value.prefix()
        if self._draft.auth["type"] == "oauth2" and prefix is not None:
            self._draft.auth["authHeaderName"] = header
            self._draft.auth["authValuePrefix"] = prefix
        elif (text := value.template()) is not None:
            self._headers[header] = text

    def _sent_headers(self) -> Iterator[tuple[str, HeaderValue]]:
        for name, place in (self._proxy / "headers").members():
            yield name, HeaderValue(place, self._texts)

    def _verification(self) -> None:
        """The request by which the list verifies a credential, as a step."""
        verification = self._proxy / "verification"
        endpoints = (verification / "endpoints").texts()
        override = verification / "base_url_override"
        base = self._texts.url(override) if override else self._draft.base_url
        if not endpoints or not base:
            return
        method = ((verification / "method").text_or_none() or "GET").upper()
        if method not in ("GET", "HEAD"):
            # Tests run every few minutes, and a list that verifies once does not say what it does.
            self._draft.notes.append(
                f"it is verified by a {method} of {endpoints[0]}: add that as a check, with "
                '"safe": true, if it changes nothing at the provider'
            )
            return
        steps = []
        for endpoint in endpoints[:4]:
            request: dict[str, Any] = {"method": method}
            path = self._texts.template(Place(endpoint, (verification / "endpoints").at))
            request["url"] = f"{base.rstrip('/')}/{path.lstrip('/')}"
            if query := self._unrepeated_query(request["url"]):
                request["query"] = query
            if headers := self._headers_of(verification):
                request["headers"] = headers
            # A key that is not in a header is in the URL or among the headers above.
            auth = {"auth": False} if self._draft.auth["type"] == "none" else {}
            steps.append({"kind": "http", "request": request, **auth})
        if len(steps) == 1:
            self._draft.step("verification", "http", **_without_kind(steps[0]))
        else:
            self._draft.step("verification", "any_of", anyOf=steps)

    def _unrepeated_query(self, url: str) -> dict[str, str]:
        written = {part.partition("=")[0] for part in url.partition("?")[2].split("&")}
        return {name: value for name, value in self._query.items() if name not in written}

    def _headers_of(self, verification: Place) -> dict[str, str]:
        own = str(self._draft.auth.get("authHeaderName", "authorization")).lower()
        has_credential = self._draft.auth["type"] != "none"
        headers = dict(self._headers)
        for name, place in (verification / "headers").members():
            text = self._texts.optional_template(place)
            if text is not None and not (has_credential and name.lower() == own):
                headers[name] = text
        return _of_a_get(headers)

    def _without_content(self) -> dict[str, str]:
        return _of_a_get(self._headers)

    def _what_is_code(self) -> None:
        draft, entry = self._draft, self._entry
        if self._name in CODE_OF_ITS_OWN:
            draft.needs_code.append("it has a client of its own in Nango")
        for key in _SCRIPTS:
            if entry / key:
                draft.needs_code.append(f"{key}: {(entry / key).scalar()}")
        registration = (entry / "client_registration").text_or_none()
        if registration not in (None, "static"):
            draft.needs_code.append("its client registers itself at the provider")
        if self._proxy / "paginate":
            draft.notes.append("its pages were left out: nothing is synced")


def _of_a_get(headers: dict[str, str]) -> dict[str, str]:
    """A GET has no content, and so no type of it."""
    left_out = _BY_TRANSPORT | {"content-type"}
    return {name: value for name, value in headers.items() if name.lower() not in left_out}


def _without_kind(step: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in step.items() if name != "kind"}


_CAPTURED: Final = ("redirect_uri_metadata", "token_response_metadata")
