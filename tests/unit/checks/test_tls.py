"""The kind tls, and the warning before a certificate expires."""

import asyncio
import re
import ssl
from datetime import timedelta
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from patchbay.checks.certificate_expiry import WARN_DAYS, expiry_notice
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from tests.unit.checks.doubles import (
    PATIENT_MS,
    FakeResolver,
    Handler,
    answering,
    http_response,
    in_time,
    serving,
)
from tests.unit.checks.targets import CheckTarget
from tests.unit.egress.certificates import Authority

HOST = "api.example.net"
DAY = 86_400


def tls_step(**changes: Any) -> dict[str, Any]:
    return {"name": "certificate", "kind": "tls", "host": HOST, **changes}


def http_step(name: str = "whoami") -> dict[str, Any]:
    return {"name": name, "kind": "http"}


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


def report_on(
    steps: list[dict[str, Any]],
    server: ssl.SSLContext | None,
    client: ssl.SSLContext | None,
    handler: Handler = _hang_up,
    total_ms: int = PATIENT_MS,
) -> CheckReport:
    async def test() -> CheckReport:
        async with serving(handler, tls=server) as port:
            for step in steps:
                if step["kind"] == "http":
                    step["request"] = {"url": f"https://{HOST}:{port}/"}
                else:
                    step["port"] = port
            guard = EgressGuard(
                EgressPolicy.parse(f"127.0.0.1/32:{port}"),
                resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
                tls_context=client,
            )
            given = CheckTarget({"checks": {"steps": steps}}, {}, {}, {}, {})
            return await run(given.plan(), guard, total_ms=total_ms)

    return asyncio.run(test())


@pytest.mark.enable_socket
def test_a_good_certificate_passes_and_proves_no_access(authority: Authority) -> None:
    report = report_on([tls_step()], authority.server_context(HOST), authority.client_context())
    assert (report.passed, report.verified, report.code) == (True, False, None)
    assert report.steps[-1].summary == "TLS 1.3, with a certificate that is valid for the host."
    assert [step.status for step in report.steps] == ["passed"] * 7


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("certificate", "code", "words"),
    [
        ({"host": "other.example.net"}, "certificate_name_mismatch", "for another host name"),
        ({"host": HOST, "self_signed": True}, "certificate_self_signed", "is self-signed"),
        ({"host": HOST, "valid_for": timedelta(days=-1)}, "certificate_expired", "has expired"),
    ],
)
def test_name_chain_and_expiry_are_told_apart(
    authority: Authority, certificate: dict[str, Any], code: str, words: str
) -> None:
    server = authority.server_context(**certificate)
    report = report_on([tls_step()], server, authority.client_context())
    assert (report.code, report.steps[-1].skip_reason) == (code, "gate_failed")
    assert words in report.message


@pytest.mark.enable_socket
def test_an_authority_of_someone_else_is_not_trusted() -> None:
    # given a certificate of an unknown authority
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(server)

    # when, then
    report = report_on([tls_step()], server, None)
    assert report.code == "certificate_chain_incomplete"
    assert re.search(r'issuer, ".*trustme.*", is missing\.$', report.message)


@pytest.mark.enable_socket
@pytest.mark.parametrize(
    ("highest", "minimum", "words"),
    [
        (ssl.TLSVersion.TLSv1_2, "1.2", None),
        (ssl.TLSVersion.TLSv1_2, "1.3", "does not support TLS 1.3"),
        (ssl.TLSVersion.TLSv1_3, "1.3", None),
    ],
)
def test_the_version_must_be_the_asked_for_or_a_later_one(
    authority: Authority, highest: ssl.TLSVersion, minimum: str, words: str | None
) -> None:
    # given
    server = authority.server_context(HOST)
    server.maximum_version = highest

    # when
    step = tls_step(minimumVersion=minimum)
    report = report_on([step], server, authority.client_context())

    # then
    assert report.passed == (words is None)
    assert words is None or (report.code == "tls_version_unsupported" and words in report.message)


