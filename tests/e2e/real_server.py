"""Real servers of Debian's packages for the tests of a kind, each on a port of its own."""

import asyncio
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import trustme

from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import FakeResolver
from tests.unit.checks.targets import CheckTarget

HOST: Final = "db.example.net"


def program(name: str, package: str, folders: Sequence[str] = ()) -> Path:
    """A program of a server: Debian keeps some of them out of PATH."""
    found = shutil.which(name)
    elsewhere = [path for folder in folders for path in sorted(Path("/").glob(f"{folder}/{name}"))]
    assert found or elsewhere, f"{name} is needed: apt-get install {package}"
    return Path(found) if found else elsewhere[-1]


def as_user(name: str) -> dict[str, Any]:
    """Who runs a server's programs: some refuse to run as root."""
    return {"user": name, "group": name, "extra_groups": []} if os.geteuid() == 0 else {}


def own(name: str, paths: Iterable[Path]) -> None:
    """Gives files to the user of a server."""
    if os.geteuid() == 0:
        for path in paths:
            shutil.chown(path, name, name)


@contextmanager
def folder_of(user: str) -> Iterator[Path]:
    """An empty folder of this user. Not pytest's own: only root may enter that."""
    with tempfile.TemporaryDirectory(prefix=f"patchbay-{user}-") as name:
        own(user, [Path(name)])
        yield Path(name)


def write_certificate(folder: Path, certificate: trustme.LeafCert) -> None:
    """`server.pem` and `server.key`."""
    (folder / "server.pem").write_bytes(b"".join(p.bytes() for p in certificate.cert_chain_pems))
    (folder / "server.key").write_bytes(certificate.private_key_pem.bytes())
    (folder / "server.key").chmod(0o600)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    user: str,
    *,
    stop: signal.Signals = signal.SIGTERM,
    greets: bool = False,
) -> Iterator[None]:
    """A server that listens on this port until the end of the block.

    One that `greets` is ready once it does so. Before, it may listen and not hear a signal yet.
    """
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **as_user(user))
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as client:
                    if not greets or client.recv(1):
                        break
            except ConnectionRefusedError:
                assert server.poll() is None, server.communicate()[1]
                time.sleep(0.02)
        yield
    finally:
        server.send_signal(stop)
        try:
            server.communicate(timeout=60)
        finally:
            server.kill()


def report_of(
    step: Mapping[str, Any],
    port: int,
    authority: trustme.CA,
    variables: Mapping[str, str],
    secrets: Mapping[str, str],
) -> CheckReport:
    """The report of a test with one step, at a server of this authority."""
    target = CheckTarget(
        {
            "secretsSchema": {"properties": {name: {} for name in secrets}},
            "checks": {"steps": [step]},
        },
        {"type": "none"},
        {"properties": {name: {} for name in variables}},
        variables,
        secrets,
    )
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    guard = EgressGuard(
        EgressPolicy.parse(f"127.0.0.1/32:{port}"),
        resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
        tls_context=trusting,
    )
    return asyncio.run(run(target.plan(), guard, total_ms=5000))


def code(report: CheckReport) -> tuple[str | None, str | None]:
    """The code of a report, and the field that its first failure points at."""
    failed = next((step for step in report.steps if step.status == "failed"), None)
    return report.code, failed.field_pointer if failed else None
