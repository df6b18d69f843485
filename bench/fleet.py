"""A deployment with monitored connections, run minute by minute as schedules and queues would.

The functions are the product's own: their handlers are called with the events that they get in AWS,
and everything else is in other processes (`stand_in`, `provider`). The connections are made by the
API's use cases. Only the clock is ours: a minute begins when the one before it is done.
"""

import gc
import importlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bench.provider import Provider
from bench.stand_in import StandIn
from tests.integration.cloudformation import read_template

MINUTE: Final = timedelta(minutes=1)
_SECONDS_LEFT: Final = 110.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How many connections there are, and how they are spread."""

    connections: int
    spaces: int
    interval: str
    organizations: int = 1
    lanes: int = 0
    """0 is the template's default."""
    rules: bool = False
    """Whether each space has a rule that alerts when a connection is down."""


@dataclass(slots=True)
class Used:
    """What functions used: CPU and wall time in seconds, calls of handlers, and AWS."""

    cpu: Counter[str] = field(default_factory=Counter)
    wall: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    aws: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """By function: `calls`, `written`, `read`, `bytes_created`, and `other`."""
    log_bytes: int = 0
    tests: int = 0
    deliveries: float = 0
    """Runs of functions by queues."""

    def total(self, what: str, function: str | None = None) -> float:
        """Of calls or units, by one function or by all."""
        found = [self.aws[function]] if function else self.aws.values()
        return float(sum(sum(one[what].values()) for one in found))

    def plus(self, other: "Used", times: float) -> "Used":
        """Together with another, which is taken so many times."""
        both = Used(log_bytes=self.log_bytes + round(other.log_bytes * times))
        both.tests = self.tests + round(other.tests * times)
        both.deliveries = self.deliveries + other.deliveries * times
        for name in ("cpu", "wall", "runs"):
            setattr(both, name, _sum(getattr(self, name), getattr(other, name), times))
        for function in {*self.aws, *other.aws}:
            mine, theirs = self.aws.get(function, {}), other.aws.get(function, {})
            both.aws[function] = {
                what: _sum(mine.get(what, Counter()), theirs.get(what, Counter()), times)
                for what in {*mine, *theirs}
            }
        return both


def _sum(one: Counter[str], other: Counter[str], times: float) -> Counter[str]:
    names = {*one, *other}
    return Counter({name: one[name] + other[name] * times for name in names})


class _Context:
    """The context of Lambda."""

    aws_request_id = "bench"

    def get_remaining_time_in_millis(self) -> int:
        return int(_SECONDS_LEFT * 1000)


class _Clock:
    """In place of `datetime` in the product's clock, which asks it nothing but these."""

    fromisoformat = staticmethod(datetime.fromisoformat)
    ahead = timedelta()

    @classmethod
    def now(cls, zone: Any) -> datetime:
        return datetime.now(zone) + cls.ahead


