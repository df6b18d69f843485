"""Definitions as code, as their author works: the packages as they are released, in an environment
of their own, a terminal, an editor, and a provider on loopback."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.provider import Provider, provider

ROOT = Path(__file__).parents[2]
SECRET = "right-key"


def uv(*arguments: str | Path) -> None:
    program = shutil.which("uv") or str(ROOT / ".local/tools/uv/bin/uv")
    subprocess.run([program, *arguments, "--quiet"], cwd=ROOT, check=True, timeout=300)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The SDK with the command line, and the engine, as they are released."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in ("client", "layers/patchbay"):
        uv("build", "--wheel", "--out-dir", folder, project)
    [sdk], [engine] = folder.glob("patchbay_sdk-*.whl"), folder.glob("patchbay_engine-*.whl")
    return sdk, engine


@pytest.fixture(scope="module")
def patchbay(wheels: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`patchbay` of `patchbay-sdk[dev]`, where nothing of this checkout is."""
    sdk, engine = wheels
    environment = tmp_path_factory.mktemp("author") / "venv"
    uv("venv", "--python", "3.13", environment)
    python = environment / "bin/python"
    uv("pip", "install", "--python", python, f"patchbay-sdk[dev] @ {sdk.as_uri()}", engine)
    return environment / "bin/patchbay"


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    with provider() as running:
        yield running


def ran(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        command,
        env={**kept, **environment},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def definition(served: Provider, path: str) -> str:
    step = {"name": "whoami", "kind": "http", "request": {"url": f"{served.url}/{path}"}}
    content: dict[str, Any] = {
        "publisher": "acme",
        "slug": "tracker",
        "name": "Tracker",
        "version": "1.0.0",
        "authConfig": {"type": "api_key"},
        "manifest": {"checks": {"steps": [step]}},
    }
    return json.dumps(content, indent=2)


class Terminal:
    """A program at a terminal, and what it has shown there."""

    def __init__(self, *command: str | Path) -> None:
        self._own, other = pty.openpty()
        self._shown = ""
        self.program = subprocess.Popen(
            command, stdin=other, stdout=other, stderr=other, start_new_session=True
        )
        os.close(other)

    def until(self, text: str) -> str:
        """All that is shown up to this text, since the last time."""
        ends = time.monotonic() + 60
        while text not in self._shown:
            ready, _, _ = select.select([self._own], [], [], max(0, ends - time.monotonic()))
            assert ready, f"{text!r} is not shown, but {self._shown!r}"
            self._shown += os.read(self._own, 65536).decode()
        before, _, self._shown = self._shown.partition(text)
        return before + text

    def enter(self, text: str) -> None:
        os.write(self._own, text.encode() + b"\n")

    def end(self) -> int:
        """As Ctrl-C does."""
        self.program.send_signal(signal.SIGINT)
        code = self.program.wait(60)
        os.close(self._own)
        return code


def test_a_definition_is_tested_at_every_save(
    patchbay: Path, served: Provider, tmp_path: Path
) -> None:
    # Given a definition, and its author at a terminal
    file, draft = tmp_path / "tracker.json", tmp_path / "tracker.json~"
    file.write_text(definition(served, "me"))
    allowed = f"127.0.0.1/32:{served.port}"
    terminal = Terminal(patchbay, "dev", file, "--egress-allow", allowed)

    # When the program asks for the secret, and it is mistyped, then it can be entered again
    terminal.until("secrets.api_key: ")
    terminal.enter("wrong-key")
    assert "field: /secrets/api_key" in terminal.until("Enter tests it again, r asks again.")
    terminal.until("Ctrl-C ends this.")
    terminal.enter("r")
    terminal.until("secrets.api_key: ")
    terminal.enter(SECRET)

    # Then it is not shown, and each step is
    shown = terminal.until("Ctrl-C ends this.")
    assert "✓\033[0m whoami  Answered 200 as expected." in shown
    assert "Connection test passed" in shown

    # When an editor has saved half of the file, then the program says so, and waits
    file.write_text(definition(served, "me")[:100])
    shown += terminal.until("Ctrl-C ends this.")
    assert "is not JSON" in shown

    # When an editor renames a new file over it, then that one is tested, with the secret of before
    draft.write_text(definition(served, "500"))
    draft.replace(file)
    shown = terminal.until("Ctrl-C ends this.")
    assert "whose move: provider (provider_error)" in shown

    # When it is gone, and back, then the program is still there
    file.unlink()
    shown += terminal.until("No such file or directory")
    terminal.until("Ctrl-C ends this.")
    file.write_text(definition(served, "me"))
    shown += terminal.until("Connection test passed")
    terminal.until("Ctrl-C ends this.")
    assert SECRET not in shown
    assert terminal.end() == 0


def test_a_pipeline_lints_and_tests_without_a_terminal(
    patchbay: Path, served: Provider, tmp_path: Path
) -> None:
    file = tmp_path / "tracker.json"
    file.write_text(definition(served, "me"))
    allowed = f"127.0.0.1/32:{served.port}"
    once = (patchbay, "dev", file, "--once", "--json", "--egress-allow", allowed)

    linted = ran(patchbay, "lint", ROOT / "catalog", file)
    passed = ran(*once, PATCHBAY_SECRET_API_KEY=SECRET)
    refused = ran(*once, PATCHBAY_SECRET_API_KEY="wrong-key")

    assert (linted.returncode, linted.stdout) == (0, ""), linted.stdout
    assert (passed.returncode, refused.returncode) == (0, 2), passed.stderr
    lines = [json.loads(line) for line in passed.stdout.splitlines()]
    assert lines[0]["event"] == "form"
    assert lines[-1]["result"]["verified"] is True


def test_without_the_extra_a_sentence_says_what_to_install(
    wheels: tuple[Path, Path], tmp_path: Path
) -> None:
    sdk, _ = wheels
    uv("venv", "--python", "3.13", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    uv("pip", "install", "--python", python, f"patchbay-sdk[cli] @ {sdk.as_uri()}")

    for command in ("lint", "dev"):
        found = ran(tmp_path / "venv/bin/patchbay", command, ROOT / "catalog/github.json")

        assert (found.returncode, found.stdout) == (1, "")
        assert found.stderr == (
            f"patchbay: patchbay {command} needs Patchbay's engine: "
            "pip install 'patchbay-sdk[dev]'\n"
        )
