"""The kind `dns`: a record is in the public DNS.

```json
{"name": "domain verified", "kind": "dns",
 "record": {"name": "_acme.{{variables.domain}}", "type": "TXT",
            "equals": "site-verification={{variables.token}}"}}
```

- `name` is a host name with placeholders for labels, or ends in one placeholder of a variable of
  `"format": "hostname"`, as here.
- `type` is A, AAAA, CNAME, MX, NS, SRV, or TXT.
- By default any record of this type passes. `equals` requires one with this value (names and
  addresses in any spelling; for an MX its host, for an SRV its
  `host:port`, for a TXT its strings joined), `contains` one that
  contains this text, as for an SPF record.

The question goes to the operator's name servers, whatever a manifest says: never to the resolver
of our own network, which knows private zones, nor to one that a tenant chooses. The answer is
compared; it is neither shown nor dialed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.failures import CheckFailure
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    HostTemplate,
    Parts,
    Placeholder,
    TemplateError,
    ValueRefused,
    Values,
    placeholders_of,
    plain,
    pointer_of,
    split_template,
    without_secrets,
)
from patchbay.egress.dns_message import RECORD_TYPES, RecordType
from patchbay.egress.failures import EgressBlocked
from patchbay.egress.timings import DialTimings
from patchbay.egress.url import literal_address, parse_host
from patchbay.platform.sentences import Sentence

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard

MAX_VALUE: Final = 1024
_KEYS: Final = frozenset({"name", "type", "equals", "contains"})
_PORT: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_BELOW: Final = re.compile(r"(?P<labels>(?:[A-Za-z0-9_-]{1,63}\.)+)(?P<domain>\{\{[^{}]+\}\})")

type Comparison = Literal["equals", "contains"]
COMPARISONS: Final[tuple[Comparison, ...]] = get_args(Comparison.__value__)


@dataclass(frozen=True, slots=True)
class DnsProbe:
    """A question, ready to be asked."""

    name: str
    kind: RecordType
    comparison: Comparison | None
    value: str

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        answer = await guard.records(self.name, self.kind, deadline=deadline)
        timings.egress_ms = 0
        if not answer.values:
            summary = Sentence(f"{{}} has no {self.kind} record in the public DNS.", self.name)
            raise CheckFailure("dns_error", summary)
        if not any(map(self._is_expected, answer.values)):
            summary = Sentence(
                f"{{}} has {self.kind} records, but none with the expected value.", self.name
            )
            raise CheckFailure("dns_error", summary)
        return Outcome(Sentence(f"{{}} has the {self.kind} record.", self.name))

    def _is_expected(self, found: str) -> bool:
        if self.comparison == "contains":
            return self.value in found
        return self.comparison is None or found == self.value


@dataclass(frozen=True, slots=True)
class DnsTemplate:
    below: str
    """Labels before the host, each with its dot."""
    host: HostTemplate
    kind: RecordType
    comparison: Comparison | None
    value: Parts

    def placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.host.parts)
        yield from placeholders_of(self.value)

    def destination_placeholders(self) -> Iterator[Placeholder]:
        return iter(())

    def request_placeholders(self) -> Iterator[Placeholder]:
        # The name is public, the resolver is the operator's, and no secret is sent.
        return iter(())

    def place(self, values: Values) -> str:  # noqa: ARG002 - the operator's, not the values'
        return ""

    def destination(self, values: Values) -> str:  # noqa: ARG002 - the operator's, not the values'
        return "dns:"

    def compile(self, values: Values) -> Compiled:
        name = self._name(values)
        return Compiled(
            probe=DnsProbe(name, self.kind, self.comparison, self._expected(values)),
            proves_access=False,
            host_pointer=self.host.pointer,
        )

    def _name(self, values: Values) -> str:
        host = self.host.fill(values)
        try:
            name = parse_host(self.below + host)
            if literal_address(name) is None:
                return name
        except EgressBlocked:
            pass
        raise ValueRefused(self.host.pointer or "/variables", "does not form a valid host name")

    def _expected(self, values: Values) -> str:
        text = plain(self.value, values)
        pointer = pointer_of(self.value) or "/variables"
        if len(text) > MAX_VALUE:
            raise ValueRefused(pointer, f"forms a value of more than {MAX_VALUE} characters")
        if self.comparison == "equals":
            return _canonical(text, self.kind, pointer)
        return text if self.kind == "TXT" else text.lower()


def read(reader: StepReader) -> DnsTemplate:
    """Raises ManifestProblems."""
    record = reader.members("/record", reader.step.get("record"), _KEYS)
    if record is None:
        raise reader.refused()
    kind = next((known for known in RECORD_TYPES if known == record.get("type")), None)
    if kind is None:
        reader.report("/record/type", f"must be one of {', '.join(RECORD_TYPES)}")
    name = reader.attempt("/record/name", lambda: _read_name(record.get("name"), reader.declared))
    comparison = next((known for known in COMPARISONS if known in record), None)
    if all(known in record for known in COMPARISONS):
        reader.report("/record/contains", "can't be combined with equals")
    value: Parts | None = ()
    if comparison:
        value = reader.attempt(
            f"/record/{comparison}", lambda: _read_value(record[comparison], reader.declared)
        )
    if comparison and value and kind:
        _report_impossible(reader, f"/record/{comparison}", comparison, value, kind)
    if reader.problems or kind is None or name is None or value is None:
        raise reader.refused()
    return DnsTemplate(*name, kind, comparison, value)


def _read_name(text: object, declared: Declarations) -> tuple[str, HostTemplate]:
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    below = _BELOW.fullmatch(text)
    labels, host = (below["labels"], below["domain"]) if below else ("", text)
    template = HostTemplate.parse(host, declared)
    try:
        parse_host(labels + template.sample())
    except EgressBlocked as error:
        raise TemplateError(f"is not a valid host name: {error.summary}") from error
    return labels, template


def _read_value(text: object, declared: Declarations) -> Parts:
    if not isinstance(text, str) or not text:
        raise TemplateError("must be a string of one character or more")
    return without_secrets(
        split_template(text, declared), "may not have a secret: the DNS is public"
    )


def _report_impossible(
    reader: StepReader, at: str, comparison: Comparison, value: Parts, kind: RecordType
) -> None:
    """Reports a value without placeholders that no record can have."""
    text = "".join(part for part in value if isinstance(part, str))
    if len(text) > MAX_VALUE:
        reader.report(at, f"has more than {MAX_VALUE} characters")
    elif comparison == "equals" and pointer_of(value) is None:
        try:
            _canonical(text, kind, at)
        except ValueRefused as refused:
            reader.report(at, f"can never hold: it {refused.problem.message}")


def _canonical(text: str, kind: RecordType, pointer: str) -> str:
    """An expected value as the decoder spells it. Raises ValueRefused."""
    try:
        if kind in ("A", "AAAA"):
            return str(IPv4Address(text) if kind == "A" else IPv6Address(text))
        if kind == "SRV":
            host, _, port = text.rpartition(":")
            if not _PORT.fullmatch(port) or int(port) > 65_535:
                raise ValueError("no port")
            return f"{parse_host(host)}:{int(port)}"
        return text if kind == "TXT" else parse_host(text)
    except (ValueError, EgressBlocked) as error:
        raise ValueRefused(pointer, f"does not form a valid value of {kind} records") from error


KIND: Final = Kind(read, keys=frozenset({"record"}))
