"""`host` and `port` of a step that does not dial a URL: of tcp, tls, and databases."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeIs

from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    INTEGER,
    Declarations,
    HostTemplate,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    placeholders_of,
    split_template,
)
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.url import parse_host


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where to dial. `host` is canonical."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ServerTemplate:
    host: HostTemplate
    port: int | Placeholder

    @classmethod
    def read(
        cls, reader: StepReader, *, default_port: int | None = None
    ) -> "ServerTemplate | None":
        """The server of a step; None if it has problems, which are reported."""
        host = reader.attempt("/host", lambda: _host(reader.step.get("host"), reader.declared))
        given = reader.step.get("port", default_port)
        port = reader.attempt("/port", lambda: _port(given, reader.declared))
        return None if host is None or port is None else cls(host, port)

    def placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.host.parts)
        if isinstance(self.port, Placeholder):
            yield self.port

    def fill(self, values: Values) -> ServerAddress:
        """Raises ValueRefused."""
        return ServerAddress(parse_host(self.host.fill(values)), self._filled_port(values))

    def _filled_port(self, values: Values) -> int:
        if isinstance(self.port, int):
            return self.port
        number = values.variables.get(self.port.name)
        if not _is_port(number):
            raise ValueRefused(self.port.pointer, "must be a port number from 1 to 65535")
        return number


def _host(text: object, declared: Declarations) -> HostTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    template = HostTemplate.parse(text, declared)
    try:
        parse_host(template.sample())
    except EgressBlocked as error:
        raise TemplateError(f"is not a valid host: {error.summary}") from error
    return template


def _port(value: object, declared: Declarations) -> int | Placeholder:
    if _is_port(value):
        return value
    parts = split_template(value, declared, types=INTEGER) if isinstance(value, str) else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source == "variables":
        return parts[0]
    raise TemplateError("must be a port number or one {{variables.name}}")


def _is_port(value: object) -> TypeIs[int]:
    return type(value) is int and 1 <= value <= 65535
