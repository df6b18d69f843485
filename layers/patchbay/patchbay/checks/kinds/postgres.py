"""The kind `postgres`: a PostgreSQL server lets the user in and answers a query.

```json
{"name": "database", "kind": "postgres",
 "host": "{{variables.host}}", "port": "{{variables.port}}",
 "database": "{{variables.database}}", "user": "{{variables.user}}",
 "password": "{{secrets.password}}", "tls": "verify-full",
 "statement": "SELECT 1 FROM invoices LIMIT 1", "options": {"search_path": "billing"}}
```

- `port` defaults to 5432.
- `tls` is `verify-full` (the default: a certificate of a public authority for this host) or
  `require` (any certificate). There is no mode without TLS, and no fallback. The password is proved
  by SCRAM-SHA-256, with channel binding if the server offers it. A server that asks for it in the
  clear or as MD5 gets it with `verify-full` only.
- `statement` is one SELECT, WITH, VALUES, TABLE, or SHOW. It runs in a READ ONLY transaction with a
  time limit; its rows are not read.
- `options` may set `application_name` and `search_path`.

Passing proves access if the server asked for the password. The account is `user@database`, as the
server reports it.
"""

import asyncio
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, get_args

from patchbay.checks.failures import LOST, CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.protocols import postgres as protocol
from patchbay.checks.protocols.error_meaning import Field
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.server_login import (
    address_of,
    name_of,
    password_of,
    read_password,
    read_text,
    template,
    text_of,
)
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import Parts, Placeholder, Values, placeholders_of, pointer_of
from patchbay.egress.failures import DialFailure
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

type TlsMode = Literal["verify-full", "require"]

