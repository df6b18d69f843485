"""Each route with the worst that a caller may send it: CPU and memory over the function's base.

    PYTHONPATH=functions:layers/patchbay:. .venv/bin/python -m bench.abuse [operation ids]

The routes are those of the OpenAPI document, so none is forgotten. Each request is served by a fork
of a process whose functions are warm: what it takes of the CPU, and its peak of memory over what
the process had before. DynamoDB, KMS and SQS are moto, in the same process. The CPU that passes in
moto is subtracted: it is measured around the handler that botocore calls instead of sending a
request, so that making requests and reading answers still counts. Memory can't be told apart: the
copies that moto makes are counted as ours.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from moto.core.botocore_stubber import BotocoreStubber

from bench.hostile_server import BODIES, hostile_server
from bench.report import Row
from local.openapi import DOCUMENT
from patchbay.health.model import Event, EventStatus, IntegrationType
from patchbay.health.monitor_runs import NO_RUNS
from patchbay.health.store import EventStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table
from patchbay.platform.ids import new_id
from patchbay.platform.logging import logger
from tests.attacks.costly_schemas import STEPS, VALIDATIONS
from tests.integration.cloudformation import read_template
from tests.integration.conftest import (
    TENANT_PERMISSIONS,
    Tenant,
    account,
    create_tables,
    deploy,
    new_tenant,
)
from tests.integration.documented import ROUTES, Names, Route
from tests.integration.story import create_connection, create_source, publish_integration
from tests.integration.test_isolation import everything_of

CPU_BUDGET: Final = 1.0
MEMORY_BUDGET: Final = 150.0
BODY_BYTES: Final = 250_000
"""A little less than a body may have."""

MANY: Final = 100
"""How many of each thing the lists have."""

DOCUMENTED: Final[dict[str, Any]] = json.loads(DOCUMENT.read_text())

COSTLIEST: Final = 5
"""The rows that name a route."""


@dataclass(frozen=True, slots=True)
class Attack:
    """A request to a route; what makes it costly is its `label`."""

    operation: str
    label: str
    method: str
    target: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    attack: Attack
    status: int
    cpu_seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class World:
    """A tenant with everything, in which the requests are served, and a server that is hostile."""

    tenant: Tenant
    names: Names
    port: int


def rows() -> list[Row]:
    found = measured([])
    cpu = sorted(found, key=lambda cost: -cost.cpu_seconds)
    memory = sorted(found, key=lambda cost: -cost.megabytes)
    return [
        Row("abuse: requests to all routes", len(found), ""),
        Row("abuse: routes", len({cost.attack.operation for cost in found}), ""),
        *(Row(f"abuse: {_name(c)}", c.cpu_seconds, "s", CPU_BUDGET) for c in _costliest(cpu)),
        *(Row(f"abuse: {_name(c)}", c.megabytes, "MB", MEMORY_BUDGET) for c in _costliest(memory)),
    ]


def _costliest(costs: list[Cost]) -> list[Cost]:
    """The first of each route."""
    first = {cost.attack.operation: cost for cost in reversed(costs)}
    return [cost for cost in costs if first[cost.attack.operation] is cost][:COSTLIEST]


def _name(cost: Cost) -> str:
    return f"{cost.attack.operation}, {cost.attack.label}"


def measured(operations: list[str]) -> list[Cost]:
    """What each attack costs; with operation ids, those of these routes."""
    with world() as here:
        return [
            cost_of(attack, here.tenant)
            for attack in attacks(here)
            if not operations or attack.operation in operations
        ]


# ---------------------------------------------------------------- measuring


def cost_of(attack: Attack, tenant: Tenant) -> Cost:
    """Serves the request in a fork of this process, which therefore does not change."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.write(writing, json.dumps(_served(attack, tenant)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    if not text:
        raise RuntimeError(f"{attack.operation}, {attack.label}: the process ended")
    return Cost(attack, *json.loads(text))


def _served(attack: Attack, tenant: Tenant) -> tuple[int, float, float]:
    _no_output()
    stub = _TimedStub()
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # begins a new peak
    began = time.process_time()
    answer = tenant.client.call(attack.method, attack.target, attack.body)
    cpu = time.process_time() - began - stub.seconds
    return answer.status, cpu, max(0.0, _memory("VmHWM") - before)


