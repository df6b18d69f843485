"""From manifest and values to a plan."""

from dataclasses import replace
from typing import Any

import pytest

from patchbay.checks.kinds.http import HttpProbe
from patchbay.checks.plan import Plan
from patchbay.checks.recipe import Recipe
from tests.unit.checks.doubles import KEY, target_for
from tests.unit.checks.targets import CheckTarget

SCHEMA = {"properties": {"region": {"type": "string"}, "host": {"format": "hostname"}}}
URL = "https://{{variables.region}}.api.example.com/v1/me"


def http_step(**changes: Any) -> dict[str, Any]:
    return {"name": "whoami", "kind": "http", "request": {"url": URL}, **changes}


def probe_of(plan: Plan, index: int = 0) -> HttpProbe:
    probe = plan.steps[index].compiled.probe
    assert isinstance(probe, HttpProbe)
    return probe


def headers_of(target: CheckTarget) -> dict[str, str]:
    return dict(probe_of(target.plan()).request.headers)


def problems_of(*steps: object, **more: Any) -> list[str]:
    manifest = {"checks": {"steps": list(steps)}, **more}
    return [p.pointer for p in Recipe(manifest, {"type": "api_key"}, SCHEMA).problems]


def test_a_step_is_a_mandatory_gate_and_a_capability_is_not_mandatory() -> None:
    # when
    plan = target_for(
        http_step(), http_step(name="reads", category="capability", mandatory=False)
    ).plan()

    # then
    assert plan.problems == ()
    assert plan.timeout_ms == 10_000
    assert [(s.name, s.category, s.mandatory) for s in plan.steps] == [
        ("whoami", "gate", True),
        ("reads", "capability", False),
    ]
    assert probe_of(plan).request.target.url == "https://eu.api.example.com/v1/me"


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({}, ("Authorization", f"Bearer {KEY}")),
        ({"authValuePrefix": "Bearer"}, ("Authorization", f"Bearer {KEY}")),
        ({"authValuePrefix": "Bearer "}, ("Authorization", f"Bearer {KEY}")),
        ({"authValuePrefix": "Token token="}, ("Authorization", f"Token token={KEY}")),
        ({"authValuePrefix": ""}, ("Authorization", KEY)),
        ({"authHeaderName": "X-Api-Key"}, ("X-Api-Key", KEY)),
        ({"authHeaderName": "X-Api-Key", "authValuePrefix": "v1"}, ("X-Api-Key", f"v1 {KEY}")),
        ({"authHeaderName": None, "authValuePrefix": None}, ("Authorization", f"Bearer {KEY}")),
    ],
)
def test_an_api_key_goes_where_the_auth_config_says(
    auth: dict[str, object], header: tuple[str, str]
) -> None:
    target = replace(target_for(http_step()), auth_config={"type": "api_key", **auth})
    assert headers_of(target) == dict([header])


def test_oauth2_sends_the_access_token() -> None:
    target = replace(
        target_for(http_step()), auth_config={"type": "oauth2"}, secrets={"access_token": "at"}
    )
    assert headers_of(target) == {"Authorization": "Bearer at"}


def test_a_step_may_go_without_the_credential_and_then_proves_nothing() -> None:
    plan = target_for(http_step(auth=False)).plan()
    assert probe_of(plan).request.headers == ()
    assert not plan.steps[0].compiled.proves_access


def test_without_authentication_any_successful_step_proves_access() -> None:
    target = replace(target_for(http_step()), auth_config={"type": "none"}, secrets={})
    plan = target.plan()
    assert probe_of(plan).request.headers == ()
    assert plan.steps[0].compiled.proves_access


def test_a_step_that_expects_a_refusal_proves_nothing() -> None:
    plan = target_for(http_step(expect={"status": [200, 401]})).plan()
    assert not plan.steps[0].compiled.proves_access


