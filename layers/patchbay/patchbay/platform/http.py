"""HTTP, once for every function: permissions, input, output, and errors.

A function declares its routes on an `HttpApi`:

    api = HttpApi("Tenancy", lambda: deployment)

    @api.post("/v1/organizations/<organization_id>/spaces", permission=MANAGE, status=201)
    def create_space(organization_id: str, body: NewSpace, stamp: Stamp) -> Reply[Space]:
        space = deployment.tenants.create_space(organization_id, body, stamp)
        return Reply(space, space.revision)

The name of a parameter says what it gets: `caller` the principal, `space` the space of the path's
`<slug>`, `body` the JSON body as that model, `query` the query string as that model, `if_match` the
header's value, `domain_name` the host name that the gateway was called by, `cookies` those of the
browser by name, `browser` what it says of where the request comes from, `raw_query` the query
string as it came, any other name the path parameter of that name. A route that takes a `stamp`
creates something and honors Idempotency-Key.

A request goes through these steps:

1. the caller may do this (401, 403), in the organization of the path (404), and in its own space,
   if it has only one (403, 404);
2. the body is JSON by its headers (415), small enough (413), strict JSON (400) and exactly the
   model (400 with pointers); a route without a body takes none, `{}`, or `null`;
3. a repetition under the same Idempotency-Key gets the first answer;
4. the space of the path is the caller's (404);
5. the route runs; what it returns is sent with its status and ETag;
6. whatever is raised on the way becomes the one error envelope.

A **raw** route (`api.raw`) takes any body, any query, and, as its last path parameter, any rest of
a path (`<path+>`): its function gets them as a `request`, as the gateway gives them, and returns a
`RawReply`. Its steps are 1, 5, and 6, and of step 2 the size. A **page** (`api.page`) is an open
raw route for browsers, under GET and HEAD.

`local/openapi.py` reads the same declarations, so the document can't differ from the code.
"""

import base64
import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import UnionType
from typing import (
    Any,
    Final,
    NamedTuple,
    NotRequired,
    Protocol,
    TypedDict,
    Union,
    Unpack,
    get_args,
    get_origin,
)
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from patchbay.platform.actor import Actor, acting
from patchbay.platform.browser_requests import browser_of
from patchbay.platform.clock import to_second, utc_now
from patchbay.platform.cookies import SESSION_COOKIE, HostCookie, cookies_of
from patchbay.platform.errors import (
    InternalError,
    InvalidInput,
    InvalidJson,
    NotFound,
    PatchbayError,
    PayloadTooLarge,
    Problem,
    UnsupportedMediaType,
)
from patchbay.platform.idempotency import Idempotency, IdempotentRequest, KeptAnswer
from patchbay.platform.ids import Stamp
from patchbay.platform.logging import logger
from patchbay.platform.model import Model
from patchbay.platform.responses import Response, payload
from patchbay.platform.revisions import etag
from patchbay.platform.routing import PARAMETER, Routes, place_of
from patchbay.platform.strict_json import compact, loads, meaning
from patchbay.platform.validation import (
    pointer,
    problems_of,
    with_integers_where_asked,
    with_known_fields,
)

MAX_BODY_BYTES: Final = 256 * 1024
MAX_RAW_BODY_BYTES: Final = 4 * 1024 * 1024
"""In either direction. Lambda takes and gives 6 MB at a time, in which bytes are Base64.
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
JSON_TYPE: Final = "application/json"
MERGE_PATCH_TYPE: Final = "application/merge-patch+json"
"""Of a PATCH, beside JSON_TYPE (RFC 7396)."""

_UTF_8: Final = frozenset({"utf-8", "utf8"})
_PLAIN: Final = {"Accept-Encoding": "identity"}
"""Of the response to a compressed body (RFC 7694, section 3)."""
_REPLACED: Final = "\N{REPLACEMENT CHARACTER}"

type _Headers = Mapping[str, str]
"""Of a request: names in lower case."""

type _Serve = Callable[[Mapping[str, Any], _Headers, Mapping[str, str]], Response[Any]]
"""A route: it takes the event, its headers, and the parameters of its path."""


class Services(Protocol):
    """What routes need of the deployment."""

    @property
    def idempotency(self) -> Idempotency: ...

    def admit(
        self,
        context: Mapping[str, Any],
        permission: str,
        path: Mapping[str, str],
        *,
        in_space: bool,
    ) -> Any:
        """The principal, by the authorizer's context. Raises 401, 403, and 404 for another's
        organization, or a connection of another space than the caller's only one."""
        ...

    def space_for(self, caller: Any, permission: Any, slug: str) -> Any:
        """The space of a slug. Raises 404, even if it is another tenant's."""
        ...


