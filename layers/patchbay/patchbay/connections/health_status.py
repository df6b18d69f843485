"""How a connection is doing."""

from enum import StrEnum
from typing import Final


class HealthStatus(StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
    UNKNOWN = "unknown"


FAILING: Final = frozenset({HealthStatus.DISCONNECTED, HealthStatus.ERROR})