def test_basic_takes_the_place_of_the_credential() -> None:
    # given
    step = http_step(
        request={
            "url": URL,
            "basic": {"username": "{{variables.region}}", "password": "{{secrets.api_key}}"},
        }
    )

    # when
    plan = target_for(step).plan()

    # then the encoded pair is as secret as the key in it
    headers = dict(probe_of(plan).request.headers)
    encoded = headers["Authorization"].removeprefix("Basic ")
    assert encoded == "ZXU6c2tfbGl2ZV80MjQyc2VjcmV0"
    assert {KEY, encoded} <= set(plan.secret_values)
    assert plan.steps[0].compiled.credential_pointer == "/secrets/api_key"


def test_missing_values_are_problems_of_the_plan_with_their_fields() -> None:
    # given
    target = replace(
        target_for(http_step()),
        variables={},
        secrets={},
        variables_schema={"properties": {"region": {}, "account": {}}, "required": ["account"]},
    )

    # when
    plan = target.plan()

    # then
    assert plan.steps == ()
    assert {(p.pointer, p.code) for p in plan.problems} == {
        ("/variables/account", "config_missing_field"),
        ("/variables/region", "config_missing_field"),
        ("/secrets/api_key", "secret_not_found"),
    }


def test_an_api_key_is_asked_for_even_when_no_step_sends_it() -> None:
    plan = replace(target_for(), secrets={}).plan()
    assert [p.code for p in plan.problems] == ["secret_not_found"]


def test_a_variable_takes_the_default_of_its_schema() -> None:
    target = replace(
        target_for(http_step()),
        variables={},
        variables_schema={"properties": {"region": {"default": "us"}}},
    )
    assert probe_of(target.plan()).request.target.host == "us.api.example.com"


def test_a_refused_value_is_a_problem_and_is_not_quoted() -> None:
    # given a key pasted with its line break, and a region that is a host
    target = replace(
        target_for(http_step()),
        variables={"region": "evil.example.com/"},
        secrets={"api_key": "sk-1\n"},
    )

    # when
    plans = [target.plan(), replace(target, variables={"region": "eu"}).plan()]

    # then
    problems = [problem for plan in plans for problem in plan.problems]
    assert [p.pointer for p in problems] == ["/variables/region", "/secrets/api_key"]
    assert not any("evil" in p.message or "sk-1" in p.message for p in problems)


def test_printing_a_plan_or_its_target_shows_no_secret() -> None:
    target = target_for(http_step())
    plan = target.plan()
    assert KEY not in f"{target!r}{plan!r}{plan.steps[0].compiled!r}"


def test_a_broken_manifest_is_a_problem_and_not_an_error() -> None:
    target = replace(target_for(), manifest={"checks": {"steps": [{"kind": "telnet"}, 3]}})
    plan = target.plan()
    assert plan.steps == ()
    assert {p.code for p in plan.problems} == {"config_invalid"}


def test_a_manifest_without_checks_has_an_empty_plan() -> None:
    plan = replace(target_for(), manifest={}).plan()
    assert (plan.steps, plan.problems) == ((), ())


def test_a_good_manifest_has_no_problems() -> None:
    step = http_step(
        category="capability",
        capability="reads",
        timeoutMs=2000,
        request={
            "url": URL,
            "method": "POST",
            "safe": True,
            "headers": {"X-A": "{{variables.region}}"},
        },
        expect={
            "status": [200],
            "json": {"/a": {"type": "array"}, "/b": 1, "/c": {"exists": False}},
            "headers": {"X-B": {"equals": "c"}},
        },
        account="/d/name",
    )
    assert problems_of(http_step(name="first"), step, capabilities=["reads"]) == []