@pytest.mark.enable_socket
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_an_old_version_is_never_agreed_to(authority: Authority) -> None:
    # given a server that says why it hangs up, as asyncio's don't
    server = authority.server_context(HOST)
    server.set_ciphers("ALL:@SECLEVEL=0")
    server.minimum_version = server.maximum_version = ssl.TLSVersion.TLSv1_1

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = server.wrap_bio(heard, said, server_side=True)
        heard.write(await reader.read(16_384))
        with pytest.raises(ssl.SSLError):
            tls.do_handshake()
        writer.write(said.read())

    # when, then
    report = report_on([tls_step()], None, authority.client_context(), relay)
    assert report.code == "tls_version_unsupported"
    assert "does not support TLS 1.2 or later" in report.message


@pytest.mark.enable_socket
def test_a_server_that_hears_the_hello_and_says_nothing_is_a_slow_one() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    report = in_time(1100, lambda: report_on([tls_step()], None, None, silent, total_ms=600))
    assert report.code == "provider_timeout"


@pytest.mark.enable_socket
def test_a_certificate_that_ends_soon_is_a_warning_and_the_test_passes(
    authority: Authority,
) -> None:
    # given a certificate with 12 days left, and a little more
    server = authority.server_context(HOST, valid_for=timedelta(days=12, hours=1))

    # when
    report = report_on(
        [http_step(), http_step("second")],
        server,
        authority.client_context(),
        answering(http_response("200 OK")),
    )

    # then it is the gate's to say, once
    assert (report.passed, report.verified, report.code) == (True, True, None)
    warnings = [step for step in report.steps if step.status == "warning"]
    assert [step.name for step in warnings] == ["tls"]
    assert warnings[0].summary.endswith("The server's certificate expires in 12 days.")
    assert warnings[0].diagnosis is not None


@pytest.mark.parametrize(
    ("left", "when"),
    [
        (WARN_DAYS * DAY, None),
        (WARN_DAYS * DAY - 1, "in 20 days"),
        (2 * DAY, "in 2 days"),
        (DAY, "in 1 day"),
        (DAY - 1, "in less than a day"),
    ],
)
def test_the_days_that_are_left_are_whole_ones(left: int, when: str | None) -> None:
    notice = expiry_notice(1_000_000 + left, 1_000_000)
    assert (notice is None) == (when is None)
    assert notice is None or notice.summary == f"The server's certificate expires {when}."


@given(st.floats(0, 4e9), st.floats(0, 4e9))
def test_a_warning_is_given_exactly_below_twenty_one_days(end: float, now: float) -> None:
    assert (expiry_notice(end, now) is not None) == (end - now < 21 * DAY)


def test_only_ports_of_protocols_within_tls_are_dialled_on_the_internet() -> None:
    for port in (22, 23, 3389, 31_337):
        steps = [tls_step(host="93.184.216.34", port=port)]
        given = CheckTarget({"checks": {"steps": steps}}, {}, {}, {}, {})
        report = asyncio.run(run(given.plan(), EgressGuard(EgressPolicy()), total_ms=500))
        assert report.code == "egress_blocked", port


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"minimumVersion": "1.1"}, "minimumVersion"),
        ({"minimumVersion": 1.2}, "minimumVersion"),
        ({"host": "https://api.example.net"}, "host"),
        ({"port": "443"}, "port"),
        ({"verify": False}, "verify"),
        ({"ca": "x"}, "ca"),
    ],
)
def test_what_is_wrong_with_a_step_is_pointed_at(changes: dict[str, Any], pointer: str) -> None:
    problems = Recipe({"checks": {"steps": [tls_step(**changes)]}}, {}, {}).problems
    assert [problem.pointer for problem in problems] == [f"/manifest/checks/steps/0/{pointer}"]
