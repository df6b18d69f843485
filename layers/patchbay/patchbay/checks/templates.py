"""`{{variables.name}}` and `{{secrets.name}}` in the texts of a manifest: found and filled in.

A value is encoded for its place, and refused if it would change the structure around it:

| place | what a value may be | encoded |
|---|---|---|
| label (within a host) | letters, digits, hyphens, underscores | in lower case |
| hostname (the whole host; a variable of `"format": "hostname"`) | what the URL parser accepts | as
it is |
| path | a non-empty part of one segment, in which nothing decodes to `.` or `..` between slashes |
all but unreserved |
| query | any value of a parameter | all but unreserved |
| header | visible ASCII, inner spaces | as it is |

"Unreserved" as in RFC 3986, so `/ ? # % &` are all percent-encoded. User info, the name of a
parameter, and the name of a header have no placeholders. A host has no secrets, since names are
sent to resolvers in the clear.

A URL may begin with a variable of `"format": "uri"`: a server that the customer runs, with its
scheme, its port, and a base path of any number of segments. A scheme (`http` or `https`) and a port
(a number) may also be variables by themselves.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, unquote

from patchbay.checks.codes import Code
from patchbay.checks.problems import PlanProblem
from patchbay.egress.failures import BlockDetail, EgressBlocked
from patchbay.egress.headers import value_problem
from patchbay.egress.host_names import is_self
from patchbay.egress.url import (
    DEFAULT_PORTS,
    MAX_URL,
    HttpUrl,
    literal_address,
    parse_host,
    parse_url,
)

if TYPE_CHECKING:
    from patchbay.checks.kept_tokens import KeptToken

type Source = Literal["variables", "secrets"]
type ValuePlace = Literal["label", "hostname", "path", "query", "header"]

MAX_FILLED: Final = 16 * 1024
"""Characters of the values of one text; what they form has limits of its own."""

SCALARS: Final = frozenset({"string", "number", "integer", "boolean"})
"""The types of JSON that can be a part of a text."""
INTEGER: Final = frozenset({"integer", "number"})
ANY: Final = SCALARS | {"array", "object", "null"}

_PLACEHOLDER: Final = re.compile(r"\{\{(variables|secrets)\.([A-Za-z_][A-Za-z0-9_-]{0,63})\}\}")
_URL: Final = re.compile(
    r"(?P<scheme>[a-z]+|\{\{[^{}]*\}\})://(?P<authority>[^/?#]*)(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?"
)
_BASE_URL: Final = re.compile(
    r"(?P<base>\{\{[^{}]*\}\})(?P<path>(?:/[^?#]*)?)(?:\?(?P<query>[^#]*))?"
)
_LABEL_PART: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_SLASH: Final = re.compile(r"[/\\]")
_DOT_SEGMENTS: Final = frozenset({".", ".."})
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class TemplateError(ValueError):
    """A text of the manifest is not a valid template. The message is for the author."""


class ValueRefused(ValueError):
    """A value is missing, or can't go where the manifest puts it. Never has the value.

    `message` goes on where `pointer`, that of the field, stops: "is missing".
    """

    def __init__(
        self,
        pointer: str,
        message: str,
        code: Code = "config_invalid",
        *,
        detail: BlockDetail | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = PlanProblem(pointer, message, code, detail)


@dataclass(frozen=True, slots=True)
class Placeholder:
    source: Source
    name: str

    @property
    def pointer(self) -> str:
        """The field of the endpoint that fills it: `/variables/region`, `/secrets/api_key`."""
        return f"/{self.source}/{self.name}"


type Part = str | Placeholder
type Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Declarations:
    """The names that placeholders may use; `hostnames` and `urls` are the
    variables of format hostname and uri.

    `scopes`, `token_url`, and `refresh_url` are those of `authConfig`. `types` are the types of
    JSON that a variable's value may have, by its name, where the schema says so.
    """

    variables: frozenset[str]
    secrets: frozenset[str]
    hostnames: frozenset[str]
    urls: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ()
    token_url: str | None = None
    refresh_url: str | None = None
    types: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def may_be(self, placeholder: "Placeholder", types: Collection[str]) -> bool:
        """Whether a value of the placeholder can be of one of these types."""
        if placeholder.source == "secrets":
            return "string" in types
        known = self.types.get(placeholder.name)
        return known is None or not known.isdisjoint(types)


@dataclass(frozen=True, slots=True)
class Values:
    """What fills the placeholders: the endpoint's variables (with defaults) and its secrets.

    `kept` is the token that a step must not refresh by itself, because a grant keeps it.
    """

    variables: Mapping[str, object]
    secrets: Mapping[str, str] = field(repr=False)
    kept: "KeptToken | None" = None

    def has(self, placeholder: Placeholder) -> bool:
        """Whether it has a value; an empty string is none."""
        given = self.secrets if placeholder.source == "secrets" else self.variables
        return given.get(placeholder.name) not in (None, "")

    def text(self, placeholder: Placeholder) -> str:
        """The value as text: booleans as `true` and `false`, numbers as in JSON.

        Raises ValueRefused if it is missing or not a scalar.
        """
        if placeholder.source == "secrets":
            secret = self.secrets.get(placeholder.name)
            if not secret:
                raise ValueRefused(placeholder.pointer, "is missing", "secret_not_found")
            return secret
        value = self.variables.get(placeholder.name)
        if value is None:
            raise ValueRefused(placeholder.pointer, "is missing", "config_missing_field")
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int) or (isinstance(value, float) and isfinite(value)):
            return str(value)
        raise ValueRefused(placeholder.pointer, "must be a string, a number, or a boolean")


def split_template(text: str, declared: Declarations, *, types: Collection[str] = SCALARS) -> Parts:
    """The literals and placeholders of `text` in order.

    Raises TemplateError for stray double braces, a name that is not declared, or a variable whose
    values are of none of these types of JSON.
    """
    parts: list[Part] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        parts.append(text[end : match.start()])
        source: Source = "variables" if match[1] == "variables" else "secrets"
        names = declared.variables if source == "variables" else declared.secrets
        if match[2] not in names:
            raise TemplateError(f"{match[0]} is not declared")
        placeholder = Placeholder(source, match[2])
        if not declared.may_be(placeholder, types):
            raise TemplateError(f"{match[0]} has values that can't be used here")
        parts.append(placeholder)
        end = match.end()
    parts.append(text[end:])
    if any(isinstance(part, str) and ("{{" in part or "}}" in part) for part in parts):
        raise TemplateError(
            "has double braces that are neither {{variables.name}} nor {{secrets.name}}"
        )
    return tuple(part for part in parts if part != "")


def placeholders_of(parts: Parts) -> Iterator[Placeholder]:
    return (part for part in parts if isinstance(part, Placeholder))


def pointer_of(parts: Parts) -> str | None:
    """The first field of the endpoint that fills the template; None for a template without any."""
    for part in parts:
        if isinstance(part, Placeholder):
            return part.pointer
    return None


def last_pointer(placeholders: Iterable[Placeholder]) -> str | None:
    """The field of the last variable, or else of the last secret; None if there is none."""
    found = sorted(placeholders, key=lambda placeholder: placeholder.source == "variables")
    return found[-1].pointer if found else None


def without_secrets(parts: Parts, message: str) -> Parts:
    """The template, if no secret is in it. Raises TemplateError with the message."""
    if any(placeholder.source == "secrets" for placeholder in placeholders_of(parts)):
        raise TemplateError(message)
    return parts


def plain(parts: Parts, values: Values) -> str:
    """The text of a template with its values as they are. Raises ValueRefused."""
    require_room(placeholders_of(parts), values, MAX_FILLED)
    return "".join(part if isinstance(part, str) else values.text(part) for part in parts)


def fill(parts: Parts, values: Values, place: ValuePlace) -> str:
    """The text of a template with its values, each encoded for `place`. Raises ValueRefused."""
    if len(parts) == 1 and isinstance(parts[0], Placeholder):
        return encode(_short_text(parts[0], values), place, parts[0].pointer)
    require_room(placeholders_of(parts), values, MAX_FILLED)
    return _encoded(parts, values, place)


def _short_text(placeholder: Placeholder, values: Values) -> str:
    """The text of one value, as `require_room` allows it. Raises ValueRefused."""
    text = values.text(placeholder)
    if len(text) > MAX_FILLED:
        require_room((placeholder,), values, MAX_FILLED)
    return text


def _encoded(parts: Parts, values: Values, place: ValuePlace) -> str:
    return "".join(
        [
            part if isinstance(part, str) else encode(values.text(part), place, part.pointer)
            for part in parts
        ]
    )


def require_room(placeholders: Iterable[Placeholder], values: Values, limit: int) -> None:
    """Raises ValueRefused if the values have more than `limit` characters in all.

    It is asked before anything is filled in: a manifest may use one long value a thousand times.
    """
    left = limit
    for placeholder in placeholders:
        left -= len(values.text(placeholder))
        if left < 0:
            message = f"is too long where it is used: values fill at most {limit} characters there"
            raise ValueRefused(placeholder.pointer, message)


def encode(value: str, place: ValuePlace, pointer: str) -> str:
    """`value` as it may stand in `place`. Raises ValueRefused (with `pointer`) if it may not."""
    if place == "label":
        if not _LABEL_PART.fullmatch(value):
            raise ValueRefused(
                pointer, "may have only letters, digits, hyphens, and underscores, at most 63"
            )
        return value.lower()
    if place == "hostname":
        return _encode_hostname(value, pointer)
    if place == "header":
        problem = value_problem(value)
        if problem:
            raise ValueRefused(pointer, problem)
        return value
    if _CONTROL.search(value) or (place == "path" and not value):
        raise ValueRefused(pointer, "is empty or has control characters")
    try:
        return quote(value, safe="")
    except UnicodeEncodeError as error:
        raise ValueRefused(pointer, "is not valid Unicode text") from error


def _encode_hostname(value: str, pointer: str) -> str:
    # Brackets and ports belong to the URL around the host, so an IPv6 address is not a hostname.
    if ":" in value or "[" in value:
        raise ValueRefused(pointer, "is not a host name")
    try:
        return parse_host(value)
    except EgressBlocked as error:
        raise ValueRefused(pointer, "is not a host name") from error


@dataclass(frozen=True, slots=True)
class HostTemplate:
    """A host of a manifest: a name with placeholders for labels, or one placeholder for it all."""

    parts: Parts
    place: Literal["label", "hostname"]

    @classmethod
    def parse(cls, text: str, declared: Declarations) -> "HostTemplate":
        """Raises TemplateError."""
        parts = without_secrets(split_template(text, declared), "has a secret in its host")
        whole = parts[0] if len(parts) == 1 else None
        if not isinstance(whole, Placeholder):
            template = cls(parts, "label")
            _require_dialable(template.sample())
            return template
        if whole.name not in declared.hostnames:
            raise TemplateError(
                f'takes its whole host from "{whole.name}", which is not declared with '
                '"format": "hostname"'
            )
        return cls(parts, "hostname")

    @property
    def pointer(self) -> str | None:
        """The field of the endpoint that decides the host, None when the author did."""
        return pointer_of(self.parts)

    def fill(self, values: Values) -> str:
        """The host with its values. Raises ValueRefused."""
        host = fill(self.parts, values, self.place)
        if self.pointer is not None:
            try:
                parse_host(host)
            except EgressBlocked as error:
                raise ValueRefused(self.pointer, "does not form a valid host name") from error
        return host

    def sample(self) -> str:
        """The host with a harmless value in each place, to see whether the rest of it is valid."""
        return _sample(self.parts, "x.example.com" if self.place == "hostname" else "x")


def _require_dialable(host: str) -> None:
    """Raises TemplateError for a single label, which is dialed under no circumstances; other rules
    judge whether it is a name at all."""
    try:
        name = parse_host(host)
    except EgressBlocked:
        return
    if "." not in name and literal_address(name) is None and not is_self(name):
        raise TemplateError("can never be dialed: it is not a full domain name")


@dataclass(frozen=True, slots=True)
class OriginTemplate:
    """The scheme, host, and port of a URL; each as the author wrote it, or from a variable."""

    scheme: str | Placeholder
    host: HostTemplate
    port: int | Placeholder | None

    @classmethod
    def parse(cls, scheme: str, authority: str, declared: Declarations) -> "OriginTemplate":
        """Raises TemplateError."""
        raw_host, raw_port = _split_port(authority)
        return cls(
            scheme=_scheme(scheme, declared),
            host=HostTemplate.parse(raw_host, declared),
            port=_port(raw_port, declared),
        )

    @property
    def pointer(self) -> str | None:
        return self.host.pointer

    def placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.host.parts)
        for part in (self.scheme, self.port):
            if isinstance(part, Placeholder):
                yield part

    def fill(self, values: Values) -> str:
        """`scheme://host:port`. Raises ValueRefused."""
        scheme = self.scheme
        if isinstance(scheme, Placeholder):
            pointer, scheme = scheme.pointer, values.text(scheme)
            if scheme not in DEFAULT_PORTS:
                raise ValueRefused(pointer, "must be http or https")
        return f"{scheme}://{self.host.fill(values)}" + self._filled_port(values)

    def _filled_port(self, values: Values) -> str:
        if not isinstance(self.port, Placeholder):
            return "" if self.port is None else f":{self.port}"
        number = values.variables.get(self.port.name)
        if type(number) is not int or not 1 <= number <= 65535:
            raise ValueRefused(self.port.pointer, "must be a port number from 1 to 65535")
        return f":{number}"

    def sample(self) -> str:
        scheme = self.scheme if isinstance(self.scheme, str) else "https"
        port = 1 if isinstance(self.port, Placeholder) else self.port
        return f"{scheme}://{self.host.sample()}" + ("" if port is None else f":{port}")


@dataclass(frozen=True, slots=True)
class BaseTemplate:
    """The beginning of a URL that is a variable as a whole (`"format": "uri"`): scheme, host, port,
    and a path of any number of segments, as of a server that the customer runs."""

    base: Placeholder

    @property
    def pointer(self) -> str:
        return self.base.pointer

    def placeholders(self) -> Iterator[Placeholder]:
        yield self.base

    def fill(self, values: Values) -> str:
        """The URL without the slash at its end. Raises ValueRefused."""
        try:
            url = parse_url(values.text(self.base))
        except EgressBlocked as error:
            raise ValueRefused(
                self.pointer, "must be an http or https URL, such as https://example.com/api"
            ) from error
        if "?" in url.path:
            raise ValueRefused(self.pointer, "must be a URL without a query")
        if _DOT_SEGMENTS.intersection(_SLASH.split(unquote(url.path))):
            raise ValueRefused(self.pointer, "may not lead to another path with dots (./ or ../)")
        return url.address + url.path.rstrip("/")

    def sample(self) -> str:
        return "https://x.example.com/x"


@dataclass(frozen=True)  # without slots, to keep what every test would find out again
class UrlTemplate:
    """An http(s) URL of a manifest, taken apart before anything is filled in.

    `start` is everything before the path of the author. `path` are the segments after the first
    `/`; `query` the parameters as name and value, the name with its `=` as the author wrote it.
    """

    start: OriginTemplate | BaseTemplate
    path: tuple[Parts, ...]
    query: tuple[tuple[str, Parts], ...]

    @classmethod
    def parse(cls, text: str, declared: Declarations) -> "UrlTemplate":
        """Raises TemplateError, even if the URL is valid as a template but not with any value."""
        match = _URL.fullmatch(text) or _BASE_URL.fullmatch(text)
        if not match:
            raise TemplateError("must be an absolute http or https URL without a fragment")
        start: OriginTemplate | BaseTemplate
        if match.re is _URL:
            start = OriginTemplate.parse(match["scheme"], match["authority"], declared)
        else:
            start = BaseTemplate(_base(match["base"], declared))
        raw_query = match["query"]
        template = cls(
            start,
            path=tuple(
                split_template(segment, declared) for segment in match["path"][1:].split("/")
            ),
            query=()
            if raw_query is None
            else tuple(_split_parameter(text, declared) for text in raw_query.split("&")),
        )
        try:
            parse_url(template._sample())
        except EgressBlocked as error:
            raise TemplateError("is not a valid URL") from error
        return template

    @property
    def scheme(self) -> str | None:
        """The scheme, None if a variable decides it."""
        start = self.start
        if isinstance(start, OriginTemplate) and isinstance(start.scheme, str):
            return start.scheme
        return None

    @cached_property
    def host_pointer(self) -> str | None:
        """The field of the endpoint that decides the host, None if the author did."""
        return self.start.pointer

    @cached_property
    def path_pointer(self) -> str | None:
        """The field of the path that most likely has to change if nothing is found there."""
        return last_pointer(part for segment in self.path for part in placeholders_of(segment))

    @cached_property
    def query_pointer(self) -> str | None:
        """The same for the query."""
        return last_pointer(part for _, value in self.query for part in placeholders_of(value))

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.start.placeholders()
        yield from self.path_placeholders()

    def path_placeholders(self) -> Iterator[Placeholder]:
        """Those of the path and the query."""
        for segment in self.path:
            yield from placeholders_of(segment)
        for _, value in self.query:
            yield from placeholders_of(value)

    def fill(self, values: Values) -> str:
        """The URL with its values: the same scheme, port and number of segments and parameters.

        Raises ValueRefused.
        """
        require_room(self.placeholders(), values, MAX_URL)
        return self.start.fill(values) + self._filled_path(values)

    def _filled_path(self, values: Values) -> str:
        """The path and the query. There is room for the values."""
        path = "".join(
            [
                piece if isinstance(piece, str) else f"/{_segment(piece, values)}"
                for piece in self._path_pieces
            ]
        )
        if not self.query:
            return path
        return f"{path}?" + "&".join(
            [name + _encoded(value, values, "query") for name, value in self.query]
        )

    def target(
        self,
        values: Values,
        query: Iterable[tuple[str, str]] = (),
        query_pointer: str | None = None,
    ) -> HttpUrl:
        """The URL with its values and these parameters, which are encoded. Raises ValueRefused, at
        the `query_pointer` if the URL itself has no placeholder."""
        require_room(self._placeholders, values, MAX_URL)
        fixed = self._fixed_origin
        start = "" if fixed else self.start.fill(values)
        path = self._filled_path(values)
        if added := "&".join([f"{name}={value}" for name, value in query]):
            path += ("&" if self.query else "?") + added
        try:
            return fixed.at(path) if fixed else parse_url(start + path)
        except EgressBlocked as error:
            # Each value was encoded for its place: together they are too long.
            pointer = last_pointer(self.placeholders()) or query_pointer or "/variables"
            raise ValueRefused(pointer, "makes the URL too long") from error

    def origin(self, values: Values) -> tuple[str, str, int]:
        """The scheme, canonical host and port that it leads to. Raises ValueRefused."""
        return (self._fixed_origin or parse_url(f"{self.start.fill(values)}/")).origin

    def place(self, values: Values) -> str:
        """The same as `scheme://host:port`. Raises ValueRefused."""
        scheme, host, port = self.origin(values)
        return f"{scheme}://{host}:{port}"

    @cached_property
    def _path_pieces(self) -> tuple[str | Parts, ...]:
        """The segments of the path; those of the author alone as they stand in the URL."""
        return tuple(
            parts if any(placeholders_of(parts)) else "/" + "".join(map(str, parts))
            for parts in self.path
        )

    @cached_property
    def _placeholders(self) -> tuple[Placeholder, ...]:
        return tuple(self.placeholders())

    @cached_property
    def _fixed_origin(self) -> HttpUrl | None:
        """The origin that the author wrote, parsed once for all tests; None if a variable decides
        it."""
        if any(self.start.placeholders()):
            return None
        return parse_url(f"{self.start.fill(Values({}, {}))}/")

    def _sample(self) -> str:
        """The URL with a harmless value in each place, to see whether the rest of it is valid."""
        path = "/".join(_sample(segment, "x") for segment in self.path)
        query = "&".join(name + _sample(value, "x") for name, value in self.query)
        return f"{self.start.sample()}/{path}?{query}"


def _segment(parts: Parts, values: Values) -> str:
    """One segment of a path. Raises ValueRefused."""
    segment = _encoded(parts, values, "path")
    if (pointer := pointer_of(parts)) is None:
        return segment
    # As a server may read it that decodes first, and takes a backslash for a slash.
    if _DOT_SEGMENTS.intersection(_SLASH.split(unquote(segment))):
        raise ValueRefused(pointer, "may not lead to another path with dots (./ or ../)")
    return segment


def _sample(parts: Parts, value: str) -> str:
    return "".join(part if isinstance(part, str) else value for part in parts)


def _split_port(authority: str) -> tuple[str, str | None]:
    if authority.endswith("]"):
        return authority, None
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon else (authority, None)


def _scheme(text: str, declared: Declarations) -> str | Placeholder:
    if text in DEFAULT_PORTS:
        return text
    return _variable(text, declared, "must be an absolute http or https URL without a fragment")


def _port(text: str | None, declared: Declarations) -> int | Placeholder | None:
    if text is None:
        return None
    if text.isascii() and text.isdecimal() and len(text) <= 5:
        if not 1 <= int(text) <= 65535:
            raise TemplateError("can never be dialed: its port is not a number from 1 to 65535")
        return int(text)
    return _variable(text, declared, "must have a port that is a number or {{variables.name}}")


def _base(text: str, declared: Declarations) -> Placeholder:
    base = _variable(text, declared, "must be an absolute http or https URL without a fragment")
    if base.name not in declared.urls:
        raise TemplateError(
            f'takes its beginning from "{base.name}", which does not have "format": "uri"'
        )
    return base


def _variable(text: str, declared: Declarations, message: str) -> Placeholder:
    """The one variable that a text is. Raises TemplateError, with the message if it is not one."""
    parts = split_template(text, declared)
    if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source == "variables":
        return parts[0]
    raise TemplateError(message)


def _split_parameter(text: str, declared: Declarations) -> tuple[str, Parts]:
    name, equals, value = text.partition("=")
    if "{{" in name:
        raise TemplateError("has a placeholder in the name of a query parameter")
    return name + equals, split_template(value, declared)
