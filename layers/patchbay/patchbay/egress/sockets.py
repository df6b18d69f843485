"""Connecting, receiving, and sending on non-blocking sockets.

The event loop's own `sock_connect`, `sock_recv`, and `sock_sendall` do the same. They judge each
address again, and once a socket is ready they leave it registered for one more turn of the loop,
which is then woken again. Most of the CPU of a short exchange goes into such waits.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable

_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR)


async def connect(sock: socket.socket, address: str, port: int) -> None:
    """`address` is an IP address. Raises OSError."""
    error = sock.connect_ex((address, port))
    if error in _UNDER_WAY:
        loop = asyncio.get_running_loop()
        await _ready(sock, loop.add_writer, loop.remove_writer)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


async def receive(sock: socket.socket, most: int) -> bytes:
    """What has arrived, at most `most` bytes; empty once the other side has ended. Raises
    OSError."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(most)
        except BlockingIOError:
            await _ready(sock, loop.add_reader, loop.remove_reader)


async def send_all(sock: socket.socket, data: bytes) -> None:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    left = memoryview(data)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            await _ready(sock, loop.add_writer, loop.remove_writer)


async def _ready(
    sock: socket.socket,
    add: Callable[..., object],
    remove: Callable[[int], object],
) -> None:
    """Waits until the socket can go on, and takes it from the loop at once."""
    descriptor = sock.fileno()
    ready = asyncio.get_running_loop().create_future()

    def wake() -> None:
        remove(descriptor)
        if not ready.done():
            ready.set_result(None)

    add(descriptor, wake)
    try:
        await ready
    except asyncio.CancelledError:
        remove(descriptor)
        raise
