"""Steps that depend on each other, or are tried again."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from patchbay.checks.codes import Code
from patchbay.checks.kinds.any_of import TELLING
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from tests.unit.checks.doubles import Handler, guard_for, http_response, serving

pytestmark = pytest.mark.enable_socket

SESSION = "session-4242-abcd"


def recipe(steps: Sequence[dict[str, Any]]) -> Recipe:
    secrets = {"properties": {"password": {"type": "string"}}}
    return Recipe(
        {"secretsSchema": secrets, "checks": {"steps": list(steps)}}, {"type": "none"}, {}
    )


def report_on(handler: Handler, steps: Any) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler) as port:
            planned = recipe(steps(f"http://127.0.0.1:{port}"))
            assert planned.problems == ()
            plan = planned.plan({}, {"password": "right-password"})
            return await run(plan, guard_for(port), total_ms=20_000)

    return asyncio.run(test())


def log_in(url: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "log in",
        "kind": "http",
        "request": {
            "method": "POST",
            "safe": True,
            "url": f"{url}/login",
            "body": {"json": {"password": "{{secrets.password}}"}},
        },
        "obtain": {"session": "/data/token"},
        **changes,
    }


def who_am_i(url: str) -> dict[str, Any]:
    headers = {"X-Session": "{{secrets.session}}"}
    return {"name": "whoami", "kind": "http", "request": {"url": f"{url}/me", "headers": headers}}


async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Issues a session for the right password, and knows the caller by it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if head.startswith("POST /login"):
        length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
        given = json.loads(await reader.readexactly(length))
        answer = {"data": {"token": SESSION}} if given == {"password": "right-password"} else {}
        writer.write(http_response("200 OK", json.dumps(answer).encode()))
    else:
        known = f"X-Session: {SESSION}" in head
        body = b"" if known else SESSION.encode()
        writer.write(http_response("200 OK" if known else "401 Unauthorized", body))


def test_a_step_may_log_in_first_for_those_after_it() -> None:
    report = report_on(provider, lambda url: [log_in(url), who_am_i(url)])

    assert (report.passed, report.verified) == (True, True), report.message
    assert SESSION not in report.model_dump_json()


def test_a_session_that_is_refused_points_to_what_it_was_obtained_with() -> None:
    # given: a session, by which another one is obtained, which the provider does not know
    def steps(url: str) -> list[dict[str, Any]]:
        headers = {"X-Session": "{{secrets.session}}"}
        open_again = {
            "name": "open",
            "kind": "http",
            "request": {"url": f"{url}/me", "headers": headers},
            "obtain": {"inner": {"header": "X-Inner"}},
        }
        headers = {"X-Session": "{{secrets.inner}}"}
        use = {
            "name": "use",
            "kind": "http",
            "request": {"url": f"{url}/me", "headers": headers},
        }
        return [log_in(url), open_again, use]

    async def issuing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("POST"):
            writer.write(http_response("200 OK", json.dumps({"data": {"token": SESSION}}).encode()))
        elif f"X-Session: {SESSION}" in head:
            writer.write(http_response("200 OK", b"{}", "X-Inner: inner-4242"))
        else:
            writer.write(http_response("401 Unauthorized"))

    # when
    report = report_on(issuing, steps)

    # then: no field of the endpoint has either of them
    assert report.code == "auth_invalid"
    assert report.steps[-1].field_pointer == "/secrets/password"


def test_what_is_made_of_an_obtained_secret_is_not_shown() -> None:
    encoded = b64encode(f"me:{SESSION}".encode()).decode()

    def steps(url: str) -> list[dict[str, Any]]:
        basic = {"username": "me", "password": "{{secrets.session}}"}
        use = {
            "name": "use",
            "kind": "http",
            "request": {"url": f"{url}/me", "basic": basic},
            "account": "/who",
        }
        return [log_in(url), use]

    async def echoing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        answer = {"data": {"token": SESSION}} if head.startswith("POST") else {"who": encoded}
        assert head.startswith("POST") or encoded in head
        writer.write(http_response("200 OK", json.dumps(answer).encode()))

    report = report_on(echoing, steps)

    assert report.passed, report.message
    assert report.account == "[redacted]"


def test_an_answer_without_the_secret_fails_the_step_that_wanted_it() -> None:
    report = report_on(
        provider, lambda url: [log_in(url, obtain={"session": "/elsewhere"}), who_am_i(url)]
    )

    assert report.code == "unexpected_response"
    assert [step.skip_reason for step in report.steps][-1] == "gate_failed"


def problems_of(*steps: dict[str, Any]) -> list[str]:
    return [f"{p.pointer} {p.message}" for p in recipe(steps).problems]


def test_a_secret_that_no_step_before_obtains_is_not_declared() -> None:
    url = "https://api.example.com"

    assert problems_of(log_in(url), who_am_i(url)) == []
    assert problems_of(who_am_i(url), log_in(url)) == [
        "/manifest/checks/steps/0/request/headers/X-Session {{secrets.session}} is not declared"
    ]
    assert problems_of(log_in(url, mandatory=False), who_am_i(url)) == [
        "/manifest/checks/steps/1/request/headers/X-Session {{secrets.session}} is not declared"
    ]


@pytest.mark.parametrize(
    ("obtain", "problem"),
    [
        ([], "/obtain must be an object"),
        ({"a b": "/token"}, "/obtain/a b is not a name of a secret"),
        ({"a": "token"}, "/obtain/a must be a JSON Pointer"),
        ({"a": 1}, "/obtain/a must be a JSON Pointer"),
        (dict.fromkeys("abcdef", ""), "/obtain must be an object of at most 5 secrets"),
    ],
)
def test_what_is_wrong_with_what_is_obtained_is_found(obtain: Any, problem: str) -> None:
    [found] = problems_of(log_in("https://api.example.com", obtain=obtain))

    assert found.startswith(f"/manifest/checks/steps/0{problem}")


class Flaky:
    """Fails as it is told, then answers."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


