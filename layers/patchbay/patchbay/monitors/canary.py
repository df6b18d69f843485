"""Evidence of our own network: servers that no tenant chose, and whether they can be reached.

The canary stands for the internet: the operator's URL, or else the public name servers of
`DnsResolver`. The name servers of the system stand for the lookups of host names.

A server that can't be reached proves an outage only if it could be reached before: a firewall may
have kept us from it all along. So that this is known in time, a process looks once an hour while
all is well, and what it reached is remembered for all processes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from patchbay.egress.addresses import Address, is_public
from patchbay.egress.dialing import dial
from patchbay.egress.failures import DialFailure, EgressBlocked, is_exhaustion
from patchbay.egress.guard import EgressGuard
from patchbay.egress.nameservers import Nameserver
from patchbay.egress.resolver import SystemResolver
from patchbay.egress.tls import VERIFIED
from patchbay.egress.url import parse_url
from patchbay.monitors.own_network import OwnEvidence
from patchbay.monitors.page_network import LOOK_SECONDS
from patchbay.platform.clock import Clock
from patchbay.platform.errors import PatchbayError
from patchbay.platform.logging import logger

REMEMBERED: Final = timedelta(hours=6)
"""How long after a server was last reached its silence proves an outage. After that it proves
nothing: the operator may have closed the way to it."""

EVERY: Final = timedelta(hours=1)
"""How often a process looks while all is well, and writes down what it reached."""

_TRIES: Final = 2
"""A try may time out because the tests kept this process busy; the second follows at once."""

_SECONDS: Final = 2.5
"""The time of a try. What is left of a look is for the table."""

_HTTPS: Final = 443
"""Public resolvers answer here too (DNS over HTTPS, RFC 8484), and it is the port that a firewall
is most likely to leave open."""

type Way = Literal["internet", "names"]
"""What a server stands for."""

type Ask = Callable[[], Awaitable[bool]]
"""Whether a server answers. Raises OSError that `is_exhaustion` if it could not be asked."""


class RemembersReached(Protocol):
    """What all processes know. Both methods raise `TemporarilyUnavailable`."""

    def reached_at(self, way: Way) -> datetime | None: ...

    def note_reached(self, way: Way, now: datetime) -> None: ...


class OwnNetwork:
    """Looks at our own network. One per process."""

    def __init__(
        self, internet: Ask | None, names: Ask | None, memory: RemembersReached, clock: Clock
    ) -> None:
        """`internet` and `names` ask the servers that stand for them; None if there are none."""
        self._ways: dict[Way, Ask | None] = {"internet": internet, "names": names}
        self._memory = memory
        self._clock = clock
        self._noted: dict[Way, datetime] = {}
        self._looked_at: datetime | None = None

    async def look(self) -> OwnEvidence:
        """Asks all servers. Raises nothing but cancellation."""
        internet, names = await asyncio.gather(self._seen("internet"), self._seen("names"))
        self._looked_at = self._clock()
        return OwnEvidence(internet, names)

    async def look_if_due(self) -> None:
        """Looks if this process has not done so for an hour."""
        if self._looked_at is None or self._clock() - self._looked_at >= EVERY:
            await self.look()

    async def _seen(self, way: Way) -> bool | None:
        ask = self._ways[way]
        if ask is None:
            return None
        answers = False
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                answers = await _answers(ask)
                return await (self._remember(way) if answers else self._judge_silence(way))
        except (PatchbayError, TimeoutError):
            return answers or None  # the table does not respond, and what it knows is missing
        except Exception as error:
            logger.error("own network not asked", way=way, error=type(error).__name__)
            return None

    async def _remember(self, way: Way) -> bool:
        now = self._clock()
        noted = self._noted.get(way)
        if noted is None or now - noted >= EVERY:
            await asyncio.to_thread(self._memory.note_reached, way, now)
            self._noted[way] = now
        return True

    async def _judge_silence(self, way: Way) -> Literal[False] | None:
        reached = await asyncio.to_thread(self._memory.reached_at, way)
        if reached is None or self._clock() - reached > REMEMBERED:
            logger.warning("own network not proven", way=way)
            return None
        logger.error("own network is down", way=way)
        return False


async def _answers(ask: Ask) -> bool:
    for _ in range(_TRIES):
        try:
            async with asyncio.timeout(_SECONDS):
                if await ask():
                    return True
        except TimeoutError:
            continue
    return False


def canary_at(url: str, guard: EgressGuard) -> Ask:
    """Asks the operator's canary: dials the host and port of a URL, with TLS for https, and sends
    nothing. It dials as tests do: through the guard, under its rules. If the guard refuses, the
    canary shows nothing."""

    async def ask() -> bool:
        deadline = asyncio.get_running_loop().time() + _SECONDS
        try:
            target = parse_url(url)
            vetted = await guard.vet(target.host, target.port, "http", deadline=deadline)
            connection = await guard.connect(
                vetted, tls=VERIFIED if target.scheme == "https" else None, deadline=deadline
            )
        except (DialFailure, OSError) as error:
            if isinstance(error, EgressBlocked) or is_exhaustion(error):
                raise
            return False
        connection.close()
        return True

    return ask


def public_resolvers(servers: Sequence[Nameserver]) -> Ask | None:
    """Asks name servers on the public internet to take a connection, on their port and on 443; one
    that does is enough. Nothing is sent. None if no server has a public address.

    TCP, because that is what the tests need: a way for datagrams would not show it.
    """
    places = [
        (server.address, port)
        for server in servers
        if is_public(server.address)
        for port in dict.fromkeys((server.port, _HTTPS))
    ]

    async def ask() -> bool:
        deadline = asyncio.get_running_loop().time() + _SECONDS
        attempts = [asyncio.ensure_future(_connects(*place, deadline)) for place in places]
        try:
            for attempt in asyncio.as_completed(attempts):
                if await attempt:
                    return True
            return False
        finally:
            for started in attempts:
                started.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    return ask if places else None


async def _connects(address: Address, port: int, deadline: float) -> bool:
    try:
        (await dial([address], port, deadline)).close()
    except DialFailure:
        return False
    return True


def name_servers(resolver: SystemResolver, name: str) -> Ask:
    """Asks the system's name servers for a name of ours. Any answer will do, also that it does not
    exist."""

    async def ask() -> bool:
        return await resolver.is_answered(name)

    return ask
