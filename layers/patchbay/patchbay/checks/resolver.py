"""Names to addresses: a port, and the system's resolver behind it."""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol


class Resolver(Protocol):
    async def resolve(self, host: str) -> Sequence[str]:
        """All IPv4 and IPv6 addresses of a canonical host name, in the order to try them.

        Raises OSError when there is no answer. It is asked once per dial.
        """
        ...


class SystemResolver:
    """`getaddrinfo` in threads of its own.

    A lookup that hangs can't be interrupted. The event loop's own threads are joined when the loop
    ends, so there it would hold the whole function until the system gives up; here only its thread
    waits.
    """

    def __init__(self, threads: int = 32) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolver")

    async def resolve(self, host: str) -> Sequence[str]:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _lookup, host)


def _lookup(host: str) -> list[str]:
    # The dot at the end keeps the search domains of this machine out of it. Bytes, because for a
    # str the system would apply IDNA to a name that is ASCII already.
    answers = socket.getaddrinfo(f"{host}.".encode(), None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in answers]
