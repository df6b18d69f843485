"""The command line against the local cloud, as a person and a pipeline would use it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.client import Client
from local.provider import Provider
from local.sam import STACK_NAME
from tests.e2e.harness import Stack, Tenant


class CommandLine:
    """`patchbay`, without a terminal."""

    def __init__(self, client: Client, folder: Path, **environment: str) -> None:
        self._environment = {
            **os.environ,
            **environment,
            "PATCHBAY_API_URL": client.api_url,
            "PATCHBAY_API_KEY": client.api_key,
            "PATCHBAY_CONFIG_DIR": str(folder),
        }

    def __call__(self, *arguments: str, code: int = 0, typed: str = "") -> str:
        """What it printed. `typed` is its standard input."""
        ran = subprocess.run(
            [sys.executable, "-m", "patchbay_cli", *arguments],
            env=self._environment,
            input=typed,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == code, (arguments, ran.stdout, ran.stderr)
        return ran.stdout

    def json(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        lines = self(*arguments, "--json", code=code).splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
def patchbay(tenant: Tenant, tmp_path: Path) -> CommandLine:
    return CommandLine(tenant.client, tmp_path / "config")


def test_who_signs_in_needs_no_key_in_the_environment(tenant: Tenant, tmp_path: Path) -> None:
    own = CommandLine(tenant.client, tmp_path / "config", PATCHBAY_PROFILE="mine")
    url, key = tenant.client.api_url, tenant.client.api_key
    login = ["login", "--url", url, "--space", tenant.slug, "--profile", "mine"]

    assert "Signed in" in own(*login, "--api-key-stdin", "--storage", "file", typed=f"{key}\n")
    # A profile that is named goes before the environment
    [profile] = own.json("profiles")
    assert (profile["profile"], profile["url"], profile["space"]) == ("mine", url, tenant.slug)
    [health] = own.json("health")
    assert health["total_events"] == 0

    own("logout", "--profile", "mine")
    assert own.json("profiles") == []
    assert "_PATCHBAY_COMPLETE" in own("completion", "bash")


def test_a_key_is_rotated_a_release_upgraded_and_each_step_seen(
    tenant: Tenant, server: Provider, patchbay: CommandLine, tmp_path: Path
) -> None:
    # Given a connection with a wrong key
    tenant.publish_asking(server.port)
    source_id, connection_id = tenant.connect("me")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(f"source_id,secrets.api_key\n{source_id},wrong-key\n")
    patchbay("rotate", "--from", str(wrong), "--no-test")
    # Then its test is the customer's to fix
    shown = patchbay("test", connection_id, code=2)
    assert "✗ whoami" in shown
    assert "field: /secrets/api_key" in shown
    assert patchbay.json("test", source_id, code=2)[0]["blame"] == "customer"
    [listed] = patchbay.json("connections")
    assert (listed["id"], listed["health"]["error_code"]) == (connection_id, "auth_invalid")

    # When keys are rotated, a wrong one is not stored, and a right one is
    wrong.write_text(f"source_id,secrets.api_key\n{source_id},another-wrong-key\n")
    [refused] = patchbay.json("rotate", "--from", str(wrong), code=1)
    assert (refused["status"], refused["error"]["blame"]) == ("test_failed", "customer")
    right = tmp_path / "right.ndjson"
    right.write_text(json.dumps({"source_id": source_id, "secrets": {"api_key": "right-key"}}))
    [rotated] = patchbay.json("rotate", "--from", str(right))
    assert rotated["status"] == "rotated"
    assert patchbay("test", connection_id).splitlines()[-1] == "Connection test passed"

    # And a new release is previewed, and then used
    [integration] = tenant.get("/v1/integrations")["items"]
    tenant.post(f"/v1/integrations/{integration['id']}/publish", {"version": "1.1.0"})
    upgrade = ["upgrade", "--integration", integration["key"], "--to", "1.1.0"]
    assert [one["status"] for one in patchbay.json(*upgrade, "--dry-run")] == ["ready"]
    assert [one["status"] for one in patchbay.json(*upgrade, "--yes")] == ["ready", "upgraded"]
    assert patchbay.json(*upgrade, "--yes") == []

    # And all of it is in the trail
    trail = patchbay.json("audit", "--entity", "source")
    assert [one["action"] for one in trail] == ["created", "changed", "changed", "changed"]
    assert "right-key" not in json.dumps(trail)


def test_events_are_imported_once(tenant: Tenant, patchbay: CommandLine, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    file = tmp_path / "events.ndjson"
    rows = [
        {
            "integration_type": "metadata_sync",
            "status": "ERROR" if number % 10 == 0 else "SUCCESS",
            "occurred_at": (now - timedelta(minutes=number)).isoformat(),
        }
        for number in range(150)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    [first] = patchbay.json("events", "import", str(file))
    [second] = patchbay.json("events", "import", str(file))
    [third] = patchbay.json("events", "import", str(file), "--again")

    assert (first["accepted"], first["duplicates"]) == (150, 0)
    assert (second["accepted"], second["duplicates"], second["skipped"]) == (0, 0, 150)
    assert (third["accepted"], third["duplicates"]) == (0, 150)
    [health] = patchbay.json("health")
    assert (health["total_events"], health["success_rate"]) == (150, 90.0)
    assert "90.0% of 150 events" in patchbay("health")
    # One that is wrong is named by its line, and nothing of its call is stored
    file.write_text(json.dumps({**rows[0], "status": "PERHAPS"}))
    patchbay("events", "import", str(file), code=1)
    [rejected] = patchbay.json(
        "events", "import", str(file), "--rejects", str(tmp_path / "rejects"), code=1
    )
    assert (rejected["rejected"], rejected["accepted"]) == (1, 0)
    assert json.loads((tmp_path / "rejects").read_text())["line"] == 1


def test_an_end_user_gets_a_link(tenant: Tenant, server: Provider, patchbay: CommandLine) -> None:
    tenant.publish_asking(server.port)
    link = patchbay("install-link", f"{tenant.slug}/tracker", "--end-user", "user-7").strip()
    assert link.startswith(f"{tenant.client.api_url}/install/")


def test_an_operator_looks_exports_and_erases(stack: Stack, tenant: Tenant, tmp_path: Path) -> None:
    operator = CommandLine(stack.client, tmp_path / "config")
    found = {one["what"]: one["status"] for one in operator.json("doctor")}
    assert (found["deployment"], found["clock"], found["key"]) == ("ok", "ok", "ok")

    # And with credentials of the account, into the stack
    admin = CommandLine(
        stack.client,
        tmp_path / "config",
        AWS_ENDPOINT_URL=stack.aws_endpoint_url,
        AWS_ACCESS_KEY_ID=stack.aws_access_key_id,
        AWS_SECRET_ACCESS_KEY=stack.aws_secret_access_key,
        AWS_REGION="us-east-1",
    )
    looked = admin.json("doctor", "--stack", STACK_NAME, code=1)
    # A local cloud has no topic for alarms
    assert "no topic is set: alarms tell nobody" in {one["message"] for one in looked}
    assert {one["what"] for one in looked} >= {
        *("stack", "aws_clock", "alarms", "queues", "tables", "keys", "schedules", "functions"),
    }
    # The emulator lacks some of what is looked at, but not these. Other tests leave dead letters.
    assert {one["status"] for one in looked if one["what"] == "keys"} == {"ok"}
    assert {one["status"] for one in looked if one["what"] == "queues"} <= {"ok", "problem"}

    file = tmp_path / "export.ndjson"
    operator("export", tenant.organization_id, "--output", str(file))
    kinds = {json.loads(line)["kind"] for line in file.read_text().splitlines()}
    assert {"organization", "space", "api_key"} <= kinds

    operator("erase", tenant.organization_id, "--confirm", stack.organization_id, code=1)
    [erasure] = operator.json("erase", tenant.organization_id, "--confirm", tenant.organization_id)
    assert erasure["status"] in ("queued", "erasing")
    assert operator("erase", tenant.organization_id, "--status").startswith(tenant.organization_id)


REGISTRY = {
    "sources": [
        {
            "name": "Tracker",
            "dockerRepository": "airbyte/source-of-airbyte",
            "spec": {
                "connectionSpecification": {
                    "type": "object",
                    "properties": {"api_key": {"type": "string", "airbyte_secret": True}},
                }
            },
        }
    ]
}
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Of OpenAPI", "version": "1"},
    "servers": [{"url": "https://api.tracker.example"}],
    "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    "security": [{"key": []}],
    "paths": {"/me": {"get": {"responses": {"200": {"description": "Who it is"}}}}},
}
COLLECTION = {
    "info": {"name": "Of Postman"},
    "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
    "item": [{"name": "Me", "request": {"url": {"raw": "https://api.tracker.example/me"}}}],
}
NANGO = """
{slug}:
  display_name: Tracker
  auth_mode: API_KEY
  proxy:
    base_url: https://api.tracker.example
    headers:
      authorization: Bearer ${{apiKey}}
    verification: {{method: GET, endpoints: [/me]}}
