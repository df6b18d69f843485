"""The kind postgres: what it reads, and servers that are none or mean harm."""

import asyncio
import struct
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from patchbay.checks.codes import describe
from patchbay.checks.protocols.postgres import meaning_of, read_error
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.checks.templates import Values
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import PATIENT_MS, FakeResolver, Handler, in_time, serving
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.certificates import Authority

HOST = "db.example.net"
PASSWORD = "right-password-4242"
DEADLINE_MS = 600
SCHEMA: dict[str, Any] = {
    "properties": {
        "host": {"format": "hostname"},
        "user": {},
        "database": {},
        "port": {"type": "integer"},
    }
}
VALUES = {"host": HOST, "user": "app", "database": "sales"}

type Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def step(**changes: Any) -> dict[str, Any]:
    given = {
        "name": "database",
        "kind": "postgres",
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


def message(kind: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    return kind + struct.pack("!i", len(body) + 4 if length is None else length) + body


def error(state: str) -> bytes:
    return message(b"E", f"SFATAL\0C{state}\0Mthe {PASSWORD} of the server's text\0\0".encode())


LET_IN = message(b"R", struct.pack("!i", 0)) + message(b"Z", b"I")
CLEAR = message(b"R", struct.pack("!i", 3))
SASL = message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")


def sasl_continue(text: bytes) -> bytes:
    return message(b"R", struct.pack("!i", 11) + text)


def saying(*answers: bytes) -> Talk:
    """After TLS: one answer to each thing that the client sends."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await reader.read(4096):
                return
            writer.write(answer)
            await writer.drain()
        await reader.read(-1)

    return talk


def flooding(chunk: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(chunk)
            await writer.drain()

    return talk


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


def over_tls(authority: Authority, talk: Talk) -> Handler:
    """A server that agrees to TLS and then talks inside it."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(authority.server_context(HOST))
        await talk(reader, writer)

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


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("talk", "code"),
    [
        (saying(error("28P01")), "auth_invalid"),
        (saying(error("28000")), "auth_invalid"),
        (saying(error("3D000")), "config_invalid"),
        (saying(error("42501")), "permission_denied"),
        (saying(error("53300")), "provider_error"),
        (saying(error("57P03")), "provider_error"),
        (saying(error("XX000")), "provider_error"),
        (saying(error("99999")), "unexpected_response"),
        (saying(error("<b>")), "unexpected_response"),
        (saying(message(b"E")), "unexpected_response"),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "unexpected_response"),
        (saying(message(b"R", length=3)), "unexpected_response"),
        (saying(message(b"R", length=-1)), "unexpected_response"),
        (saying(message(b"R", length=2**31 - 1)), "response_too_large"),
        (saying(message(b"R", b"\0")), "unexpected_response"),
        (saying(message(b"R", struct.pack("!i", 7))), "authentication_unsupported"),
        (saying(message(b"Z", b"I")), "unexpected_response"),
        (saying(message(b"R", struct.pack("!i", 10) + b"PLAIN\0\0")), "authentication_unsupported"),
        (saying(SASL, LET_IN), "unexpected_response"),
        (saying(SASL, sasl_continue(b"garbage")), "unexpected_response"),
        (saying(SASL, sasl_continue(b"\xff\xfe")), "unexpected_response"),
        (
            saying(SASL, sasl_continue(b"r=x,s=c2FsdHNhbHRzYWx0c2FsdA==,i=10000000")),
            "unexpected_response",
        ),
        (
            saying(SASL, sasl_continue(b"r=not-ours,s=c2FsdHNhbHRzYWx0c2FsdA==,i=4096")),
            "unexpected_response",
        ),
        (saying(LET_IN, message(b"G", b"\0\0\0")), "unexpected_response"),
        (saying(LET_IN, message(b"Z"), message(b"D", b"\0\2\0\0")), "unexpected_response"),
        (saying(LET_IN, error("25006")), "request_rejected"),
        (saying(LET_IN, error("57014")), "provider_timeout"),
        (flooding(message(b"N", b"x" * 1000)), "response_too_large"),
        (flooding(message(b"S") * 500), "response_too_large"),
        (silent, "provider_timeout"),
        (saying(SASL), "provider_timeout"),
        (saying(LET_IN), "provider_timeout"),
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
    assert (report.code, report.fault) == (code, None)
    assert PASSWORD not in report.model_dump_json()
    assert "server's text" not in report.model_dump_json()


def asking_for_a_proof(authority: Authority, iterations: bytes, heard: list[bytes]) -> Handler:
    """A server whose SCRAM message ends with these attributes; `heard` is what follows it."""

    async def asking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(SASL)
        nonce = (await reader.read(4096)).rpartition(b"r=")[2]
        salt = b"c2FsdHNhbHRzYWx0c2FsdA=="
        writer.write(sasl_continue(b"r=" + nonce + b"x,s=" + salt + b"," + iterations))
        rest = b""
        try:
            rest = await reader.read(4096)
        finally:
            heard.append(rest)

    return over_tls(authority, asking)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("iterations", "code"),
    [
        (b"i=4095", "authentication_too_weak"),
        (b"i=1", "authentication_too_weak"),
        # Of two, the library would take the second
        (b"i=4096,i=1", "unexpected_response"),
        (b"i=1,i=4096", "unexpected_response"),
        (b"i=04096", "unexpected_response"),
        (b"i=+4096", "unexpected_response"),
        (b"i=4_096", "unexpected_response"),
        (b"i=4096.5", "unexpected_response"),
        (b"i=0", "unexpected_response"),
        (b"i=-1", "unexpected_response"),
        (b"i=", "unexpected_response"),
        (b"x=1", "unexpected_response"),
        ("i=٤٠٩٦".encode(), "unexpected_response"),
        (b"i=65537", "unexpected_response"),
        (b"i=99999999999", "unexpected_response"),
    ],
)
def test_no_proof_is_sent_for_a_number_of_iterations_that_is_not_safe(
    authority: Authority, iterations: bytes, code: str
) -> None:
    heard: list[bytes] = []
    report = in_time(
        2000, lambda: report_of(authority, asking_for_a_proof(authority, iterations, heard))
    )
    assert (report.code, report.fault) == (code, None)
    assert heard == [b""]


@pytest.mark.enable_socket
@pytest.mark.parametrize("iterations", [b"i=4096", b"i=65536"])
def test_a_proof_is_sent_for_a_safe_number_of_iterations(
    authority: Authority, iterations: bytes
) -> None:
    # given a server that asks for a proof, and hangs up when it has it
    heard: list[bytes] = []

    # when
    report_of(authority, asking_for_a_proof(authority, iterations, heard), total_ms=DEADLINE_MS)

    # then
    [proof] = heard
    assert proof.startswith(b"p")
    assert b",p=" in proof


@pytest.mark.enable_socket
def test_a_server_that_goes_away_is_a_cut_connection(authority: Authority) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def leave_politely(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)

    assert report_of(authority, over_tls(authority, leave)).code == "connection_reset"
    assert report_of(authority, leave).code == "connection_reset"
    assert report_of(authority, leave_politely).code == "connection_reset"


@pytest.mark.enable_socket
@pytest.mark.parametrize("mode", ["verify-full", "require"])
def test_nothing_follows_in_the_clear_when_tls_is_refused(authority: Authority, mode: str) -> None:
    # given a server, or someone in between, that says no and then asks for the password
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(8))
        writer.write(b"N" + CLEAR)
        heard.append(await reader.read(-1))

    # when
    report = report_of(authority, handler, tls=mode)

    # then
    assert report.code == "tls_error"
    assert heard in ([struct.pack("!ii", 8, 80877103), b""], [struct.pack("!ii", 8, 80877103)])


