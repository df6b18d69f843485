"""The egress guard: every connection to what a tenant names is opened here, and nowhere else.

1. `vet` judges the name, resolves it once, and judges every address; one bad address refuses them
   all.
2. `connect` dials only vetted addresses and checks the peer it got. It never resolves again, so
   a name that changes its answer in between (DNS rebinding) gains nothing.
3. TLS is checked against the name. No proxy, netrc or key log of the environment is read, and no
   connection is used twice.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from itertools import chain, zip_longest
from typing import Final, Self

from patchbay.egress.addresses import Address
from patchbay.egress.dns_message import DnsAnswer, RecordType
from patchbay.egress.failures import DialFailure, EgressBlocked, is_exhaustion
from patchbay.egress.nameservers import Nameservers
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.resolver import Resolver, SystemResolver
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import literal_address, parse_host

MAX_ADDRESSES: Final = 4
DNS_SECONDS: Final = 5.0

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
# OpenSSL's X509_V_ERR_* codes.
_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_UNTRUSTED: Final = frozenset({18, 19, 20, 21})
_WRONG_NAME: Final = frozenset({62, 64})
_OLD_VERSION: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})


@dataclass(frozen=True, slots=True)
class Vetted:
    """A host and port that may be dialed, and the only addresses it may be dialed at."""

    host: str
    port: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """An open connection of one test. The caller closes it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        """Drops the connection now: how long a clean end takes is up to the other side."""
        self.writer.transport.abort()


class EgressGuard:
    """Vets and dials. One per process; it holds no state of a test."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolver: Resolver | None = None,
        tls_context: ssl.SSLContext | None = None,
        nameservers: Nameservers | None = None,
    ) -> None:
        self._policy = policy
        self._resolver = resolver or SystemResolver()
        self._tls_context = tls_context
        self._nameservers = nameservers or Nameservers()

    def excluding(self, own_names: Iterable[str]) -> Self:
        """This guard, but refusing these host names and their subdomains too.

        For the names under which this installation is called, which a call reveals.
        """
        return type(self)(
            self._policy.excluding(own_names),
            resolver=self._resolver,
            tls_context=self._tls_context,
            nameservers=self._nameservers,
        )

    async def records(self, name: str, kind: RecordType, *, deadline: float) -> DnsAnswer:
        """The records of `name` in the public DNS, from the operator's name servers.

        No address in the answer may be dialed for it. Raises EgressBlocked for a name that is not
        public, whatever an operator allows to dial: asking for it would reveal it to strangers;
        and DialFailure `dns_error` if no server answers.
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
        loop = asyncio.get_running_loop()
        timings = timings or DialTimings()
        host = parse_host(host)
        address = literal_address(host)
        if address is None:
            self._policy.judge_name(host)
            timings.egress_ms = 0
            started = loop.time()
            limit = started + DNS_SECONDS
            try:
                addresses = await self._resolve(host, min(deadline or limit, limit))
            finally:
                timings.dns_ms = _ms(loop.time() - started)
        else:
            addresses = (address,)
        self._policy.judge_addresses(host, addresses, port, protocol)
        timings.egress_ms = 0
        return Vetted(host, port, _choose(addresses))

    async def connect(
        self,
        vetted: Vetted,
        *,
        tls: bool,
        deadline: float,
        timings: DialTimings | None = None,
        verify: bool = True,
        tls_request: bytes = b"",
    ) -> OpenConnection:
        """Dials until `deadline`, a time of the event loop.

        The addresses are tried in order, each with its share of the time that is left.
        `tls_request` is sent first, in the clear, to servers that must be asked for TLS; if they
        answer anything but `S`, nothing more is sent. Without `verify` any certificate is accepted.

        Raises DialFailure of category network, or `provider_timeout` when TLS was not agreed in
        time.
        """
        loop = asyncio.get_running_loop()
        timings = timings or DialTimings()
        started = loop.time()
        try:
            sock = await _dial(vetted, deadline)
        finally:
            timings.tcp_ms = _ms(loop.time() - started)
        if not tls:
            return OpenConnection(*await asyncio.open_connection(sock=sock))
        started = loop.time()
        try:
            async with asyncio.timeout_at(deadline):
                if tls_request:
                    await _ask_for_tls(sock, tls_request)
                reader, writer = await asyncio.open_connection(
                    sock=sock,
                    ssl=self._context(verify=verify),
                    server_hostname=vetted.host,
                )
        except BaseException as error:
            sock.close()
            failure = _tls_failure(error)
            if failure is None:
                raise
            raise failure from error
        finally:
            timings.tls_ms = _ms(loop.time() - started)
        timings.certificate_expires_at = _expires_at(writer)
        return OpenConnection(reader, writer)

    def _context(self, *, verify: bool) -> ssl.SSLContext:
        if not verify:
            return unverified_tls_context()
        return self._tls_context or default_tls_context()

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