"""


def test_definitions_are_imported_as_drafts(
    tenant: Tenant, patchbay: CommandLine, tmp_path: Path
) -> None:
    # Given a list, a registry, a document, and a collection
    files = {
        "nango": ("providers.yaml", NANGO.format(slug="of-nango")),
        "airbyte": ("registry.json", json.dumps(REGISTRY)),
        "openapi": ("openapi.json", json.dumps(DOCUMENT)),
        "postman": ("collection.json", json.dumps(COLLECTION)),
    }
    for kind, (name, content) in files.items():
        (tmp_path / name).write_text(content)
        arguments = ["import", kind, str(tmp_path / name), "--publisher", tenant.slug]
        # When it is imported twice
        [first] = patchbay.json(*arguments)
        [again] = patchbay.json(*arguments)
        # Then there is one draft of it, and nothing is published
        assert (first["state"], first["actions"], first["problems"]) == ("draft", ["created"], [])
        assert (again["id"], again["actions"]) == (first["id"], ["unchanged"])
    drafts = tenant.get("/v1/integrations")["items"]
    assert {one["currentVersion"] for one in drafts} == {None}
    assert {one["visibility"] for one in drafts} == {"private"}
    assert sorted(one["slug"] for one in drafts) == [
        *("of-nango", "of-openapi", "of-postman", "source-of-airbyte")
    ]
    # Unless that is asked for
    nango = ["import", "nango", str(tmp_path / "providers.yaml"), "--publisher", tenant.slug]
    assert "published" in patchbay(*nango, "--publish")
    assert tenant.get(f"/v1/catalog/{tenant.slug}/of-nango")["currentVersion"] == "1.0.0"
