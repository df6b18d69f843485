"""The kind `smtp`: a mail server lets the user in, and takes the sender.

```json
{"name": "mail", "kind": "smtp", "host": "{{variables.host}}", "port": "{{variables.port}}",
 "security": "starttls", "user": "{{variables.user}}", "password": "{{secrets.password}}",
 "from": "{{variables.sender}}"}
```

- `security` is `starttls` (the server agrees to TLS in the clear first) or `tls` (TLS from the
  start). The default goes by the port: `tls` for 465 and 2465. `none` is for a server without a
  login. There is no fallback: a server that offers no TLS gets no secret.
- `user` with `password` logs in by PLAIN, LOGIN, or CRAM-MD5; with `accessToken` by OAUTHBEARER or
  XOAUTH2. Without them nobody is logged in.
- `from` is a sender: the server is asked whether it takes it (`MAIL FROM`), and told to forget it
  (`RSET`). No mail is sent.
- `authorities`, `clientCertificate`, and `clientKey` say how TLS is verified (`tls_members`).

Passing proves access if it logged in. The account is the user.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.failures import LOST, CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.protocols import smtp as protocol
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.server_login import read_secret, read_text
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    ValueRefused,
    Values,
    placeholders_of,
    plain,
    pointer_of,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.failures import DialFailure
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions
from patchbay.platform.sentences import Sentence

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

type SmtpSecurity = Literal["starttls", "tls", "none"]

SECURITIES: Final[tuple[SmtpSecurity, ...]] = get_args(SmtpSecurity.__value__)
DEFAULT_PORT: Final = 587
TLS_PORTS: Final = frozenset({465, 2465})
"""Those of TLS from the start: submissions (RFC 8314), and Amazon SES's second one."""
_ADDRESS: Final = re.compile(r"[^\s<>@\x00-\x20\x7f]{1,64}@[^\s<>@\x00-\x20\x7f]{1,255}")


