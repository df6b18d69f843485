"""CPU of tests beside another version of this repository, in one run:

    python -m bench.against REVISION

Each version has a process of its own, and both are measured by turns against the same servers, so
what else the machine does slows both alike. The least disturbed round of each counts. Instructions
of Python are counted too: other work does not change them, and they leave out OpenSSL and the
kernel.
"""

import asyncio
import contextlib
import gc
import itertools
import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final, cast

from bench.http_test_cpu import ANSWER, AT_ONCE, SECRETS, VARIABLES, cpu_ms, prepare, read_release
from bench.own_process import in_own_process
from bench.report import Row, table
from patchbay.checks.runner import run
from patchbay.connection_tests.tester import Tester
from patchbay.connection_tests.time_budgets import SYNCHRONOUS
from patchbay.connections.connection_model import UNTESTED
from patchbay.connections.connection_model import Connection as Connected
from patchbay.connections.endpoint_model import Endpoint
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.grants.usable_secrets import StoredSecrets
from patchbay.platform.clock import utc_now
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

ROOT: Final = Path(__file__).parents[1]
ROUNDS: Final = 15
BUDGETS: Final = {"http": 0.6}
"""Of the CPU of the other version."""
WHAT: Final = {
    "http": "one http test, 64 at once",
    "https": "one https test, 64 at once",
    "prepare": "preparing a test of a connection whose records are read and secrets open",
    "whole": "preparing and running it, 64 at once",
    "http bytecode": "one http test, in instructions of Python",
    "https bytecode": "one https test, in instructions of Python",
}
TESTS: Final = {
    "http": 640,
    "https": 320,
    "prepare": 1280,
    "whole": 640,
    "http bytecode": 64,
    "https bytecode": 64,
}


def measured(revision: str) -> list[Row]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = stack.enter_context(_servers(folder))
        trees = ROOT, stack.enter_context(_checkout(revision, folder / "other"))
        workers = [stack.enter_context(_worker(tree, ports, folder)) for tree in trees]
        rounds = [{what: [ask(what) for ask in workers] for what in WHAT} for _ in range(ROUNDS)]
    rows = []
    for what, name in WHAT.items():
        ours, theirs = (min(one[what][index] for one in rounds) for index in (0, 1))
        rows += [
            Row(name, ours, _unit(what)),
            Row(f"{name}, of {revision}", theirs, _unit(what)),
            Row(f"{name} ÷ of {revision}", ours / theirs, "", BUDGETS.get(what)),
        ]
    return rows


def _unit(what: str) -> str:
    return "" if what.endswith("bytecode") else "ms"


@contextlib.contextmanager
def _checkout(revision: str, folder: Path) -> Iterator[Path]:
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "-q", "--detach", folder, revision], check=True)  # noqa: S603 - git, of this checkout
    try:
        yield folder
    finally:
        subprocess.run([*git, "remove", "--force", folder], check=True)  # noqa: S603 - git, of this checkout


@contextlib.contextmanager
def _servers(folder: Path) -> Iterator[tuple[int, int]]:
    """The ports of a server of http and of one of https, under an authority in `folder`."""
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    with in_own_process(_serve, folder / "server.pem") as ports:
        yield ports


def _serve(ready: Connection, certificate: Path) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async def forever() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        common: dict[str, Any] = {"backlog": 1024, "family": socket.AF_INET}
        plain = await asyncio.start_server(handle, "127.0.0.1", 0, **common)
        tls = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context, **common)
        ready.send(tuple(one.sockets[0].getsockname()[1] for one in (plain, tls)))
        await asyncio.gather(plain.serve_forever(), tls.serve_forever())

    asyncio.run(forever())


