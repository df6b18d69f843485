"""The kind mysql: what it reads, MySQL's own methods, and servers that are none or mean harm."""

import asyncio
import hashlib
import re
import struct
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.checks.codes import describe
from patchbay.checks.protocols import mysql_auth
from patchbay.checks.protocols.foreign import Malformed
from patchbay.checks.protocols.mariadb_ed25519 import sign
from patchbay.checks.protocols.mysql_errors import meaning_of
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.checks.templates import Values
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import (
    PATIENT_MS,
    FakeResolver,
    Handler,
    TlsEnd,
    in_time,
    serving,
)
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.certificates import Authority

HOST = "db.example.net"
PASSWORD = "right-pässword-4242"
SEED = bytes(range(1, 21))
DEADLINE_MS = 600
SCHEMA: dict[str, Any] = {
    "properties": {
        "host": {"format": "hostname"},
        "user": {},
        "database": {},
        "ca": {},
        "port": {"type": "integer"},
    }
}
VALUES = {"host": HOST, "user": "app", "database": "sales"}

type Talk = Callable[[TlsEnd], Awaitable[None]]
"""What a server says and hears after TLS."""


def step(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "database",
        "kind": "mysql",
        "host": "{{variables.host}}",
        "user": "{{variables.user}}",
        "database": "{{variables.database}}",
        "password": "{{secrets.password}}",
    }
    return given | changes


def target(values: dict[str, Any] | None = None, **changes: Any) -> CheckTarget:
    manifest = {
        "secretsSchema": {"properties": {"password": {}}},
        "checks": {"steps": [step(**changes)]},
    }
    return CheckTarget(
        manifest, {"type": "none"}, SCHEMA, VALUES | (values or {}), {"password": PASSWORD}
    )


def packet(number: int, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return size.to_bytes(3, "little") + bytes([number]) + body


def greeting(
    method: bytes = b"caching_sha2_password",
    *,
    version: bytes = b"8.4.3",
    tls: bool = True,
    protocol: int = 10,
) -> bytes:
    flags = 1 << 3 | 1 << 9 | 1 << 13 | 1 << 15 | 1 << 19 | (1 << 11 if tls else 0)
    return packet(
        0,
        bytes([protocol])
        + (version + b"\0" + struct.pack("<I", 7) + SEED[:8] + b"\0")
        + struct.pack("<HBHHB10x", flags & 0xFFFF, 255, 2, flags >> 16, 21)
        + (SEED[8:] + b"\0" + method + b"\0"),
    )


def error(code: int, number: int = 3, *, state: bool = True) -> bytes:
    words = f"Access denied for the {PASSWORD} of the server's text".encode()
    body = b"\xff" + struct.pack("<H", code) + (b"#28000" if state else b"") + words
    return packet(number, body)


def ok(number: int) -> bytes:
    return packet(number, b"\0\0\0\2\0\0\0")


def switch(method: bytes, data: bytes, number: int = 3) -> bytes:
    return packet(number, b"\xfe" + method + b"\0" + data)


END = b"\xfe\0\0\2\0"


def rows(*values: bytes) -> bytes:
    """The answer to a query: one row of these values."""
    column = b"\x03def" + b"\0" * 3 + b"\x01a\0\x0c" + b"\0" * 12
    count = len(values)
    bodies = [bytes([count]), *([column] * count), END]
    bodies += [b"".join(bytes([len(value)]) + value for value in values), END]
    return b"".join(packet(number + 1, body) for number, body in enumerate(bodies))


WHO = rows(b"app@%", b"sales")


def saying(*answers: bytes) -> Talk:
    """After TLS: one answer to each thing that the client sends."""

    async def talk(end: TlsEnd) -> None:
        for answer in answers:
            if not await end.read(4096):
                return
            end.write(answer)
            await end.drain()
        await end.read(-1)

    return talk


def flooding(first: bytes, chunk: bytes) -> Talk:
    async def talk(end: TlsEnd) -> None:
        await end.read(4096)
        end.write(first)
        while True:
            end.write(chunk)
            await end.drain()

    return talk


async def silent(end: TlsEnd) -> None:
    await asyncio.sleep(30)


async def drop_by_drop(end: TlsEnd) -> None:
    for byte in ok(3) + WHO:
        end.write(bytes([byte]))
        await end.drain()
        await asyncio.sleep(0.2)


def over_tls(authority: Authority, talk: Talk, hello: bytes | None = None) -> Handler:
    """A server that greets, agrees to TLS, and then talks inside it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(hello or greeting())
        await reader.readexactly(36)
        end = TlsEnd(reader, writer, authority.server_context(HOST))
        await end.shake_hands()
        await talk(end)

    return handler


def sending(data: bytes) -> Handler:
    """A server that says this first, in the clear, and waits."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await reader.read(-1)

    return handler


def report_of(
    authority: Authority, handler: Handler, total_ms: int = PATIENT_MS, **changes: Any
) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler) as port:
            guard = EgressGuard(
                EgressPolicy.parse(f"127.0.0.1/32:{port}"),
                resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
                tls_context=authority.client_context(),
            )
            plan = target(port=port, **changes).plan()
            return await run(plan, guard, total_ms=total_ms)

    return asyncio.run(test())


