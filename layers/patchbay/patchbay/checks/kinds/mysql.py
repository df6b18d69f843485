"""The kind `mysql`: a MySQL or MariaDB server lets the user in and answers a query.

```json
{"name": "database", "kind": "mysql",
 "host": "{{variables.host}}", "port": "{{variables.port}}",
 "database": "{{variables.database}}", "user": "{{variables.user}}",
 "password": "{{secrets.password}}", "tls": "verify-full",
 "statement": "SELECT 1 FROM invoices LIMIT 1"}
```

- `port` defaults to 3306; `database` is optional.
- `tls` is `verify-full` (the default: a certificate for this host) or `verify-ca` (a certificate of
  `authorities`, which is required, for any host). There is no mode without TLS or without
  verification: no method of MySQL's proves that the server knows the password, and some send it
  the password itself.
- `authorities`, `clientCertificate`, and `clientKey` are those of all kinds.
- `clearPassword` true allows the methods that hand the password to the server for PAM, LDAP, or as
  a token (`mysql_clear_password`, `dialog`).
- `statement` is one SELECT, WITH, VALUES, TABLE, or SHOW without comments. It runs in a READ ONLY
  transaction with a time limit; its rows are not read. What would write elsewhere (`INTO`) or lock
  (`FOR UPDATE`) is refused.

The account is `user@database`, as the server reports it.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

from patchbay.checks.failures import LOST, CheckFailure, lost_session
from patchbay.checks.probe import Compiled, Kind, Outcome
from patchbay.checks.protocols import mysql as protocol
from patchbay.checks.protocols import mysql_auth
from patchbay.checks.protocols.error_meaning import Field
from patchbay.checks.protocols.foreign import Malformed
from patchbay.checks.protocols.mysql_errors import meaning_of
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
    Values,
    placeholders_of,
    pointer_of,
)
from patchbay.checks.tls_members import TLS_KEYS, TlsMembers, Verification
from patchbay.egress.failures import DialFailure
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard
    from patchbay.egress.stream import Stream

DEFAULT_PORT: Final = 3306
TLS_MODES: Final[tuple[Verification, ...]] = get_args(Verification.__value__)
MAX_STATEMENT: Final = 1000
MAX_TURNS: Final = 10
"""Packets of the server in a login. MariaDB tries each method that a user has, one by one."""
_READS: Final = re.compile(r"\s*(?:select|with|values|table|show)\b[^;\0]*;?\s*", re.IGNORECASE)
# Servers that ignore READ ONLY (TiDB, Vitess) must not write either, and files are written in spite
# of it. MySQL runs what is in some comments.
_MORE_THAN_READS: Final = re.compile(
    r"/\*|\binto\b|\bfor\s+(?:update|share)\b|\block\s+in\b|^\s*with\b.*\b(?:update|delete)\b",
    re.IGNORECASE | re.DOTALL,
)
_WHO: Final = "SELECT CURRENT_USER(), DATABASE()"
# Syntax, variables, and values that are unknown, and what is "not supported yet", TiDB's answer to
# READ ONLY; 1105 is Vitess's general error. What runs then is a statement that reads all the same.
_UNKNOWN_TO_SERVER: Final = frozenset({1064, 1105, 1193, 1231, 1235})
# MySQL's own words for who is in while --skip-grant-tables is on; MariaDB has none.
_WITHOUT_GRANTS: Final = "skip-grants "


@dataclass(frozen=True, slots=True)
class MysqlProbe:
    """A login and a query, ready to be made."""

    server: ServerAddress
    user: str
    database: str | None
    password: str = field(repr=False)
    tls: TlsOptions
    clear_password: bool
    statement: str | None
    pointers: Mapping[Field, str | None]
    """The fields of the endpoint that give the user, the database, and the host."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "mysql", deadline=deadline, timings=timings)
        session = _Session(self, timings, deadline)
        stream = None
        try:
            stream = await guard.connect(
                vetted,
                tls=self.tls,
                ask_for_tls=session.ask_for_tls,
                deadline=deadline,
                timings=timings,
            )
            async with asyncio.timeout_at(deadline):
                return await session.run()
        except (
            DialFailure,
            CheckFailure,
            _ServerError,
            Malformed,
            OSError,
            EOFError,
        ) as e:
            if not session.is_greeted:
                # What was agreed or not before the greeting was not TLS.
                timings.tls_ms = None
            raise self._failure(e, is_greeted=session.is_greeted) from e
        finally:
            if stream:
                stream.close()

    def _failure(self, error: Exception, *, is_greeted: bool) -> CheckFailure | DialFailure:
        match error:
            case DialFailure(code="provider_timeout", phase="tls") if not is_greeted:
                return CheckFailure(
                    "provider_timeout",
                    "The server accepted the connection but did not greet, as MySQL does at once.",
                )
            case DialFailure(code="connection_reset", phase="tls") if not is_greeted:
                return CheckFailure(
                    "connection_reset", "The server closed the connection before it greeted."
                )
            case DialFailure() | CheckFailure():
                return error
            case _ServerError():
                meaning = meaning_of(error.number, error.words)
                pointer = self.pointers.get(meaning.field) if meaning.field else None
                summary = f"{meaning.text} (MySQL error {error.number})."
                return CheckFailure(meaning.code, summary, field_pointer=pointer)
            case Malformed():
                return protocol.not_mysql()
            case _:
                return lost_session(error, self.tls)


