"""How a step secures its connections: a private authority, and a certificate of the client's own.

```json
{"authorities": "{{variables.ca_certificate}}",
 "clientCertificate": "{{secrets.client_certificate}}", "clientKey": "{{secrets.client_key}}"}
```

All three are PEM texts of the endpoint, and optional there: with `authorities` nothing else is
trusted, without it the system's authorities are. A certificate may be a variable or a secret, a key
is a secret without a password.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Placeholder,
    Source,
    TemplateError,
    ValueRefused,
    Values,
    split_template,
)
from patchbay.egress.tls import VERIFIED, ClientCertificate, TlsOptions, Verify

type Verification = Literal["verify-full", "verify-ca"]
"""How a database verifies its server, in the words of libpq: the authority and the name, or the
authority alone."""

TLS_KEYS: Final = frozenset({"authorities", "clientCertificate", "clientKey"})
MAX_PEM: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class TlsMembers:
    """The members of a step before their values are known."""

    authorities: Placeholder | None = None
    certificate: Placeholder | None = None
    key: Placeholder | None = None

    @classmethod
    def read(cls, reader: StepReader) -> "TlsMembers":
        """Reports what is wrong with the members to the reader."""
        authorities = _read(reader, "authorities", ("variables",))
        certificate = _read(reader, "clientCertificate", ("variables", "secrets"))
        key = _read(reader, "clientKey", ("secrets",))
        for given, other in (
            ("clientCertificate", "clientKey"),
            ("clientKey", "clientCertificate"),
        ):
            if given in reader.step and other not in reader.step:
                reader.report(f"/{other}", f"is required with {given}")
        return cls(authorities, certificate, key)

    @property
    def certificate_pointer(self) -> str | None:
        """The field of the endpoint that has the client's certificate."""
        return self.certificate.pointer if self.certificate else None

    def report_unused(self, reader: StepReader) -> None:
        """Reports the members of a step that has no TLS."""
        for name in sorted(TLS_KEYS & reader.step.keys()):
            reader.report(f"/{name}", "is of no use: the step is without TLS")

    def fill(self, values: Values, verify: Verify = "full") -> TlsOptions:
        """Raises ValueRefused at the field whose PEM text can't be used."""
        if self.authorities is None and self.certificate is None and self.key is None:
            return VERIFIED if verify == "full" else TlsOptions(verify)
        authorities = _text(self.authorities, values)
        if authorities and self.authorities:
            _require(self.authorities, TlsOptions(authorities=authorities))
        certificate, key = _text(self.certificate, values), _text(self.key, values)
        if not (certificate or key) or not (self.certificate and self.key):
            return TlsOptions(verify, authorities)
        for placeholder, text in ((self.certificate, certificate), (self.key, key)):
            if not text:
                raise ValueRefused(placeholder.pointer, "is missing", _missing(placeholder))
        client = ClientCertificate(certificate, key)
        _require(self.certificate, TlsOptions("nothing", client=client))
        return TlsOptions(verify, authorities, client)

    def require_authorities(self, reader: StepReader, mode: Verification) -> None:
        """Reports verify-ca without `authorities`: every host can have a certificate of a public
        authority."""
        if mode == "verify-ca" and "authorities" not in reader.step:
            reader.report("/authorities", "is required with verify-ca")

    def verifying(self, values: Values, mode: Verification) -> TlsOptions:
        """Raises ValueRefused, for verify-ca without a value of `authorities` too."""
        if mode == "verify-full":
            return self.fill(values)
        options = self.fill(values, "authority")
        if self.authorities and not options.authorities:
            raise ValueRefused(self.authorities.pointer, "is missing", "config_missing_field")
        return options

    def destination_placeholders(self) -> Iterator[Placeholder]:
        if self.authorities:
            yield self.authorities

    def request_placeholders(self) -> Iterator[Placeholder]:
        for placeholder in (self.certificate, self.key):
            if placeholder:
                yield placeholder

    def trust(self, values: Values) -> str:
        """What is trusted, for the destination of the step: a hash of the authorities; empty for
        those of the system."""
        authorities = _text(self.authorities, values)
        return hashlib.sha256(authorities.encode()).hexdigest() if authorities else ""


def _read(reader: StepReader, name: str, sources: tuple[Source, ...]) -> Placeholder | None:
    if name not in reader.step:
        return None

    def placeholder() -> Placeholder:
        text = reader.step[name]
        parts = (
            split_template(text, reader.declared, types={"string"}) if isinstance(text, str) else ()
        )
        if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source in sources:
            return parts[0]
        raise TemplateError(
            "must be one " + " or ".join(f"{{{{{source}.name}}}}" for source in sources)
        )

    return reader.attempt(f"/{name}", placeholder)


def _text(placeholder: Placeholder | None, values: Values) -> str:
    """The value of an optional placeholder; empty if it has none."""
    if placeholder is None:
        return ""
    given = values.variables if placeholder.source == "variables" else values.secrets
    if not given.get(placeholder.name):
        return ""
    text = values.text(placeholder)
    if len(text) > MAX_PEM:
        raise ValueRefused(placeholder.pointer, f"is longer than {MAX_PEM} characters")
    return text


def _require(placeholder: Placeholder, options: TlsOptions) -> None:
    try:
        options.context()
    except ValueError as error:
        raise ValueRefused(placeholder.pointer, str(error)) from error


def _missing(placeholder: Placeholder) -> Literal["config_missing_field", "secret_not_found"]:
    return "secret_not_found" if placeholder.source == "secrets" else "config_missing_field"
