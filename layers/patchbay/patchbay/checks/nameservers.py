"""Asks name servers that the operator chose: over UDP, and over TCP what does not fit.

These are the only sockets besides the guard's. Nothing that a tenant gives decides whom they reach.
"""

import asyncio
import secrets
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self

from patchbay.checks.addresses import Address
from patchbay.checks.dns_message import (
    Answer,
    NotAnAnswer,
    RecordType,
    question,
    read_answer,
)
from patchbay.checks.failures import CheckFailure

PUBLIC: Final = "1.1.1.1,9.9.9.9"
"""Cloudflare's and Quad9's: public resolvers that know no private zone of ours."""
TRY_SECONDS: Final = 1.5
_MAX_DATAGRAM: Final = 4096
_NO_SUCH_NAME: Final = 3


@dataclass(frozen=True, slots=True)
class Nameserver:
    address: Address
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> Self:
        """A server from `9.9.9.9`, `9.9.9.9:5353`, `2620:fe::fe` or `[2620:fe::fe]:5353`.

        Raises ValueError.
        """
        host, colon, port = text.rpartition(":")
        if not colon or "]" in port or (host.count(":") and not host.startswith("[")):
            host, port = text, "53"
        if not port.isdecimal() or not port.isascii() or not 1 <= int(port) <= 65535:
            raise ValueError(f"{text!r} is not the address of a name server")
        return cls(ip_address(host.removeprefix("[").removesuffix("]")), int(port))


class Nameservers:
    """Recursive name servers, asked in turn until one answers."""

    def __init__(self, servers: str = PUBLIC) -> None:
        """`servers`: addresses, separated by commas. Raises ValueError."""
        self._servers = tuple(Nameserver.parse(text.strip()) for text in servers.split(","))

    async def ask(self, name: str, kind: RecordType, *, deadline: float) -> Answer:
        """The records of a canonical host name; none when the name does not exist.

        Each server has a share of the time until `deadline` (a time of the event loop), and at most
        1.5 s when another one is left. Raises CheckFailure `dns_error` when none has an answer.
        """
        loop = asyncio.get_running_loop()
        for index, server in enumerate(self._servers):
            left = len(self._servers) - index
            share = (deadline - loop.time()) / left
            until = loop.time() + (share if left == 1 else min(share, TRY_SECONDS))
            try:
                async with asyncio.timeout_at(until):
                    answer = await _ask(server, name, kind)
            except (OSError, NotAnAnswer, EOFError):
                continue
            if answer.code in (0, _NO_SUCH_NAME):
                return answer
        raise CheckFailure("dns_error", "The name servers gave no answer.")


class NameserverResolver:
    """A resolver for dials that asks given name servers instead of the system.

    Lookups can be called off, so names that stall hold no thread.
    """

    def __init__(self, nameservers: Nameservers, *, seconds: float = 5.0) -> None:
        self._nameservers = nameservers
        self._seconds = seconds

    async def resolve(self, host: str) -> Sequence[str]:
        deadline = asyncio.get_running_loop().time() + self._seconds
        four, six = await asyncio.gather(
            self._nameservers.ask(host, "A", deadline=deadline),
            self._nameservers.ask(host, "AAAA", deadline=deadline),
            return_exceptions=True,
        )
        found: list[str] = []
        for answer in (four, six):
            # Half an answer is none: the other half might be what speaks against the host.
            if isinstance(answer, CheckFailure):
                raise OSError("no answer") from answer
            if isinstance(answer, BaseException):
                raise answer
            found += answer.values
        return found


async def _ask(server: Nameserver, name: str, kind: RecordType) -> Answer:
    number = secrets.randbelow(0x1_0000)
    message = question(name, kind, number)
    answer = await _over_udp(server, message, name, kind, number)
    if not answer.is_truncated:
        return answer
    answer = read_answer(await _over_tcp(server, message), name, kind, number)
    if answer.is_truncated:
        raise NotAnAnswer
    return answer


async def _over_udp(
    server: Nameserver, message: bytes, name: str, kind: RecordType, number: int
) -> Answer:
    loop = asyncio.get_running_loop()
    with _socket(server, socket.SOCK_DGRAM) as sock:
        # Connected: the system drops what comes from anyone else, and tells when nobody listens.
        await loop.sock_connect(sock, (str(server.address), server.port))
        await loop.sock_sendall(sock, message)
        while True:
            data = await loop.sock_recv(sock, _MAX_DATAGRAM)
            try:
                return read_answer(data, name, kind, number)
            except NotAnAnswer:
                # Forged or garbled: the real one may still come, until time is up.
                continue


async def _over_tcp(server: Nameserver, message: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with _socket(server, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, (str(server.address), server.port))
        await loop.sock_sendall(sock, struct.pack("!H", len(message)) + message)
        (length,) = struct.unpack("!H", await _exactly(sock, 2))
        return await _exactly(sock, length)


async def _exactly(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = bytearray()
    while len(data) < size:
        part = await loop.sock_recv(sock, size - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def _socket(server: Nameserver, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET if server.address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, kind)
    sock.setblocking(False)
    return sock
