"""`patchbay apply` against the local cloud: as a pipeline runs it, killed, and twice at once."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Tenant
from tests.integration.deployment_folder import edited, write_folder


@dataclass(frozen=True)
class Applying:
    """A folder, and a program that applies it with the key of a tenant."""

    tenant: Tenant
    folder: Path
    secrets: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PATCHBAY_API_URL": self.tenant.client.api_url,
            "PATCHBAY_API_KEY": self.tenant.client.api_key,
            "PATCHBAY_CONFIG_DIR": str(self.folder.parent / "config"),
            "CRM_KEY": "right-key",
            "HOOK": "https://hooks.example.com/services/T0/B0/secret-path",
        }
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "patchbay_cli", "apply", str(self.folder), "--json"),
                *("--secrets-to", str(self.secrets), *arguments),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """What it printed, without what the folder does not have: the tenant has another space."""
        printed = _ended(self.start(*arguments), code)
        return [one for one in printed if one.get("action") != "none"]

    def things(self) -> dict[str, list[str]]:
        """The names of all that there is."""
        tenant = self.tenant
        paths = {
            "spaces": f"{tenant.organization}/spaces",
            "keys": f"{tenant.organization}/api-keys",
            "integrations": "/v1/integrations",
            "sources": f"{tenant.connectors}/sources",
            "connections": f"{tenant.connectors}/connections",
            "rules": f"/spaces/{self.space}/alert-rules",
        }
        return {
            name: sorted(item["name"] for item in tenant.get(path)["items"])
            for name, path in paths.items()
        }

    @property
    def space(self) -> str:
        return f"{self.tenant.slug}-live"


ALL = {
    "spaces": ["Production", "Space"],
    "keys": ["back end", "test"],
    "integrations": ["CRM"],
    "sources": ["CRM"],
    "connections": ["Tickets"],
    "rules": ["Tickets are down"],
}


def _ended(process: subprocess.Popen[str], code: int) -> list[dict[str, Any]]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, (out, err)
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def apply(tenant: Tenant, tmp_path: Path) -> Applying:
    applying = Applying(tenant, tmp_path / "folder", tmp_path / "secrets")
    write_folder(applying.folder, tenant.slug, applying.space)
    return applying


def test_a_deployment_becomes_what_a_folder_says_and_stays_so(apply: Applying) -> None:
    # Given an empty deployment, of which a plan says what it lacks
    planned = apply("--plan", code=6)
    assert [one["action"] for one in planned] == ["create"] * 6
    # When the folder is applied, then all of it is there, and a second time changes nothing
    apply("--yes")
    assert apply.things() == ALL
    trail = apply.tenant.get(f"{apply.tenant.organization}/audit-events")["items"]
    assert apply("--yes") == []
    assert apply.tenant.get(f"{apply.tenant.organization}/audit-events")["items"] == trail
    [secret] = [path for path in apply.secrets.iterdir() if path.name.startswith("api_key")]
    assert secret.read_text().strip() not in json.dumps([planned, trail])

    # When the operator changes something, it is shown as drift, and put right
    changed = apply.tenant.operator.call("PATCH", f"/spaces/{apply.space}", {"name": "By hand"})
    assert changed.status == 200
    [drifted] = apply("--plan", code=6)
    assert (drifted["kind"], drifted["drift"]) == ("space", True)
    assert drifted["last_changed"]["by"] == "operator"
    assert drifted["differences"] == [{"pointer": "/name", "has": "By hand", "wants": "Production"}]
    apply("--yes")
    assert apply.things() == ALL

    # When what is published is edited without a version, nothing is done
    file = apply.folder / "integrations/crm.json"
    edited(file, lambda one: one["manifest"]["checks"].update(timeoutMs=3000))
    apply("--yes", code=1)
    edited(file, lambda one: one.update(version="1.1.0"))
    apply("--yes")
    release = apply.tenant.get(f"/v1/catalog/{apply.tenant.slug}/crm")
    assert release["version"] == "1.1.0"


def test_a_run_that_is_killed_is_taken_up(apply: Applying) -> None:
    process = apply.start("--yes")
    # When it has made the integration's draft, or something after it
    until = time.monotonic() + 60
    while not apply.tenant.get("/v1/integrations")["items"]:
        assert time.monotonic() < until
    process.kill()
    process.communicate()

    apply("--yes")

    assert apply.things() == ALL
    assert apply("--plan") == []


def test_two_runs_at_once_make_everything_once(apply: Applying) -> None:
    first, second = apply.start("--yes"), apply.start("--yes")
    for process in (first, second):
        # One that finds a change of the other says so, and overwrites nothing.
        process.communicate(timeout=300)
        assert process.returncode in (0, 1)

    apply("--yes")

    assert apply.things() == ALL
    assert apply("--plan") == []
