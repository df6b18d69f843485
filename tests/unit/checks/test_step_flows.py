"""Steps that depend on each other, or are tried again."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

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
