"""Starting and stopping real local clouds, as `make run` does."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from local.client import Client
from local.cloud import READY
from local.paths import ROOT, StateDir

START_SECONDS = 300
STOP_SECONDS = 60
# What the tests themselves serve may be dialled, as an operator's private network.
EGRESS_ALLOW = "127.0.0.1/32:1024-65535"


@dataclass(frozen=True)
class Stack:
    """How to call a running local cloud."""

    api_url: str
    aws_endpoint_url: str
    api_key: str
    organization_id: str
    space_slug: str
    space_id: str
    stack_file: Path

    @property
    def client(self) -> Client:
        """A client with the admin key."""
        return Client(self.api_url, self.api_key)


def spawn(state_dir: Path, port: int) -> subprocess.Popen[str]:
    """A local cloud that has just been started."""
    return subprocess.Popen(
        [sys.executable, "-m", "local", "--port", str(port), "--state-dir", str(state_dir)],
        cwd=ROOT,
        env=os.environ | {"EGRESS_ALLOW": EGRESS_ALLOW},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class LocalCloud:
    """A local cloud that is ready."""

    def __init__(self, state_dir: Path, port: int) -> None:
        self._process = spawn(state_dir, port)
        self._wait_until_ready()
        stack_file = StateDir(state_dir).stack_file
        self.stack = Stack(**json.loads(stack_file.read_text()), stack_file=stack_file)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it by a signal; the answer is its exit code."""
        self._process.send_signal(number)
        try:
            self._process.communicate(timeout=STOP_SECONDS)
        finally:
            self._process.kill()
        return self._process.returncode

    def _wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        said = []
        overdue = threading.Timer(START_SECONDS, self._process.terminate)
        overdue.start()
        try:
            for line in self._process.stdout:
                said.append(line)
                if line.startswith(READY):
                    return
        finally:
            overdue.cancel()
        self._process.communicate()
        raise AssertionError(f"the local cloud did not start:\n{''.join(said)}")


def processes_of(state_dir: Path) -> list[str]:
    """The command lines of all processes that work in a local cloud's folder (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            folder = (entry / "cwd").resolve(strict=True)
        except OSError:  # it is gone, or not ours to see
            continue
        if str(state_dir) in command or folder.is_relative_to(state_dir):
            found.append(command)
    return found
