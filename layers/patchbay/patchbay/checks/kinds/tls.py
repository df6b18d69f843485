"""The kind `tls`: a server's TLS is in order: version, chain, name and expiry.

```json
{"name": "certificate", "kind": "tls",
 "host": "{{variables.host}}", "port": 443, "minimumVersion": "1.3"}
```

- `port` (default 443) is a number, or one placeholder of an integer variable.
- `minimumVersion` is `"1.2"` (the default) or `"1.3"`. Older ones are never agreed to.

The certificate must be signed by a public authority, for this host, and not be expired; with fewer
than 21 days left the step is a warning. Nothing is sent within TLS: passing never shows that a
credential works.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from patchbay.checks.credentials import Credential
from patchbay.checks.failures import CheckFailure
from patchbay.checks.probe import Compiled, Outcome
from patchbay.checks.problems import ManifestProblems
from patchbay.checks.server_address import Service, ServiceTemplate
from patchbay.checks.templates import Declared, Placeholder, Values
from patchbay.egress.timings import DialTimings
from patchbay.platform.errors import Problem

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

DEFAULT_PORT: Final = 443
VERSIONS: Final = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


@dataclass(frozen=True, slots=True)
class TlsProbe:
    """A handshake, ready to be made."""

    service: Service
    minimum_version: str

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.service.host, self.service.port
        vetted = await guard.vet(host, port, "tls", deadline=deadline, timings=timings)
        connection = await guard.connect(vetted, tls=True, deadline=deadline, timings=timings)
        version = connection.writer.get_extra_info("ssl_object").version()
        connection.close()
        # Both sides take the highest version that both know, so a lower one is the server's best.
        if version < VERSIONS[self.minimum_version]:
            raise CheckFailure(
                "tls_error", f"The server does not speak TLS {self.minimum_version}."
            )
        spoken = version.removeprefix("TLSv")
        return Outcome(summary=f"TLS {spoken}, with a certificate that is valid for the host.")


@dataclass(frozen=True, slots=True)
class TlsTemplate:
    service: ServiceTemplate
    minimum_version: str

    def placeholders(self) -> Iterator[Placeholder]:
        return self.service.placeholders()

    def destination(self, values: Values) -> str:
        service = self.service.fill(values)
        return f"tls://{service.host}:{service.port}"

    def compile(self, values: Values) -> Compiled:
        return Compiled(
            probe=TlsProbe(self.service.fill(values), self.minimum_version),
            proves_access=False,
            host_pointer=self.service.host.pointer,
        )


class TlsKind:
    """Reads tls steps."""

    keys = frozenset({"host", "port", "minimumVersion"})
    provides = frozenset[str]()

    def read(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        credential: Credential | None,  # noqa: ARG002 - nothing is sent
    ) -> TlsTemplate:
        version = step.get("minimumVersion", "1.2")
        if not isinstance(version, str) or version not in VERSIONS:
            raise ManifestProblems(
                [Problem(f"{pointer}/minimumVersion", f"must be one of {', '.join(VERSIONS)}")]
            )
        service = ServiceTemplate.read(step, pointer, declared, default_port=DEFAULT_PORT)
        return TlsTemplate(service, version)
