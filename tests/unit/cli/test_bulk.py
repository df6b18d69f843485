"""`patchbay rotate` and `upgrade`: many calls, at the pace of the deployment, with a report."""

import json
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from patchbay_cli.bulk import Bulk, Outcome
from patchbay_sdk import Response
from patchbay_sdk.errors import ApiError, ProviderFailed, RateLimited, ServerError

from tests.unit.cli.answers_of import by_path, failed_test
from tests.unit.cli.conftest import ORGANIZATION_ID, Patchbay
from tests.unit.sdk.stand_in import Asked, StandIn, answers, fails, listing

pytestmark = pytest.mark.enable_socket

SECRET = "the-new-secret"


def endpoint(id: str, version: str = "1.0.0", role: str = "source") -> dict[str, Any]:
    return {
        "id": id,
        "organization_id": ORGANIZATION_ID,
        "role": role,
        "name": f"Name of {id}",
        "integration": "acme/crm",
        "version": version,
    }


def preview(**more: Any) -> dict[str, Any]:
    return {
        "version": "2.0.0",
        "valid": True,
        "errors": [],
        "secrets_to_enter": [],
        "secret_ref_to_enter": False,
        "account_to_connect": False,
        "connections": [],
        **more,
    }


def rotations(path: Path, count: int) -> str:
    rows = [{"source_id": f"src_{n}", "secrets": {"api_key": SECRET}} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path.chmod(0o600)
    return str(path)


def patches(server: StandIn) -> list[Asked]:
    return [one for one in server.asked if one.method == "PATCH"]


def test_each_gets_its_secrets_if_they_pass_a_test(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    server.does(
        by_path(
            {
                "/src_1": fails(422, "TEST_FAILED", test=failed_test("customer")),
                "/src_0": answers(200, endpoint("src_0")),
            }
        )
    )
    report = tmp_path / "report.ndjson"

    ran = patchbay("rotate", "--from", rotations(tmp_path / "r.ndjson", 2), "--report", str(report))

    assert ran.code == 1
    assert sorted(ran.out.splitlines()) == [
        "src_0  rotated",
        "src_1  test failed: auth_invalid: the provider answered 401",
    ]
    assert ran.err == "1 done, 1 failed, 0 not tried, 0 rotated before.\n"
    assert SECRET not in ran.out + ran.err + report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    assert all(one.path.endswith("?test=true") for one in patches(server))
    assert json.loads(patches(server)[0].body) == {"secrets": {"api_key": SECRET}}

    # Only the one that failed is tried again.
    server.asked.clear()
    server.does(answers(200, endpoint("src_1")))
    again = ["rotate", "--from", str(tmp_path / "r.ndjson"), "--retry", str(report)]
    assert patchbay(*again).code == 0
    assert [one.path.rpartition("/")[2] for one in server.asked] == ["src_1?test=true"]


def test_a_table_of_secrets_is_read_whole_before_anything_is_done(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    file = tmp_path / "r.csv"
    file.write_text(
        f"source_id,destination_id,secrets.token\nsrc_1,,{SECRET}\n,dst_1,{SECRET}\n"
        f"src_1,,{SECRET}\nsrc_2,,\nint_3,,{SECRET}\n"
    )

    ran = patchbay("rotate", "--from", str(file))

    assert (ran.code, server.asked) == (64, [])
    assert SECRET not in ran.err
    assert (
        "Nothing was done: line 4 is a second one for the same id; line 5 needs secrets: names, "
        "and strings that are not empty; line 6 needs a source_id (src_…) or a destination_id"
    ) in ran.err

    file.write_text(f"destination_id,secrets.token\ndst_1,{SECRET}\n")
    server.does(answers(200, preview()))
    assert patchbay("rotate", "--from", str(file), "--dry-run").out == "dst_1  valid\n"
    assert server.asked[0].path.endswith("/destinations/dst_1?dry_run=true")


def test_all_calls_wait_as_long_as_one_is_told_to(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    times: list[float] = []
    lock = threading.Lock()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        with lock:
            times.append(time.monotonic())
            first = len(times) == 1
        if first:
            fails(429, "RATE_LIMITED", {"Retry-After": "1"})(handler)
        else:
            answers(200, endpoint("src_0"))(handler)

    server.does(behave)

    ran = patchbay("rotate", "--from", rotations(tmp_path / "r.ndjson", 8), "--at-once", "1")

    assert ran.code == 0
    assert len(times) == 9
    assert times[1] - times[0] >= 1


def test_a_pause_is_one_of_all() -> None:
    """Whatever is at work at the time: nobody begins while one was told to wait."""
    began: list[float] = []
    both_at_work = threading.Barrier(2, timeout=30)

    def call(item: int) -> Outcome:
        began.append(time.monotonic())
        if len(began) <= 2:
            both_at_work.wait()
            if item == 0:
                raise RateLimited(Response(429, {"retry-after": "1"}), {"code": "RATE_LIMITED"})
            # It ends when the pause has begun.
            time.sleep(0.2)
        return Outcome(True, "done", {})

    bulk = Bulk(call, at_once=2, max_error_rate=0)
    done: list[int] = []
    bulk.each(range(6), lambda item, _: done.append(item))

    assert sorted(done) == list(range(6))
    assert len(began) == 7
    assert all(at - began[1] >= 0.99 for at in sorted(began)[2:])


def test_too_many_failures_stop_what_has_not_begun(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    server.does(fails(422, "TEST_FAILED", test=failed_test("provider")))

    ran = patchbay("rotate", "--from", rotations(tmp_path / "r.ndjson", 50), "--at-once", "2")

    assert ran.code == 1
    assert 10 <= len(server.asked) <= 12
    assert "Stopped: too many have failed." in ran.err


def test_a_report_that_can_t_be_written_does_not_hide_what_was_done(
    server: StandIn, patchbay: Patchbay, tmp_path: Path
) -> None:
    server.does(answers(200, endpoint("src_0")))

    ran = patchbay("rotate", "--from", rotations(tmp_path / "r.ndjson", 9), "--report", "/dev/full")

    done = len(server.asked)
    assert (ran.code, len(ran.out.splitlines())) == (1, done)
    assert ran.err.startswith(f"{done} done, 0 failed, {9 - done} not tried, ")
    assert ran.err.endswith("patchbay: No space left on device\n")


Served = Callable[..., None]


@pytest.fixture
def sources(server: StandIn) -> Served:
    """Serves sources with these previews, and takes what is upgraded."""

    def serve(previews: dict[str, dict[str, Any]], **versions: str) -> None:
        found = [endpoint(id, versions.get(id, "1.0.0")) for id in previews]

        def behave(handler: BaseHTTPRequestHandler) -> None:
            path, _, query = handler.path.partition("?")
            name = path.rpartition("/")[2]
            if name in previews:
                body = previews[name] if "dry_run" in query else endpoint(name, "2.0.0")
                answers(200, body)(handler)
            else:
                listing(found if name == "sources" else [], None)(handler)

        server.does(behave)

    return serve


UPGRADE = ["upgrade", "--integration", "acme/crm", "--to", "2.0.0"]


def test_an_upgrade_is_previewed_and_then_tested(
    server: StandIn, patchbay: Patchbay, sources: Served
) -> None:
    wrong = [{"pointer": "/variables/region", "message": "is required"}]
    sources(
        {
            "src_a": preview(),
            "src_b": preview(secrets_to_enter=["token"]),
            "src_c": preview(valid=False, errors=wrong),
            "src_d": preview(),
        },
        src_d="2.0.0",
    )

    ran = patchbay(*UPGRADE, "--dry-run")
    assert (ran.code, patches(server)) == (1, [p for p in patches(server) if "dry_run" in p.path])
    assert sorted(ran.out.splitlines()) == [
        "src_a  Name of src_a  1.0.0 → 2.0.0  ready",
        "src_b  Name of src_b  1.0.0 → 2.0.0  not ready: needs the secret token",
        "src_c  Name of src_c  1.0.0 → 2.0.0  not ready: /variables/region is required",
    ]
    assert ran.err == "1 of 3 can be upgraded to 2.0.0.\n"

    server.asked.clear()
    ran = patchbay(*UPGRADE, "--yes", "--json")
    assert ran.code == 1
    [upgraded] = [one for one in patches(server) if "dry_run" not in one.path]
    assert upgraded.path.endswith("/sources/src_a?test=true")
    assert json.loads(upgraded.body) == {"version": "2.0.0"}
    last = json.loads(ran.out.splitlines()[-1])
    assert (last["id"], last["from"], last["to"], last["status"]) == (
        *("src_a", "1.0.0", "2.0.0", "upgraded"),
    )


def test_nothing_is_upgraded_that_nobody_agreed_to(
    server: StandIn, patchbay: Patchbay, sources: Served
) -> None:
    sources({"src_a": preview()})

    ran = patchbay(*UPGRADE)

    assert ran.code == 64
    assert "use --yes, or --dry-run" in ran.err
    assert all("dry_run" in one.path for one in patches(server))


def test_an_interruption_reports_what_is_at_work_and_begins_no_more() -> None:
    began: list[int] = []
    both_at_work = threading.Barrier(3, timeout=30)
    interrupted = threading.Event()

    def call(item: int) -> Outcome:
        began.append(item)
        both_at_work.wait()
        if item == 1:
            # Told to come back in a minute, for which nobody waits once it is interrupted
            raise RateLimited(Response(429, {"retry-after": "60"}), {"code": "RATE_LIMITED"})
        assert interrupted.wait(30)
        return Outcome(True, "done", {})

    def interrupt() -> None:
        both_at_work.wait()
        signal.raise_signal(signal.SIGINT)
        interrupted.set()

    bulk = Bulk(call, at_once=2, max_error_rate=0)
    told: list[int] = []
    threading.Thread(target=interrupt).start()
    started = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        bulk.each(range(6), lambda item, _: told.append(item))

    assert time.monotonic() - started < 20
    assert sorted(began) == [0, 1]
    assert bulk.count == 1
    assert told == [0]


def outcomes_of(bulk: Bulk[int]) -> list[Outcome]:
    found: list[Outcome] = []
    bulk.each([1], lambda _, outcome: found.append(outcome))
    return found


def test_an_interruption_while_an_outcome_is_told_loses_none() -> None:
    both_at_work = threading.Barrier(2, timeout=30)
    told: list[int] = []

    def call(item: int) -> Outcome:
        both_at_work.wait()
        time.sleep(0.5 * item)
        return Outcome(True, "done", {})

    def tell(item: int, _: Outcome) -> None:
        told.append(item)
        if item == 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Bulk(call, at_once=2, max_error_rate=0).each([0, 1], tell)

    assert told == [0, 1]


def test_a_pause_without_an_end_is_a_failure() -> None:
    def call(_: int) -> Outcome:
        raise RateLimited(Response(429, {"retry-after": "86400"}), {"code": "RATE_LIMITED"})

    [outcome] = outcomes_of(Bulk(call, at_once=1, max_error_rate=0))

    assert not outcome.done
    assert outcome.details["code"] == "RATE_LIMITED"


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (ServerError(Response(503, {"retry-after": "0"}), {}), 2),
        (ServerError(Response(504, {"retry-after": "0"}), {}), 2),
        (ServerError(Response(500, {"retry-after": "0"}), {"code": "INTERNAL_ERROR"}), 1),
        (ProviderFailed(Response(502, {"retry-after": "0"}), {"code": "PROVIDER_FAILED"}), 1),
    ],
)
def test_what_a_gateway_says_of_a_moment_is_not_the_end(error: ApiError, calls: int) -> None:
    """A gateway has none of the codes of a deployment."""
    asked: list[int] = []

    def call(item: int) -> Outcome:
        asked.append(item)
        if len(asked) == 1:
            raise error
        return Outcome(True, "done", {})

    [outcome] = outcomes_of(Bulk(call, at_once=1, max_error_rate=0))

    assert (len(asked), outcome.done) == (calls, calls == 2)
