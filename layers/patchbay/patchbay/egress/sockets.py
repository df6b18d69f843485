"""Connecting, receiving, and sending on non-blocking sockets.

The event loop's own `sock_connect`, `sock_recv`, and `sock_sendall` do the same. They judge each
address again, and register the socket again for each wait: see `loop_waits`. Most of the CPU of a
short exchange goes into such waits.

A `deadline` is a time of the event loop, at which a wait ends with TimeoutError.
"""

import asyncio
import errno
import os
import socket
from typing import Final

from patchbay.egress.loop_waits import LoopWaits, waits_of

_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})
# Events of epoll (`EPOLLIN`, …), with the numbers that Linux gives them.
_ENDED: Final = 0x2000 | 0x010 | 0x008
_TO_READ: Final = 0x001 | _ENDED
_TO_WRITE: Final = 0x004 | 0x010 | 0x008
_NON_BLOCKING: Final = getattr(socket, "SOCK_NONBLOCK", 0)


class _Wait:
    """One wait, for reading or for writing."""

    __slots__ = ("_ready", "when")

    def __init__(self, when: float, ready: "asyncio.Future[bool]") -> None:
        self.when = when
        self._ready = ready

    def ring(self) -> None:
        if not self._ready.done():
            self._ready.set_result(False)


class AsyncSocket(socket.socket):
    """A non-blocking stream socket of one event loop. One reader and one writer at a time.

    It is known whether there is anything to read, or room to write, since the last time that there
    was none: a wait for what is there already ends at once, and a read that can only fail is not
    tried.
    """

    __slots__ = ("_has_ended", "_is_readable", "_is_writable", "_reader", "_waits", "_writer")

    def __init__(
        self, family: int = socket.AF_INET, *, proto: int = 0, fileno: int | None = None
    ) -> None:
        """A new socket, or the one of a descriptor."""
        super().__init__(family, socket.SOCK_STREAM | _NON_BLOCKING, proto, fileno)
        if fileno is not None or not _NON_BLOCKING:
            self.setblocking(False)
        self._waits: LoopWaits | None = None
        self._reader: asyncio.Future[bool] | None = None
        self._writer: asyncio.Future[bool] | None = None
        # Before the first wait nothing is known, so everything is tried.
        self._is_readable = self._is_writable = True
        self._has_ended = False

    async def reach(self, address: str, port: int, deadline: float) -> None:
        """Connects to an IP address. Raises OSError."""
        error = self.connect_ex((address, port))
        if error in _UNDER_WAY:
            self._is_readable = self._is_writable = False
            await self._wait(deadline, to_read=False)
            # A dial that fails ends the socket.
            error = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if self._has_ended else 0
        if error:
            raise OSError(error, os.strerror(error))

    async def receive(self, most: int, deadline: float | None = None) -> bytes:
        """What has arrived, at most `most` bytes; empty once the other side has ended. Raises
        OSError."""
        while True:
            if not self._is_readable:
                await self._wait(deadline, to_read=True)
            elif deadline is not None and asyncio.get_running_loop().time() >= deadline:
                # A flood is always there to be read, and must not outlast the deadline.
                raise TimeoutError
            try:
                data = self.recv(most)
            except BlockingIOError:
                self._is_readable = self._has_ended = False
                continue
            if len(data) < most and not self._has_ended:
                # That was all, and the edge of what comes next is still to be seen.
                self._is_readable = self._waits is None
            return data

    async def send_all(self, data: bytes, deadline: float | None = None) -> None:
        """Raises OSError."""
        left: bytes | memoryview = data
        while left:
            if not self._is_writable:
                await self._wait(deadline, to_read=False)
            try:
                sent = self.send(left)
            except BlockingIOError:
                self._is_writable = False
                continue
            if sent == len(left):
                return
            left = memoryview(left)[sent:]

    def close(self) -> None:
        if self._waits:
            self._waits.unwatch(self.fileno())
            self._waits = None
        super().close()

    async def _wait(self, deadline: float | None, *, to_read: bool) -> None:
        """Until there is something to read, or room to write. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        if deadline is not None and loop.time() >= deadline:
            raise TimeoutError
        ready = loop.create_future()
        if to_read:
            self._reader = ready
        else:
            self._writer = ready
        waits = self._waits
        if waits is None:
            waits = await waits_of(loop)
            if waits.watch(self.fileno(), self._happened):
                self._waits = waits
            else:
                return await self._until_loop_says(ready, loop, deadline, to_read=to_read)
        if deadline is None:
            await ready
            return None
        limit = _Wait(deadline, ready)
        waits.begin(limit)
        try:
            if not await ready:
                raise TimeoutError
        finally:
            waits.end(limit)

    async def _until_loop_says(
        self,
        ready: "asyncio.Future[bool]",
        loop: asyncio.AbstractEventLoop,
        deadline: float | None,
        *,
        to_read: bool,
    ) -> None:
        """A wait where there is no epoll. Raises TimeoutError."""
        add, remove = (
            (loop.add_reader, loop.remove_reader)
            if to_read
            else (loop.add_writer, loop.remove_writer)
        )
        add(self.fileno(), self._happened, _TO_READ if to_read else _TO_WRITE)
        try:
            async with asyncio.timeout_at(deadline):
                await ready
        finally:
            remove(self.fileno())

    def _happened(self, events: int) -> None:
        """Notes the edges of epoll, and wakes those who wait for them."""
        if events & _ENDED:
            self._has_ended = True
        if events & _TO_READ:
            self._is_readable = True
            if self._reader and not self._reader.done():
                self._reader.set_result(True)
        if events & _TO_WRITE:
            self._is_writable = True
            if self._writer and not self._writer.done():
                self._writer.set_result(True)
