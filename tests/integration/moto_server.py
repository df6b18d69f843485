"""moto as a server of its own, which shares no code with the local cloud's emulator."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.integration.transformed import REGION

_PATIENT_SECONDS = 300


@dataclass(frozen=True, slots=True)
class MotoServer:
    url: str
    log: Path

    def client(self, service: Any) -> Any:
        """A boto3 client of this server. What fails is not repeated."""
        return _client(service, self.url)


@cache
def _client(service: Any, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(proxies={}, retries={"total_max_attempts": 1}, read_timeout=_PATIENT_SECONDS),
    )


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[MotoServer]:
    """A server on a free port of loopback, with its log in this folder."""
    log = folder / "moto.log"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"],
            env={**kept, "PYTHONUNBUFFERED": "1"},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield MotoServer(_address(process, log), log)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _PATIENT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"moto did not start:\n{log.read_text()}")
