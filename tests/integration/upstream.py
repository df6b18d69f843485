"""A provider on loopback that answers with exactly the bytes that a test wants."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for named, value in self.headers if named.lower() == name.lower()]


type Answering = Callable[[Asked], bytes | Iterator[bytes]]


def answer(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """A whole answer; `headers` are spelled as Python names."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@dataclass
class Upstream:
    """A running server. `answering` may be replaced at any time."""

    port: int = 0
    answering: Answering = lambda _: answer()
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def upstream(answering: Answering = lambda _: answer()) -> Iterator[Upstream]:
    served = Upstream(answering=answering)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        served.port = listening.getsockname()[1]

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=_serve, args=(served, connection), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield served
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def slowly(*parts: bytes, seconds: float = 0.2) -> Iterator[bytes]:
    """Parts of an answer, one after the other."""
    for part in parts:
        yield part
        time.sleep(seconds)


def _serve(served: Upstream, connection: socket.socket) -> None:
    with connection, suppress(OSError):
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines]
        request = Asked(method, target, headers, b"")
        length = int((request.values("content-length") or ["0"])[0])
        while len(body) < length:
            body += connection.recv(65536)
        request = Asked(method, target, headers, body)
        served.asked.append(request)
        said = served.answering(request)
        for part in [said] if isinstance(said, bytes) else said:
            connection.sendall(part)
