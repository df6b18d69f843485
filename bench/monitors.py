"""A slot of 1,000 connections, and the dispatch of 320 slots, against the local AWS emulator.

What the runner waits for is real: sockets to a server that takes a second for each answer, and
DynamoDB and SQS calls over HTTP. The emulator and that server are processes of their own, on the
same cores; its calls are slower than DynamoDB's, so the times are an upper end.
"""

import asyncio
import multiprocessing
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import yaml

from bench.report import Row, table
from local.emulator import running
from local.paths import ROOT, StateDir
from patchbay.checks.binding import binding_of
from patchbay.checks.egress import EgressGuard
from patchbay.checks.history import TestHistory
from patchbay.checks.policy import EgressPolicy
from patchbay.checks.testing import Tester
from patchbay.connections.configuring import Configurator
from patchbay.connections.model import Monitor, MonitorInterval, NewConnection, NewEndpoint
from patchbay.connections.store import ConnectionStore
from patchbay.connections.vault import Vault
from patchbay.connections.wheel import MINUTES_OF, is_due, on_the_wheel, place_of
from patchbay.health.store import EventStore
from patchbay.monitors.canary import CanaryTarget
from patchbay.monitors.dispatching import Dispatcher
from patchbay.monitors.queue import Received, SweepQueue
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.sweeping import Sweeper
from patchbay.monitors.turns import ConnectionTurns
from patchbay.monitors.wheel import MAX_LANES, Slot, Sweep, lane_of
from patchbay.platform.aws import client
from patchbay.platform.clock import utc_now
from patchbay.platform.cursor import CursorSeal
from patchbay.platform.dynamodb import Put, ReadAhead, connect
from patchbay.platform.ids import Stamp, new_id
from patchbay.registry.manifest import Role
from patchbay.registry.model import NewIntegration
from patchbay.registry.store import RegistryStore
from patchbay.tenancy.model import NewOrganization, NewSpace
from patchbay.tenancy.store import TenancyStore

CONNECTIONS = 1000
SPACES = 20
ANSWER_SECONDS = 1.0
SLOT_BUDGET_SECONDS = 10.0
DISPATCH_BUDGET_SECONDS = 5.0
IN_FLIGHT_BUDGET = 200
TABLES = {"IntegrationsTable", "EventsTable"}
BODY = b'{"ok": true}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


def serve(ready: Pipe) -> None:
    """Takes a second for each answer, for as many as ask at once."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(ANSWER_SECONDS)
        writer.write(ANSWER)
        writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(
            handle, "127.0.0.1", 0, backlog=1024, family=socket.AF_INET
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


@contextmanager
def slow_server() -> Iterator[int]:
    """Its port."""
    spawn = multiprocessing.get_context("spawn")
    parent, child = spawn.Pipe()
    server = spawn.Process(target=serve, args=(child,), daemon=True)
    server.start()
    try:
        yield parent.recv()
    finally:
        server.terminate()
        server.join()


def create_tables() -> None:
    """The tables of template.yaml, by their logical names."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader
    for name in TABLES:
        properties = template["Resources"][name]["Properties"]
        schema = {
            field: properties[field]
            for field in (
                "BillingMode",
                "AttributeDefinitions",
                "KeySchema",
                "GlobalSecondaryIndexes",
            )
            if field in properties
        }
        connect().create_table(TableName=name, **schema)


