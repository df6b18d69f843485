"""Run MiniStack until standard input ends; runs in MiniStack's own environment.

The process that started it holds the other end of the pipe, so even a parent that was killed leaves
no orphan. What is started here is in `server`.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path


def main() -> None:
    """Serve on the socket that was inherited, until a signal or the end of standard input."""
    os.umask(0o077)
    listening = int(os.environ.pop("PATCHBAY_LISTENING_FD"))
    api_token = os.environ.pop("PATCHBAY_API_TOKEN")
    # It led here. Functions start with a copy of this environment.
    del os.environ["PYTHONPATH"]
    state = Path(os.environ["STATE_DIR"])
    with _alone(state):
        threading.Thread(target=_stop_with_parent, daemon=True).start()
        # MiniStack's modules read their state when they are imported.
        from local.ministack import server

        asyncio.run(server.serve(listening, api_token, state))


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[None]:
    """Wait for the last emulator of this folder, which may still be writing what it knows."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stop_with_parent() -> None:
    # Unbuffered: a thread that holds a buffer's lock at the end crashes the interpreter.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
