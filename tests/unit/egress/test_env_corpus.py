"""The rows of the corpus about the surroundings: environment, certificates, ourselves."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from patchbay.checks.recipe import Recipe
from patchbay.checks.report import CheckReport
from patchbay.egress.failures import DialFailure
from patchbay.egress.guard import EgressGuard
from patchbay.egress.policy import EgressPolicy
from patchbay.egress.tls import VERIFIED, new_context
from patchbay.egress.url import parse_url
from tests.unit.checks.doubles import (
    FakeResolver,
    http_response,
    run_test,
    serving,
    step_for,
    target_for,
)
from tests.unit.egress.certificates import Authority
from tests.unit.egress.corpus import rows

pytestmark = pytest.mark.enable_socket

HOST, NEIGHBOR = "api.example.net", "b.example.net"
AMBIENT = "ambient-secret"


class Surroundings:
    """A server with a certificate, and what it was sent, by host."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.environment = environment
        self.authority = Authority(folder)
        self.heard: list[tuple[str, int]] = []
        self.connections = 0

    def report(self, *hosts: str, server: ssl.SSLContext | None = None) -> CheckReport:
        """The report of a test with a step for each host; they all live at one address."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            number = self.connections
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heard.append((head.decode(), number))
                writer.write(http_response("200 OK", b"", "Connection: keep-alive"))

        async def test() -> CheckReport:
            async with serving(
                handler, tls=server or self.authority.server_context(hosts[0])
            ) as port:
                guard = EgressGuard(
                    EgressPolicy.parse(f"127.0.0.1/32:{port}"),
                    resolver=FakeResolver({host: [["127.0.0.1"]] for host in hosts}),
                    tls_context=self.authority.client_context(),
                )
                steps = [
                    {**step_for(port), "name": host, "request": {"url": f"https://{host}:{port}/"}}
                    for host in hosts
                ]
                return await run_test(target_for(*steps), guard)

        return asyncio.run(test())

    def tls_verdict(self, server: ssl.SSLContext) -> str:
        report = self.report(HOST, server=server)
        [failed] = [step for step in report.steps if step.status == "failed"]
        return f"fail:{failed.name}"

    # ---- one method a row

    def ambient_tls(self, _: dict[str, str]) -> str:
        keys = self.folder / "keys"
        self.environment.setenv("SSLKEYLOGFILE", str(keys))
        self.environment.setenv("REQUESTS_CA_BUNDLE", str(self.folder / "no bundle"))
        report = self.report(HOST)
        assert new_context(VERIFIED).keylog_filename is None
        return "allow:direct" if report.passed and not keys.exists() else "ambient"

    def netrc(self, _: dict[str, str]) -> str:
        netrc = self.folder / ".netrc"
        netrc.write_text(f"machine {HOST} login ambient password {AMBIENT}\n")
        self.environment.setenv("HOME", str(self.folder))
        self.environment.setenv("NETRC", str(netrc))
        report = self.report(HOST)
        return "allow:direct" if report.passed and AMBIENT not in str(self.heard) else "ambient"

    def other_name(self, _: dict[str, str]) -> str:
        return self.tls_verdict(self.authority.server_context("other.example"))

    def self_signed(self, _: dict[str, str]) -> str:
        return self.tls_verdict(self.authority.server_context(HOST, self_signed=True))

    def expired(self, _: dict[str, str]) -> str:
        context = self.authority.server_context(HOST, valid_for=timedelta(days=-1))
        return self.tls_verdict(context)

    def two_hosts(self, _: dict[str, str]) -> str:
        # The first host's certificate is not the second's, whose handshake must therefore fail.
        report = self.report(HOST, NEIGHBOR)
        assert [step.code for step in report.steps if step.name == NEIGHBOR] == [
            "certificate_name_mismatch"
        ]
        return "no-reuse" if len(self.heard) == 1 else "reuse"

    def own_api(self, _: dict[str, str]) -> str:
        own = "abc123.execute-api.eu-west-1.amazonaws.com"
        guard = EgressGuard(EgressPolicy(), resolver=FakeResolver({own: [["52.1.2.3"]]}))
        assert name_verdict(f"https://{own}/", guard) == "allow"
        return name_verdict(f"https://{own.upper()}./v1", guard.excluding([own]))

    def secrets_extension(self, target: dict[str, str]) -> str:
        policy = EgressPolicy.parse("127.0.0.0/8:1-65535")
        return name_verdict(target["self"], EgressGuard(policy, resolver=FakeResolver({})))

    def proxy(self, _: dict[str, str]) -> str:
        url = {"url": "https://api.example.com/"}
        for request in (
            {**url, "proxy": "http://a.example.net:3128"},
            {**url, "method": "CONNECT"},
        ):
            steps = [{"name": "a", "kind": "http", "request": request}]
            if not Recipe({"checks": {"steps": steps}}, {}, {}).problems:
                return "allow"
        return "deny:option"


def name_verdict(url: str, guard: EgressGuard) -> str:
    target = parse_url(url)
    try:
        asyncio.run(guard.vet(target.host, target.port, "http"))
    except DialFailure as failure:
        return f"deny:{failure.detail}"
    return "allow"


VERDICTS: dict[str, Callable[[Surroundings, dict[str, str]], str]] = {
    "M02": Surroundings.ambient_tls,
    "M03": Surroundings.netrc,
    "M04": Surroundings.other_name,
    "M05": Surroundings.self_signed,
    "M06": Surroundings.expired,
    "M08": Surroundings.two_hosts,
    "M09": Surroundings.own_api,
    "M11": Surroundings.secrets_extension,
    "M12": Surroundings.proxy,
}


@rows("env")
def test_the_surroundings_do_not_matter(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    surroundings = Surroundings(tmp_path, monkeypatch)
    assert VERDICTS[row["id"]](surroundings, row["target"]) == row["expected"], row["why"]


def test_names_that_become_known_later_are_refused_with_those_known_before() -> None:
    # given a guard that knows one name of ours
    resolver = FakeResolver({"api.acme.com": [["52.1.2.3"]], "www.acme.com": [["52.1.2.3"]]})
    policy = EgressPolicy().excluding(["old.example.net"])
    guard = EgressGuard(policy, resolver=resolver).excluding(["API.acme.com.", ""])

    # when, then
    assert name_verdict("https://api.acme.com/", guard) == "deny:name"
    assert name_verdict("https://v1.api.acme.com/", guard) == "deny:name"
    assert name_verdict("https://old.example.net/", guard) == "deny:name"
    assert name_verdict("https://www.acme.com/", guard) == "allow"
