"""What all commands promise: exit codes, errors, JSON, colors, help, and a fast start."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from importlib import import_module
from pathlib import Path

import click
import pytest
from patchbay_cli.command import LazyGroup
from patchbay_cli.exits import Exit
from patchbay_cli.output import shown
from patchbay_cli.program import root
from patchbay_cli.table import COMMANDS

from tests.unit.cli.answers_of import by_path, recorded_test
from tests.unit.cli.conftest import Patchbay
from tests.unit.sdk.stand_in import Behavior, StandIn, answers, drops, fails, listing, waits

ROOT = Path(__file__).parents[3]


def commands(group: LazyGroup) -> list[tuple[str, click.Command]]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command) if isinstance(command, LazyGroup) else [(name, command)]
    return found


ALL = commands(root)


@pytest.mark.parametrize(("name", "command"), ALL, ids=[name for name, _ in ALL])
def test_a_command_has_its_name_and_a_help(name: str, command: click.Command) -> None:
    assert command.name == name
    assert command.get_short_help_str()


@pytest.mark.parametrize(
    "command",
    [command for name, command in ALL if name != "completion"],
    ids=[name for name, _ in ALL if name != "completion"],
)
def test_every_command_can_print_json_and_take_a_profile(command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}
    assert {"--json", "--profile", "--organization"} <= options


def test_the_help_lists_every_command(signed_out: Patchbay) -> None:
    ran = signed_out("--help")
    assert ran.code == Exit.DONE
    for name, entry in COMMANDS.items():
        assert f"  {name} " in ran.out
        assert getattr(import_module(entry.module), entry.name)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["test"], ["test", "con_1", "--nonsense"], ["test", "int_1"]]
)
def test_a_command_that_is_not_understood_has_a_code_of_its_own(
    signed_out: Patchbay, arguments: list[str]
) -> None:
    ran = signed_out(*arguments)
    assert ran.code == Exit.USAGE
    assert ran.out == ""
    assert "Error: " in ran.err


def test_without_a_key_nothing_is_called(signed_out: Patchbay) -> None:
    ran = signed_out("test", "con_1")
    assert ran.code == Exit.FAILED
    assert ran.err == (
        "patchbay: nobody is signed in: patchbay login, or set PATCHBAY_API_URL and "
        "PATCHBAY_API_KEY\n"
    )


@pytest.mark.enable_socket
def test_an_error_has_its_pointers_and_its_trace_id(server: StandIn, patchbay: Patchbay) -> None:
    problem = {"pointer": "/query/progress", "message": "is too short"}
    server.does(fails(400, "VALIDATION_ERROR", errors=[problem]))

    ran = patchbay("test", "con_1")

    assert ran.code == Exit.FAILED
    assert ran.out == ""
    assert ran.err == (
        "patchbay: What went wrong. (VALIDATION_ERROR)\n"
        "  /query/progress is too short\n"
        "  trace Yf3kJh1uFiAEMZg=\n"
    )


@pytest.mark.enable_socket
def test_an_error_is_json_if_the_results_are(server: StandIn, patchbay: Patchbay) -> None:
    server.does(fails(403, "PERMISSION_DENIED", permission="platform.integration.test"))

    ran = patchbay("test", "con_1", "--json")

    assert ran.out == ""
    assert json.loads(ran.err)["error"] == {
        "code": "PERMISSION_DENIED",
        "message": "What went wrong.",
        "status": 403,
        "details": {"permission": "platform.integration.test"},
        "trace_id": "Yf3kJh1uFiAEMZg=",
    }


@pytest.mark.enable_socket
def test_a_deployment_that_is_not_there_is_no_fault_of_the_command(
    patchbay: Patchbay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBAY_API_URL", "http://127.0.0.1:1")

    ran = patchbay("test", "con_1")

    assert ran.code == Exit.PLATFORM
    assert ran.err == "patchbay: the deployment gave no answer: ConnectError\n"


def test_what_others_wrote_does_not_move_the_cursor() -> None:
    assert shown("evil\x1b[2J\r\nname\u202e") == "evil\\x1b[2J\\r\\nname\\u202e"
    assert shown("Zürich ✓") == "Zürich ✓"


def environment(server: StandIn, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "COLOR" not in name}
    return {
        **kept,
        "PATCHBAY_API_URL": server.url,
        "PATCHBAY_API_KEY": "pb_test_the-secret-part",
        "PATCHBAY_ORGANIZATION": "org_1",
        "PATCHBAY_CONFIG_DIR": str(folder),
        "TERM": "xterm",
    }


@pytest.mark.enable_socket
@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_a_terminal_has_colors_unless_it_wants_none(
    server: StandIn, tmp_path: Path, no_color: str, colored: bool
) -> None:
    server.does(by_path({"/test": answers(200, recorded_test())}))
    leader, follower = pty.openpty()

    subprocess.run(
        [sys.executable, "-m", "patchbay_cli", "test", "con_1"],
        env={**environment(server, tmp_path), "NO_COLOR": no_color},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        check=True,
        timeout=60,
    )

    os.close(follower)
    seen = os.read(leader, 65_536).decode()
    os.close(leader)
    assert "whoami" in seen
    assert ("\033[32m✓" in seen) is colored


@pytest.mark.enable_socket
def test_without_a_terminal_there_are_no_colors_and_no_questions(
    server: StandIn, tmp_path: Path
) -> None:
    server.does(by_path({"/test": answers(200, recorded_test())}))

    ran = subprocess.run(
        [sys.executable, "-m", "patchbay_cli", "test", "con_1"],
        env=environment(server, tmp_path),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )

    assert b"\033" not in ran.stdout
    assert ran.stderr == b""
    assert ran.stdout.decode().splitlines()[-1] == "Connection test passed"


@pytest.mark.enable_socket
def test_a_reader_that_goes_away_is_no_error(server: StandIn, tmp_path: Path) -> None:
    server.does(by_path({"/test": answers(200, recorded_test())}))
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        ran = subprocess.run(
            [sys.executable, "-m", "patchbay_cli", "test", "con_1"],
            env=environment(server, tmp_path),
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert ran.stderr == b""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["completion", "bash"]])
def test_a_disk_that_is_full_is_a_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "patchbay_cli", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert (ran.returncode, ran.stderr) == (1, b"patchbay: No space left on device\n")


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_errors_that_nobody_can_be_told_end_without_a_second_one(options: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "patchbay_cli", "nonsense", *options],
            stdout=full,
            stderr=full,
            check=False,
            timeout=60,
        )

    assert ran.returncode == Exit.FAILED


def test_what_is_heavy_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys; from patchbay_cli.program import main; main(['--help']);"
        "print(sorted(set(sys.modules) & {'patchbay_sdk', 'httpx2', 'asyncio', 'keyring', 'ssl',"
        " 'csv', 'concurrent.futures', 'patchbay_cli.testing', 'importlib.metadata'}))"
    )
    shell = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shell.stdout.splitlines()[-1] == "[]"


def test_no_command_brings_the_engine_before_it_is_called() -> None:
    code = (
        "import sys; from importlib import import_module; from patchbay_cli.table import COMMANDS;"
        "[import_module(one.module) for one in COMMANDS.values()];"
        "print(sorted(set(sys.modules) & {'patchbay', 'pydantic', 'httpx2', 'ssl', 'asyncio'}))"
    )
    shell = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shell.stdout == "[]\n"


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['click'] = None;"
        "from patchbay_cli.__main__ import run; sys.exit(run())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (1, "patchbay: pip install 'patchbay-sdk[cli]'\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(signed_out: Patchbay, shell: str) -> None:
    ran = signed_out("completion", shell)
    assert ran.code == Exit.DONE
    assert f"_PATCHBAY_COMPLETE={shell}_complete" in ran.out


def test_names_are_completed_without_importing_their_commands(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "patchbay_cli"],
        env={
            **os.environ,
            "PATCHBAY_CONFIG_DIR": str(tmp_path),
            "_PATCHBAY_COMPLETE": "bash_complete",
            "COMP_WORDS": "patchbay log",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stdout.splitlines() == ["plain,login", "plain,logout"]


@pytest.mark.parametrize(
    "arguments", [["connections", "--nope"], ["nope"], ["erase", "org_1"], ["test", "x"]]
)
def test_wrong_usage_is_json_if_the_results_are(
    signed_out: Patchbay, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    ran = signed_out(*arguments, "--json")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    error = json.loads(ran.err)["error"]
    assert error["code"] is None
    assert error["message"]


@pytest.mark.enable_socket
def test_json_has_nothing_that_moves_a_cursor_and_is_json_always(
    server: StandIn, patchbay: Patchbay
) -> None:
    name = "\x1b]0;a\x07 \x9b31m \u202e \ud800 é"
    server.does(listing([{"id": "con_1", "name": name}], None))

    ran = patchbay("connections", "--json")

    assert json.loads(ran.out)["name"] == name
    assert ran.out.rstrip("\n").isprintable()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    "behavior",
    [
        answers(404, {"message": "Not Found"}),
        answers(302, None, {"Location": "/login"}),
        answers(403, {"message": "Forbidden"}),
        answers(200, {}),
        answers(200, [1]),
    ],
)
def test_what_is_not_patchbay_is_the_platform(
    server: StandIn, patchbay: Patchbay, behavior: Behavior
) -> None:
    server.does(behavior)
    ran = patchbay("connections", "--json")
    assert ran.code == Exit.PLATFORM
    assert json.loads(ran.err)["error"]["code"] is None


@pytest.mark.enable_socket
@pytest.mark.parametrize("arguments", [["health", "--space", ".."], ["export", ".."]])
def test_an_id_that_is_none_is_wrong_usage(patchbay: Patchbay, arguments: list[str]) -> None:
    assert patchbay(*arguments).code == Exit.USAGE


@pytest.mark.enable_socket
@pytest.mark.parametrize("closed", ["0", "1", "2"])
def test_a_stream_that_is_closed_is_no_error(server: StandIn, tmp_path: Path, closed: str) -> None:
    server.does(by_path({"/test": answers(200, recorded_test())}))
    command = 'exec "$0" -m patchbay_cli test con_1 "$1"'
    ran = subprocess.run(
        ["/bin/sh", "-c", f"{command} {closed}>&-", sys.executable, "--json"],
        env=environment(server, tmp_path),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.enable_socket
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("form", ["", "--json"])
def test_a_terminal_of_another_encoding_gets_escapes(
    server: StandIn, tmp_path: Path, encoding: str, form: str
) -> None:
    server.does(by_path({"/test": answers(200, {**recorded_test(), "message": "é ✓"})}))
    ran = subprocess.run(
        [sys.executable, "-m", "patchbay_cli", "test", "con_1", *([form] if form else [])],
        env={**environment(server, tmp_path), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\\u2713" in ran.stdout
    if form:
        assert json.loads(ran.stdout)["message"] == "é ✓"


@pytest.mark.enable_socket
def test_who_interrupts_a_test_does_not_wait_for_it(server: StandIn, tmp_path: Path) -> None:
    asked = threading.Event()

    def behave(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.partition("?")[0].endswith("/test"):
            asked.set()
            waits(30, drops)(handler)
        fails(404, "TEST_NOT_FOUND")(handler)

    server.does(behave)
    with subprocess.Popen(
        [sys.executable, "-m", "patchbay_cli", "test", "con_1"],
        env=environment(server, tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        assert asked.wait(30)
        began = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)

    assert time.monotonic() - began < 20
    assert (running.returncode, said.strip()) == (Exit.INTERRUPTED, b"patchbay: interrupted")