class _TimedStub:
    """Measures the CPU that passes in moto."""

    def __init__(self) -> None:
        self.seconds = 0.0
        undisturbed = BotocoreStubber.__call__

        def timed(stub: Any, *arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return undisturbed(stub, *arguments, **named)
            finally:
                self.seconds += time.thread_time() - began

        # It times what the stand-in takes, so that it can be left out.
        BotocoreStubber.__call__ = timed  # type: ignore[method-assign, assignment]  # for the run


def _memory(name: str) -> float:
    """In MB, of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(name)


def _no_output() -> None:
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


# ---------------------------------------------------------------- the world


@contextmanager
def world() -> Iterator[World]:
    template = read_template()
    logger.setLevel("CRITICAL")
    with hostile_server() as port, pytest.MonkeyPatch.context() as patch, account(patch):
        create_tables(template)
        deploy(template, patch)
        patch.setenv("TESTS_PER_MINUTE", "100000")
        tenant = new_tenant("acme", TENANT_PERMISSIONS)
        yield World(tenant, filled(tenant, everything_of(tenant), port), port)


def filled(tenant: Tenant, names: Names, port: int) -> Names:
    """Adds what makes lists long, and things whose use is costly."""
    _connections(tenant)
    _events(tenant)
    _tested(tenant, port)
    return names.and_(
        {
            "hub_id": _dependencies(tenant),
            "versions_id": _versions(tenant),
        }
    )


def _connections(tenant: Tenant) -> None:
    """Connections with configurations as large as they may be, of one source."""
    publish_integration(tenant, slug="large", variablesSchema={}, manifest={"roles": ["source"]})
    source = create_source(tenant, integration="acme/large", variables={"text": "x" * 30_000})
    for _ in range(MANY):
        create_connection(tenant, source, configurations={"list": [0] * 16_000})


def _events(tenant: Tenant) -> None:
    """The most events that a backtest reads, of connections that do not exist."""
    now = utc_now()
    store = EventStore(Table("EventsTable"), raw_event_days=35, runs=NO_RUNS)
    events = [
        Event(
            id=new_id("evt", now),
            space_id=tenant.space_id,
            integration_type=IntegrationType.CONNECTION_TEST,
            status=EventStatus.ERROR,
            occurred_at=now - timedelta(minutes=4 * number),
            received_at=now,
            connection_id=new_id("con", now),
            message="x" * 1000,
            metadata={"text": "x" * 3000},
        )
        for number in range(10_000)
    ]
    store.add(events, now)


def _published(tenant: Tenant, slug: str, version: str = "1.0.0", **changes: Any) -> str:
    body = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": slug, "name": slug}
    made = tenant.client.post("/v1/integrations", body | changes)
    integration_id: str = made.json["id"]
    _release(tenant, integration_id, version)
    return integration_id


def _release(tenant: Tenant, integration_id: str, version: str) -> None:
    path = f"/v1/integrations/{integration_id}/publish"
    answer = tenant.client.post(path, {"version": version})
    if answer.status != 201:
        raise RuntimeError(answer.text)


def _versions(tenant: Tenant) -> str:
    """An integration with many releases."""
    integration_id = _published(tenant, "many-versions")
    for number in range(MANY):
        _release(tenant, integration_id, f"1.{number}.1")
    return integration_id


def _dependencies(tenant: Tenant) -> str:
    """A draft that depends on as many integrations as it may, each of which depends on as many."""
    leaves = [f"leaf-{number}" for number in range(20)]
    for slug in leaves:
        integration_id = _published(tenant, slug)
        for number in range(10):
            _release(tenant, integration_id, f"1.{number}.1")
    middles = [f"middle-{number}" for number in range(20)]
    for number, slug in enumerate(middles):
        ranges = [
            {"integration": f"acme/{leaf}", "version": f">=1.0.0 <{number + 2}.0.0"}
            for leaf in leaves
        ]
        _published(tenant, slug, manifest={"dependencies": ranges})
    body = {"workspaceId": tenant.space_id, "publisher": "acme", "slug": "hub", "name": "Hub"}
    needs = [{"integration": f"acme/{slug}"} for slug in middles]
    made = tenant.client.post("/v1/integrations", body | {"manifest": {"dependencies": needs}})
    hub_id: str = made.json["id"]
    return hub_id


def _tested(tenant: Tenant, port: int) -> None:
    """A source with the most steps, each of which reads a hostile answer."""
    url = f"http://127.0.0.1:{port}/{{{{variables.path}}}}"
    # As many patterns as a manifest may have; none of them is found, so each reads to the end.
    patterns = [f"[a-z]+ [a-z]+,? [a-z]* {n}$" for n in range(100)]
    steps = [
        {
            "name": f"step {n}",
            "kind": "http",
            "category": "capability",
            "mandatory": n == 19,
            "request": {"url": url},
            "expect": {"text": {"anyOf": [{"matches": p} for p in patterns[n::20]]}},
        }
        for n in range(20)
    ]
    publish_integration(
        tenant,
        slug="patient",
        variablesSchema={"properties": {"path": {"type": "string"}}},
        manifest={"checks": {"timeoutMs": 25_000, "steps": steps}},
    )


# ---------------------------------------------------------------- the attacks


def attacks(here: World) -> Iterator[Attack]:
    for route in ROUTES:
        yield Attack(route.name, "as documented", route.method, *_request(here, route))
        yield from _queries(here, route)
        if route.has_body:
            for label, body in _bodies(here.names.body(route) or {}, route):
                yield Attack(route.name, label, route.method, here.names.path(route), body)
    for path, methods in DOCUMENTED["paths"].items():
        for method, operation in methods.items():
            if not operation.get("security"):
                name = operation["operationId"]
                yield Attack(name, "as documented", method.upper(), path)
    yield from special(here)


def _request(here: World, route: Route) -> tuple[str, str | None]:
    target, body = here.names.path(route), here.names.fresh_body(route)
    more = "&limit=100" if "?" in target else "?limit=100"
    return (
        target + (more if "limit" in route.query else ""),
        None if body is None else json.dumps(body),
    )


def _queries(here: World, route: Route) -> Iterator[Attack]:
    """Each parameter with a text of 4 KB, and the longest period."""
    path, _, query = here.names.path(route).partition("?")
    for name in route.query:
        target = f"{path}?{query}{'&' if query else ''}{name}={'9' * 4000}"
        yield Attack(route.name, f"a long {name}", route.method, target)
    if "days" in route.query:
        days = 31 if "interval" in route.query else 366
        hourly = "&interval=hour" if "interval" in route.query else ""
        target = f"{path}?days={days}{hourly}" + ("&limit=100" if "limit" in route.query else "")
        yield Attack(route.name, "the longest period", route.method, target)


_NESTED: Final = "[" * 30 + "0" + "]" * 30


def _fillings() -> dict[str, Callable[[], str]]:
    """JSON values of the size of a body."""
    return {
        "a long text": lambda: json.dumps("x" * BODY_BYTES),
        "many numbers": lambda: f"[{','.join('0' * (BODY_BYTES // 2))}]",
        "many empty objects": lambda: f"[{','.join(['{}'] * (BODY_BYTES // 3))}]",
        "many members": lambda: json.dumps({f"k{n}": 0 for n in range(BODY_BYTES // 12)}),
        "nested lists": lambda: f"[{','.join([_NESTED] * (BODY_BYTES // 62))}]",
    }


def _bodies(base: dict[str, Any], route: Route) -> Iterator[tuple[str, str]]:
    """Bodies of the largest size: unknown members, and each member with each kind of value."""
    fillings = _fillings()
    yield "unknown members", json.dumps(base | {f"k{n}": 0 for n in range(BODY_BYTES // 12)})
    for label, filling in fillings.items():
        yield f"{label} as the body", filling()
    for member in _members(base, route):
        for label, filling in fillings.items():
            others = json.dumps({name: v for name, v in base.items() if name != member})
            comma = "," if len(others) > 2 else ""
            text = f"{others[:-1]}{comma}{json.dumps(member)}:{filling()}" + "}"
            yield f"{label} as {member}", text


def _members(base: dict[str, Any], route: Route) -> list[str]:
    schema = route.operation["requestBody"]["content"]["application/json"]["schema"]
    known: dict[str, Any] = {}
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        known = DOCUMENTED["components"]["schemas"][name].get("properties", {})
    return [*dict.fromkeys([*base, *known])]


def special(here: World) -> Iterator[Attack]:
    """Attacks that have to know what a route does."""
    names, tenant = here.names, here.tenant
    yield _post(
        "publish_integration",
        "20 dependencies with 20 each",
        f"/v1/integrations/{names.names['hub_id']}/publish",
        {"version": "1.0.0"},
    )
    yield from _costly_drafts(here)
    yield _post(
        "create_source",
        "a range over many versions",
        f"{tenant.connectors}/sources",
        {"name": "s", "integration": "acme/many-versions", "version": ">=1.0.0 <1.1.0"},
    )
    backtest = f"/spaces/{tenant.space_slug}/alert-rules/backtest"
    for condition in (
        {"kind": "connection_down"},
        {"kind": "stale", "per": "connection", "after_seconds": 300},
        {"kind": "success_rate", "per": "connection", "threshold": 90, "minimum_events": 1},
        {"kind": "success_rate", "per": "integration_type", "threshold": 90},
    ):
        body = {"rule": {"name": "r", "condition": condition}, "days": 30}
        yield _post(
            "backtest_alert_rule", f"{condition['kind']} over 10,000 events", backtest, body
        )
    hours = [
        {
            "id": f"e{number}",
            "integration_type": "webhook",
            "status": "ERROR",
            "occurred_at": f"{utc_now() - timedelta(hours=8 * number):%Y-%m-%dT%H:%M:%SZ}",
            "message": "x" * 1000,
            "metadata": {f"k{n}": 0 for n in range(100)},
        }
        for number in range(100)
    ]
    events = f"/spaces/{tenant.space_slug}/integration-events"
    yield _post("add_events", "100 events of 100 hours", events, {"events": hours})
    yield Attack("list_events", "a filter that fits nothing", "GET", f"{events}?status=SUCCESS")
    for status in ("200", "401"):
        for kind in BODIES:
            yield _post(
                "check_source",
                f"20 answers of {status}, {kind}",
                f"{tenant.connectors}/sources/{_source(here, status, kind)}/test",
                None,
            )


def _costly_drafts(here: World) -> Iterator[Attack]:
    """Drafts whose cost is in what is stored: they are created, published, and used, as far as
    that is allowed."""
    drafts = {
        label: ({"variablesSchema": schema, "manifest": {"defaults": document}}, document)
        for label, (schema, document) in VALIDATIONS.items()
    } | {
        label: (
            {
                "variablesSchema": {"properties": {"v": {"type": "string"}}},
                "manifest": {"checks": {"steps": steps}},
            },
            {"v": "x" * 30_000},
        )
        for label, steps in STEPS.items()
    }
    for number, (label, (members, variables)) in enumerate(drafts.items()):
        slug = f"costly-{number}"
        body = {"workspaceId": here.tenant.space_id, "publisher": "acme", "name": slug, **members}
        attack = _post("create_integration", label, "/v1/integrations", {**body, "slug": slug})
        yield attack
        made = here.tenant.client.call(attack.method, attack.target, attack.body)
        if made.status != 201:
            continue
        publish = f"/v1/integrations/{made.json['id']}/publish"
        version = {"version": "1.0.0"}
        yield _post("publish_integration", label, f"{publish}?dry_run=true", version)
        if here.tenant.client.post(publish, version).status == 201:
            source = {"name": "s", "integration": f"acme/{slug}", "variables": variables}
            yield _post("create_source", label, f"{here.tenant.connectors}/sources", source)


def _source(here: World, status: str, kind: str) -> str:
    source = create_source(
        here.tenant, integration="acme/patient", variables={"path": f"{status}/{kind}"}
    )
    source_id: str = source["id"]
    return source_id


def _post(operation: str, label: str, target: str, body: Any) -> Attack:
    return Attack(operation, label, "POST", target, None if body is None else json.dumps(body))


def main(operations: list[str]) -> None:
    found = measured(operations)
    for cost in sorted(found, key=lambda cost: -cost.cpu_seconds):
        print(
            f"{cost.cpu_seconds:6.2f} s {cost.megabytes:6.0f} MB {cost.status} {_name(cost)}",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
