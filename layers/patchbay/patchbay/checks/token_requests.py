"""How a token is requested, as `authConfig` or a step of the kind oauth2_token says it. Pure.

| member | meaning | default |
|---|---|---|
| `clientAuth` | `basic` (both percent-encoded first, RFC 6749 §2.3.1), `basic_plain` (as they are),
`body`, `none` (the id alone, in the body), or `omit` (only what `tokenParams` has) | `basic` |
| `tokenMethod` | `POST`, or `GET` with everything in the query | `POST` |
| `tokenBodyFormat` | `form`, `json`, or `query`: where the parameters of a POST are | `form` |
| `tokenParams` | more parameters, templates with variables and secrets | |
| `tokenHeaders` | more headers, templates with variables and secrets | |
| `parameterNames` | other names of the parameters that are sent: `{"client_id": "client_key"}` | |
| `scopeSeparator` | between scopes: a space or `,` | a space |
| `tokenResponse` | JSON Pointers to `accessToken`, `refreshToken`, and `scope`, or lists | those
of `token_subjects` |

They are facts about a provider. So they stand in `authConfig`, and a step repeats only what is
different for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import quote_plus

from patchbay.checks.auth_config import TOKEN_KEYS
from patchbay.checks.credentials import basic_value
from patchbay.checks.json_pointer import is_pointer
from patchbay.checks.request_bodies import BodyTemplate, Template, Tree, read_fields
from patchbay.checks.request_fields import RequestField, filled, read_headers
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Parts,
    Placeholder,
    UrlTemplate,
    ValueRefused,
    Values,
    last_pointer,
)
from patchbay.checks.token_subjects import TokenPlaces
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.request import HttpRequest
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.errors import Problem
from patchbay.platform.validation import pointer

type ClientAuth = Literal["basic", "basic_plain", "body", "none", "omit"]
type TokenMethod = Literal["POST", "GET"]
type TokenBodyFormat = Literal["form", "json", "query"]
type ScopeSeparator = Literal[" ", ","]

CLIENT_AUTHS: Final[tuple[ClientAuth, ...]] = get_args(ClientAuth.__value__)
METHODS: Final[tuple[TokenMethod, ...]] = get_args(TokenMethod.__value__)
BODY_FORMATS: Final[tuple[TokenBodyFormat, ...]] = get_args(TokenBodyFormat.__value__)
SCOPE_SEPARATORS: Final[tuple[ScopeSeparator, ...]] = get_args(ScopeSeparator.__value__)

CLIENT_ID: Final = Placeholder("secrets", "client_id")
CLIENT_SECRET: Final = Placeholder("secrets", "client_secret")
REFRESH_TOKEN: Final = Placeholder("secrets", "refresh_token")

MAX_PARAMETERS: Final = 20
_OWN: Final = ("grant_type", "client_id", "client_secret", "refresh_token", "scope", "audience")
MAX_PLACES: Final = 10
_PLACES: Final = frozenset({"accessToken", "refreshToken", "scope"})


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How a provider wants to be asked for a token, and where its answer has it."""

    client_auth: ClientAuth = "basic"
    method: TokenMethod = "POST"
    body_format: TokenBodyFormat = "form"
    parameters: Mapping[str, Tree] = field(default_factory=dict)
    headers: tuple[RequestField, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    scope_separator: ScopeSeparator = " "
    places: TokenPlaces = field(default_factory=TokenPlaces)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a token before its values are filled in."""

    grant: str
    url: UrlTemplate
    settings: TokenSettings
    scopes: tuple[str, ...] = ()
    audience: Parts = ()

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        for header in self.settings.headers:
            yield from header.required()
        yield from self._others()

    def request_placeholders(self) -> Iterator[Placeholder]:
        """Those of everything but the host; optional ones as well."""
        yield from self.url.path_placeholders()
        for header in self.settings.headers:
            yield from header.placeholders()
        yield from self._others()

    def _others(self) -> Iterator[Placeholder]:
        yield from self._body().placeholders()
        if self.settings.client_auth in ("basic", "basic_plain"):
            yield CLIENT_ID
            yield CLIENT_SECRET

    def secrets(self) -> list[Placeholder]:
        """The secrets that are sent, those of the client first."""
        sent = dict.fromkeys(p for p in self.placeholders() if p.source == "secrets")
        return sorted(sent, key=lambda secret: secret not in (CLIENT_ID, CLIENT_SECRET))

    def fill(self, values: Values) -> tuple[HttpRequest, tuple[str, ...]]:
        """The request, and the secrets that were made for it. Raises ValueRefused."""
        target = self.url.target(values)
        if target.scheme != "https":
            pointer = self.url.host_pointer or last_pointer(self.url.placeholders())
            raise ValueRefused(pointer or "/variables", "must be an https URL")
        headers = [("Accept", "application/json")]
        headers += filled(self.settings.headers, values, "header")
        made: tuple[str, ...] = ()
        if self.settings.client_auth in ("basic", "basic_plain"):
            authorization = self._basic(values)
            headers.append(("Authorization", authorization))
            made = (authorization.removeprefix("Basic "),)
        template = self._body()
        body = template.fill(values)
        if self._is_query:
            target = self._with_query(target, body.decode())
            body = b""
        else:
            headers.append(("Content-Type", template.content_type))
        method = self.settings.method
        return (
            HttpRequest(method, target, tuple(headers), credentialed=True, body=body),
            made,
        )

    def _with_query(self, target: HttpUrl, query: str) -> HttpUrl:
        joiner = "&" if "?" in target.path else "?"
        try:
            return parse_url(f"{target.url}{joiner}{query}")
        except EgressBlocked as error:
            field = last_pointer(self.placeholders()) or "/variables"
            raise ValueRefused(field, "is too long for a URL") from error

    @property
    def _is_query(self) -> bool:
        return self.settings.method == "GET" or self.settings.body_format == "query"

    def _body(self) -> BodyTemplate:
        """The parameters, in the order of RFC 6749, those of the integration last."""
        settings = self.settings
        own: dict[str, Parts] = {"grant_type": (self.grant,)}
        if settings.client_auth in ("body", "none"):
            own["client_id"] = (CLIENT_ID,)
        if settings.client_auth == "body":
            own["client_secret"] = (CLIENT_SECRET,)
        if self.grant == "refresh_token":
            own["refresh_token"] = (REFRESH_TOKEN,)
        if self.scopes:
            own["scope"] = (settings.scope_separator.join(self.scopes),)
        if self.audience:
            own["audience"] = self.audience
        content: dict[str, Tree] = {
            settings.names.get(name, name): Template(parts) for name, parts in own.items()
        }
        is_json = settings.body_format == "json" and not self._is_query
        return BodyTemplate(
            "json" if is_json else "form",
            {**content, **settings.parameters},
            "application/json" if is_json else "application/x-www-form-urlencoded",
        )

    def _basic(self, values: Values) -> str:
        client_id, secret = values.text(CLIENT_ID), values.text(CLIENT_SECRET)
        if self.settings.client_auth == "basic":
            # A colon in one of them does not move the border between the two.
            client_id, secret = quote_plus(client_id), quote_plus(secret)
        return basic_value(client_id, secret, pointer=CLIENT_ID.pointer)


def settings_problems(auth_config: Mapping[str, object], declared: Declarations) -> list[Problem]:
    """What is wrong with how `authConfig` says that a token is requested."""
    if auth_config.keys().isdisjoint(TOKEN_KEYS):
        return []
    reader = StepReader(auth_config, "/authConfig", declared, None)
    _read(reader, TokenSettings())
    return reader.problems


def read_settings(reader: StepReader) -> TokenSettings:
    """The settings of a step; what it does not say is as in `authConfig`, whose own problems are
    those of `settings_problems`. Problems of the step are reported."""
    auth_config = StepReader(reader.auth_config, "/authConfig", reader.declared, None)
    return _read(reader, _read(auth_config, TokenSettings()))


def _read(reader: StepReader, base: TokenSettings) -> TokenSettings:
    step = reader.step
    method = _choice(reader, "tokenMethod", METHODS, base.method)
    body_format = _choice(reader, "tokenBodyFormat", BODY_FORMATS, base.body_format)
    if (
        method == "GET"
        and "tokenMethod" in step
        and step.get("tokenBodyFormat") in ("form", "json")
    ):
        reader.report("/tokenBodyFormat", "can't be set for GET: everything is in the query")
    parameters = base.parameters
    if "tokenParams" in step:
        is_json = body_format == "json" and method == "POST"
        parameters = read_fields(
            reader, "/tokenParams", step["tokenParams"], "json" if is_json else "form"
        )
        if len(parameters) > MAX_PARAMETERS:
            reader.report("/tokenParams", f"has more than {MAX_PARAMETERS} parameters")
    headers = base.headers
    if "tokenHeaders" in step:
        taken = {"content-type", "accept"}
        headers = read_headers(reader, "/tokenHeaders", step["tokenHeaders"], taken)
    return TokenSettings(
        client_auth=_choice(reader, "clientAuth", CLIENT_AUTHS, base.client_auth),
        method=method,
        body_format=body_format,
        parameters=parameters,
        headers=headers,
        names=_read_names(reader) if "parameterNames" in step else base.names,
        scope_separator=_choice(reader, "scopeSeparator", SCOPE_SEPARATORS, base.scope_separator),
        places=_read_places(reader) if "tokenResponse" in step else base.places,
    )


def report_clashes(reader: StepReader, request: TokenRequest) -> None:
    """Reports parameters that the step sends by itself and that `tokenParams` has, too."""
    settings = request.settings
    sent = {settings.names.get(name, name) for name in ("grant_type", *_sent(request))}
    for name in sorted(sent & settings.parameters.keys()):
        reader.report("/tokenParams", f'has "{name}", which is sent without it')
    names = [settings.names.get(name, name) for name in ("grant_type", *_sent(request))]
    if len(set(names)) < len(names):
        reader.report("/parameterNames", "has the name of another parameter that is sent")
    if settings.client_auth in ("basic", "basic_plain"):
        for header in settings.headers:
            if header.name.lower() == "authorization":
                at = f"/tokenHeaders{pointer([header.name])}"
                reader.report(at, "is set by clientAuth, which is basic")


def _sent(request: TokenRequest) -> Iterator[str]:
    if request.settings.client_auth in ("body", "none"):
        yield "client_id"
    if request.settings.client_auth == "body":
        yield "client_secret"
    if request.grant == "refresh_token":
        yield "refresh_token"
    if request.scopes:
        yield "scope"
    if request.audience:
        yield "audience"


def _choice[T: str](reader: StepReader, key: str, known: tuple[T, ...], default: T) -> T:
    if key not in reader.step:
        return default
    return reader.choice(key, known) or default


def _read_names(reader: StepReader) -> Mapping[str, str]:
    names = reader.members("/parameterNames", reader.step["parameterNames"], frozenset(_OWN)) or {}
    if not all(isinstance(name, str) and 0 < len(name) <= 64 for name in names.values()):
        reader.report("/parameterNames", "must be an object of names")
        return {}
    if len({*names.values()}) < len(names):
        reader.report("/parameterNames", "has a name twice")
    return names


def _read_places(reader: StepReader) -> TokenPlaces:
    default = TokenPlaces()
    places = reader.members("/tokenResponse", reader.step["tokenResponse"], _PLACES) or {}
    refresh = _read_pointers(reader, "refreshToken", places, (default.refresh_token,))
    return TokenPlaces(
        _read_pointers(reader, "accessToken", places, default.access_token),
        refresh[0] if refresh else default.refresh_token,
        _read_pointers(reader, "scope", places, default.scope),
    )


def _read_pointers(
    reader: StepReader, name: str, places: Mapping[str, object], default: tuple[str, ...]
) -> tuple[str, ...]:
    """The pointers of one part of an answer, given as one or, but for a refresh token, a list."""
    given = places.get(name, list(default))
    pointers = [given] if isinstance(given, str) else given
    most = 1 if name == "refreshToken" else MAX_PLACES
    if (
        not isinstance(pointers, list)
        or not 0 < len(pointers) <= most
        or not all(isinstance(one, str) and one and is_pointer(one) for one in pointers)
    ):
        several = "" if most == 1 else f", or a list of up to {most}"
        reader.report(f"/tokenResponse/{name}", f"must be a JSON Pointer{several}")
        return ()
    return tuple(pointers)
