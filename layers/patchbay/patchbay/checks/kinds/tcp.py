"""The kind `tcp`: a server accepts connections at a host and port.

```json
{"name": "server reachable", "kind": "tcp",
 "host": "{{variables.host}}", "port": "{{variables.port}}", "banner": "220 "}
```

- `port` is a number, or one placeholder of an integer variable.
- `banner` (1 to 128 visible ASCII characters and spaces) is how the first bytes that the server
  sends must begin. No more of the answer is read.

Nothing is sent: passing shows that something listens there, never that a credential works.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from patchbay.checks.failures import CheckFailure
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Placeholder, Values
from patchbay.egress.timings import DialTimings

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

_BANNER: Final = re.compile(r"[ -~]{1,128}")


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """A dial, ready to run."""

    server: ServerAddress
    banner: bytes

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "tcp", deadline=deadline, timings=timings)
        stream = await guard.connect(vetted, deadline=deadline, timings=timings)
        try:
            async with asyncio.timeout_at(deadline):
                greeted = await self._greeting(stream)
        except TimeoutError as error:
            raise CheckFailure(
                "provider_timeout", "The server accepted the connection but sent nothing."
            ) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise CheckFailure(
                "connection_reset", "The server closed the connection before its greeting."
            ) from error
        finally:
            stream.close()
        if greeted != self.banner:
            raise CheckFailure(
                "unexpected_response", "The server's greeting is not the expected one."
            )
        return Outcome(summary="The server accepts connections.")

    async def _greeting(self, stream: "Stream") -> bytes:
        return await stream.receive_exactly(len(self.banner)) if self.banner else b""


@dataclass(frozen=True, slots=True)
class TcpTemplate:
    server: ServerTemplate
    banner: bytes

    def placeholders(self) -> Iterator[Placeholder]:
        return self.server.placeholders()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        return self.server.placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        return iter(())

    def place(self, values: Values) -> str:
        server = self.server.fill(values)
        return f"tcp://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = self.server.fill(values)
        return f"tcp://{server.host}:{server.port}"

    def compile(self, values: Values) -> Compiled:
        return Compiled(
            probe=TcpProbe(self.server.fill(values), self.banner),
            proves_access=False,
            host_pointer=self.server.host.pointer,
        )


def read(reader: StepReader) -> TcpTemplate:
    """Raises ManifestProblems."""
    banner = reader.step.get("banner", "")
    if "banner" in reader.step and not (isinstance(banner, str) and _BANNER.fullmatch(banner)):
        reader.report("/banner", "must be 1 to 128 visible ASCII characters")
    server = ServerTemplate.read(reader)
    if server is None or reader.problems:
        raise reader.refused()
    return TcpTemplate(server, str(banner).encode())


KIND: Final = Kind(read, keys=frozenset({"host", "port", "banner"}))
