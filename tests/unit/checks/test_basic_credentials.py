"""`authConfig` of type basic: a user name and a password in every step, and which are asked for."""

from base64 import b64decode
from typing import Any

import pytest

from patchbay.checks.plan import Plan
from patchbay.checks.recipe import Recipe
from patchbay.checks.templates import ValueRefused, Values

STEP = {"name": "me", "kind": "http", "request": {"url": "https://api.example.com/me"}}
SOCKET = {"name": "me", "kind": "websocket", "url": "wss://api.example.com/me"}
GRPC = {"name": "me", "kind": "grpc", "host": "api.example.com"}


def basic(*steps: dict[str, Any], **more: Any) -> Recipe:
    properties = {"email": {"type": "string"}}
    manifest = {"checks": {"steps": list(steps) or [STEP]}}
    return Recipe(manifest, {"type": "basic", **more}, {"properties": properties})


def sent(of: Recipe, secrets: dict[str, str], **variables: object) -> str:
    [(name, value)] = of.credential(Values(variables, secrets))
    assert name == "Authorization"
    return b64decode(value.removeprefix("Basic ")).decode()


def header(plan: Plan) -> tuple[str, str]:
    [step] = plan.steps
    probe: Any = step.compiled.probe
    headers: tuple[tuple[str, str], ...] = (
        probe.metadata if hasattr(probe, "metadata") else probe.request.headers
    )
    return next(one for one in headers if one[0] == "Authorization")


def problems(**more: Any) -> dict[str, str]:
    return {one.pointer: one.message for one in basic(**more).problems}


def test_a_user_name_and_a_password_are_asked_for() -> None:
    of = basic()

    assert of.problems == ()
    assert of.secret_names == of.asked_secrets == of.credentials == ("username", "password")
    assert sent(of, {"username": "ann", "password": "p:w ö"}) == "ann:p:w ö"
    assert [one.pointer for one in of.plan({}, {}).problems] == [
        "/secrets/username",
        "/secrets/password",
    ]


@pytest.mark.parametrize("step", [STEP, SOCKET, GRPC])
def test_every_kind_with_headers_sends_them(step: dict[str, Any]) -> None:
    plan = basic(step).plan({}, {"username": "ann", "password": "pw"})

    assert plan.problems == ()
    assert header(plan) == ("Authorization", "Basic YW5uOnB3")
    assert "YW5uOnB3" in plan.secret_values
    assert plan.steps[0].compiled.proves_access
    assert plan.steps[0].compiled.credential_pointer == "/secrets/password"


def test_a_key_may_be_the_user_name_without_a_password() -> None:
    of = basic(username="{{secrets.api_key}}", password="")

    assert of.asked_secrets == ("api_key",)
    assert sent(of, {"api_key": "sk_1"}) == "sk_1:"
    assert of.plan({}, {}).problems[0].pointer == "/secrets/api_key"


def test_a_password_may_be_a_fixed_text() -> None:
    of = basic(username="{{secrets.api_key}}", password="X")

    assert sent(of, {"api_key": "k"}) == "k:X"


def test_a_user_name_may_have_a_variable() -> None:
    # https://developer.zendesk.com/api-reference/introduction/security-and-auth/#api-token
    of = basic(username="{{variables.email}}/token", password="{{secrets.api_token}}")

    assert of.asked_secrets == ("api_token",)
    assert sent(of, {"api_token": "t"}, email="a@b.c") == "a@b.c/token:t"
    assert of.plan({}, {"api_token": "t"}).problems[0].pointer == "/variables/email"


@pytest.mark.parametrize("step", [STEP, SOCKET, GRPC])
def test_an_optional_password_may_be_missing(step: dict[str, Any]) -> None:
    of = basic(step, password={"optional": "{{secrets.password}}"})

    assert of.asked_secrets == ("username", "password")
    assert sent(of, {"username": "ann"}) == "ann:"
    assert sent(of, {"username": "ann", "password": "pw"}) == "ann:pw"
    plan = of.plan({}, {"username": "ann"})
    assert plan.problems == ()
    assert plan.steps[0].compiled.credential_pointer == "/secrets/username"
    plan = of.plan({}, {"username": "ann", "password": "pw"})
    assert plan.steps[0].compiled.credential_pointer == "/secrets/password"


@pytest.mark.parametrize(
    ("secrets", "pointer"),
    [
        ({"username": "a:b", "password": "p"}, "/secrets/username"),
        ({"username": "a\r\nb", "password": "p"}, "/secrets/username"),
        ({"username": "a", "password": "p\r\nX: y"}, "/secrets/username"),
    ],
)
def test_what_would_move_the_border_or_break_the_header_is_refused(
    secrets: dict[str, str], pointer: str
) -> None:
    with pytest.raises(ValueRefused) as refused:
        basic().credential(Values({}, secrets))

    assert refused.value.problem.pointer == pointer


@pytest.mark.parametrize(
    ("more", "pointer", "message"),
    [
        ({"username": "a:b"}, "/username", "can't have a colon"),
        ({"username": ""}, "/username", "must be a string of printable characters"),
        ({"username": "a\nb"}, "/username", "must be a string of printable characters"),
        ({"username": {"optional": "{{secrets.a}}"}}, "/username", "must be a string"),
        ({"username": "{{variables.none}}"}, "/username", "{{variables.none}} is not declared"),
        ({"password": 1}, "/password", "must be a string"),
        ({"password": {"optional": "x"}}, "/password", "is optional and has no placeholder"),
        ({"password": {"optional": "{{secrets.p}}", "x": 1}}, "/password", "must be a string"),
        ({"username": "a", "password": "b"}, "/password", "must have a secret"),
        ({"authValuePrefix": "Basic"}, "/authValuePrefix", "can't be set for basic"),
        ({"authHeaderName": "Host"}, "/authHeaderName", "is a header that may not be set"),
        ({"pkce": "none"}, "/pkce", "is only for the type oauth2"),
    ],
)
def test_what_can_not_be_is_a_problem(more: dict[str, Any], pointer: str, message: str) -> None:
    [(found, said)] = problems(**more).items()

    assert found == f"/authConfig{pointer}"
    assert said.startswith(message)


def test_other_types_have_no_user_name() -> None:
    found = Recipe({}, {"type": "api_key", "username": "a"}, {}).problems

    assert [(one.pointer, one.message) for one in found] == [
        ("/authConfig/username", "is only for the type basic")
    ]


def test_a_header_of_its_own() -> None:
    of = basic(authHeaderName="X-Login")

    assert of.credential(Values({}, {"username": "a", "password": "b"})) == [
        ("X-Login", "Basic YTpi")
    ]


def test_whose_credential_it_is_is_bound() -> None:
    of = basic(username="{{variables.email}}/token", password="{{secrets.t}}")
    bound = of.binding("int_1", {"email": "a@b.c"})

    assert bound != of.binding("int_1", {"email": "other@b.c"})
    assert bound["placement"] == [
        "authorization",
        "Basic ",
        "{{variables.email}}/token",
        "{{secrets.t}}",
    ]
    free = Recipe(
        {"checks": {"steps": [STEP]}},
        {"type": "basic", "username": "{{variables.email}}", "password": "{{secrets.t}}"},
        {"properties": {"email": {"type": "string", "x-binding": "free"}}},
    )
    assert [one.pointer for one in free.binding_problems()] == [
        "/variablesSchema/properties/email/x-binding"
    ]
