"""Resolves names to addresses as the system does, but without blocking a thread."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Protocol

from patchbay.egress.failures import is_exhaustion
from patchbay.egress.nameservers import Nameserver, Nameservers

SECONDS: Final = 4.5
"""The time of one lookup: less than the guard allows, so that half an answer is still useful."""

MAX_SERVERS: Final = 3
"""As many as the system's own resolver reads from its file (`MAXNS`)."""

ROUNDS: Final = 2
"""How often each server is asked, because UDP loses packets."""

type Hosts = dict[str, tuple[str, ...]]


class Resolver(Protocol):
    async def resolve(self, host: str) -> Sequence[str]:
        """All IPv4 and IPv6 addresses of a canonical host name, in the order to try them.

        Raises OSError if there is no answer, and one that `is_exhaustion` if no server could be
        asked. It is called once per dial.
        """
        ...


class NameserverResolver:
    """Asks given name servers. A lookup has one socket, and can be canceled."""

    def __init__(self, nameservers: Nameservers, *, seconds: float = SECONDS) -> None:
        self._nameservers = nameservers
        self._seconds = seconds

    async def resolve(self, host: str) -> Sequence[str]:
        """One address family is enough if the servers fail for the other, as for the system: some
        zones fail for every question except the one for A records."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        answers = await self._nameservers.ask_all(host, ("A", "AAAA"), deadline=deadline)
        addresses = [address for answer in answers.values() for address in answer.values]
        if not addresses:
            raise OSError("no address")
        return addresses

    async def is_answered(self, host: str) -> bool:
        """Whether a server answers a question about this name, if only that it does not exist.

        Raises OSError that `is_exhaustion` if no server could be asked.
        """
        deadline = asyncio.get_running_loop().time() + self._seconds
        return bool(await self._nameservers.ask_all(host, ("A",), deadline=deadline))


@dataclass(slots=True)
class _Flight:
    """A lookup in progress, and how many callers wait for it."""

    task: asyncio.Task[Sequence[str]]
    waiting: int = 0


class SystemResolver:
    """Resolves names by the system's files, `hosts` and then the name servers of `resolv.conf`, on
    the event loop.

    `getaddrinfo` blocks a thread for as long as a name server likes, so the owner of names that
    stall could occupy all threads. Here a lookup has a socket of its own for as long as its test
    wants the answer, and tests that look up the same name at the same time share one. No search
    domain is applied: a host is a full name.

    The files are read again when they change. `port` is that of the name servers.
    """

    def __init__(
        self,
        *,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        hosts: Path = Path("/etc/hosts"),
        port: int = 53,
    ) -> None:
        self._servers = _File(resolv_conf, lambda text: _resolver(text, port))
        self._hosts = _File(hosts, _hosts)
        self._flights: dict[str, _Flight] = {}

    async def resolve(self, host: str) -> Sequence[str]:
        if known := self._hosts.read().get(host):
            return known
        flight = self._flights.get(host)
        if flight is None or flight.task.get_loop() is not asyncio.get_running_loop():
            return await self._wait(host, self._begin(host))
        try:
            return await self._wait(host, flight)
        except OSError as error:
            if is_exhaustion(error):
                raise
        # It began before, so it had less time for us than a lookup of our own.
        flight = self._flights.get(host)
        if flight is None or flight.task.done():
            flight = self._begin(host)
        return await self._wait(host, flight)

    def _begin(self, host: str) -> _Flight:
        flight = _Flight(asyncio.ensure_future(self._servers.read().resolve(host)))
        self._flights[host] = flight
        return flight

    async def _wait(self, host: str, flight: _Flight) -> Sequence[str]:
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(host) is flight:
                    del self._flights[host]

    async def is_answered(self, host: str) -> bool:
        """As `NameserverResolver.is_answered`; the file of hosts is not read."""
        return await self._servers.read().is_answered(host)


class _File[T]:
    """The parsed content of a file; of an empty one if it does not exist."""

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        self._read: tuple[object, T] | None = None

    def read(self) -> T:
        try:
            found = self._path.stat()
            stamp: object = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            stamp = None
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, self._parse(self._text()))
        return self._read[1]

    def _text(self) -> str:
        try:
            return self._path.read_text("utf-8", "replace")
        except OSError as error:
            if is_exhaustion(error):
                raise  # an empty file would be remembered until the real one changes
            return ""


def _resolver(text: str, port: int) -> NameserverResolver:
    """The resolver of a `resolv.conf`: its name servers, or this machine if it has none."""
    servers = []
    for words in _lines(text):
        if words[0] == "nameserver" and len(words) > 1:
            try:
                servers.append(Nameserver(ip_address(words[1]), port))
            except ValueError:
                continue
    servers = servers[:MAX_SERVERS] or [Nameserver(ip_address("127.0.0.1"), port)]
    return NameserverResolver(Nameservers(servers * ROUNDS))


def _hosts(text: str) -> Hosts:
    """The addresses of a `hosts` file, by name."""
    found: Hosts = {}
    for address, *names in _lines(text):
        try:
            canonical = str(ip_address(address))
        except ValueError:
            continue
        for name in names:
            host = name.lower().removesuffix(".")
            found[host] = (*found.get(host, ()), canonical)
    return found


def _lines(text: str) -> list[list[str]]:
    """The words of each line that has words, without comments."""
    lines = (line.partition("#")[0].partition(";")[0].split() for line in text.splitlines())
    return [words for words in lines if words]
