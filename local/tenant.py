"""The organization, space and admin key that a local cloud starts with."""

import json
import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from local import processes
from local.client import Client
from local.emulator import Emulator
from local.paths import PACKAGE_PATH
from local.sam import Stack

_EXPORTED = ("api_url", "api_key", "organization_id", "space_slug", "space_id")


@dataclass(frozen=True)
class Tenant:
    """Who calls the local cloud."""

    organization_id: str
    space_id: str
    space_slug: str
    api_key: str


async def create(emulator: Emulator, stack: Stack) -> Tenant:
    """Make them as an operator does in AWS."""
    command = [
        *(sys.executable, "-m", "patchbay.tenancy.operator", "create-organization"),
        *("--table", stack.outputs["IntegrationsTableName"]),
        *("--name", "Local", "--space-slug", "local", "--space-name", "Local"),
    ]
    env = emulator.environment() | {"PYTHONPATH": str(PACKAGE_PATH)}
    made = json.loads(await processes.capture("creating the organization", command, env=env))
    return Tenant(**{name: made[name] for name in Tenant.__dataclass_fields__})


def recall(stack_file: Path, api_url: str) -> Tenant | None:
    """Those of the last start, if this cloud's data still knows them."""
    try:
        stored = json.loads(stack_file.read_text())
        tenant = Tenant(**{name: stored[name] for name in Tenant.__dataclass_fields__})
    except (OSError, ValueError, KeyError):
        return None
    client = Client(api_url, tenant.api_key)
    known = client.call("GET", f"/v1/organizations/{tenant.organization_id}")
    return tenant if known.status == 200 else None


def remember(stack_file: Path, api_url: str, emulator: Emulator, tenant: Tenant) -> None:
    """Write what a caller needs, for programs as JSON and for shells to source.

    The key makes both files for their owner alone.
    """
    addresses = {"api_url": api_url, "aws_endpoint_url": emulator.url}
    content = addresses | asdict(tenant)
    _write(stack_file, json.dumps(content, indent=2) + "\n")
    exports = [f"export {name.upper()}={shlex.quote(content[name])}\n" for name in _EXPORTED]
    _write(stack_file.with_suffix(".env"), "".join(exports))


def _write(path: Path, content: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    fresh.replace(path)
