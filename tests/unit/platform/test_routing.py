"""Which route takes a request, what it gets of the path, and what the gateway is answered."""

import base64
import gzip
import json
from typing import Any

import pytest

from patchbay.platform.cookies import HostCookie
from patchbay.platform.errors import MethodNotAllowed, NotFound
from patchbay.platform.http import HttpApi, RawReply, RawRequest, Reply
from patchbay.platform.responses import Response
from patchbay.platform.routing import RequestPlace, place_of
from tests.integration.api import sample_event


def routes() -> HttpApi:
    """An API whose routes answer which one of them it was, and with what."""
    api = HttpApi("Trial")

    @api.get("/things/<thing>", permission=None)
    def one(thing: str) -> dict[str, str]:
        return {"one": thing}

    @api.get("/things/all", permission=None)
    def every() -> dict[str, str]:
        return {"every": ""}

    @api.post("/things/<other>", permission=None)
    def post(other: str) -> dict[str, str]:
        return {"post": other}

    @api.get("/things/<thing>/parts/<part>", permission=None)
    def part(thing: str, part: str) -> dict[str, str]:
        return {thing: part}

    @api.get("/things/<anything>", permission=None)
    def never(anything: str) -> dict[str, str]:
        return {"never": anything}

    @api.get("/things.json", permission=None)
    def dotted() -> dict[str, str]:
        return {"dotted": ""}

    @api.raw("GET", "/of/<thing>/<path+>", permission=None)
    def rest(thing: str, request: RawRequest) -> RawReply:
        said = {"rest": [thing, request.rest, request.query]}
        return RawReply(200, {"Content-Type": "application/json"}, json.dumps(said).encode())

    @api.page("/files/<path+>")
    def page(request: RawRequest) -> RawReply:
        return RawReply(200, {"Content-Type": "text/html"}, request.rest.encode())

    return api


API = routes()


def event(method: str, path: str, **more: Any) -> dict[str, Any]:
    """As the gateway sends it: the path is decoded."""
    made = sample_event("docs") | {"routeKey": "$default", "rawPath": path, **more}
    made["requestContext"]["http"] |= {"method": method, "path": path}
    return made


def answered(api: HttpApi, method: str, path: str, **more: Any) -> dict[str, Any]:
    return api.resolve(event(method, path, **more))


def json_of(answer: dict[str, Any]) -> Any:
    body = answer["body"]
    return json.loads(base64.b64decode(body) if answer["isBase64Encoded"] else body)


def test_a_path_without_parameters_comes_first_then_the_first_that_was_declared() -> None:
    assert json_of(answered(API, "GET", "/things/all")) == {"every": ""}
    assert json_of(answered(API, "GET", "/things/x")) == {"one": "x"}
    assert json_of(answered(API, "POST", "/things/all")) == {"post": "all"}


@pytest.mark.parametrize(
    "value",
    [
        *("x", "ALL", "0", "-", ".", "..", "~", "a.b", "a b", " ", "%", "%2F", "%2f%2F", "%25"),
        *("%00", "!'()*:@,;=+&$", "<x>", "[x]", "{x}", "|", "^", "ü", "日本", "é"),
        *("a&b=c", "x;y", "con_1", "0" * 2000),
    ],
)
def test_a_parameter_is_one_segment_as_the_gateway_has_decoded_it(value: str) -> None:
    assert json_of(answered(API, "GET", f"/things/{value}")) == {"one": value}
    assert json_of(answered(API, "GET", f"/things/{value}/parts/x")) == {value: "x"}


@pytest.mark.parametrize(
    "value",
    ["", "a/b", "/", '"', "#", "?", "\\", "`", "\n", "a\r", "\t", "\0", "e\u0301", "\u2028", "🙂"],
)
def test_a_segment_with_other_characters_is_no_parameter(value: str) -> None:
    assert answered(API, "GET", f"/things/{value}")["statusCode"] == 404
    assert answered(API, "GET", f"/things/{value}/parts/x")["statusCode"] == 404


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "//", "/things", "/things/", "/things/all/", "//things/all", "/Things/all"),
        *("things/all", "/things//parts/x", "/things/x/parts", "/things/x/parts/", "/x"),
        *("/of/x", "/of/x/", "/of//y", "/files", "/files/"),
        *("/things/all\n", "/things/x\n", "/things/x/parts/y\n", "/thingsxjson"),
    ],
)
def test_nothing_of_a_path_may_be_left_out_or_added(path: str) -> None:
    assert answered(API, "GET", path)["statusCode"] == 404


