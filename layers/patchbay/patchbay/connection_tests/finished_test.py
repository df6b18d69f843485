"""A test that has run and is not recorded yet."""

from dataclasses import dataclass
from datetime import datetime

from patchbay.checks.capabilities import CapabilityReport
from patchbay.checks.report import CheckReport
from patchbay.connection_tests.changes import Fingerprint
from patchbay.connections.connection_model import Connection


@dataclass(frozen=True, slots=True)
class FinishedTest:
    """A test that has run: what it found, and when.

    `connection` is None for a test of an endpoint. `fingerprint` is what was tested, None if the
    secrets could not be read.
    """

    connection: Connection | None
    fingerprint: Fingerprint | None
    report: CheckReport
    capabilities: tuple[CapabilityReport, ...]
    started_at: datetime
    finished_at: datetime
