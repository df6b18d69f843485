"""Dialing several addresses when other dials use the sockets that are to spare."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from patchbay.egress import dialing
from patchbay.egress.addresses import Address
from patchbay.egress.dialing import SpareSockets, dial
from patchbay.egress.failures import DialFailure

DEAD: list[Address] = [ip_address(f"192.0.2.{n}") for n in range(1, 4)]
ALIVE = ip_address("198.51.100.1")


class Network:
    """Addresses that never answer, and one that does. Counts the sockets that are in use."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, spare: int) -> None:
        self.open = self.most_open = 0
        self.tried: list[Address] = []
        self.spare = SpareSockets(spare)
        monkeypatch.setattr(dialing, "_dial_one", self._dial_one)
        monkeypatch.setattr(dialing, "SPARE", self.spare)
        monkeypatch.setattr(dialing, "ATTEMPT_DELAY", 0.01)

    async def _dial_one(self, address: Address, port: int, deadline: float) -> socket.socket:  # noqa: ARG002
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        self.tried.append(address)
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.sleep(0 if address == ALIVE else 60)
            return socket.socket()
        finally:
            self.open -= 1

    def dial(self, addresses: Sequence[Address], seconds: float = 0.5) -> None:
        async def dialed() -> None:
            loop = asyncio.get_running_loop()
            (await dial(addresses, 443, loop.time() + seconds)).close()

        asyncio.run(dialed())


@pytest.mark.enable_socket
def test_with_sockets_to_spare_the_attempts_run_in_parallel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(monkeypatch, spare=2)
    network.dial([*DEAD[:2], ALIVE])
    assert (network.most_open, network.open, network.spare.left) == (3, 0, 2)


@pytest.mark.enable_socket
def test_without_any_a_dial_has_one_socket_and_still_finds_the_address_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network(monkeypatch, spare=0)
    network.dial([*DEAD, ALIVE])
    assert (network.most_open, network.tried) == (1, [*DEAD, ALIVE])


@pytest.mark.enable_socket
def test_a_host_with_dead_addresses_only_takes_no_more_than_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for spare in (0, 1, 9):
        network = Network(monkeypatch, spare)
        with pytest.raises(DialFailure) as failure:
            network.dial(DEAD, seconds=0.2)
        assert failure.value.code == "connect_timeout"
        assert network.most_open <= 1 + spare
        assert (network.open, network.spare.left) == (0, spare)


@pytest.mark.enable_socket
def test_a_dial_that_is_canceled_gives_its_sockets_back(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch, spare=9)

    async def canceled() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await dial(DEAD, 443, loop.time() + 60)

    asyncio.run(canceled())
    assert (network.most_open, network.open, network.spare.left) == (3, 0, 9)
