"""MiniStack, the AWS emulator that stands in for the account."""

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
from mypy_boto3_cloudformation import CloudFormationClient

from local import processes
from local.paths import MINISTACK_VENV, ROOT, StateDir
from local.problems import Problem
from local.state import prepare

REGION = "us-east-1"
_START_SECONDS = 30
_SAVE_SECONDS = 20
_KEY_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
# Part of the addresses of queues, which the state and the functions of a stack keep. The emulator
# listens on another port after each start, and finds a queue by its whole address.
_NAMED_PORT = "4566"


@dataclass(frozen=True)
class Account:
    """Where an emulator is, and the only credentials that it takes. They last for one start."""

    url: str
    access_key_id: str
    secret_access_key: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        """For a program that has to take this emulator for AWS."""
        return processes.environment(
            AWS_ENDPOINT_URL=self.url,
            AWS_DEFAULT_REGION=REGION,
            AWS_CONFIG_FILE=os.devnull,
            AWS_SHARED_CREDENTIALS_FILE=os.devnull,
            AWS_EC2_METADATA_DISABLED="true",
            AWS_ACCESS_KEY_ID=self.access_key_id,
            AWS_SECRET_ACCESS_KEY=self.secret_access_key,
        )

    def client(self, service: Any, **config: Any) -> Any:
        """A boto3 client of this emulator."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(proxies={}, **config),
        )


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    account: Account
    api_token: str = field(repr=False)
    """Opens the stages of APIs, and nothing else."""
    process: Process

    def environment(self) -> dict[str, str]:
        """For a program that has to take this emulator for AWS."""
        return self.account.environment()

    def cloudformation(self) -> CloudFormationClient:
        """Where the deployed stack is described."""
        client: CloudFormationClient = self.account.client("cloudformation")
        return client

    def apigateway(self) -> ApiGatewayV2Client:
        """Where the HTTP API is configured."""
        client: ApiGatewayV2Client = self.account.client("apigatewayv2")
        return client

    async def ended(self) -> None:
        """Wait until the emulator is gone by itself, which it should not be."""
        await self.process.wait()


@contextlib.asynccontextmanager
async def running(state: StateDir) -> AsyncIterator[Emulator]:
    """The emulator for the length of the block, on a free loopback port, with the state kept."""
    prepare(state)
    # Left over by a killed run: workers unpack the layers here, tens of megabytes each.
    scratch = state.emulator / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    log = state.logs / "emulator.log"
    api_token = secrets.token_urlsafe(32)
    # Bound here and inherited, so that nobody else can take the port meanwhile.
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        account = _new_account(f"http://127.0.0.1:{listening.getsockname()[1]}")
        env = account.environment() | {
            "PATCHBAY_LISTENING_FD": str(listening.fileno()),
            "PATCHBAY_API_TOKEN": api_token,
            "PYTHONPATH": str(ROOT),
            "GATEWAY_PORT": _NAMED_PORT,
            "LAMBDA_EXECUTOR": "local",
            # Functions have the permissions of their roles, so a right the template forgot shows.
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "STATE_DIR": str(state.emulator / "services"),
            "S3_DATA_DIR": str(state.emulator / "s3"),
            "TMPDIR": str(scratch),
            # They would listen on ports of their own, which the front does not guard.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        python = MINISTACK_VENV / "bin" / "python"
        try:
            async with processes.background(
                [python, "-m", "local.ministack.launch"],
                env=env,
                log=log,
                cwd=state.emulator,
                grace_seconds=_SAVE_SECONDS,
                inherited=[listening.fileno()],
            ) as process:
                listening.close()
                await _answering(account.url, process, log)
                yield Emulator(account, api_token, process)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _new_account(url: str) -> Account:
    key_id = "AKIA" + "".join(secrets.choice(_KEY_ID_ALPHABET) for _ in range(16))
    return Account(url, key_id, secrets.token_urlsafe(30))


async def _answering(url: str, process: Process, log: Path) -> None:
    address = urlsplit(url)
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while process.returncode is None and asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise Problem(f"the AWS emulator did not start (its log: {log})")
