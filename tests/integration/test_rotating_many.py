"""`patchbay rotate` for 500 customers against the API: paced, exact in its report, resumable."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from patchbay_cli.profiles import FOLDER_VARIABLE, KEY_VARIABLE, URL_VARIABLE

from local.provider import Provider
from tests.integration.api import Answer, start_cold
from tests.integration.conftest import Tenant
from tests.integration.served_api import served_api
from tests.integration.story import calling, create_source, publish_integration

pytestmark = pytest.mark.enable_socket

CUSTOMERS = 500
NEW_SECRET = "sk_live_of_the_next_year"
WRONG = 3
KILLED_AFTER = 150


@dataclass
class Traffic:
    """What was asked of the API, which says now and then that it is too much."""

    edits: Counter[str] = field(default_factory=Counter)
    too_many: list[float] = field(default_factory=list)
    """When an edit was refused."""
    while_refusing: int = 0
    """Edits that came before their time."""
    _count: int = 0

    def __call__(self, method: str, path: str) -> Answer | None:
        if method != "PATCH":
            return None
        now = time.monotonic()
        if self.too_many and now - self.too_many[-1] < 1:
            self.while_refusing += 1
            return _refusal()
        self._count += 1
        if self._count % 200 == 0:
            self.too_many.append(now)
            return _refusal()
        self.edits[path.rpartition("/")[2]] += 1
        return None


def _refusal() -> Answer:
    error = {
        "code": "RATE_LIMITED",
        "message": "Too many requests.",
        "type": "client_error",
        "status": 429,
        "details": {},
        "trace_id": "t",
        "timestamp": "2026-02-17T10:00:00Z",
    }
    text = json.dumps({"success": False, "error": error})
    return Answer(429, {"retry-after": "1"}, text, (), text.encode())


@pytest.fixture
def sources(tenant: Tenant, server: Provider, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of as many customers."""
    monkeypatch.setenv("TESTS_PER_MINUTE", "1000000")
    start_cold()
    publish_integration(tenant, manifest=calling(server.port))
    made = [create_source(tenant, name=f"Customer {n}")["id"] for n in range(CUSTOMERS)]
    # From now on the provider takes the new key alone
    server.valid_key = NEW_SECRET
    return made


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def environment(tenant: Tenant, traffic: Traffic, tmp_path: Path) -> Iterator[dict[str, str]]:
    with served_api(traffic) as url:
        yield {
            **os.environ,
            URL_VARIABLE: url,
            KEY_VARIABLE: str(tenant.client.key),
            FOLDER_VARIABLE: str(tmp_path / "config"),
        }


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_500_customers_get_new_keys_though_it_was_killed_midway(
    tenant: Tenant,
    sources: list[str],
    traffic: Traffic,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    # Given new keys for all, three of them wrong
    wrong = sources[10:400:150]
    assert len(wrong) == WRONG
    file, report = tmp_path / "keys.ndjson", tmp_path / "report.ndjson"
    secrets = {one: "a typo" if one in wrong else NEW_SECRET for one in sources}
    file.write_text(
        "".join(
            json.dumps({"source_id": one, "secrets": {"api_key": secret}}) + "\n"
            for one, secret in secrets.items()
        )
    )
    file.chmod(0o600)
    rotate = [sys.executable, "-m", "patchbay_cli", "rotate", "--from", str(file)]
    rotate += ["--report", str(report), "--json"]

    # When it is killed midway
    began = time.monotonic()
    running = subprocess.Popen(rotate, env=environment, stdout=subprocess.DEVNULL)
    while not report.exists() or len(report.read_text().splitlines()) < KILLED_AFTER:
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    # Then the report has what was done, whole lines only, and no secret
    before = rows(report)
    done = {one["id"] for one in before if one["status"] == "rotated"}
    assert len(done) >= KILLED_AFTER - WRONG

    # When it is run again, it does what is left
    again = subprocess.run(
        [*rotate, "--retry", str(report)], env=environment, capture_output=True, text=True
    )
    took = time.monotonic() - began
    assert again.returncode == 1, again.stderr
    said = [json.loads(line) for line in again.stdout.splitlines()]
    assert {one["id"] for one in said} == set(sources) - done
    failed = {one["id"]: one["error"] for one in said if one["status"] != "rotated"}
    assert set(failed) == set(wrong)
    assert {error["code"] for error in failed.values()} == {"auth_invalid"}
    rest = len(said) - WRONG
    assert json.loads(again.stderr.splitlines()[-1]) == {
        "note": f"{rest} done, {WRONG} failed, 0 not tried, {len(done)} rotated before."
    }
    assert all(traffic.edits[one] == 1 for one in done)
    # What was under way when it was killed may be done, and not in the report: no more than that
    assert sum(traffic.edits[one] > 1 for one in sources if one not in wrong) <= 4

    # And a third time, with keys that are right, only those that failed are left
    file.write_text(file.read_text().replace("a typo", NEW_SECRET))
    third = subprocess.run(
        [*rotate, "--retry", str(report)], env=environment, capture_output=True, text=True
    )
    assert third.returncode == 0, third.stderr
    assert {json.loads(line)["id"] for line in third.stdout.splitlines()} == set(wrong)
    # Every customer has a key that works
    tested = {
        tenant.client.post(f"{tenant.connectors}/sources/{one}/test", {}).json["status"]
        for one in (*wrong, sources[0], sources[-1])
    }
    assert tested == {"succeeded"}
    # Who was told to come back later did not come before
    assert traffic.too_many
    assert traffic.while_refusing <= 4 * len(traffic.too_many)
    assert NEW_SECRET not in report.read_text() + again.stdout + again.stderr
    print(f"{CUSTOMERS} rotated in {took:.1f} s")
