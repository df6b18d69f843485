"""`patchbay test`: steps while it runs, and exit codes that say whose move it is."""

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from patchbay_cli import testing

from tests.unit.cli.answers_of import by_path, failed_test, recorded_test, step
from tests.unit.cli.conftest import ORGANIZATION_ID, Patchbay
from tests.unit.sdk.stand_in import StandIn, answers, fails

pytestmark = pytest.mark.enable_socket


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (recorded_test(), 0),
        (failed_test("customer"), 2),
        (failed_test("provider"), 3),
        (failed_test("platform"), 4),
        (failed_test("unknown"), 5),
        (failed_test("of a later version"), 5),
    ],
)
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_the_exit_code_says_whose_move_it_is(
    server: StandIn, patchbay: Patchbay, found: dict[str, Any], code: int, options: list[str]
) -> None:
    server.does(answers(200, found))

    ran = patchbay("test", "con_1", *options)

    assert (ran.code, ran.err) == (code, "")
    if options:
        assert json.loads(ran.out) == found


def test_a_step_that_did_not_run_says_why(server: StandIn, patchbay: Patchbay) -> None:
    steps = [
        step("dns", "skipped", skip_reason="not_applicable"),
        step("tls", "warning", code="tls_error"),
    ]
    server.does(answers(200, recorded_test(steps=steps)))

    assert patchbay("test", "con_1").out.splitlines()[:2] == [
        "· dns  not applicable",
        "! tls  tls ended  (12 ms)",
    ]


def test_a_failure_says_what_to_do(server: StandIn, patchbay: Patchbay) -> None:
    server.does(answers(200, failed_test("customer")))

    assert patchbay("test", "con_1").out.splitlines() == [
        "✓ config  config ended  (12 ms)",
        "✗ whoami  whoami ended  (12 ms)",
        "the provider answered 401",
        "  whose move: customer (auth_invalid)",
        "  Wrong key: Enter a new key.",
        "  field: /secrets/api_key",
        "  test: tst_01KHNGNQ80TYJPTF7WZ6J4TT8T",
    ]


@pytest.mark.parametrize(
    ("target", "things"),
    [("con_1", "connections"), ("src_1", "sources"), ("dst_1", "destinations")],
)
def test_the_id_says_what_is_tested(
    server: StandIn, patchbay: Patchbay, target: str, things: str
) -> None:
    server.does(answers(200, recorded_test()))

    assert patchbay("test", target).code == 0
    path = f"/v1/organizations/{ORGANIZATION_ID}/knowledge/connectors/{things}/{target}/test?"
    assert server.asked[0].path.startswith(path)


def test_steps_are_shown_while_the_test_runs(
    server: StandIn,
    patchbay: Patchbay,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(testing, "_POLL_SECONDS", 0.01)
    seen = threading.Event()
    so_far = {
        "status": "running",
        "message": "The test is running",
        "steps": [step("config")],
        "started_at": "2026-02-17T10:00:00Z",
        "finished_at": None,
    }
    polls: list[str] = []

    def progress(handler: BaseHTTPRequestHandler) -> None:
        polls.append(handler.path)
        if len(polls) == 1:
            fails(404, "TEST_NOT_FOUND")(handler)
            return
        answers(200, so_far)(handler)
        if len(polls) == 4:
            seen.set()

    def whole(handler: BaseHTTPRequestHandler) -> None:
        assert seen.wait(30)
        answers(200, recorded_test())(handler)

    def behave(handler: BaseHTTPRequestHandler) -> None:
        (progress if "/test-progress/" in handler.path else whole)(handler)

    server.does(behave)

    ran = patchbay("test", "con_1")

    assert len(polls) >= 4
    assert ran.out.splitlines() == [
        "✓ config  config ended  (12 ms)",
        "✓ whoami  whoami ended  (12 ms)",
        "Connection test passed",
    ]


def test_steps_begin_again_with_a_renewed_token(capsys: pytest.CaptureFixture[str]) -> None:
    from patchbay_cli.output import Output
    from patchbay_sdk.models import Step

    steps = testing.Steps(Output())
    steps.show([Step(step("config")), Step(step("whoami", "failed"))])
    steps.show([Step(step("config")), Step(step("whoami"))])
    steps.show([Step(step("config")), Step(step("whoami")), Step(step("quota"))])

    assert capsys.readouterr().out.splitlines() == [
        "✓ config  config ended  (12 ms)",
        "✗ whoami  whoami ended  (12 ms)",
        "The test began again:",
        "✓ config  config ended  (12 ms)",
        "✓ whoami  whoami ended  (12 ms)",
        "✓ quota  quota ended  (12 ms)",
    ]


def test_a_deployment_that_fails_is_the_platform(server: StandIn, patchbay: Patchbay) -> None:
    server.does(by_path({"/test": fails(500, "INTERNAL_ERROR")}))
    assert patchbay("test", "con_1").code == 4
