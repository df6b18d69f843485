"""MiniStack, the AWS emulator that stands in for the account."""

import asyncio
import contextlib
import os
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from mypy_boto3_apigatewayv2 import ApiGatewayV2Client
from mypy_boto3_cloudformation import CloudFormationClient

from local import processes
from local.paths import MINISTACK_VENV, ROOT, StateDir
from local.problems import Problem

REGION = "us-east-1"
_START_SECONDS = 30
_SAVE_SECONDS = 20
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True)
class Emulator:
    """A running emulator."""

    url: str
    _process: Process

    def environment(self) -> dict[str, str]:
        """For a program that has to take this emulator for AWS."""
        return aws_environment(self.url)

    def cloudformation(self) -> CloudFormationClient:
        """Where the deployed stack is described."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    def apigateway(self) -> ApiGatewayV2Client:
        """Where the HTTP API is configured."""
        client: ApiGatewayV2Client = self._client("apigatewayv2")
        return client

    async def ended(self) -> None:
        """Wait until the emulator is gone by itself, which it should not be."""
        await self._process.wait()

    def _client(self, service: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}),
        )


@contextlib.asynccontextmanager
async def running(state: StateDir) -> AsyncIterator[Emulator]:
    """The emulator for the length of the block, on a free loopback port, with the state kept."""
    port = _free_port()
    # Left over by a killed run: workers unpack the layers here, tens of megabytes each.
    scratch = state.emulator / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    log = state.logs / "emulator.log"
    url = f"http://127.0.0.1:{port}"
    env = aws_environment(url) | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LAMBDA_EXECUTOR": "local",
        # Functions have the permissions of their roles, so a right the template forgot shows here.
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": str(state.emulator / "services"),
        "S3_DATA_DIR": str(state.emulator / "s3"),
        "TMPDIR": str(scratch),
    }
    command = [MINISTACK_VENV / "bin" / "python", ROOT / "local" / "ministack" / "launch.py"]
    try:
        async with processes.background(
            command, env=env, log=log, cwd=state.emulator, grace_seconds=_SAVE_SECONDS
        ) as process:
            await _answering(port, process, log)
            yield Emulator(url, process)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def aws_environment(url: str) -> dict[str, str]:
    """For a program that has to take the emulator at this address for AWS."""
    return processes.environment(
        AWS_ENDPOINT_URL=url,
        AWS_DEFAULT_REGION=REGION,
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        **_CREDENTIALS,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _answering(port: int, process: Process, log: Path) -> None:
    deadline = asyncio.get_running_loop().time() + _START_SECONDS
    while process.returncode is None and asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise Problem(f"the AWS emulator did not start (its log: {log})")
