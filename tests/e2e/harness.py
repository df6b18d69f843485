"""Starting and stopping real local clouds, as `make run` does."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.client import Answer, Client
from local.cloud import LAST_WORDS
from local.emulator import Account
from local.paths import PACKAGE_PATH, ROOT, StateDir

START_SECONDS = 300
STOP_SECONDS = 900
"""The emulator's workers unpack 70 MB each: a busy disk takes minutes to be rid of them."""
AT_ONCE = 5
"""Callers at once. The emulator starts a process for each: more would only wait for theirs."""
# What the tests themselves serve may be dialled, as an operator's private network.
EGRESS_ALLOW = "127.0.0.1/32:1024-65535"


@dataclass(frozen=True)
class Stack:
    """How to call a running local cloud."""

    api_url: str
    aws_endpoint_url: str
    aws_access_key_id: str
    aws_secret_access_key: str
    api_key: str
    organization_id: str
    space_slug: str
    space_id: str
    stack_file: Path

    @classmethod
    def read(cls, stack_file: Path) -> "Stack":
        """The stack that a running local cloud has written down."""
        return cls(**json.loads(stack_file.read_text()), stack_file=stack_file)

    @property
    def state(self) -> StateDir:
        """Where its certificates are, among others."""
        return StateDir(self.stack_file.parent)

    @property
    def client(self) -> Client:
        """A client with the admin key."""
        return Client(self.api_url, self.api_key)

    @property
    def account(self) -> Account:
        """The emulator, with the operator's credentials."""
        return Account(self.aws_endpoint_url, self.aws_access_key_id, self.aws_secret_access_key)

    def aws(self, service: Any) -> Any:
        """A boto3 client of the emulator, with the operator's credentials."""
        return self.account.client(service, read_timeout=90)


PATIENT_MS = 10_000
"""For a test that must not end by its deadline, however busy the machine is."""

TENANT = [
    *("platform.integration.read", "platform.integration.manage", "platform.events.write"),
    "platform.credential.use",
]


class Tenant:
    """An organization of its own, so that a test counts nothing but its own events."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.operator = stack.client
        self.slug = f"s-{uuid.uuid4().hex[:12]}"
        made = stack.client.call("POST", "/v1/organizations", {"name": self.slug})
        self.organization_id = made.body["id"]
        self.organization = f"/v1/organizations/{self.organization_id}"
        self.connectors = f"{self.organization}/knowledge/connectors"
        key = {"name": "test", "permissions": TENANT}
        issued = stack.client.call("POST", f"{self.organization}/api-keys", key)
        self.client = Client(stack.api_url, issued.body["key"])
        space = {"slug": self.slug, "name": "Space"}
        self.space_id = self.post(f"{self.organization}/spaces", space).body["id"]

    def post(self, path: str, body: dict[str, Any], status: int = 201) -> Answer:
        answer = self.client.call("POST", path, body)
        assert answer.status == status, answer.body
        return answer

    def insist(
        self, path: str, body: dict[str, Any], key: str = "", method: str = "POST"
    ) -> Answer:
        """A request that may be repeated, a POST under its Idempotency-Key: sent again as long as
        it is told to come back, or not answered in time."""
        headers = {"Idempotency-Key": key} if key else {}
        said: object = None
        for _ in range(60):
            try:
                answer = self.client.call(method, path, body, headers=headers)
            except TimeoutError as error:
                said = error
                continue
            said = answer.body
            busy = answer.body.get("error", {}).get("code") == "CONFLICT"
            if answer.status < 500 and not busy:
                return answer
            # What failed through us is told and looked at
            assert answer.status in (409, 503, 504), said
            time.sleep(1)
        raise AssertionError(f"{path} is busy on and on: {said}")

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    def publish_asking(
        self, port: int, timeout_ms: int = PATIENT_MS, names: Sequence[str] = ("whoami",)
    ) -> None:
        """An integration whose steps, of these names, ask the server on this port of loopback."""
        url = f"http://127.0.0.1:{port}/{{{{variables.path}}}}"
        steps = [{"name": name, "kind": "http", "request": {"url": url}} for name in names]
        draft = {
            "workspaceId": self.space_id,
            "publisher": self.slug,
            "slug": "tracker",
            "name": "Tracker",
            "variablesSchema": {
                "properties": {"path": {"type": "string", "x-binding": "free"}},
                "required": ["path"],
            },
            "authConfig": {"type": "api_key"},
            "manifest": {"checks": {"timeoutMs": timeout_ms, "steps": steps}},
        }
        integration_id = self.post("/v1/integrations", draft).body["id"]
        self.post(f"/v1/integrations/{integration_id}/publish", {"version": "1.0.0"})

    def connect(self, path: str, **more: object) -> tuple[str, str]:
        """A source that asks for this path, and a connection of it, which has `more`."""
        source = {
            "name": path,
            "integration": f"{self.slug}/tracker",
            "variables": {"path": path},
            "secrets": {"api_key": "right-key"},
        }
        source_id = self.post(f"{self.connectors}/sources", source).body["id"]
        connection = {"name": path, "source_id": source_id, "space": self.slug, **more}
        return source_id, self.post(f"{self.connectors}/connections", connection).body["id"]

    def monitored(self, port: int) -> str:
        """The path of a connection to the server on this port, tested every minute."""
        self.publish_asking(port)
        _, connection_id = self.connect("me", monitor={"enabled": True, "interval": "1m"})
        return f"{self.connectors}/connections/{connection_id}"


@dataclass(frozen=True)
class Watched:
    """A connection that the real schedule tests."""

    tenant: Tenant
    path: str


def spawn(state_dir: Path, port: int, egress_allow: str = EGRESS_ALLOW) -> subprocess.Popen[str]:
    """A local cloud that has just been started."""
    return subprocess.Popen(
        [sys.executable, "-m", "local", "--port", str(port), "--state-dir", str(state_dir)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(PACKAGE_PATH), "EGRESS_ALLOW": egress_allow},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class LocalCloud:
    """A local cloud that is ready."""

    def __init__(self, state_dir: Path, port: int) -> None:
        self._state_dir = state_dir
        self._process = spawn(state_dir, port)
        self.said: list[str] = []
        """What it printed until it was ready, line by line."""
        self._wait_until_ready()
        self.stack = Stack.read(StateDir(state_dir).stack_file)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it by a signal; the answer is its exit code."""
        self._process.send_signal(number)
        try:
            self._process.communicate(timeout=STOP_SECONDS)
        finally:
            self._process.kill()
        return self._process.returncode

    def kill(self) -> None:
        """Kill all its processes at once, as when the machine runs out of memory."""
        for pid in processes_of(self._state_dir):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.communicate(timeout=STOP_SECONDS)
        while processes_of(self._state_dir):  # the rest is still dying
            time.sleep(0.1)

    def _wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        said = self.said
        overdue = threading.Timer(START_SECONDS, self._process.terminate)
        overdue.start()
        try:
            for line in self._process.stdout:
                said.append(line)
                if line.strip().endswith(LAST_WORDS):
                    return
        finally:
            overdue.cancel()
        self._process.communicate()
        raise AssertionError(f"the local cloud did not start:\n{''.join(said)}")


def processes_of(state_dir: Path) -> dict[int, str]:
    """The command lines of all processes that work in a local cloud's folder (Linux)."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            folder = (entry / "cwd").resolve(strict=True)
        except OSError:  # it is gone, or not ours to see
            continue
        if str(state_dir) in command or folder.is_relative_to(state_dir):
            found[int(entry.name)] = command
    return found
