"""Names to addresses: a port, and the system's own way behind it, without the system's waiting."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Protocol

from patchbay.egress.failures import is_exhaustion
from patchbay.egress.nameservers import Nameserver, Nameservers

SECONDS: Final = 4.5
"""For one look-up: less than the guard gives it, so that half an answer is still of use."""

MAX_SERVERS: Final = 3
"""As many as the system's own resolver takes from its file (`MAXNS`)."""

ROUNDS: Final = 2
"""How often each server is asked: what goes over UDP may be lost."""

type Hosts = dict[str, tuple[str, ...]]


class Resolver(Protocol):
    async def resolve(self, host: str) -> Sequence[str]:
        """All IPv4 and IPv6 addresses of a canonical host name, in the order to try them.

        Raises OSError when there is no answer, and one that `is_exhaustion` when nobody could be
        asked. It is asked once per dial.
        """
        ...


class NameserverResolver:
    """Asks given name servers. A look-up holds one socket, and can be called off."""

    def __init__(self, nameservers: Nameservers, *, seconds: float = SECONDS) -> None:
        self._nameservers = nameservers
        self._seconds = seconds

    async def resolve(self, host: str) -> Sequence[str]:
        """With the answer for one of the families alone if the servers have none for the other, as
        the system does: some zones fail for every question but that for A."""
        deadline = asyncio.get_running_loop().time() + self._seconds
        answers = await self._nameservers.ask_all(host, ("A", "AAAA"), deadline=deadline)
        addresses = [address for answer in answers.values() for address in answer.values]
        if not addresses:
            raise OSError("no address")
        return addresses


@dataclass(slots=True)
class _Flight:
    """A look-up under way, and how many wait for it."""

    task: asyncio.Task[Sequence[str]]
    waiting: int = 0


class SystemResolver:
    """What the system's files say (`hosts`, then the name servers of `resolv.conf`), looked up on
    the event loop.

    `getaddrinfo` blocks a thread for as long as a name server likes, so whoever owns names that
    stall could hold every thread there is. Here a look-up holds one socket of its own, no longer
    than its test wants the answer, and tests that want the same name at the same time share one. No
    search domain is applied: a host is a full name.

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
            resolver = self._servers.read()
            flight = _Flight(asyncio.ensure_future(resolver.resolve(host)))
            self._flights[host] = flight
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(host) is flight:
                    del self._flights[host]


class _File[T]:
    """What a file says, an empty one if it is not there."""

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
    """Of a `resolv.conf`: its name servers, or that of the own machine if it names none."""
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
    """Of a `hosts` file: addresses by name."""
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
    """The words of each line that has any, without comments."""
    lines = (line.partition("#")[0].partition(";")[0].split() for line in text.splitlines())
    return [words for words in lines if words]
