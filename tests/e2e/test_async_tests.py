"""Tests that run through the queue of the local cloud."""

import time
from typing import Any

from local.provider import provider
from tests.e2e.harness import Tenant

PATIENCE_SECONDS = 60


def finished(tenant: Tenant, href: str) -> dict[str, Any]:
    """A test once it has finished."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        test = tenant.get(href)
        if test["finished_at"]:
            return test
        time.sleep(0.2)
    raise AssertionError(f"{href} did not finish in {PATIENCE_SECONDS} s")


def test_queued_tests_run_once_each_and_are_polled(tenant: Tenant) -> None:
    with provider() as served:
        # Given a connection that works, and a source with a server that refuses its key
        tenant.publish_asking(served.port)
        _, connection_id = tenant.connect("me")
        source_id, _ = tenant.connect("401")
        # When both are tested by the queue
        paths = [
            f"{tenant.connectors}/connections/{connection_id}/test?mode=async",
            f"{tenant.connectors}/sources/{source_id}/test?mode=async",
        ]
        queued = [tenant.post(path, {}, status=202).body for path in paths]
        assert [test["status"] for test in queued] == ["queued", "queued"]
        passed, refused = [finished(tenant, test["href"]) for test in queued]
    # Then each says what it found
    assert (passed["status"], passed["mode"], passed["verified"]) == ("succeeded", "async", True)
    assert (refused["status"], refused["code"]) == ("failed", "auth_invalid")
    # And was dialled and recorded once, and the connection's is counted in its space
    assert sorted(path for path, _ in served.requests) == ["/401", "/me"]
    history = tenant.get(f"{tenant.connectors}/connections/{connection_id}/tests")
    assert [test["id"] for test in history["items"]] == [passed["id"]]
    assert tenant.get(f"/spaces/{tenant.slug}/integration-health")["total_events"] == 1
