"""One local cloud for all end-to-end tests."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.client import Client
from tests.e2e.harness import LocalCloud, Stack, Tenant


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
def stack(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> Iterator[Stack]:
    """A running local cloud with fresh data, and how to call it."""
    folder: Path = tmp_path_factory.mktemp("local-cloud")
    cloud = LocalCloud(folder, free_port())
    yield cloud.stack
    assert cloud.stop() == 0


@pytest.fixture(scope="session")
def client(stack: Stack) -> Client:
    """A client of the running local cloud, with the admin key."""
    return stack.client


@pytest.fixture
def tenant(stack: Stack) -> Tenant:
    """An organization of the test's own in the running local cloud."""
    return Tenant(stack)