class MySql:
    """MySQL 8 and later, with one user: its side of `caching_sha2_password`.

    It keeps a hash of a hash, as the server's cache does, and checks the password itself while it
    has cached nothing.
    """

    def __init__(self, authority: Authority, *, cached: bool, password: str = PASSWORD) -> None:
        self._authority = authority
        self._cached = cached
        self._password = password.encode()
        self.heard: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting())
        self.heard.append(await reader.readexactly(36))
        end = TlsEnd(reader, writer, self._authority.server_context(HOST))
        await end.shake_hands()
        login = await self._packet(end)
        user, _, rest = login[32:].partition(b"\0")
        proof = rest[1 : 1 + rest[0]]
        assert rest[1 + rest[0] :] == b"sales\0caching_sha2_password\0"
        accepted = user == b"app"
        if self._cached:
            end.write(packet(3, b"\x01\x03" if self._is_right(proof) else b"\x01\x04"))
        else:
            end.write(packet(3, b"\x01\x04"))
        number = 4
        if not (self._cached and self._is_right(proof)):
            accepted = accepted and await self._packet(end) == self._password + b"\0"
            number = 5
        if not accepted:
            end.write(error(1045, number))
            return
        end.write(ok(number))
        await self._packet(end)
        end.write(WHO)
        await end.read(-1)

    def _is_right(self, proof: bytes) -> bool:
        stored = hashlib.sha256(hashlib.sha256(self._password).digest()).digest()
        mask = hashlib.sha256(stored + SEED).digest()
        once = bytes(a ^ b for a, b in zip(proof, mask, strict=True))
        return hashlib.sha256(once).digest() == stored

    async def _packet(self, end: TlsEnd) -> bytes:
        head = await end.readexactly(4)
        body = await end.readexactly(int.from_bytes(head[:3], "little"))
        self.heard.append(body)
        return body


@pytest.mark.enable_socket
@pytest.mark.parametrize("cached", [True, False])
def test_mysql_lets_a_user_in_whose_password_it_has_cached_or_not(
    authority: Authority, cached: bool
) -> None:
    # given
    server = MySql(authority, cached=cached)

    # when
    report = report_of(authority, server)

    # then the password itself is sent where the server needs it, within TLS
    assert (report.verified, report.account) == (True, "app@sales"), report.message
    assert (PASSWORD.encode() + b"\0" in server.heard) != cached


@pytest.mark.enable_socket
@pytest.mark.parametrize("cached", [True, False])
def test_mysql_refuses_another_password(authority: Authority, cached: bool) -> None:
    report = report_of(authority, MySql(authority, cached=cached, password="another"))
    assert report.code == "auth_invalid"