@pytest.mark.parametrize(
    "rest", ["y", "y/", "/", "//y", "a/b c/../%2F?#\\", "\n", "y\n", "é/🙂", " "]
)
def test_a_rest_is_all_that_follows(rest: str) -> None:
    read = answered(API, "GET", f"/of/x/{rest}", rawQueryString="a=%20&a")
    assert json_of(read) == {"rest": ["x", rest, "a=%20&a"]}
    page = answered(API, "GET", f"/files/{rest}")
    assert base64.b64decode(page["body"]).decode() == rest


def test_the_name_of_a_stage_is_no_part_of_a_path() -> None:
    staged = event("GET", "/v2/things/x")
    staged["requestContext"]["stage"] = "v2"
    assert json_of(API.resolve(staged)) == {"one": "x"}


def test_a_head_is_answered_like_a_get_without_a_body() -> None:
    read, head = (answered(API, method, "/things/x") for method in ("GET", "HEAD"))
    assert head == read | {"body": ""}
    page = answered(API, "HEAD", "/files/x")
    assert (page["statusCode"], page["body"], page["isBase64Encoded"]) == (200, "", False)
    # A raw route takes the method that it names alone.
    assert answered(API, "HEAD", "/of/x/y")["statusCode"] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "OPTIONS", "TRACE", "X"])
def test_a_method_without_a_route_is_not_found(method: str) -> None:
    assert answered(API, method, "/things/x/parts/y")["statusCode"] == 404


def test_what_no_route_takes_may_have_an_answer_of_its_own() -> None:
    # given
    api = routes()

    @api.otherwise
    def otherwise(method: str, path: str) -> Any:
        if path == "/gone":
            raise NotFound(hint=": it is gone")
        if path == "/broken":
            raise KeyError(path)
        raise MethodNotAllowed(["GET", method])

    # then
    refused = answered(api, "PUT", "/things/x")
    assert (refused["statusCode"], refused["headers"]["Allow"]) == (405, "GET, PUT")
    assert json_of(answered(api, "GET", "/gone"))["error"]["message"].endswith(": it is gone.")
    assert json_of(answered(api, "GET", "/broken"))["error"]["code"] == "INTERNAL_ERROR"
    assert answered(api, "GET", "/things/x")["statusCode"] == 200


def test_every_answer_is_whole() -> None:
    assert answered(API, "GET", "/things/x") == {
        "statusCode": 200,
        "body": '{"one":"x"}',
        "isBase64Encoded": False,
        "headers": {"Cache-Control": "no-store", "Content-Type": "application/json"},
        "cookies": [],
    }
    assert answered(API, "GET", "/files/x") == {
        "statusCode": 200,
        "body": base64.b64encode(b"x").decode(),
        "isBase64Encoded": True,
        "headers": {"Content-Type": "text/html"},
        "cookies": [],
    }
    lost = answered(API, "GET", "/x")
    request_id = sample_event("docs")["requestContext"]["requestId"]
    assert json_of(lost)["error"]["trace_id"] == request_id
    assert lost | {"body": ""} == {
        "statusCode": 404,
        "body": "",
        "isBase64Encoded": False,
        "headers": {"Cache-Control": "no-store", "Content-Type": "application/json"},
        "cookies": [],
    }


