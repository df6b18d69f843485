"""The kind `redis`: Redis, or what speaks its protocol, takes the password and answers.

```json
{"name": "cache", "kind": "redis",
 "host": "{{variables.host}}", "port": "{{variables.port}}", "database": 0,
 "user": "{{variables.user}}", "password": "{{secrets.password}}", "tls": "verify-full",
 "command": ["INFO", "replication"], "expect": {"info": {"role": "master"}}}
```

- `port` defaults to 6379; `database` is a number or a variable, 0 by default.
- `user` is one of Redis 6 and later (ACL); without it, or as `default`, the password is that of the
  server.
- `tls` is `verify-full` (the default), `verify-ca` (a certificate of `authorities`, which is
  required), or `disable`, for a step without a password: it would be sent in the clear.
- `authorities`, `clientCertificate`, and `clientKey` are those of all kinds.
- `command` is one of those below, PING by default; each only reads, and takes constant time. Its
  arguments may have variables.
- `expect` is `{"reply": …}`, a matcher as of http, or `{"info": {"field": …}}` for INFO.

The server is asked PING first, so that no password goes to one that speaks another protocol.
Another node of a cluster is never dialed: that the key is there is enough, unless its value is
expected. The account is the user.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeIs, get_args

from patchbay.checks.contradictions import contradiction
from patchbay.checks.expectations import read_matcher, read_matchers
from patchbay.checks.failures import LOST, CheckFailure, lost_session
from patchbay.checks.json_pointer import MISSING
from patchbay.checks.matchers import Matcher
from patchbay.checks.probe import Compiled, Kind, Notice, Outcome
from patchbay.checks.protocols import redis as protocol
from patchbay.checks.protocols.error_meaning import Field
from patchbay.checks.protocols.foreign import Malformed
from patchbay.checks.protocols.redis import RedisValue, ServerError
from patchbay.checks.protocols.redis_errors import meaning_of
from patchbay.checks.server_address import ServerAddress, ServerTemplate
from patchbay.checks.server_login import (
    address_of,
    password_of,
    read_password,
    read_text,
    template,
    text_of,
)
from patchbay.checks.step_reader import StepReader
from patchbay.checks.templates import (
    INTEGER,
    Declarations,
    Parts,
    Placeholder,
    TemplateError,
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
from patchbay.platform.validation import pointer

if TYPE_CHECKING:
    from patchbay.egress.guard import EgressGuard, Vetted
    from patchbay.egress.stream import Stream

type Encryption = Literal["verify-full", "verify-ca", "disable"]

DEFAULT_PORT: Final = 6379
TLS_MODES: Final[tuple[Encryption, ...]] = get_args(Encryption.__value__)
DEFAULT_USER: Final = "default"
MAX_DATABASE: Final = 65_535
TLS_SHARE: Final = 0.7
"""The part of the time that a server has for TLS, before it is asked in the clear."""
MODE_SECONDS: Final = 1.0
"""How long the server may take to say what it is, which is asked last and may stay unknown."""
COMMANDS: Final[Mapping[str, tuple[int, int]]] = {
    "PING": (0, 0),
    "ACL WHOAMI": (0, 0),
    "DBSIZE": (0, 0),
    "EXISTS": (1, 10),
    "HEXISTS": (2, 2),
    "HLEN": (1, 1),
    "INFO": (1, 1),
    "LLEN": (1, 1),
    "SCARD": (1, 1),
    "SISMEMBER": (2, 2),
    "STRLEN": (1, 1),
    "TTL": (1, 1),
    "TYPE": (1, 1),
    "XLEN": (1, 1),
    "ZCARD": (1, 1),
}
"""Commands that only read, in constant time, and the least and most arguments of each."""
_COUNT: Final = Matcher({"type": "integer", "atLeast": 0})
_FLAG: Final = Matcher({"enum": [0, 1]})
REPLIES: Final[Mapping[str, Matcher]] = {
    **dict.fromkeys(("DBSIZE", "EXISTS", "HLEN", "LLEN", "SCARD", "STRLEN"), _COUNT),
    **dict.fromkeys(("XLEN", "ZCARD"), _COUNT),
    **dict.fromkeys(("HEXISTS", "SISMEMBER"), _FLAG),
    **dict.fromkeys(("ACL WHOAMI", "TYPE"), Matcher({"type": "string"})),
    "PING": Matcher({"equals": "PONG"}),
    "TTL": Matcher({"type": "integer", "atLeast": -2}),
}
"""What each command can reply (https://redis.io/docs/latest/commands/)."""
_OF_INFO: Final = Matcher({"anyOf": [{"type": "number"}, {"matches": "[^0-9.-]|^$|[.-].*[.-]"}]})
_ELSEWHERE: Final = frozenset({"MOVED", "ASK"})
_NOT_IN_YET: Final = frozenset({"NOAUTH", "NOPERM"})


@dataclass(frozen=True, slots=True)
class RedisProbe:
    """A login and a command, ready to be made."""

    server: ServerAddress
    database: int
    user: str
    password: str | None = field(repr=False)
    tls: TlsOptions | None
    command: tuple[str, ...]
    reply: Matcher | None
    info: tuple[tuple[str, Matcher], ...]
    pointers: Mapping[Field, str | None]
    """The fields of the endpoint that give the user, the database, and the host."""

    async def run(self, guard: "EgressGuard", *, deadline: float, timings: DialTimings) -> Outcome:
        host, port = self.server.host, self.server.port
        vetted = await guard.vet(host, port, "redis", deadline=deadline, timings=timings)
        stream = await self._connect(guard, vetted, deadline, timings)
        session = _Session(self, stream, timings, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                return await session.run()
        except Malformed as error:
            raise protocol.not_redis(error.beginning) from error
        except LOST as error:
            failure = lost_session(error, self.tls)
            if self.tls is None and not session.is_greeted and failure.code == "connection_reset":
                failure = CheckFailure(
                    failure.code,
                    "The server cut the connection without an answer, as ports with TLS do.",
                )
            raise failure from error
        finally:
            stream.close()

    async def _connect(
        self, guard: "EgressGuard", vetted: "Vetted", deadline: float, timings: DialTimings
    ) -> "Stream":
        """Raises DialFailure. A server without TLS waits for more when a client begins it, so one
        that stays silent is asked PING in the clear: that it answers says what is wrong."""
        if self.tls is None:
            return await guard.connect(vetted, deadline=deadline, timings=timings)
        now = asyncio.get_running_loop().time()
        until = now + (deadline - now) * TLS_SHARE
        try:
            return await guard.connect(vetted, tls=self.tls, deadline=until, timings=timings)
        except DialFailure as failure:
            is_silent = failure.code == "provider_timeout" and failure.phase == "tls"
            if is_silent and await self._answers_in_the_clear(guard, vetted, deadline):
                raise DialFailure(
                    "tls_error", "The server does not speak TLS on this port.", phase="tls"
                ) from failure
            raise

    async def _answers_in_the_clear(
        self, guard: "EgressGuard", vetted: "Vetted", deadline: float
    ) -> bool:
        try:
            async with asyncio.timeout_at(deadline):
                stream = await guard.connect(vetted, deadline=deadline)
                try:
                    await _Session(self, stream, DialTimings(), deadline).ask("PING")
                finally:
                    stream.close()
        except (*LOST, DialFailure, CheckFailure, Malformed):
            return False
        return True

    def failure(self, error: ServerError) -> CheckFailure:
        """What an error of the server means for this step."""
        if error.word == "NOAUTH" and self.password is None:
            return CheckFailure(
                "request_rejected", "The server asks for a password, which this step has none of."
            )
        meaning = meaning_of(error.word, error.words)
        pointer = self.pointers.get(meaning.field) if meaning.field else None
        return CheckFailure(meaning.code, f"{meaning.text}.", field_pointer=pointer)


class _Session:
    """One session, from the first PING to the answer of the command."""

    def __init__(
        self, probe: RedisProbe, stream: "Stream", timings: DialTimings, deadline: float
    ) -> None:
        self._probe = probe
        self._stream = stream
        self._timings = timings
        self._deadline = deadline
        self._received = 0
        self.is_greeted = False

    async def run(self) -> Outcome:
        probe = self._probe
        await self._greet()
        if probe.password is not None:
            user = () if probe.user == DEFAULT_USER else (probe.user,)
            await self._expect_ok("AUTH", *user, probe.password)
        if probe.database:
            await self._expect_ok("SELECT", str(probe.database))
        reply = await self.ask(*probe.command)
        summary = "The server answered."
        if isinstance(reply, ServerError):
            if reply.word not in _ELSEWHERE or probe.reply is not None:
                raise self._refusal(reply)
            summary = "The server answered that another node of the cluster has the key."
        else:
            self._judge(reply)
        account = probe.user if probe.password is not None else None
        return Outcome(summary, account, notice=await self._notice())

    async def _greet(self) -> None:
        """Finds out that the server speaks the protocol, before it is given a password."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        reply = await self.ask("PING")
        self.is_greeted = True
        self._timings.first_byte_ms = round((loop.time() - asked_at) * 1000)
        if isinstance(reply, ServerError):
            meaning = meaning_of(reply.word, reply.words)
            is_in_later = self._probe.password is not None
            if not (is_in_later and (reply.word in _NOT_IN_YET or meaning.code == "auth_invalid")):
                raise self._probe.failure(reply)
        elif reply != "PONG":
            raise protocol.not_redis()

    def _judge(self, reply: RedisValue) -> None:
        """Raises CheckFailure if the reply is not as expected."""
        probe = self._probe
        if probe.reply is not None and not probe.reply.accepts(reply):
            raise CheckFailure("unexpected_response", "The reply is not the expected one.")
        if not probe.info:
            return
        given = protocol.info_of(reply) if isinstance(reply, str) else {}
        for name, matcher in probe.info:
            if not matcher.accepts(given.get(name, MISSING)):
                raise CheckFailure(
                    "unexpected_response", f'The field "{name}" of INFO is not as expected.'
                )

    def _refusal(self, error: ServerError) -> CheckFailure:
        if error.word in _ELSEWHERE:
            return CheckFailure(
                "request_rejected",
                "Another node of the cluster has the key, and a check does not follow it there.",
            )
        return self._probe.failure(error)

    async def _notice(self) -> Notice | None:
        """A warning if the server is a Sentinel. Asked last: some proxies hang up on HELLO."""
        left = self._deadline - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(MODE_SECONDS, left / 2)):
                about = protocol.fields_of(await self.ask("HELLO", "2"))
        except (*LOST, Malformed, CheckFailure):
            return None
        if about.get("mode") != "sentinel":
            return None
        return Notice(
            "It is a Sentinel, which has no data of its own.",
            "The server is a Sentinel",
            "Give the address of the server that has the data, unless a Sentinel is meant.",
            field_pointer=self._probe.pointers.get("host"),
        )

    async def _expect_ok(self, *words: str) -> None:
        reply = await self.ask(*words)
        if isinstance(reply, ServerError):
            raise self._probe.failure(reply)
        if reply != "OK":
            raise Malformed

    async def ask(self, *words: str) -> RedisValue:
        """The reply to one command."""
        await self._stream.send(protocol.command(*words))
        parser = protocol.read_reply()
        try:
            wanted = next(parser)
            while True:
                wanted = parser.send(await self._receive(wanted))
        except StopIteration as end:
            reply: RedisValue = end.value
            return reply
        except Malformed as error:
            if error.beginning and self._stream.has_unread:
                error.beginning += await self._stream.receive()
            raise

    async def _receive(self, wanted: int) -> bytes:
        if wanted == protocol.LINE:
            try:
                data = await self._stream.receive_line(protocol.MAX_LINE)
            except asyncio.LimitOverrunError as error:
                raise Malformed from error
        else:
            data = await self._stream.receive_exactly(wanted)
        self._received += len(data)
        if self._received > protocol.MAX_WIRE:
            raise protocol.too_large()
        return data


@dataclass(frozen=True, slots=True)
class RedisTemplate:
    server: ServerTemplate
    database: int | Placeholder
    user: Parts | None
    password: Placeholder | None
    tls: Encryption
    tls_members: TlsMembers
    command: tuple[str, ...]
    arguments: tuple[Parts, ...]
    reply: Matcher | None
    info: tuple[tuple[str, Matcher], ...]

    def placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        for parts in (self.user or (), *self.arguments):
            yield from placeholders_of(parts)
        if isinstance(self.database, Placeholder):
            yield self.database
        if self.password:
            yield self.password

    def destination_placeholders(self) -> Iterator[Placeholder]:
        yield from self.server.placeholders()
        yield from placeholders_of(self.user or ())
        yield from self.tls_members.destination_placeholders()

    def request_placeholders(self) -> Iterator[Placeholder]:
        for parts in self.arguments:
            yield from placeholders_of(parts)
        if isinstance(self.database, Placeholder):
            yield self.database
        if self.password:
            yield self.password
        yield from self.tls_members.request_placeholders()

    def place(self, values: Values) -> str:
        server = address_of(self.server, values)
        return f"redis://{server.host}:{server.port}"

    def destination(self, values: Values) -> str:
        server = address_of(self.server, values)
        how = f"{self.tls} {self.tls_members.trust(values)}".rstrip()
        return f"redis://{self._user(values)}@{server.host}:{server.port} {how}"

    def compile(self, values: Values) -> Compiled:
        server = address_of(self.server, values)
        arguments = tuple(text_of(parts, values) for parts in self.arguments)
        number = self.database.pointer if isinstance(self.database, Placeholder) else None
        return Compiled(
            probe=RedisProbe(
                server,
                self._filled_database(values),
                self._user(values),
                password_of(self.password, values) if self.password else None,
                self._tls(values),
                self.command + arguments,
                self.reply,
                self.info,
                {
                    "user": pointer_of(self.user or ()),
                    "database": number,
                    "host": self.server.host.pointer,
                    "password": self.password.pointer if self.password else None,
                },
            ),
            proves_access=self.password is not None,
            host_pointer=self.server.host.pointer,
            credential_pointer=self.password.pointer if self.password else None,
            certificate_pointer=self.tls_members.certificate_pointer,
        )

    def _user(self, values: Values) -> str:
        return text_of(self.user, values) if self.user else DEFAULT_USER

    def _tls(self, values: Values) -> TlsOptions | None:
        return None if self.tls == "disable" else self.tls_members.verifying(values, self.tls)

    def _filled_database(self, values: Values) -> int:
        if isinstance(self.database, int):
            return self.database
        number = values.variables.get(self.database.name)
        if not _is_database(number):
            raise ValueRefused(self.database.pointer, f"must be a number from 0 to {MAX_DATABASE}")
        return number


def read(reader: StepReader) -> RedisTemplate:
    """Raises ManifestProblems."""
    step, declared = reader.step, reader.declared
    server = ServerTemplate.read(reader, default_port=DEFAULT_PORT)
    user = read_text(reader, "user") if "user" in step else None
    password = read_password(reader) if "password" in step else None
    if "user" in step and "password" not in step:
        reader.report("/password", "is required with user")
    given = step.get("database", 0)
    database = reader.attempt("/database", lambda: _database(given, declared))
    tls = reader.choice("tls", TLS_MODES, default="verify-full")
    members = TlsMembers.read(reader)
    if tls == "disable" and "password" in step:
        reader.report("/tls", "may not be disable with a password: it would be sent in the clear")
    if tls == "disable":
        for key in sorted(TLS_KEYS & step.keys()):
            reader.report(f"/{key}", "has no use without TLS")
    elif tls is not None:
        members.require_authorities(reader, tls)
    command, arguments = _read_command(reader, step.get("command", ["PING"]))
    reply, info = _read_expectations(reader, step.get("expect", {}), command)
    if reader.problems or server is None or database is None or tls is None:
        raise reader.refused()
    return RedisTemplate(
        server, database, user, password, tls, members, command, arguments, reply, info
    )


def _read_command(reader: StepReader, command: object) -> tuple[tuple[str, ...], tuple[Parts, ...]]:
    """The words of the command, and the templates of its arguments."""
    words = command if isinstance(command, list) else []
    size = 2 if words[:1] and str(words[0]).upper() == "ACL" else 1
    name = tuple(str(word).upper() for word in words[:size])
    if " ".join(name) not in COMMANDS:
        reader.report("/command", f"must be a list that begins with {', '.join(COMMANDS)}")
        return (), ()
    least, most = COMMANDS[" ".join(name)]
    if not least <= len(words) - size <= most:
        many = str(least) if least == most else f"{least} to {most}"
        reader.report("/command", f"must have {many} arguments")
    arguments = []
    for position, word in enumerate(words[size:], size):
        parts = reader.attempt(f"/command/{position}", partial(template, word, reader.declared))
        arguments.append(parts or ())
    return name, tuple(arguments)


def _read_expectations(
    reader: StepReader, expect: object, command: tuple[str, ...]
) -> tuple[Matcher | None, tuple[tuple[str, Matcher], ...]]:
    spec = reader.members("/expect", expect, frozenset({"reply", "info"})) or {}
    is_info = command == ("INFO",)
    if "info" in spec and not is_info:
        reader.report("/expect/info", "can never hold: the command is not INFO")
    if "reply" in spec and is_info:
        reader.report("/expect/reply", "can't be compared with the reply of INFO: use info")
    reply = read_matcher(reader, "/expect/reply", spec["reply"]) if "reply" in spec else None
    known = REPLIES.get(" ".join(command))
    if reply and known and (problem := contradiction(reply, known)):
        reader.report("/expect/reply", problem)
    info = read_matchers(reader, "/expect/info", spec.get("info", {}))
    for name, matcher in info:
        if contradiction(matcher, _OF_INFO):
            reader.report(
                f"/expect/info{pointer([name])}",
                "can never hold: numbers of INFO are compared as numbers, not as strings",
            )
    return reply, info


def _database(value: object, declared: Declarations) -> int | Placeholder:
    if _is_database(value):
        return value
    parts = split_template(value, declared, types=INTEGER) if isinstance(value, str) else ()
    if len(parts) == 1 and isinstance(parts[0], Placeholder) and parts[0].source == "variables":
        return parts[0]
    raise TemplateError(f"must be a number from 0 to {MAX_DATABASE} or one {{{{variables.name}}}}")


def _is_database(value: object) -> TypeIs[int]:
    return type(value) is int and 0 <= value <= MAX_DATABASE


KIND: Final = Kind(
    read,
    keys=frozenset({"host", "port", "database", "user", "password", "tls", "command", "expect"})
    | TLS_KEYS,
)
