"""An open connection to the other side: bytes, in the clear or within TLS.

Made of a non-blocking socket and, for TLS, OpenSSL's state machine over two memory buffers
(`ssl.SSLObject`): asyncio's streams, with a protocol, a transport, and flow control each, cost a
short exchange about as much as everything else in it.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Final

from patchbay.egress.sockets import AsyncSocket
from patchbay.egress.tls_records import MAX_HEARD, asks_for_certificate

CHUNK: Final = 16 * 1024
"""Bytes that are taken from the socket at once; a TLS record is at most as long."""


class Stream:
    """An open connection of one test. The one who opened it closes it.

    One reader and one writer at a time. Reading raises `OSError` (`ssl.SSLError` within TLS).
    """

    __slots__ = (
        *("_heard", "_incoming", "_outgoing", "_received", "_sock", "_tls"),
        *("deadline", "was_asked_for_certificate"),
    )

    def __init__(self, sock: AsyncSocket) -> None:
        """`sock` is connected; the stream owns it from here on."""
        self._sock = sock
        self.deadline: float | None = None
        """A time of the event loop, at which waits end with TimeoutError. Without one, callers use
        `asyncio.timeout_at`."""
        self._received = b""
        self._tls: ssl.SSLObject | None = None
        self._heard: bytearray | None = None
        self.was_asked_for_certificate = False
        """Of a handshake of TLS 1.2 that failed: whether the server had asked for a client
        certificate. In TLS 1.3 its alert says so."""
        self._incoming: ssl.MemoryBIO
        self._outgoing: ssl.MemoryBIO

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session; None in the clear."""
        return self._tls

    @property
    def peer(self) -> str:
        """The address of the other side."""
        return str(self._sock.getpeername()[0])

    @property
    def has_unread(self) -> bool:
        """Whether bytes were received that nobody has read yet."""
        return bool(self._received)

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shakes hands; what is sent and received from here on is within TLS.

        Raises `ssl.SSLError`, `OSError`. The caller makes sure that nothing is unread: it was sent
        in the clear, by anyone, and must not be mistaken for an answer within TLS.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # As bytes: a text would go through the codec of international names, and host names here
        # are ASCII.
        tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name.encode("ascii")
        )
        self._heard = bytearray()
        try:
            await self._shake_hands(tls)
        except OSError:
            self.was_asked_for_certificate = asks_for_certificate(bytes(self._heard))
            raise
        finally:
            self._heard = None
        self._tls = tls

    async def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                if not await self._fill():
                    raise ConnectionResetError(
                        "the connection ended during the handshake"
                    ) from None
            except ssl.SSLError:
                await self._say_why()
                raise
            else:
                # The last message of TLS 1.3 is this side's, and goes out with what it says next.
                return

    async def send(self, data: bytes) -> None:
        if self._tls is None:
            await self._sock.send_all(data, self.deadline)
            return
        # The outgoing buffer has no limit, so OpenSSL takes everything at once.
        self._tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """The next bytes, as many as there are; empty once the other side has ended."""
        if self._received:
            data, self._received = self._received, b""
            return data
        return await self._next()

    async def hear(self) -> None:
        """Waits until anything arrives, such as the alert or the tickets that a server of TLS 1.3
        sends once it has judged the client's part of the handshake. What it says is kept."""
        if self._received or self._tls is None:
            return
        try:
            self._received = self._tls.read(CHUNK)
        except ssl.SSLWantReadError:
            await self._fill()
            with suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError, ssl.SSLEOFError):
                self._received = self._tls.read(CHUNK)

    async def receive_exactly(self, count: int) -> bytes:
        """Raises `asyncio.IncompleteReadError` if the other side ends before."""
        parts, size = [self._received], len(self._received)
        while size < count:
            data = await self._next()
            if not data:
                raise asyncio.IncompleteReadError(b"".join(parts), count)
            parts.append(data)
            size += len(data)
        data = b"".join(parts)
        self._received = data[count:]
        return data[:count]

    async def receive_line(self, most: int) -> bytes:
        """The next line with its `\\n`.

        Raises `asyncio.LimitOverrunError` for one longer than `most` bytes, and
        `asyncio.IncompleteReadError` if the other side ends before.
        """
        data = self._received
        while (end := data.find(b"\n", 0, most)) < 0:
            if len(data) >= most:
                raise asyncio.LimitOverrunError("the line is too long", len(data))
            more = await self._next()
            if not more:
                raise asyncio.IncompleteReadError(data, None)
            data += more
        self._received = data[end + 1 :]
        return data[: end + 1]

    def close(self) -> None:
        """Drops the connection at once: waiting for the other side would be in its hands."""
        self._sock.close()

    async def _next(self) -> bytes:
        if self._tls is None:
            return await self._sock.receive(CHUNK, self.deadline)
        # To ask OpenSSL for what can't be there costs an exception.
        if not self._incoming.pending and not self._tls.pending():
            await self._fill()
        while True:
            try:
                return self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._fill()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                # Many servers end without the goodbye of TLS. What must not be cut short says
                # how long it is.
                return b""

    async def _fill(self) -> bool:
        """Sends what the other side may wait for, and takes what has arrived; False once it has
        ended."""
        await self._flush()
        data = await self._sock.receive(CHUNK, self.deadline)
        if data:
            self._incoming.write(data)
            if self._heard is not None and len(self._heard) < MAX_HEARD:
                self._heard += data
        else:
            self._incoming.write_eof()
        return bool(data)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._sock.send_all(self._outgoing.read(), self.deadline)

    async def _say_why(self) -> None:
        """Sends the alert of a handshake that failed, if the other side still listens."""
        try:
            await self._flush()
        except OSError:
            return
