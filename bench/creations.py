"""What a source of a public integration costs, and how many a second all tenants together create.

The units of a creation are counted by the stand-in of AWS; those in the partition of the
integration are shared by all tenants. How often creations meet is computed: a transaction has its
items for a time that is assumed, another one that wants one of them is refused, waits as the
product waits, and is a 503 after its last attempt.
"""

import heapq
from collections.abc import Iterable
from random import Random
from typing import Any, Final
from unittest.mock import patch

from bench.fleet import Fleet, Shape
from bench.provider import provider
from bench.report import Row
from bench.stand_in import StandIn, stand_in

DOCUMENT_BYTES: Final = 20_000
WRITE_UNITS: Final = 1_000
READ_UNITS: Final = 3_000
"""A partition gives so many a second.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"""

SHARED_UNITS: Final = 4.0
CREATIONS_A_SECOND: Final = 100.0
"""Both are budgets; the second is without 503s."""

TRANSACTION_SECONDS: Final = 0.02
REFUSED_SECONDS: Final = 0.005
RATES: Final = (5, 10, 25, 50, 100, 150, 200, 250)
FAILED: Final = 1 / 10_000
_SECONDS: Final = 400


def rows() -> list[Row]:
    from patchbay.registry.release_uses import SHARDS

    with stand_in() as aws, provider() as server:
        found = list(measured(aws, Fleet(aws, server, Shape(0, 2, "5m", organizations=2))))
    one = highest_rate(RATES, shards=1)
    sharded = highest_rate(RATES, SHARDS)
    what = "creation: a second, without 503s"
    return [
        *found,
        Row(f"{what}, if all meet at one item", one, ""),
        Row(what, sharded, "", CREATIONS_A_SECOND, more_is_better=True),
    ]


def measured(aws: StandIn, fleet: Fleet) -> Iterable[Row]:
    """In a process whose AWS it is."""
    from patchbay.deployment import Deployment
    from patchbay.platform.clock import utc_now
    from patchbay.platform.ids import Stamp
    from patchbay.registry.model import NewIntegration

    fleet.seed()
    deployment, space = Deployment(), fleet.spaces[0]
    draft = NewIntegration.model_validate(
        {
            "workspaceId": space.id,
            "publisher": "bench",
            "slug": "large",
            "name": "Large",
            "visibility": "public",
            "authConfig": {"type": "api_key"},
            "manifest": {"configurationSchema": {"description": "x" * DOCUMENT_BYTES}},
        }
    )
    made = deployment.registry.create(draft, space, "bench", Stamp.fresh(utc_now()))
    deployment.registry.publish(made.id, "1.0.0", "bench", lambda _: [], utc_now())
    first, _ = _creation(aws, deployment, fleet.spaces[1].organization_id)
    used, read = _creation(aws, deployment, fleet.spaces[1].organization_id)
    shared = _of_integration(used)
    yield Row("creation: a source of a 20 KB integration", sum(used.values()), "WRU")
    yield Row(
        "creation: of it in the partition that all tenants share", shared, "WRU", SHARED_UNITS
    )
    yield Row("creation: the first source of a release", sum(first.values()), "WRU")
    yield Row("creation: a second, by these units of writing", WRITE_UNITS / shared, "")
    reads = _of_integration(read)
    yield Row("creation: a second, by what each reads there", READ_UNITS / reads, "")


def _creation(
    aws: StandIn, deployment: Any, organization_id: str
) -> tuple[dict[str, float], dict[str, float]]:
    """The units that it writes and reads, by kind of item."""
    from patchbay.checks.roles import Role
    from patchbay.connections.endpoint_model import NewEndpoint
    from patchbay.platform.clock import utc_now
    from patchbay.platform.ids import Stamp

    body = {"name": "s", "integration": "bench/large", "secrets": {"api_key": "key"}}
    new = NewEndpoint.model_validate(body)
    aws.counts()
    deployment.endpoint_creator.create(organization_id, Role.SOURCE, new, Stamp.fresh(utc_now()))
    counts = aws.counts()
    return counts["written"], counts["read"]


def _of_integration(units: dict[str, float]) -> float:
    return sum(count for kind, count in units.items() if kind.split()[0] == "INT")


def highest_rate(rates: Iterable[int], shards: int) -> int:
    """The highest of these rates a second up to which at most one creation in 10,000 fails."""
    good = 0
    for rate in rates:
        if failed(rate, shards) > FAILED:
            break
        good = rate
    return good


def failed(rate: int, shards: int) -> float:
    """The share of creations that meet others at each attempt."""
    from patchbay.platform import dynamodb

    chance = Random(rate * shards)  # noqa: S311 - arrivals, guards nothing
    count = rate * _SECONDS
    begins = [(chance.uniform(0, _SECONDS), 0, chance.randrange(shards)) for _ in range(count)]
    heapq.heapify(begins)
    free_at = [0.0] * shards
    lost = 0
    with patch.object(dynamodb, "random", chance):
        while begins:
            now, attempt, shard = heapq.heappop(begins)
            if free_at[shard] <= now:
                free_at[shard] = now + TRANSACTION_SECONDS
            elif attempt + 1 == dynamodb.WRITE_ATTEMPTS:
                lost += 1
            else:
                pause = REFUSED_SECONDS + dynamodb.pause_seconds(attempt + 1)
                heapq.heappush(begins, (now + pause, attempt + 1, shard))
    return lost / count
