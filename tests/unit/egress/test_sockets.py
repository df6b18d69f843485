"""Waiting on sockets: nothing is lost, nothing stays registered, errors are those of the system."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from patchbay.egress import loop_waits
from patchbay.egress.sockets import AsyncSocket

pytestmark = pytest.mark.enable_socket


@pytest.fixture(params=["epoll", "no epoll"], autouse=True)
def waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to wait: with an epoll, and as on a system that has none."""
    monkeypatch.setattr(loop_waits, "HAS_EPOLL", request.param == "epoll")
    return str(request.param)


@pytest.fixture
def pair() -> Iterator[tuple[AsyncSocket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with AsyncSocket(socket.AF_UNIX, fileno=ours.detach()) as sock, theirs:
        yield sock, theirs


def dial(sock: AsyncSocket, port: int, seconds: float = 5.0) -> None:
    async def dialed() -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        await sock.reach("127.0.0.1", port, deadline)

    asyncio.run(dialed())


def test_a_dial_that_is_refused_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with AsyncSocket() as sock, pytest.raises(ConnectionRefusedError):
        dial(sock, port)


def test_a_dial_succeeds_once_the_other_side_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, AsyncSocket() as sock:
        dial(sock, server.getsockname()[1])

        assert sock.getpeername() == server.getsockname()


def test_a_dial_that_nobody_answers_ends_at_its_deadline() -> None:
    # A server that accepts nothing answers no more dials than it has room for.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with (
            socket.create_connection(("127.0.0.1", port)),
            AsyncSocket() as sock,
            pytest.raises(TimeoutError),
        ):
            dial(sock, port, seconds=0.05)


def test_what_does_not_fit_at_once_is_sent_in_full(
    pair: tuple[AsyncSocket, socket.socket],
) -> None:
    ours, theirs = pair
    data = bytes(range(256)) * 8192

    async def exchange() -> bytes:
        with AsyncSocket(socket.AF_UNIX, fileno=theirs.detach()) as reader:
            sent = asyncio.create_task(ours.send_all(data))
            arrived = bytearray()
            while len(arrived) < len(data):
                arrived += await reader.receive(100_000)
            await sent
            return bytes(arrived)

    assert asyncio.run(exchange()) == data


def test_the_end_of_the_other_side_is_no_data(pair: tuple[AsyncSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.shutdown(socket.SHUT_WR)

    assert asyncio.run(ours.receive(100)) == b""


def run_after_a_first_wait(
    ours: AsyncSocket,
    theirs: socket.socket,
    then: Callable[[], Awaitable[list[bytes]]],
) -> list[bytes]:
    """`then`, when the socket has waited once before."""

    async def run() -> list[bytes]:
        asyncio.get_running_loop().call_soon(theirs.send, b"first")
        assert await ours.receive(100) == b"first"
        return await asyncio.wait_for(then(), 5)

    return asyncio.run(run())


@pytest.mark.parametrize("most", [1, 2, 4, 100])
def test_data_that_arrives_with_the_end_is_read_to_the_end(
    pair: tuple[AsyncSocket, socket.socket], most: int
) -> None:
    ours, theirs = pair

    async def then() -> list[bytes]:
        theirs.send(b"last")
        theirs.close()
        parts = [await ours.receive(most)]
        while parts[-1]:
            parts.append(await ours.receive(most))
        return parts

    parts = run_after_a_first_wait(ours, theirs, then)

    assert b"".join(parts) == b"last"
    assert parts[-1] == b""


def test_an_end_that_comes_after_a_read_wakes_the_next(
    pair: tuple[AsyncSocket, socket.socket],
) -> None:
    ours, theirs = pair

    async def then() -> list[bytes]:
        theirs.send(b"data")
        # The end comes before or after the loop has looked, and in any case after the data.
        asyncio.get_running_loop().call_soon(theirs.close)
        return [await ours.receive(100), await ours.receive(100)]

    assert run_after_a_first_wait(ours, theirs, then) == [b"data", b""]


def test_what_is_more_than_a_read_takes_stays_for_the_next(
    pair: tuple[AsyncSocket, socket.socket],
) -> None:
    ours, theirs = pair

    async def then() -> list[bytes]:
        theirs.send(b"abcdef")
        return [await ours.receive(4), await ours.receive(4)]

    assert run_after_a_first_wait(ours, theirs, then) == [b"abcd", b"ef"]


def test_a_socket_that_is_closed_is_not_mistaken_for_the_next_of_its_number() -> None:
    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        numbers = set()
        for text in (b"a", b"b", b"c"):
            ours, theirs = socket.socketpair()
            with AsyncSocket(socket.AF_UNIX, fileno=ours.detach()) as sock, theirs:
                numbers.add(sock.fileno())
                loop.call_soon(theirs.send, text)
                assert await sock.receive(10, loop.time() + 5) == text
                with pytest.raises(TimeoutError):
                    await sock.receive(10, loop.time() + 0.01)
        return bytes(numbers)

    assert len(asyncio.run(run())) == 1


def test_a_wait_that_is_called_off_leaves_nothing_behind(
    pair: tuple[AsyncSocket, socket.socket],
) -> None:
    ours, theirs = pair

    async def wait_twice() -> bytes:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ours.receive(100)
        assert not asyncio.get_running_loop().remove_reader(ours)
        theirs.send(b"later")
        return await ours.receive(100)

    assert asyncio.run(wait_twice()) == b"later"


def test_a_wait_that_is_called_off_as_data_arrives_is_harmless(
    pair: tuple[AsyncSocket, socket.socket],
) -> None:
    ours, theirs = pair

    async def cancel_at_once() -> bytes:
        waiting = asyncio.create_task(ours.receive(100))
        await asyncio.sleep(0)
        theirs.send(b"data")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await ours.receive(100)

    assert asyncio.run(cancel_at_once()) == b"data"


def test_a_byte_at_a_time_gains_nothing(pair: tuple[AsyncSocket, socket.socket]) -> None:
    ours, theirs = pair

    async def drip(deadline: float) -> None:
        while True:
            asyncio.get_running_loop().call_soon(theirs.send, b"x")
            assert await ours.receive(100, deadline)

    async def timed() -> float:
        deadline = asyncio.get_running_loop().time() + 0.05
        with pytest.raises(TimeoutError):
            await drip(deadline)
        return asyncio.get_running_loop().time() - deadline

    assert 0 <= asyncio.run(timed()) < 1


def test_a_flood_ends_at_the_deadline(pair: tuple[AsyncSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.setblocking(False)

    async def drink(deadline: float) -> None:
        while True:
            with suppress(BlockingIOError):
                theirs.send(b"x" * 1000)
            # There is always something to read, so no wait ever suspends.
            await ours.receive(10, deadline)

    async def flooded() -> float:
        deadline = asyncio.get_running_loop().time() + 0.05
        with pytest.raises(TimeoutError):
            await drink(deadline)
        return asyncio.get_running_loop().time() - deadline

    assert 0 <= asyncio.run(flooded()) < 1


def test_reader_and_writer_wait_at_the_same_time(
    pair: tuple[AsyncSocket, socket.socket],
) -> None:
    ours, theirs = pair
    data = bytes(1_000_000)

    async def both() -> bytes:
        reading = asyncio.create_task(ours.receive(10))
        writing = asyncio.create_task(ours.send_all(data))
        await asyncio.sleep(0)
        theirs.send(b"answer")
        answer = await reading
        theirs.setblocking(False)
        while not writing.done():
            with suppress(BlockingIOError):
                theirs.recv(100_000)
            await asyncio.sleep(0)
        return answer

    assert asyncio.run(both()) == b"answer"


def test_each_of_many_waits_ends_at_its_own_deadline() -> None:
    async def waited(seconds: float) -> float:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        with AsyncSocket(socket.AF_UNIX, fileno=ours.detach()) as sock, theirs:
            began = loop.time()
            with pytest.raises(TimeoutError):
                await sock.receive(10, began + seconds)
            return loop.time() - began

    async def all_of(seconds: list[float]) -> list[float]:
        return await asyncio.gather(*map(waited, seconds))

    asked = [0.12, 0.03, 0.09, 0.06]
    for took, seconds in zip(asyncio.run(all_of(asked)), asked, strict=True):
        assert seconds - 0.001 <= took < seconds + 0.5
