"""Dials the addresses of one host: the first that answers wins (Happy Eyeballs, RFC 8305 §5).

An address that is dead costs a moment, not the time of the whole dial: the next one is tried after
250 ms, or at once when the previous one has failed. Earlier attempts continue in parallel, as long
as this process has sockets to spare. Otherwise each address gets an equal share of the time.
"""

import asyncio
import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from patchbay.egress.addresses import Address
from patchbay.egress.failures import DialFailure, EgressBlocked
from patchbay.egress.sockets import AsyncSocket

ATTEMPT_DELAY: Final = 0.25
"""Seconds before the next address is tried: RFC 8305 §8 recommends 250 ms."""

_UNREACHABLE: Final = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EACCES,
        errno.EPERM,
    }
)


class SpareSockets:
    """The sockets that attempts may use beside the first one of their dial: `left` in all.

    Owners of names with several dead addresses must not use up the file descriptors of a process:
    the tests of everybody else would end with a fault of the platform.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self) -> bool:
        """Whether there was one."""
        if self.left == 0:
            return False
        self.left -= 1
        return True

    def give_back(self, count: int) -> None:
        self.left += count


SPARE: Final = SpareSockets(100)
"""Of this process. Lambda gives 1,024 file descriptors, and 400 tests of two endpoints take 800."""


async def dial(addresses: Sequence[Address], port: int, deadline: float) -> AsyncSocket:
    """A connected socket to the first of `addresses` that answers.

    `deadline` is a time of the event loop. Raises DialFailure of category network, and `OSError`
    for a fault of this process, such as no file descriptors.
    """
    if len(addresses) == 1:
        try:
            return await _dial_one(addresses[0], port, deadline)
        except OSError as error:
            raise _failure(error) from error
    attempts: list[asyncio.Task[AsyncSocket]] = []
    pending: set[asyncio.Task[AsyncSocket]] = set()
    failures: list[DialFailure] = []
    winner: AsyncSocket | None = None
    spare = 0
    try:
        for index, address in enumerate(addresses):
            if pending and SPARE.take():
                spare += 1
            elif pending:
                winner = await _finish(pending, failures, _share(deadline, addresses[index:]))
                pending = set()
                if winner is not None:
                    return winner
            attempt = asyncio.create_task(_dial_one(address, port, deadline))
            attempts.append(attempt)
            pending.add(attempt)
            is_last = index == len(addresses) - 1
            while pending and winner is None:
                done, pending = await asyncio.wait(
                    pending,
                    timeout=None if is_last else ATTEMPT_DELAY,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                winner = _first(done, failures)
                if not is_last:
                    break
            if winner is not None:
                return winner
    finally:
        await _call_off(attempts, winner)
        SPARE.give_back(spare)
    # That there is no route over one of the address families says little: the rest says more.
    raise next((f for f in failures if f.code != "network_unreachable"), failures[0])


def _share(deadline: float, rest: Sequence[Address]) -> float:
    """The seconds that an address may still take if those after it are to have as many."""
    return max(0.0, deadline - asyncio.get_running_loop().time()) / (len(rest) + 1)


async def _finish(
    pending: set[asyncio.Task[AsyncSocket]], failures: list[DialFailure], seconds: float
) -> AsyncSocket | None:
    """Gives attempts some more time, then ends them. Returns the socket of one that succeeded."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while pending:
        done, pending = await asyncio.wait(
            pending, timeout=until - loop.time(), return_when=asyncio.FIRST_COMPLETED
        )
        if (winner := _first(done, failures)) is not None:
            return winner
        if not done:
            break
    for attempt in pending:
        attempt.cancel()
        failures.append(_failure(TimeoutError()))
    await asyncio.gather(*pending, return_exceptions=True)
    return None


def _first(done: set[asyncio.Task[AsyncSocket]], failures: list[DialFailure]) -> AsyncSocket | None:
    """The socket of an attempt that has succeeded; notes the failures of the others."""
    winner = None
    for attempt in done:
        error = attempt.exception()
        if error is None:
            winner = winner or attempt.result()
        elif isinstance(error, OSError):
            failures.append(_failure(error))
        else:
            raise error
    return winner


async def _call_off(
    attempts: Sequence[asyncio.Task[AsyncSocket]], winner: AsyncSocket | None
) -> None:
    """Ends the attempts that are still under way, and closes what else was connected."""
    for attempt in attempts:
        attempt.cancel()
    ended = await asyncio.gather(*attempts, return_exceptions=True)
    for result in ended:
        if isinstance(result, AsyncSocket) and result is not winner:
            result.close()


async def _dial_one(address: Address, port: int, deadline: float) -> AsyncSocket:
    text = str(address)
    sock = AsyncSocket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
    try:
        await sock.reach(text, port, deadline)
        # Messages are short and each is waited for: none is held back to be sent with the next.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = sock.getpeername()[0]
        if peer != text and ip_address(peer) != address:
            raise EgressBlocked("address", "The connection reached another address.")
    except BaseException:
        sock.close()
        raise
    return sock


def _failure(error: OSError) -> DialFailure:
    if isinstance(error, TimeoutError):
        return DialFailure("connect_timeout", "The host did not answer in time.", phase="tcp")
    if isinstance(error, ConnectionRefusedError):
        return DialFailure("connection_refused", "The host refused the connection.", phase="tcp")
    if isinstance(error, ConnectionError):
        return DialFailure("connection_reset", "The host cut the connection.", phase="tcp")
    if error.errno in _UNREACHABLE:
        return DialFailure("network_unreachable", "The host can't be reached.", phase="tcp")
    # Out of file descriptors, for example: a fault of ours, not of the host.
    raise error