def test_hashes_are_those_of_other_clients() -> None:
    # given what PyMySQL 1.2.4 and MySQL's own Connector/Python send for this password and seed
    native = "01b814f456f521992e1fbf2b8ad81340ba9f3e58"
    caching = "86a4684243154aa656b7651e8ca44eaa4fd77b9a201fb2ecf5682caac7a66965"

    # when, then
    assert mysql_auth.hashed(mysql_auth.NATIVE, PASSWORD, SEED + b"\0").hex() == native
    assert mysql_auth.hashed(mysql_auth.CACHING_SHA2, PASSWORD, SEED + b"\0").hex() == caching


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64))
@settings(max_examples=50, deadline=None)
def test_a_signature_with_a_password_of_32_bytes_is_that_of_ed25519(
    password: bytes, message: bytes
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(password)
    assert sign(password, message) == key.sign(message)


def test_a_password_of_any_length_signs() -> None:
    # MariaDB 10.11 accepts both: tests/e2e/test_mysql.py has its own word on it
    assert len(sign(b"", b"seed")) == len(sign(b"x" * 200, b"seed")) == 64


def test_parsec_signs_both_seeds_with_the_derived_key() -> None:
    # given what the server stores: the public key of PBKDF2 (plugin/auth_parsec/server_parsec.cc)
    salt, seed = b"s" * 18, b"e" * 32
    key = hashlib.pbkdf2_hmac("sha512", PASSWORD.encode(), salt, 2048, 32)
    stored = Ed25519PrivateKey.from_private_bytes(key).public_key()

    # when
    answer = mysql_auth.parsec(PASSWORD, seed, b"P\x01" + salt)

    # then
    stored.verify(answer[32:], seed + answer[:32])


@pytest.mark.enable_socket
def test_parsec_asks_for_its_salt_first(authority: Authority) -> None:
    # given a server of MariaDB, which does not mark what it adds
    heard: list[bytes] = []

    async def talk(end: TlsEnd) -> None:
        for answer in (switch(b"parsec", b"e" * 32), packet(5, b"P\0" + b"s" * 18), ok(7), WHO):
            heard.append(await end.read(4096))
            end.write(answer)
        await end.read(-1)

    # when
    report = report_of(authority, over_tls(authority, talk, greeting(version=b"11.8.2-MariaDB")))

    # then
    assert report.verified, report.message
    assert (heard[1], len(heard[2])) == (packet(4, b""), 4 + 96)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (switch(b"mysql_clear_password", b""), PASSWORD.encode() + b"\0"),
        (switch(b"dialog", b"\x04Password: "), PASSWORD.encode() + b"\0"),
    ],
)
def test_the_password_is_handed_over_only_where_the_step_allows_it(
    authority: Authority, asked: bytes, answer: bytes
) -> None:
    # given a server that wants the password itself
    heard: list[bytes] = []

    async def talk(end: TlsEnd) -> None:
        for said in (asked, ok(5), WHO):
            heard.append(await end.read(4096))
            end.write(said)
        await end.read(-1)

    # when
    refused = report_of(authority, over_tls(authority, talk))
    allowed = report_of(authority, over_tls(authority, talk), clearPassword=True)

    # then
    assert (refused.code, refused.blame) == ("authentication_unsupported", "unknown")
    assert allowed.verified
    assert [data for data in heard if PASSWORD.encode() in data] == [packet(4, answer)]