OK = http_response("200 OK")
DOWN = http_response("503 Service Unavailable")


def ping(retry: bool) -> Any:
    return lambda url: [
        {"name": "ping", "kind": "http", "request": {"url": url + "/"}, "retry": retry}
    ]


@pytest.mark.parametrize(
    ("answers", "retry", "passed", "asked"),
    [
        ((DOWN, OK), True, True, 2),
        ((DOWN, OK), False, False, 1),
        ((DOWN, DOWN, OK), True, False, 2),
        ((b"", OK), True, True, 2),
        ((OK,), True, True, 1),
        ((http_response("401 Unauthorized"), OK), True, False, 1),
        ((http_response("429 Too Many Requests"), OK), True, False, 1),
    ],
)
def test_a_step_is_tried_once_more_if_that_may_help(
    answers: tuple[bytes, ...], retry: bool, passed: bool, asked: int
) -> None:
    server = Flaky(*answers)

    report = report_on(server.handle, ping(retry))

    assert (report.passed, server.asked) == (passed, asked), report.message


class Recorder:
    """Answers each request by its path, and keeps the heads of all."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers
        self.heads: list[str] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        path = head.split(" ")[1].partition("?")[0]
        writer.write(self.answers.get(path, http_response("404 Not Found")))


def call(url: str, name: str = "call", **request: Any) -> dict[str, Any]:
    return {"name": name, "kind": "http", "request": {"url": url, **request}}


def test_a_session_is_carried_by_cookies_within_one_test() -> None:
    # given a site that sets a cookie at one step and wants it at the next
    site = Recorder(
        {
            "/login": http_response("200 OK", b"", "Set-Cookie: sid=session-4242-abcd; Path=/"),
            "/me": http_response("200 OK", b'{"name": "user of session-4242-abcd"}'),
        }
    )

    # when
    report = report_on(
        site.handle,
        lambda url: [
            call(f"{url}/login", "log in", cookies=True),
            call(f"{url}/me", "me", cookies=True) | {"account": "/name"},
            call(f"{url}/me", "without"),
        ],
    )

    # then it is sent by those steps that take part, and shown by none
    assert report.passed
    assert [f"Cookie: sid={SESSION}" in head for head in site.heads] == [False, True, False]
    assert report.account == "user of [redacted]"


def test_a_short_value_of_a_cookie_stays_a_word_of_ordinary_texts() -> None:
    # given a site that sets cookies for preferences
    site = Recorder(
        {
            "/login": http_response("200 OK", b"", "Set-Cookie: seen=true", "Set-Cookie: n=12345"),
            "/me": http_response("200 OK", b'{"name": "true user 12345"}'),
        }
    )

    # when
    report = report_on(
        site.handle,
        lambda url: [
            call(f"{url}/login", "log in", cookies=True),
            call(f"{url}/me", "me", cookies=True) | {"account": "/name"},
        ],
    )

    # then
    assert report.account == "true user 12345"


def test_a_redirect_to_itself_with_a_cookie_is_not_a_circle() -> None:
    # given a site that asks whether cookies are kept before it answers
    class Site(Recorder):
        async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            known = "Cookie: seen=1" in head
            ask = http_response("302 Found", b"", "Location: /me", "Set-Cookie: seen=1")
            writer.write(http_response("200 OK") if known else ask)

    # when, then
    with_cookies, without = Site({}), Site({})
    assert report_on(
        with_cookies.handle, lambda url: [call(f"{url}/me", redirects=3, cookies=True)]
    ).passed
    assert len(with_cookies.heads) == 2
    report = report_on(without.handle, lambda url: [call(f"{url}/me", redirects=3)])
    assert report.code == "redirect_loop"


def test_a_cookie_does_not_follow_a_redirect_to_another_origin() -> None:
    site = Recorder({"/me": http_response("200 OK")})

    other = 0

    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        to = f"Location: http://127.0.0.1:{other}/me"
        writer.write(http_response("302 Found", b"", to, "Set-Cookie: sid=1; Path=/"))

    async def test() -> CheckReport:
        nonlocal other
        async with serving(site.handle) as other, serving(first) as port:
            steps = [call(f"http://127.0.0.1:{port}/", redirects=2, cookies=True)]
            plan = recipe(steps).plan({}, {})
            return await run(plan, guard_for(port, other), total_ms=20_000)

    asyncio.run(test())
    assert len(site.heads) == 1
    assert "Cookie" not in site.heads[0]


@pytest.mark.parametrize(
    "obtain",
    [{"session": {"header": "X-Auth-Token"}}, {"session": {"cookie": "csrf"}}],
)
def test_a_secret_is_obtained_from_a_header_or_a_cookie(obtain: dict[str, Any]) -> None:
    # given a server as those that speak Redfish or Django
    headers = (f"X-Auth-Token: {SESSION}", f"Set-Cookie: a=b, csrf={SESSION}; Path=/")
    site = Recorder(
        {"/login": http_response("200 OK", b"", *headers), "/me": http_response("200 OK")}
    )

    # when
    report = report_on(site.handle, lambda url: [log_in(url, obtain=obtain), who_am_i(url)])

    # then
    assert (report.passed, report.verified) == (True, True), report.message
    assert f"\r\nX-Session: {SESSION}\r\n" in site.heads[1]


def test_a_cookie_of_a_redirect_is_obtained_at_its_end() -> None:
    # given a login that sets its cookie and sends the browser on, as most do
    to = "Location: /home"
    site = Recorder(
        {
            "/login": http_response("302 Found", b"", to, f"Set-Cookie: sid={SESSION}; Path=/"),
            "/home": http_response("200 OK", b"", "Set-Cookie: theme=dark"),
            "/me": http_response("200 OK"),
        }
    )
    obtain = {"session": {"cookie": "sid"}}

    # when
    report = report_on(
        site.handle,
        lambda url: [
            log_in(url, obtain=obtain) | {"request": {**log_in(url)["request"], "redirects": 1}},
            who_am_i(url),
        ],
    )

    # then
    assert report.passed, report.message
    assert f"\r\nX-Session: {SESSION}\r\n" in site.heads[2]


def test_a_cookie_that_a_later_redirect_ends_is_not_obtained() -> None:
    site = Recorder(
        {
            "/login": http_response(
                "302 Found", b"", "Location: /home", f"Set-Cookie: sid={SESSION}; Path=/"
            ),
            "/home": http_response("200 OK", b"", "Set-Cookie: sid=; Path=/; Max-Age=0"),
        }
    )
    step = call("", "log in") | {"obtain": {"session": {"cookie": "sid"}}}

    report = report_on(
        site.handle, lambda url: [step | {"request": {"url": f"{url}/login", "redirects": 1}}]
    )

    assert report.code == "unexpected_response"


def test_what_is_optional_is_sent_only_if_it_has_a_value() -> None:
    # given parameters and headers of which an endpoint fills in some
    site = Recorder({"/me": http_response("200 OK")})
    schema = {"properties": {name: {"type": "string"} for name in ("org", "project", "region")}}
    request: dict[str, Any] = {
        "query": {
            "fixed": "a b&c",
            "org": {"optional": "{{variables.org}}"},
            "project": {"optional": "p-{{variables.project}}"},
            "region": "{{variables.region}}",
        },
        "headers": {"X-Org": {"optional": "{{variables.org}}"}, "X-Region": "eu"},
    }

    async def test(variables: dict[str, Any]) -> CheckReport:
        async with serving(site.handle) as port:
            steps = [call(f"http://127.0.0.1:{port}/me?limit=1", **request)]
            planned = Recipe({"checks": {"steps": steps}}, {"type": "none"}, schema)
            assert planned.problems == ()
            return await run(planned.plan(variables, {}), guard_for(port), total_ms=20_000)

    # when
    full = asyncio.run(test({"org": "acme & co", "project": "", "region": "eu"}))
    bare = asyncio.run(test({"region": "eu"}))
    missing = asyncio.run(test({"org": "acme"}))

    # then
    assert (full.passed, bare.passed, missing.code) == (True, True, "config_missing_field")
    lines = [head.split(" ")[1] for head in site.heads]
    assert lines == [
        "/me?limit=1&fixed=a%20b%26c&org=acme%20%26%20co&region=eu",
        "/me?limit=1&fixed=a%20b%26c&region=eu",
    ]
    assert ["X-Org: acme & co" in head for head in site.heads] == [True, False]


def test_values_that_make_a_url_too_long_are_the_customers_to_correct() -> None:
    schema = {"properties": {"org": {"type": "string"}}}
    steps = [call("https://api.example.com/{{variables.org}}")]
    recipe = Recipe({"checks": {"steps": steps}}, {"type": "none"}, schema)
    [long] = recipe.plan({"org": "x" * 3000}, {}).problems
    [encoded] = recipe.plan({"org": "ä" * 1000}, {}).problems
    assert (long.pointer, encoded.pointer) == ("/variables/org", "/variables/org")
    assert encoded.message == "makes the URL too long"


@pytest.mark.parametrize(
    ("request_members", "pointer"),
    [
        ({"query": []}, "query"),
        ({"query": {"": "x"}}, "query/"),
        ({"query": {"a{{variables.x}}": "x"}}, "query/a{{variables.x}}"),
        ({"query": {"a": 1}}, "query/a"),
        ({"query": {"a": {"optional": "constant"}}}, "query/a"),
        ({"query": {"a": {"optional": "{{variables.unknown}}"}}}, "query/a"),
        ({"query": {str(n): "x" for n in range(31)}}, "query"),
        ({"headers": {"X-A": {"maybe": "x"}}}, "headers/X-A"),
        ({"headers": {"Cookie": "a=b"}, "cookies": True}, "headers/Cookie"),
        ({"cookies": 1}, "cookies"),
    ],
)
def test_what_is_wrong_with_parts_of_a_request_is_pointed_at(
    request_members: dict[str, Any], pointer: str
) -> None:
    [found] = problems_of(call("https://api.example.com/", **request_members))
    assert found.startswith(f"/manifest/checks/steps/0/request/{pointer}")


def either(*alternatives: dict[str, Any], **more: Any) -> dict[str, Any]:
    bare = [{k: v for k, v in one.items() if k != "name"} for one in alternatives]
    return {"name": "either", "kind": "any_of", "anyOf": bare, **more}


REFUSED = http_response("401 Unauthorized")


@pytest.mark.parametrize(
    ("first", "second", "code", "asked"),
    [
        (OK, REFUSED, None, 1),
        (REFUSED, OK, None, 2),
        (DOWN, OK, None, 2),
        (REFUSED, REFUSED, "auth_invalid", 2),
        # the key may be good where nothing could be asked
        (REFUSED, DOWN, "provider_error", 2),
        (DOWN, REFUSED, "provider_error", 2),
        (REFUSED, http_response("429 Slow"), "rate_limited", 2),
        # a wrong address says less than an API that judged the key
        (http_response("404 Not Found"), REFUSED, "auth_invalid", 2),
        (http_response("302 Found"), REFUSED, "auth_invalid", 2),
        (http_response("302 Found"), http_response("404 Not Found"), "unexpected_response", 2),
        # the account is there, so the key does not belong to the other
        (REFUSED, http_response("402 Payment Required"), "payment_required", 2),
        (DOWN, http_response("402 Payment Required"), "payment_required", 2),
    ],
)
def test_one_of_several_steps_has_to_pass(
    first: bytes, second: bytes, code: str | None, asked: int
) -> None:
    site = Recorder({"/a": first, "/b": second})

    report = report_on(
        site.handle, lambda url: [either(call(f"{url}/a"), call(f"{url}/b")), call(f"{url}/a")]
    )

    assert report.steps[6].name == "either"
    assert (report.steps[6].code, report.steps[6].status) == (
        code,
        "failed" if code else "passed",
    )
    paths = [head.split(" ")[1] for head in site.heads]
    assert paths[:asked] == ["/a", "/b"][:asked]


def test_how_telling_a_failure_is_is_said_of_each_once() -> None:
    known = [code for _, codes in TELLING for code in codes]
    of_the_platform = {"secret_store_unavailable", "internal_error", "monitor_offline"}

    assert sorted(known) == sorted(set(get_args(Code.__value__)) - of_the_platform)
    assert all(reason for reason, _ in TELLING)


def test_an_alternative_that_hangs_leaves_time_for_the_next() -> None:
    async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET /b"):
            writer.write(OK)
        else:
            await reader.read()

    report = report_on(
        hanging, lambda url: [either(call(f"{url}/a"), call(f"{url}/b"), timeoutMs=1500)]
    )
    assert report.passed, report.message


def test_an_alternative_that_can_not_be_dialed_leaves_the_next() -> None:
    # given a host that does not exist beside one that does
    site = Recorder({"/b": OK})
    report = report_on(
        site.handle,
        lambda url: [either(call("http://x.example.net/a"), call(f"{url}/b"))],
    )
    assert report.passed, report.message

    # when none can be dialed, then the gate says why
    report = report_on(
        site.handle,
        lambda _: [either(call("http://x.example.net/a"), call("http://y.example.net/"))],
    )
    assert (report.code, report.passed) == ("dns_error", False)


def test_what_every_alternative_obtains_can_be_used_after_it() -> None:
    url = "https://api.example.com"
    other = log_in(url, obtain={"other": "/token"})

    assert problems_of(either(log_in(url), log_in(url + "/eu")), who_am_i(url)) == []
    [found] = problems_of(either(log_in(url), other), who_am_i(url))
    assert found.endswith("{{secrets.session}} is not declared")


@pytest.mark.parametrize(
    ("alternatives", "problem"),
    [
        ("x", "/anyOf must be a list of 2 to 4"),
        ([{"kind": "http", "request": {"url": "https://a.example.com"}}], "/anyOf must be a list"),
        ([{"kind": "any_of", "anyOf": []}, "x"], "/anyOf/0/kind must be one of dns, grpc"),
        ([call("https://a.example.com"), call("https://b.example.com")], "/anyOf/0/name is not"),
        ([{"kind": "http", "request": {"url": "x"}}] * 2, "/anyOf/0/request/url must be"),
    ],
)
def test_what_is_wrong_with_alternatives_is_pointed_at(alternatives: Any, problem: str) -> None:
    found = problems_of({"name": "either", "kind": "any_of", "anyOf": alternatives})
    assert found[0].startswith(f"/manifest/checks/steps/0{problem}")


def test_alternatives_count_as_steps() -> None:
    url = "https://api.example.com"
    steps = [either(*[call(url)] * 4) | {"name": f"step {n}"} for n in range(6)]
    [found] = problems_of(*steps)
    assert found.endswith("must be a list of at most 20 steps, alternatives included")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"expect": {"status": [204]}, "obtain": {"a": "/token"}},
            "/obtain/a can't be read: the answer has no body",
        ),
        (
            {"authorities": "{{variables.ca}}"},
            "/authorities is of no use: the step is without TLS",
        ),
    ],
)
def test_what_can_never_be_of_use_is_not_published(changes: dict[str, Any], problem: str) -> None:
    step = log_in("http://api.example.com", **changes)
    schema = {"properties": {"ca": {"type": "string"}}}
    secrets = {"properties": {"password": {"type": "string"}}}
    read = Recipe({"secretsSchema": secrets, "checks": {"steps": [step]}}, {"type": "none"}, schema)
    assert [f"{p.pointer} {p.message}" for p in read.problems] == [
        f"/manifest/checks/steps/0{problem}"
    ]


def test_a_token_may_be_asked_for_with_a_header_of_its_own() -> None:
    step = {
        "name": "token",
        "kind": "oauth2_token",
        "grant": "client_credentials",
        "clientAuth": "omit",
        "tokenHeaders": {"Authorization": "Bearer {{secrets.client_secret}}"},
    }
    auth = {"type": "oauth2", "tokenUrl": "https://auth.example.com/token"}
    assert Recipe({"checks": {"steps": [step]}}, auth, {}).problems == ()


def test_pointers_to_unknown_keys_are_json_pointers() -> None:
    url = "https://api.example.com"
    log_in_with = {**log_in(url), "a/b": 1}
    log_in_with["request"] = {**log_in_with["request"], "c~d": 1}
    alternatives = either(log_in(url, **{"e/f": 1}), log_in(url))

    assert problems_of(log_in_with, alternatives) == [
        "/manifest/checks/steps/0/a~1b is not a known key",
        "/manifest/checks/steps/0/request/c~0d is not a known key",
        "/manifest/checks/steps/1/anyOf/0/e~1f is not a known key",
    ]
