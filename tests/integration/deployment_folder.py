"""A folder for `patchbay apply`, with one thing of each kind."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write(path: Path, value: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2))


DEFINITION: dict[str, Any] = {
    "$schema": "https://example.com/definition.schema.json",
    "publisher": "acme",
    "slug": "crm",
    "version": "1.0.0",
    "name": "CRM",
    "documentation": {"authentication": "https://docs.example.com"},
    "variablesSchema": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "x-binding": "free"},
            "page_size": {"type": "integer", "default": 50, "x-binding": "free"},
        },
    },
    "authConfig": {"type": "api_key"},
    "manifest": {
        "configurationSchema": {
            "type": "object",
            "properties": {
                "depth": {"type": "integer", "minimum": 1},
                "lookback": {"type": "integer", "default": 30},
            },
        },
        "checks": {
            "timeoutMs": 2000,
            "steps": [
                {
                    "name": "whoami",
                    "kind": "http",
                    "request": {"url": "https://api.example.com/{{variables.path}}"},
                }
            ],
        },
    },
}
SPACE: dict[str, Any] = {
    "name": "Production",
    "record_deliveries": True,
    "status_page": {"title": "Acme"},
    "connections": [
        {
            "name": "Tickets",
            "source": "CRM",
            "configurations": {"depth": 3},
            "monitor": {"enabled": True, "interval": "1h"},
        }
    ],
    "alert_rules": [
        {
            "name": "Tickets are down",
            "severity": "critical",
            "condition": {"kind": "connection_down", "connection": "Tickets"},
            "channels": [
                {"kind": "eventbridge"},
                {"kind": "webhook", "url": {"fromEnv": "HOOK"}},
            ],
        }
    ],
}
ORGANIZATION: dict[str, Any] = {
    "workspace": "production",
    "sources": [
        {
            "name": "CRM",
            "integration": "acme/crm",
            "version": "1.0.0",
            "variables": {"path": "me"},
            "secrets": {"api_key": {"fromEnv": "CRM_KEY"}},
        }
    ],
    "api_keys": [
        {"name": "back end", "permissions": ["platform.events.write"], "space": "production"}
    ],
}


def write_folder(root: Path, publisher: str, space: str) -> None:
    """With these names, which are unique in a deployment. The variables CRM_KEY and HOOK have what
    it refers to."""
    write(root / "integrations/crm.json", {**DEFINITION, "publisher": publisher})
    write(root / f"spaces/{space}.json", SPACE)
    [source], [key] = ORGANIZATION["sources"], ORGANIZATION["api_keys"]
    organization = {
        "workspace": space,
        "sources": [{**source, "integration": f"{publisher}/crm"}],
        "api_keys": [{**key, "space": space}],
    }
    write(root / "organization.json", organization)


def edited(path: Path, edit: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    edit(value)
    write(path, value)