GREAT = b"\x04" + b"P\xff" + b"s" * 18
FILE = packet(1, b"\xfb/etc/passwd")


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (saying(error(1045)), "auth_invalid"),
        (saying(error(1044)), "permission_denied"),
        (saying(error(1049)), "config_invalid"),
        (saying(error(3118)), "account_locked"),
        (saying(error(1862)), "auth_expired"),
        (saying(error(1040)), "provider_error"),
        (saying(error(65535)), "unexpected_response"),
        (saying(packet(3, b"\xff")), "unexpected_response"),
        # packets out of order, empty, cut short, or longer than they may be
        (saying(ok(4)), "unexpected_response"),
        (saying(packet(3, b"")), "unexpected_response"),
        (saying(packet(3, b"\0", 2**24 - 1)), "response_too_large"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "unexpected_response"),
        # methods that are unknown, weak, without data, or without end
        (saying(switch(b"mysql_old_password", b"")), "authentication_unsupported"),
        (saying(packet(3, b"\xfe")), "authentication_unsupported"),
        (saying(packet(3, b"\xfemysql_native_password")), "unexpected_response"),
        (saying(switch(b"mysql_native_password", b"short")), "unexpected_response"),
        (saying(switch(b"client_ed25519", b"short")), "unexpected_response"),
        (saying(switch(b"auth_gssapi_client", b"x" * 32)), "authentication_unsupported"),
        (saying(switch(b"\xff\xfe", b"x" * 32)), "authentication_unsupported"),
        (saying(packet(3, b"\x01\x05")), "unexpected_response"),
        (saying(packet(3, b"\x01\x02")), "unexpected_response"),
        (
            saying(*[switch(b"mysql_native_password", SEED, n) for n in range(3, 99, 2)]),
            "unexpected_response",
        ),
        (
            saying(*[packet(n, b"\x01\x04") for n in range(3, 99, 2)]),
            "unexpected_response",
        ),
        (
            saying(switch(b"parsec", b"e" * 32), packet(5, b"P\x07" + b"s" * 18)),
            "unexpected_response",
        ),
        (
            saying(switch(b"parsec", b"e" * 32), packet(5, b"Q\0" + b"s" * 18)),
            "unexpected_response",
        ),
        (saying(switch(b"parsec", b"short"), packet(5, b"P\0" + b"s" * 18)), "unexpected_response"),
        # files of this machine, at the first command and in the login
        (saying(ok(3), FILE), "unexpected_response"),
        (saying(packet(3, b"\xfb/etc/passwd")), "unexpected_response"),
        # results that are none
        (saying(ok(3), packet(1, b"\xfe" + b"\xff" * 8)), "unexpected_response"),
        (saying(ok(3), packet(1, b"\xfc\xff\xff")), "unexpected_response"),
        (
            saying(ok(3), packet(1, b"\x01") + packet(2, b"x") + packet(3, b"x")),
            "unexpected_response",
        ),
        (
            saying(
                ok(3), packet(1, b"\1") + packet(2, b"x") + packet(3, END) + packet(4, b"\x09a")
            ),
            "unexpected_response",
        ),
        (saying(ok(3), error(1053, 1)), "provider_error"),
        (flooding(ok(3) + rows(b"a")[:40], packet(1, b"x" * 1000)), "unexpected_response"),
        (
            flooding(
                ok(3) + b"".join(packet(n + 1, body) for n, body in enumerate([b"\1", b"x", END])),
                b"".join(packet((n + 4) % 256, b"\x01a") for n in range(256)),
            ),
            "response_too_large",
        ),
        (silent, "provider_timeout"),
        (drop_by_drop, "provider_timeout"),
        (saying(packet(3, b"\x01\x03")), "provider_timeout"),
        (saying(ok(3)), "provider_timeout"),
    ],
)
def test_a_server_that_refuses_or_means_harm_is_classified_in_time(
    authority: Authority, talk: Talk, code: str
) -> None:
    # when
    total_ms = DEADLINE_MS if code == "provider_timeout" else PATIENT_MS
    report = in_time(
        total_ms + 500, lambda: report_of(authority, over_tls(authority, talk), total_ms)
    )

    # then
    assert (report.code, report.fault) == (code, None), report.message
    assert PASSWORD not in report.model_dump_json()
    assert "server's text" not in report.model_dump_json()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (error(1040, 0, state=False), "provider_error", "no free connection"),
        (error(1129, 0, state=False), "address_not_allowed", "blocked this address"),
        (error(1130, 0, state=False), "address_not_allowed", "from here"),
        (greeting(protocol=9), "unexpected_response", "does not speak MySQL's protocol"),
        (greeting()[:30], "provider_timeout", "did not greet"),
        (packet(0, b"\x0a8.4"), "unexpected_response", "does not speak MySQL's protocol"),
        (packet(0, b"\x0a8.4\0" + b"x" * 13 + b"\0\0"), "unexpected_response", "older than"),
        (b"HTTP/1.1 408 Request Timeout\r\n\r\n", "unexpected_response", "speaks HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unexpected_response", "speaks SSH"),
        (b"220 mail.example.net ESMTP\r\n", "unexpected_response", "speaks SMTP or FTP"),
        (b"\0\0\0\0", "unexpected_response", "does not speak MySQL's protocol"),
        (b"\xff\xff\xff\x00", "response_too_large", "more than a check reads"),
        (b"", "provider_timeout", "did not greet"),
        (greeting(tls=False), "tls_error", "does not offer TLS"),
    ],
)
def test_what_is_said_before_tls_is_understood(
    authority: Authority, data: bytes, code: str, said: str
) -> None:
    total_ms = DEADLINE_MS if code == "provider_timeout" else PATIENT_MS
    report = report_of(authority, sending(data), total_ms)
    assert report.code == code
    assert said in report.message
    [tls] = [step for step in report.steps if step.name == "tls"]
    assert tls.status == ("failed" if code == "tls_error" else "skipped")


