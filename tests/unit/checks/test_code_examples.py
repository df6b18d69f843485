"""The causes of codes in docs/checks.md, each reproduced on the loopback."""

import asyncio
import errno
import re
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from patchbay.checks.codes import Code
from patchbay.checks.plan import Plan, PlannedStep
from patchbay.checks.probe import Compiled, Outcome
from patchbay.checks.problems import PlanProblem
from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.checks.runner import run
from patchbay.checks.verdict import secrets_unavailable_report
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.monitors.own_network import offline_report
from tests.unit.checks import test_postgres
from tests.unit.checks.doubles import (
    PATIENT_MS,
    FakeResolver,
    Handler,
    answering,
    handshaking,
    http_response,
    serving,
)
from tests.unit.egress.certificates import Authority

pytestmark = pytest.mark.enable_socket

PAGE: Final = (Path(__file__).parents[3] / "docs/checks.md").read_text()
HOST: Final = "api.acme.example.net"
OK: Final = answering(http_response("200 OK", b"{}"))
SCHEMA: Final = {
    "properties": {"host": {"type": "string", "format": "hostname"}, "ca": {"type": "string"}},
    "required": ["host"],
}


class Provider:
    """A server on the loopback with its own authority, and an endpoint that leads to it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.other = Authority(folder, "Other authority")

    def report(
        self,
        handler: Handler = OK,
        *,
        variables: dict[str, Any] | None = None,
        secrets: dict[str, str] | None = None,
        server: ssl.SSLContext | None = None,
        plain: bool = False,
        port: int | None = None,
        request: dict[str, Any] | None = None,
        timeout_ms: int = PATIENT_MS,
        total_ms: int = PATIENT_MS,
        **step: Any,
    ) -> CheckReport:
        """The report of a test with one http step; the server speaks TLS unless `plain`."""
        tls = None if plain else server or self.authority.server_context(HOST)

        async def test() -> CheckReport:
            async with serving(handler, tls=tls) as listening:
                to = port or listening
                url = f"https://{{{{variables.host}}}}:{to}/"
                given = {
                    "name": "x",
                    "kind": "http",
                    "timeoutMs": timeout_ms,
                    "request": {"url": url} | (request or {}),
                }
                recipe = Recipe(
                    {
                        "checks": {"steps": [given | step]},
                        "secretsSchema": {"properties": {"certificate": {}, "key": {}}},
                    },
                    {"type": "oauth2"},
                    SCHEMA,
                )
                plan = recipe.plan(
                    {"host": HOST} if variables is None else variables,
                    {"access_token": "an-access-token"} if secrets is None else secrets,
                )
                guard = EgressGuard(
                    EgressPolicy.parse(f"127.0.0.1/32:{to}"),
                    resolver=FakeResolver({HOST: [["127.0.0.1"]]}),
                    tls_context=self.authority.client_context(),
                )
                return await run(plan, guard, total_ms=total_ms)

        return asyncio.run(test())

    def with_certificate(self, **certificate: Any) -> CheckReport:
        return self.report(server=self.authority.server_context(**{"host": HOST} | certificate))

    def with_old_tls(self) -> CheckReport:
        server = self.authority.server_context(HOST)
        server.set_ciphers("ALL:@SECLEVEL=0")
        server.minimum_version = server.maximum_version = ssl.TLSVersion.TLSv1_1
        return self.report(handshaking(server), plain=True)

    def asking_for_a_certificate(self, **more: Any) -> CheckReport:
        server = self.authority.server_context(HOST)
        server.verify_mode = ssl.CERT_REQUIRED
        server.minimum_version = ssl.TLSVersion.TLSv1_3
        server.load_verify_locations(cadata=self.authority.pem)
        return self.report(handshaking(server), plain=True, **more)

    def refusing_the_certificate(self) -> CheckReport:
        certificate, key = self.other.issue("client.example.com")
        return self.asking_for_a_certificate(
            variables={"host": HOST, "ca": self.authority.pem},
            secrets={"access_token": "x", "certificate": certificate, "key": key},
            authorities="{{variables.ca}}",
            clientCertificate="{{secrets.certificate}}",
            clientKey="{{secrets.key}}",
        )

    def not_permitted(self) -> CheckReport:
        problem = PlanProblem("/secret_ref", "names a secret", "secret_not_permitted")
        guard = EgressGuard(EgressPolicy(), resolver=FakeResolver({}))
        return asyncio.run(run(Plan(1000, problems=(problem,)), guard, total_ms=1000))

    def with_failing_dial(self, error: OSError) -> CheckReport:
        """With a dial that fails in a way that the loopback can't."""

        async def reach(*_: object) -> None:
            raise error

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("patchbay.egress.sockets.AsyncSocket.reach", reach)
            return self.report()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(http_response("400 Bad Request"))