def test_without_a_mandatory_step_a_test_could_only_pass() -> None:
    for step in (http_step(mandatory=False), http_step(category="capability")):
        assert problems_of(step) == ["/manifest/checks/steps"]


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        (http_step(kind="telnet"), "/kind"),
        (http_step(kind=None), "/kind"),
        (http_step(name=""), "/name"),
        (http_step(name="a\n"), "/name"),
        (http_step(name="tls"), "/name"),
        (http_step(category="maybe"), "/category"),
        (http_step(mandatory="yes"), "/mandatory"),
        (http_step(capability="unknown"), "/capability"),
        (http_step(timeoutMs=60_001), "/timeoutMs"),
        (http_step(timeoutMs=True), "/timeoutMs"),
        (http_step(retries=3), "/retries"),
        (http_step(auth="no"), "/auth"),
        (http_step(account="name"), "/account"),
        (http_step(request=None), "/request"),
        (http_step(request={"url": URL, "proxy": "x"}), "/request/proxy"),
        (http_step(request={}), "/request/url"),
        (http_step(request={"url": "/v1/me"}), "/request/url"),
        (http_step(request={"url": "https://a.example.com/{{variables.x}}"}), "/request/url"),
        (http_step(request={"url": URL, "method": "DELETE"}), "/request/method"),
        (http_step(request={"url": URL, "method": "POST"}), "/request/method"),
        (http_step(request={"url": URL, "method": "DELETE", "safe": True}), "/request/method"),
        (http_step(request={"url": URL, "safe": 1}), "/request/safe"),
        (http_step(request={"url": URL, "redirects": 6}), "/request/redirects"),
        (http_step(request={"url": URL, "headers": []}), "/request/headers"),
        (http_step(request={"url": URL, "headers": {"A": "x", "a": "y"}}), "/request/headers"),
        (http_step(request={"url": URL, "headers": {"Host": "x"}}), "/request/headers/Host"),
        (http_step(request={"url": URL, "headers": {"X-A": "é"}}), "/request/headers/X-A"),
        (http_step(request={"url": URL, "headers": {"X-A": 1}}), "/request/headers/X-A"),
        (
            http_step(request={"url": URL, "headers": {"{{variables.region}}": "x"}}),
            "/request/headers/{{variables.region}}",
        ),
        (
            http_step(request={"url": URL, "headers": {"authorization": "x"}}),
            "/request/headers/authorization",
        ),
        (http_step(request={"url": URL, "basic": {"username": "a"}}), "/request/basic"),
        (
            http_step(request={"url": URL, "basic": {"username": "a", "password": 1}}),
            "/request/basic/password",
        ),
        (http_step(expect=[]), "/expect"),
        (http_step(expect={"body": ""}), "/expect/body"),
        (http_step(expect={"status": []}), "/expect/status"),
        (http_step(expect={"status": [99]}), "/expect/status"),
        (http_step(expect={"status": [True]}), "/expect/status"),
        (http_step(expect={"json": []}), "/expect/json"),
        (http_step(expect={"json": {"ok": True}}), "/expect/json/ok"),
        (http_step(expect={"json": {"/a": {"b": 1}}}), "/expect/json/~1a/b"),
        (http_step(expect={"json": {"/a": {"type": "text"}}}), "/expect/json/~1a/type"),
        (http_step(expect={"headers": {"a b": "x"}}), "/expect/headers/a b"),
    ],
)
def test_what_is_wrong_with_a_step_is_found_where_it_is(step: object, pointer: str) -> None:
    assert f"/manifest/checks/steps/0{pointer}" in problems_of(step)


def test_what_is_wrong_around_the_steps_is_found() -> None:
    assert problems_of(http_step(), http_step()) == ["/manifest/checks/steps/1/name"]
    assert problems_of(3) == ["/manifest/checks/steps/0"]
    assert problems_of(*[http_step(name=f"s{n}") for n in range(21)]) == ["/manifest/checks/steps"]
    for checks, pointer in [
        ([], "/manifest/checks"),
        ({"every": 1}, "/manifest/checks/every"),
        ({"timeoutMs": 0}, "/manifest/checks/timeoutMs"),
        ({"steps": {}}, "/manifest/checks/steps"),
    ]:
        assert [p.pointer for p in Recipe({"checks": checks}, {}, {}).problems] == [pointer]