@pytest.mark.enable_socket
def test_nothing_follows_in_the_clear_when_tls_is_not_offered(authority: Authority) -> None:
    # given a server, or someone in between, that offers no TLS
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting(tls=False))
        heard.append(await reader.read(-1))

    # when
    report = report_of(authority, handler)

    # then
    assert (report.code, b"".join(heard)) == ("tls_error", b"")


@pytest.mark.enable_socket
def test_what_is_slipped_in_before_tls_is_not_taken_for_the_servers_word(
    authority: Authority,
) -> None:
    # given someone in between who adds an answer of their own to the greeting
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting() + ok(2) + ok(3))
        await reader.readexactly(36)
        await writer.start_tls(authority.server_context(HOST))

    # when, then
    assert report_of(authority, handler).code == "tls_error"


@pytest.mark.enable_socket
def test_a_server_that_goes_away_is_a_cut_connection(authority: Authority) -> None:
    async def leave(end: TlsEnd) -> None:
        end.close()

    async def leave_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    assert report_of(authority, over_tls(authority, leave)).code == "connection_reset"
    assert report_of(authority, leave_early).code == "connection_reset"


@pytest.mark.enable_socket
def test_a_server_that_only_speaks_the_protocol_may_lack_what_limits_a_statement(
    authority: Authority,
) -> None:
    # given TiDB, which does not know READ ONLY transactions, and a proxy that knows no variables
    talk = saying(ok(3), WHO, error(1193, 1), error(1064, 1), error(1235, 1), rows(b"1"))
    assert report_of(authority, over_tls(authority, talk), statement="SELECT 1").verified
    # when the transaction is refused for another reason, then so is the step
    talk = saying(ok(3), WHO, ok(1), ok(1), error(1053, 1))
    report = report_of(authority, over_tls(authority, talk), statement="SELECT 1")
    assert report.code == "provider_error"


@pytest.mark.enable_socket
@pytest.mark.parametrize("who", [b"@%", b"skip-grants user@skip-grants host", b""])
def test_a_server_that_checks_nobody_has_verified_nothing(authority: Authority, who: bytes) -> None:
    report = report_of(authority, over_tls(authority, saying(ok(3), rows(who, b"sales"))))
    assert (report.passed, report.verified) == (True, False)


