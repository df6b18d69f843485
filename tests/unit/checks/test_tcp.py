"""The kind tcp: something listens, and no more is claimed than that."""

import asyncio
import socket
from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import PATIENT_MS, Handler, in_time, serving
from tests.unit.checks.targets import CheckTarget

SCHEMA: dict[str, Any] = {
    "properties": {
        "host": {"type": "string", "format": "hostname"},
        "name": {"type": "string"},
        "port": {"type": "integer", "default": 5432},
    }
}


def manifest(**step: Any) -> dict[str, Any]:
    return {"checks": {"steps": [{"name": "reachable", "kind": "tcp", **step}]}}


def report_on(port: object, policy: str = "127.0.0.1/32:1024-65535") -> CheckReport:
    target = CheckTarget(
        manifest(host="{{variables.host}}", port="{{variables.port}}"),
        {"type": "none"},
        SCHEMA,
        {"host": "127.0.0.1", "port": port},
        {},
    )
    guard = EgressGuard(EgressPolicy.parse(policy))
    return asyncio.run(run(target.plan(), guard, total_ms=PATIENT_MS))


@pytest.mark.enable_socket
def test_a_listening_server_passes_but_proves_no_access() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        report = report_on(server.getsockname()[1])
    assert report.passed
    # There was no credential to prove: the integration asks for none
    assert report.steps[-1].summary == "The server accepts connections."
    assert not report.verified
    assert report.message != "Connection test passed"


@pytest.mark.enable_socket
def test_a_closed_port_is_refused_at_the_tcp_gate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    report = report_on(port)
    assert report.code == "connection_refused"
    [failed] = [step for step in report.steps if step.status == "failed"]
    assert (failed.name, failed.field_pointer) == ("tcp", "/variables/host")


def test_only_the_ports_of_its_services_are_dialed_on_the_internet() -> None:
    for port in (22, 25, 80, 6379):
        target = CheckTarget(manifest(host="93.184.216.34", port=port), {}, {}, {}, {})
        guard = EgressGuard(EgressPolicy())
        report = asyncio.run(run(target.plan(), guard, total_ms=PATIENT_MS))
        assert report.code == "egress_blocked", port


@pytest.mark.parametrize("port", [0, 65536, "5432", True, 5432.0, None])
def test_a_port_that_is_none_is_the_customers_to_correct(port: object) -> None:
    report = report_on(port)
    assert report.category == "config"
    assert report.steps[0].field_pointer == "/variables/port"


@pytest.mark.parametrize(
    ("step", "pointer"),
    [
        ({"port": 5432}, "host"),
        ({"host": "db.example.com"}, "port"),
        ({"host": "db.example.com", "port": 0}, "port"),
        ({"host": "db.example.com", "port": "5432"}, "port"),
        ({"host": "db.example.com", "port": "{{secrets.port}}"}, "port"),
        ({"host": "db.example.com", "port": "1{{variables.port}}"}, "port"),
        ({"host": "{{variables.name}}", "port": 5432}, "host"),
        ({"host": "http://db.example.com", "port": 5432}, "host"),
        ({"host": "db.example.com", "port": 5432, "auth": False}, "auth"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(step: dict[str, Any], pointer: str) -> None:
    problems = Recipe(manifest(**step), {"type": "none"}, SCHEMA).problems
    assert [problem.pointer for problem in problems] == [f"/manifest/checks/steps/0/{pointer}"]


def banner_report(
    handler: Handler, total_ms: int = PATIENT_MS, banner: str = "220 mail"
) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler) as port:
            target = CheckTarget(
                manifest(host="127.0.0.1", port=port, banner=banner), {}, {}, {}, {}
            )
            guard = EgressGuard(EgressPolicy.parse(f"127.0.0.1/32:{port}"))
            return await run(target.plan(), guard, total_ms=total_ms)

    return asyncio.run(test())


def greeting(text: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)

    return handler


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 10_000)
        await writer.drain()


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (greeting(b"220 mail.example.net ESMTP\r\n"), None),
        (greeting(b"SSH-2.0-OpenSSH_9.6\r\n"), "unexpected_response"),
        (greeting(b"220 m"), "connection_reset"),
        (silent, "provider_timeout"),
        (flood, "unexpected_response"),
    ],
)
def test_a_banner_is_how_the_server_must_begin(handler: Handler, code: str | None) -> None:
    total_ms = 400 if code == "provider_timeout" else PATIENT_MS
    report = in_time(total_ms + 500, lambda: banner_report(handler, total_ms))
    assert report.code == code
    assert "SSH" not in report.model_dump_json()


@pytest.mark.parametrize("banner", [1, "", "x" * 129, "a\r\n", "é", None])
def test_a_banner_is_short_plain_text(banner: object) -> None:
    step = {"host": "db.example.com", "port": 5432, "banner": banner}
    problems = Recipe(manifest(**step), {"type": "none"}, SCHEMA).problems
    assert [problem.pointer for problem in problems] == ["/manifest/checks/steps/0/banner"]


def test_a_good_step_has_no_problems() -> None:
    for step in (
        {"host": "{{variables.name}}.db.example.com", "port": 5432},
        {"host": "{{variables.host}}", "port": "{{variables.port}}"},
    ):
        assert Recipe(manifest(**step), {"type": "none"}, SCHEMA).problems == ()
