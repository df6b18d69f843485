"""The kind `grpc`: a gRPC server says that it serves, by the protocol of health checking.

```json
{"name": "health", "kind": "grpc", "host": "{{variables.host}}", "port": 443,
 "security": "tls", "service": "acme.v1.Invoices", "metadata": {"x-tenant": "{{variables.tenant}}"}}
```

- `port` defaults to 443. `security` is `tls` (the default) or `none`, which is for a server without
  a credential.
- `service` is the name of the service to ask about; without it the server as a whole.
- `metadata` are headers, as those of an http step. The credential of `authConfig` is among them,
  unless the step says `"auth": false`.
- `authorities`, `clientCertificate`, and `clientKey` say how TLS is verified (`tls_members`).

Passing proves access if a credential was sent: a server that checks credentials does so before it
answers. One that answers health checks to anybody is not told from it, so an author who knows that
says `"auth": false`.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.credentials import Credential
from patchbay.checks.failures import LOST, CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.request_context import RequestContext
from patchbay.checks.request_fields import RequestField, filled, read_headers
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.server_login import read_text, text_of
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    ValueRefused,
    Values,
    placeholders_of,
    pointer_of,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions
from patchbay.platform.clock import utc_now
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.checks.protocols.grpc import GrpcAnswer
    from patchbay.checks.refusals import Refusal
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

type GrpcSecurity = Literal["tls", "none"]

SECURITIES: Final[tuple[GrpcSecurity, ...]] = get_args(GrpcSecurity.__value__)
DEFAULT_PORT: Final = 443
MAX_SERVICE: Final = 127
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)
_OWN_HEADERS: Final = frozenset({"content-type", "te", "user-agent", "grpc-timeout", "cookie"})


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """A call of `Check`, ready to be made."""

    server: ServerAddress
    tls: TlsOptions | None = field(repr=False)
    metadata: tuple[tuple[str, str], ...] = field(repr=False)
    service: str
    context: RequestContext
    service_pointer: str | None

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "grpc", deadline=deadline, timings=timings)
        stream = await guard.connect(vetted, tls=self.tls, deadline=deadline, timings=timings)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._call(stream, timings, deadline)
        except LOST as error:
            raise lost_session(error, self.tls) from error
        finally:
            stream.close()
        return self._judge(answer)

    async def _call(self, stream: "Stream", timings: DialTimings, deadline: float) -> "GrpcAnswer":
        # Publishing and compiling need this module too, without an event loop or h2.
        from patchbay.checks.protocols.grpc import PATH, Call, not_http2, request_of

        loop = asyncio.get_running_loop()
        if stream.tls and stream.tls.selected_alpn_protocol() not in ("h2", None):
            raise not_http2()
        started = loop.time()
        limit_ms = max(1, round((deadline - started) * 1000))
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        call = Call(
            (
                (":method", "POST"),
                (":scheme", "https" if self.tls else "http"),
                (":path", PATH),
                (":authority", f"{host}:{self.server.port}"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                ("user-agent", "Patchbay/1"),
                ("grpc-timeout", f"{limit_ms}m"),
                *((name.lower(), value) for name, value in self.metadata),
            ),
            request_of(self.service),
        )
        await stream.send(call.start())
        while call.answer is None:
            data = await stream.receive()
            if not data:
                raise ConnectionResetError("the server ended the connection")
            if timings.first_byte_ms is None:
                timings.first_byte_ms = round((loop.time() - started) * 1000)
            if said := call.feed(data):
                await stream.send(said)
        return call.answer

    def _judge(self, answer: "GrpcAnswer") -> Outcome:
        from patchbay.checks.protocols.grpc import OF_STATUS, SERVING, not_http2

        status = answer.status
        if status is None and not answer.is_grpc:
            raise self._refused(answer)
        if status is None:
            raise not_http2()
        if status:
            code, meaning = OF_STATUS.get(status, ("provider_error", "has a fault"))
            pointer = None
            if (judged := self._said(status, answer.words)) and judged.code != code:
                raise CheckFailure(
                    judged.code, f"The server refused: {judged.meaning} (gRPC status {status})."
                )
            if code == "not_found":
                pointer = self.service_pointer
                code = code if pointer else "request_rejected"
            raise CheckFailure(
                code, f"The server {meaning} (gRPC status {status}).", field_pointer=pointer
            )
        health = answer.health()
        if health is None:
            raise CheckFailure(
                "unexpected_response", "The answer is not one of gRPC's health checking."
            )
        if health != SERVING:
            raise CheckFailure("provider_error", "The server says that it does not serve.")
        return Outcome("The server serves.")

    def _said(self, status: int, words: str) -> "Refusal | None":
        """What the words of a refusal mean, if it is one."""
        from patchbay.checks.protocols.grpc import HTTP_OF_STATUS
        from patchbay.checks.refusals import Answer, refusal

        if status not in HTTP_OF_STATUS:
            return None
        answer = Answer(HTTP_OF_STATUS[status], {}, json.dumps({"error": {"message": words}}))
        return refusal(answer, self.context, utc_now())

    def _refused(self, answer: "GrpcAnswer") -> CheckFailure:
        """What an answer of HTTP means, such as one of a proxy."""
        from patchbay.checks.refusals import Answer, refusal

        text = answer.body.decode("utf-8", "replace")
        judged = refusal(Answer(answer.http_status, answer.headers, text), self.context, utc_now())
        return CheckFailure(
            judged.code,
            judged.summary,
            retry_after_seconds=judged.retry_after_seconds,
            field_pointer=judged.field_pointer,
        )


@dataclass(frozen=True, slots=True)
class GrpcTemplate:
    server: ServerTemplate
    security: GrpcSecurity
    service: Parts
    metadata: tuple[RequestField, ...]
    credential: Credential | None
    needs_credential: bool
    scopes: tuple[str, ...]
    tls: TlsMembers

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from placeholders_of(self.service)
        for one in self.metadata:
            yield from one.required()
        if self.credential:
            yield from self.credential.required()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        if self.credential:
            yield from self.credential.users()
        yield from self.tls.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.service)
        for one in self.metadata:
            yield from one.placeholders()
        if self.credential:
            yield from self.credential.placeholders()
        yield from self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        server = self.server.fill(values)
        return f"grpc://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = self.server.fill(values)
        trust = self.tls.trust(values)
        place = f"grpc://{server.host}:{server.port}"
        return f"{place} {self.security}" + (f" {trust}" if trust else "")

    def compile(self, values: Values) -> Compiled:
        metadata = list(filled(self.metadata, values, "header"))
        secrets = [
            placeholder
            for one in self.metadata
            if all(map(values.has, one.placeholders()))
            for placeholder in one.placeholders()
            if placeholder.source == "secrets"
        ]
        made: tuple[str, ...] = ()
        if self.credential:
            carried = self.credential.headers(values)
            made = self.credential.made(carried)
            metadata += carried
            secrets += (p for p in self.credential.sent(values) if p.source == "secrets")
        service = text_of(self.service, values) if self.service else ""
        if len(service.encode()) > MAX_SERVICE:
            raise ValueRefused(
                pointer_of(self.service) or "/variables", f"is longer than {MAX_SERVICE} bytes"
            )
        tls = self.tls.fill(values) if self.security == "tls" else None
        return Compiled(
            probe=GrpcProbe(
                self.server.fill(values),
                replace(tls, protocols=("h2",)) if tls else None,
                tuple(metadata),
                service,
                RequestContext(self.scopes, host=self.server.host.pointer),
                pointer_of(self.service),
            ),
            proves_access=bool(secrets) or not self.needs_credential,
            host_pointer=self.server.host.pointer,
            credential_pointer=secrets[-1].pointer if secrets else None,
            certificate_pointer=self.tls.certificate_pointer,
            secret_values=made,
        )


def read(reader: StepReader) -> GrpcTemplate:
    """Raises ManifestProblems."""
    step = reader.step
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    security = reader.choice("security", SECURITIES, default="tls")
    auth = step.get("auth", True)
    if not isinstance(auth, bool):
        reader.report("/auth", "must be true or false")
    credential = reader.credential if auth else None
    service = read_text(reader, "service") if "service" in step else ()
    taken = _OWN_HEADERS | ({credential.header.lower()} if credential else set())
    metadata = read_headers(reader, "/metadata", step.get("metadata", {}), taken)
    tls = TlsMembers.read(reader)
    sends = credential or any(
        placeholder.source == "secrets" for one in metadata for placeholder in one.placeholders()
    )
    if security == "none" and sends:
        reader.report("/security", "can't be none: a secret would be sent in the clear")
    elif security == "none":
        tls.report_unused(reader)
    for one in metadata:
        if one.name.lower().startswith("grpc-"):
            reader.report(f"/metadata{pointer([one.name])}", "is a name that gRPC keeps for itself")
        if one.name.lower().endswith("-bin") and not _may_be_base64(one.value):
            reader.report(
                f"/metadata{pointer([one.name])}", "must be Base64: gRPC has bytes in this header"
            )
    if service and pointer_of(service) is None and len("".join(map(str, service))) > MAX_SERVICE:
        reader.report("/service", f"is longer than {MAX_SERVICE} bytes")
    if reader.problems or server is None or security is None or service is None:
        raise reader.refused()
    return GrpcTemplate(
        server,
        security,
        service,
        metadata,
        credential,
        reader.credential is not None,
        reader.declared.scopes,
        tls,
    )


def _may_be_base64(value: Parts) -> bool:
    """Whether a value of a header `-bin` can be one, whatever fills its placeholders
    (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md)."""
    own = "".join(part for part in value if isinstance(part, str))
    if not _BASE64.fullmatch(own):
        return False
    return pointer_of(value) is not None or len(own.rstrip("=")) % 4 != 1


KIND: Final = Kind(
    read,
    keys=frozenset({"host", "port", "security", "service", "metadata", "auth"}) | TLS_KEYS,
)
