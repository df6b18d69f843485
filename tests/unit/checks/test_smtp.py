"""The kind smtp: a real server (aiosmtpd), and servers that refuse or mean harm."""

# ruff: noqa: ARG002 - aiosmtpd calls its handlers with all of these.

import asyncio
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from patchbay.checks.protocols.smtp import Login, ReplyReader, SmtpReply, meaning_of
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import PATIENT_MS, FakeResolver, Handler, serving
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.certificates import Authority

HOST = "mail.example.net"
PASSWORD = "right-password-4242"
SCHEMA: dict[str, Any] = {"properties": {"user": {}, "sender": {}, "port": {"type": "integer"}}}
FROM: dict[str, Any] = {"from": "{{variables.sender}}"}
VALUES = {"user": "app@example.net", "sender": "app@example.net"}


def step(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "mail",
        "kind": "smtp",
        "host": HOST,
        "port": "{{variables.port}}",
        "security": "starttls",
        "user": "{{variables.user}}",
        "password": "{{secrets.password}}",
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def recipe(**changes: Any) -> Recipe:
    manifest = {
        "secretsSchema": {"properties": {"password": {}, "token": {}}},
        "checks": {"steps": [step(**changes)]},
    }
    return Recipe(manifest, {"type": "none"}, SCHEMA)


def report_of(
    authority: Authority,
    handler: Handler | None = None,
    *,
    given: str = PASSWORD,
    variables: dict[str, Any] | None = None,
    tls: bool = False,
    serve: Callable[[], Any] | None = None,
    **changes: Any,
) -> CheckReport:
    """The report of a test with one smtp step, on a server on the loopback."""

    async def tested(port: int) -> CheckReport:
        planned = recipe(**changes)
        assert planned.problems == ()
        values = VALUES | {"port": port} | (variables or {})
        guard = EgressGuard(
            EgressPolicy.parse(f"127.0.0.1/32:{port}"),
            resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
            tls_context=authority.client_context(),
        )
        plan = planned.plan(values, {"password": given, "token": "token-4242-abcd"})
        return await run(plan, guard, total_ms=PATIENT_MS)

    async def test() -> CheckReport:
        context = authority.server_context(HOST)
        if handler:
            async with serving(handler, tls=context if tls else None) as port:
                return await tested(port)
        loop = asyncio.get_running_loop()
        assert serve
        server = await loop.create_server(serve, "127.0.0.1", 0, ssl=context if tls else None)
        async with server:
            return await tested(server.sockets[0].getsockname()[1])

    return asyncio.run(test())


class Mailbox:
    """What the real server takes: one user, one sender, and no mail."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        self.commands.append(f"AUTH {mechanism}")
        right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.commands.append(f"MAIL {address}")
        if address != VALUES["sender"]:
            return "553 5.7.1 Sender address rejected: not owned by user"
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.commands.append("DATA")
        return "250 OK"


def real(authority: Authority, mailbox: Mailbox, **settings: Any) -> Callable[[], SMTP]:
    def serve() -> SMTP:
        return SMTP(
            mailbox,
            hostname=HOST,
            authenticator=mailbox.authenticate,
            loop=asyncio.get_running_loop(),
            **settings,
        )

    return serve


@pytest.mark.enable_socket
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_right_password_passes_and_no_mail_is_sent(authority: Authority, security: str) -> None:
    # given a real server that offers TLS, and logs in only within it
    mailbox = Mailbox()
    context = authority.server_context(HOST) if security == "starttls" else None
    serve = real(authority, mailbox, tls_context=context, auth_require_tls=security == "starttls")

    # when
    report = report_of(
        authority,
        serve=serve,
        tls=security == "tls",
        security=security,
        **FROM,
    )

    # then
    assert (report.passed, report.verified) == (True, True), report.message
    assert report.account == "app@example.net"
    assert mailbox.commands == ["AUTH PLAIN", "MAIL app@example.net"]
    assert PASSWORD not in report.model_dump_json()


@pytest.mark.enable_socket
def test_a_wrong_password_and_a_foreign_sender_are_the_customers_to_correct(
    authority: Authority,
) -> None:
    serve = real(authority, Mailbox(), tls_context=authority.server_context(HOST))

    wrong = report_of(authority, serve=serve, given="wrong-password-1")
    foreign = report_of(authority, serve=serve, variables={"sender": "boss@example.net"}, **FROM)

    assert (wrong.code, wrong.steps[-1].field_pointer) == ("auth_invalid", "/secrets/password")
    assert (foreign.code, foreign.steps[-1].field_pointer) == (
        "permission_denied",
        "/variables/sender",
    )
    assert (wrong.blame, foreign.blame) == ("customer", "customer")


@pytest.mark.enable_socket
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_the_mechanism_is_one_that_the_server_offers(authority: Authority, mechanism: str) -> None:
    mailbox = Mailbox()
    serve = real(
        authority,
        mailbox,
        tls_context=authority.server_context(HOST),
        auth_exclude_mechanism={"PLAIN", "LOGIN"} - {mechanism},
    )
    assert report_of(authority, serve=serve).verified
    assert mailbox.commands == [f"AUTH {mechanism}"]


@pytest.mark.enable_socket
def test_without_a_login_nothing_is_proven(authority: Authority) -> None:
    serve = real(authority, Mailbox())
    report = report_of(authority, serve=serve, security="none", user=None, password=None)
    assert (report.passed, report.verified) == (True, False)


@pytest.mark.enable_socket
def test_a_server_without_tls_gets_no_password(authority: Authority) -> None:
    mailbox = Mailbox()
    report = report_of(authority, serve=real(authority, mailbox, auth_require_tls=False))
    assert (report.code, mailbox.commands) == ("tls_error", [])
    assert "does not offer TLS" in report.message


def saying(*replies: bytes, heard: list[bytes] | None = None) -> Handler:
    """A server within TLS: a greeting, then one reply to each line."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            writer.write(reply)
            await writer.drain()
            line = await reader.readline()
            if heard is not None:
                heard.append(line)
            if not line:
                return
        await reader.read()

    return handler


GREETING = b"220 mail.example.net ready\r\n"
HELLO = b"250-mail.example.net\r\n250-AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2\r\n250 8BITMIME\r\n"


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([b"554 5.7.1 Client host blocked using Spamhaus\r\n"], "address_not_allowed"),
        ([b"421 4.7.0 Too many connections\r\n"], "rate_limited"),
        ([b"421 Service not available\r\n"], "provider_error"),
        ([b"HTTP/1.1 400 Bad Request\r\n"], "unexpected_response"),
        ([b"SSH-2.0-OpenSSH\r\n"], "unexpected_response"),
        ([b"220-" + b"x" * 5000], "unexpected_response"),
        ([b"220-x\r\n" * 200], "response_too_large"),
        ([b"220-x\r\n250 y\r\n"], "unexpected_response"),
        ([b"\r\n"], "unexpected_response"),
        ([b""], "connection_reset"),
        ([GREETING, b"502 No\r\n"], "request_rejected"),
        ([GREETING, b"250 nothing\r\n"], "config_invalid"),
        ([GREETING, b"250-x\r\n250 AUTH GSSAPI\r\n"], "authentication_unsupported"),
        ([GREETING, HELLO, b"535 5.7.8 Bad\r\n"], "auth_invalid"),
        ([GREETING, HELLO, b"454 4.7.0 Temporary failure\r\n"], "provider_error"),
        ([GREETING, HELLO, b"454 Throttling failure\r\n"], "rate_limited"),
        ([GREETING, HELLO, b"999 what\r\n"], "unexpected_response"),
        ([GREETING, HELLO, b"250 what\r\n"], "unexpected_response"),
    ],
)
def test_a_server_that_refuses_or_means_harm_is_classified(
    authority: Authority, replies: Sequence[bytes], code: str
) -> None:
    handler = saying(*replies) if replies != [b""] else _hang_up
    report = report_of(authority, handler, tls=True, security="tls")
    assert (report.code, report.fault) == (code, None), report.message
    assert PASSWORD not in report.model_dump_json()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.enable_socket
