"""Connecting, receiving, and sending on non-blocking sockets.

The event loop's own `sock_connect`, `sock_recv`, and `sock_sendall` do the same. They judge each
address again, and once a socket is ready they leave it registered for one more turn of the loop,
which is then woken again. Most of the CPU of a short exchange goes into such waits.

A `deadline` is a time of the event loop, at which a wait ends with TimeoutError.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from functools import partial

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)


async def connect(sock: socket.socket, address: str, port: int, deadline: float) -> None:
    """`address` is an IP address. Raises OSError."""
    error = sock.connect_ex((address, port))
    if error in _UNDER_WAY:
        loop = asyncio.get_running_loop()
        await _ready(sock, loop.add_writer, loop.remove_writer, deadline)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


async def receive(sock: socket.socket, most: int, deadline: float | None = None) -> bytes:
    """What has arrived, at most `most` bytes; empty once the other side has ended. Raises
    OSError."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(most)
        except BlockingIOError:
            await _ready(sock, loop.add_reader, loop.remove_reader, deadline)


async def send_all(sock: socket.socket, data: bytes, deadline: float | None = None) -> None:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    left = memoryview(data)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            await _ready(sock, loop.add_writer, loop.remove_writer, deadline)


async def _ready(
    sock: socket.socket,
    add: Callable[..., object],
    remove: Callable[[int], object],
    deadline: float | None = None,
) -> None:
    """Waits until the socket can go on, and takes it from the loop at once. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    if deadline is not None and loop.time() >= deadline:
        raise TimeoutError
    descriptor = sock.fileno()
    ready = loop.create_future()

    def end(*, is_ready: bool) -> None:
        remove(descriptor)
        if not ready.done():
            ready.set_result(is_ready)

    add(descriptor, partial(end, is_ready=True))
    # asyncio's timeouts, which cancel a task, cost more than the rest of a wait.
    timer = None if deadline is None else loop.call_at(deadline, partial(end, is_ready=False))
    try:
        if not await ready:
            raise TimeoutError
    except asyncio.CancelledError:
        remove(descriptor)
        raise
    finally:
        if timer:
            timer.cancel()
