"""`sam build` and `sam deploy`, as one would run them against AWS."""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import ClientError

from local import processes
from local.emulator import Emulator
from local.paths import LOCAL, ROOT, SAM_BUILD, SAM_VENV, StateDir
from local.state import private

STACK_NAME = "patchbay-local"
_BUILD_TAG = "patchbay:build"
# Lambda runs a function as another user than the owner of its files, who must be able to read them.
# https://repost.aws/knowledge-center/lambda-deployment-package-errors
_UMASK_OF_A_BUILD = 0o022
_DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True)
class Stack:
    """The deployed stack: its expanded template, and what it deployed."""

    template: Mapping[str, Any]
    outputs: Mapping[str, str]
    physical_ids: Mapping[str, str]


async def build_and_deploy(
    emulator: Emulator,
    state: StateDir,
    parameters: Mapping[str, str],
    progress: Callable[[str], None],
) -> Stack:
    """Build the template, and deploy the result unless exactly that is deployed already."""
    async with _build_folder():
        progress("building (sam build)")
        await _sam("build", emulator=emulator, state=state)
        fingerprint = _fingerprint(parameters)
        if await asyncio.to_thread(_deployed_fingerprint, emulator) != fingerprint:
            progress("deploying (sam deploy)")
            pairs = [f'ParameterKey={k},ParameterValue="{v}"' for k, v in parameters.items()]
            await _sam(
                *("deploy", "--parameter-overrides", *pairs),
                *("--tags", f"{_BUILD_TAG}={fingerprint}"),
                emulator=emulator,
                state=state,
            )
    return await asyncio.to_thread(_describe, emulator)


@contextlib.asynccontextmanager
async def _build_folder() -> AsyncIterator[None]:
    """The build folder for us alone: several local clouds may start from one checkout."""
    LOCAL.mkdir(exist_ok=True)
    with open(LOCAL / "build.lock", "w", opener=private) as lock:  # noqa: ASYNC230 - at once
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.2)
        # A build that was cut off may have left half a cache, which sam would take for a whole one.
        unfinished = LOCAL / "build.unfinished"
        if unfinished.exists():
            shutil.rmtree(SAM_BUILD, ignore_errors=True)
        unfinished.touch()
        yield
        unfinished.unlink()


async def _sam(command: str, *arguments: str, emulator: Emulator, state: StateDir) -> None:
    tools = SAM_VENV / "bin"
    env = emulator.environment() | {
        # sam looks for python3.13 on PATH.
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "SAM_CLI_TELEMETRY": "0",
    }
    await processes.run(
        f"sam {command}",
        [tools / "sam", command, "--config-env", "local", *arguments],
        env=env,
        log=state.logs / f"sam-{command}.log",
        cwd=ROOT,
        umask=_UMASK_OF_A_BUILD,
    )


def _fingerprint(parameters: Mapping[str, str]) -> str:
    """Of all that a deploy would bring."""
    digest = hashlib.sha256(repr(sorted(parameters.items())).encode())
    built = SAM_BUILD / "build"
    for path in sorted(path for path in built.rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(built)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _deployed_fingerprint(emulator: Emulator) -> str | None:
    try:
        [stack] = emulator.cloudformation().describe_stacks(StackName=STACK_NAME)["Stacks"]
    except ClientError:  # there is no such stack
        return None
    if stack["StackStatus"] not in _DEPLOYED:
        return None
    return {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}.get(_BUILD_TAG)


def _describe(emulator: Emulator) -> Stack:
    client = emulator.cloudformation()
    [stack] = client.describe_stacks(StackName=STACK_NAME)["Stacks"]
    template = client.get_template(StackName=STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    resources = client.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    return Stack(
        # boto3 parses a JSON template, which the stubs don't know.
        template=cast("Mapping[str, Any]", template),
        outputs={o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]},
        physical_ids={r["LogicalResourceId"]: r["PhysicalResourceId"] for r in resources},
    )
