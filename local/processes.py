"""Running other programs so that none of them outlives us."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from local.problems import Problem
from local.state import private

# What would lead a tool away from the local cloud: the caller's AWS account, its Python, its make.
_FOREIGN = ("AWS_", "PYTHON", "SAM_CLI_", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")


def environment(**settings: str) -> dict[str, str]:
    """This process's environment without what belongs to the caller's own work."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_FOREIGN) or name == "AWS_CA_BUNDLE"
    }
    return kept | settings


@contextlib.asynccontextmanager
async def background(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
    grace_seconds: float,
    inherited: Sequence[int] = (),
    umask: int = -1,
) -> AsyncIterator[Process]:
    """A program that runs for the length of the block, its output in `log`, for the owner alone.

    It gets a session of its own: a Ctrl-C in the terminal reaches us alone, and we stop it in
    order. Its standard input is a pipe that ends when we do, whatever ends us. It has the files
    that are `inherited`, and a `umask` if one is given.
    """
    with open(log, "wb", opener=private) as output:  # noqa: ASYNC230 - at once, and once
        process = await asyncio.create_subprocess_exec(
            *command,
            env=env,
            cwd=cwd,
            stdin=PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=inherited,
            umask=umask,
        )
    try:
        yield process
    finally:
        await asyncio.shield(_stop(process, grace_seconds))


async def run(
    title: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path,
    umask: int = -1,
) -> None:
    """Run a program to its end, its output in `log`; a failure is a `Problem`."""
    async with background(
        command, env=env, log=log, cwd=cwd, grace_seconds=5, umask=umask
    ) as process:
        if await process.wait() != 0:
            raise Problem(f"{title} failed: {_last_line(log)} (all of it: {log})")


async def capture(title: str, command: Sequence[str | Path], *, env: Mapping[str, str]) -> bytes:
    """The standard output of a short program; a failure is a `Problem`."""
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Problem(f"{title} failed: {said[-1]}")
    return output


async def _stop(process: Process, grace_seconds: float) -> None:
    if process.returncode is None:
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace_seconds)
    # The leader may be gone while a child of its session is not.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    said = (line.strip() for line in reversed(lines) if any(map(str.isalnum, line)))
    return next(said, "it said nothing")
