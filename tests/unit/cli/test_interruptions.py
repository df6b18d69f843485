"""A run over many that is interrupted says what was done, and how to go on: real processes, which
get real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.unit.cli.conftest import ORGANIZATION_ID
from tests.unit.cli.test_bulk import endpoint, preview, rotations
from tests.unit.cli.test_events_import import event, written
from tests.unit.sdk.stand_in import KEY, StandIn, answers, listing

pytestmark = pytest.mark.enable_socket

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


def interrupted(
    server: StandIn, folder: Path, number: signal.Signals, asked: int, *arguments: str
) -> tuple[int, str, list[str]]:
    """Runs a command, and sends it a signal when the server was asked so often."""
    running = subprocess.Popen(
        [sys.executable, "-m", "patchbay_cli", *arguments],
        env={
            **os.environ,
            "PATCHBAY_API_URL": server.url,
            "PATCHBAY_API_KEY": KEY,
            "PATCHBAY_ORGANIZATION": ORGANIZATION_ID,
            "PATCHBAY_SPACE": "production",
            "PATCHBAY_CONFIG_DIR": str(folder / "config"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell without job control would have children ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    end = time.monotonic() + 60
    while len(server.asked) < asked and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(number)
    out, err = running.communicate(timeout=60)
    assert "Traceback" not in err
    return running.returncode, out, [line for line in err.splitlines() if line]


def slow_edits(handler: BaseHTTPRequestHandler) -> None:
    path, _, query = handler.path.partition("?")
    name = path.rpartition("/")[2]
    if handler.command == "PATCH" and "dry_run" in query:
        answers(200, preview())(handler)
    elif handler.command == "PATCH":
        time.sleep(0.3)
        answers(200, endpoint(name, "2.0.0"))(handler)
    else:
        listing([endpoint(f"src_{n}") for n in range(9)] if name == "sources" else [], None)(
            handler
        )


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_rotation_says_what_is_rotated_and_how_to_go_on(
    server: StandIn, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    server.does(slow_edits)
    arguments = ["rotate", "--from", rotations(tmp_path / "r.ndjson", 50), "--report"]
    arguments += [str(tmp_path / "report.ndjson"), "--at-once", "2"]

    ended, out, said = interrupted(server, tmp_path, number, 4, *arguments)

    done = len(out.splitlines())
    assert ended == code
    assert 2 <= done == len((tmp_path / "report.ndjson").read_text().splitlines()) < 20
    assert done == len(server.asked)
    assert said == [
        f"{done} done, 0 failed, {50 - done} not tried, 0 rotated before.",
        f"Interrupted. To go on, run the same command with --retry {tmp_path}/report.ndjson.",
        "patchbay: interrupted",
    ]

    arguments += ["--retry", str(tmp_path / "report.ndjson"), "--json"]
    ended, _, said = interrupted(server, tmp_path, number, done + 4, *arguments)
    assert ended == code
    notes = [json.loads(line) for line in said]
    assert f"{done} rotated before." in notes[0]["note"]
    assert "--retry" in notes[1]["note"]
    assert notes[2] == {"error": {"code": None, "message": "interrupted"}}


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_an_upgrade_says_what_is_upgraded_and_how_to_go_on(
    server: StandIn, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    server.does(slow_edits)
    arguments = ["upgrade", "--integration", "acme/crm", "--to", "2.0.0", "--yes", "--at-once", "1"]

    # Two lists, nine previews, and three upgrades
    ended, out, said = interrupted(server, tmp_path, number, 14, *arguments)

    done = out.count("upgraded")
    assert ended == code
    assert 1 <= done < 9
    assert said[1:] == [
        f"{done} upgraded, 0 failed, {9 - done} not tried.",
        "Interrupted. To go on, run the same command again: it leaves out what is upgraded.",
        "patchbay: interrupted",
    ]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_an_import_of_events_says_what_is_imported_and_goes_on_there(
    server: StandIn, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(0.3)
        answers(200, {"accepted": 100, "duplicates": 0})(handler)

    server.does(slow)
    file = written(tmp_path / "e.ndjson", *(event(id=f"e-{n}") for n in range(5000)))

    ended, out, said = interrupted(server, tmp_path, number, 3, "events", "import", file, "--json")

    done = json.loads(out)
    assert ended == code
    assert 200 <= done["rows"] == done["accepted"] < 5000
    assert [json.loads(line) for line in said] == [
        {"note": "Interrupted. To go on, run the same command again: nothing is counted twice."},
        {"error": {"code": None, "message": "interrupted"}},
    ]

    asked = len(server.asked)
    _, out, _ = interrupted(server, tmp_path, number, asked + 2, "events", "import", file, "--json")
    assert json.loads(out)["skipped"] == done["rows"]
