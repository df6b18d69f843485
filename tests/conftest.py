"""What tests of all kinds stand under: no network, and patience with a busy machine."""

import signal
from pathlib import Path

import pytest
import pytest_socket
from hypothesis import HealthCheck, settings

# A busy machine is slow, which is not what a property is about.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

END_TO_END = Path(__file__).parent / "e2e"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what runs in its background with Ctrl-C ignored, which all
    # processes inherit, also those that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> None:
    """Sockets are blocked unless a test is end-to-end, or says `@pytest.mark.enable_socket`.

    pytest-socket opens them again after the test. Unix sockets stay: an asyncio loop talks to
    itself through a pair of them.
    """
    is_end_to_end = request.path.is_relative_to(END_TO_END)
    if not is_end_to_end and request.node.get_closest_marker("enable_socket") is None:
        pytest_socket.disable_socket(allow_unix_socket=True)
