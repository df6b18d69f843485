"""The kind `tcp`: a server accepts connections at a host and port.

```json
{"name": "server reachable", "kind": "tcp",
 "host": "{{variables.host}}", "port": "{{variables.port}}"}
```

`port` is a number, or one placeholder of an integer variable. Nothing is sent and nothing is read:
passing shows that something listens there, never that a credential works.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeIs

from patchbay.checks.credentials import Credential
from patchbay.checks.failures import EgressBlocked
from patchbay.checks.placeholders import (
    Declared,
    HostTemplate,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    placeholders_of,
    split_template,
)
from patchbay.checks.probe import Compiled, Outcome, Phases
from patchbay.checks.problems import Problem, Problems
from patchbay.checks.targets import parse_host

if TYPE_CHECKING:
    from patchbay.checks.egress import EgressGuard


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """A dial, ready to be made."""

    host: str
    port: int

    async def run(self, guard: "EgressGuard", *, deadline: float, phases: Phases) -> Outcome:
        vetted = await guard.vet(self.host, self.port, "tcp", deadline=deadline, phases=phases)
        connection = await guard.connect(vetted, tls=False, deadline=deadline, phases=phases)
        connection.close()
        return Outcome(summary="The server accepts connections.")


@dataclass(frozen=True, slots=True)
class TcpTemplate:
    host: HostTemplate
    port: int | Placeholder

    def placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.host.parts)
        if isinstance(self.port, Placeholder):
            yield self.port

    def destination(self, values: Values) -> str:
        return f"tcp://{parse_host(self.host.fill(values))}:{self._filled_port(values)}"

    def compile(self, values: Values) -> Compiled:
        return Compiled(
            probe=TcpProbe(self.host.fill(values), self._filled_port(values)),
            proves_access=False,
            host_pointer=self.host.pointer,
        )

    def _filled_port(self, values: Values) -> int:
        if isinstance(self.port, int):
            return self.port
        number = values.variables.get(self.port.name)
        if not _is_port(number):
            raise ValueRefused(self.port.pointer, "must be a port number from 1 to 65535")
        return number


class TcpKind:
    """Reads tcp steps."""

    keys = frozenset({"host", "port"})

    def read(
        self,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        credential: Credential | None,  # noqa: ARG002 - nothing is sent
    ) -> TcpTemplate:
        problems = []
        try:
            host = _host(step.get("host"), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/host", str(error)))
        try:
            port = _port(step.get("port"), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/port", str(error)))
        if problems:
            raise Problems(problems)
        return TcpTemplate(host, port)


def _host(text: object, declared: Declared) -> HostTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a text")
    template = HostTemplate.parse(text, declared)
    try:
        parse_host(template.sample())
    except EgressBlocked as error:
        raise TemplateError("is not a valid host") from error
    return template


def _port(value: object, declared: Declared) -> int | Placeholder:
    if _is_port(value):
        return value
    parts = split_template(value, declared) if isinstance(value, str) else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source == "variables":
        return parts[0]
    raise TemplateError("must be a port number or one {{variables.name}}")


def _is_port(value: object) -> TypeIs[int]:
    return type(value) is int and 1 <= value <= 65535