@pytest.mark.parametrize(
    ("auth", "pointer"),
    [
        ({"type": "magic"}, "/authConfig/type"),
        ({"type": ["api_key"]}, "/authConfig/type"),
        ({"type": "api_key", "authHeaderName": "Host"}, "/authConfig/authHeaderName"),
        ({"type": "api_key", "authHeaderName": 1}, "/authConfig/authHeaderName"),
        ({"type": "api_key", "authValuePrefix": "a\r\n"}, "/authConfig/authValuePrefix"),
    ],
)
def test_an_auth_config_that_can_not_be_sent_is_a_problem(
    auth: dict[str, object], pointer: str
) -> None:
    assert [p.pointer for p in Recipe({}, auth, {}).problems] == [pointer]


def test_secrets_of_the_manifests_own_schema_may_be_used() -> None:
    # given
    step = http_step(
        request={"url": "https://api.example.com/", "headers": {"X-App": "{{secrets.app}}"}}
    )
    schema = {"properties": {"app": {}, "other": {}}, "required": ["other"]}
    target = replace(
        target_for(step), manifest={"checks": {"steps": [step]}, "secretsSchema": schema}
    )

    # when
    plan = target.plan()

    # then
    assert {p.pointer for p in plan.problems} == {"/secrets/app", "/secrets/other"}


def test_a_base_url_decides_where_secrets_go_with_its_path() -> None:
    # given an integration of servers that customers run
    step = {"name": "me", "kind": "http", "request": {"url": "{{variables.base_url}}/me"}}
    schema = {"properties": {"base_url": {"type": "string", "format": "uri"}}}
    recipe = Recipe({"checks": {"steps": [step]}}, {"type": "api_key"}, schema)

    # when
    bindings = [
        recipe.binding("int_1", {"base_url": url})
        for url in (
            "https://a.example.com/x",
            "https://a.example.com/y",
            "http://a.example.com/x",
            "https://a.example.com:8443/x",
        )
    ]

    # then
    assert recipe.problems == ()
    assert len({str(binding) for binding in bindings}) == 4


# Manifests that could be published and never pass


TYPED: dict[str, Any] = {
    "host": {"type": "string", "format": "hostname"},
    "port": {"type": "string"},
    "number": {"type": "integer"},
    "tags": {"type": "array"},
}


def first_problem(step: dict[str, Any]) -> str | None:
    secrets = {
        "properties": {key: {"type": "string"} for key in ("password", "certificate", "key")}
    }
    recipe = Recipe(
        {"secretsSchema": secrets, "checks": {"steps": [{"name": "a", **step}]}},
        {"type": "none"},
        {"properties": TYPED},
    )
    found = [f"{p.pointer} {p.message}" for p in recipe.problems]
    return found[0].removeprefix("/manifest/checks/steps/0") if found else None


