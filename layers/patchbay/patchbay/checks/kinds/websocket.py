"""The kind `websocket`: a WebSocket opens, and answers a message as expected.

```json
{"name": "stream", "kind": "websocket", "url": "wss://{{variables.region}}.stream.example.com/v1",
 "headers": {"X-Version": "2"}, "subprotocols": ["graphql-transport-ws"],
 "send": {"json": {"type": "connection_init"}},
 "expect": {"json": {"/type": "connection_ack"}}}
```

- `url` is `wss` or `ws` (`https` and `http` mean the same), as the `url` of an http step.
- `query` and `headers` are those of an http step. The credential of `authConfig` is in the
  handshake, unless the step says `"auth": false`.
- `subprotocols` are offered; the server has to choose one of them.
- `send` is one text message after the handshake, `{"json": …}` or `{"text": …}`; by it the author
  says that the message changes nothing at the provider.
- `expect` (`json`, `text`) is what one of the first ten messages has to look like. Without it the
  handshake alone is judged.
- `authorities`, `clientCertificate`, and `clientKey` say how TLS is verified (`tls_members`).

Passing proves access if the handshake had a credential, or if the message had one and an answer to
it is expected.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from patchbay.checks.codes import describe
from patchbay.checks.credentials import Credential
from patchbay.checks.expectations import Expectation, read_expectation
from patchbay.checks.failures import CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.protocols import websocket as protocol
from patchbay.checks.protocols.websocket import Opcode
from patchbay.checks.request_bodies import BodyTemplate, read_body
from patchbay.checks.request_context import RequestContext
from patchbay.checks.request_fields import (
    RequestField,
    filled,
    pointer_of_fields,
    read_headers,
    read_query,
    report_too_long,
    variable_pointer,
)
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Declarations,
    Placeholder,
    TemplateError,
    UrlTemplate,
    Values,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.headers import is_header_name
from patchbay.egress.request import HttpRequest
from patchbay.egress.timings import DialTimings
from patchbay.platform.clock import utc_now

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.http_exchange import HttpResponse
    from patchbay.egress.stream import Stream

MAX_MESSAGES: Final = 10
MAX_SUBPROTOCOLS: Final = 5
_SCHEMES: Final = {"wss://": "https://", "ws://": "http://"}
_SENT: Final = frozenset({"json", "text"})
_VAGUE: Final = frozenset({"unexpected_response", "connection_reset"})
_OWN_HEADERS: Final = frozenset(
    {
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol"),
        *("sec-websocket-extensions", "cookie"),
    }
)


@dataclass(frozen=True, slots=True)
class WebSocketProbe:
    """A session, ready to be opened. `message` is what is sent in it, None for nothing."""

    request: HttpRequest
    subprotocols: tuple[str, ...]
    message: bytes | None = field(repr=False)
    expect: Expectation
    context: RequestContext

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        # Publishing and compiling need this module too, without an event loop.
        from patchbay.egress.http_exchange import exchange

        key = protocol.new_key()
        headers = (
            *self.request.headers,
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", "13"),
            *(
                (("Sec-WebSocket-Protocol", ", ".join(self.subprotocols)),)
                if self.subprotocols
                else ()
            ),
        )
        request = HttpRequest(
            "GET",
            self.request.target,
            headers,
            credentialed=self.request.credentialed,
            tls=self.request.tls,
            upgrade="websocket",
        )
        async with exchange(guard, request, deadline=deadline, timings=timings) as response:
            if response.status != 101:
                raise await self._refused(response, deadline)
            self._judge_handshake(response, key)
            stream, first = response.upgraded()
            refused: list[CheckFailure] = []
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._talk(stream, first, refused)
            except CheckFailure as failure:
                # The end of the session often says less than the error before it.
                if refused and failure.code in _VAGUE:
                    raise refused[0] from failure
                raise
            except TimeoutError as error:
                if refused:
                    raise refused[0] from error
                raise CheckFailure(
                    "provider_timeout", "The server sent no message as expected in time."
                ) from error
            except ssl.SSLError as error:
                raise lost_session(error, self.request.tls) from error
            except ConnectionError as error:
                raise (refused[0] if refused else _cut()) from error

    async def _talk(self, stream: "Stream", first: bytes, refused: list[CheckFailure]) -> Outcome:
        """`refused` gets the errors among the messages: a server may send one, and stay silent."""
        if self.message is not None:
            await stream.send(protocol.frame(Opcode.TEXT, self.message))
        if not self.expect.needs_body:
            await stream.send(protocol.frame(Opcode.CLOSE, b"\x03\xe8"))
            return Outcome("The WebSocket was opened.")
        seen = 0
        async for message in _messages(stream, first):
            seen += 1
            if self._is_expected(message):
                await stream.send(protocol.frame(Opcode.CLOSE, b"\x03\xe8"))
                return Outcome("The server answered as expected.")
            refused.extend(self._errors_of(message))
            if seen >= MAX_MESSAGES:
                break
        raise CheckFailure(
            "unexpected_response", "None of the server's messages is as the step expects."
        )

    def _is_expected(self, message: protocol.Message) -> bool:
        if self.expect.text is not None and not self.expect.text.accepts(message.text()):
            return False
        if not self.expect.json:
            return True
        try:
            document = json.loads(message.data)
        except (ValueError, RecursionError):
            return False
        return self.expect.json_mismatch(document) is None

    def _errors_of(self, message: protocol.Message) -> Iterator[CheckFailure]:
        """What a message says if it is an error, such as that the token has expired."""
        from patchbay.checks.refusals import Answer, refusal_within

        judged = refusal_within(Answer(101, {}, message.text()), self.context, utc_now())
        if judged:
            yield CheckFailure(
                judged.code,
                f"The server sent an error: {judged.meaning}.",
                retry_after_seconds=judged.retry_after_seconds,
                field_pointer=judged.field_pointer,
            )

    def _judge_handshake(self, response: "HttpResponse", key: str) -> None:
        """Raises CheckFailure if the server did not agree to this session."""
        headers = response.headers
        chosen = headers.get("sec-websocket-protocol")
        if (
            headers.get("upgrade", "").lower() != "websocket"
            or headers.get("sec-websocket-accept") != protocol.accept_of(key)
            or "sec-websocket-extensions" in headers
        ):
            raise protocol.not_websocket()
        if self.subprotocols and chosen not in self.subprotocols:
            raise CheckFailure(
                "request_rejected", "The server speaks none of the subprotocols of this step."
            )

    async def _refused(self, response: "HttpResponse", deadline: float) -> CheckFailure:
        from patchbay.checks.refusals import Answer, refusal

        body = await response.words(deadline=deadline)
        answer = Answer(response.status, response.headers, body.text())
        judged = refusal(answer, self.context, utc_now())
        summary, code = judged.summary, judged.code
        if 200 <= response.status < 300 and code == "unexpected_response":
            summary = f"The server answered {response.status}: it does not speak WebSocket here."
        return CheckFailure(
            code,
            summary,
            retry_after_seconds=judged.retry_after_seconds,
            field_pointer=judged.field_pointer,
        )


async def _messages(stream: "Stream", data: bytes) -> AsyncIterator[protocol.Message]:
    """The messages of the server; its pings are answered. Raises CheckFailure at its end."""
    reader = protocol.FrameReader()
    while True:
        for message in reader.feed(data):
            match message.opcode:
                case Opcode.PING:
                    await stream.send(protocol.frame(Opcode.PONG, message.data))
                case Opcode.CLOSE:
                    raise _closed(message.data)
                case Opcode.TEXT | Opcode.BINARY:
                    yield message
        data = await stream.receive()
        if not data:
            raise _cut()


@dataclass(frozen=True, slots=True)
class WebSocketTemplate:
    url: UrlTemplate
    query: tuple[RequestField, ...]
    headers: tuple[RequestField, ...]
    credential: Credential | None
    needs_credential: bool
    subprotocols: tuple[str, ...]
    message: BodyTemplate | None
    expect: Expectation
    scopes: tuple[str, ...]
    tls: TlsMembers

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.placeholders()
        for one in (*self.query, *self.headers):
            yield from one.required()
        if self.credential:
            yield from self.credential.required()
        if self.message:
            yield from self.message.placeholders()

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.start.placeholders()
        if self.credential:
            yield from self.credential.users()
        yield from self.tls.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        yield from self.url.path_placeholders()
        for one in (*self.query, *self.headers):
            yield from one.placeholders()
        if self.credential:
            yield from self.credential.placeholders()
        if self.message:
            yield from self.message.placeholders()
        yield from self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        scheme, host, port = self.url.origin(values)
        return f"{scheme}://{host}:{port}"

    def destination(self, values: Values) -> str:
        scheme, host, port = self.url.origin(values)
        trust = self.tls.trust(values)
        place = f"{scheme}://{host}:{port}"
        return f"{place} websocket" + (f" {trust}" if trust else "")

    def compile(self, values: Values) -> Compiled:
        headers = list(filled(self.headers, values, "header"))
        made: tuple[str, ...] = ()
        if self.credential:
            carried = self.credential.headers(values)
            made = self.credential.made(carried)
            headers += carried
        sent = [p for p in self._sent(values) if p.source == "secrets"]
        said = (
            [p for p in self.message.placeholders() if p.source == "secrets"]
            if self.message
            else []
        )
        request = HttpRequest(
            "GET",
            self.url.target(
                values, filled(self.query, values, "query"), pointer_of_fields(self.query)
            ),
            tuple(headers),
            credentialed=bool(sent),
            tls=self.tls.fill(values),
        )
        secrets = [*sent, *said]
        return Compiled(
            probe=WebSocketProbe(
                request,
                self.subprotocols,
                self.message.fill(values) if self.message else None,
                self.expect,
                RequestContext(
                    self.scopes,
                    path=self.url.path_pointer,
                    query=self.url.query_pointer or variable_pointer(self.query),
                    host=self.url.host_pointer,
                ),
            ),
            proves_access=bool(sent)
            or bool(said and self.expect.needs_body)
            or not self.needs_credential,
            host_pointer=self.url.host_pointer,
            credential_pointer=secrets[-1].pointer if secrets else None,
            certificate_pointer=self.tls.certificate_pointer,
            secret_values=made,
        )

    def _sent(self, values: Values) -> Iterator[Placeholder]:
        """The placeholders of the handshake with these values."""
        yield from self.url.placeholders()
        for one in (*self.query, *self.headers):
            if all(map(values.has, one.placeholders())):
                yield from one.placeholders()
        if self.credential:
            yield from self.credential.sent(values)


def read(reader: StepReader) -> WebSocketTemplate:
    """Raises ManifestProblems."""
    step = reader.step
    auth = step.get("auth", True)
    if not isinstance(auth, bool):
        reader.report("/auth", "must be true or false")
    credential = reader.credential if auth else None
    url = reader.attempt("/url", lambda: _read_url(step.get("url"), reader.declared))
    query = read_query(reader, "/query", step.get("query", {}))
    report_too_long(reader, "/query", step.get("url"), query)
    taken = _OWN_HEADERS | ({credential.header.lower()} if credential else set())
    headers = read_headers(reader, "/headers", step.get("headers", {}), taken)
    subprotocols = step.get("subprotocols", [])
    if (
        not isinstance(subprotocols, list)
        or len(subprotocols) > MAX_SUBPROTOCOLS
        or not all(isinstance(name, str) and is_header_name(name) for name in subprotocols)
        # RFC 6455 §4.1: all of them are different.
        or len(set(subprotocols)) < len(subprotocols)
    ):
        reader.report(
            "/subprotocols", f"must be a list of up to {MAX_SUBPROTOCOLS} different names"
        )
        subprotocols = []
    message = None
    if "send" in step:
        members = reader.members("/send", step["send"], _SENT)
        message = read_body(reader, "/send", step["send"]) if members else None
    expect = read_expectation(reader, "/expect", keys=_SENT)
    tls = TlsMembers.read(reader)
    if reader.problems or url is None or expect is None:
        raise reader.refused()
    return WebSocketTemplate(
        url,
        query,
        headers,
        credential,
        reader.credential is not None,
        tuple(subprotocols),
        message,
        expect,
        reader.declared.scopes,
        tls,
    )


def _read_url(text: object, declared: Declarations) -> UrlTemplate:
    if not isinstance(text, str):
        raise TemplateError("must be a string")
    for scheme, plain in _SCHEMES.items():
        if text.startswith(scheme):
            text = plain + text.removeprefix(scheme)
    return UrlTemplate.parse(text, declared)


def _closed(data: bytes) -> CheckFailure:
    code, number = protocol.meaning_of_close(data)
    if number is None:
        return _cut()
    title = describe(code).title
    meaning = f"{title[:1].lower()}{title[1:]}"
    return CheckFailure(code, f"The server ended the session ({number}): {meaning}.")


def _cut() -> CheckFailure:
    return CheckFailure("connection_reset", "The server ended the session before it had answered.")


KIND: Final = Kind(
    read,
    keys=frozenset({"url", "query", "headers", "auth", "subprotocols", "send", "expect"})
    | TLS_KEYS,
)
