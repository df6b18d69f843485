"""Runs a postgres step: the protocol's version 3 on a connection of the guard.

The server is taken for hostile: it is asked for TLS before anything else, what it may send is
limited in bytes and time, the work that SCRAM lets it ask of us is limited, and of its errors only
the SQLSTATE is read.
"""

import asyncio
import hashlib
import re
import ssl
import struct
from typing import Final

from scramp import ScramClient, ScramException  # type: ignore[import-untyped]  # it ships no types

from patchbay.checks.codes import Code
from patchbay.checks.failures import CheckFailure
from patchbay.checks.kinds.postgres import PostgresProbe
from patchbay.checks.probe import Outcome
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.stream import Stream
from patchbay.egress.timings import DialTimings
from patchbay.egress.tls import TlsOptions

MAX_WIRE: Final = 64 * 1024
MAX_MESSAGE: Final = 32 * 1024
MAX_ITERATIONS: Final = 65_536
"""PostgreSQL's own default is 4,096; this many take some 40 ms here."""

_SSL_REQUEST: Final = struct.pack("!ii", 8, 80877103)
_PROTOCOL: Final = 196608
_WHO: Final = "SELECT current_user, current_database()"
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")
_ITERATIONS: Final = re.compile(r"(?:^|,)i=([0-9]{1,9})(?:,|$)", re.ASCII)
_SCRAM: Final = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256")

_OK, _CLEAR, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12

# Notices, settings, the key to cancel with, notifications: said in between, of no interest here.
_ASIDE: Final = frozenset({b"N", b"S", b"K", b"v", b"A"})
_KINDS: Final = _ASIDE | {b"R", b"Z", b"T", b"D", b"C", b"E", b"1", b"2", b"n", b"s", b"I"}

# By SQLSTATE, or its class: what it means in words of ours.
_STATES: Final[dict[str, tuple[Code, str]]] = {
    "28": ("auth_invalid", "The server did not accept the user and password"),
    "3D000": ("config_invalid", "The server has no database of this name"),
    "42501": ("permission_denied", "The user may not do this"),
    "25006": ("unexpected_response", "The statement tries to write, which a check may not"),
    "53300": ("provider_error", "The server has no connection free"),
    "53": ("provider_error", "The server is short of resources"),
    "57014": ("provider_timeout", "The server did not answer the statement in time"),
    "57": ("provider_error", "The server is starting, stopping or not available"),
    "58": ("provider_error", "The server has a fault"),
    "XX": ("provider_error", "The server has a fault"),
}


async def run_postgres(
    probe: PostgresProbe, guard: EgressGuard, *, deadline: float, timings: DialTimings
) -> Outcome:
    """Raises CheckFailure."""
    host, port = probe.service.host, probe.service.port
    vetted = await guard.vet(host, port, "postgres", deadline=deadline, timings=timings)
    stream = await guard.connect(
        vetted,
        tls=TlsOptions("full" if probe.tls == "verify-full" else "nothing"),
        ask_for_tls=_ask_for_tls,
        deadline=deadline,
        timings=timings,
    )
    try:
        async with asyncio.timeout_at(deadline):
            return await _Session(probe, stream, timings, deadline).run()
    except TimeoutError as error:
        raise CheckFailure("provider_timeout", "The server did not answer in time.") from error
    except ssl.SSLError as error:
        raise CheckFailure("tls_error", "The TLS connection broke.") from error
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise CheckFailure("connection_reset", "The server cut the connection.") from error
    except (struct.error, IndexError) as error:
        raise _no_postgres() from error
    finally:
        stream.close()


