"""A slot of 1,000 connections, and the dispatch of 320 slots.

The sockets are real: the server is a process of its own that takes a second for each response. So
is botocore with its marshaling and parsing. What responds to it is not DynamoDB but a stand-in in
the process, which takes 5 ms a call, stores what is put, and accepts every condition. (The local
emulator is one Python process that takes some 10 ms a call: the bench would measure that.)
"""

import asyncio
import base64
import io
import json
import multiprocessing
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from typing import Any

from botocore.awsrequest import AWSResponse

from bench import prices
from bench.health import item_bytes
from bench.report import Row, table
from patchbay.checks.roles import Role
from patchbay.connections.connection_model import Monitor, NewConnection
from patchbay.connections.endpoint_model import NewEndpoint
from patchbay.connections.wheel import MonitorInterval, is_due, on_the_wheel, place_of
from patchbay.deployment import Deployment, MonitorDeployment
from patchbay.monitors.canary import OwnNetwork
from patchbay.monitors.sweep_queue import SweepMessage
from patchbay.monitors.wheel import MAX_LANES, Slot, Sweep, lane_of
from patchbay.platform.aws import client
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Put, connect
from patchbay.platform.ids import Stamp, new_id
from patchbay.registry.model import NewIntegration
from patchbay.tenancy.model import NewOrganization, NewSpace
from tests.integration.cloudformation import read_template

CONNECTIONS = 1000
SPACES = 20
ANSWER_SECONDS = 1.0
SLOT_BUDGET_SECONDS = 10.0
DISPATCH_BUDGET_SECONDS = 5.0
IN_FLIGHT_BUDGET = 200
CALL_SECONDS = 0.005
MEGABYTES = 1769
"""The memory of the function in template.yaml."""
TESTS_A_MONTH = CONNECTIONS * 12 * 24 * 30
BODY = b'{"ok": true}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


def serve(ready: Pipe) -> None:
    """Takes a second for each response, however many requests there are at once."""

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
    """Yields its port."""
    spawn = multiprocessing.get_context("spawn")
    parent, child = spawn.Pipe()
    server = spawn.Process(target=serve, args=(child,), daemon=True)
    server.start()
    try:
        yield parent.recv()
    finally:
        server.terminate()
        server.join()


