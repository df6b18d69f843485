"""Private authorities and client certificates, from the fields of an endpoint to the handshake."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from tests.unit.checks.doubles import (
    Handler,
    answering,
    guard_for,
    handshaking,
    http_response,
    serving,
)
from tests.unit.egress.certificates import Authority

pytestmark = pytest.mark.enable_socket

STEP = {
    "name": "whoami",
    "kind": "http",
    "authorities": "{{variables.ca}}",
    "clientCertificate": "{{secrets.certificate}}",
    "clientKey": "{{secrets.key}}",
}


def recipe(step: dict[str, Any], port: int = 443) -> Recipe:
    where: dict[str, Any] = {"request": {"url": f"https://127.0.0.1:{port}/"}}
    if step["kind"] == "tls":
        where = {"port": port}
    secrets: dict[str, Any] = {"properties": {"certificate": {}, "key": {}}}
    return Recipe(
        {"secretsSchema": secrets, "checks": {"steps": [{**where, **step}]}},
        {"type": "none"},
        {"properties": {"ca": {"type": "string"}}},
    )


def report_on(
    server: ssl.SSLContext, variables: dict[str, str], secrets: dict[str, str]
) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(answering(http_response("200 OK")), tls=server) as port:
            plan = recipe(STEP, port).plan(variables, secrets)
            return await run(plan, guard_for(port), total_ms=20_000)

    return asyncio.run(test())


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_server_of_a_private_authority_is_trusted_with_it_alone(authority: Authority) -> None:
    server = authority.server_context("127.0.0.1")

    assert report_on(server, {"ca": authority.pem}, {}).passed
    assert report_on(server, {}, {}).code == "certificate_chain_incomplete"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_gets_the_client_certificate_that_it_asks_for(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    # given
    server = authority.server_context("127.0.0.1")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=authority.pem)
    server.minimum_version = server.maximum_version = version
    certificate, key = authority.issue("client.example.com")
    variables = {"ca": authority.pem}

    # when
    report = report_on(server, variables, {"certificate": certificate, "key": key})

    # then
    assert report.passed, report.message


async def _hang_up_without_a_word(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """A server of asyncio does not get here: it sends no alert, and ends the connection."""


def asking(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    server = authority.server_context("127.0.0.1")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=authority.pem)
    server.minimum_version = server.maximum_version = version
    return server


HTTP = STEP
TLS = {**STEP, "kind": "tls", "host": "127.0.0.1"}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("step", [HTTP, TLS], ids=["http", "tls"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("has_certificate", "code", "words"),
    [
        (False, "client_certificate_required", "asks for a client certificate"),
        (True, "client_certificate_refused", "does not accept the client certificate"),
    ],
)
def test_a_server_without_a_certificate_that_it_accepts_says_so(
    authority: Authority,
    tmp_path: Path,
    version: ssl.TLSVersion,
    step: dict[str, Any],
    has_certificate: bool,
    code: str,
    words: str,
) -> None:
    # given a server that asks for one, and one of an authority that it does not know
    certificate, key = Authority(tmp_path, "Another").issue("client.example.com")
    secrets = {"certificate": certificate, "key": key} if has_certificate else {}

    # when
    report = certificate_report(step, handshaking(asking(authority, version)), authority, secrets)

    # then
    assert report.code == code, report.message
    assert words in report.message
    failed = next(one for one in report.steps if one.status == "failed")
    assert failed.field_pointer == "/secrets/certificate"


def certificate_report(
    step: dict[str, Any],
    handler: Handler,
    authority: Authority,
    secrets: dict[str, str],
    tls: ssl.SSLContext | None = None,
) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler, tls=tls) as port:
            plan = recipe(step, port).plan({"ca": authority.pem}, secrets)
            return await run(plan, guard_for(port), total_ms=20_000)

    return asyncio.run(test())


def test_a_server_that_ends_the_connection_because_it_gets_no_certificate(
    authority: Authority,
) -> None:
    # given one that sends no alert
    server = asking(authority, ssl.TLSVersion.TLSv1_2)

    # when
    report = certificate_report(HTTP, _hang_up_without_a_word, authority, {}, tls=server)

    # then
    assert report.code == "client_certificate_required"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_that_is_asked_for_and_not_needed_fails_nothing(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    server = asking(authority, version)
    server.verify_mode = ssl.CERT_OPTIONAL

    assert certificate_report(TLS, handshaking(server), authority, {}).passed


def test_a_fault_before_the_server_asks_is_none_of_the_certificate(authority: Authority) -> None:
    # given a server with which no cipher is shared
    server = asking(authority, ssl.TLSVersion.TLSv1_2)
    server.set_ciphers("AES128-SHA")

    # when
    report = certificate_report(HTTP, handshaking(server), authority, {})

    # then
    assert report.code == "tls_error"


@pytest.mark.parametrize(
    ("variables", "secrets", "pointer"),
    [
        ({"ca": "nonsense"}, {}, "/variables/ca"),
        ({}, {"certificate": "nonsense", "key": "nonsense"}, "/secrets/certificate"),
        ({}, {"certificate": "nonsense"}, "/secrets/key"),
        ({}, {"key": "nonsense"}, "/secrets/certificate"),
        ({"ca": "x" * 70_000}, {}, "/variables/ca"),
    ],
)
def test_what_is_not_pem_is_the_fault_of_its_field(
    variables: dict[str, str], secrets: dict[str, str], pointer: str
) -> None:
    [problem] = recipe(STEP).plan(variables, secrets).problems

    assert problem.pointer == pointer


def test_another_authority_is_another_binding(authority: Authority, tmp_path: Path) -> None:
    rule = recipe(STEP)
    other = Authority(tmp_path).pem

    bindings = [
        rule.binding("int_1", variables)["destination"]
        for variables in ({}, {"ca": authority.pem}, {"ca": other})
    ]

    assert len({str(binding) for binding in bindings}) == 3
    assert rule.binding("int_1", {"ca": other})["destination"] == bindings[2]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"authorities": "-----BEGIN CERTIFICATE-----"}, "authorities"),
        ({"authorities": "{{secrets.certificate}}"}, "authorities"),
        ({"clientKey": "{{variables.ca}}"}, "clientKey"),
        ({"clientCertificate": "a {{secrets.certificate}}"}, "clientCertificate"),
    ],
)
def test_members_are_one_placeholder_of_the_right_kind(
    changes: dict[str, str], pointer: str
) -> None:
    [problem] = recipe({**STEP, **changes}).problems

    assert problem.pointer == f"/manifest/checks/steps/0/{pointer}"


@pytest.mark.parametrize("missing", ["clientCertificate", "clientKey"])
def test_a_certificate_and_its_key_come_together(missing: str) -> None:
    step = {name: value for name, value in STEP.items() if name != missing}
    [problem] = recipe(step).problems

    assert problem.pointer == f"/manifest/checks/steps/0/{missing}"
