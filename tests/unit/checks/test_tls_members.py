"""Private authorities and client certificates, from the fields of an endpoint to the handshake."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from tests.unit.checks.doubles import answering, guard_for, handshaking, http_response, serving
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
    url = {"url": f"https://127.0.0.1:{port}/"}
    secrets: dict[str, Any] = {"properties": {"certificate": {}, "key": {}}}
    return Recipe(
        {"secretsSchema": secrets, "checks": {"steps": [{"request": url, **step}]}},
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


def test_a_server_that_asks_for_a_client_certificate_says_so(authority: Authority) -> None:
    # given
    server = authority.server_context("127.0.0.1")
    server.verify_mode = ssl.CERT_REQUIRED
    server.minimum_version = ssl.TLSVersion.TLSv1_3

    async def test() -> CheckReport:
        async with serving(handshaking(server)) as port:
            plan = recipe(STEP, port).plan({"ca": authority.pem}, {})
            return await run(plan, guard_for(port), total_ms=20_000)

    # when
    report = asyncio.run(test())

    # then
    assert report.code == "client_certificate_required"
    assert "asks for a client certificate" in report.message


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