class RouteOptions(TypedDict):
    """How a route is declared.

    `permission` is what the caller must hold, None opens the route to everybody. A route is closed
    to callers of one space, unless it is `in_space`: it takes the `space` of its path, the path
    names a connection, or it narrows what it returns to the caller's space itself. `failures` are
    the error statuses that do not follow from the declaration, `answers` the models of the body
    by status, where the annotation does not say all or is a text: they are for the document, which
    alone calls it, so that a function imports no model that it only describes. `media_type` is
    that of the success, JSON if it is left out. A route that `checks_owner` itself is for what may
    be gone: whether the organization of the path is the caller's, and exists, is for it to say.
    """

    permission: str | None
    in_space: NotRequired[bool]
    status: NotRequired[int]
    failures: NotRequired[tuple[int, ...]]
    answers: NotRequired[Callable[[], dict[int, Any]]]
    media_type: NotRequired[str]
    checks_owner: NotRequired[bool]


class NoQuery(Model):
    """The query string of a route that takes none: what is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class NoBody(Model):
    """The body of a route that takes none."""

    model_config = ConfigDict(extra="forbid")


class Declaring(Protocol):
    """A decorator that declares a route and leaves its function as it is."""

    def __call__[H: Callable[..., Any]](self, handler: H) -> H: ...


class Reply[T](NamedTuple):
    """What a route answers: the body, for a single entity its revision (sent as ETag), a status
    where it differs from the declared one, the path of what was made (sent as Location), and
    cookies, which a repetition under an Idempotency-Key does not get."""

    body: T
    revision: int | None = None
    status: int | None = None
    location: str | None = None
    cookies: tuple[HostCookie, ...] = ()


@dataclass(frozen=True, slots=True)
class RawRequest:
    """What a raw route is asked. `rest` is what stands in place of the last path parameter, as the
    gateway has decoded it: every escape but that of the percent sign. `query` is as it was sent.
    Header names are in lower case."""

    method: str
    rest: str = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RawReply:
    """What a raw route answers: no more is added."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class RouteDeclaration(NamedTuple):
    """A route as declared: what `HttpApi` enforces and the OpenAPI document describes."""

    method: str
    path: str
    permission: str | None
    status: int
    tag: str
    handler: Callable[..., Any]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    returns: Any
    path_parameters: tuple[str, ...]
    failures: tuple[int, ...]
    answers: Callable[[], dict[int, Any]]
    takes: frozenset[str] = frozenset()
    media_type: str = JSON_TYPE
    in_space: bool = False
    checks_owner: bool = False
    name: str = ""
    """Of the operation."""

    @property
    def is_raw(self) -> bool:
        return "request" in self.takes


