"""Monitors on moto: the queue is read by hand, as the poller of Lambda does."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import dispatch_monitors
import run_monitors
from patchbay.connections.connection_model import Connection
from patchbay.connections.planner import Planned, Planner
from patchbay.monitors.pause_survey import SURVEY
from patchbay.monitors.store import MonitorStore
from patchbay.monitors.wheel import Sweep
from patchbay.platform import aws as services
from patchbay.platform.clock import to_text
from patchbay.platform.dynamodb import Put, Table
from tests.integration.conftest import Tenant
from tests.integration.story import calling, create_connection, create_source, publish_integration

MINUTE = timedelta(minutes=1)
MAX_RECEIVES = 5


def plan_from_the_first_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that begin to be monitored are due at past minutes too."""

    def begun(self: Planner, connection: Connection) -> Planned:
        return self._placed(connection, 0) if connection.is_monitored else Planned(connection)

    monkeypatch.setattr(Planner, "begun", begun)


def put_into_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that begin to be monitored have no plans, as those of releases that had none."""

    def begun(self: Planner, connection: Connection) -> Planned:
        return Planned(connection)

    monkeypatch.setattr(Planner, "begun", begun)


def survey_pauses(*, is_done: bool) -> None:
    """This release has run for long: its survey of pauses is done, or due."""
    survey = {"since": "2026-01-01T00:00:00Z", "after": "", "is_done": is_done}
    Table("IntegrationsTable").write(Put({**SURVEY._asdict(), **survey}))


def this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


@dataclass(frozen=True)
class Context:
    """The context of Lambda: this many seconds are left."""

    seconds: float = 90.0

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def dispatch(minute: datetime) -> None:
    dispatch_monitors.handler({"time": to_text(minute)}, Context())


def deliver(*, attempts: int = 1) -> list[dict[str, Any]]:
    """Takes all messages out of the queue, as the records of one delivery."""
    sqs = services.client("sqs")
    url = sqs.get_queue_url(QueueName="MonitorQueue")["QueueUrl"]
    records = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            records.append(
                {
                    "messageId": message["MessageId"],
                    "body": message["Body"],
                    "attributes": {"ApproximateReceiveCount": str(attempts)},
                }
            )
    return records


def run(records: Sequence[dict[str, Any]], seconds: float = 90.0) -> list[str]:
    """Returns the messages that come back."""
    answer = run_monitors.handler({"Records": list(records)}, Context(seconds))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def run_until_quiet(records: Sequence[dict[str, Any]] = (), attempts: int = 1) -> list[str]:
    """Delivers messages one by one, and those that end the process again. Returns the connections
    of those that end it each time: dead letters. `records` were delivered before."""
    dead = []
    waiting = [(record, attempts) for record in records]
    waiting += [(record, 1) for record in deliver()]
    while waiting:
        record, attempts = waiting.pop(0)
        received = record | {"attributes": {"ApproximateReceiveCount": str(attempts)}}
        try:
            left = run([received])
        except BaseException:
            left = [record["messageId"]]
        if left and attempts < MAX_RECEIVES:
            waiting.append((record, attempts + 1))
        elif left:
            sweep = Sweep.decode(json.loads(record["body"]))
            page = MonitorStore(Table("IntegrationsTable")).read_page(sweep, 100)
            dead += [key.sk.rpartition("#")[2] for key in page.keys]
        waiting += [(sent, 1) for sent in deliver()]
    return dead


def tick(minute: datetime) -> None:
    """Runs a minute, from the schedule to the history."""
    dispatch(minute)
    if records := deliver():
        assert run(records) == []


def tick_after_quiet(minute: datetime) -> None:
    """Runs a minute to which the dispatcher comes in time: it makes up for none before."""
    MonitorStore(Table("IntegrationsTable")).advance(minute - MINUTE)
    tick(minute)


def monitored(
    tenant: Tenant, port: int, paths: Sequence[str], interval: str = "1m"
) -> dict[str, dict[str, Any]]:
    """Connections, by the path that their source calls on this port."""
    manifest = calling(port)
    publish_integration(tenant, manifest=manifest)
    monitor = {"enabled": True, "interval": interval}
    return {
        path: create_connection(
            tenant, create_source(tenant, variables={"path": path}), monitor=monitor
        )
        for path in paths
    }


def history(tenant: Tenant, connection: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"{tenant.connectors}/connections/{connection['id']}/tests"
    items: list[dict[str, Any]] = tenant.client.get(path).json["items"]
    return items


def health(tenant: Tenant, connection: dict[str, Any]) -> dict[str, Any]:
    path = f"{tenant.connectors}/connections/{connection['id']}"
    found: dict[str, Any] = tenant.client.get(path).json["health"]
    return found


class Bus:
    """A queue that receives everything from the bus."""

    def __init__(self) -> None:
        sqs, events = services.client("sqs"), services.client("events")
        self._url = sqs.create_queue(QueueName="bus")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        pattern = json.dumps({"source": ["patchbay.connections"]})
        events.put_rule(Name="all", EventBusName="integrations", EventPattern=pattern)
        target = {"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}
        events.put_targets(Rule="all", EventBusName="integrations", Targets=[target])

    def events(self) -> Iterator[dict[str, Any]]:
        sqs = services.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self._url).get("Messages"):
            for message in messages:
                sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])