async def _ask_for_tls(stream: Stream) -> None:
    """The server answers with one byte, `S` if it goes on in TLS."""
    await stream.send(_SSL_REQUEST)
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
        stream: Stream,
        timings: DialTimings,
        deadline: float,
    ) -> None:
        self._probe = probe
        self._stream = stream
        self._outgoing = bytearray()
        self._phases = timings
        self._deadline = deadline
        self._received = 0
        self._asked_for_password = False

    async def run(self) -> Outcome:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        self._send(b"", self._startup())
        kind, body = await self._message()
        self._phases.first_byte_ms = round((loop.time() - asked_at) * 1000)
        await self._log_in(kind, body)
        await self._ready()
        limit = max(1, round((self._deadline - loop.time()) * 1000))
        begin = f"BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {limit}"
        self._send(b"Q", _text(begin))
        await self._ready()
        account = await self._query(_WHO)
        if self._probe.statement:
            await self._query(self._probe.statement)
        self._send(b"X", b"")
        await self._flush()
        if self._asked_for_password:
            return Outcome("The server let the user in and answered.", "@".join(account))
        return Outcome(
            "The server let the user in without asking for the password.",
            "@".join(account),
            proves=False,
        )

    def _startup(self) -> bytes:
        parameters = {
            "user": self._probe.user,
            "database": self._probe.database,
            "client_encoding": "UTF8",
            "application_name": "patchbay",
            **dict(self._probe.options),
        }
        pairs = b"".join(_text(name) + _text(value) for name, value in parameters.items())
        return struct.pack("!i", _PROTOCOL) + pairs + b"\0"

    async def _log_in(self, kind: bytes, body: bytes) -> None:
        """Until the server says that the user is in."""
        (method,) = struct.unpack_from("!i", _of_kind(b"R", kind, body))
        if method == _OK:
            return
        self._asked_for_password = True
        if method == _SASL:
            await self._scram(body[4:])
        elif method in (_CLEAR, _MD5):
            self._give_password(method, body[4:8])
        else:
            raise CheckFailure(
                "unexpected_response",
                "The server asks for a kind of authentication that checks don't speak.",
            )
        kind, body = await self._message()
        if struct.unpack_from("!i", _of_kind(b"R", kind, body)) != (_OK,):
            raise _no_postgres()

    def _give_password(self, method: int, salt: bytes) -> None:
        if self._probe.tls != "verify-full":
            raise CheckFailure(
                "tls_error",
                "The server asks for the password in a way that is safe only when its certificate "
                'is verified: this step\'s tls is "require".',
            )
        password, user = self._probe.password.encode(), self._probe.user.encode()
        if method == _CLEAR:
            self._send(b"p", password + b"\0")
            return
        inner = _md5(password + user).encode()
        self._send(b"p", b"md5" + _md5(inner + salt).encode() + b"\0")

    async def _scram(self, offered: bytes) -> None:
        names = [name.decode("ascii", "replace") for name in offered.split(b"\0")]
        mechanisms: list[str] = [name for name in _SCRAM if name in names]
        if not mechanisms:
            raise CheckFailure(
                "unexpected_response",
                "The server asks for a kind of authentication that checks don't speak.",
            )
        try:
            client = self._scram_client(mechanisms)
            first = client.get_client_first().encode()
            name = client.mechanism_name
            self._send(b"p", _text(name) + struct.pack("!i", len(first)) + first)
            server_first = await self._sasl(_SASL_CONTINUE)
            iterations = _ITERATIONS.search(server_first)
            if iterations is None or int(iterations[1]) > MAX_ITERATIONS:
                raise CheckFailure(
                    "unexpected_response", "The server asks for more work than a check does."
                )
            client.set_server_first(server_first)
            # The work is the server's to choose: it must not hold other tests.
            final = await asyncio.to_thread(client.get_client_final)
            self._send(b"p", final.encode())
            client.set_server_final(await self._sasl(_SASL_FINAL))
        except (ScramException, ValueError, KeyError) as error:
            raise CheckFailure(
                "unexpected_response", "The server did not prove that it knows the password."
            ) from error

    def _scram_client(self, mechanisms: list[str]) -> ScramClient:
        # PostgreSQL takes the user of the startup message and ignores this one.
        user, password = self._probe.user, self._probe.password
        tls = self._stream.tls
        if mechanisms[0].endswith("-PLUS"):
            try:
                binding = ("tls-server-end-point", tls)
                return ScramClient(mechanisms, user, password, channel_binding=binding)
            except ScramException:
                # A certificate whose signature has no hash of its own (Ed25519) can't be bound to.
                mechanisms = mechanisms[1:] or mechanisms
        return ScramClient(mechanisms, user, password)

    async def _sasl(self, expected: int) -> str:
        kind, body = await self._message()
        (step,) = struct.unpack_from("!i", _of_kind(b"R", kind, body))
        if step != expected:
            raise _no_postgres()
        return body[4:].decode()

    async def _query(self, statement: str) -> list[str]:
        """Runs one statement; gives the texts of its first row. The extended protocol takes no
        second one, whatever the text says."""
        self._send(b"P", b"\0" + _text(statement) + struct.pack("!h", 0))
        self._send(b"B", b"\0\0" + struct.pack("!hhh", 0, 0, 0))
        self._send(b"E", b"\0" + struct.pack("!i", 1))
        self._send(b"S", b"")
        return await self._ready()

    async def _ready(self) -> list[str]:
        row: list[str] = []
        while True:
            kind, body = await self._message()
            if kind == b"Z":
                return row
            if kind == b"D" and not row:
                row = _row(body)

    def _send(self, kind: bytes, body: bytes) -> None:
        self._outgoing += kind + struct.pack("!i", len(body) + 4) + body

    async def _flush(self) -> None:
        data, self._outgoing = bytes(self._outgoing), bytearray()
        await self._stream.send(data)

    async def _message(self) -> tuple[bytes, bytes]:
        """The next message that is no notice. Raises CheckFailure for an error."""
        await self._flush()
        while True:
            head = await self._stream.receive_exactly(5)
            (length,) = struct.unpack_from("!i", head, 1)
            self._received += length + 1
            if length < 4 or head[:1] not in _KINDS:
                raise _no_postgres()
            if length > MAX_MESSAGE or self._received > MAX_WIRE:
                raise CheckFailure(
                    "response_too_large", "The server sends more than a check reads."
                )
            body = await self._stream.receive_exactly(length - 4)
            kind = head[:1]
            if kind == b"E":
                raise self._failure(body)
            if kind not in _ASIDE:
                return kind, body

    def _failure(self, body: bytes) -> CheckFailure:
        fields = (part.decode("ascii", "replace") for part in body.split(b"\0"))
        state = next((part[1:] for part in fields if part[:1] == "C"), "")
        if not _SQLSTATE.fullmatch(state):
            return _no_postgres()
        unknown: tuple[Code, str] = ("unexpected_response", "The server refused")
        code, meaning = _STATES.get(state) or _STATES.get(state[:2]) or unknown
        pointer = None
        if code == "config_invalid":
            pointer = self._probe.database_pointer
        elif state == "28000":
            pointer = self._probe.user_pointer
        return CheckFailure(code, f"{meaning} (SQLSTATE {state}).", field_pointer=pointer)


def _of_kind(expected: bytes, kind: bytes, body: bytes) -> bytes:
    if kind != expected:
        raise _no_postgres()
    return body


def _row(body: bytes) -> list[str]:
    (count,) = struct.unpack_from("!h", body)
    values, offset = [], 2
    for _ in range(min(count, 2)):
        (length,) = struct.unpack_from("!i", body, offset)
        offset += 4
        if length >= 0:
            values.append(body[offset : offset + length].decode("utf-8", "replace"))
            offset += length
    return values


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _no_postgres() -> CheckFailure:
    return CheckFailure("unexpected_response", "The server does not speak PostgreSQL's protocol.")