def test_what_is_slipped_in_before_tls_ends_the_session(authority: Authority) -> None:
    # given someone in between who adds a reply of their own to the server's yes
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        await reader.readline()
        writer.write(b"250-x\r\n250 STARTTLS\r\n")
        await reader.readline()
        writer.write(b"220 go ahead\r\n250 AUTH PLAIN\r\n")
        await reader.read()

    report = report_of(authority, handler)
    assert report.code == "tls_error"


@pytest.mark.enable_socket
def test_cram_md5_and_tokens_are_sent_as_their_rfcs_say(authority: Authority) -> None:
    # given servers that offer one mechanism each
    def offering(mechanism: bytes, *more: bytes, heard: list[bytes]) -> Handler:
        hello = b"250-x\r\n250 AUTH " + mechanism + b"\r\n"
        return saying(GREETING, hello, *more, heard=heard)

    cram: list[bytes] = []
    token: list[bytes] = []
    challenge = b"334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"
    as_token: dict[str, Any] = {
        "password": None,
        "accessToken": "{{secrets.token}}",
        "security": "tls",
    }

    # when
    first = report_of(
        authority,
        offering(b"CRAM-MD5", challenge, b"235 OK\r\n", heard=cram),
        tls=True,
        security="tls",
    )
    second = report_of(
        authority,
        offering(b"XOAUTH2", b"334 eyJzdGF0dXMiOiI0MDEifQ==\r\n", b"535 No\r\n", heard=token),
        tls=True,
        **as_token,
    )

    # then
    assert first.verified
    assert b64decode(cram[2]).startswith(b"app@example.net ")
    assert second.code == "auth_invalid"
    assert second.steps[-1].field_pointer == "/secrets/token"
    sent = b64decode(token[1].removeprefix(b"AUTH XOAUTH2 "))
    assert sent == b"user=app@example.net\x01auth=Bearer token-4242-abcd\x01\x01"
    assert token[2] == b"\r\n"