@pytest.mark.enable_socket
def test_a_flood_costs_less_than_five_megabytes(authority: Authority) -> None:
    # Given a first test, so that what is imported and kept does not count
    flood = over_tls(authority, flooding(b"", packet(3, b"\x01" + b"x" * 30_000)))
    report_of(authority, flood)
    # When the flood comes, then its memory is bounded
    tracemalloc.start()
    try:
        report_of(authority, flood)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_packet_of_a_server_makes_a_fault(body: bytes) -> None:
    from patchbay.checks.failures import CheckFailure
    from patchbay.checks.protocols import mysql

    readers: list[Callable[[bytes], object]] = [
        mysql.read_greeting,
        mysql.read_error,
        mysql.read_switch,
        mysql.column_count,
        lambda data: mysql.read_row(data, 2),
        lambda data: mysql.Sequence().read(data[:4].ljust(4, b"\0")),
    ]
    for read in readers:
        try:
            read(body or b"\0")
        except (CheckFailure, Malformed):
            continue


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"host": "/var/run/mysqld/mysqld.sock"}, "/variables/host"),
        ({"host": "a.example.net,10.0.0.5"}, "/variables/host"),
        ({"database": "mysql://10.0.0.5/x"}, "/variables/database"),
        ({"database": "x?allowLoadLocalInfile=true"}, "/variables/database"),
    ],
)
def test_what_libraries_take_for_options_is_refused_as_such(
    values: dict[str, Any], pointer: str
) -> None:
    report = asyncio.run(run(target(values).plan(), EgressGuard(EgressPolicy()), total_ms=1000))
    failed = report.steps[0]
    assert (report.code, failed.detail) == ("egress_blocked", "option")
    assert failed.field_pointer == pointer


@pytest.mark.parametrize("values", [{"user": "a\0b"}, {"user": "x" * 300}, {"database": "a\nb"}])
def test_a_value_that_can_not_be_sent_is_the_customers_to_correct(values: dict[str, Any]) -> None:
    [problem] = target(values).plan().problems
    assert (problem.code, problem.pointer) == ("config_invalid", f"/variables/{next(iter(values))}")


def test_an_authority_alone_must_be_given() -> None:
    [problem] = target(tls="verify-ca", authorities="{{variables.ca}}").plan().problems
    assert (problem.code, problem.pointer) == ("config_missing_field", "/variables/ca")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"host": "/var/run/mysqld"}, "host"),
        ({"port": "3306"}, "port"),
        ({"user": ""}, "user"),
        ({"user": "{{secrets.password}}"}, "user"),
        ({"database": None}, "database"),
        ({"password": "in the manifest"}, "password"),
        ({"tls": "require"}, "tls"),
        ({"tls": "disable"}, "tls"),
        ({"tls": "verify-ca"}, "authorities"),
        ({"clearPassword": "yes"}, "clearPassword"),
        ({"local_infile": 1}, "local_infile"),
        ({"unix_socket": "/tmp/x"}, "unix_socket"),  # noqa: S108 - what a driver would take
        ({"auth_plugin": "mysql_clear_password"}, "auth_plugin"),
        *(
            ({"statement": statement}, "statement")
            for statement in (
                "DELETE FROM invoices",
                "SELECT 1; DROP TABLE invoices",
                "SELECT 1 INTO OUTFILE '/tmp/x'",
                "SELECT id FROM invoices FOR UPDATE",
                "SELECT id FROM invoices FOR  SHARE",
                "SELECT id FROM invoices LOCK IN SHARE MODE",
                "SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */",
                "WITH a AS (SELECT 1) DELETE FROM invoices",
                "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE invoices",
                "SELECT " + "1" * 1000,
                1,
            )
        ),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    checked = target(**changes)
    problems = Recipe(checked.manifest, {"type": "none"}, SCHEMA).problems
    assert [problem.pointer for problem in problems] == [f"/manifest/checks/steps/0/{pointer}"]


def test_a_good_step_has_no_problems() -> None:
    checked = target(
        statement="  select count(*)\nfrom updates ;",
        tls="verify-ca",
        authorities="{{variables.ca}}",
        clearPassword=True,
    )
    assert Recipe(checked.manifest, {"type": "none"}, SCHEMA).problems == ()


