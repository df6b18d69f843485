"""A DNS server on the loopback whose messages are made by dnslib."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dnslib  # type: ignore[import-untyped]  # it ships no types


@dataclass
class Nameserver:
    """Answers from a zone; each further question of a name and type gets its next answer.

    `respond` may replace the bytes that are sent over UDP; None sends nothing.
    """

    answers: Mapping[tuple[str, str], Sequence[Sequence[str]]]
    respond: Callable[[bytes, bytes], bytes | None] = lambda _, answer: answer
    asked: list[tuple[str, str]] = field(default_factory=list)
    over_tcp: int = 0
    port: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def until_asked(self, times: int) -> None:
        while len(self.asked) < times:
            self._more.clear()
            await self._more.wait()

    def answer(self, message: bytes) -> bytes:
        """The whole answer to a message."""
        question = dnslib.DNSRecord.parse(message)
        name, kind = str(question.q.qname).rstrip("."), dnslib.QTYPE[question.q.qtype]
        sequence = self.answers.get((name, kind))
        reply = question.reply()
        if sequence is None:
            if not any(known == name for known, _ in self.answers):
                reply.header.rcode = dnslib.RCODE.NXDOMAIN
        else:
            earlier = self.asked.count((name, kind))
            for line in sequence[min(earlier, len(sequence) - 1)]:
                reply.add_answer(*dnslib.RR.fromZone(line))
        self.asked.append((name, kind))
        self._more.set()
        return bytes(reply.pack())


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: Nameserver) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data)
        if len(answer) > 1232:
            truncated = dnslib.DNSRecord.parse(data).reply()
            truncated.header.tc = 1
            answer = bytes(truncated.pack())
        sent = self._server.respond(data, answer)
        if sent is not None:
            self._transport.sendto(sent, addr)


@asynccontextmanager
async def nameserver(
    records: Mapping[str, Sequence[Sequence[str]]] | None = None,
    respond: Callable[[bytes, bytes], bytes | None] = lambda _, answer: answer,
) -> AsyncIterator[Nameserver]:
    """Serves until the block ends. `records`: by `name TYPE`, the answers in order, each a list of
    lines of a zone file."""
    answers = {
        (key.split()[0], key.split()[1]): sequence for key, sequence in (records or {}).items()
    }
    server = Nameserver(answers, respond)

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.over_tcp += 1
        size = int.from_bytes(await reader.readexactly(2))
        answer = server.answer(await reader.readexactly(size))
        writer.write(len(answer).to_bytes(2) + answer)
        await writer.drain()
        writer.close()

    tcp = await asyncio.start_server(over_tcp, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(server), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        transport.close()
        tcp.close()
