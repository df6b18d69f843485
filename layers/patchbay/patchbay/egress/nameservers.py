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
GRACE_SECONDS: Final = 0.25
"""How long IPv6 addresses are waited for once there are IPv4 addresses. Some zones and firewalls
drop questions for AAAA; RFC 8305 §3 asks for a short wait (it says 50 ms, of a nearby server)."""
_ANSWERS: Final = frozenset({0, 3})
"""The codes that answer: success, and no such name."""
_NO_EDNS: Final = frozenset({1, 4})
"""What servers answer that refuse EDNS: format error, not implemented. They are asked once more
without it (RFC 6891 §7)."""


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

    @classmethod
    def parse_all(cls, text: str) -> list[Self]:
        """Servers joined by commas. Raises ValueError."""
        return [cls.parse(part.strip()) for part in text.split(",")]


class Nameservers:
    """Recursive name servers, asked one after the other until one answers."""

    def __init__(self, servers: str | Sequence[Nameserver] = PUBLIC) -> None:
        """`servers`: in the order to ask them, as text separated by commas. Raises ValueError."""
        if isinstance(servers, str):
            servers = Nameserver.parse_all(servers)
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
        1.5 s when another one is left; the next one is asked what is missing. AAAA is not waited
        for much longer than A.
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
                    # A server that is asked again may be one that drops what has EDNS.
                    edns = server not in self._servers[:index]
                    await _ask(server, name, missing, found, edns=edns)
            except (OSError, NotAnAnswer, EOFError) as error:
                if is_exhaustion(error):
                    raise
                continue
            if len(found) == len(kinds) or _is_enough(found):
                break
        return {kind: found[kind] for kind in kinds if kind in found}


def _is_enough(found: Mapping[RecordType, DnsAnswer]) -> bool:
    """Whether a host can be dialed with what was found."""
    return "A" in found and bool(found["A"].values)


async def _ask(
    server: Nameserver,
    name: str,
    kinds: Sequence[RecordType],
    found: dict[RecordType, DnsAnswer],
    *,
    edns: bool,
) -> None:
    """Puts the answers of the server into `found`; they stay there if others fail."""
    numbers = {kind: secrets.randbelow(0x1_0000) for kind in kinds}
    truncated = []
    with _socket(server, socket.SOCK_DGRAM) as sock:
        # Connected: the system drops what comes from anyone else, and says when nobody listens.
        # Neither this nor sending waits for anything.
        sock.connect((str(server.address), server.port))
        async for kind, answer in _over_udp(sock, name, numbers, found, edns=edns):
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
    sock: socket.socket,
    name: str,
    numbers: Mapping[RecordType, int],
    found: Mapping[RecordType, DnsAnswer],
    *,
    edns: bool,
) -> AsyncIterator[tuple[RecordType, DnsAnswer]]:
    """The answers as they arrive. All questions share one socket, because sockets are scarce."""
    loop = asyncio.get_running_loop()
    waiting, with_edns = dict(numbers), set(numbers if edns else ())
    for kind, number in numbers.items():
        sock.send(question(name, kind, number, edns=edns))
    grace: float | None = None
    while waiting:
        if waiting.keys() == {"AAAA"} and _is_enough(found):
            grace = grace or loop.time() + GRACE_SECONDS
        try:
            async with asyncio.timeout_at(grace):
                data = await loop.sock_recv(sock, _MAX_DATAGRAM)
        except TimeoutError:
            return
        for kind, number in waiting.items():
            try:
                answer = read_answer(data, name, kind, number)
            except NotAnAnswer:
                # Forged or garbled, unless it is another one's: the real one may still come.
                continue
            if answer.code in _NO_EDNS and kind in with_edns:
                with_edns.remove(kind)
                sock.send(question(name, kind, number, edns=False))
                break
            del waiting[kind]
            yield kind, answer
            break
        else:
            # What has arrived already is read without waiting: a flood of it must leave the
            # others, and the time limit, their turn.
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
