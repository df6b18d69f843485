"""Asks the operator's name servers: over UDP, and over TCP if an answer does not fit.

These are the only sockets apart from the guard's. No input of a tenant decides what they reach.
"""

import asyncio
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Self

from patchbay.egress.addresses import Address
from patchbay.egress.dns_message import (
    DnsAnswer,
    NotAnAnswer,
    RecordType,
    question,
    read_answer,
)
from patchbay.egress.failures import DialFailure, is_exhaustion

PUBLIC: Final = "1.1.1.1,9.9.9.9"
"""Cloudflare's and Quad9's: public resolvers that know no private zone of ours."""
TRY_SECONDS: Final = 1.5
_MAX_DATAGRAM: Final = 4096
_ANSWERS: Final = frozenset({0, 3})
"""The codes that answer: success, and no such name."""


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
    """Recursive name servers, asked one after the other until one answers."""

    def __init__(self, servers: str | Sequence[Nameserver] = PUBLIC) -> None:
        """`servers`: in the order to ask them, as text separated by commas. Raises ValueError."""
        if isinstance(servers, str):
            servers = [Nameserver.parse(text.strip()) for text in servers.split(",")]
        self._servers = tuple(servers)

    async def ask(self, name: str, kind: RecordType, *, deadline: float) -> DnsAnswer:
        """The records of a canonical host name; none if the name does not exist.

        Raises DialFailure `dns_error` if no server has answered by `deadline`.
        """
        answers = await self.ask_all(name, (kind,), deadline=deadline)
        if kind not in answers:
            raise DialFailure("dns_error", "The name servers gave no answer.")
        return answers[kind]

    async def ask_all(
        self, name: str, kinds: Sequence[RecordType], *, deadline: float
    ) -> dict[RecordType, DnsAnswer]:
        """The answers by record type, in the order of `kinds`, without those that no server gave.

        Raises OSError if this process can't open a socket (`is_exhaustion`): no server was asked.
        Each server has a share of the time until `deadline` (a time of the event loop), and at most
        1.5 s when another one is left; the next one is asked what is missing.
        """
        loop = asyncio.get_running_loop()
        found: dict[RecordType, DnsAnswer] = {}
        for index, server in enumerate(self._servers):
            left = len(self._servers) - index
            share = (deadline - loop.time()) / left
            until = loop.time() + (share if left == 1 else min(share, TRY_SECONDS))
            missing = [kind for kind in kinds if kind not in found]
            try:
                async with asyncio.timeout_at(until):
                    await _ask(server, name, missing, found)
            except (OSError, NotAnAnswer, EOFError) as error:
                if is_exhaustion(error):
                    raise
                continue
            if len(found) == len(kinds):
                break
        return {kind: found[kind] for kind in kinds if kind in found}


async def _ask(
    server: Nameserver, name: str, kinds: Sequence[RecordType], found: dict[RecordType, DnsAnswer]
) -> None:
    """Puts the answers of the server into `found`; they stay there if others fail."""
    numbers = {kind: secrets.randbelow(0x1_0000) for kind in kinds}
    truncated = []
    async for kind, answer in _over_udp(server, name, numbers):
        if answer.is_truncated:
            truncated.append(kind)
        elif answer.code in _ANSWERS:
            found[kind] = answer
    for kind in truncated:
        message = question(name, kind, numbers[kind])
        answer = read_answer(await _over_tcp(server, message), name, kind, numbers[kind])
        if answer.is_truncated:
            raise NotAnAnswer
        if answer.code in _ANSWERS:
            found[kind] = answer


async def _over_udp(
    server: Nameserver, name: str, numbers: Mapping[RecordType, int]
) -> AsyncIterator[tuple[RecordType, DnsAnswer]]:
    """The answers as they arrive. All questions share one socket, because sockets are scarce."""
    loop = asyncio.get_running_loop()
    waiting = dict(numbers)
    with _socket(server, socket.SOCK_DGRAM) as sock:
        # Connected, so the system drops packets of others and reports a closed port. Neither this
        # nor sending blocks.
        sock.connect((str(server.address), server.port))
        for kind, number in numbers.items():
            sock.send(question(name, kind, number))
        while waiting:
            data = await loop.sock_recv(sock, _MAX_DATAGRAM)
            for kind, number in waiting.items():
                try:
                    answer = read_answer(data, name, kind, number)
                except NotAnAnswer:
                    # Forged, garbled, or of another question: the real answer may still arrive.
                    continue
                del waiting[kind]
                yield kind, answer
                break
            else:
                # What has arrived is read without waiting: a flood must not keep other tasks, or
                # the time limit, from running.
                await asyncio.sleep(0)


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
