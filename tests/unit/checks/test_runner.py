"""A test, from its plan to its verdict, against servers on the loopback."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from patchbay.checks.failures import CheckFailure
from patchbay.checks.plan import Plan, PlannedStep
from patchbay.checks.probe import Compiled, Notice, Outcome
from patchbay.checks.problems import PlanProblem
from patchbay.checks.report import CheckReport, Step
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.platform.sentences import Sentence
from tests.unit.checks.doubles import (
    KEY,
    Handler,
    StalledResolver,
    answering,
    guard_for,
    http_response,
    in_time,
    run_test,
    serving,
    step_for,
    target_for,
)

pytestmark = pytest.mark.enable_socket


def report_on(handler: Handler, *, total_ms: int = 5000, **extra: Any) -> CheckReport:
    """The report of a test with one http step against a server with this handler."""

    async def test() -> CheckReport:
        async with serving(handler) as port:
            return await run_test(
                target_for(step_for(port, **extra)), guard_for(port), total_ms=total_ms
            )

    return asyncio.run(test())


def step(report: CheckReport, name: str) -> Step:
    return next(step for step in report.steps if step.name == name)


def statuses(report: CheckReport) -> dict[str, str]:
    return {step.name: step.skip_reason or step.status for step in report.steps}


def test_a_good_key_passes_and_says_whose_account_it_is() -> None:
    # given a provider that knows the key
    body = b'{"ok": true, "account": {"name": "Acme\\u0007 Inc."}}'

    # when
    report = report_on(
        answering(http_response("200 OK", body)),
        expect={"status": [200], "json": {"/ok": True}},
        account="/account/name",
    )

    # then
    assert (report.passed, report.verified, report.code) == (True, True, None)
    assert report.message == "Connection test passed"
    assert report.account == "Acme Inc."
    assert statuses(report) == {
        "config": "passed",
        "secrets": "passed",
        "egress": "passed",
        "dns": "not_applicable",
        "tcp": "passed",
        "tls": "not_applicable",
        "whoami": "passed",
    }


def test_the_request_carries_the_key_and_only_what_it_must() -> None:
    # given a server that keeps what it was sent
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http_response("200 OK"))

    # when
    report_on(handler)

    # then
    lines = seen[0].decode().split("\r\n")
    assert lines[0] == "GET /me HTTP/1.1"
    assert lines[1].startswith("Host: 127.0.0.1:")
    assert lines[2:-2] == [
        "User-Agent: Patchbay/1",
        "Accept: application/json, */*;q=0.5",
        f"Authorization: Bearer {KEY}",
        "Accept-Encoding: identity",
        "Connection: close",
    ]


@pytest.mark.parametrize(
    ("status", "code", "blame", "field"),
    [
        ("401 Unauthorized", "auth_invalid", "customer", "/secrets/api_key"),
        ("403 Forbidden", "permission_denied", "customer", "/secrets/api_key"),
        ("408 Request Timeout", "provider_error", "provider", None),
        ("500 Internal Server Error", "provider_error", "provider", None),
        ("503 Service Unavailable", "provider_error", "provider", None),
        ("402 Payment Required", "payment_required", "customer", None),
        # Nobody filled in anything: the integration's author wrote this address.
        ("404 Not Found", "request_rejected", "unknown", None),
        ("405 Method Not Allowed", "request_rejected", "unknown", None),
        ("407 Proxy Authentication Required", "blocked_by_intermediary", "unknown", None),
        ("423 Locked", "account_locked", "customer", None),
        ("302 Found", "unexpected_response", "provider", None),
    ],
)
def test_a_status_says_what_is_wrong_and_whose_move_it_is(
    status: str, code: str, blame: str, field: str | None
) -> None:
    # when
    report = report_on(answering(http_response(status, b"secret server text", "Location: /x")))

    # then
    failed = step(report, "whoami")
    assert (report.passed, report.code, report.blame) == (False, code, blame)
    assert (failed.status, failed.code, failed.field_pointer) == ("failed", code, field)
    assert failed.diagnosis is not None
    who = "a proxy" if code == "blocked_by_intermediary" else "the provider"
    assert report.message.startswith(f'Step "whoami" failed: {who} answered {status[:3]}')
    assert "server text" not in report.model_dump_json()


def test_a_rate_limit_says_when_to_come_back() -> None:
    report = report_on(answering(http_response("429 Too Many", b"", "Retry-After: 120")))
    assert (report.code, report.retryable, report.retry_after_seconds) == (
        "rate_limited",
        True,
        120,
    )


def test_a_redirect_may_be_what_is_expected() -> None:
    response = http_response("302 Found", b"", "Location: http://169.254.169.254/")
    report = report_on(answering(response), expect={"status": [302]})
    assert (report.passed, report.verified) == (True, False)


@pytest.mark.parametrize(
    ("body", "expect"),
    [
        (b'{"ok": false}', {"json": {"/ok": True}}),
        (b"<html>", {"json": {"/ok": True}}),
        (b"[" * 60_000, {"json": {"/ok": True}}),
        (b"{}", {"headers": {"X-Api": {"exists": True}}}),
    ],
)
def test_an_answer_of_another_shape_is_unexpected(body: bytes, expect: object) -> None:
    report = report_on(answering(http_response("200 OK", body)), expect=expect)
    assert report.code == "unexpected_response"


@pytest.mark.parametrize(
    ("value", "account"),
    [
        (f"owner of {KEY}", "owner of [redacted]"),
        (f"{KEY[:5]}\u200b{KEY[5:]}", "[redacted]"),
        ("x" * 500, "x" * 200),
        ("x" * 190 + KEY, "x" * 190 + "[redacted]"),
        ("\ud800a\u202eb", "ab"),
        (42, "42"),
        ({"a": 1}, None),
        (None, None),
        (True, None),
    ],
)
def test_an_account_is_printable_short_and_without_secrets(
    value: object, account: str | None
) -> None:
    body = json.dumps({"account": value}).encode()
    report = report_on(answering(http_response("200 OK", body)), account="/account")
    assert (report.passed, report.account) == (True, account)


def test_an_account_that_is_not_there_fails_nothing() -> None:
    report = report_on(answering(http_response("200 OK", b"not json")), account="/account")
    assert (report.passed, report.account) == (True, None)


def test_a_closed_port_is_a_failed_gate_and_the_rest_is_skipped() -> None:
    # given a port that was just closed
    async def test() -> CheckReport:
        async with serving(answering(b"")) as port:
            pass
        return await run_test(target_for(step_for(port)), guard_for(port))

    # when
    report = asyncio.run(test())

    # then
    assert (report.code, report.blame, report.retryable) == ("connection_refused", "unknown", True)
    assert report.message == 'Step "tcp" failed: the host refused the connection.'
    assert statuses(report) == {
        "config": "passed",
        "secrets": "passed",
        "egress": "passed",
        "dns": "not_applicable",
        "tcp": "failed",
        "tls": "gate_failed",
        "whoami": "gate_failed",
    }


def test_a_reset_connection_is_told_from_a_slow_one() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    assert report_on(reset).code == "connection_reset"


def test_a_refused_target_is_not_dialed_and_open_and_closed_look_alike() -> None:
    # given a server that no rule allows, and a closed port
    dialed: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialed.append(1)

    async def test() -> tuple[CheckReport, CheckReport]:
        async with serving(handler) as port:
            open_port = await run_test(target_for(step_for(port)), guard_for())
            closed_port = await run_test(target_for(step_for(1)), guard_for())
            return open_port, closed_port

    # when
    open_port, closed_port = asyncio.run(test())

    # then
    assert dialed == []
    assert (open_port.code, step(open_port, "egress").detail) == ("egress_blocked", "address")
    same = {"latency_ms": 0}
    assert open_port.model_copy(update=same) == closed_port.model_copy(update=same)


def test_a_name_that_does_not_resolve_points_at_its_variable() -> None:
    # given a host that a variable names
    target = target_for(
        {
            "name": "whoami",
            "kind": "http",
            "request": {"url": "https://{{variables.region}}.api.example.com/"},
        }
    )

    # when
    report = asyncio.run(run_test(target, guard_for()))

    # then
    assert (report.code, step(report, "dns").field_pointer) == ("dns_error", "/variables/region")
    assert statuses(report)["egress"] == "passed"


def test_missing_settings_and_secrets_are_failed_gates_with_their_fields() -> None:
    # given
    target = target_for(step_for(1, path="/{{variables.region}}"))
    nothing = replace(target, variables={}, secrets={})

    # when
    no_variable = asyncio.run(run_test(nothing, guard_for()))
    no_secret = asyncio.run(run_test(replace(target, secrets={}), guard_for()))

    # then
    assert no_variable.code == "config_missing_field"
    assert step(no_variable, "config").field_pointer == "/variables/region"
    assert statuses(no_variable) == {"config": "failed", "secrets": "gate_failed"}
    assert no_secret.code == "secret_not_found"
    assert step(no_secret, "secrets").field_pointer == "/secrets/api_key"
    assert no_secret.message == 'Step "secrets" failed: /secrets/api_key is missing.'


def test_a_test_without_steps_does_not_claim_more_than_it_saw() -> None:
    report = asyncio.run(run_test(target_for(), guard_for()))
    assert (report.passed, report.verified) == (True, False)
    assert "nothing was called" in report.message
    assert statuses(report) == {"config": "passed", "secrets": "passed"}


def test_a_test_whose_steps_carry_no_credential_is_not_verified() -> None:
    report = report_on(answering(http_response("200 OK")), auth=False)
    assert (report.passed, report.verified) == (True, False)
    assert "none of them proved access" in report.message


def test_a_failed_capability_is_a_warning_and_a_failed_gate_skips_what_follows() -> None:
    # given a provider with three paths
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        known = {b"/me": "200 OK", b"/invoices": "403 Forbidden"}
        writer.write(http_response(known.get(head.split()[1], "500 Broken")))

    async def test(last: str) -> CheckReport:
        async with serving(handler) as port:
            steps = [
                step_for(port, "/me"),
                {**step_for(port, "/invoices"), "name": "reads", "category": "capability"},
                {**step_for(port, last), "name": "second"},
                {**step_for(port, "/me"), "name": "third"},
            ]
            return await run_test(target_for(*steps), guard_for(port))

    # when
    warned, failed = asyncio.run(test("/me")), asyncio.run(test("/broken"))

    # then
    assert (warned.passed, warned.verified) == (True, True)
    assert step(warned, "reads").status == "warning"
    assert step(warned, "reads").code == "permission_denied"
    assert (failed.passed, failed.code) == (False, "provider_error")
    assert statuses(failed)["third"] == "gate_failed"


def test_an_optional_first_step_that_can_not_dial_stops_nothing() -> None:
    # given
    async def test() -> CheckReport:
        async with serving(answering(http_response("200 OK"))) as port:
            first = {**step_for(1), "name": "mirror", "mandatory": False}
            return await run_test(target_for(first, step_for(port)), guard_for(1, port))

    # when
    report = asyncio.run(test())

    # then
    assert (report.passed, report.verified) == (True, True)
    assert (step(report, "tcp").status, statuses(report)["mirror"]) == ("warning", "gate_failed")


def test_what_got_no_time_is_skipped_and_says_so() -> None:
    # given a slow first step and a second one
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def test() -> CheckReport:
        async with serving(silent) as port:
            first = {**step_for(port), "name": "mirror", "mandatory": False}
            return await run_test(target_for(first, step_for(port)), guard_for(port), total_ms=150)

    # when
    report = asyncio.run(test())

    # then
    assert step(report, "mirror").code == "provider_timeout"
    assert statuses(report)["whoami"] == "budget_exhausted"
    # and the server that hung is blamed, not the platform
    assert (report.passed, report.code, report.blame) == (False, "provider_timeout", "provider")
    assert report.message.startswith('Step "whoami" did not run')


def test_a_steps_own_limit_ends_it_before_the_tests() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    report = in_time(600, lambda: report_on(silent, timeoutMs=100))
    assert report.code == "provider_timeout"


def test_a_resolver_that_stalls_does_not_hold_the_test() -> None:
    guard = EgressGuard(EgressPolicy(), resolver=StalledResolver())
    target = target_for(
        {"name": "a", "kind": "http", "request": {"url": "https://slow.example.com/"}}
    )
    report = in_time(600, lambda: asyncio.run(run_test(target, guard, total_ms=100)))
    assert report.code == "dns_error"


class Scripted:
    """A probe that does what the test says, without any connection."""

    def __init__(self, behavior: Callable[[], Awaitable[Outcome]]) -> None:
        self._behavior = behavior

    async def run(self, *_: object, **__: object) -> Outcome:
        return await self._behavior()


async def crash() -> Outcome:
    raise RuntimeError(f"broke with {KEY}")


async def hang() -> Outcome:
    await asyncio.sleep(60)
    return Outcome("late")


async def succeed() -> Outcome:
    return Outcome(f"saw {KEY}")


def plan_of(*behaviors: Callable[[], Awaitable[Outcome]]) -> Plan:
    steps = tuple(
        PlannedStep(f"step {n}", "capability", True, 10_000, Compiled(Scripted(behavior), True))
        for n, behavior in enumerate(behaviors)
    )
    return Plan(10_000, steps=steps, secret_values=(KEY,))


def test_a_crash_is_the_platforms_and_shows_nothing_of_itself() -> None:
    # when
    report = asyncio.run(run(plan_of(crash, succeed), guard_for(), total_ms=1000))

    # then the answer is clean, the next step ran, and the log gets the exception without the key
    assert (report.code, report.blame) == ("internal_error", "platform")
    assert step(report, "step 1").summary == "saw [redacted]"
    assert "RuntimeError" not in report.model_dump_json()
    assert report.fault is not None
    assert (report.fault.step, report.fault.error) == ("step 0", "RuntimeError")
    assert report.fault.message == "broke with [redacted]"
    assert "raise RuntimeError" in report.fault.trace
    assert "fault" not in report.model_dump()


def test_a_probe_that_ignores_its_deadline_is_ended() -> None:
    report = in_time(600, lambda: asyncio.run(run(plan_of(hang), guard_for(), total_ms=100)))
    assert report.code == "provider_timeout"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_two_hundred_tests_at_once_all_end_within_their_deadline(scheme: str) -> None:
    # given a server that accepts and sends nothing
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def test() -> list[CheckReport]:
        async with serving(silent) as port:
            called = {**step_for(port), "request": {"url": f"{scheme}://127.0.0.1:{port}/"}}
            plan, guard = target_for(called).plan(), guard_for(port)
            return await asyncio.gather(*(run(plan, guard, total_ms=1000) for _ in range(200)))

    def slowest() -> CheckReport:
        reports = asyncio.run(test())
        assert {report.code for report in reports} <= {"provider_timeout", "connect_timeout"}
        return max(reports, key=lambda report: report.latency_ms)

    # when, then
    in_time(1500, slowest)


async def warn() -> Outcome:
    pasted = f"/variables/{KEY}"
    return Outcome("It is up.", notice=Notice("It is old.", "Old", "Renew.", field_pointer=pasted))


async def refuse() -> Outcome:
    summary = Sentence("The password was refused by {}.", f"password of {KEY}")
    raise CheckFailure("auth_invalid", summary, field_pointer="/secrets/password")


def test_our_own_words_stay_whatever_the_secret_is() -> None:
    plan = replace(plan_of(refuse), secret_values=(KEY, "password"))
    report = asyncio.run(run(plan, guard_for(), total_ms=1000))
    assert report.message == (
        'Step "step 0" failed: the password was refused by [redacted] of [redacted].'
    )
    assert step(report, "step 0").field_pointer == "/secrets/password"


def test_a_secret_in_place_of_a_name_is_not_shown() -> None:
    # given what was pasted where a name belongs
    problems = (PlanProblem(f"/variables/{KEY}", "is missing"),)

    # when
    report = asyncio.run(
        run(Plan(1000, problems=problems, secret_values=(KEY,)), guard_for(), total_ms=1000)
    )
    warned = asyncio.run(run(plan_of(warn), guard_for(), total_ms=1000))

    # then
    assert step(report, "config").summary == "/variables/[redacted] is missing."
    assert step(report, "config").field_pointer == "/variables"
    assert KEY not in report.model_dump_json()
    assert step(warned, "step 0").field_pointer == "/variables"