class Deployment:
    """The stores as the functions wire them."""

    def __init__(self) -> None:
        create_tables()
        self.table, events = ReadAhead("IntegrationsTable"), ReadAhead("EventsTable")
        key = client("kms").create_key()["KeyMetadata"]["KeyId"]
        self.tenants, self.registry = TenancyStore(self.table), RegistryStore(self.table)
        self.store, self.vault = ConnectionStore(self.table), Vault(self.table, key)
        self.monitors = MonitorStore(self.table)
        url = client("sqs").create_queue(QueueName="MonitorQueue")["QueueUrl"]
        self.queue = SweepQueue(url)
        guard = EgressGuard(EgressPolicy.parse("127.0.0.1/32:1024-65535"))
        history = TestHistory(events, CursorSeal(self.table))
        tester = Tester(
            self.registry,
            self.store,
            self.vault,
            EventStore(events, 35),
            history,
            utc_now,
        )
        turns = ConnectionTurns(self.table, events, tester, history, guard, lambda _: None, utc_now)
        self.sweeper = Sweeper(self.monitors, turns, self.queue, CanaryTarget("", guard))

    def seed(self, port: int) -> None:
        """The connections, each with a source and a secret of its own, over all spaces."""
        stamp = Stamp.fresh(utc_now())
        organization = self.tenants.create_organization(NewOrganization(name="bench"), stamp)
        spaces = [
            self.tenants.create_space(
                organization.id, NewSpace(slug=f"s{number}", name="s"), Stamp.fresh(stamp.now)
            )
            for number in range(SPACES)
        ]
        url = f"http://127.0.0.1:{port}/v1/me"
        step = {"name": "whoami", "kind": "http", "request": {"url": url}}
        draft = NewIntegration.model_validate(
            {
                "workspaceId": spaces[0].id,
                "publisher": "bench",
                "slug": "slow",
                "name": "Slow",
                "authConfig": {"type": "api_key"},
                "manifest": {"checks": {"steps": [step]}},
            }
        )
        made = self.registry.create(draft, spaces[0], "bench", stamp)
        self.registry.publish(made.id, "1.0.0", "bench", lambda _: [], stamp.now)
        configurator = Configurator(self.tenants, self.registry, self.store, self.vault, binding_of)

        def connect_one(number: int) -> None:
            source = configurator.create_endpoint(
                organization.id,
                Role.SOURCE,
                NewEndpoint.model_validate(
                    {"name": "s", "integration": "bench/slow", "secrets": {"api_key": "key"}}
                ),
                Stamp.fresh(stamp.now),
            )
            configurator.create_connection(
                organization.id,
                NewConnection(
                    name="c",
                    source_id=source.id,
                    space=spaces[number % SPACES].slug,
                    monitor=Monitor(enabled=True, interval=MonitorInterval.MINUTE),
                ),
                Stamp.fresh(stamp.now),
            )

        # The first one alone: it makes the organization's data key.
        connect_one(0)
        for number in range(1, CONNECTIONS):
            connect_one(number)

    def occupy(self, minute: datetime) -> None:
        """A member for every slot of a minute: 320 of them."""
        taken: set[tuple[str, int]] = set()
        while len(taken) < len(MINUTES_OF) * MAX_LANES:
            connection_id = new_id("con", minute)
            for interval in MINUTES_OF:
                slot = (interval, lane_of(place_of(connection_id), MAX_LANES))
                if slot not in taken and is_due(connection_id, interval, minute):
                    taken.add(slot)
                    item = {"pk": "BENCH", "sk": f"{interval} {connection_id}"}
                    self.table.write(Put(item | on_the_wheel(connection_id, interval)))


class Calls:
    """Counts the calls of DynamoDB by operation."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        connect().meta.events.register("before-send.dynamodb", self._count)

    def _count(self, request: Any, event_name: str, **_: Any) -> None:
        del request
        self.count[event_name.rpartition(".")[2]] += 1


def measure(port: int) -> tuple[list[Row], Counter[str]]:
    deployment = Deployment()
    began = time.monotonic()
    deployment.seed(port)
    print(f"seeded in {time.monotonic() - began:.0f} s", flush=True)
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    calls = Calls()
    # The best of three: the first loads what a process loads once, and others use these cores.
    sweep = Sweep.of(Slot("1m", 0, 0, 1), minute)
    times, flying, cpu = [], 0, 0.0
    for number in range(3):
        calls.count.clear()
        one = Sweep(minute + number * timedelta(minutes=1), sweep.slot, sweep.low, sweep.high)
        began, cpu_began = time.monotonic(), time.process_time()
        swept = deployment.sweeper.run([Received("m", one, 1)], lambda: 90.0)
        times.append(time.monotonic() - began)
        cpu = time.process_time() - cpu_began
        passed = sum(report.passed for report in swept.reports)
        if (passed, swept.failed) != (CONNECTIONS, []):
            raise RuntimeError(f"{passed} tests passed, {len(swept.failed)} sweeps failed")
        flying = swept.most_in_flight
    of_slot = Counter(calls.count)
    deployment.occupy(minute)
    dispatcher = Dispatcher(deployment.monitors, deployment.queue, MAX_LANES)
    began = time.monotonic()
    done = dispatcher.dispatch(minute)
    dispatched = time.monotonic() - began
    if done.sweeps != 5 * MAX_LANES:
        raise RuntimeError(f"{done.sweeps} sweeps were sent")
    return [
        Row("a slot of 1,000 connections, 1 s each", min(times), "s", SLOT_BUDGET_SECONDS),
        Row("tests in flight", flying, "", IN_FLIGHT_BUDGET, more_is_better=True),
        Row("of which CPU of the runner, per test", cpu / CONNECTIONS * 1000, "ms"),
        Row("dispatch of 320 slots", dispatched, "s", DISPATCH_BUDGET_SECONDS),
    ], of_slot


async def under_emulator(port: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running(StateDir(Path(folder))) as emulator:
            os.environ.update(emulator.environment())
            with ThreadPoolExecutor(1) as pool:
                loop = asyncio.get_running_loop()
                rows, calls = await loop.run_in_executor(pool, measure, port)
    print(table(rows))
    print("DynamoDB calls of a slot:", dict(calls))


def main() -> None:
    os.environ["no_proxy"] = "127.0.0.1"
    with slow_server() as port:
        asyncio.run(under_emulator(port))


if __name__ == "__main__":
    main()
