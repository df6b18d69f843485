"""What every unit test stands under: no network."""

import pytest
import pytest_socket


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> None:
    """Sockets are blocked unless a test says `@pytest.mark.enable_socket`; pytest-socket reopens.

    Unix sockets stay: an asyncio loop talks to itself through a pair of them.
    """
    if request.node.get_closest_marker("enable_socket") is None:
        pytest_socket.disable_socket(allow_unix_socket=True)