@pytest.mark.enable_socket
def test_what_is_slipped_in_before_tls_is_not_taken_for_the_servers_word(
    authority: Authority,
) -> None:
    # given someone in between who adds an answer of their own to the server's yes
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S" + LET_IN)
        await writer.start_tls(authority.server_context(HOST))

    # when, then
    assert report_of(authority, handler).code == "tls_error"


@pytest.mark.enable_socket
def test_a_password_in_the_clear_is_sent_to_verified_servers_only(authority: Authority) -> None:
    # given a server that asks for the password itself
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(CLEAR)
        heard.append(await reader.read(4096))
        writer.write(error("28P01"))

    # when
    allowed = ["password", "scram-sha-256"]
    server = over_tls(authority, talk)
    verified = report_of(authority, server, authentication=allowed)
    unverified = report_of(authority, server, authentication=allowed, tls="require")
    not_allowed = report_of(authority, server)
    bound = report_of(authority, server, authentication=allowed, channelBinding="require")

    # then
    assert verified.code == "auth_invalid"
    assert {unverified.code, not_allowed.code, bound.code} == {"authentication_too_weak"}
    assert PASSWORD.encode() in heard[0]
    assert PASSWORD.encode() not in b"".join(heard[1:])


@pytest.mark.enable_socket
def test_a_flood_costs_less_than_five_megabytes(authority: Authority) -> None:
    # Given a first test, so that what is imported and kept does not count
    flood = over_tls(authority, flooding(message(b"N", b"x" * 30_000)))
    report_of(authority, flood)
    # When the flood comes, then its memory is bounded
    tracemalloc.start()
    try:
        report_of(authority, flood)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"host": "/var/run/postgresql"}, "/variables/host"),
        ({"host": "@abstract"}, "/variables/host"),
        ({"host": "a.example.net,10.0.0.5"}, "/variables/host"),
        ({"host": "service=x"}, "/variables/host"),
        ({"database": "service=x passfile=/proc/self/environ"}, "/variables/database"),
        ({"database": "postgresql://10.0.0.5/x"}, "/variables/database"),
    ],
)
def test_what_libraries_take_for_options_is_refused_as_such(
    values: dict[str, Any], pointer: str
) -> None:
    # when
    report = asyncio.run(run(target(values).plan(), EgressGuard(EgressPolicy()), total_ms=1000))

    # then
    failed = report.steps[0]
    assert (report.code, failed.detail) == ("egress_blocked", "option")
    assert failed.field_pointer == pointer


