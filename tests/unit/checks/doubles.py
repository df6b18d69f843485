"""Stand-ins for what checks dial: a resolver with given answers, and servers on the loopback."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.targets import CheckTarget

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

KEY = "sk_live_4242secret"


class FakeResolver:
    """Answers each name with the next of its answers, the last one for ever, and keeps count."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: list(sequence) for name, sequence in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise OSError("no such name")
        sequence = self._answers[host]
        return sequence.pop(0) if len(sequence) > 1 else sequence[0]


class StalledResolver:
    async def resolve(self, host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return [host]


@asynccontextmanager
async def serving(
    handler: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """A server on the loopback for as long as the block lasts; gives its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.close()

    # Room for all that a test dials at once: what does not fit is dialed again a second later.
    server = await asyncio.start_server(handle, host, 0, ssl=tls, backlog=1024)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        # What was accepted in this moment is known to the server only after another turn.
        await asyncio.sleep(0)
        server.abort_clients()


def answering(response: bytes) -> Handler:
    """A server that reads the head of one request and sends these bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()

    return handler


def handshaking(server: ssl.SSLContext) -> Handler:
    """A server that does the handshake and nothing else. It sends its alert before it hangs up,
    unlike those of asyncio."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = server.wrap_bio(received, sent, server_side=True)
        while data := await reader.read(16_384):
            received.write(data)
            with suppress(ssl.SSLError):
                tls.do_handshake()
            writer.write(sent.read())

    return handler


class TlsEnd:
    """The server's end of TLS that a client begins in the middle of a stream, without waiting for a
    word: asyncio's `start_tls` would lose what has been read already.

    It reads and writes like asyncio's pair.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        self._reader, self._writer = reader, writer
        self._received, self._sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._sent, server_side=True)
        self._plain = b""

    async def shake_hands(self) -> None:
        """Raises ConnectionError if the client does not."""
        await self._until_done(self._tls.do_handshake)

    async def read(self, most: int = -1) -> bytes:
        """The next bytes; with -1 all of them, until the client ends."""
        if most < 0:
            with suppress(ConnectionError):
                while True:
                    self._plain += await self._until_done(lambda: self._tls.read(16_384))
        elif not self._plain:
            with suppress(ConnectionError):
                self._plain = await self._until_done(lambda: self._tls.read(16_384))
        size = len(self._plain) if most < 0 else most
        data, self._plain = self._plain[:size], self._plain[size:]
        return data

    async def readexactly(self, count: int) -> bytes:
        while len(self._plain) < count:
            self._plain += await self._until_done(lambda: self._tls.read(16_384))
        data, self._plain = self._plain[:count], self._plain[count:]
        return data

    def write(self, data: bytes) -> None:
        self._tls.write(data)
        self._writer.write(self._sent.read())

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    async def _until_done[T](self, act: Callable[[], T]) -> T:
        while True:
            try:
                done = act()
            except ssl.SSLWantReadError:
                self._writer.write(self._sent.read())
                data = await self._reader.read(16_384)
                if not data:
                    raise ConnectionResetError from None
                self._received.write(data)
            except ssl.SSLError as error:
                raise ConnectionResetError from error
            else:
                self._writer.write(self._sent.read())
                return done


def http_response(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def guard_for(
    *ports: int, answers: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> EgressGuard:
    """A guard that may dial these ports of the loopback and the public internet."""
    rules = ",".join(f"127.0.0.1/32:{port}" for port in ports)
    return EgressGuard(EgressPolicy.parse(rules), resolver=FakeResolver(answers or {}))


def target_for(*steps: Mapping[str, object], **checks: object) -> CheckTarget:
    """What is tested: an integration with an API key and these steps."""
    return CheckTarget(
        manifest={"checks": {"steps": list(steps), **checks}},
        auth_config={"type": "api_key"},
        variables_schema={"properties": {"region": {"type": "string"}}},
        variables={"region": "eu"},
        secrets={"api_key": KEY},
    )


def step_for(port: int, /, path: str = "/me", **extra: Any) -> dict[str, object]:
    """An http step that calls the server on this port."""
    url = f"http://127.0.0.1:{port}{path}"
    return {"name": "whoami", "kind": "http", "request": {"url": url}, **extra}


PATIENT_MS: Final = 5_000
"""For what must not end by its deadline, however busy the machine is."""


def in_time(limit_ms: int, test: Callable[[], CheckReport]) -> CheckReport:
    """The report of a test that takes less than this; one that took longer is made again, three
    times in all, for the machine may have paused."""
    for _ in range(3):
        report = test()
        if report.latency_ms < limit_ms:
            return report
    raise AssertionError(f"{report.latency_ms} ms, three times over {limit_ms}")


async def run_test(target: CheckTarget, guard: EgressGuard, *, total_ms: int = 5000) -> CheckReport:
    return await run(target.plan(), guard, total_ms=total_ms)
