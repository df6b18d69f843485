"""The organization, space and admin key that a local cloud starts with."""

import json
import os
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from local import processes
from local.client import Client
from local.emulator import Account, Emulator
from local.paths import PACKAGE_PATH
from local.problems import Problem
from local.sam import Stack

SLUG = "local"
_RECALLS = 5
_HOUR = 3600
_EXPORTED = ("api_url", "api_key", "organization_id", "space_slug", "space_id")


@dataclass(frozen=True)
class Tenant:
    """Who calls the local cloud."""

    organization_id: str
    space_id: str
    space_slug: str
    api_key: str


async def create(emulator: Emulator, stack: Stack) -> Tenant:
    """Make them as an operator does in AWS; what an earlier start has made gets another key."""
    try:
        return await _operator(emulator, stack, "issue-key", "--space-slug", SLUG)
    except Problem as problem:
        if "SPACE_NOT_FOUND" not in str(problem):
            raise
    names = ("--name", "Local", "--space-slug", SLUG, "--space-name", "Local")
    return await _operator(emulator, stack, "create-organization", *names)


async def _operator(emulator: Emulator, stack: Stack, command: str, *options: str) -> Tenant:
    line = [
        *(sys.executable, "-m", "patchbay.tenancy.operator", command),
        *("--table", stack.outputs["IntegrationsTableName"]),
        *options,
    ]
    env = emulator.environment() | {"PYTHONPATH": str(PACKAGE_PATH)}
    made = json.loads(await processes.capture("creating the organization", line, env=env))
    return Tenant(**{name: made[name] for name in Tenant.__dataclass_fields__})


def recall(stack_file: Path, api_url: str) -> Tenant | None:
    """Those of the last start, if this cloud's data still knows them; it may be slow to answer."""
    try:
        stored = json.loads(stack_file.read_text())
        tenant = Tenant(**{name: stored[name] for name in Tenant.__dataclass_fields__})
    except (OSError, ValueError, KeyError):
        return None
    client = Client(api_url, tenant.api_key)
    for _ in range(_RECALLS):
        known = client.call("GET", f"/v1/organizations/{tenant.organization_id}")
        if known.status == 200:
            return tenant
        if known.status < 500:
            return None
    raise Problem(f"the API does not answer for the key of the last start: {known.problem}")


def remember(stack_file: Path, api_url: str, account: Account, tenant: Tenant) -> None:
    """Write what a caller needs, for programs as JSON and for shells to source.

    The keys make both files for their owner alone.
    """
    content = {
        "api_url": api_url,
        "aws_endpoint_url": account.url,
        "aws_access_key_id": account.access_key_id,
        "aws_secret_access_key": account.secret_access_key,
        **asdict(tenant),
    }
    _write(stack_file, json.dumps(content, indent=2) + "\n")
    exports = [f"export {name.upper()}={shlex.quote(content[name])}\n" for name in _EXPORTED]
    _write(stack_file.with_suffix(".env"), "".join(exports))


def sign_in_link(client: Client, tenant: Tenant) -> str:
    """Signs a browser in to the dashboard, once: it may do all that the key may, within an hour.

    Raises `Problem`.
    """
    path = f"/v1/organizations/{tenant.organization_id}"
    current = client.call("GET", "/v1/browser-sessions/current")
    body = {"permissions": current.body.get("permissions", []), "expires_in_seconds": _HOUR}
    made = client.call("POST", f"{path}/sign-in-links", body)
    if made.status != 201:
        raise Problem(f"the dashboard can't be signed in to: {made.problem}")
    url: str = made.body["url"]
    return url


def _write(path: Path, content: str) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    fresh.replace(path)
