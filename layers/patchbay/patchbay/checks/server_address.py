"""`host` and `port` of a step that dials no URL: of tcp, tls and postgres."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeIs

from patchbay.checks.problems import ManifestProblems
from patchbay.checks.templates import (
    Declared,
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
from patchbay.platform.errors import Problem


@dataclass(frozen=True, slots=True)
class Service:
    """Where to dial. `host` is canonical."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ServiceTemplate:
    host: HostTemplate
    port: int | Placeholder

    @classmethod
    def read(
        cls,
        step: Mapping[str, object],
        pointer: str,
        declared: Declared,
        *,
        default_port: int | None = None,
    ) -> "ServiceTemplate":
        """The service of a step. Raises ManifestProblems, with pointers below `pointer`."""
        problems = []
        try:
            host = _host(step.get("host"), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/host", str(error)))
        try:
            port = _port(step.get("port", default_port), declared)
        except TemplateError as error:
            problems.append(Problem(f"{pointer}/port", str(error)))
        if problems:
            raise ManifestProblems(problems)
        return cls(host, port)

    def placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.host.parts)
        if isinstance(self.port, Placeholder):
            yield self.port

    def fill(self, values: Values) -> Service:
        """Raises ValueRefused."""
        return Service(parse_host(self.host.fill(values)), self._filled_port(values))

    def _filled_port(self, values: Values) -> int:
        if isinstance(self.port, int):
            return self.port
        number = values.variables.get(self.port.name)
        if not _is_port(number):
            raise ValueRefused(self.port.pointer, "must be a port number from 1 to 65535")
        return number


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