class _ServerError(Exception):
    """An error that the server answered with."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__()
        self.number = number
        self.words = words


_FAILURES: Final = (DialFailure, CheckFailure, _ServerError, Malformed, *LOST)


class _Session:
    """One session, from the greeting to the answer of the statement."""

    _stream: "Stream"
    _greeting: protocol.Greeting

    def __init__(self, probe: MysqlProbe, timings: DialTimings, deadline: float) -> None:
        self.is_greeted = False
        self._probe = probe
        self._timings = timings
        self._deadline = deadline
        self._sequence = protocol.Sequence()

    async def ask_for_tls(self, stream: "Stream") -> None:
        """Reads the greeting, which is all that the server says in the clear, and asks for TLS."""
        self._stream = stream
        self._greeting = protocol.read_greeting(await self._packet())
        self.is_greeted = True
        if not self._greeting.offers_tls:
            raise DialFailure(
                "tls_error",
                "The server does not offer TLS; nothing was sent in the clear.",
                phase="tls",
            )
        has_database = self._probe.database is not None
        await self._send(protocol.ask_for_tls(self._greeting, with_database=has_database))

    async def run(self) -> Outcome:
        await self._log_in()
        who = await self._query(_WHO)
        if self._probe.statement:
            await self._read_only(self._probe.statement)
        await self._stream.send(self._sequence.command(protocol.goodbye()))
        user = (who[0] or "").rpartition("@")[0]
        account = f"{user}@{who[1]}" if len(who) > 1 and who[1] else user
        if not user or user.startswith(_WITHOUT_GRANTS):
            return Outcome(
                "The server let the user in without checking who it is.", account, proves=False
            )
        return Outcome("The server let the user in and answered.", account)

    async def _log_in(self) -> None:
        """Runs until the server lets the user in."""
        loop = asyncio.get_running_loop()
        probe, greeting = self._probe, self._greeting
        method, seed = mysql_auth.first_method(greeting.method), greeting.seed
        proof = mysql_auth.hashed(method, probe.password, seed)
        asked_at = loop.time()
        await self._send(protocol.log_in(greeting, probe.user, probe.database, method, proof))
        for turn in range(MAX_TURNS):
            body = await self._packet()
            if turn == 0:
                self._timings.first_byte_ms = round((loop.time() - asked_at) * 1000)
            if body[0] == protocol.OK:
                return
            if body[0] == protocol.SWITCH:
                method, seed = protocol.read_switch(body)
                answer: bytes | None = await self._proof(method, seed)
            else:
                # MariaDB marks what it adds only where it could be mistaken for something else.
                added = body[1:] if body[0] == protocol.MORE else body
                answer = await self._more(method, seed, added)
            if answer is not None:
                await self._send(answer)
        raise Malformed

    async def _proof(self, method: str, seed: bytes) -> bytes:
        """The first answer to a method that the server asks for."""
        password = self._probe.password
        match method:
            case mysql_auth.NATIVE | mysql_auth.CACHING_SHA2:
                return mysql_auth.hashed(method, password, seed)
            case mysql_auth.SHA256:
                return mysql_auth.itself(password)
            case mysql_auth.ED25519:
                return await asyncio.to_thread(mysql_auth.signed, password, seed)
            case mysql_auth.PARSEC:
                # This asks for the salt.
                return b""
            case mysql_auth.CLEAR | mysql_auth.DIALOG if not self._probe.clear_password:
                raise CheckFailure(
                    "authentication_unsupported",
                    "The server wants the password itself, for PAM, LDAP, or as a token; this step "
                    "does not allow that.",
                )
            case mysql_auth.CLEAR:
                return mysql_auth.itself(password)
            case mysql_auth.DIALOG if mysql_auth.asks_for_password(seed):
                return mysql_auth.itself(password)
        raise mysql_auth.unknown_method()

    async def _more(self, method: str, seed: bytes, added: bytes) -> bytes | None:
        """The answer to what the server adds to a method; None if it only reports."""
        password = self._probe.password
        if method == mysql_auth.CACHING_SHA2 and added == mysql_auth.ACCEPTED:
            return None
        if method == mysql_auth.CACHING_SHA2 and added == mysql_auth.IN_FULL:
            return mysql_auth.itself(password)
        if method == mysql_auth.PARSEC:
            return await asyncio.to_thread(mysql_auth.parsec, password, seed, added)
        if method == mysql_auth.DIALOG:
            raise mysql_auth.unknown_method()
        raise Malformed

    async def _read_only(self, statement: str) -> None:
        """Runs the statement in a READ ONLY transaction with a time limit, up to its first row."""
        left = max(0.001, self._deadline - asyncio.get_running_loop().time())
        if self._greeting.is_mariadb:
            await self._may_fail(f"SET SESSION max_statement_time = {left:.3f}")
        else:
            await self._may_fail(f"SET SESSION max_execution_time = {round(left * 1000)}")
        await self._may_fail("SET SESSION sql_select_limit = 1")
        await self._may_fail("START TRANSACTION READ ONLY")
        await self._query(statement, one_row=True)

    async def _may_fail(self, statement: str) -> None:
        """Runs what a server that only speaks the protocol may not know."""
        try:
            await self._query(statement)
        except _ServerError as error:
            if error.number not in _UNKNOWN_TO_SERVER:
                raise

    async def _query(self, statement: str, *, one_row: bool = False) -> list[str | None]:
        """Runs one statement; returns its first row, and with `one_row` leaves the others."""
        await self._stream.send(self._sequence.command(protocol.query(statement)))
        body = await self._packet()
        if body[0] == protocol.OK:
            return []
        columns = protocol.column_count(body)
        for _ in range(columns):
            await self._packet()
        if not protocol.is_end(await self._packet()):
            raise Malformed
        first: list[str | None] = []
        while not protocol.is_end(body := await self._packet()):
            first = first or protocol.read_row(body, columns)
            if one_row:
                break
        return first

    async def _send(self, body: bytes) -> None:
        await self._stream.send(self._sequence.packet(body))

    async def _packet(self) -> bytes:
        """The next packet, never empty. Raises _ServerError."""
        head = await self._stream.receive_exactly(protocol.HEAD_BYTES)
        body = await self._stream.receive_exactly(self._sequence.read(head))
        if not body:
            raise Malformed
        if body[0] == protocol.ERROR:
            raise _ServerError(*protocol.read_error(body))
        return body


@dataclass(frozen=True, slots=True)
class MysqlTemplate:
    server: ServerTemplate
    user: Parts
    database: Parts | None
    password: Placeholder
    tls: Verification
    tls_members: TlsMembers
    clear_password: bool
    statement: str | None

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        for parts in (self.user, self.database or ()):
            yield from placeholders_of(parts)
        yield self.password

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from placeholders_of(self.user)
        yield from self.tls_members.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        yield from placeholders_of(self.database or ())
        yield self.password
        yield from self.tls_members.request_placeholders()

    def place(self, values: Values) -> str:
        server = address_of(self.server, values)
        return f"mysql://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = address_of(self.server, values)
        user = text_of(self.user, values)
        how = f"{self.tls} {self.tls_members.trust(values)}".rstrip()
        clear = " clear" if self.clear_password else ""
        return f"mysql://{user}@{server.host}:{server.port} {how}{clear}"

    def compile(self, values: Values) -> Compiled:
        server = address_of(self.server, values)
        return Compiled(
            probe=MysqlProbe(
                server,
                text_of(self.user, values),
                name_of(self.database, values) if self.database else None,
                password_of(self.password, values),
                self.tls_members.verifying(values, self.tls),
                self.clear_password,
                self.statement,
                {
                    "user": pointer_of(self.user),
                    "database": pointer_of(self.database or ()),
                    "host": self.server.host.pointer,
                    "password": self.password.pointer,
                },
            ),
            proves_access=True,
            host_pointer=self.server.host.pointer,
            credential_pointer=self.password.pointer,
            certificate_pointer=self.tls_members.certificate_pointer,
        )


def read(reader: StepReader) -> MysqlTemplate:
    """Raises ManifestProblems."""
    step = reader.step
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    user, password = read_text(reader, "user"), read_password(reader)
    database = read_text(reader, "database") if "database" in step else None
    tls = reader.choice("tls", TLS_MODES, default="verify-full")
    members = TlsMembers.read(reader)
    if tls:
        members.require_authorities(reader, tls)
    clear_password = step.get("clearPassword", False)
    if not isinstance(clear_password, bool):
        reader.report("/clearPassword", "must be true or false")
    statement = step.get("statement")
    if statement is not None and not _is_read(statement):
        reader.report(
            "/statement",
            f"must be one SELECT, WITH, VALUES, TABLE, or SHOW of at most {MAX_STATEMENT} "
            "characters, without comments, and must not write or lock",
        )
    if reader.problems or not server or not user or not password or not tls:
        raise reader.refused()
    return MysqlTemplate(
        server,
        user,
        database,
        password,
        tls,
        members,
        clear_password is True,
        statement if isinstance(statement, str) else None,
    )


def _is_read(statement: object) -> bool:
    return (
        isinstance(statement, str)
        and len(statement) <= MAX_STATEMENT
        and _READS.fullmatch(statement) is not None
        and _MORE_THAN_READS.search(statement) is None
    )


KIND: Final = Kind(
    read,
    keys=frozenset(
        {"host", "port", "database", "user", "password", "tls", "clearPassword", "statement"}
    )
    | TLS_KEYS,
)