@pytest.mark.parametrize(
    "values",
    [{"user": "a\0b"}, {"user": "x" * 300}, {"database": "a\nb"}, {"host": "not a host"}],
)
def test_a_value_that_can_not_be_sent_is_the_customers_to_correct(values: dict[str, Any]) -> None:
    [problem] = target(values).plan().problems
    assert (problem.code, problem.detail) == ("config_invalid", None)
    assert problem.pointer == f"/variables/{next(iter(values))}"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"host": "/var/run/postgresql"}, "host"),
        ({"port": "5432"}, "port"),
        ({"user": ""}, "user"),
        ({"user": "{{secrets.password}}"}, "user"),
        ({"database": None}, "database"),
        ({"password": "in the manifest"}, "password"),
        ({"password": "{{variables.user}}"}, "password"),
        ({"tls": "prefer"}, "tls"),
        ({"tls": "disable"}, "tls"),
        ({"tls": "{{variables.unknown}}"}, "tls"),
        ({"tls": "{{secrets.password}}"}, "tls"),
        ({"tls": "verify-ca"}, "authorities"),
        ({"authentication": []}, "authentication"),
        ({"authentication": ["gss"]}, "authentication"),
        ({"channelBinding": "maybe"}, "channelBinding"),
        ({"tls": "require", "authentication": ["md5", "password"]}, "authentication"),
        ({"channelBinding": "require", "authentication": ["md5"]}, "channelBinding"),
        ({"clientKey": "{{secrets.password}}"}, "clientCertificate"),
        ({"statement": "DELETE FROM invoices"}, "statement"),
        ({"statement": "SELECT 1; DROP TABLE invoices"}, "statement"),
        ({"statement": "COPY invoices TO PROGRAM 'sh'"}, "statement"),
        ({"statement": "SELECT 1 -- " + "x" * 1000}, "statement"),
        ({"statement": 1}, "statement"),
        ({"options": {"sslkey": "/var/task/k.pem"}}, "options/sslkey"),
        ({"options": {"service": "x"}}, "options/service"),
        ({"options": {"role": "postgres"}}, "options/role"),
        ({"options": {"search_path": 1}}, "options/search_path"),
        ({"options": "search_path=x"}, "options"),
        ({"sslmode": "disable"}, "sslmode"),
        ({"passfile": "/proc/self/environ"}, "passfile"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    checked = target(**changes)
    problems = Recipe(checked.manifest, {"type": "none"}, SCHEMA).problems
    assert [problem.pointer for problem in problems] == [f"/manifest/checks/steps/0/{pointer}"]


def test_a_good_step_has_no_problems() -> None:
    checked = target(
        statement="  select count(*)\nfrom invoices ;", options={"search_path": "a"}, tls="require"
    )
    assert Recipe(checked.manifest, {"type": "none"}, SCHEMA).problems == ()


def test_secrets_are_bound_to_server_user_and_verification() -> None:
    def place(values: dict[str, Any] | None = None, **changes: Any) -> str:
        return (
            target(**changes)
            .recipe.steps[0]
            .template.destination(Values(VALUES | (values or {}), {}))
        )

    assert place({"host": "DB.example.net."}) == place()
    assert place({"host": "evil.example.net"}) != place()
    assert place({"user": "other"}) != place()
    assert place(port=5433) != place()
    assert place(tls="require") != place()


ALLOWLIST = 'no pg_hba.conf entry for host "192.0.2.1", user "app", database "app", no encryption'
MEANINGS = [
    ("28000", ALLOWLIST, "address_not_allowed", None),
    ("28000", 'role "app" is not permitted to log in', "auth_invalid", "user"),
    ("28P01", 'password authentication failed for user "app"', "auth_invalid", "password"),
    ("3D000", 'database "app" does not exist', "config_invalid", "database"),
    ("3F000", 'schema "billing" does not exist', "config_invalid", "database"),
    ("42P01", 'relation "invoices" does not exist', "config_invalid", "database"),
    ("42703", 'column "id" does not exist', "config_invalid", "database"),
    ("42501", "permission denied for table invoices", "permission_denied", None),
    ("42601", 'syntax error at or near "FORM"', "request_rejected", None),
    ("25006", "cannot execute INSERT in a read-only transaction", "request_rejected", None),
    ("XX000", "Tenant or user not found", "auth_invalid", "user"),
    ("XX000", "Endpoint ID is not specified. Either …", "config_invalid", "host"),
    ("08P01", "no such database: app", "config_invalid", "database"),
    ("08P01", "no such user: app", "auth_invalid", "user"),
    ("08P01", "server login failed: FATAL", "auth_invalid", None),
    ("53300", "sorry, too many clients already", "provider_error", None),
    ("XX000", "could not open file", "provider_error", None),
]


@pytest.mark.parametrize(("state", "words", "code", "field"), MEANINGS)
def test_servers_and_poolers_are_understood(
    state: str, words: str, code: str, field: str | None
) -> None:
    # given an error as it is sent
    body = f"SFATAL\0C{state}\0M{words}\0\0".encode()

    # when
    meaning = meaning_of(*read_error(body))

    # then what it means is said in words of ours
    assert (meaning.code, meaning.field) == (code, field)
    assert words not in meaning.text
    assert describe(meaning.code).retryable == (code == "provider_error")


@pytest.mark.enable_socket
def test_what_poolers_go_by_and_settings_are_in_the_startup_message(authority: Authority) -> None:
    # given a server that keeps the startup message
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.write(error("28P01"))

    # when
    report_of(
        authority,
        over_tls(authority, talk),
        options={
            "search_path": "billing",
            "endpoint": "{{variables.user}}",
            "cluster": "acme-1",
            "options": "-c geqo={{variables.user}}",
        },
        values={"user": "a -c b\\c"},
    )
    report_of(
        authority,
        over_tls(authority, talk),
        options={"options": "{{variables.user}}"},
        values={"user": "-c geqo=off"},
    )

    # then a value can't begin another option, unless it is all of them
    first, second = (dict(zip(*[iter(one[8:].split(b"\0"))] * 2, strict=False)) for one in heard)
    assert first[b"search_path"] == b"billing"
    assert first[b"options"] == (rb"endpoint=a\ -c\ b\\c --cluster=acme-1 -c geqo=a\ -c\ b\\c")
    assert second[b"options"] == b"-c geqo=off"


@pytest.mark.parametrize(
    ("mode", "ca", "expected"),
    [
        ("verify-full", "", "full"),
        ("verify-full", "PEM", "full"),
        ("verify-ca", "PEM", "authority"),
        ("require", "PEM", "authority"),
        ("require", "", "nothing"),
        ("verify-ca", "", "/variables/ca"),
        ("prefer", "", "/variables/mode"),
        ("", "", "/variables/mode"),
    ],
)
def test_a_mode_of_libpq_may_be_the_customers_choice(
    authority: Authority, mode: str, ca: str, expected: str
) -> None:
    # given a step whose mode and authority are variables
    schema = {"properties": SCHEMA["properties"] | {"mode": {}, "ca": {}}}
    given = step(tls="{{variables.mode}}", authorities="{{variables.ca}}")
    manifest = {
        "secretsSchema": {"properties": {"password": {}}},
        "checks": {"steps": [given]},
    }
    values = VALUES | {"mode": mode, "ca": authority.pem if ca else ""}

    # when
    plan = Recipe(manifest, {"type": "none"}, schema).plan(values, {"password": PASSWORD})

    # then
    if expected.startswith("/"):
        assert [problem.pointer for problem in plan.problems] == [expected]
    else:
        assert plan.problems == ()
        assert plan.steps[0].compiled.probe.tls.verify == expected  # type: ignore[attr-defined]


@pytest.mark.enable_socket
@pytest.mark.parametrize(("name", "code"), [(HOST, "auth_invalid"), ("x.example.net", None)])
def test_verify_ca_does_not_look_at_the_name(
    authority: Authority, name: str, code: str | None
) -> None:
    # given a server whose certificate is of a private authority
    async def test(mode: str, port: int) -> CheckReport:
        schema = {"properties": SCHEMA["properties"] | {"ca": {}}}
        given = step(tls=mode, authorities="{{variables.ca}}", port=port)
        manifest = {
            "secretsSchema": {"properties": {"password": {}}},
            "checks": {"steps": [given]},
        }
        recipe = Recipe(manifest, {"type": "none"}, schema)
        plan = recipe.plan(VALUES | {"host": name, "ca": authority.pem}, {"password": PASSWORD})
        guard = EgressGuard(
            EgressPolicy.parse(f"127.0.0.1/32:{port}"),
            resolver=FakeResolver({name: [["127.0.0.1"]]}),
        )
        return await run(plan, guard, total_ms=PATIENT_MS)

    async def both() -> tuple[CheckReport, CheckReport]:
        async with serving(over_tls(authority, saying(error("28P01")))) as port:
            return await test("verify-full", port), await test("verify-ca", port)

    # when
    full, by_authority = asyncio.run(both())

    # then
    assert full.code == (code or "certificate_name_mismatch")
    assert by_authority.code == "auth_invalid"


@pytest.mark.enable_socket
def test_channel_binding_can_be_required(authority: Authority) -> None:
    # given a server that offers none, as behind a proxy that ends TLS
    assert (
        report_of(authority, over_tls(authority, saying(SASL)), channelBinding="require").code
        == "authentication_too_weak"
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("keine pg_hba.conf-Eintrag für Host »192.0.2.1«", "address_not_allowed"),
        ("aucune entrée dans pg_hba.conf pour l'hôte « 192.0.2.1 »", "address_not_allowed"),
    ],
)
def test_an_allowlist_is_understood_in_any_language(words: str, code: str) -> None:
    assert meaning_of("28000", words).code == code