@contextlib.contextmanager
def _worker(tree: Path, ports: tuple[int, int], folder: Path) -> Iterator[Callable[[str], float]]:
    """A process with the package of `tree`; asked for a measure, it returns milliseconds."""
    path = os.pathsep.join(map(str, (tree / "functions", tree / "layers" / "patchbay", ROOT)))
    process = subprocess.Popen(  # noqa: S603 - this file
        [sys.executable, "-m", "bench.against", "--worker", *map(str, ports)],
        env={**os.environ, "PYTHONPATH": path, "SSL_CERT_FILE": str(folder / "ca.pem")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    stdin, stdout = process.stdin, process.stdout
    if stdin is None or stdout is None:
        raise RuntimeError("a worker has no pipes")

    def ask(what: str) -> float:
        print(what, file=stdin, flush=True)
        return float(stdout.readline())

    try:
        yield ask
    finally:
        process.terminate()
        process.wait()


def _work(http_port: int, https_port: int) -> None:
    # Every test of a monitor reads its release from the table, so two copies take turns.
    releases = itertools.cycle([read_release(http_port), read_release(http_port)])
    secured = itertools.cycle(
        [read_release(https_port, "https"), read_release(https_port, "https")]
    )
    guard = EgressGuard(EgressPolicy.parse(f"127.0.0.1/32:{http_port},127.0.0.1/32:{https_port}"))
    tester, connection = _tester(read_release(http_port))

    async def http() -> None:
        _require((await run(prepare(next(releases)), guard, total_ms=10_000)).verified)

    async def https() -> None:
        _require((await run(prepare(next(secured)), guard, total_ms=10_000)).verified)

    async def prepared() -> None:
        tester.prepare_connection(connection)

    async def whole() -> None:
        done = await tester.run(tester.prepare_connection(connection), guard, SYNCHRONOUS)
        _require(done.report.verified)

    measures: dict[str, tuple[Callable[[], Awaitable[None]], int]] = {
        "http": (http, AT_ONCE),
        "https": (https, AT_ONCE),
        "prepare": (prepared, 1),
        "whole": (whole, AT_ONCE),
        "http bytecode": (http, AT_ONCE),
        "https bytecode": (https, AT_ONCE),
    }
    for one, at_once in measures.values():
        asyncio.run(cpu_ms(one, AT_ONCE, at_once))
    gc.freeze()  # as a function does at the end of its start
    for line in sys.stdin:
        what = line.strip()
        one, at_once = measures[what]
        measured = cpu_ms(one, TESTS[what], at_once)
        if _unit(what):
            print(asyncio.run(measured), flush=True)
        else:
            print(_instructions(measured) / (TESTS[what] + at_once), flush=True)


def _instructions(work: Coroutine[Any, Any, object]) -> int:
    """How many instructions of Python it takes: about the same on any machine, however busy."""
    monitoring, count = sys.monitoring, itertools.count()
    monitoring.use_tool_id(monitoring.PROFILER_ID, "instructions")
    monitoring.register_callback(
        monitoring.PROFILER_ID, monitoring.events.INSTRUCTION, lambda *_: next(count)
    )
    monitoring.set_events(monitoring.PROFILER_ID, monitoring.events.INSTRUCTION)
    try:
        asyncio.run(work)
    finally:
        monitoring.set_events(monitoring.PROFILER_ID, 0)
        monitoring.free_tool_id(monitoring.PROFILER_ID)
    return next(count)


def _require(is_verified: bool) -> None:
    if not is_verified:
        raise RuntimeError("a test has failed")


def _tester(release: Release) -> tuple[Tester, Connected]:
    """A tester over records that were read, and secrets that are open; and what it tests."""
    now = datetime(2026, 2, 17, 10, tzinfo=UTC)
    endpoint = Endpoint.model_validate(
        {
            "id": "src_bench",
            "organization_id": "org_bench",
            "role": "source",
            "name": "Bench",
            "integration": "bench/bench",
            "integration_id": release.id,
            "version": release.version,
            "category": "other",
            "variables": VARIABLES,
            "secrets_set": list(SECRETS),
            "secrets_entered_at": now,
            "members": [],
            "dependencies": [],
            "environment": None,
            "external_account_id": None,
            "ownership_mode": "byok",
            "created_at": now,
            "updated_at": now,
            "binding": recipe_of(release).binding(release.id, VARIABLES),
            "revision": 1,
        }
    )
    connection = Connected.model_validate(
        {
            "id": "con_bench",
            "organization_id": "org_bench",
            "name": "Bench",
            "source_id": "src_bench",
            "destination_id": None,
            "configurations": {},
            "space": "bench",
            "space_id": "spc_bench",
            "monitor": {"enabled": True},
            "status": "active",
            "health": UNTESTED,
            "required_action": "none",
            "created_at": now,
            "updated_at": now,
            "owns_source": False,
            "stated_status": None,
            "revision": 1,
        }
    )

    class Records:
        def get(self, *_: str) -> Endpoint:
            return endpoint

        def release(self, *_: str) -> Release:
            return release

        def look(self, *_: object, **__: object) -> StoredSecrets:
            return StoredSecrets(endpoint, dict(SECRETS))

    records = cast("Any", Records())
    return Tester(records, records, records, records, records, utc_now), connection


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _work(int(sys.argv[2]), int(sys.argv[3]))
    else:
        print(table(measured(sys.argv[1])))