def an_http(request: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    url = "https://api.example.com/v1/me"
    return {"kind": "http", "request": {"url": url, **(request or {})}, **members}


def a_redis(command: list[str], **expect: Any) -> dict[str, Any]:
    given = {"host": "{{variables.host}}", "password": "{{secrets.password}}"}
    return {"kind": "redis", "command": command, "expect": expect, **given}


def a_grpc(**metadata: str) -> dict[str, Any]:
    return {"kind": "grpc", "host": "{{variables.host}}", "metadata": metadata}


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        # taken from where nothing is
        (
            an_http(expect={"json": {"/a": "x"}}, account="/a/b"),
            "/account can't be read: an answer that is as expected has nothing like it there",
        ),
        (an_http(expect={"json": {"/a": {"type": "array"}}}, account="/a"), "/account can't be"),
        (an_http(expect={"json": {"/a": 1}}, obtain={"s": "/a"}), "/obtain/s can't be read"),
        (an_http(expect={"json": {"/a": ""}}, obtain={"s": "/a"}), "/obtain/s can't be read"),
        (an_http({"method": "HEAD"}, account="/a"), "/account can't be read: the answer has no"),
        (an_http(expect={"status": [204]}, account="/a"), "/account can't be read"),
        # replies that a command does not have
        (a_redis(["PING"], reply="OK"), "/expect/reply can never hold"),
        (a_redis(["DBSIZE"], reply="5"), "/expect/reply can never hold"),
        (a_redis(["LLEN", "q"], reply={"below": 0}), "/expect/reply can never hold"),
        (a_redis(["TYPE", "q"], reply=1), "/expect/reply can never hold"),
        (a_redis(["SISMEMBER", "q", "a"], reply=2), "/expect/reply can never hold"),
        (a_redis(["INFO", "clients"], info={"n": "1"}), "/expect/info/n can never hold"),
        # bytes of gRPC
        (a_grpc(**{"x-bin": "not base64!"}), "/metadata/x-bin must be Base64"),
        (a_grpc(**{"x-bin": "AAECA"}), "/metadata/x-bin must be Base64"),
        # values of the wrong type
        (
            {"kind": "tcp", "host": "{{variables.host}}", "port": "{{variables.port}}"},
            "/port {{variables.port}} has values that can't be used here",
        ),
        (a_redis(["PING"]) | {"database": "{{variables.port}}"}, "/database {{variables.port}}"),
        (an_http(authorities="{{variables.number}}"), "/authorities {{variables.number}} has"),
        (an_http({"query": {"t": "{{variables.tags}}"}}), "/request/query/t {{variables.tags}}"),
        # others
        (an_http({"query": {"a": "x" * 2100}}), "/request/query makes the URL longer than 2048"),
        (an_http({"url": "https://intranet/"}), "/request/url can never be dialed"),
        (an_http({"url": "https://api.example.com:0/"}), "/request/url can never be dialed"),
        ({"kind": "tcp", "host": "db-{{variables.port}}", "port": 5432}, "/host can never be"),
        (
            {"kind": "any_of", "anyOf": [an_http(), an_http({"method": "HEAD"}), an_http()]},
            "/anyOf/2 is the same as an alternative before it",
        ),
        (
            {"kind": "websocket", "url": "wss://a.example.com", "subprotocols": ["a", "a"]},
            "/subprotocols must be a list of up to 5 different names",
        ),
    ],
)
def test_what_can_never_pass_is_refused(step: dict[str, Any], problem: str) -> None:
    found = first_problem(step)
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize(
    "step",
    [
        an_http(expect={"json": {"/a": {"type": "object"}}}, account="/a/b"),
        an_http(expect={"json": {"/a": {"exists": True}}}, obtain={"s": "/a"}),
        an_http({"query": {"n": "{{variables.number}}"}}),
        an_http({"method": "POST", "safe": True, "body": {"json": {"tags": "{{variables.tags}}"}}}),
        a_redis(["PING"], reply="PONG"),
        a_redis(["TTL", "q"], reply={"atLeast": -1}),
        a_redis(["INFO", "server"], info={"redis_version": {"startsWith": "7"}, "n": 1}),
        a_redis(["INFO", "server"], info={"redis_version": "7.2.1"}),
        a_grpc(**{"x-bin": "AAEC"}),
        a_grpc(**{"x-bin": "{{variables.port}}"}),
        {"kind": "tcp", "host": "10.0.0.1", "port": "{{variables.number}}"},
    ],
)
def test_what_can_pass_is_not_refused(step: dict[str, Any]) -> None:
    assert first_problem(step) is None


def refused_values(
    step: dict[str, Any], variables: dict[str, Any], auth: dict[str, Any] | None = None
) -> list[str]:
    """The pointers of a plan's problems."""
    schema = {"properties": {name: {"type": "string"} for name in variables}}
    recipe = Recipe(
        {"checks": {"steps": [{"name": "a", **step}]}}, auth or {"type": "none"}, schema
    )
    assert recipe.problems == ()
    secrets = {"client_id": "id-1", "client_secret": "secret-1"}
    return [problem.pointer for problem in recipe.plan(variables, secrets).problems]


def test_each_problem_of_values_is_at_a_field_of_the_form() -> None:
    too_long = an_http({"query": {"account": "{{variables.account}}"}})
    token = {
        "kind": "oauth2_token",
        "grant": "client_credentials",
        "tokenUrl": "{{variables.scheme}}://auth.example.com/token",
    }

    assert refused_values(too_long, {"account": "x" * 2100}) == ["/variables/account"]
    assert refused_values(token, {"scheme": "http"}, {"type": "oauth2"}) == ["/variables/scheme"]
