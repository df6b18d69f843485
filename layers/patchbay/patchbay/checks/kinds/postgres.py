"""The kind `postgres`: a PostgreSQL server lets the user in and answers a query.

```json
{"name": "database", "kind": "postgres",
 "host": "{{variables.host}}", "port": "{{variables.port}}",
 "database": "{{variables.database}}", "user": "{{variables.user}}",
 "password": "{{secrets.password}}", "tls": "verify-full",
 "statement": "SELECT 1 FROM invoices LIMIT 1", "options": {"search_path": "billing"}}
```

- `port` defaults to 5432.
- `tls` is a mode of libpq, or a variable that has one: `verify-full` (the default: an authority
  that is trusted, and this host), `verify-ca` (one of the `authorities`, whatever the name), or
  `require` (any certificate; with `authorities` as `verify-ca`). There is no mode without TLS, and
  no fallback.
- `authorities`, `clientCertificate`, and `clientKey` are those of `tls_members`.
- `authentication` are the methods by which the password may be given, by libpq's names:
  `scram-sha-256` (the default), `md5`, and `password` (in the clear). The last two are used with
  `verify-full` only.
- `channelBinding` is `prefer` (the default), `require`, or `disable`, as in libpq.
- `statement` is one SELECT, WITH, VALUES, TABLE, or SHOW. It runs in a READ ONLY transaction with a
  time limit; its rows are not read.
- `options` may set some settings of the session (`SETTINGS`), what poolers go by (`ROUTES`), and
  libpq's `options` as a whole. One whose variable has no value is left out.

Passing proves access if the server asked for the password. The account is `user@database`, as the
server reports it.
"""

import asyncio
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    text_of,
)
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    Parts,
    Placeholder,
    ValueRefused,
    Values,
    placeholders_of,
    pointer_of,
    split_template,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers
from patchbay.egress.failures import DialFailure
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions
from patchbay.platform.sentences import Sentence
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

type TlsMode = Literal["verify-full", "verify-ca", "require"]
type Method = Literal["scram-sha-256", "md5", "password"]

DEFAULT_PORT: Final = 5432
TLS_MODES: Final[tuple[TlsMode, ...]] = get_args(TlsMode.__value__)
METHODS: Final[tuple[Method, ...]] = get_args(Method.__value__)
CHANNEL_BINDINGS: Final[tuple[protocol.ChannelBinding, ...]] = get_args(
    protocol.ChannelBinding.__value__
)
SETTINGS: Final = frozenset({"application_name", "search_path", "TimeZone", "DateStyle"})
"""Parameters of the startup message. None of them makes the user another one."""

ROUTES: Final[Mapping[str, str]] = {
    "endpoint": "endpoint",  # https://neon.com/docs/connect/connection-errors
    "project": "project",
    "reference": "reference",  # https://github.com/supabase/supavisor
    "cluster": "--cluster",  # https://www.cockroachlabs.com/docs/stable/connection-parameters
}
"""What poolers find a database by, and how it is written into libpq's `options`. They decide whose
database is reached."""

