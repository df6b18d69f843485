"""The egress guard: every connection to what a tenant names is opened here, and nowhere else.

1. `vet` judges the name, resolves it, and judges every address; one bad address refuses them all.
2. `connect` dials only vetted addresses and checks the peer it got. It never resolves again, so a
   name that changes its answer in between (DNS rebinding) gains nothing.
3. TLS is checked against the name. No proxy, netrc, or key log of the environment is read, and no
   connection is used twice.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Final, Self

from patchbay.egress.addresses import Address
from patchbay.egress.cookies import CookieJar
from patchbay.egress.dialing import dial
from patchbay.egress.dns_message import DnsAnswer, RecordType
from patchbay.egress.failures import DialFailure, EgressBlocked, is_exhaustion
from patchbay.egress.nameservers import Nameservers
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.resolver import Resolver, SystemResolver
from patchbay.egress.stream import Stream
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import (
    VERIFIED,
    TlsOptions,
    expires_at,
    failure_of,
    is_about_the_chain,
    without_verification,
)
from patchbay.egress.url import literal_address, parse_host

MAX_ADDRESSES: Final = 4
MAX_DIALS: Final = 64
"""Of one test of one endpoint, its redirects and retries included. Twenty steps, each with two
redirects, take 60."""
DNS_SECONDS: Final = 5.0

type AskForTls = Callable[[Stream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Vetted:
    """A host and port that may be dialed, and the only addresses it may be dialed at."""

    host: str
    port: int
    addresses: tuple[Address, ...]


@dataclass(slots=True)
class _Memory:
    """What one test has learned of the network."""

    cookies: CookieJar = field(default_factory=CookieJar)
    lookups: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    answered: dict[tuple[str, int], Address] = field(default_factory=dict)
    dials: int = 0


class EgressGuard:
    """Vets and dials. One per process; `for_test` makes the one of a test."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolver: Resolver | None = None,
        tls_context: ssl.SSLContext | None = None,
        operator_authorities: bytes = b"",
        nameservers: Nameservers | None = None,
    ) -> None:
        """`operator_authorities` (of `read_authorities`) are trusted beside the system's.
        `tls_context` replaces the one that verifies servers against both."""
        self._policy = policy
        self._resolver = resolver or SystemResolver()
        self._tls_context = tls_context
        self._operator_authorities = operator_authorities
        self._nameservers = nameservers or Nameservers()
        self._memory: _Memory | None = None

    def excluding(self, own_names: Iterable[str]) -> Self:
        """This guard, but refusing these host names and their subdomains too.

        For the names under which this installation is called, which a call reveals.
        """
        return self._copy(self._policy.excluding(own_names))

    def for_test(self) -> Self:
        """This guard, for one test: it looks a name up once, dials first the address that has
        answered before, and dials 64 times at most."""
        copy = self._copy(self._policy)
        copy._memory = _Memory()
        return copy

    def _copy(self, policy: EgressPolicy) -> Self:
        return type(self)(
            policy,
            resolver=self._resolver,
            tls_context=self._tls_context,
            operator_authorities=self._operator_authorities,
            nameservers=self._nameservers,
        )

    @property
    def cookies(self) -> CookieJar:
        """The cookies of this test; of no use to a guard that is not one of a test."""
        return self._memory.cookies if self._memory else CookieJar()

    async def records(self, name: str, kind: RecordType, *, deadline: float) -> DnsAnswer:
        """The records of `name` in the public DNS, from the operator's name servers.

        No address in the answer may be dialed for it. Raises EgressBlocked for a name that is not
        public, whatever an operator allows to dial: asking for it would reveal it to strangers;
        and DialFailure `dns_error` when no server answers.
        """
        host = parse_host(name)
        if literal_address(host) is not None:
            raise EgressBlocked("parse", "An address has no records.")
        self._policy.judge_public_name(host)
        limit = asyncio.get_running_loop().time() + DNS_SECONDS
        return await self._nameservers.ask(host, kind, deadline=min(deadline, limit))

    async def vet(
        self,
        host: str,
        port: int,
        protocol: str,
        *,
        deadline: float | None = None,
        timings: DialTimings | None = None,
    ) -> Vetted:
        """The addresses (4 at most) that `protocol` may be dialed at, for `host` and `port`.

        `host` is a name or an IP address, `deadline` a time of the event loop; a lookup never
        takes more than 5 seconds. Raises EgressBlocked, or DialFailure `dns_error`.
        """
        timings = timings or DialTimings()
        host = parse_host(host)
        address = literal_address(host)
        if address is None:
            self._policy.judge_name(host)
            timings.egress_ms = 0
            addresses = await self._look_up(host, deadline, timings)
        else:
            addresses = (address,)
        self._policy.judge_addresses(host, addresses, port, protocol)
        timings.egress_ms = 0
        return Vetted(host, port, _choose(addresses))

    async def connect(
        self,
        vetted: Vetted,
        *,
        deadline: float,
        tls: TlsOptions | None = None,
        ask_for_tls: AskForTls | None = None,
        timings: DialTimings | None = None,
    ) -> Stream:
        """Dials until `deadline`, a time of the event loop; in the clear without `tls`.

        A server that has to be asked for TLS is asked by `ask_for_tls`, in the clear; it raises
        DialFailure if the server declines. If more arrives in the clear after the server agreed,
        the connection ends: it must not be mistaken for part of the session.

        Raises DialFailure of category network, `provider_timeout` if TLS was not agreed in time,
        and EgressBlocked `budget`.
        """
        loop = asyncio.get_running_loop()
        timings = timings or DialTimings()
        stream = await self._dial(vetted, deadline, timings)
        if tls is None:
            return stream
        started = loop.time()
        try:
            stream.deadline = deadline
            if ask_for_tls:
                await ask_for_tls(stream)
            if stream.has_unread:
                raise _spoke_in_the_clear()
            await stream.start_tls(self._context(tls), vetted.host)
            stream.deadline = None
        except BaseException as error:
            stream.close()
            sent: Sequence[bytes] = ()
            if is_about_the_chain(error):
                sent = await self._certificates(vetted, tls, ask_for_tls, deadline)
            failure = failure_of(
                error,
                chain=sent,
                has_client_certificate=tls.client is not None,
                was_asked=stream.was_asked_for_certificate,
            )
            if failure is None:
                raise
            raise failure from error
        finally:
            timings.tls_ms = _ms(loop.time() - started)
        if stream.tls:
            timings.note_certificate(expires_at(stream.tls))
        return stream

    async def _dial(self, vetted: Vetted, deadline: float, timings: DialTimings) -> Stream:
        """Dials the address first that has answered this test before."""
        loop = asyncio.get_running_loop()
        self._spend()
        addresses = vetted.addresses
        place = vetted.host, vetted.port
        if self._memory and (known := self._memory.answered.get(place)) and known in addresses:
            addresses = (known, *(address for address in addresses if address != known))
        started = loop.time()
        try:
            stream = Stream(await dial(addresses, vetted.port, deadline))
        finally:
            timings.tcp_ms = _ms(loop.time() - started)
        if self._memory and len(addresses) > 1:
            self._memory.answered[place] = ip_address(stream.peer)
        return stream

    def _spend(self) -> None:
        """Takes one dial from those of the test. Raises EgressBlocked `budget` if there is none."""
        if self._memory is None:
            return
        if self._memory.dials >= MAX_DIALS:
            raise EgressBlocked(
                "budget", f"A test opens at most {MAX_DIALS} connections, redirects included."
            )
        self._memory.dials += 1

    async def _certificates(
        self, vetted: Vetted, tls: TlsOptions, ask_for_tls: AskForTls | None, deadline: float
    ) -> Sequence[bytes]:
        """The certificates that a server sends, for the words on why they are not trusted.

        OpenSSL does not keep a chain that it has refused, so it is asked for once more, and nothing
        else is sent on that connection. Empty if there is no answer.
        """
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._dial(vetted, deadline, DialTimings())
                try:
                    if ask_for_tls:
                        await ask_for_tls(stream)
                    await stream.start_tls(without_verification(tls).context(), vetted.host)
                    return stream.tls.get_unverified_chain() if stream.tls else ()
                finally:
                    stream.close()
        except Exception:
            # Whatever goes wrong here is not why the step fails.
            return ()

    def _context(self, tls: TlsOptions) -> ssl.SSLContext:
        if self._tls_context and tls == VERIFIED:
            return self._tls_context
        return tls.context(self._operator_authorities)

    async def _look_up(
        self, host: str, deadline: float | None, timings: DialTimings
    ) -> tuple[Address, ...]:
        if self._memory and (known := self._memory.lookups.get(host)):
            timings.dns_ms = 0
            return known
        loop = asyncio.get_running_loop()
        started = loop.time()
        limit = started + DNS_SECONDS
        try:
            addresses = await self._resolve(host, min(deadline or limit, limit))
        finally:
            timings.dns_ms = _ms(loop.time() - started)
        if self._memory:
            self._memory.lookups[host] = addresses
        return addresses

    async def _resolve(self, host: str, deadline: float) -> tuple[Address, ...]:
        try:
            async with asyncio.timeout_at(deadline):
                answers = await self._resolver.resolve(host)
            addresses = tuple(dict.fromkeys(map(ip_address, answers)))
        except TimeoutError as error:
            raise DialFailure(
                "dns_error", "The host's name was not resolved in time.", phase="dns"
            ) from error
        except (OSError, ValueError) as error:
            if is_exhaustion(error):
                raise
            raise DialFailure(
                "dns_error", "The host's name could not be resolved.", phase="dns"
            ) from error
        if not addresses:
            raise DialFailure("dns_error", "The host's name has no address.", phase="dns")
        return addresses


def _spoke_in_the_clear() -> DialFailure:
    return DialFailure(
        "tls_error",
        "The server sent more in the clear after it had agreed to TLS.",
        phase="tls",
    )


def _choose(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
    """The first four, alternating between the families: a machine may have no route over one."""
    if len(addresses) == 1:
        return addresses
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.version, []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return tuple(address for address in turns if address is not None)[:MAX_ADDRESSES]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
