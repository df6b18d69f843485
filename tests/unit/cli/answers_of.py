"""What a deployment answers to the commands."""

from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.unit.cli.conftest import ORGANIZATION_ID
from tests.unit.sdk.stand_in import Behavior, fails

CALLER = {
    "organization": {"id": ORGANIZATION_ID, "name": "Acme", "external_id": None},
    "subject": "key_01KHNGNQ80TYJPTF7WZ6J4TT8T",
    "permissions": ["platform.integration.read", "platform.integration.test"],
    "space": None,
    "expires_at": None,
    "idle_ends_at": None,
    "signed_in_by": None,
}


def by_path(routes: Mapping[str, Behavior]) -> Behavior:
    """What is done depends on the end of the path, without its query."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        for end, behavior in routes.items():
            if path.endswith(end):
                behavior(handler)
                return
        fails(404, "NOT_FOUND")(handler)

    return behave


def step(name: str, status: str = "passed", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "category": "gate",
        "mandatory": True,
        "status": status,
        "code": None,
        "detail": None,
        "duration_ms": 12,
        "summary": f"{name} ended",
        "diagnosis": None,
        "field_pointer": None,
        "skip_reason": None,
        **more,
    }


def recorded_test(**more: Any) -> dict[str, Any]:
    return {
        "status": "succeeded",
        "message": "Connection test passed",
        "verified": True,
        "code": None,
        "category": None,
        "blame": None,
        "retryable": None,
        "retry_after_seconds": None,
        "account": "octocat",
        "certificate_expires_at": None,
        "latency_ms": 42,
        "capabilities": [],
        "steps": [step("config"), step("whoami")],
        "id": "tst_01KHNGNQ80TYJPTF7WZ6J4TT8T",
        "href": "/v1/organizations/…",
        "trigger": "manual",
        "mode": "sync",
        "queued_at": None,
        "started_at": "2026-02-17T10:00:00Z",
        "finished_at": "2026-02-17T10:00:01Z",
        "what_changed": None,
        **more,
    }


def failed_test(blame: str | None, **more: Any) -> dict[str, Any]:
    diagnosis = {"title": "Wrong key", "remediation": "Enter a new key.", "doc_url": None}
    failed = step(
        "whoami",
        "failed",
        code="auth_invalid",
        diagnosis=diagnosis,
        field_pointer="/secrets/api_key",
    )
    return recorded_test(
        status="failed",
        message="the provider answered 401",
        code="auth_invalid",
        blame=blame,
        steps=[step("config"), failed],
        **more,
    )
