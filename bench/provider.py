"""A provider's API in a process of its own: it answers after a while, and counts requests."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from typing import Any

from bench.own_process import SPAWN, in_own_process

BODY = b'{"ok": true}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


def serve(ready: Pipe, seconds: Any, requests: Any) -> None:
    """Takes as long for each response, however many requests there are at once."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        requests.value += 1
        await asyncio.sleep(seconds.value)
        writer.write(ANSWER)
        writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(
            handle, "127.0.0.1", 0, backlog=1024, family=socket.AF_INET
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


class Provider:
    """The server, as what measures sees it."""

    def __init__(self, port: int, seconds: Any, requests: Any) -> None:
        self.port = port
        self._seconds = seconds
        self._requests = requests

    @property
    def requests(self) -> int:
        """How many there were."""
        return int(self._requests.value)

    def take(self, seconds: float) -> None:
        """How long an answer takes from now on."""
        self._seconds.value = seconds


@contextmanager
def provider() -> Iterator[Provider]:
    """One that answers at once until it is told to take longer."""
    seconds, requests = SPAWN.Value("d", 0.0, lock=False), SPAWN.Value("L", 0, lock=False)
    with in_own_process(serve, seconds, requests) as port:
        yield Provider(port, seconds, requests)
