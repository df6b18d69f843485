"""The kind `tls`: the version, chain, name, and expiry of a server's TLS are in order.

```json
{"name": "certificate", "kind": "tls",
 "host": "{{variables.host}}", "port": 443, "minimumVersion": "1.3"}
```

- `port` (default 443) is a number, or one placeholder of an integer variable.
- `minimumVersion` is `"1.2"` (the default) or `"1.3"`. Older versions are never accepted.

The certificate must be signed by a public authority, for this host, and not be expired; with fewer
than 21 days left the step is a warning. Nothing is sent inside TLS: passing never shows that a
credential works.
"""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from patchbay.checks.failures import CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, Values
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

DEFAULT_PORT: Final = 443
VERDICT_SECONDS: Final = 0.5
"""How long a server of TLS 1.3 is waited for after the handshake: most send tickets at once."""
VERSIONS: Final = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class TlsProbe:
    """A handshake, ready to run."""

    server: ServerAddress
    minimum_version: str
    tls: TlsOptions

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "tls", deadline=deadline, timings=timings)
        stream = await guard.connect(vetted, tls=self.tls, deadline=deadline, timings=timings)
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


@dataclass(frozen=True, slots=True)
class TlsTemplate:
    server: ServerTemplate
    minimum_version: str
    tls: TlsMembers

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
            probe=TlsProbe(self.server.fill(values), self.minimum_version, self.tls.fill(values)),
            proves_access=False,
            host_pointer=self.server.host.pointer,
            certificate_pointer=self.tls.certificate_pointer,
        )


def read(reader: StepReader) -> TlsTemplate:
    """Raises ManifestProblems."""
    version = reader.choice("minimumVersion", tuple(VERSIONS), default="1.2")
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    tls = TlsMembers.read(reader)
    if reader.problems or version is None or server is None:
        raise reader.refused()
    return TlsTemplate(server, version, tls)


KIND: Final = Kind(read, keys=frozenset({"host", "port", "minimumVersion"}) | TLS_KEYS)
