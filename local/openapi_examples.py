"""An example of each body that the API takes, for the document: what a first call might send."""

from typing import Any, Final

from pydantic import BaseModel

from patchbay.alerts.model import AlertRulePatch, BacktestRequest, NewAlertRule
from patchbay.connection_tests.model import DryRun, TestConnection
from patchbay.connections.model import ConnectionPatch, EndpointPatch, NewConnection, NewEndpoint
from patchbay.connections.operation_models import (
    CreateConnection,
    DeleteConnection,
    UpdateConnection,
)
from patchbay.health.model import EventBatch
from patchbay.registry.model import IntegrationPatch, NewIntegration, Publication
from patchbay.tenancy.model import (
    NewApiKey,
    NewOrganization,
    NewSpace,
    OrganizationPatch,
    SpacePatch,
)

_ULID: Final = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
_RULE: Final[dict[str, Any]] = {
    "name": "Too many errors",
    "severity": "critical",
    "condition": {"kind": "success_rate", "threshold": 95, "recovery_threshold": 99.5},
    "for_seconds": 300,
    "reminder_seconds": 3600,
    "channels": [{"kind": "eventbridge"}],
}

EXAMPLES: Final[dict[type[BaseModel], dict[str, Any]]] = {
    NewOrganization: {"name": "Acme"},
    OrganizationPatch: {"paused": True},
    NewSpace: {"slug": "acme-production", "name": "Production"},
    SpacePatch: {"name": "Production, Europe"},
    NewApiKey: {
        "name": "ingest",
        "permissions": ["platform.events.write"],
        "expires_at": "2030-01-01T00:00:00Z",
    },
    NewIntegration: {
        "workspaceId": "5e0125fe-4699-4e36-9fcc-54330afd1709",
        "publisher": "acme",
        "slug": "tracker",
        "name": "Tracker",
        "description": "Issues and their comments.",
        "variablesSchema": {
            "type": "object",
            "required": ["path"],
            "properties": {"path": {"type": "string"}},
        },
        "authConfig": {"type": "api_key"},
        "manifest": {
            "roles": ["source"],
            "capabilities": ["metadata_sync"],
            "checks": {
                "timeoutMs": 5000,
                "steps": [
                    {
                        "name": "whoami",
                        "kind": "http",
                        "request": {"url": "https://api.example.com/{{variables.path}}"},
                    }
                ],
            },
        },
    },
    IntegrationPatch: {"description": "Issues, comments and labels."},
    Publication: {"version": "1.0.0"},
    NewEndpoint: {
        "name": "Our tracker",
        "integration": "acme/tracker",
        "version": "^1.0.0",
        "variables": {"path": "me"},
        "secrets": {"api_key": "an API key of the provider"},
    },
    EndpointPatch: {"variables": {"path": "me"}, "secrets": {"api_key": "a new API key"}},
    NewConnection: {
        "name": "Tracker to warehouse",
        "source_id": f"src_{_ULID}",
        "destination_id": f"dst_{_ULID}",
        "space": "acme-production",
        "monitor": {"enabled": True, "interval": "5m"},
    },
    ConnectionPatch: {"monitor": {"enabled": True, "interval": "1h"}},
    DryRun: {"source_id": f"src_{_ULID}", "destination_id": f"dst_{_ULID}"},
    EventBatch: {
        "events": [
            {
                "integration_type": "metadata_sync",
                "status": "ERROR",
                "connection_id": f"con_{_ULID}",
                "duration_ms": 812,
                "error_code": "rate_limited",
                "message": "The provider asked to wait.",
                "metadata": {"page": 3},
            }
        ]
    },
    NewAlertRule: _RULE,
    AlertRulePatch: {"enabled": False},
    BacktestRequest: {"rule": _RULE, "days": 7},
    CreateConnection: {
        "tenantId": f"org_{_ULID}",
        "integrationKey": "acme.tracker",
        "integrationVersion": 1,
        "label": "Tracker",
        "ownershipMode": "managed",
        "secretProvider": "patchbay",
        "secretRef": f"patchbay://src_{_ULID}",
        "config": {"path": "me"},
    },
    UpdateConnection: {"connectionId": f"con_{_ULID}", "label": "Tracker, Europe"},
    DeleteConnection: {"connectionId": f"con_{_ULID}"},
    TestConnection: {"connectionId": f"con_{_ULID}"},
}
