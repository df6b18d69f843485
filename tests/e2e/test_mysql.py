"""The kind mysql against the real server of Debian's package: MariaDB, with TLS."""

import shutil
import socket
import subprocess
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
from tests.unit.checks.situations import shown
from tests.unit.checks.test_document import BLOCKS, settled

USER = "mysql"
PASSWORD = "right-pässword-4242"
WRONG = "wrong-secret-4242"
FILES = {"cert": "server.pem", "key": "server.key", "ca": "ca.pem"}
FOLDERS = ("usr/sbin", "usr/bin", "usr/local/libexec")
TABLES = """
SET NAMES utf8mb4;
CREATE DATABASE secret;
CREATE DATABASE sales CHARACTER SET utf8mb4;
USE sales;
CREATE TABLE invoices (id INT, note LONGTEXT) ENGINE=InnoDB;
CREATE TABLE hidden (id INT);
INSERT INTO invoices (id) SELECT seq FROM seq_1_to_20000;
CREATE FUNCTION writes() RETURNS INT
BEGIN INSERT INTO invoices (id) VALUES (1); RETURN 1; END;
"""
USERS = f"""
CREATE USER app IDENTIFIED BY '{PASSWORD}';
CREATE USER signer IDENTIFIED VIA ed25519 USING PASSWORD('{PASSWORD}');
CREATE USER either IDENTIFIED VIA ed25519 USING PASSWORD('another')
OR mysql_native_password USING PASSWORD('{PASSWORD}');
CREATE USER by_socket IDENTIFIED VIA unix_socket;
CREATE USER locked IDENTIFIED BY '{PASSWORD}' ACCOUNT LOCK;
CREATE USER expired IDENTIFIED BY '{PASSWORD}' PASSWORD EXPIRE;
CREATE USER elsewhere@'192.0.2.1' IDENTIFIED BY '{PASSWORD}';
CREATE USER full_up IDENTIFIED BY '{PASSWORD}' WITH MAX_QUERIES_PER_HOUR 1;
CREATE USER certified IDENTIFIED BY '{PASSWORD}' REQUIRE X509;
CREATE USER guessed IDENTIFIED BY '{PASSWORD}';
GRANT SELECT, INSERT ON sales.invoices
TO app, signer, either, full_up, certified, expired, locked, guessed;
GRANT EXECUTE ON FUNCTION sales.writes TO app;
"""


@dataclass(frozen=True)
class Server:
    """A running server that belongs to these tests."""

    port: int
    authority: trustme.CA

    def report(
        self,
        user: str = "app",
        password: str = PASSWORD,
        database: str = "sales",
        values: dict[str, str] | None = None,
        secrets: dict[str, str] | None = None,
        **step: Any,
    ) -> CheckReport:
        """The report of a test with one mysql step."""
        first = {
            "name": "database",
            "kind": "mysql",
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
            {"user": user, "database": database} | (values or {}),
            {"password": password} | (secrets or {}),
        )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def data(authority: trustme.CA) -> Iterator[Path]:
    """A server's files, with users, tables, and a certificate."""
    with folder_of(USER) as folder:
        install = program("mariadb-install-db", "mariadb-server", FOLDERS)
        subprocess.run(
            [
                install,
                "--no-defaults",
                f"--datadir={folder}/data",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--innodb-log-file-size=4M",
            ],
            check=True,
            capture_output=True,
            **as_user(USER),
        )
        write_certificate(folder, authority.issue_cert(HOST))
        (folder / "ca.pem").write_bytes(authority.cert_pem.bytes())
        (folder / "setup.sql").write_text(TABLES + USERS)
        own(USER, folder.iterdir())
        port = free_port()
        setup = f"--init-file={folder}/setup.sql"
        with running(command(folder, port, setup), port, USER, greets=True):
            pass
        yield folder


@contextmanager
def serving(
    data: Path, authority: trustme.CA, *settings: str, tls: bool = True
) -> Iterator[Server]:
    """A server with a copy of these files."""
    port = free_port()
    with folder_of(USER) as parent:
        folder = parent / "server"
        shutil.copytree(data, folder)
        own(USER, [folder, *folder.rglob("*")])
        started = command(folder, port, *settings, *with_tls(folder, tls))
        with running(started, port, USER, greets=True):
            yield Server(port, authority)


def command(folder: Path, port: int, *settings: str) -> list[str | Path]:
    return [
        program("mariadbd", "mariadb-server", FOLDERS),
        "--no-defaults",
        f"--datadir={folder}/data",
        f"--socket={folder}/socket",
        f"--pid-file={folder}/pid",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=16M",
        "--innodb-log-file-size=4M",
        "--plugin-load-add=auth_ed25519",
        "--max-password-errors=5",
        *settings,
    ]


def with_tls(folder: Path, on: bool) -> list[str]:
    if not on:
        return ["--skip-ssl"]
    return [f"--ssl-{name}={folder}/{file}" for name, file in FILES.items()]


@pytest.fixture(scope="module")
def server(data: Path, authority: trustme.CA) -> Iterator[Server]:
    with serving(data, authority) as server:
        yield server


def test_a_right_password_passes_and_says_who_and_where(server: Server) -> None:
    report = server.report()
    assert (report.passed, report.verified, report.code) == (True, True, None), report.message
    assert report.account == "app@sales"
    passed = {step.name for step in report.steps if step.status == "passed"}
    assert passed == {"config", "secrets", "egress", "dns", "tcp", "tls", "database"}


def test_a_statement_reads_within_its_transaction(server: Server) -> None:
    assert server.report(statement="SELECT id FROM invoices LIMIT 1").passed
    assert server.report(statement="WITH a AS (SELECT 1) SELECT * FROM a;").passed
    assert server.report(statement="SHOW TABLES").passed


