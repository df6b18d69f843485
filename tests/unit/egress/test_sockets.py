"""Waiting on sockets: nothing is lost, nothing stays registered, errors are those of the system."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from patchbay.egress.sockets import connect, receive, send_all

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def dial(sock: socket.socket, port: int, seconds: float = 5.0) -> None:
    async def dialed() -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        await connect(sock, "127.0.0.1", port, deadline)

    sock.setblocking(False)
    asyncio.run(dialed())


def test_a_dial_that_is_refused_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        dial(sock, port)


def test_a_dial_succeeds_once_the_other_side_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as sock:
        dial(sock, server.getsockname()[1])

        assert sock.getpeername() == server.getsockname()


def test_a_dial_that_nobody_answers_ends_at_its_deadline() -> None:
    # A server that accepts nothing answers no more dials than it has room for.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.1", port)),
            socket.socket() as sock,
            pytest.raises(TimeoutError),
        ):
            dial(sock, port, seconds=0.05)


def test_what_does_not_fit_at_once_is_sent_in_full(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    data = bytes(range(256)) * 8192

    async def exchange() -> bytes:
        sent = asyncio.create_task(send_all(ours, data))
        arrived = bytearray()
        theirs.setblocking(False)
        while len(arrived) < len(data):
            arrived += await receive(theirs, 100_000)
        await sent
        return bytes(arrived)

    assert asyncio.run(exchange()) == data


def test_the_end_of_the_other_side_is_no_data(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    theirs.shutdown(socket.SHUT_WR)

    assert asyncio.run(receive(ours, 100)) == b""


def test_a_wait_that_is_called_off_leaves_nothing_behind(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair

    async def wait_twice() -> bytes:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await receive(ours, 100)
        assert not asyncio.get_running_loop().remove_reader(ours)
        theirs.send(b"later")
        return await receive(ours, 100)

    assert asyncio.run(wait_twice()) == b"later"


def test_a_wait_that_is_called_off_as_data_arrives_is_harmless(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair

    async def cancel_at_once() -> bytes:
        waiting = asyncio.create_task(receive(ours, 100))
        await asyncio.sleep(0)
        theirs.send(b"data")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await receive(ours, 100)

    assert asyncio.run(cancel_at_once()) == b"data"


def test_a_byte_at_a_time_gains_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair

    async def drip(deadline: float) -> None:
        while True:
            asyncio.get_running_loop().call_soon(theirs.send, b"x")
            assert await receive(ours, 100, deadline)

    async def timed() -> float:
        deadline = asyncio.get_running_loop().time() + 0.05
        with pytest.raises(TimeoutError):
            await drip(deadline)
        return asyncio.get_running_loop().time() - deadline

    assert 0 <= asyncio.run(timed()) < 1
