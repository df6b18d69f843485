"""Tests that run through the queue of the local cloud, and tests that are followed there."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Semaphore, Thread
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


@contextmanager
def held_server() -> Iterator[tuple[int, Semaphore]]:
    """The port of a server, and what each of its answers waits for."""
    answers = Semaphore(0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert answers.acquire(timeout=PATIENCE_SECONDS)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1], answers
        server.shutdown()
        thread.join()


def watched(look: Callable[[], Any], answers: Semaphore) -> list[list[str]]:
    """The names of the steps that were there, each time they changed, until the test ends. The next
    answer is not given before the steps that end without it are there."""
    seen: list[list[str]] = []
    while answers.acquire(blocking=False):
        pass  # left by the test before: its last steps are followed by no answer
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = look()
        if answer.status == 200:
            names = [step["name"] for step in answer.body["steps"]]
            if not seen or seen[-1] != names:
                seen.append(names)
                if names:
                    answers.release()
            if answer.body["finished_at"]:
                return seen
        time.sleep(0.1)
    raise AssertionError(seen)


def followed(
    tenant: Tenant, path: str, answers: Semaphore
) -> tuple[list[list[str]], dict[str, Any]]:
    """What showed while a test was waited for, and its report."""
    progress = f"followed-{time.time_ns()}"
    with ThreadPoolExecutor(1) as waiting:
        answered = waiting.submit(tenant.post, f"{path}?progress={progress}", {}, 200)
        shown = watched(
            lambda: tenant.client.call("GET", f"{tenant.connectors}/test-progress/{progress}"),
            answers,
        )
        return shown, answered.result().body


def test_a_slow_test_is_followed_step_by_step(tenant: Tenant) -> None:
    with held_server() as (port, answers):
        # Given an integration with three steps, each of which takes a while
        tenant.publish_asking(port, names=("one", "two", "three"))
        source_id, _ = tenant.connect("me")
        path = f"{tenant.connectors}/sources/{source_id}/test"
        # When one test is waited for, and one goes through the queue
        shown, report = followed(tenant, path, answers)
        href = tenant.post(f"{path}?mode=async&follow=true", {}, status=202).body["href"]
        queued = watched(lambda: tenant.client.call("GET", href), answers)
    # Then both show each step as it ends, and in the end what the report has
    gates = ["config", "secrets", "egress", "dns", "tcp"]
    whole = [*gates, "tls", "one", "two", "three"]
    expected = [gates, whole[:7], whole[:8], whole]
    assert [names for names in shown if names] == expected
    assert [names for names in queued if names] == expected
    assert [step["name"] for step in report["steps"]] == whole
