"""`python -m local`, which `make run` starts once the tools are there."""

import argparse
import asyncio
import contextlib
import os
import platform
import signal
import sys
from pathlib import Path

from local import cloud
from local.paths import LOCAL, StateDir
from local.problems import Problem
from patchbay.egress.policy import EgressPolicy

_DEFAULT_PORT = "3000"


def main() -> int:
    """0 when it was stopped, 1 with one line when it could not go on."""
    parser = argparse.ArgumentParser(prog="python -m local", description=cloud.__doc__)
    parser.add_argument("--port", default=os.environ.get("PORT") or _DEFAULT_PORT)
    parser.add_argument("--state-dir", type=Path, default=LOCAL)
    options = parser.parse_args()
    # What is written here holds keys and secrets.
    os.umask(0o077)
    # Whatever proxy the machine has, it can't reach the loopback interface. Lower case wins.
    os.environ["no_proxy"] = ",".join(filter(None, [os.environ.get("no_proxy"), "127.0.0.1"]))
    try:
        _require_lambda_platform()
        egress_allow = _egress_allow(os.environ.get("EGRESS_ALLOW", ""))
        state = StateDir(options.state_dir.resolve())
        asyncio.run(_until_stopped(_port(options.port), state, egress_allow))
    except Problem as problem:
        print(f"patchbay: {problem}", file=sys.stderr)
        return 1
    return 0


async def _until_stopped(port: int, state: StateDir, egress_allow: str) -> None:
    serving = asyncio.ensure_future(cloud.serve(port, state, egress_allow))
    stopped = False

    def stop() -> None:
        # A second signal must not cut the clean-up short: make and the terminal may each send one.
        nonlocal stopped
        if not stopped:
            stopped = True
            serving.cancel()
            # The terminal may be what has gone.
            with contextlib.suppress(OSError):
                print("\nstopping", flush=True)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await serving
    except asyncio.CancelledError:
        if not stopped:
            raise


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise Problem(f"PORT={text} is not a port")
    return int(text)


def _egress_allow(text: str) -> str:
    try:
        EgressPolicy.parse(text)
    except ValueError as error:
        raise Problem(f"EGRESS_ALLOW: {error}") from None
    return text


def _require_lambda_platform() -> None:
    # The functions run on this machine with the libraries built for Lambda.
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Problem("the local cloud needs Linux on x86_64, as Lambda has (a container will do)")


if __name__ == "__main__":
    sys.exit(main())