def test_the_rows_of_a_large_table_are_not_read(server: Server) -> None:
    assert server.report(statement="SELECT * FROM invoices").passed


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("nobody", ("auth_invalid", "/secrets/password")),
        ("by_socket", ("auth_invalid", "/variables/user")),
        ("locked", ("account_locked", None)),
        ("expired", ("auth_expired", "/secrets/password")),
        ("elsewhere", ("auth_invalid", "/secrets/password")),
        ("certified", ("auth_invalid", "/secrets/password")),
    ],
)
def test_a_user_who_may_not_log_in_is_told_why(
    server: Server, user: str, expected: tuple[str, str | None]
) -> None:
    assert code(server.report(user=user)) == expected


def test_a_user_who_has_used_up_an_hours_queries_waits(server: Server) -> None:
    reports = [server.report(user="full_up") for _ in range(2)]
    assert [report.code for report in reports] == [None, "rate_limited"]
    assert reports[1].retryable


def test_a_wrong_password_is_the_customers_to_correct(server: Server) -> None:
    report = server.report(password=WRONG)
    assert code(report) == ("auth_invalid", "/secrets/password")
    assert report.message.endswith("(MySQL error 1045).")
    assert "Access denied" not in report.model_dump_json()
    assert settled(shown(report)) == settled(BLOCKS["a wrong password for mysql"])


@pytest.mark.parametrize("user", ["signer", "either"])
def test_mariadbs_signatures_are_made(server: Server, user: str) -> None:
    assert server.report(user=user).verified
    assert server.report(user=user, password=WRONG).code == "auth_invalid"


def test_a_user_is_locked_after_too_many_wrong_passwords(server: Server) -> None:
    codes = [server.report(user="guessed", password=WRONG).code for _ in range(7)]
    assert codes[0] == "auth_invalid"
    assert code(server.report(user="guessed"))[0] == "account_locked"


def test_what_is_not_there_or_not_allowed_is_named(server: Server) -> None:
    assert code(server.report(database="secret")) == ("permission_denied", "/variables/database")
    assert code(server.report(database="missing")) == ("permission_denied", "/variables/database")
    assert code(server.report(statement="SELECT id FROM hidden"))[0] == "permission_denied"
    assert code(server.report(statement="SELECT nothing FROM invoices")) == (
        "config_invalid",
        "/variables/database",
    )
    assert server.report(statement="SELECT FROM WHERE").code == "request_rejected"


def test_a_statement_that_would_write_is_refused_by_the_server(server: Server) -> None:
    report = server.report(statement="SELECT sales.writes()")
    assert (report.code, report.blame) == ("request_rejected", "unknown")


def test_a_statement_that_takes_too_long_is_ended(server: Server) -> None:
    report = in_time(1000, lambda: server.report(statement="SELECT SLEEP(60)", timeoutMs=500))
    assert report.code == "provider_timeout"


def test_a_certificate_is_verified_as_the_step_says(server: Server) -> None:
    # given the server by its name, and by its address, for which its certificate is not
    def report(host: str, tls: str, authority: trustme.CA = server.authority) -> CheckReport:
        ca = authority.cert_pem.bytes().decode()
        return server.report(values={"ca": ca}, host=host, tls=tls, authorities="{{variables.ca}}")

    # when, then its authority is enough where the step says so
    assert report(HOST, "verify-full").verified
    assert report("127.0.0.1", "verify-full").code == "certificate_name_mismatch"
    assert report("127.0.0.1", "verify-ca").verified
    # and the authority of somebody else is not
    assert report(HOST, "verify-ca", trustme.CA()).code == "certificate_untrusted"


def test_a_client_certificate_lets_a_user_in_who_needs_one(
    server: Server, authority: trustme.CA
) -> None:
    issued = authority.issue_cert("client@example.com")
    report = server.report(
        user="certified",
        secrets={
            "certificate": "".join(p.bytes().decode() for p in issued.cert_chain_pems),
            "key": issued.private_key_pem.bytes().decode(),
        },
        values={"ca": authority.cert_pem.bytes().decode()},
        authorities="{{variables.ca}}",
        clientCertificate="{{secrets.certificate}}",
        clientKey="{{secrets.key}}",
    )
    assert report.verified, report.message


def test_a_server_that_checks_nobody_has_not_verified_the_password(
    data: Path, authority: trustme.CA
) -> None:
    with serving(data, authority, "--skip-grant-tables") as unchecked:
        report = unchecked.report(password=WRONG)
    assert (report.passed, report.verified) == (True, False)


def test_a_server_without_tls_gets_nothing_in_the_clear(data: Path, authority: trustme.CA) -> None:
    with serving(data, authority, tls=False) as plain:
        report = plain.report()
    assert report.code == "tls_error"
    assert "does not offer TLS" in report.message


def test_a_full_server_says_so_before_tls(data: Path, authority: trustme.CA) -> None:
    with serving(data, authority, "--max-connections=10") as small, ExitStack() as others:
        for _ in range(12):
            others.enter_context(socket.create_connection(("127.0.0.1", small.port))).recv(1)
        report = small.report()
    assert (report.code, report.retryable, report.blame) == ("provider_error", True, "provider")
    assert [step.status for step in report.steps if step.name == "tls"] == ["skipped"]


def test_a_server_that_takes_no_connection_from_here_says_so(
    data: Path, authority: trustme.CA
) -> None:
    # given a server whose users are all of another address
    (data / "elsewhere.sql").write_text(
        "DELETE FROM mysql.global_priv WHERE Host <> '192.0.2.1';\nFLUSH PRIVILEGES;\n"
    )
    with serving(data, authority, f"--init-file={data}/elsewhere.sql") as distant:
        report = distant.report()
    assert (report.code, report.blame) == ("address_not_allowed", "customer")
