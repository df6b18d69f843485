"""Tests that are followed while they run: who asks, who reads, and what must not depend on it."""

import functools
import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Semaphore, Thread
from typing import Any

import pytest

import checks
import run_tests
from patchbay.checks.report import Step
from patchbay.connection_tests import following, history
from patchbay.connection_tests.progress import KEPT, TO_RUN, Follower, ProgressStore
from patchbay.platform.clock import utc_now
from patchbay.platform.dynamodb import Table, Update
from patchbay.platform.errors import NotFound, TemporarilyUnavailable
from tests.integration.account import stored_items
from tests.integration.api import Answer, Client, start_cold
from tests.integration.conftest import TENANT_PERMISSIONS, Tenant
from tests.integration.installing import RIGHT, end_user, latest, sessions
from tests.integration.story import (
    PATIENT_MS,
    SECRET,
    create_connection,
    create_source,
    publish_integration,
)
from tests.integration.test_run_tests import ask, delivered, identity_of, leases, read, run
from tests.integration.test_secret_references import keep, permit

pytestmark = pytest.mark.enable_socket

PROGRESS = "5f3c1c52-2a4e-4b0e-9a51-0c8c5f9d7e21"
GATES = ["config", "secrets", "egress", "dns", "tcp"]
STEPS = ["one", "two", "three"]
PATIENCE_SECONDS = 10


class Slow:
    """A server that answers a request when it is let go; it shows the key that it was sent."""

    def __init__(self) -> None:
        self.asked = Semaphore(0)
        self.answers = Semaphore(0)
        self.port = 0

    def wait(self) -> None:
        """Until the next request is there."""
        assert self.asked.acquire(timeout=PATIENCE_SECONDS)

    def let_go(self, requests: int = 1) -> None:
        self.answers.release(requests)


