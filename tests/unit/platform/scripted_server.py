"""An HTTP server on loopback that does what a script says, one step for each request."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

type Step = Callable[["Connection"], bool]
"""Answers a request, or not; whether the connection stays open."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request, with lower-case names of headers."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Connection:
    stream: socket.socket
    request: Received
    over: threading.Event

    def send(self, data: bytes) -> None:
        self.stream.sendall(data)

    def reset(self) -> None:
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(self.stream, ssl.SSLSocket):
            # Below TLS: without a word.
            socket.socket(fileno=self.stream.detach()).close()


@dataclass
class ScriptedServer:
    """Takes the steps in turn; the last one is repeated."""

    steps: list[Step]
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._over = threading.Event()
        self._turn = threading.Lock()
        self._calls: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for call in self._calls:
            call()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def at_the_end(self, call: Callable[[], None]) -> None:
        self._calls.append(call)

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                stream, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.tls:
                stream = self.tls.wrap_socket(stream, server_side=True)
            with stream:
                while (request := _read(stream)) is not None:
                    with self._turn:
                        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                        self.received.append(request)
                    if not step(Connection(stream, request, self._over)):
                        return


def _read(stream: socket.socket) -> Received | None:
    with stream.makefile("rb", buffering=0) as lines:
        first = lines.readline()
        if not first:
            return None
        headers = {}
        while (line := lines.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = b""
        while len(body) < int(headers["content-length"]):
            body += lines.read(int(headers["content-length"]) - len(body))
        return Received(headers, body)


# ---------------------------------------------------------------- steps


def answer(
    content: Any, status: int = 200, *, stays: bool = True, chunked: bool = False, **headers: str
) -> Step:
    """`headers` are spelled as Python names, an empty one is left out. Bytes are sent as such."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named.setdefault("x-amz-crc32", str(zlib.crc32(body)))
    if chunked:
        half = len(body) // 2
        parts = [body[:half], body[half:], b""]
        sent = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        named["Transfer-Encoding"] = "chunked"
    else:
        sent = body
        named.setdefault("Content-Length", str(len(body)))
    if not stays:
        named["Connection"] = "close"
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)

    def step(connection: Connection) -> bool:
        connection.send(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + sent)
        return stays

    return step


def error(code: str, status: int = 400, **members: Any) -> Step:
    name = f"com.amazonaws.dynamodb.v20120810#{code}"
    return answer({"__type": name, "message": "because", **members}, status)


def close(_: Connection) -> bool:
    return False


def reset(connection: Connection) -> bool:
    connection.reset()
    return False


def half_an_answer(connection: Connection) -> bool:
    connection.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"Item": {"pk":')
    return False


def half_a_head(connection: Connection) -> bool:
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    return False


def silent(connection: Connection) -> bool:
    connection.over.wait(5)
    return False


def then_close(step: Step) -> Step:
    """Says that it stays, and closes after the answer."""

    def both(connection: Connection) -> bool:
        step(connection)
        return False

    return both


@contextlib.contextmanager
def serving(*steps: Step, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    with ScriptedServer(list(steps), tls) as server:
        yield server