DEFAULT_PORT: Final = 5432
TLS_MODES: Final[tuple[TlsMode, ...]] = get_args(TlsMode.__value__)
OPTIONS: Final = frozenset({"application_name", "search_path"})
MAX_STATEMENT: Final = 1000
_READS: Final = re.compile(r"\s*(?:select|with|values|table|show)\b[^;\0]*;?\s*", re.IGNORECASE)
_WHO: Final = "SELECT current_user, current_database()"


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """A login and a query, ready to be made."""

    server: ServerAddress
    user: str
    database: str
    password: str = field(repr=False)
    tls: TlsMode
    statement: str | None
    options: tuple[tuple[str, str], ...]
    pointers: Mapping[Field, str | None]
    """The fields of the endpoint that give the user, the database, and the host."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "postgres", deadline=deadline, timings=timings)
        stream = await guard.connect(
            vetted,
            tls=TlsOptions("full" if self.tls == "verify-full" else "nothing"),
            ask_for_tls=_ask_for_tls,
            deadline=deadline,
            timings=timings,
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await _Session(self, stream, timings, deadline).run()
        except LOST as error:
            raise lost_session(error) from error
        except (struct.error, IndexError) as error:
            raise protocol.not_postgres() from error
        finally:
            stream.close()


async def _ask_for_tls(stream: "Stream") -> None:
    """The server answers with one byte, `S` if it goes on in TLS."""
    await stream.send(protocol.SSL_REQUEST)
    if await stream.receive_exactly(1) != b"S":
        raise DialFailure(
            "tls_error",
            "The server does not offer TLS; nothing was sent in the clear.",
            phase="tls",
        )


class _Session:
    """One session, from the startup message to the answer of the statement."""

    def __init__(
        self,
        probe: PostgresProbe,
        stream: "Stream",
        timings: DialTimings,
        deadline: float,
    ) -> None:
        self._probe = probe
        self._stream = stream
        self._unsent = b""
        self._timings = timings
        self._deadline = deadline
        self._heads = protocol.MessageHeads()
        self._asked_for_password = False

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        probe = self._probe
        asked_at = loop.time()
        self._unsent += protocol.startup(self._parameters())
        kind, body = await self._message()
        self._timings.first_byte_ms = round((loop.time() - asked_at) * 1000)
        await self._log_in(kind, body)
        await self._ready()
        limit = max(1, round((self._deadline - loop.time()) * 1000))
        begin = f"BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {limit}"
        self._unsent += protocol.commands(begin)
        await self._ready()
        account = "@".join(await self._query(_WHO))
        if probe.statement:
            await self._query(probe.statement)
        await self._stream.send(protocol.goodbye())
        if self._asked_for_password:
            return Outcome("The server let the user in and answered.", account)
        return Outcome(
            "The server let the user in without asking for the password.", account, proves=False
        )

    def _parameters(self) -> dict[str, str]:
        return {
            "user": self._probe.user,
            "database": self._probe.database,
            "client_encoding": "UTF8",
            "application_name": "patchbay",
            **dict(self._probe.options),
        }

    async def _log_in(self, kind: bytes, body: bytes) -> None:
        """Runs until the server lets the user in. Raises CheckFailure."""
        method = protocol.authentication(kind, body)
        if method == protocol.IS_IN:
            return
        self._asked_for_password = True
        if method == protocol.SASL:
            await self._scram(body[4:])
        elif method in (protocol.CLEAR, protocol.MD5):
            self._give_password(method, body[4:8])
        else:
            raise protocol.unknown_authentication()
        if protocol.authentication(*await self._message()) != protocol.IS_IN:
            raise protocol.not_postgres()

    def _give_password(self, method: int, salt: bytes) -> None:
        probe = self._probe
        if probe.tls != "verify-full":
            raise CheckFailure(
                "tls_error",
                "The server asks for the password in a way that is safe only when its certificate "
                'is verified: this step\'s tls is "require".',
            )
        self._unsent += protocol.password(method, salt, probe.user, probe.password)

    async def _scram(self, offered: bytes) -> None:
        probe = self._probe
        tls = self._stream.tls
        scram = protocol.ScramExchange(offered, probe.user, probe.password, tls)
        self._unsent += scram.first()
        server_first = await self._sasl(protocol.SASL_CONTINUE)
        # How much work it is, is the server's to choose: it must not hold up other tests.
        self._unsent += await asyncio.to_thread(scram.proof, server_first)
        scram.verify(await self._sasl(protocol.SASL_FINAL))

    async def _sasl(self, expected: int) -> bytes:
        kind, body = await self._message()
        if protocol.authentication(kind, body) != expected:
            raise protocol.not_postgres()
        return body[4:]

    async def _query(self, statement: str) -> list[str]:
        """Runs one statement; returns the first values of its first row."""
        self._unsent += protocol.statement(statement)
        return await self._ready()

    async def _ready(self) -> list[str]:
        row: list[str] = []
        while True:
            kind, body = await self._message()
            if kind == b"Z":
                return row
            if kind == b"D" and not row:
                row = protocol.first_row(body)

    async def _message(self) -> tuple[bytes, bytes]:
        """The next message that is no notice. Raises CheckFailure for an error."""
        unsent, self._unsent = self._unsent, b""
        await self._stream.send(unsent)
        while True:
            head = await self._stream.receive_exactly(protocol.HEAD_BYTES)
            kind, following = self._heads.read(head)
            body = await self._stream.receive_exactly(following)
            if kind == b"E":
                raise self._failure(*protocol.read_error(body))
            if not protocol.is_aside(kind):
                return kind, body

    def _failure(self, state: str, words: str) -> CheckFailure:
        meaning = protocol.meaning_of(state, words)
        pointer = self._probe.pointers.get(meaning.field) if meaning.field else None
        summary = f"{meaning.text} (SQLSTATE {state})."
        return CheckFailure(meaning.code, summary, field_pointer=pointer)


@dataclass(frozen=True, slots=True)
class PostgresTemplate:
    server: ServerTemplate
    user: Parts
    database: Parts
    password: Placeholder
    tls: TlsMode
    statement: str | None
    options: tuple[tuple[str, Parts], ...]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        for parts in (self.user, self.database, *(value for _, value in self.options)):
            yield from placeholders_of(parts)
        yield self.password

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from placeholders_of(self.user)

    def request_placeholders(self) -> Iterator[Placeholder]:
        for parts in (self.database, *(value for _, value in self.options)):
            yield from placeholders_of(parts)
        yield self.password

    def destination(self, values: Values) -> str:
        server = address_of(self.server, values)
        user = text_of(self.user, values)
        return f"postgres://{user}@{server.host}:{server.port} {self.tls}"

    def compile(self, values: Values) -> Compiled:
        server = address_of(self.server, values)
        return Compiled(
            probe=PostgresProbe(
                server,
                text_of(self.user, values),
                name_of(self.database, values),
                password_of(self.password, values),
                self.tls,
                self.statement,
                tuple((name, text_of(value, values)) for name, value in self.options),
                {
                    "user": pointer_of(self.user),
                    "database": pointer_of(self.database),
                    "host": self.server.host.pointer,
                    "password": self.password.pointer,
                },
            ),
            proves_access=True,
            host_pointer=self.server.host.pointer,
            credential_pointer=self.password.pointer,
        )


def read(reader: StepReader) -> PostgresTemplate:
    """Raises ManifestProblems."""
    step = reader.step
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    user, database = read_text(reader, "user"), read_text(reader, "database")
    password = read_password(reader)
    tls = reader.choice("tls", TLS_MODES, default="verify-full")
    statement = step.get("statement")
    if statement is not None and not _is_read(statement):
        reader.report(
            "/statement",
            f"must be one SELECT, WITH, VALUES, TABLE, or SHOW of at most {MAX_STATEMENT} "
            "characters",
        )
    options = _read_options(reader, step.get("options", {}))
    if reader.problems or not server or not user or not database or not password or not tls:
        raise reader.refused()
    return PostgresTemplate(
        server,
        user,
        database,
        password,
        tls,
        statement if isinstance(statement, str) else None,
        options,
    )


def _read_options(reader: StepReader, options: object) -> tuple[tuple[str, Parts], ...]:
    read = []
    for name, value in (reader.members("/options", options) or {}).items():
        at = f"/options{pointer([name])}"
        if name not in OPTIONS:
            reader.report(at, "is not an option that a check may set")
        elif parts := reader.attempt(at, partial(template, value, reader.declared)):
            read.append((name, parts))
    return tuple(read)


def _is_read(statement: object) -> bool:
    return (
        isinstance(statement, str)
        and len(statement) <= MAX_STATEMENT
        and _READS.fullmatch(statement) is not None
    )


KIND: Final = Kind(
    read,
    keys=frozenset({"host", "port", "database", "user", "password", "tls", "statement", "options"}),
)
