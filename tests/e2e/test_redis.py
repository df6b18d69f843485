"""The kind redis against the real server of Debian's package, with TLS."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from patchbay.checks.report import CheckReport
from tests.e2e.real_server import (
    HOST,
    code,
    folder_of,
    free_port,
    own,
    program,
    report_of,
    running,
    write_certificate,
)
from tests.unit.checks.situations import shown
from tests.unit.checks.test_document import BLOCKS, settled

USER = "redis"
PASSWORD = "right-pässword-4242"
WRONG = "wrong-secret-4242"
FOLDERS = ("usr/bin",)
USERS = f"""
requirepass {PASSWORD}
user app on >{PASSWORD} ~* &* +@all
user reader on >{PASSWORD} ~cached:* +@read +@connection
user retired off >{PASSWORD} ~* +@all
"""


@dataclass(frozen=True)
class Server:
    """A running server that belongs to these tests."""

    port: int
    authority: trustme.CA

    def report(
        self, user: str | None = None, password: str | None = PASSWORD, **step: Any
    ) -> CheckReport:
        """The report of a test with one redis step."""
        first = {"name": "cache", "kind": "redis", "host": HOST, "port": self.port}
        if user:
            first["user"] = "{{variables.user}}"
        if password:
            first["password"] = "{{secrets.password}}"
        return report_of(
            first | step,
            self.port,
            self.authority,
            {"user": user or "", "ca": self.authority.cert_pem.bytes().decode()},
            {"password": password or ""},
        )

    def open_report(self, **step: Any) -> CheckReport:
        """The same without TLS and without a password."""
        return self.report(password=None, tls="disable", **step)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def serving(
    authority: trustme.CA, settings: str = "", *, tls: bool = False, options: tuple[str, ...] = ()
) -> Iterator[Server]:
    port = free_port()
    with folder_of(USER) as folder:
        write_certificate(folder, authority.issue_cert(HOST))
        listen = f"port {port}"
        if tls:
            listen = (
                f"port 0\ntls-port {port}\ntls-auth-clients no\n"
                f"tls-cert-file {folder}/server.pem\ntls-key-file {folder}/server.key"
            )
        (folder / "redis.conf").write_text(
            f"bind 127.0.0.1\n{listen}\ndir {folder}\nsave ''\nlogfile {folder}/log\n{settings}\n"
        )
        own(USER, folder.iterdir())
        server: list[str | Path] = [
            program("redis-server", "redis-server", FOLDERS),
            folder / "redis.conf",
        ]
        with running([*server, *options], port, USER):
            yield Server(port, authority)


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> Iterator[Server]:
    with serving(authority, USERS, tls=True) as server:
        yield server


@pytest.fixture(scope="module")
def open_server(authority: trustme.CA) -> Iterator[Server]:
    with serving(authority) as server:
        yield server


@pytest.mark.parametrize("user", [None, "default", "app"])
def test_a_right_password_passes(server: Server, user: str | None) -> None:
    report = server.report(user)
    assert (report.passed, report.verified, report.code) == (True, True, None), report.message
    assert report.account == (user or "default")
    passed = {step.name for step in report.steps if step.status == "passed"}
    assert passed == {"config", "secrets", "egress", "dns", "tcp", "tls", "cache"}


@pytest.mark.parametrize("user", [None, "app", "nobody", "retired"])
def test_a_wrong_password_is_the_customers_to_correct(server: Server, user: str | None) -> None:
    report = server.report(user, WRONG)
    assert code(report) == ("auth_invalid", "/secrets/password")
    assert "username-password" not in report.model_dump_json()
    assert settled(shown(report)) == settled(BLOCKS["a wrong password for redis"])


def test_a_user_who_is_off_looks_like_a_wrong_password(server: Server) -> None:
    assert code(server.report("retired")) == ("auth_invalid", "/secrets/password")


def test_commands_read_what_is_there(server: Server) -> None:
    assert server.report(command=["DBSIZE"], expect={"reply": 0}, database=3).passed
    assert server.report(command=["exists", "a"], expect={"reply": {"below": 1}}).passed
    assert server.report(command=["TYPE", "a"], expect={"reply": "none"}).passed
    assert server.report("app", command=["ACL", "WHOAMI"], expect={"reply": "app"}).passed
    assert server.report(
        command=["INFO", "server"],
        expect={"info": {"redis_mode": "standalone", "uptime_in_seconds": {"atLeast": 0}}},
    ).passed


def test_a_reply_that_is_not_the_expected_one_is_said_so(server: Server) -> None:
    assert server.report(command=["DBSIZE"], expect={"reply": 1}).code == "unexpected_response"
    report = server.report(command=["INFO", "replication"], expect={"info": {"role": "slave"}})
    assert report.code == "unexpected_response"
    assert 'the field "role" of INFO' in report.message


def test_what_a_user_may_not_do_is_a_missing_permission(server: Server) -> None:
    assert server.report("reader", command=["EXISTS", "cached:a"]).verified
    assert code(server.report("reader", command=["EXISTS", "a"]))[0] == "permission_denied"
    assert code(server.report("reader", command=["DBSIZE"]))[0] is None
    assert code(server.report("reader", command=["INFO", "server"]))[0] == "permission_denied"


def test_a_database_that_is_not_there_is_the_customers_to_correct(server: Server) -> None:
    assert server.report(database=99).code == "config_invalid"


def test_a_certificate_is_verified_as_the_step_says(server: Server) -> None:
    # given the server by its address, for which its certificate is not
    own = {"authorities": "{{variables.ca}}", "host": "127.0.0.1"}
    assert server.report(**own).code == "certificate_name_mismatch"
    assert server.report(**own, tls="verify-ca").verified


def test_tls_where_there_is_none_and_none_where_there_is_are_told_apart(
    server: Server, open_server: Server
) -> None:
    report = open_server.report(timeoutMs=2000)
    assert report.code == "tls_error"
    assert "does not speak TLS on this port" in report.message
    report = server.open_report()
    assert report.code == "connection_reset"
    assert "as ports with TLS do" in report.message


def test_an_open_server_proves_nothing(open_server: Server) -> None:
    report = open_server.open_report(command=["DBSIZE"])
    assert (report.passed, report.verified) == (True, False)


def test_a_password_that_the_server_does_not_ask_for_is_not_taken(
    authority: trustme.CA,
) -> None:
    with serving(authority, tls=True) as server:
        report = server.report()
    assert code(report) == ("auth_invalid", "/secrets/password")
    assert "has no password" in report.message


def test_a_password_that_the_step_does_not_give_is_the_authors_to_add(server: Server) -> None:
    assert server.report(password=None).code == "request_rejected"


def test_a_replica_without_its_master_is_not_available(authority: trustme.CA) -> None:
    settings = f"replicaof 127.0.0.1 {free_port()}\nreplica-serve-stale-data no"
    with serving(authority, settings) as replica:
        report = replica.open_report(command=["EXISTS", "a"])
    assert (report.code, report.blame) == ("provider_error", "provider")


def test_a_cluster_that_is_down_is_told_from_a_wrong_database(authority: trustme.CA) -> None:
    with serving(authority, "cluster-enabled yes") as node:
        down = node.open_report(command=["EXISTS", "a"])
        no_database = node.open_report(database=1)
    assert (down.code, no_database.code) == ("provider_error", "config_invalid")


def test_a_full_server_is_the_servers_state(authority: trustme.CA) -> None:
    with serving(authority, "maxclients 2") as small, ExitStack() as others:
        held = 0
        while held < 2:
            sock = others.enter_context(socket.create_connection(("127.0.0.1", small.port)))
            sock.sendall(b"PING\r\n")
            held += sock.recv(7) == b"+PONG\r\n"
        report = small.open_report()
    assert (report.code, report.retryable) == ("provider_error", True)


def test_a_sentinel_is_a_warning(authority: trustme.CA) -> None:
    with serving(authority, options=("--sentinel",)) as sentinel:
        report = sentinel.open_report()
        data = sentinel.open_report(command=["DBSIZE"])
    assert report.passed
    assert [step.status for step in report.steps if step.name == "cache"] == ["warning"]
    assert data.code == "request_rejected"
