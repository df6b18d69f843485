"""How a token is requested, as `authConfig` or a step of the kind oauth2_token says it. Pure.

| member | meaning | default |
|---|---|---|
| `clientAuth` | `basic` (both percent-encoded first, RFC 6749 §2.3.1), `basic_plain` (as they are),
`body`, `none` (the id alone, in the body), `private_key_jwt` (RFC 7523), or `omit` (only what
`tokenParams` has) | `basic` |
| `clientAssertion` | of `private_key_jwt`: `audience` and `keyId` | the token URL, none |
| `tokenMethod` | `POST`, or `GET` with everything in the query | `POST` |
| `tokenBodyFormat` | `form`, `json`, or `query`: where the parameters of a POST are | `form` |
| `tokenParams` | more parameters, templates with variables and secrets | |
| `tokenHeaders` | more headers, templates with variables and secrets | |
| `parameterNames` | other names of the parameters that are sent: `{"client_id": "client_key"}`, or
another name in one place: `{"code": {"callback": "auth_code"}}` | |
| `scopeSeparator` | between scopes: a space, `,`, or `+` | a space |
| `tokenResponse` | JSON Pointers to `accessToken`, `refreshToken`, `scope`, `expiresIn`, and
`refreshExpiresIn`, or lists | those of `token_subjects` |

They are facts about a provider. So they stand in `authConfig`, and a step repeats only what is
different for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args
from urllib.parse import quote_plus

from patchbay.checks.captures import is_parameter_name
from patchbay.checks.client_assertions import PRIVATE_KEY, AssertionSettings, client_assertion
from patchbay.checks.client_assertions import TYPE as ASSERTION_TYPE
from patchbay.checks.credentials import basic_value
from patchbay.checks.json_pointer import is_pointer
from patchbay.checks.request_bodies import BodyTemplate, Template, Tree, read_fields
from patchbay.checks.request_fields import RequestField, filled, read_headers, read_template
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    UrlTemplate,
    ValueRefused,
    Values,
    last_pointer,
    placeholders_of,
)
from patchbay.checks.token_subjects import TokenPlaces
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.request import HttpRequest
from patchbay.egress.url import HttpUrl, parse_url
from patchbay.platform.clock import utc_now
from patchbay.platform.validation import pointer

type ClientAuth = Literal["basic", "basic_plain", "body", "none", "omit", "private_key_jwt"]
type TokenMethod = Literal["POST", "GET"]
type TokenBodyFormat = Literal["form", "json", "query"]
type ScopeSeparator = Literal[" ", ",", "+"]
type NamePlace = Literal["authorization", "callback", "token"]

CLIENT_AUTHS: Final[tuple[ClientAuth, ...]] = get_args(ClientAuth.__value__)
METHODS: Final[tuple[TokenMethod, ...]] = get_args(TokenMethod.__value__)
BODY_FORMATS: Final[tuple[TokenBodyFormat, ...]] = get_args(TokenBodyFormat.__value__)
SCOPE_SEPARATORS: Final[tuple[ScopeSeparator, ...]] = get_args(ScopeSeparator.__value__)
NAME_PLACES: Final[tuple[NamePlace, ...]] = get_args(NamePlace.__value__)

CLIENT_ID: Final = Placeholder("secrets", "client_id")
CLIENT_SECRET: Final = Placeholder("secrets", "client_secret")
REFRESH_TOKEN: Final = Placeholder("secrets", "refresh_token")

_CLIENT_IN_BODY: Final[Mapping[ClientAuth, tuple[tuple[str, Placeholder], ...]]] = {
    "body": (("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)),
    "none": (("client_id", CLIENT_ID),),
    "private_key_jwt": (("client_id", CLIENT_ID),),
}

MAX_PARAMETERS: Final = 20
_OWN: Final = frozenset(
    {
        *("grant_type", "client_id", "client_secret", "refresh_token", "scope", "audience"),
        *("code", "redirect_uri", "code_verifier", "client_assertion", "client_assertion_type"),
        *("response_type", "state", "code_challenge", "code_challenge_method"),
        *("error", "error_description", "iss"),
    }
)
_IN_PLACE: Final[Mapping[NamePlace, frozenset[str]]] = {
    "authorization": frozenset(
        {
            *("response_type", "client_id", "redirect_uri", "scope", "state"),
            *("code_challenge", "code_challenge_method"),
        }
    ),
    "callback": frozenset({"code", "state", "error", "error_description", "iss"}),
    "token": _OWN
    - {
        *("response_type", "code_challenge", "code_challenge_method"),
        *("error", "error_description", "iss"),
    },
}
"""Which parameters are sent, or read, in which place."""
MAX_PLACES: Final = 10
_ASSERTION: Final = frozenset({"audience", "keyId"})
_PLACES: Final = frozenset(
    {"accessToken", "refreshToken", "scope", "expiresIn", "refreshExpiresIn"}
)


@dataclass(frozen=True, slots=True)
class ParameterNames:
    """The names that a provider has for the parameters of RFC 6749, where they are others."""

    authorization: Mapping[str, str] = field(default_factory=dict)
    callback: Mapping[str, str] = field(default_factory=dict)
    token: Mapping[str, str] = field(default_factory=dict)

    def of(self, place: NamePlace, name: str) -> str:
        """What a parameter is called in the URL of the authorization, in the callback, or in a
        request for a token."""
        names: Mapping[str, str] = getattr(self, place)
        return names.get(name, name)


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How a provider wants to be asked for a token, and where its answer has it.

    `refresh_parameters` are sent in place of `parameters` with a refresh token.
    """

    client_auth: ClientAuth = "basic"
    method: TokenMethod = "POST"
    body_format: TokenBodyFormat = "form"
    parameters: Mapping[str, Tree] = field(default_factory=dict)
    headers: tuple[RequestField, ...] = ()
    names: ParameterNames = field(default_factory=ParameterNames)
    scope_separator: ScopeSeparator = " "
    places: TokenPlaces = field(default_factory=TokenPlaces)
    refresh_parameters: Mapping[str, Tree] | None = None
    assertion: AssertionSettings = field(default_factory=AssertionSettings)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for a token before its values are filled in.

    `given` are parameters of this one request, such as the code, by their names in RFC 6749.
    """

    grant: str
    url: UrlTemplate
    settings: TokenSettings
    scopes: tuple[str, ...] = ()
    audience: Parts = ()
    given: Mapping[str, str] = field(default_factory=dict, repr=False)

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
        elif self.settings.client_auth == "private_key_jwt":
            yield PRIVATE_KEY
            yield from placeholders_of(self.settings.assertion.audience)
            yield from placeholders_of(self.settings.assertion.key_id)

    def secrets(self) -> list[Placeholder]:
        """The secrets that are sent, those of the client first."""
        sent = dict.fromkeys(p for p in self.placeholders() if p.source == "secrets")
        return sorted(
            sent, key=lambda secret: secret not in (CLIENT_ID, CLIENT_SECRET, PRIVATE_KEY)
        )

    def fill(self, values: Values) -> tuple[HttpRequest, tuple[str, ...]]:
        """The request, and the secrets that were made for it. Raises ValueRefused."""
        target = self.url.target(values)
        if target.scheme != "https":
            pointer = self.url.host_pointer or last_pointer(self.url.placeholders())
            raise ValueRefused(pointer or "/variables", "must be an https URL")
        headers = [("Accept", "application/json")]
        headers += filled(self.settings.headers, values, "header")
        more, in_body, made = client_credentials(self.settings, values, target.url)
        headers += more
        template = self._body(in_body)
        body = template.fill(values)
        if self._is_query:
            target = with_query(target, body.decode(), self.placeholders())
            body = b""
        else:
            headers.append(("Content-Type", template.content_type))
        method = self.settings.method
        return (
            HttpRequest(method, target, tuple(headers), credentialed=True, body=body),
            made,
        )

    @property
    def _is_query(self) -> bool:
        return self.settings.method == "GET" or self.settings.body_format == "query"

    def _body(self, client: Mapping[str, str] | None = None) -> BodyTemplate:
        """The parameters, in the order of RFC 6749, those of the integration last. `client` are
        those of `client_credentials`; without them the templates stand in."""
        settings = self.settings
        own: dict[str, Parts] = {"grant_type": (self.grant,)}
        own |= {name: (value,) for name, value in self.given.items()}
        if client is None:
            own |= {name: (one,) for name, one in _CLIENT_IN_BODY.get(settings.client_auth, ())}
        else:
            own |= {name: (value,) for name, value in client.items()}
        if self.grant == "refresh_token":
            own["refresh_token"] = (REFRESH_TOKEN,)
        if self.scopes:
            own["scope"] = (settings.scope_separator.join(self.scopes),)
        if self.audience:
            own["audience"] = self.audience
        content: dict[str, Tree] = {
            settings.names.of("token", name): Template(parts) for name, parts in own.items()
        }
        is_json = settings.body_format == "json" and not self._is_query
        return BodyTemplate(
            "json" if is_json else "form",
            {**content, **self.parameters},
            "application/json" if is_json else "application/x-www-form-urlencoded",
        )

    @property
    def parameters(self) -> Mapping[str, Tree]:
        """Those that the integration adds."""
        settings = self.settings
        if self.grant == "refresh_token" and settings.refresh_parameters is not None:
            return settings.refresh_parameters
        return settings.parameters


def client_credentials(
    settings: TokenSettings, values: Values, url: str
) -> tuple[list[tuple[str, str]], dict[str, str], tuple[str, ...]]:
    """How a client shows who it is at `url`: headers, parameters by their names in RFC 6749, and
    the secrets that were made for them. Raises ValueRefused."""
    match settings.client_auth:
        case "basic" | "basic_plain":
            client_id, secret = values.text(CLIENT_ID), values.text(CLIENT_SECRET)
            if settings.client_auth == "basic":
                # A colon in one of them does not move the border between the two.
                client_id, secret = quote_plus(client_id), quote_plus(secret)
            value = basic_value(client_id, secret, pointer=CLIENT_ID.pointer)
            return [("Authorization", value)], {}, (value.removeprefix("Basic "),)
        case "private_key_jwt":
            client_id = values.text(CLIENT_ID)
            made = client_assertion(settings.assertion, client_id, url, values, utc_now())
            parameters = {"client_id": client_id, "client_assertion_type": ASSERTION_TYPE}
            return [], {**parameters, "client_assertion": made}, (made,)
    sent = _CLIENT_IN_BODY.get(settings.client_auth, ())
    return [], {name: values.text(one) for name, one in sent}, ()


def with_query(target: HttpUrl, query: str, placeholders: Iterable[Placeholder]) -> HttpUrl:
    """The URL with these parameters, too. Raises ValueRefused."""
    joiner = "&" if "?" in target.path else "?"
    try:
        return parse_url(f"{target.url}{joiner}{query}")
    except EgressBlocked as error:
        field = last_pointer(placeholders) or "/variables"
        raise ValueRefused(field, "is too long for a URL") from error


def read_auth_settings(reader: StepReader) -> TokenSettings:
    """How an `authConfig` says that a token is requested. Problems are reported."""
    return _read(reader, TokenSettings())


def read_settings(reader: StepReader) -> TokenSettings:
    """The settings of a step; what it does not say is as in `authConfig`, whose own problems
    `read_auth_settings` reports. Problems of the step are reported."""
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
    form: Literal["json", "form"] = "json" if body_format == "json" and method == "POST" else "form"
    parameters, refresh_parameters = base.parameters, base.refresh_parameters
    if "tokenParams" in step:
        parameters = _read_parameters(reader, "tokenParams", form)
        # A step that has its own says what it sends, whatever its grant is.
        refresh_parameters = None
    if "refreshParams" in step:
        refresh_parameters = _read_parameters(reader, "refreshParams", form)
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
        refresh_parameters=refresh_parameters,
        assertion=_read_assertion(reader) if "clientAssertion" in step else base.assertion,
    )


def _read_parameters(
    reader: StepReader, key: str, form: Literal["json", "form"]
) -> Mapping[str, Tree]:
    parameters = read_fields(reader, f"/{key}", reader.step[key], form)
    if len(parameters) > MAX_PARAMETERS:
        reader.report(f"/{key}", f"has more than {MAX_PARAMETERS} parameters")
    return parameters


def _read_assertion(reader: StepReader) -> AssertionSettings:
    members = reader.members("/clientAssertion", reader.step["clientAssertion"], _ASSERTION) or {}
    parts = {}
    for name, value in ((n, v) for n, v in members.items() if n in _ASSERTION):
        at = f"/clientAssertion/{name}"
        parts[name] = read_template(reader, at, value)
        if any(one.source == "secrets" for one in placeholders_of(parts[name])):
            reader.report(at, "may not have a secret")
    return AssertionSettings(parts.get("audience", ()), parts.get("keyId", ()))


def report_clashes(reader: StepReader, request: TokenRequest) -> None:
    """Reports parameters that the request sends by itself and that `tokenParams` (or
    `refreshParams`) has, too."""
    settings = request.settings
    key = "refreshParams" if request.parameters is settings.refresh_parameters else "tokenParams"
    names = [settings.names.of("token", name) for name in ("grant_type", *_sent(request))]
    sent = {name.casefold() for name in names}
    for name in sorted(name for name in request.parameters if name.casefold() in sent):
        reader.report(f"/{key}", f'has "{name}", which is sent without it')
    if len(set(names)) < len(names):
        reader.report("/parameterNames", "has the name of another parameter that is sent")
    if settings.client_auth in ("basic", "basic_plain"):
        for header in settings.headers:
            if header.name.lower() == "authorization":
                at = f"/tokenHeaders{pointer([header.name])}"
                reader.report(at, "is set by clientAuth, which is basic")


def _sent(request: TokenRequest) -> Iterator[str]:
    yield from request.given
    if request.settings.client_auth in ("body", "none", "private_key_jwt"):
        yield "client_id"
    if request.settings.client_auth == "private_key_jwt":
        yield "client_assertion"
        yield "client_assertion_type"
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


def _read_names(reader: StepReader) -> ParameterNames:
    members = reader.members("/parameterNames", reader.step["parameterNames"], _OWN) or {}
    names: dict[NamePlace, dict[str, str]] = {place: {} for place in NAME_PLACES}
    for own, given in members.items():
        at = f"/parameterNames{pointer([own])}"
        in_places = {place for place, known in _IN_PLACE.items() if own in known}
        by_place = dict.fromkeys(in_places, given) if isinstance(given, str) else given
        if not isinstance(by_place, dict) or not all(map(is_parameter_name, by_place.values())):
            reader.report(at, "must be a name of at most 64 visible characters, or one by place")
        elif unknown := by_place.keys() - in_places:
            reader.report(at, f"is not sent or read in: {', '.join(sorted(map(str, unknown)))}")
        else:
            for place, name in by_place.items():
                names[place][own] = name
    for place, renamed in names.items():
        # Of the many that a request for a token may have, `report_clashes` knows which it has.
        known = renamed if place == "token" else dict.fromkeys(_IN_PLACE[place])
        if len({renamed.get(own, own) for own in known}) < len(known):
            reader.report("/parameterNames", "has a name twice")
            break
    return ParameterNames(**names)


def _read_places(reader: StepReader) -> TokenPlaces:
    default = TokenPlaces()
    places = reader.members("/tokenResponse", reader.step["tokenResponse"], _PLACES) or {}
    refresh = _read_pointers(reader, "refreshToken", places, (default.refresh_token,))
    return TokenPlaces(
        _read_pointers(reader, "accessToken", places, default.access_token),
        refresh[0] if refresh else default.refresh_token,
        _read_pointers(reader, "scope", places, default.scope),
        _read_pointers(reader, "expiresIn", places, default.expires_in),
        _read_pointers(reader, "refreshExpiresIn", places, default.refresh_expires_in),
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
