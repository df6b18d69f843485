"""The project's own TypeScript client: it compiles, works, and tries again when that is safe."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.openapi import DOCUMENT
from patchbay.alerts.signing import new_secret, signed_headers
from tests.e2e.harness import Stack, Tenant
from tests.e2e.test_clients import MODULES, RIGHT, ROOT, SCRIPTS, answers, node, run
from tests.unit.sdk.stand_in import (
    KEY,
    ORGANIZATION,
    StandIn,
    breaks_off,
    drops,
    fails,
    listing,
    stand_in,
    trickles,
)
from tests.unit.sdk.stand_in import answers as says

UNAVAILABLE = fails(503, "TEMPORARILY_UNAVAILABLE", {"Retry-After": "0"})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client with its types, compiled with the scripts of these tests."""
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "node_modules").symlink_to(MODULES)
    for source in (*(ROOT / "client/typescript").iterdir(), *SCRIPTS.glob("typescript_*.ts")):
        shutil.copy(source, folder)
    run(folder, node(), "node_modules/.bin/openapi-typescript", str(DOCUMENT), "-o", "api.ts")
    settings = json.loads((folder / "tsconfig.json").read_text())
    settings["files"] = [path.name for path in folder.glob("*.ts")]
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    run(folder, node(), "node_modules/.bin/tsc")
    return folder


@pytest.fixture
def failing() -> Iterator[StandIn]:
    with stand_in() as server:
        yield server


def made(built: Path, server: StandIn, call: str, **environment: str) -> dict[str, Any]:
    script = "dist/typescript_faults.js"
    told = run(built, node(), script, call, API_URL=server.url, API_KEY=KEY, **environment)
    outcome: dict[str, Any] = json.loads(told)
    assert KEY not in outcome.pop("shown")
    return outcome


def test_ten_operations(built: Path, stack: Stack, tenant: Tenant) -> None:
    assert answers(built, stack, tenant, node(), "dist/typescript_client.js") == RIGHT


def test_a_create_is_tried_again_under_one_key(built: Path, failing: StandIn) -> None:
    limited = fails(429, "RATE_LIMITED", {"Retry-After": "1"})
    failing.does(limited, drops, says(201, ORGANIZATION))

    assert made(built, failing, "create")["value"]["id"] == ORGANIZATION["id"]

    assert len(failing.asked) == 3
    [key] = set(failing.keys)
    assert key


def test_an_answer_that_breaks_off_is_no_answer(built: Path, failing: StandIn) -> None:
    failing.does(breaks_off, UNAVAILABLE, says(200, ORGANIZATION))
    assert made(built, failing, "read")["value"]["id"] == ORGANIZATION["id"]
    assert failing.keys == [None, None, None]


@pytest.mark.parametrize("call", ["restore", "change"])
def test_what_may_be_done_and_not_be_repeated_is_asked_once(
    built: Path, failing: StandIn, call: str
) -> None:
    failing.does(drops)
    assert made(built, failing, call)["error"] == "NoAnswer"
    assert len(failing.asked) == 1


def test_what_an_earlier_try_deleted_is_deleted(built: Path, failing: StandIn) -> None:
    failing.does(drops, fails(404, "SPACE_NOT_FOUND"))
    assert made(built, failing, "remove") == {}
    assert {one.path for one in failing.asked} == {"/spaces/a%2Fb"}


def test_a_trickle_ends_with_the_timeout(built: Path, failing: StandIn) -> None:
    failing.does(trickles(5))
    assert made(built, failing, "change", TIMEOUT_MS="300")["error"] == "NoAnswer"


def test_an_error_has_its_code_and_pointers(built: Path, failing: StandIn) -> None:
    problem = {"pointer": "/name", "message": "is required"}
    failing.does(fails(400, "VALIDATION_ERROR", errors=[problem]))
    assert made(built, failing, "create") == {
        "error": "PatchbayError",
        "message": "What went wrong.",
        "code": "VALIDATION_ERROR",
        "pointers": ["/name"],
        "trace_id": "Yf3kJh1uFiAEMZg=",
    }
    assert len(failing.asked) == 1


def test_a_list_goes_on_by_itself(built: Path, failing: StandIn) -> None:
    failing.does(listing([{"id": "a"}, {"id": "b"}], "more"), UNAVAILABLE, listing([], None))
    assert made(built, failing, "list") == {"value": ["a", "b"]}
    assert [one.path for one in failing.asked] == [
        "/v1/organizations?limit=2",
        "/v1/organizations?limit=2&cursor=more",
        "/v1/organizations?limit=2&cursor=more",
    ]


def test_the_list_of_the_contract_goes_on_too(built: Path, failing: StandIn) -> None:
    failing.does(
        says(200, {"connections": [{"id": "a"}], "nextCursor": "more"}),
        says(200, {"connections": [{"id": "b"}], "nextCursor": None}),
    )
    assert made(built, failing, "contract") == {"value": ["a", "b"]}


def test_who_cancels_does_not_wait_for_the_next_try(built: Path, failing: StandIn) -> None:
    failing.does(fails(429, "RATE_LIMITED", {"Retry-After": "50"}))
    began = time.monotonic()
    assert made(built, failing, "cancel")["error"] == "TimeoutError"
    assert time.monotonic() - began < 20
    assert len(failing.asked) == 1


def test_a_page_of_somebody_else_is_no_answer_of_the_deployment(
    built: Path, failing: StandIn
) -> None:
    failing.does(says(200, None))
    assert made(built, failing, "list")["error"] == "UnexpectedAnswer"


def test_it_needs_no_module_of_a_runtime(built: Path) -> None:
    imported = [
        name
        for path in ("patchbay.js", "keyed.js")
        for name in re.findall(
            r'(?:from|import|require\()\s*"(.+?)"', (built / "dist" / path).read_text()
        )
    ]
    assert imported == ["./keyed.js"]


def test_a_key_is_not_sent_in_the_clear(built: Path, failing: StandIn) -> None:
    assert made(built, failing, "clear")["error"] == "TypeError"


def test_a_webhook_is_verified_as_the_deployment_signs_it(built: Path, failing: StandIn) -> None:
    secret, body = new_secret(), '{"type": "alert.firing"}'
    headers = json.dumps(
        dict(signed_headers([new_secret(), secret], "ntf_1", body.encode(), datetime.now(UTC)))
    )

    several = f"{new_secret()} {secret}"
    right = made(built, failing, "verify", SECRET=several, HEADERS=headers, BODY=body)
    wrong = made(built, failing, "verify", SECRET=secret, HEADERS=headers, BODY=body + " ")

    assert right == {"value": {"type": "alert.firing"}}
    assert (wrong["error"], wrong["message"]) == (
        "WebhookInvalid",
        "no signature is one of this secret",
    )
    assert made(built, failing, "verify", SECRET="!", HEADERS=headers, BODY=body)["error"] == (
        "TypeError"
    )
