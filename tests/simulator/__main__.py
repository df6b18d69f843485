"""A large run against an emulator of DynamoDB, with threads that run freely.

    make simulate EVENTS=20000 SEED=1

The exit code is 1 if there is a difference.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from local import emulator
from local.paths import StateDir
from patchbay.platform.aws_credentials import EnvironmentCredentials
from patchbay.platform.dynamodb import CALL_ATTEMPTS, CALL_SECONDS, CONNECT_SECONDS, READ_SECONDS
from patchbay.platform.dynamodb_client import DynamoDBClient
from patchbay.platform.dynamodb_endpoint import DynamoDBEndpoint
from patchbay.platform.kept_connections import KeptConnections
from patchbay.platform.logging import logger
from tests.simulator.simulation import Outcome, Simulation

TABLES = ("integrations", "events")


def simulate(account: emulator.Account, events: int, seed: int) -> Outcome:
    """Runs once, in temporary tables."""
    admin = account.client("dynamodb")
    names = [f"simulator-{seed}-{name}" for name in TABLES]
    for name in names:
        admin.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
    try:
        with _client(account) as client:
            return Simulation(client, names, events, seed, seeded_threads=False).run()
    finally:
        for name in names:
            admin.delete_table(TableName=name)


@contextmanager
def _client(account: emulator.Account) -> Iterator[DynamoDBClient]:
    endpoint = DynamoDBEndpoint.of_url(account.url, emulator.REGION)
    transport = KeptConnections(
        endpoint, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS
    )
    credentials = EnvironmentCredentials(account.environment())
    with closing(transport):
        yield DynamoDBClient(
            endpoint, credentials, transport, attempts=CALL_ATTEMPTS, seconds=CALL_SECONDS
        )


async def _main(events: int, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with emulator.running(StateDir(Path(folder))) as running:
            started = time.monotonic()
            outcome = await asyncio.to_thread(simulate, running.account, events, seed)
            print(f"seed {seed}, {time.monotonic() - started:.0f} s\n{outcome}")
    return 1 if outcome.differences else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.simulator")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logger.setLevel(logging.CRITICAL)
    sys.exit(asyncio.run(_main(options.events, options.seed)))
