"""CPU of one http test, from release and values to the verdict, beside a bare probe.

The server is a process of its own, so its work does not count. Both clients open a connection for
each request, send the same bytes and parse the answer with h11; 64 are in flight at once. The bare
probe is what asyncio and h11 cost by themselves: no plan, no vetting, no limits, no verdict.

Each round measures both, one after the other, and the least disturbed round of each counts: what
makes the others slower is the work of other processes, which empties this one's caches.

Our tests do what a monitor's do between the table and the verdict: find the recipe of the release,
compute the binding that the secrets open for, compile the plan, and run it. Every test of a monitor
reads its release from the table, so two copies take turns here.
"""

import asyncio
import gc
import itertools
import json
import socket
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any, Final

import h11

from bench.own_process import in_own_process
from bench.report import Row, table
from patchbay.checks.plan import Plan
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.registry.model import Release
from patchbay.registry.recipes import recipe_of

BUDGET_MS: Final = 0.35
BUDGET_OF_BARE: Final = 1.8
"""The same as a multiple of the bare probe, which took 0.194 ms where the budget was set."""
AT_ONCE: Final = 64
TESTS: Final = 1280
ROUNDS: Final = 9
BODY: Final = b'{"ok": true, "account": {"name": "Acme"}}'
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)
) + BODY


VARIABLES: Final = {"region": "eu"}
SECRETS: Final = {"api_key": "a-key-of-some-length-4242"}


def read_release(port: int, scheme: str = "http") -> Release:
    """An integration with a key and one step, as most of the catalog's, read from its table."""
    step = {
        "name": "whoami",
        "kind": "http",
        "request": {"url": f"{scheme}://127.0.0.1:{port}/v1/{{{{variables.region}}}}/me"},
        "expect": {"status": [200], "json": {"/ok": True}},
        "account": "/account/name",
    }
    published = {
        "id": "int_bench",
        "workspaceId": "bench",
        "slug": "bench",
        "name": "Bench",
        "description": None,
        "iconUrl": None,
        "publisher": "bench",
        "trustTier": "community",
        "currentVersion": "1.0.0",
        "manifest": {"checks": {"timeoutMs": 10_000, "steps": [step]}},
        "variablesSchema": {"properties": {"region": {"type": "string"}}},
        "authConfig": {"type": "api_key"},
        "visibility": "private",
        "createdBy": "bench",
        "deletedAt": None,
        "retentionTier": None,
        "createdAt": "2026-02-17T10:00:00Z",
        "updatedAt": "2026-02-17T10:00:00Z",
        "organization_id": "bench",
        "revision": 1,
        "version": "1.0.0",
        "publishedAt": "2026-02-17T10:00:00Z",
        "publishedBy": "bench",
    }
    return Release.model_validate_json(json.dumps(published))


def prepare(release: Release) -> Plan:
    """What a test does before it dials, except reading the table and opening the secrets."""
    recipe = recipe_of(release)
    recipe.binding(release.id, VARIABLES)
    return recipe.plan(VARIABLES, SECRETS)


async def bare_probe(port: int) -> None:
    """One request and its answer with nothing around it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    wire = h11.Connection(h11.CLIENT)
    headers = [("Host", "127.0.0.1"), ("Authorization", "Bearer x"), ("Connection", "close")]
    head = wire.send(h11.Request(method="GET", target="/v1/eu/me", headers=headers)) or b""
    writer.write(head + (wire.send(h11.EndOfMessage()) or b""))
    while not isinstance(event := wire.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(16_384))
    writer.transport.abort()


async def cpu_ms(one: Callable[[], Awaitable[Any]], count: int, at_once: int) -> float:
    """CPU of this process for each of `count` runs, `at_once` in flight."""

    async def some(number: int) -> None:
        for _ in range(number):
            await one()

    await some(at_once)
    started = time.process_time()
    await asyncio.gather(*(some(count // at_once) for _ in range(at_once)))
    return (time.process_time() - started) * 1000 / count


async def measure(port: int) -> list[Row]:
    gc.freeze()  # as a function does at the end of its start
    guard = EgressGuard(EgressPolicy.parse(f"127.0.0.1/32:{port}"))
    releases = itertools.cycle([read_release(port), read_release(port)])

    async def whole_test() -> None:
        report = await run(prepare(next(releases)), guard, total_ms=10_000)
        if not report.verified:
            raise RuntimeError(report.message)

    async def prepared_only() -> None:
        prepare(next(releases))

    rounds: list[tuple[float, ...]] = [
        (
            await cpu_ms(lambda: bare_probe(port), TESTS, AT_ONCE),
            await cpu_ms(whole_test, TESTS, AT_ONCE),
            await cpu_ms(whole_test, TESTS, 1),
            await cpu_ms(prepared_only, TESTS, 1),
        )
        for _ in range(ROUNDS)
    ]
    bare, at_once, alone, prepared = map(min, zip(*rounds, strict=True))
    return [
        Row("asyncio + h11 alone, 64 at once", bare, "ms"),
        Row("one http test, 64 at once", at_once, "ms", BUDGET_MS),
        Row("one http test, one at a time", alone, "ms"),
        Row("of which recipe, binding, and plan", prepared, "ms"),
        Row("one http test ÷ asyncio + h11 alone", at_once / bare, "", BUDGET_OF_BARE),
    ]


def serve(ready: Connection) -> None:
    """Answers every request the same, until the process is ended."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(
            handle, "127.0.0.1", 0, backlog=1024, family=socket.AF_INET
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


def rows() -> list[Row]:
    with in_own_process(serve) as port:
        return asyncio.run(measure(port))


if __name__ == "__main__":
    print(table(rows()))