@pytest.fixture
def slow() -> Iterator[Slow]:
    served = Slow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.release()
            served.answers.acquire(timeout=PATIENCE_SECONDS)
            body = json.dumps({"login": "octocat", "key": self.headers["authorization"]}).encode()
            self.send_response(200 if SECRET in self.headers["authorization"] else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield served
        served.let_go(20)
        server.shutdown()
        thread.join()


def manifest(port: int) -> dict[str, Any]:
    steps = [
        {
            "name": name,
            "kind": "http",
            "request": {"method": "GET", "url": f"http://127.0.0.1:{port}/{{{{variables.path}}}}"},
        }
        for name in STEPS
    ]
    return {
        "roles": ["source", "destination"],
        "checks": {"timeoutMs": PATIENT_MS, "steps": steps},
    }


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are told as they end, so that no test waits for that."""
    monkeypatch.setattr(following, "EVERY_SECONDS", 0.02)


@pytest.fixture
def published(tenant: Tenant, slow: Slow) -> Tenant:
    publish_integration(tenant, manifest=manifest(slow.port))
    return tenant


@contextmanager
def meanwhile[T](do: Callable[[], T]) -> Iterator[Future[T]]:
    """A request that runs in the background; it has ended when the block has."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(do)


def until(is_there: Callable[[dict[str, Any]], bool], look: Callable[[], Answer]) -> dict[str, Any]:
    """The first answer that is as it should be."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = look()
        if answer.status == 200 and is_there(answer.json):
            found: dict[str, Any] = answer.json
            return found
        time.sleep(0.02)
    raise AssertionError(f"last: {answer.text}")


def names(found: dict[str, Any]) -> list[str]:
    return [step["name"] for step in found["steps"]]


def has(*expected: str) -> Callable[[dict[str, Any]], bool]:
    return lambda found: names(found) == list(expected)


def progress(tenant: Tenant, client: Client | None = None) -> Callable[[], Answer]:
    path = f"{tenant.connectors}/test-progress/{PROGRESS}"
    return lambda: (client or tenant.client).get(path)


def dry_run(tenant: Tenant, **changes: Any) -> Callable[[], Answer]:
    body = {"integration": "acme/crm", **RIGHT, "progress": PROGRESS, **changes}
    return lambda: tenant.client.post(f"{tenant.connectors}/sources/test", body)


def another_key(tenant: Tenant) -> Client:
    body = {"name": "another", "permissions": TENANT_PERMISSIONS}
    path = f"/v1/organizations/{tenant.organization_id}/api-keys"
    return Client(tenant.client.post(path, body).json["key"])


def told(tenant: Tenant) -> list[dict[str, Any]]:
    """What is stored of tests that are followed."""
    pk = f"PROGRESS#{tenant.organization_id}"
    return list(Table("IntegrationsTable").query_all(pk))


def test_the_steps_of_a_test_are_read_while_its_caller_waits(published: Tenant, slow: Slow) -> None:
    tenant, look = published, progress(published)
    # Given a test of three steps that is not there before it began
    assert (look().status, look().code) == (404, "TEST_PROGRESS_NOT_FOUND")
    with meanwhile(dry_run(tenant)) as test:
        # When the first step waits for its answer
        slow.wait()
        dialed = until(has(*GATES), look)
        # Then the gates that have passed are there, and each step as it ends
        assert (dialed["status"], dialed["message"]) == ("running", "The test is running")
        assert dialed["started_at"]
        assert dialed["finished_at"] is None
        slow.let_go()
        slow.wait()
        first = until(has(*GATES, "tls", "one"), look)
        slow.let_go()
        slow.wait()
        until(has(*GATES, "tls", "one", "two"), look)
        slow.let_go()
        report = test.result().json
    # And the end is that of the report, to the last letter
    done = look().json
    assert (done["status"], done["message"]) == ("succeeded", "Connection test passed")
    assert done["steps"] == report["steps"]
    assert first["steps"] == report["steps"][:7]
    assert done["finished_at"] >= done["started_at"]


@pytest.mark.parametrize("what", ["source", "connection", "dry run"])
def test_what_is_stored_is_followed_in_the_same_way(
    published: Tenant, slow: Slow, what: str
) -> None:
    tenant = published
    source = create_source(tenant)
    connection = create_connection(tenant, source)
    path, body = {
        "source": (f"sources/{source['id']}/test?progress={PROGRESS}", None),
        "connection": (f"connections/{connection['id']}/test?progress={PROGRESS}", None),
        "dry run": ("connections/test", {"source_id": source["id"], "progress": PROGRESS}),
    }[what]
    text = json.dumps(body) if body else None
    post = functools.partial(tenant.client.call, "POST", f"{tenant.connectors}/{path}", text)
    with meanwhile(post) as test:
        slow.wait()
        until(has(*GATES), progress(tenant))
        slow.let_go(3)
        report = test.result().json
    assert report["status"] == "succeeded"
    assert progress(tenant)().json["steps"] == report["steps"]


def test_the_steps_of_two_endpoints_name_their_roles_in_the_order_of_the_report(
    published: Tenant, slow: Slow
) -> None:
    tenant = published
    source = create_source(tenant)
    given = {"name": "To", "integration": "acme/crm", **RIGHT}
    destination = tenant.client.post(f"{tenant.connectors}/destinations", given).json
    body = {"source_id": source["id"], "destination_id": destination["id"], "progress": PROGRESS}
    with meanwhile(lambda: tenant.client.post(f"{tenant.connectors}/connections/test", body)) as t:
        slow.wait()
        slow.wait()
        expected = [f"{role}: {gate}" for role in ("source", "destination") for gate in GATES]
        until(has(*expected), progress(tenant))
        slow.let_go(6)
        report = t.result().json
    assert names(report)[-2:] == ["configurations", "capabilities"]
    assert progress(tenant)().json["steps"] == report["steps"]


def test_a_test_that_nobody_follows_writes_nothing_of_it(published: Tenant, slow: Slow) -> None:
    tenant = published
    slow.let_go(20)
    connection = create_connection(tenant, create_source(tenant))
    assert dry_run(tenant, progress=None)().status == 200
    assert (
        tenant.client.call(
            "POST", f"{tenant.connectors}/connections/{connection['id']}/test", None
        ).json["status"]
        == "succeeded"
    )
    assert told(tenant) == []


def test_only_the_caller_who_asked_reads_it(
    published: Tenant, stranger: Tenant, operator: Tenant, slow: Slow
) -> None:
    tenant = published
    slow.let_go(20)
    assert dry_run(tenant)().status == 200
    assert progress(tenant)().status == 200
    # Then neither another key of the organization, nor the operator, nor a stranger finds it
    colleague = another_key(tenant)
    for client in (colleague, operator.client, stranger.client):
        assert progress(tenant, client)().status == 404
    assert progress(stranger)().status == 404
    # And under the same id the test of another is another's
    answer = colleague.post(
        f"{tenant.connectors}/sources/test",
        {"integration": "acme/crm", **RIGHT, "secrets": {"api_key": "no"}, "progress": PROGRESS},
    )
    assert answer.json["status"] == "failed"
    assert progress(tenant, colleague)().json["status"] == "failed"
    assert progress(tenant)().json["status"] == "succeeded"


@pytest.mark.parametrize("text", ["", "short", "x" * 65, "a" * 20 + "#", "ä" * 20, 16 * [1], 17])
def test_an_id_is_long_plain_and_pointed_at_if_it_is_not(published: Tenant, text: Any) -> None:
    answer = dry_run(published, progress=text)()
    assert (answer.status, answer.pointers) == (400, ["/progress"])
    path = f"{published.connectors}/test-progress/{text}"
    assert published.client.get(path.replace("#", "%23")).status in (404, 403)


def test_an_end_user_follows_the_tests_of_the_session_and_no_others(
    published: Tenant, slow: Slow
) -> None:
    tenant, path = published, f"/v1/install/tests/{PROGRESS}"
    given = {"integration": "acme/crm"}
    client, other = end_user(tenant, **given), end_user(tenant, **given)
    look = functools.partial(client.get, path)
    assert look().status == 404
    with meanwhile(lambda: client.post("/v1/install/test", RIGHT | {"progress": PROGRESS})) as test:
        slow.wait()
        until(has(*GATES), look)
        assert other.get(path).status == 404
        assert progress(tenant)().status == 404
        slow.let_go(3)
        report = test.result().json
    assert look().json["steps"] == report["steps"]
    # And the test that follows its completion
    last = PROGRESS.replace("5", "6")
    complete = RIGHT | {"progress": last}
    with meanwhile(lambda: client.post("/v1/install/complete", complete)) as done:
        slow.wait()
        until(has(*GATES), functools.partial(client.get, f"/v1/install/tests/{last}"))
        slow.let_go(3)
        test_of = done.result().json["test"]
    assert client.get(f"/v1/install/tests/{last}").json["steps"] == test_of["steps"]
    # But not once the session is revoked
    slow.let_go(3)
    assert other.post("/v1/install/test", RIGHT | {"progress": PROGRESS}).status == 200
    assert other.get(path).status == 200
    revoked = tenant.client.delete(f"{sessions(tenant)}/{latest(tenant, 'pending')['id']}")
    assert revoked.status == 204
    assert other.get(path).status == 410


# ---------------------------------------------------------------- queued tests


def followed(tenant: Tenant, connection: dict[str, Any], **query: str) -> dict[str, Any]:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"{tenant.connectors}/connections/{connection['id']}/test?mode=async&{text}"
    answer = tenant.client.call("POST", path, None)
    assert answer.status == 202, answer.text
    test: dict[str, Any] = answer.json
    return test


@pytest.fixture
def waiting(published: Tenant) -> dict[str, Any]:
    """A connection whose tests wait."""
    return create_connection(published, create_source(published))


def test_a_queued_test_shows_its_steps_if_the_caller_asked_to_follow_it(
    tenant: Tenant, waiting: dict[str, Any], slow: Slow
) -> None:
    queued = followed(tenant, waiting, follow="true")
    assert queued["steps"] == []
    look = functools.partial(tenant.client.get, queued["href"])
    with meanwhile(lambda: run(delivered())) as running:
        slow.wait()
        test = until(has(*GATES), look)
        assert (test["status"], test["finished_at"]) == ("running", None)
        listed = tenant.client.get(f"{tenant.connectors}/connections/{waiting['id']}/tests").json
        assert names(listed["items"][0]) == GATES
        slow.let_go()
        slow.wait()
        first = until(has(*GATES, "tls", "one"), look)
        slow.let_go(2)
        assert running.result() == []
    done = look().json
    assert (done["status"], names(done)[5:8]) == ("succeeded", ["tls", "one", "two"])
    assert first["steps"] == done["steps"][:7]
    assert leases(tenant) == []


def test_a_queued_test_that_nobody_follows_has_no_steps_before_its_end(
    tenant: Tenant, waiting: dict[str, Any], slow: Slow
) -> None:
    queued = ask(tenant, waiting).json
    with meanwhile(lambda: run(delivered())):
        slow.wait()
        time.sleep(0.1)
        test = read(tenant, queued["href"])
        assert (test["status"], test["steps"]) == ("running", [])
        slow.let_go(3)
    assert read(tenant, queued["href"])["status"] == "succeeded"


def test_a_queued_test_that_was_killed_ends_with_the_steps_that_it_had(
    tenant: Tenant, waiting: dict[str, Any]
) -> None:
    # Given a test whose function dies after some steps
    queued = followed(tenant, waiting, follow="true")
    store = run_tests.deployment.test_history
    of_test = identity_of(tenant, waiting, queued["id"])
    assert store.claim(of_test, utc_now()) is history.TestClaim.OURS
    store.tell(of_test, [STEP])
    assert read(tenant, queued["href"])["status"] == "running"
    # When its deadline has passed
    start_cold("checks")
    later = utc_now() + history.TO_FINISH + timedelta(seconds=2)
    checks.deployment.clock = lambda: later
    # Then it has failed for every reader, by our fault, and is not cut short
    test = read(tenant, queued["href"])
    assert (test["status"], test["code"], test["blame"]) == ("failed", "internal_error", "platform")
    assert names(test) == ["config", "queue"]
    # And nothing that comes late changes what is recorded
    settled = store.settle(of_test, later)
    store.tell(of_test, [STEP, STEP])
    assert settled
    assert store.record(of_test) == settled


def test_what_was_taken_back_is_not_brought_back_by_a_step(
    tenant: Tenant, waiting: dict[str, Any]
) -> None:
    store = run_tests.deployment.test_history
    gone = identity_of(tenant, waiting, "tst_01KHNGNQ80XH4D0E2QYGT8ARW9")
    store.tell(gone, [])
    assert tenant.client.get(gone.href).status == 404


@pytest.mark.parametrize(
    ("query", "at"),
    [
        ("follow=true", "/query/follow"),
        (f"mode=async&progress={PROGRESS}", "/query/progress"),
        ("progress=short", "/query/progress"),
    ],
)
def test_each_way_to_wait_has_its_own_way_to_follow(
    tenant: Tenant, waiting: dict[str, Any], query: str, at: str
) -> None:
    path = f"{tenant.connectors}/connections/{waiting['id']}/test?{query}"
    answer = tenant.client.call("POST", path, None)
    assert (answer.status, answer.pointers) == (400, [at])


# ---------------------------------------------------------------- what goes wrong


STEP = Step(name="config", status="passed", summary="The configuration is complete.")


def assert_true(condition: object) -> None:
    assert condition


def of_tenant(tenant: Tenant) -> Follower:
    return Follower(tenant.organization_id, f"{tenant.organization_id} somebody")


def test_a_test_that_was_killed_does_not_run_forever(tenant: Tenant) -> None:
    # Given a test that told a step, and then nothing any more
    now = utc_now()
    store, follower = ProgressStore(Table("IntegrationsTable"), lambda: now), of_tenant(tenant)
    telling = store.telling(follower, PROGRESS)
    telling.begin()
    telling.tell([STEP])
    assert store.progress(follower, PROGRESS, now + TO_RUN).status == "running"
    # Then it has failed for every reader once no request can run any more
    ended = store.progress(follower, PROGRESS, now + TO_RUN + timedelta(seconds=2))
    assert (ended.status, ended.message) == ("failed", "The test was cut off before it ended")
    assert ended.finished_at
    assert ended.steps == (STEP,)
    # And is forgotten minutes later
    with pytest.raises(NotFound):
        store.progress(follower, PROGRESS, now + KEPT)


def test_a_write_that_comes_late_changes_nothing(tenant: Tenant) -> None:
    now = utc_now()
    store, follower = ProgressStore(Table("IntegrationsTable"), lambda: now), of_tenant(tenant)

    def seen() -> tuple[str, int]:
        found = store.progress(follower, PROGRESS, now)
        return found.status, len(found.steps)

    first, second = store.telling(follower, PROGRESS), store.telling(follower, PROGRESS)
    first.begin()
    first.tell([STEP])
    # When another test takes the id over
    second.begin()
    assert seen() == ("running", 0)
    # Then the first one has nothing to say any more
    first.tell([STEP, STEP])
    first.end(None)
    assert seen() == ("running", 0)
    # And what has ended stays as it is
    second.end(None)
    second.tell([STEP])
    assert seen() == ("failed", 0)
    # Unless its id is used again
    first.begin()
    assert seen() == ("running", 0)


class Broken:
    """A table whose writes of progress fail, or hang."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None]) -> None:
        write, self.tried = Table.write, 0

        def broken(table: Table, one: Any) -> None:
            if isinstance(one, Update) and (
                one.key.pk.startswith("PROGRESS#") or "steps_so_far" in one.values
            ):
                self.tried += 1
                fail()
            write(table, one)

        monkeypatch.setattr(Table, "write", broken)


def busy() -> None:
    raise TemporarilyUnavailable


def unforeseen() -> None:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("fail", [busy, unforeseen])
def test_a_test_does_not_notice_that_its_progress_is_not_written(
    published: Tenant,
    slow: Slow,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
    fail: Callable[[], None],
) -> None:
    broken = Broken(monkeypatch, fail)
    with meanwhile(dry_run(published)) as test:
        slow.wait()
        time.sleep(0.15)
        slow.let_go(3)
        answer = test.result()
    assert (answer.status, answer.json["status"]) == (200, "succeeded")
    assert progress(published)().status == 404
    # It was tried again, and is in the log once, without a value
    assert broken.tried >= 3
    assert log.getvalue().count("progress of a test not written") == 1
    assert SECRET not in log.getvalue()


def test_a_table_that_hangs_holds_up_a_test_for_a_second_at_most(
    published: Tenant, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Event()
    Broken(monkeypatch, lambda: assert_true(release.wait(PATIENCE_SECONDS)))
    slow.let_go(3)
    started = time.monotonic()
    answer = dry_run(published)()
    took = time.monotonic() - started
    release.set()
    assert answer.json["status"] == "succeeded"
    assert took < 3


def test_a_queued_test_does_not_wait_for_its_steps_to_be_written(
    tenant: Tenant, waiting: dict[str, Any], slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Event()
    broken = Broken(monkeypatch, lambda: assert_true(release.wait(PATIENCE_SECONDS)))
    queued = followed(tenant, waiting, follow="true")
    with meanwhile(lambda: run(delivered())) as running:
        slow.wait()
        time.sleep(0.15)
        slow.let_go(3)
        assert running.result(timeout=5) == []
        # Then it is finished, and what was not written by then is not written over it
        done = read(tenant, queued["href"])
        release.set()
    assert broken.tried == 1
    assert done["status"] == "succeeded"
    time.sleep(0.1)
    assert read(tenant, queued["href"]) == done


def test_progress_is_written_at_most_every_300_ms_and_only_if_there_is_something_new(
    published: Tenant, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "EVERY_SECONDS", 0.3)
    counted = Broken(monkeypatch, lambda: None)
    with meanwhile(dry_run(published)) as test:
        slow.wait()
        until(has(*GATES), progress(published))
        time.sleep(0.7)
        # The beginning, and the gates
        assert counted.tried == 2
        slow.let_go(3)
        assert test.result().status == 200
    # And the end; three steps within 300 ms are written with it
    assert counted.tried <= 4


def test_no_secret_is_stored_or_shown_with_the_steps(published: Tenant, slow: Slow) -> None:
    tenant = published
    wrong = "sk_wrong_9ffc3a1b77d2405e"
    with meanwhile(dry_run(tenant, secrets={"api_key": wrong})) as test:
        slow.wait()
        until(has(*GATES), progress(tenant))
        slow.let_go(3)
        assert test.result().json["code"] == "auth_invalid"
    stored = json.dumps(list(stored_items("IntegrationsTable")), default=str)
    assert "PROGRESS#" in stored
    assert wrong not in stored
    assert wrong not in progress(tenant)().text


def test_a_step_points_at_the_reference_that_the_secret_came_from(
    published: Tenant, slow: Slow
) -> None:
    # Given a source whose key is in Secrets Manager, and wrong, and a first step that may fail
    tenant, checked = published, manifest(slow.port)
    capability = {"mandatory": False, "category": "capability", "capability": "webhook"}
    checked["checks"]["steps"][0] |= capability
    optional = checked | {"roles": ["source"], "capabilities": ["webhook"]}
    publish_integration(tenant, slug="optional", manifest=optional)
    reference = keep(tenant, {"api_key": "no"})
    given = {"integration": "acme/optional", "secrets": {}, "secret_ref": reference}
    source = create_source(tenant, **given)
    permit(tenant, source)
    path = f"{tenant.connectors}/sources/{source['id']}/test?progress={PROGRESS}"
    with meanwhile(lambda: tenant.client.call("POST", path, None)) as test:
        slow.let_go()
        slow.wait()
        slow.wait()
        found = until(has(*GATES, "tls", "one"), progress(tenant))
        slow.let_go(2)
        report = test.result().json
    assert found["steps"][-1]["field_pointer"] == "/secret_ref"
    assert found["steps"] == report["steps"][:7]