@cache
def default_tls_context() -> ssl.SSLContext:
    """The system's authorities, TLS 1.2 or later: Python's defaults without SSLKEYLOGFILE.

    Made once: loading the authorities takes tens of milliseconds.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    context.load_default_certs()
    return context


@cache
def unverified_tls_context() -> ssl.SSLContext:
    """Encrypts without proof of the server: only for protocols that prove it in another way."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _ask_for_tls(sock: socket.socket, request: bytes) -> None:
    """Asks on the bare socket and reads one byte: anything that a server or a man in the middle
    sends after it in the clear is read as TLS, and fails as such."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, request)
    answer = await loop.sock_recv(sock, 1)
    if not answer:
        raise ConnectionResetError
    if answer != b"S":
        raise DialFailure(
            "tls_error",
            "The server does not offer TLS; nothing was sent in the clear.",
            phase="tls",
        )


def _expires_at(writer: asyncio.StreamWriter) -> float | None:
    certificate = writer.get_extra_info("peercert")
    return ssl.cert_time_to_seconds(certificate["notAfter"]) if certificate else None


async def _dial(vetted: Vetted, deadline: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    failures: list[DialFailure] = []
    for index, address in enumerate(vetted.addresses):
        now = loop.time()
        share = (deadline - now) / (len(vetted.addresses) - index)
        try:
            return await _dial_address(address, vetted.port, now + share)
        except OSError as error:
            failures.append(_dial_failure(error))
    # One address family may have no route here: another failure says more about the host.
    raise next((f for f in failures if f.code != "network_unreachable"), failures[0])


async def _dial_address(address: Address, port: int, deadline: float) -> socket.socket:
    text = str(address)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout_at(deadline):
            await asyncio.get_running_loop().sock_connect(sock, (text, port))
        peer = sock.getpeername()[0]
        if peer != text and ip_address(peer) != address:
            raise EgressBlocked("address", "The connection reached another address.")
    except BaseException:
        sock.close()
        raise
    return sock


def _dial_failure(error: OSError) -> DialFailure:
    if isinstance(error, TimeoutError):
        return DialFailure("connect_timeout", "The host did not answer in time.", phase="tcp")
    if isinstance(error, ConnectionRefusedError):
        return DialFailure("connection_refused", "The host refused the connection.", phase="tcp")
    if isinstance(error, ConnectionError):
        return DialFailure("connection_reset", "The host cut the connection.", phase="tcp")
    if error.errno in _UNREACHABLE:
        return DialFailure("network_unreachable", "The host can't be reached.", phase="tcp")
    # Out of file descriptors or memory: our fault, not the host's.
    raise error


def _tls_failure(error: BaseException) -> DialFailure | None:
    """The failure of a handshake, None if the error is not one of a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _EXPIRED:
            return DialFailure(
                "certificate_expired", "The server's certificate has expired.", phase="tls"
            )
        reason = "is not valid"
        if error.verify_code in _UNTRUSTED:
            reason = "is not signed by a trusted authority"
        elif error.verify_code in _WRONG_NAME:
            reason = "is for another name"
        elif error.verify_code == _NOT_YET_VALID:
            reason = "is not valid yet"
        return DialFailure("tls_error", f"The server's certificate {reason}.", phase="tls")
    if isinstance(error, ssl.SSLError) and error.reason in _OLD_VERSION:
        return DialFailure("tls_error", "The server does not speak TLS 1.2 or later.", phase="tls")
    if isinstance(error, ssl.SSLError):
        return DialFailure("tls_error", "TLS could not be agreed with the server.", phase="tls")
    if isinstance(error, TimeoutError):
        return DialFailure("provider_timeout", "TLS was not agreed in time.", phase="tls")
    if isinstance(error, ConnectionError):
        return DialFailure(
            "connection_reset", "The server cut the connection during TLS.", phase="tls"
        )
    return None


def _choose(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """The first four, alternating between the families: a machine may have no route over one."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.version, []).append(address)
    turns = chain.from_iterable(zip_longest(*families.values()))
    return tuple(address for address in turns if address is not None)[:MAX_ADDRESSES]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