@dataclass(frozen=True, slots=True)
class SmtpProbe:
    """A session with a mail server, ready to be held."""

    server: ServerAddress
    security: SmtpSecurity
    tls: TlsOptions = field(repr=False)
    login: protocol.Login | None = field(repr=False)
    sender: str | None
    pointers: Mapping[protocol.Subject, str | None]
    """The fields of the endpoint that give the parts of the session."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "smtp", deadline=deadline, timings=timings)
        session = _Session(self, timings)
        stream = await guard.connect(
            vetted,
            tls=None if self.security == "none" else self.tls,
            ask_for_tls=session.ask_for_tls if self.security == "starttls" else None,
            deadline=deadline,
            timings=timings,
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await session.run(stream)
        except LOST as error:
            raise lost_session(error, self.tls) from error
        except asyncio.LimitOverrunError as error:
            raise protocol.not_smtp() from error
        finally:
            stream.close()


class _Session:
    def __init__(self, probe: SmtpProbe, timings: DialTimings) -> None:
        self._probe = probe
        self._timings = timings
        self._started = asyncio.get_running_loop().time()

    async def ask_for_tls(self, stream: "Stream") -> None:
        """Until the server is ready for the handshake. Raises CheckFailure, DialFailure."""
        try:
            await self._greeting(stream)
            if "STARTTLS" not in await self._hello(stream):
                raise _no_tls()
            reply = await self._ask(stream, "STARTTLS")
            if reply.code != 220:
                raise _no_tls()
        except asyncio.LimitOverrunError as error:
            raise protocol.not_smtp() from error
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the server ended the session") from error

    async def run(self, stream: "Stream") -> Outcome:
        probe = self._probe
        if probe.security != "starttls":
            await self._greeting(stream)
        extensions = await self._hello(stream)
        if probe.login:
            await self._log_in(stream, probe.login, extensions.get("AUTH", ()))
        if probe.sender:
            self._require("sender", await self._ask(stream, f"MAIL FROM:<{probe.sender}>"), 250)
            await self._ask(stream, "RSET")
        await stream.send(b"QUIT\r\n")
        if probe.login:
            return Outcome("The server let the user in.", probe.login.user)
        return Outcome("The server answered; nobody was logged in.", proves=False)

    async def _greeting(self, stream: "Stream") -> None:
        reply = await self._reply(stream)
        waited = asyncio.get_running_loop().time() - self._started
        self._timings.first_byte_ms = round(waited * 1000)
        self._require("greeting", reply, 220)

    async def _hello(self, stream: "Stream") -> dict[str, tuple[str, ...]]:
        reply = await self._ask(stream, f"EHLO {protocol.CLIENT_NAME}")
        self._require("hello", reply, 250)
        return reply.extensions()

    async def _log_in(
        self, stream: "Stream", login: protocol.Login, offered: tuple[str, ...]
    ) -> None:
        mechanism = login.mechanism(offered)
        if mechanism is None:
            if offered:
                raise CheckFailure(
                    "authentication_unsupported",
                    "The server offers no way to log in that this check uses.",
                )
            raise CheckFailure(
                "config_invalid",
                "The server offers no login on this port.",
                field_pointer=self._probe.pointers.get("port"),
            )
        if mechanism in ("LOGIN", "CRAM-MD5"):
            reply = await self._ask(stream, f"AUTH {mechanism}")
            for answer in login.answers(mechanism):
                self._require("login", reply, 334)
                reply = await self._ask(stream, answer)
            if mechanism == "CRAM-MD5":
                self._require("login", reply, 334)
                reply = await self._ask(stream, login.digest(reply.lines[0]))
        else:
            server = self._probe.server
            made = login.made(mechanism, server.host, server.port)
            reply = await self._ask(stream, f"AUTH {mechanism} {made}")
            if reply.code == 334:
                # The details of a refused token: they are acknowledged, then the reply comes.
                reply = await self._ask(stream, "" if mechanism == "XOAUTH2" else "AQ==")
        self._require("login", reply, 235)

    async def _ask(self, stream: "Stream", line: str) -> protocol.SmtpReply:
        await stream.send(f"{line}\r\n".encode())
        return await self._reply(stream)

    async def _reply(self, stream: "Stream") -> protocol.SmtpReply:
        reader = protocol.ReplyReader()
        while reader.reply is None:
            reader.feed(await stream.receive_line(protocol.MAX_LINE))
        return reader.reply

    def _require(self, stage: protocol.Stage, reply: protocol.SmtpReply, code: int) -> None:
        """Raises CheckFailure unless the reply has this code."""
        if reply.code == code:
            return
        meaning = protocol.meaning_of(stage, reply)
        number = f"{reply.code} {reply.enhanced}".strip()
        summary = Sentence(f"{meaning.text} ({{}}).", number)
        pointer = self._probe.pointers.get(meaning.subject) if meaning.subject else None
        raise CheckFailure(meaning.code, summary, field_pointer=pointer)


@dataclass(frozen=True, slots=True)
class SmtpTemplate:
    server: ServerTemplate
    security: SmtpSecurity | None
    user: Parts
    secret: Placeholder | None
    is_token: bool
    sender: Parts
    tls: TlsMembers

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        for parts in (self.user, self.sender):
            yield from placeholders_of(parts)
        if self.secret:
            yield self.secret

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from placeholders_of(self.user)
        yield from self.tls.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.sender)
        if self.secret:
            yield self.secret
        yield from self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        server = self.server.fill(values)
        return f"smtp://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = self.server.fill(values)
        user = plain(self.user, values)
        trust = self.tls.trust(values)
        return f"smtp://{user}@{server.host}:{server.port}" + (f" {trust}" if trust else "")

    def compile(self, values: Values) -> Compiled:
        server = self.server.fill(values)
        by_port: SmtpSecurity = "tls" if server.port in TLS_PORTS else "starttls"
        login = self._login(values)
        sender = plain(self.sender, values) if self.sender else None
        if sender is not None and not _ADDRESS.fullmatch(sender):
            pointer = pointer_of(self.sender) or "/variables"
            raise ValueRefused(pointer, "must be an email address")
        return Compiled(
            probe=SmtpProbe(
                server,
                self.security or by_port,
                self.tls.fill(values),
                login,
                sender,
                {
                    "host": self.server.host.pointer,
                    "port": self._port_pointer() or self.server.host.pointer,
                    "user": pointer_of(self.user),
                    "password": self.secret.pointer if self.secret else None,
                    "from": pointer_of(self.sender),
                },
            ),
            proves_access=login is not None,
            host_pointer=self.server.host.pointer,
            credential_pointer=self.secret.pointer if self.secret else None,
            certificate_pointer=self.tls.certificate_pointer,
            secret_values=_made(login, server),
        )

    def _login(self, values: Values) -> protocol.Login | None:
        if self.secret is None:
            return None
        user, secret = plain(self.user, values), values.text(self.secret)
        for pointer, text in ((pointer_of(self.user), user), (self.secret.pointer, secret)):
            if not text or "\0" in text or "\x01" in text or len(text) > protocol.MAX_LINE:
                raise ValueRefused(
                    pointer or self.secret.pointer, "has characters that can't be sent"
                )
        return protocol.Login(user, secret, self.is_token)

    def _port_pointer(self) -> str | None:
        port = self.server.port
        return port.pointer if isinstance(port, Placeholder) else None


def read(reader: StepReader) -> SmtpTemplate:
    """Raises ManifestProblems."""
    step = reader.step
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    security = reader.choice("security", SECURITIES) if "security" in step else None
    user = read_text(reader, "user") if "user" in step else ()
    sender = read_text(reader, "from") if "from" in step else ()
    given = next((name for name in ("password", "accessToken") if name in step), None)
    secret = read_secret(reader, given) if given else None
    if "password" in step and "accessToken" in step:
        reader.report("/accessToken", "can't be set with password")
    if ("user" in step) != (given is not None):
        reader.report("/user", "is set with a password or an accessToken, and only then")
    if security == "none" and secret:
        reader.report("/security", "can't be none: the password would be sent in the clear")
    tls = TlsMembers.read(reader)
    if security == "none":
        tls.report_unused(reader)
    if sender and pointer_of(sender) is None and not _ADDRESS.fullmatch("".join(map(str, sender))):
        reader.report("/from", "must be an email address")
    if reader.problems or server is None or user is None or sender is None:
        raise reader.refused()
    return SmtpTemplate(server, security, user, secret, "accessToken" in step, sender, tls)


def _made(login: protocol.Login | None, server: ServerAddress) -> tuple[str, ...]:
    """The forms in which the secret is sent, for redaction."""
    if login is None:
        return ()
    known = protocol.TOKEN_MECHANISMS if login.is_token else ("PLAIN",)
    return tuple(login.made(mechanism, server.host, server.port) for mechanism in known)


def _no_tls() -> DialFailure:
    return DialFailure(
        "tls_error",
        "The server does not offer TLS; nothing was sent in the clear.",
        phase="tls",
    )


KIND: Final = Kind(
    read,
    keys=frozenset({"host", "port", "security", "user", "password", "accessToken", "from"})
    | TLS_KEYS,
)