def test_secrets_are_bound_to_server_user_and_verification() -> None:
    def place(values: dict[str, Any] | None = None, **changes: Any) -> str:
        return (
            target(**changes)
            .recipe.steps[0]
            .template.destination(Values(VALUES | (values or {}), {}))
        )

    private: dict[str, Any] = {"authorities": "{{variables.ca}}"}
    assert place({"host": "DB.example.net."}) == place()
    assert place({"host": "evil.example.net"}) != place()
    assert place({"user": "other"}) != place()
    assert place(port=3307) != place()
    assert place(clearPassword=True) != place()
    assert place({"ca": "a"}, **private) != place({"ca": "b"}, **private) != place(**private)
    assert place({"ca": "a"}, **private) != place({"ca": "a"}, **private, tls="verify-ca")


MEANINGS = [
    (1045, "Access denied for user 'app'@'192.0.2.1' (using password: YES)", "auth_invalid", None),
    (1045, "ProxySQL Error: Access denied for user 'app'@'…'", "auth_invalid", None),
    (1045, "Max connect timeout reached while reaching hostgroup 1", "provider_error", None),
    (1130, "Host '192.0.2.1' is not allowed to connect", "address_not_allowed", None),
    (
        9000,
        "Client with IP address '192.0.2.1' is not allowed to connect to this MySQL server.",
        "address_not_allowed",
        None,
    ),
    (
        1129,
        "Host '192.0.2.1' is blocked because of many connection errors",
        "address_not_allowed",
        None,
    ),
    (1049, "Unknown database 'x'", "config_invalid", "database"),
    (1146, "Table 'x.y' doesn't exist", "config_invalid", "database"),
    (1142, "SELECT command denied to user", "permission_denied", None),
    (1524, "Plugin 'mysql_native_password' is not loaded", "auth_invalid", "user"),
    (1698, "Access denied for user 'root'@'localhost'", "auth_invalid", "user"),
    (1820, "You must reset your password", "auth_expired", "password"),
    (3159, "Connections using insecure transport are prohibited", "tls_error", None),
    (4151, "Access denied, this account is locked", "account_locked", None),
    (1251, "Client does not support authentication protocol", "authentication_unsupported", None),
    (1105, "Missing user name prefix. See https://…", "auth_invalid", "user"),
    (1105, "Due to the usage quota being exhausted, access … restricted", "payment_required", None),
    (
        1105,
        "target: a.-.primary: vttablet: rpc error: code = ResourceExhausted",
        "provider_error",
        None,
    ),
    (1105, "unknown error: Code = DeadlineExceeded desc = …", "provider_timeout", None),
    (1105, "something", "provider_error", None),
    (1792, "Cannot execute statement in a READ ONLY transaction", "request_rejected", None),
    (9001, "PD server timeout", "provider_error", None),
]


PAGE = (Path(__file__).parents[3] / "docs/checks.md").read_text()
SHOWN = re.findall(r"^\| (\d{4}) `(.+)` \| `(\w+)` \| ?(?:the (\w+))? \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("number", "words", "code", "field"), SHOWN)
def test_errors_mean_what_the_page_says(number: str, words: str, code: str, field: str) -> None:
    meaning = meaning_of(int(number), words)
    # Without a field of its own, a credential points at the password, and TLS at the host.
    default = {"auth_invalid": "password", "tls_error": "host"}.get(meaning.code, "")
    assert (meaning.code, meaning.field or default) == (code, field)


def test_the_page_has_an_error_of_every_code() -> None:
    known = {meaning_of(number, "").code for number in range(10_000)}
    assert {code for _, _, code, _ in SHOWN} >= known


@pytest.mark.parametrize(("number", "words", "code", "field"), MEANINGS)
def test_servers_proxies_and_hosts_are_understood(
    number: int, words: str, code: str, field: str | None
) -> None:
    meaning = meaning_of(number, words)
    assert (meaning.code, meaning.field) == (code, field)
    assert words not in meaning.text
    assert describe(meaning.code).retryable == meaning.code.startswith(("provider", "unexpected"))