def test_the_examples_of_the_rfcs_are_reproduced() -> None:
    # RFC 2195 §2, RFC 4616 §4, RFC 7628 §4.1
    cram = Login("tim", "tanstaaftanstaaf").digest(
        "PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+"
    )
    assert b64decode(cram) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert b64decode(Login("tim", "tanstaaftanstaaf").made("PLAIN", "", 0)) == (
        b"\0tim\0tanstaaftanstaaf"
    )
    bearer = Login("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==", is_token=True)
    assert b64decode(bearer.made("OAUTHBEARER", "server.example.com", 143)) == (
        b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
        b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
    )


@pytest.mark.parametrize(
    ("stage", "line", "code", "subject"),
    [
        ("login", "535-5.7.8 Username and Password not accepted.", "auth_invalid", None),
        ("login", "534-5.7.9 Application-specific password required.", "auth_invalid", None),
        ("login", "534-5.7.14 Please log in via your web browser", "account_locked", None),
        (
            "login",
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for "
            "the Tenant.",
            "permission_denied",
            "user",
        ),
        ("login", "535 5.7.3 Authentication unsuccessful", "auth_invalid", None),
        ("login", "432 4.7.12 A password transition is needed", "auth_expired", None),
        ("login", "451 Authentication failed: Maximum credits exceeded", "payment_required", None),
        (
            "login",
            "421 4.7.0 Too many login attempts, please try again later",
            "rate_limited",
            None,
        ),
        ("login", "538 5.7.11 Encryption required", "config_invalid", "port"),
        (
            "login",
            "504 5.7.4 Unrecognized authentication type",
            "authentication_unsupported",
            None,
        ),
        ("sender", "450 4.1.8 Sender address rejected: Domain not found", "config_invalid", "from"),
        ("sender", "530 5.7.0 Authentication required", "auth_invalid", None),
        ("sender", "530 5.7.0 Must issue a STARTTLS command first", "tls_error", None),
        (
            "sender",
            "554 Message rejected: Email address is not verified.",
            "permission_denied",
            "from",
        ),
        ("sender", "550 5.1.8 Sender domain not found", "config_invalid", "from"),
        ("sender", "450 4.2.0 Mailbox busy", "provider_error", None),
        ("greeting", "550 5.7.1 Service unavailable; client blocked", "address_not_allowed", None),
    ],
)
def test_what_mail_servers_say_is_understood(
    stage: Any, line: str, code: str, subject: str | None
) -> None:
    reader = ReplyReader()
    reader.feed(line.replace("-", " ", 1).encode() if line[3] == "-" else line.encode())
    assert reader.reply
    meaning = meaning_of(stage, reader.reply)
    assert (meaning.code, meaning.subject) == (code, subject)


def test_extensions_are_read_in_both_spellings() -> None:
    reply = SmtpReply(250, ("mail.example.net", "auth=LOGIN PLAIN", "AUTH XOAUTH2", "STARTTLS", ""))
    assert reply.extensions()["AUTH"] == ("LOGIN", "PLAIN", "XOAUTH2")
    assert "STARTTLS" in reply.extensions()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"host": None}, "host"),
        ({"port": "587"}, "port"),
        ({"security": "ssl"}, "security"),
        ({"security": "none"}, "security"),
        ({"user": None}, "user"),
        ({"password": None}, "user"),
        ({"user": "{{secrets.password}}"}, "user"),
        ({"password": "{{variables.user}}"}, "password"),
        ({"accessToken": "{{secrets.token}}"}, "accessToken"),
        ({"from": ""}, "from"),
        ({"from": "nobody"}, "from"),
        ({"to": "x@example.net"}, "to"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    problems = [problem.pointer for problem in recipe(**changes).problems]
    assert problems == [f"/manifest/checks/steps/0/{pointer}"]


@pytest.mark.parametrize(
    ("variables", "pointer"),
    [
        ({"sender": "x> RCPT TO:<y"}, "/variables/sender"),
        ({"sender": "x@y\r\nDATA"}, "/variables/sender"),
        ({"sender": "nobody"}, "/variables/sender"),
        ({"user": "a\0b"}, "/variables/user"),
        ({"user": "a\x01b"}, "/variables/user"),
    ],
)
def test_a_value_that_would_be_another_command_is_refused(
    variables: dict[str, Any], pointer: str
) -> None:
    values = VALUES | {"port": 587} | variables
    plan = recipe(**FROM).plan(values, {"password": PASSWORD})
    assert [problem.pointer for problem in plan.problems] == [pointer]


def test_tls_goes_by_the_port_unless_the_step_says_so() -> None:
    def security(port: int, given: str | None = None) -> str:
        checked = CheckTarget(
            {
                "secretsSchema": {"properties": {"password": {}}},
                "checks": {"steps": [step(security=given)]},
            },
            {"type": "none"},
            SCHEMA,
            VALUES | {"port": port},
            {"password": PASSWORD},
        )
        return str(checked.plan().steps[0].compiled.probe.security)  # type: ignore[attr-defined]

    assert [security(port) for port in (25, 465, 587, 2465, 2525)] == [
        *("starttls", "tls", "starttls", "tls", "starttls")
    ]
    assert security(465, "starttls") == "starttls"
