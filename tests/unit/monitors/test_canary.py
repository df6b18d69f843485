"""Evidence of our own network: what an answer proves, and what silence proves."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from patchbay.egress.guard import EgressGuard
from patchbay.egress.nameservers import Nameserver
from patchbay.egress.policy import EgressPolicy
from patchbay.monitors import canary
from patchbay.monitors.canary import EVERY, REMEMBERED, Ask, OwnNetwork, canary_at, public_resolvers
from patchbay.monitors.own_network import OwnEvidence
from patchbay.platform.errors import TemporarilyUnavailable

NOON = datetime(2026, 2, 17, 12, tzinfo=UTC)


class Memory:
    """What all processes know, and how often it was written."""

    def __init__(self) -> None:
        self.reached: dict[str, datetime] = {}
        self.writes = 0
        self.down = False

    def reached_at(self, way: str) -> datetime | None:
        if self.down:
            raise TemporarilyUnavailable
        return self.reached.get(way)

    def note_reached(self, way: str, now: datetime) -> None:
        if self.down:
            raise TemporarilyUnavailable
        self.writes += 1
        self.reached[way] = now


class Process:
    """A process in a network that can be cut."""

    def __init__(self, memory: Memory, now: datetime = NOON) -> None:
        self.memory = memory
        self.now = now
        self.internet = self.names = True
        self.asked = 0
        self.own = OwnNetwork(self._ask_internet, self._ask_names, memory, lambda: self.now)

    async def _ask_internet(self) -> bool:
        self.asked += 1
        return self.internet

    async def _ask_names(self) -> bool:
        return self.names

    def look(self) -> OwnEvidence:
        return asyncio.run(self.own.look())

    def look_if_due(self) -> None:
        asyncio.run(self.own.look_if_due())


@pytest.fixture
def process() -> Process:
    return Process(Memory())


def test_an_answer_proves_a_network(process: Process) -> None:
    assert process.look() == OwnEvidence(internet=True, names=True)


def test_silence_of_what_was_never_reached_proves_nothing(process: Process) -> None:
    process.internet = process.names = False
    assert process.look() == OwnEvidence()


def test_silence_of_what_was_reached_before_proves_an_outage(process: Process) -> None:
    process.look()
    process.internet = False
    assert process.look() == OwnEvidence(internet=False, names=True)
    process.names = False
    assert process.look() == OwnEvidence(internet=False, names=False)


def test_a_process_that_starts_during_an_outage_knows_what_others_reached(process: Process) -> None:
    process.look_if_due()
    another = Process(process.memory, NOON + timedelta(minutes=30))
    another.internet = False
    assert another.look().internet is False


def test_what_was_reached_is_remembered_for_hours_and_not_for_ever(process: Process) -> None:
    process.look()
    process.internet = False
    process.now = NOON + REMEMBERED
    assert process.look().internet is False
    process.now += timedelta(milliseconds=1)
    assert process.look().internet is None


def test_while_all_is_well_a_process_looks_and_writes_once_an_hour(process: Process) -> None:
    for _ in range(5):
        process.look_if_due()
    assert (process.asked, process.memory.writes) == (1, 2)
    # A look because of a failure writes nothing either
    process.look()
    assert (process.asked, process.memory.writes) == (2, 2)
    process.now += EVERY
    process.look_if_due()
    assert (process.asked, process.memory.writes) == (3, 4)


def test_one_try_that_times_out_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a process that the tests of a tenant kept busy during the first try
    monkeypatch.setattr(canary, "_SECONDS", 0.05)
    tries = iter([1.0, 0.0])

    async def slow_then_quick() -> bool:
        await asyncio.sleep(next(tries))
        return True

    own = OwnNetwork(slow_then_quick, None, Memory(), lambda: NOON)
    assert asyncio.run(own.look()) == OwnEvidence(internet=True)


def test_what_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "_SECONDS", 0.05)

    async def hang() -> bool:
        await asyncio.sleep(60)
        return True

    memory = Memory()
    memory.reached["internet"] = NOON
    own = OwnNetwork(hang, None, memory, lambda: NOON)
    assert asyncio.run(own.look()) == OwnEvidence(internet=False)


def test_a_process_that_can_not_ask_knows_nothing() -> None:
    # Given a process whose tests use all file descriptors
    async def exhausted() -> bool:
        raise OSError(errno.EMFILE, "Too many open files")

    memory = Memory()
    memory.reached = {"internet": NOON, "names": NOON}
    own = OwnNetwork(exhausted, exhausted, memory, lambda: NOON)
    # Then it does not conclude that the network is down
    assert asyncio.run(own.look()) == OwnEvidence()


def test_an_answer_counts_even_if_it_can_not_be_written_down(process: Process) -> None:
    process.memory.down = True
    assert process.look() == OwnEvidence(internet=True, names=True)
    process.internet = False
    assert process.look() == OwnEvidence(names=True)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def closed() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def asked(ask: Ask | None) -> bool:
    assert ask is not None

    async def once() -> bool:
        return await ask()

    return asyncio.run(once())


@pytest.mark.enable_socket
def test_one_public_resolver_that_answers_is_enough(
    listening: socket.socket, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that loopback addresses count as public
    monkeypatch.setattr(canary, "is_public", lambda _: True)
    monkeypatch.setattr(canary, "_HTTPS", closed)
    here, port = ip_address("127.0.0.1"), listening.getsockname()[1]
    dead = Nameserver(here, closed)
    assert asked(public_resolvers([dead, Nameserver(here, port)])) is True
    assert asked(public_resolvers([dead])) is False
    # It is asked at the port of HTTPS too, which firewalls leave open
    monkeypatch.setattr(canary, "_HTTPS", port)
    assert asked(public_resolvers([dead])) is True


def test_private_name_servers_say_nothing_about_the_internet() -> None:
    assert public_resolvers([Nameserver(ip_address("10.0.0.2"))]) is None
    assert public_resolvers([]) is None


@pytest.mark.enable_socket
def test_a_canary_of_the_operator_is_dialed_under_the_rules_of_the_guard(
    listening: socket.socket, closed: int
) -> None:
    guard = EgressGuard(EgressPolicy.parse("127.0.0.1/32:1024-65535"))
    port = listening.getsockname()[1]
    assert asked(canary_at(f"http://127.0.0.1:{port}/up", guard)) is True
    assert asked(canary_at(f"http://127.0.0.1:{closed}/up", guard)) is False
    # One that the guard refuses, or that is not a URL, shows nothing
    memory = Memory()
    memory.reached["internet"] = NOON
    for url in (f"http://127.0.0.1:{port}/up", "http://a..b/"):
        own = OwnNetwork(canary_at(url, EgressGuard(EgressPolicy())), None, memory, lambda: NOON)
        assert asyncio.run(own.look()) == OwnEvidence()