class HttpApi:
    """The routes of one function.

    `tag` groups them in the document. `services` is called with each request; without it, every
    route has to be open to everybody.
    """

    def __init__(self, tag: str, services: Callable[[], Services] | None = None) -> None:
        self.routes: list[RouteDeclaration] = []
        self._tag = tag
        self._services = services
        self._serving: Routes[_Serve] = Routes()
        self._fallback: Callable[[str, str], Response[Any]] | None = None

    def get(self, rule: str, **options: Unpack[RouteOptions]) -> Declaring:
        return self._route("GET", rule, options)

    def post(self, rule: str, **options: Unpack[RouteOptions]) -> Declaring:
        return self._route("POST", rule, options)

    def patch(self, rule: str, **options: Unpack[RouteOptions]) -> Declaring:
        return self._route("PATCH", rule, options)

    def delete(self, rule: str, **options: Unpack[RouteOptions]) -> Declaring:
        return self._route("DELETE", rule, options)

    def raw(self, method: str, rule: str, **options: Unpack[RouteOptions]) -> Declaring:
        """A raw route. `rule` ends with `<…+>`."""
        return self._route(method, rule, options)

    def page(self, rule: str, media_type: str = "text/html") -> Declaring:
        """An open raw route under GET and HEAD, for browsers."""
        options: RouteOptions = {
            "permission": None,
            "media_type": media_type,
            "failures": (404,),
        }

        def declare[H: Callable[..., Any]](handler: H) -> H:
            self._route("GET", rule, options)(handler)
            return self._route("HEAD", rule, options, prefix="head_")(handler)

        return declare

    def _route(self, method: str, rule: str, options: RouteOptions, prefix: str = "") -> Declaring:
        def declare[H: Callable[..., Any]](handler: H) -> H:
            declared = _declare(handler, rule, method, self._tag, options, prefix)
            self.routes.append(declared)
            # The gateway has no routes for HEAD: one reaches only the function of the default
            # route, whose routes are open.
            methods = ["GET", "HEAD"] if method == "GET" and not declared.is_raw else [method]
            self._serving.add(methods, rule, self._serve(declared))
            return handler

        return declare

    def otherwise(
        self, handler: Callable[[str, str], Response[Any]]
    ) -> Callable[[str, str], Response[Any]]:
        """Declares what answers, or raises the answer, for a method and a path that no route
        takes."""
        self._fallback = handler
        return handler

    def resolve(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answers one API Gateway event (payload 2.0) and logs one line about it."""
        started = time.perf_counter()
        request = event["requestContext"]
        logger.set_correlation_id(request["requestId"])
        headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
        place = place_of(event)
        if place.base:
            event = {**event, "rawPath": place.path}
        response = self._response_to(event, headers)
        answer = payload(response, headers.get("accept-encoding", ""))
        if place.base and (location := answer["headers"].get("Location", "")).startswith("/"):
            answer["headers"]["Location"] = place.base + location
        if request["http"]["method"] == "HEAD":
            answer |= {"body": "", "isBase64Encoded": False}
        logger.info(
            "request",
            method=request["http"]["method"],
            route=event.get("routeKey"),
            status=answer["statusCode"],
            duration_ms=round((time.perf_counter() - started) * 1000, 1),
            subject=_authorizer_context(request).get("subject")
            or _authorizer_context(request).get("session_id"),
        )
        return answer

    def _response_to(self, event: Mapping[str, Any], headers: _Headers) -> Response[Any]:
        request = event["requestContext"]
        method, path = request["http"]["method"], event["rawPath"]
        try:
            if found := self._serving.find(method.upper(), path):
                serve, parameters = found
                return serve(event, headers, parameters)
            if self._fallback:
                return self._fallback(method, path)
            raise NotFound
        except PatchbayError as error:
            known = error
        except Exception as error:
            # Only the type and the place: the text of an unforeseen error may quote the request.
            logger.error("unforeseen", error=type(error).__name__, at=_place(error))
            known = InternalError()
        return error_response(known, request["requestId"], utc_now())

    def _serve(self, declared: RouteDeclaration) -> _Serve:
        def serve(
            event: Mapping[str, Any], headers: _Headers, path: Mapping[str, str]
        ) -> Response[Any]:
            caller = self._admitted(declared, event, path)
            if caller is None:
                return answer(caller, event, headers, path)
            trace_id = event["requestContext"]["requestId"]
            with acting(Actor(caller.subject, utc_now(), trace_id, caller.organization_id)):
                return answer(caller, event, headers, path)

        def answer(
            caller: Any, event: Mapping[str, Any], headers: _Headers, path: Mapping[str, str]
        ) -> Response[Any]:
            arguments: dict[str, Any] = dict(path)
            if "domain_name" in declared.takes:
                # The gateway's word, not the Host header's, which is the caller's to choose.
                arguments["domain_name"] = event["requestContext"]["domainName"]
            if declared.is_raw:
                arguments["request"] = _raw_request(event, declared, headers)
                return _response(declared.handler(**arguments), declared.status)
            raw = _raw_body(event, headers, declared.method)
            is_read_here = "raw_query" not in declared.takes
            if is_read_here and (declared.permission is not None or declared.query):
                query = _query(event, declared.query or NoQuery)
                if declared.query:
                    arguments["query"] = query
            if declared.body:
                arguments["body"] = _body(raw, declared.body)
            elif raw.strip() not in (b"", b"null"):
                _body(raw, NoBody)
            if "caller" in declared.takes:
                arguments["caller"] = caller
            if "if_match" in declared.takes:
                arguments["if_match"] = headers.get("if-match")
            if "browser" in declared.takes:
                arguments["browser"] = browser_of(event)
            if "cookies" in declared.takes:
                arguments["cookies"] = cookies_of(event)
            if "raw_query" in declared.takes:
                arguments["raw_query"] = event.get("rawQueryString") or ""

            def run(**stamp: Stamp) -> Response[Any]:
                given = {**arguments, **stamp}
                if "space" in declared.takes:
                    slug = given.pop("slug")
                    given["space"] = self._deployment.space_for(caller, declared.permission, slug)
                return _response(declared.handler(**given), declared.status)

            if "stamp" not in declared.takes:
                return run()
            key = headers.get("idempotency-key")
            if key is None:
                return run(stamp=Stamp.fresh(utc_now()))
            request = IdempotentRequest(
                organization_id=caller.organization_id,
                credential=_credential(event, headers),
                route=f"{declared.method} {event['rawPath']}?{_sorted_query(event)}",
                key=key,
                body=meaning(loads(raw)) if raw.strip() else b"",
            )
            return _once(self._deployment.idempotency, request, lambda stamp: run(stamp=stamp))

        return serve

    def _admitted(
        self, declared: RouteDeclaration, event: Mapping[str, Any], path: Mapping[str, str]
    ) -> Any:
        """The principal; None where the route is open to everybody."""
        if declared.permission is None:
            return None
        request = event["requestContext"]
        known = {} if declared.checks_owner else path
        return self._deployment.admit(
            _authorizer_context(request), declared.permission, known, in_space=declared.in_space
        )

    @property
    def _deployment(self) -> Services:
        if self._services is None:
            raise InternalError
        return self._services()


def error_response(error: PatchbayError, trace_id: str, now: datetime) -> Response[Any]:
    """The envelope that every failure of every route has."""
    # A 404 may be kept otherwise (RFC 9111, section 4.2.2).
    headers: dict[str, str] = {"Cache-Control": "no-store"}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if allowed := error.details.get("allowed"):
        headers["Allow"] = ", ".join(allowed)
    if isinstance(error, UnsupportedMediaType):
        headers |= error.headers
    envelope = {
        "success": False,
        "error": {
            "code": error.code,
            "message": error.message,
            "type": "client_error" if error.status < 500 else "server_error",
            "status": error.status,
            "details": error.details,
            "trace_id": trace_id,
            "timestamp": to_second(now),
        },
    }
    return Response(error.status, JSON_TYPE, compact(envelope).decode(), headers)


def _declare(
    handler: Callable[..., Any],
    rule: str,
    method: str,
    tag: str,
    options: RouteOptions,
    prefix: str,
) -> RouteDeclaration:
    signature = inspect.signature(handler)
    kinds = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    returns = signature.return_annotation
    # A union of generic types is another class than one of plain ones.
    if get_origin(returns) in (Union, UnionType):
        returns = get_args(returns)[0]
    if get_origin(returns) in (Reply, Response):
        [returns] = get_args(returns)
    return RouteDeclaration(
        method=method,
        path=PARAMETER.sub(r"{\1}", rule),
        permission=options["permission"],
        status=options.get("status", 200),
        tag=tag,
        handler=handler,
        body=kinds.pop("body", None),
        query=kinds.pop("query", None),
        returns=returns,
        path_parameters=tuple(name.rstrip("+") for name in PARAMETER.findall(rule)),
        failures=options.get("failures", ()),
        answers=options.get("answers", dict),
        takes=frozenset(kinds),
        media_type=options.get("media_type", JSON_TYPE),
        in_space=options.get("in_space", False),
        checks_owner=options.get("checks_owner", False),
        name=prefix + handler.__name__,
    )


def _authorizer_context(request: Mapping[str, Any]) -> Mapping[str, Any]:
    context: Mapping[str, Any] = (request.get("authorizer") or {}).get("lambda") or {}
    return context


def _credential(event: Mapping[str, Any], headers: _Headers) -> str:
    """What the caller is known by, as the authorizer reads it."""
    if "authorization" in headers:
        # How the scheme is spelled does not change the caller.
        return headers["authorization"].rpartition(" ")[2]
    return cookies_of(event)[SESSION_COOKIE]


def _once(
    idempotency: Idempotency, request: IdempotentRequest, make: Callable[[Stamp], Response[Any]]
) -> Response[Any]:
    made: list[Response[Any]] = []

    def work(stamp: Stamp) -> KeptAnswer:
        made.append(make(stamp))
        return KeptAnswer(made[0].status, made[0].all_headers, str(made[0].body))

    kept = idempotency.once(request, utc_now(), work)
    if made:
        return made[0]
    headers: dict[str, str] = {**kept.headers, "Idempotent-Replayed": "true"}
    return Response(kept.status, JSON_TYPE, kept.text, headers)


def _raw_request(
    event: Mapping[str, Any], declared: RouteDeclaration, headers: _Headers
) -> RawRequest:
    """Raises 400 and 413."""
    before = declared.path.count("/")
    return RawRequest(
        method=declared.method,
        rest=event["rawPath"].split("/", before)[before],
        query=event.get("rawQueryString") or "",
        headers=headers,
        body=_bytes_of_body(event, MAX_RAW_BODY_BYTES),
    )


def _raw_body(event: Mapping[str, Any], headers: _Headers, method: str) -> bytes:
    """The body, empty if there is none. Raises 400 for what is not text in UTF-8, 413, and 415."""
    if not event.get("body"):
        return b""
    _require_json(headers, method)
    return _bytes_of_body(event, MAX_BODY_BYTES)


def _bytes_of_body(event: Mapping[str, Any], limit: int) -> bytes:
    """Raises `InvalidJson` and `PayloadTooLarge`."""
    text: str = event.get("body") or ""
    try:
        raw = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    except ValueError:
        raise InvalidJson([Problem("", "the body can't be decoded")]) from None
    if len(raw) > limit:
        raise PayloadTooLarge(limit)
    if _REPLACED in text:
        # The gateway has put it in place of bytes that are not UTF-8, and does not tell.
        message = "the text is not UTF-8, or has the character U+FFFD, which must be escaped"
        raise InvalidJson([Problem("", message)])
    return raw


def _require_json(headers: _Headers, method: str) -> None:
    """Raises `UnsupportedMediaType` if the headers say that the body is not plain JSON in UTF-8.

    A body without a Content-Type is read as JSON.
    """
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UnsupportedMediaType(
            "Content-Encoding", "must be left out: send the body as it is", _PLAIN
        )
    if not (said := headers.get("content-type", "").strip()):
        return
    taken = (JSON_TYPE, MERGE_PATCH_TYPE) if method == "PATCH" else (JSON_TYPE,)
    kind, *parameters = (part.strip() for part in said.split(";"))
    if kind.lower() not in taken:
        raise UnsupportedMediaType(
            "Content-Type", f"must be {' or '.join(taken)}", {"Accept": ", ".join(taken)}
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in _UTF_8:
            raise UnsupportedMediaType(
                "Content-Type", "must have the charset utf-8, or none", {"Accept": ", ".join(taken)}
            )


def _body(raw: bytes, model: type[BaseModel]) -> BaseModel:
    if not raw.strip():
        raise InvalidJson([Problem("", "a JSON body is required")])
    value = loads(raw)
    try:
        # Strict in pydantic's JSON mode: no "1" for 1, but texts for times and enumerations.
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        problem = error
    if with_integers_where_asked(value, problem):
        try:
            return model.model_validate_json(compact(value), strict=True)
        except ValidationError as error:
            problem = error
    raise InvalidInput(with_known_fields(problems_of(problem), model))


def _query(event: Mapping[str, Any], model: type[BaseModel]) -> BaseModel:
    try:
        pairs = parse_qsl(
            event.get("rawQueryString") or "",
            keep_blank_values=True,
            errors="strict",
            max_num_fields=50,
        )
    except ValueError:
        raise InvalidInput.at("/query", "the query string can't be read") from None
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInput(
            [Problem(pointer(["query", name]), "must not be repeated") for name in twice]
        )
    try:
        return model.model_validate(values)
    except ValidationError as error:
        found = problems_of(error, "/query")
        raise InvalidInput(with_known_fields(found, model, "/query")) from None


def _sorted_query(event: Mapping[str, Any]) -> str:
    """The query string with its parameters in one order."""
    return "&".join(sorted((event.get("rawQueryString") or "").split("&")))


def _response(answer: Any, status: int) -> Response[Any]:
    if isinstance(answer, Response):
        return answer
    if isinstance(answer, RawReply):
        return Response(answer.status, body=answer.body, headers=answer.headers)
    headers: dict[str, str] = {"Cache-Control": "no-store"}
    cookies: tuple[HostCookie, ...] = ()
    if isinstance(answer, Reply):
        cookies = answer.cookies
        if answer.revision is not None:
            headers["ETag"] = etag(answer.revision)
        if answer.location is not None:
            headers["Location"] = answer.location
        status, answer = answer.status or status, answer.body
    if answer is None:
        return Response(204, headers=headers, cookies=cookies)
    if isinstance(answer, BaseModel):
        text = answer.model_dump_json(by_alias=True)
    else:
        text = compact(answer).decode()
    return Response(status, JSON_TYPE, text, headers, cookies)


def _place(error: BaseException) -> list[str]:
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return places[-8:]