class Fleet:
    """The deployment. It is of one process, and the only one of it."""

    def __init__(self, aws: StandIn, provider: Provider, shape: Shape) -> None:
        self._aws = aws
        self._provider = provider
        self.shape = shape
        self.template = read_template()
        os.environ.update(aws.environment() | self._environment())
        from patchbay.platform import clock

        clock.datetime = _Clock  # type: ignore[attr-defined, assignment]  # the clock is virtual
        self.used = Used()
        self.spaces: list[Any] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - of the process
        self._functions: dict[str, Any] = {}
        self._queues = list(_queues_of(self.template))

    def at(self, moment: datetime) -> None:
        """Sets the clock, which goes on from there."""
        _Clock.ahead = moment - datetime.now(UTC)
        self._aws.at(moment.timestamp())

    def seed(self) -> None:
        """Makes all organizations, spaces, and connections, each with a source and a secret."""
        from patchbay.alerts.rule_model import NewAlertRule
        from patchbay.deployment import Deployment
        from patchbay.platform.clock import utc_now
        from patchbay.platform.ids import Stamp
        from patchbay.tenancy.model import NewOrganization, NewSpace

        deployment, shape = Deployment(), self.shape
        organizations = [
            deployment.tenants.create_organization(
                NewOrganization(name=f"o{number}"), Stamp.fresh(utc_now())
            )
            for number in range(shape.organizations)
        ]
        self.spaces = [
            deployment.tenants.create_space(
                organizations[number % shape.organizations].id,
                NewSpace(slug=f"s{number}", name="s"),
                Stamp.fresh(utc_now()),
            )
            for number in range(shape.spaces)
        ]
        self._publish(deployment)
        for number in range(shape.connections):
            self._connect(deployment, self.spaces[number % shape.spaces])
        rule = {"name": "down", "condition": {"kind": "connection_down"}}
        for space in self.spaces if shape.rules else ():
            deployment.rule_editor.create(
                space, NewAlertRule.model_validate(rule), Stamp.fresh(utc_now())
            )

    def _publish(self, deployment: Any) -> None:
        from patchbay.platform.clock import utc_now
        from patchbay.platform.ids import Stamp
        from patchbay.registry.model import NewIntegration

        url = f"http://127.0.0.1:{self._provider.port}/v1/me"
        step = {"name": "whoami", "kind": "http", "request": {"url": url}}
        draft = NewIntegration.model_validate(
            {
                "workspaceId": self.spaces[0].id,
                "publisher": "bench",
                "slug": "slow",
                "name": "Slow",
                "visibility": "public",
                "authConfig": {"type": "api_key"},
                "manifest": {"checks": {"steps": [step]}},
            }
        )
        made = deployment.registry.create(draft, self.spaces[0], "bench", Stamp.fresh(utc_now()))
        deployment.registry.publish(made.id, "1.0.0", "bench", lambda _: [], utc_now())

    def _connect(self, deployment: Any, space: Any) -> None:
        from patchbay.checks.roles import Role
        from patchbay.connections.connection_model import NewConnection
        from patchbay.connections.endpoint_model import NewEndpoint
        from patchbay.platform.clock import utc_now
        from patchbay.platform.ids import Stamp

        endpoint = {"name": "s", "integration": "bench/slow", "secrets": {"api_key": "key"}}
        source = deployment.endpoint_creator.create(
            space.organization_id,
            Role.SOURCE,
            NewEndpoint.model_validate(endpoint),
            Stamp.fresh(utc_now()),
        )
        monitor = {"enabled": True, "interval": self.shape.interval}
        connection = {"name": "c", "source_id": source.id, "space": space.slug, "monitor": monitor}
        deployment.connection_editor.create(
            space.organization_id,
            NewConnection.model_validate(connection),
            Stamp.fresh(utc_now()),
        )

    def skip_to(self, minute: datetime) -> None:
        """Nothing happens until then: the minutes before are not made up for."""
        from patchbay.deployment import Deployment

        self.at(minute - MINUTE)
        Deployment().monitors.advance(minute - MINUTE)

    def minute(self, minute: datetime) -> None:
        """What the schedules and queues of one minute start."""
        self.at(minute + timedelta(seconds=2))
        before = self._provider.requests
        self.run("dispatch_monitors", {"time": _text(minute)})
        self._deliver()
        self.used.tests += self._provider.requests - before
        if minute.minute % 15 == 0:
            self.run("fold_counts", {"time": _text(minute)})
            self._deliver()

    def evaluate(self, minute: datetime) -> None:
        """The rules of a minute."""
        self.run("evaluate_alerts", {"time": _text(minute)})
        self._deliver()

    def _deliver(self) -> None:
        """Runs the functions of queues until these are empty."""
        delivered = True
        while delivered:
            delivered = False
            for queue, function, size in self._queues:
                waiting = self._aws.messages(queue)
                delivered = delivered or bool(waiting)
                for first in range(0, len(waiting), size):
                    records = [_record(message) for message in waiting[first : first + size]]
                    answer = self.run(function, {"Records": records})
                    self.used.deliveries += 1
                    if answer and answer["batchItemFailures"]:
                        raise RuntimeError(f"{function} failed: {answer['batchItemFailures']}")

    def run(self, function: str, event: Any) -> Any:
        """Calls a handler, and counts what it used."""
        handler = self._handler(function)
        if self.used.runs.total() == 0:
            self._aws.counts()
        with self._logged():
            began, cpu = time.monotonic(), time.process_time()
            answer = handler(event, _Context())
            self.used.cpu[function] += time.process_time() - cpu  # type: ignore[assignment]  # a Counter of floats
            self.used.wall[function] += time.monotonic() - began  # type: ignore[assignment]  # a Counter of floats
        self.used.runs[function] += 1
        mine = self.used.aws.setdefault(function, {})
        for what, found in self._aws.counts().items():
            mine[what] = mine.get(what, Counter()) + Counter(found)
        return answer

    def taken(self) -> Used:
        """What was used since it was last asked."""
        used, self.used = self.used, Used()
        self._aws.counts()
        return used

    def tests_counted(self, days: int) -> int:
        """The tests that the summaries of all spaces have."""
        from patchbay.deployment import Deployment
        from patchbay.health.queries import HealthQuery
        from patchbay.platform.clock import utc_now

        reader, now = Deployment().health_reader, utc_now()
        query = HealthQuery(days=days)
        return sum(reader.summary(space, query, now).total_events for space in self.spaces)

    def _handler(self, function: str) -> Any:
        if function not in self._functions:
            module = importlib.import_module(function)
            gc.freeze()  # as a function does at the end of its start
            if function == "run_monitors":
                _isolate(module)
            self._functions[function] = module
        return self._functions[function].handler

    @contextmanager
    def _logged(self) -> Iterator[None]:
        """What the block writes to stdout is counted, and goes nowhere else."""
        sys.stdout.flush()
        kept = os.dup(1)
        os.dup2(self._log.fileno(), 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)
            self.used.log_bytes += os.lseek(self._log.fileno(), 0, os.SEEK_CUR)
            self._log.seek(0)
            os.ftruncate(self._log.fileno(), 0)
            os.lseek(self._log.fileno(), 0, os.SEEK_SET)

    def _environment(self) -> dict[str, str]:
        """The variables of all functions, with the template's defaults."""
        found: dict[str, str] = {}
        for resource in self.template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                variables = resource["Properties"].get("Environment", {}).get("Variables", {})
                found |= {name: self._value(name, value) for name, value in variables.items()}
        found |= {name: "100000000" for name in found if name.startswith("MAX_")}
        lanes = {"MONITOR_LANES": str(self.shape.lanes)} if self.shape.lanes else {}
        return {
            **found,
            **lanes,
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "POWERTOOLS_METRICS_NAMESPACE": "Patchbay",
            "EGRESS_ALLOW": "127.0.0.1/32:1024-65535",
            "API_HOST": "api.example.com",
            "DELIVERIES_PER_MINUTE": "300",
        }

    def _value(self, variable: str, value: Any) -> str:
        match value:
            case {"!Ref": name} if variable.endswith("_QUEUE_URL"):
                return f"{self._aws.url}/0/{name}"
            case {"!Ref": name} if name in self.template["Parameters"]:
                return str(self.template["Parameters"][name].get("Default", ""))
            case {"!Ref": name} | {"!GetAtt": name}:
                return str(name)
            case dict():
                return ""
            case _:
                return str(value)


def _queues_of(template: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """The queues that run functions: name, function, and how many messages a run gets at most."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            properties = resource["Properties"]
            for source in properties.get("Events", {}).values():
                if source["Type"] == "SQS":
                    queue = source["Properties"]["Queue"]["!GetAtt"].removesuffix(".Arn")
                    size = int(source["Properties"].get("BatchSize", 10))
                    yield queue, properties["Handler"].partition(".")[0], size


def _record(message: dict[str, Any]) -> dict[str, Any]:
    sent = {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))}
    return {"messageId": message["id"], "body": message["body"], "attributes": sent}


def _isolate(module: Any) -> None:
    """Nothing outside this machine is asked."""
    from patchbay.monitors.canary import OwnNetwork
    from patchbay.platform.clock import utc_now

    deployment = module.deployment
    deployment.own_network = OwnNetwork(None, None, deployment.monitors, utc_now)


def _text(minute: datetime) -> str:
    return minute.strftime("%Y-%m-%dT%H:%M:%SZ")
