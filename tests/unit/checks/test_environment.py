"""TLS, connections and what of the environment must not matter: the `env` rows of the corpus."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.tls import VERIFIED, new_context
from tests.unit.checks.doubles import (
    PATIENT_MS,
    FakeResolver,
    answering,
    guard_for,
    http_response,
    run_test,
    serving,
    step_for,
    target_for,
)
from tests.unit.egress.certificates import Authority

pytestmark = pytest.mark.enable_socket

HOST = "api.example.net"


async def tls_report(server: ssl.SSLContext, client: ssl.SSLContext) -> CheckReport:
    """The report of a test that calls `api.example.net`, which is a server with this context."""
    async with serving(answering(http_response("200 OK")), tls=server) as port:
        guard = EgressGuard(
            EgressPolicy.parse(f"127.0.0.1/32:{port}"),
            resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
            tls_context=client,
        )
        step = step_for(port)
        step["request"] = {"url": f"https://{HOST}:{port}/"}
        return await run_test(target_for(step), guard)


def test_a_certificate_of_the_name_passes_at_a_vetted_address(
    authority: Authority,
) -> None:
    # when
    report = asyncio.run(tls_report(authority.server_context(HOST), authority.client_context()))

    # then all four parts of the connection were needed and passed
    assert report.verified
    passed = [step.name for step in report.steps if step.status == "passed"]
    assert passed == ["config", "secrets", "egress", "dns", "tcp", "tls", "whoami"]


@pytest.mark.parametrize(
    ("certificate", "code", "words"),
    [
        ({"host": "other.example.net"}, "certificate_name_mismatch", "for another host name"),
        ({"host": "127.0.0.1"}, "certificate_name_mismatch", "for another host name"),
        ({"host": HOST, "self_signed": True}, "certificate_self_signed", "is self-signed"),
        (
            {"host": HOST, "valid_for": timedelta(days=-1)},
            "certificate_expired",
            "has expired",
        ),
    ],
    ids=["M04", "M04-address", "M05", "M06"],
)
def test_a_certificate_that_is_not_good_fails_the_tls_gate(
    authority: Authority, certificate: dict[str, Any], code: str, words: str
) -> None:
    # when
    server = authority.server_context(**certificate)
    report = asyncio.run(tls_report(server, authority.client_context()))

    # then
    failed = next(step for step in report.steps if step.status == "failed")
    assert (report.code, failed.name, report.retryable) == (code, "tls", False)
    assert words in failed.summary


def test_an_unknown_authority_is_not_trusted(authority: Authority) -> None:
    report = asyncio.run(tls_report(authority.server_context(HOST), new_context(VERIFIED)))
    assert report.code == "certificate_chain_incomplete"


def test_plain_http_on_a_tls_port_is_a_tls_error() -> None:
    # given
    async def test() -> CheckReport:
        async with serving(_answer_anything) as port:
            step = step_for(port)
            step["request"] = {"url": f"https://127.0.0.1:{port}/"}
            return await run_test(target_for(step), guard_for(port))

    # when, then
    assert asyncio.run(test()).code == "tls_error"


async def _answer_anything(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(http_response("400 Bad Request"))


def test_tls_keys_are_never_logged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # given M02: an environment that asks for it, and a bundle that is none
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle"))

    # when
    context = new_context(VERIFIED)

    # then
    assert context.keylog_filename is None
    assert not (tmp_path / "keys").exists()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_proxies_and_netrc_of_the_environment_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # given M03: credentials for the host in a netrc, and a proxy that is not there
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ambient password ambient\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    seen: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http_response("200 OK"))

    async def test() -> CheckReport:
        async with serving(handler) as port:
            return await run_test(target_for(step_for(port, auth=False)), guard_for(port))

    # when
    report = asyncio.run(test())

    # then
    assert report.passed
    assert seen[0].startswith(b"GET /me HTTP/1.1\r\n")
    assert b"Authorization" not in seen[0]


def test_no_connection_is_used_twice() -> None:
    # given M08: a server that would keep its connections open
    connections: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(http_response("200 OK", b"", "Connection: keep-alive"))

    async def test() -> None:
        async with serving(handler) as port:
            steps = [step_for(port), {**step_for(port), "name": "second"}]
            plan, guard = target_for(*steps).plan(), guard_for(port)
            for _ in range(2):
                assert (await run(plan, guard, total_ms=PATIENT_MS)).passed

    # when
    asyncio.run(test())

    # then
    assert len(connections) == 4


def test_the_next_address_is_tried_when_one_refuses() -> None:
    # given a name with two addresses, one of which has no listener
    async def test() -> None:
        async with serving(answering(http_response("200 OK"))) as port:
            guard = EgressGuard(
                EgressPolicy.parse(f"127.0.0.0/8:{port}"),
                resolver=FakeResolver({HOST: [["127.0.0.2", "127.0.0.1"]]}),
            )
            vetted = await guard.vet(HOST, port, "http")
            deadline = asyncio.get_running_loop().time() + 30
            stream = await guard.connect(vetted, deadline=deadline)
            assert stream.peer == "127.0.0.1"
            stream.close()

    asyncio.run(test())


def test_a_dial_with_no_time_left_is_a_timeout() -> None:
    async def test() -> None:
        guard = guard_for(9)
        vetted = await guard.vet("127.0.0.1", 9, "http")
        with pytest.raises(DialFailure) as failed:
            await guard.connect(vetted, deadline=asyncio.get_running_loop().time() - 1)
        assert failed.value.code in {"connect_timeout", "connection_refused"}

    asyncio.run(test())
