"""What a warm request costs beside its DynamoDB calls: the handler, less the time in the client.

In this process, with a DynamoDB that answers at once; median of 500 after 50 to warm up.
"""

import contextlib
import copy
import importlib
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.report import Row
from patchbay.platform.kept_connections import ServerAnswer

ROUNDS: Final = 500
WARM_UP: Final = 50
BUDGET_MS: Final = 3.0

_ORGANIZATION: Final = "org_01K0Z3NDEKTSV4RRFFQ69G5FAV"
_SPACE: Final = "5e0125fe-4699-4e36-9fcc-54330afd1709"
_AT: Final = "2026-02-17T10:00:00Z"
_ITEMS: Final[dict[tuple[str, str], dict[str, str]]] = {
    ("SLUG#billing", "CLAIM"): {"organization_id": _ORGANIZATION, "space_id": _SPACE},
    (f"ORG#{_ORGANIZATION}", "SPACE#billing"): {
        "id": _SPACE,
        "organization_id": _ORGANIZATION,
        "slug": "billing",
        "name": "Billing",
        "created_at": _AT,
        "updated_at": _AT,
    },
}
_ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "INTEGRATIONS_TABLE": "IntegrationsTable",
    "EVENTS_TABLE": "EventsTable",
    "RAW_EVENT_DAYS": "35",
    "PUBLIC_URL": "https://patchbay.example.com",
}


def rows() -> list[Row]:
    os.environ.update(_ENVIRONMENT)
    health = json.loads((Path(__file__).parents[1] / "events" / "health.json").read_text())
    space = copy.deepcopy(health) | {"routeKey": "GET /spaces/{slug}", "rawPath": "/spaces/billing"}
    space |= {"rawQueryString": "", "queryStringParameters": None}
    space["requestContext"]["http"]["path"] = "/spaces/billing"
    return [
        Row(
            f"warm: {name}, beside DynamoDB, p50",
            overhead_ms(module, event),
            "ms",
            BUDGET_MS,
        )
        for name, module, event in (
            ("GET /spaces/{slug}", "tenancy", space),
            ("GET …/integration-health?days=30", "health", health),
        )
    ]


def overhead_ms(module: str, event: dict[str, Any]) -> float:
    """The median of one request, less what passes inside the client."""
    from patchbay.platform.dynamodb import connect

    client: Any = connect()
    client.transport = _Answering()
    spent = 0.0
    call = client.call

    def timed(*arguments: Any) -> Any:
        nonlocal spent
        began = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            spent += time.perf_counter() - began

    client.call = timed
    handler: Callable[[Any, Any], Any] = importlib.import_module(module).handler
    measured = []
    try:
        with _no_output():
            for _ in range(WARM_UP + ROUNDS):
                spent, began = 0.0, time.perf_counter()
                answer = handler(event, None)
                measured.append((time.perf_counter() - began - spent) * 1000)
                if answer["statusCode"] != 200:
                    raise RuntimeError(answer["body"])
    finally:
        client.call = call
    return statistics.median(measured[WARM_UP:])


class _Answering:
    """The transport of a DynamoDB that answers at once."""

    def send(self, _: Mapping[str, str], body: bytes) -> ServerAnswer:
        asked = json.loads(body)
        if "Key" not in asked:
            return ServerAnswer(200, {}, b'{"Items": [], "Count": 0}')
        found = _ITEMS.get((asked["Key"]["pk"]["S"], asked["Key"]["sk"]["S"]))
        if not found:
            return ServerAnswer(200, {}, b"{}")
        item = {name: {"S": value} for name, value in found.items()} | {"revision": {"N": "1"}}
        return ServerAnswer(200, {}, json.dumps({"Item": item}).encode())


@contextlib.contextmanager
def _no_output() -> Iterator[None]:
    """The log lines are written, but nowhere."""
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