class Raw(io.BytesIO):
    """A body as urllib3 returns it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


class StandIn:
    """Stands in for DynamoDB, SQS, and KMS in the process. Counts calls, and units of the tables.

    The index `by_owner` has a copy of everything that an update changes; other indexes have none.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.write_units = self.read_units = 0.0
        self._items: dict[str, dict[str, Any]] = {}
        self._index: dict[str, dict[str, str]] = {}
        for service in (connect(), client("sqs"), client("kms")):
            service.meta.events.register("before-send", self._answer)

    def _answer(self, request: Any, event_name: str, **_named: Any) -> Any:
        _, service, operation = event_name.split(".")
        time.sleep(CALL_SECONDS)
        asked = json.loads(request.body)
        self.calls[operation if service == "dynamodb" else f"{service}.{operation}"] += 1
        body = json.dumps(getattr(self, f"_{operation.lower()}")(asked)).encode()
        headers: Any = {}
        return AWSResponse(request.url, 200, headers, Raw(body))

    def _getitem(self, asked: Any) -> Any:
        item = self._items.get(_name(asked["TableName"], asked["Key"]))
        self.read_units += _units(item or {}, 4096)
        return {"Item": item} if item else {}

    def _batchgetitem(self, asked: Any) -> Any:
        [(name, wanted)] = asked["RequestItems"].items()
        found = [self._items.get(_name(name, key)) for key in wanted["Keys"]]
        self.read_units += sum(_units(item or {}, 4096) for item in found)
        return {"Responses": {name: [item for item in found if item]}}

    def _query(self, asked: Any) -> Any:
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        under = self._index.get(values[":pk"], {})
        found = sorted(sk for sk in under if values[":low"] <= sk <= values[":high"])
        taken = found[: asked.get("Limit")]
        items = [self._items[under[sk]] for sk in taken]
        # An index of keys only, read without strong consistency: half a unit for 4 KB.
        keys = [{k: v for k, v in item.items() if k.endswith(("pk", "sk"))} for item in items]
        self.read_units += max(1, -(-sum(map(item_bytes, keys)) // 4096)) / 2
        more = {"LastEvaluatedKey": items[-1]} if len(found) > len(taken) else {}
        return {"Items": items} | more

    def _putitem(self, asked: Any) -> Any:
        item: dict[str, Any] = asked["Item"]
        self.write_units += _units(item, 1024)
        name = _name(asked["TableName"], item)
        self._items[name] = item
        if "monitor_slot_pk" in item:
            entries = self._index.setdefault(item["monitor_slot_pk"]["S"], {})
            entries[item["monitor_slot_sk"]["S"]] = name
        return {}

    def _updateitem(self, asked: Any) -> Any:
        name = _name(asked["TableName"], asked["Key"])
        names = asked["ExpressionAttributeNames"]
        # Values under the name of an attribute are set; the others belong to conditions.
        values = {
            names[f"#{value[1:]}"]: typed
            for value, typed in asked.get("ExpressionAttributeValues", {}).items()
            if f"#{value[1:]}" in names
        }
        item = self._items[name] = {**self._items.get(name, asked["Key"]), **values}
        self.write_units += _units(item, 1024) * (2 if "by_owner_pk" in item else 1)
        return {}

    def _transactwriteitems(self, asked: Any) -> Any:
        before = self.write_units
        for action in asked["TransactItems"]:
            if "Put" in action:
                self._putitem(action["Put"])
            elif "Update" in action:
                self._updateitem(action["Update"])
        self.write_units += self.write_units - before  # each write of a transaction counts twice
        return {}

    def _sendmessagebatch(self, asked: Any) -> Any:
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]]}

    def _generatedatakey(self, asked: Any) -> Any:
        del asked
        key = base64.b64encode(bytes(32)).decode()
        return {"Plaintext": key, "CiphertextBlob": key}


def _name(table_name: str, item: Any) -> str:
    return f"{table_name} {item['pk']['S']} {item['sk']['S']}"


