"""The kind postgres against the real server of Debian's package, with TLS and SCRAM."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from patchbay.checks.report import CheckReport
from tests.e2e.real_server import (
    HOST,
    as_user,
    code,
    folder_of,
    free_port,
    own,
    program,
    report_of,
    running,
    write_certificate,
)
from tests.unit.checks.doubles import in_time

USER = "postgres"
FOLDERS = ("usr/lib/postgresql/*/bin",)
PASSWORD = "right-pässword-4242"
WRONG = "wrong-password-4242"
SERVER = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "log_min_messages": "fatal",
    "ssl_cert_file": "server.pem",
    "ssl_key_file": "server.key",
}
ACCESS = """
host all trusted all trust
host all clear all password
host all old all md5
host all all all scram-sha-256
"""
# One statement a line: that is how the single-user server reads them.
ROLES = f"""
CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'
CREATE ROLE trusted LOGIN
CREATE ROLE clear LOGIN PASSWORD '{PASSWORD}'
CREATE ROLE full_up LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 0
SET password_encryption = 'md5'
CREATE ROLE old LOGIN PASSWORD '{PASSWORD}'
CREATE TABLE invoices (id int)
CREATE TABLE hidden (id int)
GRANT SELECT, INSERT ON invoices TO app
"""


@dataclass(frozen=True)
class Cluster:
    """A running server that belongs to these tests."""

    port: int
    authority: trustme.CA

    def report(
        self, user: str = "app", password: str = PASSWORD, database: str = "postgres", **step: Any
    ) -> CheckReport:
        """The report of a test with one postgres step."""
        first = {
            "name": "database",
            "kind": "postgres",
            "host": HOST,
            "port": self.port,
            "user": "{{variables.user}}",
            "database": "{{variables.database}}",
            "password": "{{secrets.password}}",
        }
        return report_of(
            first | step,
            self.port,
            self.authority,
            {"user": user, "database": database},
            {"password": password},
        )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def data(authority: trustme.CA) -> Iterator[Path]:
    """A server's files, with roles, tables and a certificate."""
    with folder_of(USER) as folder:
        data = folder / "data"
        initdb: list[str | Path] = [
            program("initdb", "postgresql", FOLDERS),
            "-D",
            data,
            "-U",
            USER,
            "-A",
            "trust",
        ]
        subprocess.run(
            [*initdb, "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True,
            capture_output=True,
            **as_user(USER),
        )
        (data / "pg_hba.conf").write_text(ACCESS)
        write_certificate(data, authority.issue_cert(HOST))
        own(USER, data.iterdir())
        subprocess.run(
            [program("postgres", "postgresql", FOLDERS), "--single", "-D", data, "postgres"],
            input=ROLES.encode(),
            check=True,
            capture_output=True,
            **as_user(USER),
        )
        yield data


@contextmanager
def serving(data: Path, authority: trustme.CA, **settings: str) -> Iterator[Cluster]:
    port = free_port()
    given = SERVER | {"port": str(port)} | settings
    options = [f"--{name}={value}" for name, value in given.items()]
    server = program("postgres", "postgresql", FOLDERS)
    # It ends by SIGINT without waiting for its clients.
    with running([server, "-D", data, *options], port, USER, stop=signal.SIGINT):
        yield Cluster(port, authority)


@pytest.fixture(scope="module")
def cluster(data: Path, authority: trustme.CA) -> Iterator[Cluster]:
    with serving(data, authority, ssl="on") as cluster:
        yield cluster


def test_a_right_password_passes_and_says_who_and_where(cluster: Cluster) -> None:
    report = cluster.report()
    assert (report.passed, report.verified, report.code) == (True, True, None)
    assert report.account == "app@postgres"
    passed = {step.name for step in report.steps if step.status == "passed"}
    assert passed == {"config", "secrets", "egress", "dns", "tcp", "tls", "database"}


def test_a_statement_reads_within_its_transaction(cluster: Cluster) -> None:
    assert cluster.report(statement="SELECT id FROM invoices LIMIT 1").passed
    assert cluster.report(
        statement="SELECT id FROM invoices;", options={"search_path": "public"}
    ).passed


def test_a_wrong_password_is_the_customers_to_correct(cluster: Cluster) -> None:
    report = cluster.report(password=WRONG)
    assert code(report) == ("auth_invalid", "/secrets/password")
    assert report.message.endswith("(SQLSTATE 28P01).")
    assert "FATAL" not in report.model_dump_json()


def test_an_unknown_user_looks_like_a_wrong_password(cluster: Cluster) -> None:
    assert code(cluster.report(user="nobody"))[0] == "auth_invalid"


def test_an_unknown_database_is_named_as_the_field_to_change(cluster: Cluster) -> None:
    report = cluster.report(database="missing")
    assert code(report) == ("config_invalid", "/variables/database")


def test_what_the_user_may_not_read_is_a_missing_permission(cluster: Cluster) -> None:
    assert code(cluster.report(statement="SELECT id FROM hidden"))[0] == "permission_denied"


@pytest.mark.parametrize(
    "statement",
    [
        "WITH made AS (INSERT INTO invoices VALUES (1) RETURNING id) SELECT id FROM made",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT id FROM invoices FOR UPDATE",
    ],
)
def test_a_statement_that_would_write_is_refused_by_the_server(
    cluster: Cluster, statement: str
) -> None:
    report = cluster.report(statement=statement)
    assert (report.code, report.blame) == ("request_rejected", "unknown")


def test_a_statement_that_takes_too_long_is_ended(cluster: Cluster) -> None:
    report = in_time(1000, lambda: cluster.report(statement="SELECT pg_sleep(60)", timeoutMs=400))
    assert report.code == "provider_timeout"


def test_a_user_without_a_free_connection_is_the_servers_state(cluster: Cluster) -> None:
    report = cluster.report(user="full_up")
    assert (report.code, report.retryable, report.blame) == ("provider_error", True, "provider")


def test_a_server_that_asks_for_nothing_has_not_verified_the_password(cluster: Cluster) -> None:
    report = cluster.report(user="trusted", password=WRONG)
    assert (report.passed, report.verified) == (True, False)


@pytest.mark.parametrize("user", ["clear", "old"])
def test_clear_and_md5_passwords_are_given_to_verified_servers_only(
    cluster: Cluster, user: str
) -> None:
    # given a step that allows both
    allowed: dict[str, Any] = {"authentication": ["scram-sha-256", "md5", "password"]}

    # when, then
    assert cluster.report(user=user, **allowed).verified
    assert cluster.report(user=user, password=WRONG, **allowed).code == "auth_invalid"
    assert cluster.report(user=user, tls="require", **allowed).code == "authentication_too_weak"
    assert cluster.report(user=user).code == "authentication_too_weak"


def test_a_certificate_for_another_name_is_taken_only_where_the_step_says_so(
    cluster: Cluster,
) -> None:
    # given the server by its address, for which its certificate is not
    assert cluster.report(host="127.0.0.1").code == "certificate_name_mismatch"
    # when, then SCRAM proves the server where the certificate does not
    assert cluster.report(host="127.0.0.1", tls="require").verified


def test_a_server_without_tls_gets_nothing_in_the_clear(data: Path, authority: trustme.CA) -> None:
    # given the same files under a server of its own
    copy = data.with_name("copy")
    shutil.copytree(data, copy)
    (copy / "postmaster.pid").unlink(missing_ok=True)
    own(USER, [copy, *copy.rglob("*")])

    # when
    with serving(copy, authority, ssl="off") as plain:
        reports = [plain.report(tls=mode) for mode in ("verify-full", "require")]

    # then
    assert [report.code for report in reports] == ["tls_error", "tls_error"]
    assert "does not offer TLS" in reports[0].message
