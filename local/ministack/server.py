"""MiniStack behind our front and with our persistence.

MiniStack takes anyone's requests, and keeps its state in memory until it is stopped. Here the front
checks each request in the same process, so that no port leads around it, and what a request changed
is on disk before its answer or soon after.
"""

import os
import resource
from pathlib import Path

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from ministack import app as ministack

from local.ministack.credentials import FunctionCredentials
from local.ministack.front import Front
from local.ministack.limits import limited
from local.ministack.persistence import Persistence

_KEEP_ALIVE_SECONDS = 75
"""As MiniStack sets it: longer than clients keep an idle connection."""


async def serve(listening: int, api_token: str, state: Path) -> None:
    """Serve on this socket until a signal."""
    # A burst of connections needs more files than the soft limit allows.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    persistence = Persistence(state, ministack)
    persistence.take_over()
    functions = FunctionCredentials()
    functions.take_over()
    front = Front(
        limited(persistence.kept(ministack.app)),
        port=int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2]),
        secrets={os.environ["AWS_ACCESS_KEY_ID"]: os.environ["AWS_SECRET_ACCESS_KEY"]},
        function_secrets=functions.secrets,
        api_token=api_token,
    )
    config = Config()
    config.bind = [f"fd://{listening}"]
    config.keep_alive_timeout = _KEEP_ALIVE_SECONDS
    await hypercorn_serve(front, config)