def _units(item: Any, size: int) -> int:
    """The units for this many bytes, rounded up, at least one."""
    return max(1, -(-item_bytes(item) // size))


ENVIRONMENT = {
    "INTEGRATIONS_TABLE": "IntegrationsTable",
    "EVENTS_TABLE": "EventsTable",
    "RAW_EVENT_DAYS": "35",
    "VAULT_KEY_ID": "key",
    "EGRESS_ALLOW": "127.0.0.1/32:1024-65535",
    "EGRESS_AUTHORITIES": "",
    "OWN_HOST_NAMES": "",
    "PUBLIC_URL": "",
    "DNS_RESOLVER": "1.1.1.1",
    "API_HOST": "api.example.com",
    "AUTO_DISABLE_FAILURES": "0",
    "AUTO_DISABLE_DAYS": "0",
    "INTEGRATION_BUS": "integrations",
    "MONITOR_CANARY": "",
    "MONITOR_LANES": str(MAX_LANES),
    "MONITOR_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/0/MonitorQueue",
}


def seed(deployment: Deployment, port: int) -> None:
    """Makes the connections in all spaces, each with its own source and secret."""
    stamp = Stamp.fresh(utc_now())
    organization = deployment.tenants.create_organization(NewOrganization(name="bench"), stamp)
    spaces = [
        deployment.tenants.create_space(
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
    made = deployment.registry.create(draft, spaces[0], "bench", stamp)
    deployment.registry.publish(made.id, "1.0.0", "bench", lambda _: [], stamp.now)
    creator, editor = deployment.endpoint_creator, deployment.connection_editor

    def connect_one(number: int) -> None:
        source = creator.create(
            organization.id,
            Role.SOURCE,
            NewEndpoint.model_validate(
                {"name": "s", "integration": "bench/slow", "secrets": {"api_key": "key"}}
            ),
            Stamp.fresh(stamp.now),
        )
        editor.create(
            organization.id,
            NewConnection(
                name="c",
                source_id=source.id,
                space=spaces[number % SPACES].slug,
                monitor=Monitor(enabled=True, interval=MonitorInterval.MINUTE),
            ),
            Stamp.fresh(stamp.now),
        )

    # The first one by itself: it makes the organization's data key.
    connect_one(0)
    for number in range(1, CONNECTIONS):
        connect_one(number)


def occupy(deployment: Deployment, minute: datetime) -> None:
    """Adds a connection to every slot of a minute: 320 of them."""
    taken: set[tuple[str, int]] = set()
    while len(taken) < len(MonitorInterval) * MAX_LANES:
        connection_id = new_id("con", minute)
        for interval in MonitorInterval:
            slot = (interval, lane_of(place_of(connection_id), MAX_LANES))
            if slot not in taken and is_due(connection_id, interval, minute):
                taken.add(slot)
                item = {"pk": "BENCH", "sk": f"{interval} {connection_id}"}
                deployment.integrations.write(Put(item | on_the_wheel(connection_id, interval)))


def measure(port: int) -> tuple[list[Row], Counter[str]]:
    aws = StandIn()
    deployment = MonitorDeployment(ENVIRONMENT | _quotas())
    # Nothing outside this machine is asked.
    deployment.own_network = OwnNetwork(None, None, deployment.monitors, utc_now)
    seed(deployment, port)
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    # The best of three: the first one loads modules, and other processes use the same cores.
    sweep = Sweep.of(Slot("1m", 0, 0, 1), minute)
    times, in_flight, cpu = [], 0, 0.0
    for number in range(3):
        aws.calls.clear()
        aws.write_units = aws.read_units = 0
        one = Sweep(minute + number * timedelta(minutes=1), sweep.slot, sweep.low, sweep.high)
        began, cpu_began = time.monotonic(), time.process_time()
        result = deployment.sweeper.run([SweepMessage("m", one, 1)], lambda: 90.0)
        times.append(time.monotonic() - began)
        cpu = time.process_time() - cpu_began
        passed = sum(report.passed for report in result.reports)
        if (passed, result.failed) != (CONNECTIONS, []):
            raise RuntimeError(f"{passed} tests passed, {len(result.failed)} sweeps failed")
        in_flight = result.most_in_flight
    of_slot = Counter(aws.calls)
    written, read = aws.write_units / CONNECTIONS, aws.read_units / CONNECTIONS
    a_test = prices.units(written, read) + prices.running(min(times), MEGABYTES) / CONNECTIONS
    occupy(deployment, minute)
    began = time.monotonic()
    done = deployment.dispatcher.dispatch(minute)
    dispatched = time.monotonic() - began
    if done.sweeps != 5 * MAX_LANES:
        raise RuntimeError(f"{done.sweeps} sweeps were sent")
    return [
        Row("a slot of 1,000 connections, 1 s each", min(times), "s", SLOT_BUDGET_SECONDS),
        Row("tests in flight", in_flight, "", IN_FLIGHT_BUDGET, more_is_better=True),
        Row("of which CPU, per test", cpu / CONNECTIONS * 1000, "ms"),
        Row("dispatch of 320 slots", dispatched, "s", DISPATCH_BUDGET_SECONDS),
        Row("a test of a monitor, 50 of a space at once", written, "WRU"),
        Row("a test of a monitor: reads", read, "RRU"),
        Row("cost: 1,000 connections each 5 minutes, a month", a_test * TESTS_A_MONTH, "$"),
    ], of_slot


def measured() -> tuple[list[Row], Counter[str]]:
    """The rows, and the calls to AWS of one slot."""
    os.environ |= {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }
    with slow_server() as port:
        return measure(port)


def _quotas() -> dict[str, str]:
    """The quotas of a deployment with the template's defaults."""
    template = read_template()
    variables = template["Resources"]["TenancyFunction"]["Properties"]["Environment"]["Variables"]
    return {
        name: str(template["Parameters"][value["!Ref"]]["Default"])
        for name, value in variables.items()
        if name.startswith("MAX_")
    }


def rows() -> list[Row]:
    return measured()[0]


def main() -> None:
    found, calls = measured()
    print(table(found))
    print("calls of a slot:", dict(calls))


if __name__ == "__main__":
    main()