def test_an_answer_has_its_headers_and_each_cookie() -> None:
    api = HttpApi("Trial")

    @api.get("/made", permission=None, status=201)
    def make() -> Reply[str]:
        cookies = (HostCookie("__Host-a", "1", 60), HostCookie("__Host-b", "2", 0))
        return Reply("made", 7, location="/made/1", cookies=cookies)

    @api.get("/gone", permission=None, status=204)
    def remove() -> None: ...

    made = answered(api, "GET", "/made")
    assert made["statusCode"] == 201
    assert made["cookies"] == [
        "__Host-a=1; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
        "__Host-b=2; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    ]
    assert made["headers"] == {
        "Cache-Control": "no-store",
        "ETag": '"7"',
        "Location": "/made/1",
        "Content-Type": "application/json",
    }
    gone = answered(api, "GET", "/gone")
    assert (gone["statusCode"], gone["body"]) == (204, "")
    assert gone["headers"] == {"Cache-Control": "no-store"}


def test_headers_have_any_case_or_are_missing() -> None:
    api = HttpApi("Trial")

    @api.get("/tag", permission=None)
    def tag(if_match: str | None) -> dict[str, str | None]:
        return {"tag": if_match}

    @api.raw("GET", "/raw/<path+>", permission=None)
    def raw(request: RawRequest) -> RawReply:
        return RawReply(200, {}, json.dumps(dict(request.headers)).encode())

    assert json_of(answered(api, "GET", "/tag", headers={"If-Match": '"1"'})) == {"tag": '"1"'}
    # The gateway joins what came twice.
    twice = answered(api, "GET", "/tag", headers={"if-match": '"1","2"'})
    assert json_of(twice) == {"tag": '"1","2"'}
    assert json_of(answered(api, "GET", "/tag", headers=None)) == {"tag": None}
    last = answered(api, "GET", "/raw/x", headers={"X-A": "1", "x-a": "2", "X-B": "3"})
    assert json_of(last) == {"x-a": "2", "x-b": "3"}
    without = event("GET", "/tag")
    del without["headers"]
    assert json_of(api.resolve(without)) == {"tag": None}


def test_an_answer_of_its_own_is_sent_as_it_is_and_compressed_for_who_takes_it() -> None:
    api = HttpApi("Trial")

    @api.get("/page", permission=None)
    def page() -> Response[str]:
        cookies = (HostCookie("__Host-a", "1", 60),)
        return Response(203, "text/html", "ü" * 500, {"X-A": "1"}, cookies, compressed=True)

    @api.get("/plain", permission=None)
    def plain() -> Response[str]:
        return Response(200, "text/plain", "ü" * 500)

    sent = {"X-A": "1", "Content-Type": "text/html"}
    for coding in ("", "br", "identity"):
        whole = answered(api, "GET", "/page", headers={"accept-encoding": coding})
        assert (whole["body"], whole["isBase64Encoded"]) == ("ü" * 500, False)
        assert (whole["statusCode"], whole["headers"]) == (203, sent)
    packed = answered(api, "GET", "/page", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert gzip.decompress(base64.b64decode(packed["body"])).decode() == "ü" * 500
    assert packed["isBase64Encoded"]
    assert packed["headers"] == sent | {"Content-Encoding": "gzip"}
    assert packed["cookies"] == whole["cookies"]
    as_it_is = answered(api, "GET", "/plain", headers={"accept-encoding": "gzip"})
    assert as_it_is["headers"] == {"Content-Type": "text/plain"}
    assert api.routes[0].returns is str


def mapped(
    base: str, path: str, route: str, found: dict[str, str] | None = None, stage: str = "$default"
) -> Any:
    """The event of a request below the path of an API mapping, or of a stage."""
    event = sample_event("docs") | {
        "routeKey": route,
        "rawPath": base + path,
        "pathParameters": found,
    }
    event["requestContext"] |= {"stage": stage, "http": {"method": route.split()[0]}}
    return event


def located() -> HttpApi:
    api = HttpApi("Trial")

    @api.post("/things/<thing>", permission=None)
    def made(thing: str) -> Reply[dict[str, str]]:
        return Reply({"thing": thing}, location=f"/things/{thing}")

    return api


@pytest.mark.parametrize("base", ["", "/patchbay", "/v1/connect", "/things"])
def test_a_location_is_below_the_path_of_the_api_mapping(base: str) -> None:
    answer = located().resolve(mapped(base, "/things/a", "POST /things/{thing}", {"thing": "a"}))
    assert json.loads(answer["body"]) == {"thing": "a"}
    assert answer["headers"]["Location"] == f"{base}/things/a"


def test_a_location_is_below_the_name_of_the_stage() -> None:
    event = mapped("/dev", "/things/a", "POST /things/{thing}", {"thing": "a"}, "dev")
    assert located().resolve(event)["headers"]["Location"] == "/dev/things/a"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        # A slash that was escaped is a part of the parameter, and no path of a mapping
        ("/things/a/things/b", {"thing": "a/things/b"}),
        ("//evil.example/things/b", {"thing": "b"}),
        ("/things", {}),
    ],
)
def test_what_is_not_the_route_of_the_gateway_has_no_base(path: str, found: dict[str, str]) -> None:
    event = mapped("", path, "POST /things/{thing}", found)
    assert place_of(event) == RequestPlace("", path)
    assert located().resolve(event)["statusCode"] == 404


def test_a_rest_of_a_path_begins_after_the_base() -> None:
    route = "GET /v1/things/{thing}/proxy/{path+}"
    rest = {"thing": "a", "path": "v1/things/b/proxy/c"}
    event = mapped("/v1", "/v1/things/a/proxy/v1/things/b/proxy/c", route, rest)
    assert place_of(event) == RequestPlace("/v1", "/v1/things/a/proxy/v1/things/b/proxy/c")


def test_the_default_route_has_no_base_but_the_stage() -> None:
    assert place_of(mapped("", "/patchbay/docs", "$default")) == RequestPlace("", "/patchbay/docs")
    of_a_stage = mapped("/dev", "/docs", "$default", stage="dev")
    assert place_of(of_a_stage) == RequestPlace("/dev", "/docs")
