"""The kind `tls`: the version, chain, name, and expiry of a server's TLS are in order.

```json
{"name": "certificate", "kind": "tls",
 "host": "{{variables.host}}", "port": 443, "minimumVersion": "1.3"}
```

- `port` (default 443) is a number, or one placeholder of an integer variable.
- `starttls` is the protocol of a server that begins in the clear and is asked to go on in TLS:
  `smtp`, `imap`, `pop3`, `ftp`, `ldap`, `postgres`, or `mysql`. `port` defaults to that of the
  protocol then.
- `minimumVersion` is `"1.2"` (the default) or `"1.3"`. Older versions are never accepted.

The certificate must be signed by a public authority or one that the operator trusts
(`EgressAuthorities`), for this host, and not be expired; with fewer than 21 days left the step is a
warning. Nothing is sent inside TLS: passing never shows that a
credential works.
"""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from patchbay.checks.failures import CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, Values
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.failures import DialFailure
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions

if TYPE_CHECKING:
    from patchbay.checks.protocols.starttls import Turn
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

type Starttls = Literal["smtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql"]

DEFAULT_PORT: Final = 443
STARTTLS_PORTS: Final[Mapping[Starttls, int]] = {
    "smtp": 587,
    "imap": 143,
    "pop3": 110,
    "ftp": 21,
    "ldap": 389,
    "postgres": 5432,
    "mysql": 3306,
}
VERDICT_SECONDS: Final = 0.5
"""How long a server of TLS 1.3 is waited for after the handshake: most send tickets at once."""
VERSIONS: Final = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class TlsProbe:
    """A handshake, ready to run."""

    server: ServerAddress
    minimum_version: str
    tls: TlsOptions
    starttls: Starttls | None = None

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "tls", deadline=deadline, timings=timings)
        asking = _Asking(self.starttls) if self.starttls else None
        try:
            stream = await guard.connect(
                vetted,
                tls=self.tls,
                ask_for_tls=asking.ask if asking else None,
                deadline=deadline,
                timings=timings,
            )
        except (CheckFailure, DialFailure) as failure:
            if asking is None or asking.is_done or failure.phase not in (None, "tls"):
                raise
            # What was agreed or not before the handshake was not TLS.
            timings.tls_ms = None if failure.code != "tls_error" else timings.tls_ms
            raise asking.failure(failure) from failure
        version = (stream.tls and stream.tls.version()) or ""
        try:
            if version == "TLSv1.3":
                await self._hear_the_verdict(stream, deadline)
        finally:
            stream.close()
        # Both sides take the highest version that both know, so a lower one is the server's best.
        if version < VERSIONS[self.minimum_version]:
            raise CheckFailure(
                "tls_version_unsupported",
                f"The server does not support TLS {self.minimum_version}.",
            )
        spoken = version.removeprefix("TLSv")
        return Outcome(summary=f"TLS {spoken}, with a certificate that is valid for the host.")

    async def _hear_the_verdict(self, stream: "Stream", deadline: float) -> None:
        """In TLS 1.3 the server judges the client's certificate, or that there is none, only when
        this side believes the handshake to be over (RFC 8446 §4.4.2.4). Raises CheckFailure."""
        limit = asyncio.get_running_loop().time() + VERDICT_SECONDS
        try:
            async with asyncio.timeout_at(min(deadline, limit)):
                await stream.hear()
        except (TimeoutError, ConnectionError):
            return
        except ssl.SSLError as error:
            raise lost_session(error, self.tls) from error


class _Asking:
    """Asks a server that begins in the clear for TLS."""

    def __init__(self, protocol: Starttls) -> None:
        self.is_done = False
        self._protocol = protocol

    async def ask(self, stream: "Stream") -> None:
        """Raises CheckFailure, DialFailure, `OSError`, `EOFError`."""
        # Publishing and compiling need this module too, without the protocols.
        from patchbay.checks.protocols.starttls import DIALOGS, MAX_LINE, foreign

        dialog = DIALOGS[self._protocol]()
        try:
            turn = next(dialog)
            while True:
                turn = dialog.send(await _take(stream, turn, MAX_LINE))
        except StopIteration:
            self.is_done = True
        except asyncio.LimitOverrunError as error:
            raise foreign(self._protocol.upper(), b"") from error

    def failure(self, error: CheckFailure | DialFailure) -> CheckFailure | DialFailure:
        """The failure in the words of what was going on."""
        match error.code:
            case "provider_timeout":
                summary = "The server accepted the connection, but did not answer in the clear."
            case "connection_reset":
                summary = "The server closed the connection before TLS was agreed."
            case _:
                return error
        return CheckFailure(error.code, summary)


async def _take(stream: "Stream", turn: "Turn", longest: int) -> bytes:
    """What is received in a turn of a dialog; nothing if something is sent."""
    match turn:
        case bytes():
            await stream.send(turn)
            return b""
        case int():
            return await stream.receive_exactly(turn)
    return await stream.receive_line(longest)


@dataclass(frozen=True, slots=True)
class TlsTemplate:
    server: ServerTemplate
    minimum_version: str
    tls: TlsMembers
    starttls: Starttls | None = None

    def placeholders(self) -> Iterator[Placeholder]:
        return self.server.placeholders()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from self.tls.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        return self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        server = self.server.fill(values)
        return f"tls://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = self.server.fill(values)
        return f"tls://{server.host}:{server.port} {self.tls.trust(values)}".rstrip()

    def compile(self, values: Values) -> Compiled:
        return Compiled(
            probe=TlsProbe(
                self.server.fill(values),
                self.minimum_version,
                self.tls.fill(values),
                self.starttls,
            ),
            proves_access=False,
            host_pointer=self.server.host.pointer,
            certificate_pointer=self.tls.certificate_pointer,
        )


def read(reader: StepReader) -> TlsTemplate:
    """Raises ManifestProblems."""
    version = reader.choice("minimumVersion", tuple(VERSIONS), default="1.2")
    starttls = (
        reader.choice("starttls", tuple(STARTTLS_PORTS)) if "starttls" in reader.step else None
    )
    default_port = STARTTLS_PORTS[starttls] if starttls else DEFAULT_PORT
    server = ServerTemplate.read(reader, default_port=default_port)
    tls = TlsMembers.read(reader)
    if reader.problems or version is None or server is None:
        raise reader.refused()
    return TlsTemplate(server, version, tls, starttls)


KIND: Final = Kind(read, keys=frozenset({"host", "port", "minimumVersion", "starttls"}) | TLS_KEYS)
