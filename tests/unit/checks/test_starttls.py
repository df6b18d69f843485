"""The kind tls, of servers that begin in the clear."""

import asyncio
import ssl
import struct
from datetime import timedelta
from typing import Any, get_args

import pytest
from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.failures import CheckFailure
from patchbay.checks.kinds.tls import STARTTLS_PORTS, Starttls
from patchbay.checks.protocols.starttls import DIALOGS
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.ports import may_dial
from tests.unit.checks.doubles import PATIENT_MS, FakeResolver, Handler, TlsEnd, serving
from tests.unit.egress.certificates import Authority

HOST = "mail.example.net"

type Script = list[bytes | int]
"""What a server says, and how many bytes it waits for in between."""

LDAP_REQUEST = 31
LDAP_YES = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
LDAP_NO = LDAP_YES.replace(b"\x0a\x01\x00", b"\x0a\x01\x34")
MYSQL = (
    b"\x0a8.4.0\0" + bytes(4) + b"12345678\0" + struct.pack("<H", 0x8A00 | 0x200) + b"\x2d\x02\0"
    b"\x08\x00\x15" + bytes(10) + b"123456789012\0caching_sha2_password\0"
)


def mysql(body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + b"\0" + body


AGREEING: dict[str, Script] = {
    "smtp": [
        b"220-mail.example.net\r\n220 ready\r\n",
        len("EHLO [127.0.0.1]\r\n"),
        b"250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n",
        len("STARTTLS\r\n"),
        b"220 go on\r\n",
    ],
    "imap": [
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
        len("p1 STARTTLS\r\n"),
        b"* OK by the way\r\np1 OK Begin TLS now\r\n",
    ],
    "pop3": [b"+OK ready\r\n", len("STLS\r\n"), b"+OK Begin TLS\r\n"],
    "ftp": [
        b"220-Welcome\r\n anything\r\n220 ready\r\n",
        len("AUTH TLS\r\n"),
        b"234 Proceed\r\n",
    ],
    "ldap": [LDAP_REQUEST, LDAP_YES],
    "postgres": [8, b"S"],
    "mysql": [mysql(MYSQL), 36],
}
DECLINING: dict[str, Script] = {
    "smtp": [*AGREEING["smtp"][:2], b"250-mail\r\n250 SIZE 1\r\n"],
    "imap": [*AGREEING["imap"][:2], b"p1 BAD unknown command\r\n"],
    "pop3": [*AGREEING["pop3"][:2], b"-ERR unknown command\r\n"],
    "ftp": [*AGREEING["ftp"][:2], b"500 unknown command\r\n"],
    "ldap": [LDAP_REQUEST, LDAP_NO],
    "postgres": [8, b"N"],
    "mysql": [mysql(MYSQL.replace(struct.pack("<H", 0x8A00), struct.pack("<H", 0x8200), 1))],
}


def playing(script: Script, server: ssl.SSLContext | None = None) -> Handler:
    """Plays the script, and shakes hands at its end."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for turn in script:
            if isinstance(turn, int):
                await reader.readexactly(turn)
            else:
                writer.write(turn)
        if server:
            await TlsEnd(reader, writer, server).shake_hands()
        await reader.read()

    return handler


def step(protocol: str, **changes: Any) -> dict[str, Any]:
    return {"name": "certificate", "kind": "tls", "host": HOST, "starttls": protocol, **changes}


def report_of(authority: Authority, protocol: str, handler: Handler, **limit: int) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler) as port:
            return await report_at(authority, protocol, port, **limit)

    return asyncio.run(test())


async def report_at(authority: Authority, protocol: str, port: int, **limit: int) -> CheckReport:
    recipe = Recipe({"checks": {"steps": [step(protocol, port=port, **limit)]}}, {}, {})
    assert recipe.problems == ()
    guard = EgressGuard(
        EgressPolicy.parse(f"127.0.0.1/32:{port}"),
        resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
        tls_context=authority.client_context(),
    )
    return await run(recipe.plan({}, {}), guard, total_ms=PATIENT_MS)


@pytest.mark.enable_socket
@pytest.mark.parametrize("protocol", AGREEING)
def test_a_certificate_is_looked_at_after_the_server_has_agreed(
    authority: Authority, protocol: str
) -> None:
    good = playing(AGREEING[protocol], authority.server_context(HOST))
    late = playing(AGREEING[protocol], authority.server_context(HOST, valid_for=timedelta(days=-1)))

    passed = report_of(authority, protocol, good)
    failed = report_of(authority, protocol, late)

    assert (passed.passed, passed.verified) == (True, False), passed.message
    assert passed.certificate_expires_at is not None
    assert failed.code == "certificate_expired", failed.message


@pytest.mark.enable_socket
def test_what_is_wrong_with_the_chain_is_said_of_these_servers_too(authority: Authority) -> None:
    server = authority.intermediate("Between").server_context(HOST, sends_chain=False)

    report = report_of(authority, "imap", playing(AGREEING["imap"], server))

    assert report.code == "certificate_chain_incomplete"
    assert '"CN=Between"' in report.message


@pytest.mark.enable_socket
@pytest.mark.parametrize("protocol", DECLINING)
def test_a_server_that_declines_fails_the_gate(authority: Authority, protocol: str) -> None:
    report = report_of(authority, protocol, playing(DECLINING[protocol]))

    assert (report.code, report.blame) == ("tls_error", "unknown")
    assert report.message == 'Step "tls" failed: the server does not offer TLS.'


@pytest.mark.enable_socket
@pytest.mark.parametrize("protocol", sorted(set(AGREEING) - {"ldap", "postgres"}))
def test_a_server_of_another_protocol_is_named(authority: Authority, protocol: str) -> None:
    report = report_of(authority, protocol, playing([b"SSH-2.0-OpenSSH_9.6\r\n"]))

    assert report.code == "unexpected_response"
    assert "tls" not in {one.name for one in report.steps if one.status == "failed"}


@pytest.mark.enable_socket
def test_a_server_that_says_nothing_or_hangs_up_is_not_blamed_for_its_tls(
    authority: Authority,
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Closes at once."""

    silent = report_of(authority, "imap", playing([]), timeoutMs=300)
    closed = report_of(authority, "imap", hang_up)

    assert (silent.code, closed.code) == ("provider_timeout", "connection_reset")
    assert "did not answer in the clear" in silent.message


@pytest.mark.enable_socket
def test_a_real_mail_server(authority: Authority) -> None:
    async def test() -> CheckReport:
        loop = asyncio.get_running_loop()
        context = authority.server_context(HOST)
        server = await loop.create_server(
            lambda: SMTP(object(), hostname=HOST, tls_context=context, loop=loop), "127.0.0.1", 0
        )
        async with server:
            return await report_at(authority, "smtp", server.sockets[0].getsockname()[1])

    assert asyncio.run(test()).passed


REFUSING: list[tuple[str, bytes, str]] = [
    ("smtp", b"554 5.7.1 your address is on a blocklist\r\n", "address_not_allowed"),
    ("imap", b"* BYE too busy\r\n", "provider_error"),
    ("imap", b"* PREAUTH come in\r\n", "tls_error"),
    ("ftp", b"421 too many users\r\n", "provider_error"),
    ("mysql", mysql(b"\xff\x69\x04Host is not allowed to connect"), "address_not_allowed"),
]


@pytest.mark.enable_socket
@pytest.mark.parametrize(("protocol", "greeting", "code"), REFUSING)
def test_a_greeting_that_refuses_says_why(
    authority: Authority, protocol: str, greeting: bytes, code: str
) -> None:
    assert report_of(authority, protocol, playing([greeting])).code == code


@given(st.sampled_from(sorted(DIALOGS)), st.lists(st.binary(max_size=40), max_size=30))
def test_no_server_makes_a_dialog_fail_in_another_way(protocol: str, said: list[bytes]) -> None:
    dialog = DIALOGS[protocol]()
    try:
        turn = next(dialog)
        for line in said:
            if isinstance(turn, bytes):
                turn = dialog.send(b"")
            turn = dialog.send(line.ljust(turn, b"\1")[:turn] if isinstance(turn, int) else line)
    except (StopIteration, CheckFailure, DialFailure):
        return


def test_each_protocol_has_its_dialog_and_a_port_that_may_be_dialed() -> None:
    assert set(STARTTLS_PORTS) == set(DIALOGS) == set(get_args(Starttls.__value__))
    assert all(may_dial("tls", port) for port in STARTTLS_PORTS.values())


def test_a_protocol_that_is_not_known_is_refused() -> None:
    [problem] = Recipe({"checks": {"steps": [step("xmpp")]}}, {}, {}).problems
    assert problem.pointer == "/manifest/checks/steps/0/starttls"