OPTIONS: Final = SETTINGS | ROUTES.keys() | {"options"}
_SPECIAL: Final = re.compile(r"[\\\s]")
_METHODS: Final[Mapping[int, Method]] = {protocol.CLEAR: "password", protocol.MD5: "md5"}
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
    mode: TlsMode
    tls: TlsOptions = field(repr=False)
    methods: frozenset[Method]
    channel_binding: protocol.ChannelBinding
    statement: str | None
    settings: Mapping[str, str]
    pointers: Mapping[Field, str | None]
    """The fields of the endpoint that give the user, the database, and the host."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "postgres", deadline=deadline, timings=timings)
        stream = await guard.connect(
            vetted,
            tls=self.tls,
            ask_for_tls=_ask_for_tls,
            deadline=deadline,
            timings=timings,
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await _Session(self, stream, timings, deadline).run()
        except LOST as error:
            raise lost_session(error, self.tls) from error
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
            **self._probe.settings,
        }

    async def _log_in(self, kind: bytes, body: bytes) -> None:
        """Runs until the server lets the user in. Raises CheckFailure."""
        method = protocol.authentication(kind, body)
        if method == protocol.IS_IN:
            return
        self._asked_for_password = True
        if method == protocol.SASL:
            await self._scram(body[4:])
        elif method in _METHODS:
            self._give_password(method, body[4:8])
        else:
            raise protocol.unknown_authentication()
        if protocol.authentication(*await self._message()) != protocol.IS_IN:
            raise protocol.not_postgres()

    def _give_password(self, method: int, salt: bytes) -> None:
        probe, name = self._probe, _METHODS[method]
        if name not in probe.methods:
            raise protocol.too_weak(f"The server asks for the password by {name}")
        if probe.mode != "verify-full":
            raise protocol.too_weak(
                f"The server asks for the password by {name}, and with the mode {probe.mode} its "
                "name is not verified"
            )
        if probe.channel_binding == "require":
            raise protocol.no_channel_binding()
        self._unsent += protocol.password(method, salt, probe.user, probe.password)

    async def _scram(self, offered: bytes) -> None:
        probe = self._probe
        if "scram-sha-256" not in probe.methods:
            raise protocol.unknown_authentication()
        tls = self._stream.tls
        scram = protocol.ScramExchange(offered, probe.password, tls, probe.channel_binding)
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
        summary = Sentence(f"{meaning.text} (SQLSTATE {{}}).", state)
        return CheckFailure(meaning.code, summary, field_pointer=pointer)


@dataclass(frozen=True, slots=True)
class PostgresTemplate:
    server: ServerTemplate
    user: Parts
    database: Parts
    password: Placeholder
    mode: TlsMode | Placeholder
    tls: TlsMembers
    methods: frozenset[Method]
    channel_binding: protocol.ChannelBinding
    statement: str | None
    options: tuple[tuple[str, Parts], ...]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        if isinstance(self.mode, Placeholder):
            yield self.mode
        yield from placeholders_of(self.user)
        yield from placeholders_of(self.database)
        yield self.password

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from placeholders_of(self.user)
        if isinstance(self.mode, Placeholder):
            yield self.mode
        yield from self.tls.destination_placeholders()
        for name, parts in self.options:
            if name not in SETTINGS:
                yield from placeholders_of(parts)

    def request_placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.database)
        for name, parts in self.options:
            if name in SETTINGS:
                yield from placeholders_of(parts)
        yield self.password
        yield from self.tls.request_placeholders()

    def place(self, values: Values) -> str:
        server = address_of(self.server, values)
        return f"postgres://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = address_of(self.server, values)
        user = text_of(self.user, values)
        trust = self.tls.trust(values)
        # Poolers find the database, and so its owner, by these.
        routes = self._settings(values).get("options", "")
        return " ".join(
            part
            for part in (
                f"postgres://{user}@{server.host}:{server.port}",
                self._mode(values),
                trust,
                routes,
            )
            if part
        )

    def compile(self, values: Values) -> Compiled:
        server = address_of(self.server, values)
        password = password_of(self.password, values)
        mode = self._mode(values)
        return Compiled(
            probe=PostgresProbe(
                server,
                text_of(self.user, values),
                name_of(self.database, values),
                password,
                mode,
                self._tls(mode, values),
                self.methods,
                self.channel_binding,
                self.statement,
                self._settings(values),
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
            certificate_pointer=self.tls.certificate_pointer,
        )

    def _mode(self, values: Values) -> TlsMode:
        if not isinstance(self.mode, Placeholder):
            return self.mode
        given = values.text(self.mode)
        found = next((mode for mode in TLS_MODES if mode == given), None)
        if found is None:
            raise ValueRefused(self.mode.pointer, f"must be one of {', '.join(TLS_MODES)}")
        return found

    def _tls(self, mode: TlsMode, values: Values) -> TlsOptions:
        if mode == "verify-full":
            return self.tls.fill(values)
        tls = self.tls.fill(values, "authority")
        if tls.authorities:
            return tls
        if mode == "require":
            return self.tls.fill(values, "nothing")
        # A public authority signs for everyone: without the name it says nothing.
        asked = self.tls.authorities or self.mode
        pointer = asked.pointer if isinstance(asked, Placeholder) else "/variables"
        raise ValueRefused(pointer, "is required with verify-ca", "config_missing_field")

    def _settings(self, values: Values) -> dict[str, str]:
        settings, options = dict[str, str](), list[str]()
        for name, parts in self.options:
            if not all(map(values.has, placeholders_of(parts))):
                continue
            if name in SETTINGS:
                settings[name] = text_of(parts, values)
            elif name in ROUTES:
                options.append(f"{ROUTES[name]}={_escaped(parts, values)}")
            elif len(parts) == 1:
                # A variable that is all of libpq's options is written as libpq wants it.
                options.append(text_of(parts, values))
            else:
                options.append(_escaped(parts, values))
        return settings | ({"options": " ".join(options)} if options else {})


def read(reader: StepReader) -> PostgresTemplate:
    """Raises ManifestProblems."""
    step = reader.step
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    user, database = read_text(reader, "user"), read_text(reader, "database")
    password = read_password(reader)
    mode = _read_mode(reader)
    tls = TlsMembers.read(reader)
    if mode == "verify-ca" and tls.authorities is None:
        reader.report("/authorities", "is required with verify-ca")
    methods = step.get("authentication", ["scram-sha-256"])
    if not isinstance(methods, list) or not methods or not all(one in METHODS for one in methods):
        reader.report("/authentication", f"must be a list of {', '.join(METHODS)}")
        methods = []
    channel_binding = reader.choice("channelBinding", CHANNEL_BINDINGS, default="prefer")
    if channel_binding == "require" and "scram-sha-256" not in methods:
        reader.report("/channelBinding", "can be required of scram-sha-256 only")
    if methods and "scram-sha-256" not in methods and mode in ("verify-ca", "require"):
        reader.report("/authentication", "must have scram-sha-256, unless tls is verify-full")
    statement = step.get("statement")
    if statement is not None and not _is_read(statement):
        reader.report(
            "/statement",
            f"must be one SELECT, WITH, VALUES, TABLE, or SHOW of at most {MAX_STATEMENT} "
            "characters",
        )
    options = _read_options(reader, step.get("options", {}))
    if (
        reader.problems
        or not (server and user and database and password and mode)
        or not channel_binding
    ):
        raise reader.refused()
    return PostgresTemplate(
        server,
        user,
        database,
        password,
        mode,
        tls,
        frozenset(methods),
        channel_binding,
        statement if isinstance(statement, str) else None,
        options,
    )


def _read_mode(reader: StepReader) -> TlsMode | Placeholder | None:
    given = reader.step.get("tls", "verify-full")
    if isinstance(given, str) and "{{" in given:
        parts = reader.attempt("/tls", lambda: split_template(given, reader.declared)) or ()
        match parts:
            case (Placeholder(source="variables") as variable,):
                return variable
            case ():
                return None
    return reader.choice("tls", TLS_MODES, default="verify-full")


def _read_options(reader: StepReader, options: object) -> tuple[tuple[str, Parts], ...]:
    members = reader.members("/options", options) or {}
    inner, read = reader.within("/options", members), []
    for name in members:
        if name not in OPTIONS:
            inner.report(pointer([name]), "is not an option that a check may set")
        elif parts := read_text(inner, name):
            read.append((name, parts))
    reader.problems += inner.problems
    return tuple(read)


def _is_read(statement: object) -> bool:
    return (
        isinstance(statement, str)
        and len(statement) <= MAX_STATEMENT
        and _READS.fullmatch(statement) is not None
    )


def _escaped(parts: Parts, values: Values) -> str:
    """A text within libpq's options: a value can't begin another option."""
    return "".join(
        part if isinstance(part, str) else _SPECIAL.sub(r"\\\g<0>", text_of((part,), values))
        for part in parts
    )


KIND: Final = Kind(
    read,
    keys=frozenset(
        {
            *("host", "port", "database", "user", "password", "tls", "authentication"),
            *("channelBinding", "statement", "options"),
        }
    )
    | TLS_KEYS,
)