class _Broken:
    async def run(self, *_: object, **__: object) -> Outcome:
        raise RuntimeError("a fault")


def _crash(_: Provider) -> CheckReport:
    step = PlannedStep("x", "gate", True, 1000, Compiled(_Broken(), True))
    guard = EgressGuard(EgressPolicy(), resolver=FakeResolver({}))
    plan = Plan(1000, steps=(step,), secret_values=())
    return asyncio.run(run(plan, guard, total_ms=1000))


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


GSSAPI: Final = test_postgres.message(b"R", b"\0\0\0\7")

CAUSES: Final[dict[str, Callable[[Provider], CheckReport]]] = {
    "the host is `acme..example.com`": lambda p: p.report(variables={"host": "acme..example.com"}),
    "the host is not filled in": lambda p: p.report(variables={}),
    "there is no access token": lambda p: p.report(secrets={}),
    "the secret in AWS Secrets Manager has no tag for this use": lambda p: p.not_permitted(),
    "the host's name does not exist": lambda p: p.report(variables={"host": "x.acme.example.net"}),
    "nothing listens on the port": lambda p: p.report(port=_closed_port()),
    "the server hangs up before it answers": lambda p: p.report(_hang_up),
    "there is no route to the host": lambda p: p.with_failing_dial(OSError(errno.ENETUNREACH, "")),
    "the host drops what is sent to it": lambda p: p.with_failing_dial(TimeoutError()),
    "the server answers a TLS handshake with HTTP": lambda p: p.report(_http, plain=True),
    "the server supports TLS 1.1 at most": Provider.with_old_tls,
    "PostgreSQL asks for a SCRAM proof of 4,095 iterations": lambda p: test_postgres.report_of(
        p.authority, test_postgres.asking_for_a_proof(p.authority, b"i=4095", [])
    ),
    "the certificate ended yesterday": lambda p: p.with_certificate(valid_for=timedelta(days=-1)),
    "the certificate begins tomorrow": lambda p: p.with_certificate(valid_in=timedelta(days=1)),
    "the chain ends at an unknown authority": lambda p: p.report(
        server=p.other.intermediate("Middle").server_context(HOST)
    ),
    "the certificate is signed with its own key": lambda p: p.with_certificate(self_signed=True),
    "the server does not send its intermediate certificate": lambda p: p.report(
        server=p.authority.intermediate("Middle").server_context(HOST, sends_chain=False)
    ),
    "the certificate is for another host": lambda p: p.with_certificate(host="other.example.net"),
    "the server asks for a client certificate in the TLS handshake": lambda p: (
        p.asking_for_a_certificate()
    ),
    "the server does not know the authority of the client certificate": (
        Provider.refusing_the_certificate
    ),
    "PostgreSQL asks for GSSAPI": lambda p: test_postgres.report_of(
        p.authority, test_postgres.over_tls(p.authority, test_postgres.saying(GSSAPI))
    ),
    "the host is `10.0.0.1`": lambda p: p.report(variables={"host": "10.0.0.1"}),
    "the server accepts the request and says nothing": lambda p: p.report(_silent, timeout_ms=300),
    "the server redirects to the same address again": lambda p: p.report(
        answering(http_response("302 Found", b"", "Location: /")), request={"redirects": 2}
    ),
    "the JSON that the step asks for is longer than 64 KiB": lambda p: p.report(
        answering(http_response("200 OK", b"[" + b"1," * 40_000 + b"1]")),
        expect={"json": {"/0": 1}},
    ),
    "the vault does not answer": lambda _: secrets_unavailable_report(),
    "the time of the test is over before its first step": lambda p: p.report(total_ms=0),
    "the target is unreachable, and so is the deployment's canary": lambda p: offline_report(
        p.report(port=_closed_port())
    ),
    "a fault in the platform's code": _crash,
}

ROWS: Final = PAGE.partition("| code | what makes it |")[2].partition("\n\n")[0]
CODES: Final = {
    cause: code for code, cause in re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", ROWS, re.MULTILINE)
}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_of_a_code_on_the_page_leads_to_it(cause: str, tmp_path: Path) -> None:
    report = CAUSES[cause](Provider(tmp_path))
    assert report.code == CODES[cause], report.message


def test_every_cause_on_the_page_is_reproduced() -> None:
    assert CODES.keys() == CAUSES.keys()


def test_every_code_has_an_answer_or_a_cause_on_the_page() -> None:
    answers = set(re.findall(r"^\| `(\w+)` \| `\d{3}`", PAGE, re.MULTILINE))
    assert answers | set(CODES.values()) == set(get_args(Code.__value__))
