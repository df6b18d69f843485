"""One local cloud for all end-to-end tests, which several workers share."""

import faulthandler
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # has no types

from local.client import Client
from local.paths import StateDir
from local.provider import Provider, provider
from tests.e2e.browser import Visitor, chromium, visitor
from tests.e2e.harness import LocalCloud, Stack, Tenant, Watched

# Whatever waits for the schedule shares a worker: one of them runs ahead of it, after the others.
_TOGETHER = {"test_monitors.py": "test_documents.py"}
# What needs no cloud runs while it starts; the longest come first, so that none is left at the end.
# What runs an event loop comes before the browser of a worker, whose driver has one for good.
_FIRST = [
    *("test_documents.py", "test_monitors.py", "test_local_cloud.py", "test_fuzz.py"),
    *("test_mysql.py", "test_redis.py", "test_postgres.py"),
    *("test_authorization_servers.py", "test_definitions.py", "test_clients.py", "test_sdk.py"),
    "test_ingest_bus.py",
]


class Files(LoadScopeScheduling):  # type: ignore[misc]  # has no types
    """The tests of a file run in order on one worker; files run side by side."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0]).name
        return _TOGETHER.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    config.option.loadscopereorder = False
    return Files(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [file != item.path.name for file in _FIRST])


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives a port of the loopback interface that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    return find


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def at_work(run_dir: Path) -> Iterator[int]:
    """A lock that each worker shares until its last test is over, or the worker is gone."""
    with (run_dir / "at-work.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield lock.fileno()


@pytest.fixture(scope="session")
def stack(run_dir: Path, at_work: int, free_port: Callable[[], int]) -> Iterator[Stack]:
    """A running local cloud with fresh data, and how to call it.

    The first worker that needs it starts it, and stops it when the others are done.
    """
    folder = run_dir / "local-cloud"
    cloud = None
    with locked(run_dir / "start.lock"):
        if not folder.exists():
            folder.mkdir()
            cloud = LocalCloud(folder, free_port())
    yield Stack.read(StateDir(folder).stack_file)
    if cloud is not None:
        faulthandler.cancel_dump_traceback_later()  # to wait for the others is not to hang
        fcntl.flock(at_work, fcntl.LOCK_EX)
        assert cloud.stop() == 0


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def client(stack: Stack) -> Client:
    """A client of the running local cloud, with the admin key."""
    return stack.client


@pytest.fixture(scope="session")
def watched(stack: Stack) -> Iterator[Watched]:
    """A connection with a monitor, from before the first test that waits for the schedule: they
    wait for the same tick of it."""
    tenant = Tenant(stack)
    with provider() as server:
        yield Watched(tenant, tenant.monitored(server.port))


@pytest.fixture
def tenant(stack: Stack) -> Tenant:
    """An organization of the test's own in the running local cloud."""
    return Tenant(stack)


@pytest.fixture
def server(stack: Stack) -> Iterator[Provider]:
    """A provider on loopback, which the local cloud trusts."""
    with provider(certificate=stack.state.server_certificate) as served:
        yield served


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Browser]:
    """A browser that trusts the servers of the running local cloud."""
    with chromium(stack.state) as started:
        yield started


@pytest.fixture
def visit(browser: Browser, stack: Stack) -> Iterator[Visitor]:
    """A visitor at a wide, light window. For another: `browser.visitor`."""
    with visitor(browser, stack) as visiting:
        yield visiting
