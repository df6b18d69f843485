"""How a connection is doing."""

from datetime import timedelta
from enum import StrEnum
from typing import Final


class HealthStatus(StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"
    UNKNOWN = "unknown"


FAILING: Final = frozenset({HealthStatus.DISCONNECTED, HealthStatus.ERROR})

WINDOW: Final = 10
"""The last tests of a connection that its state remembers."""

EXPIRY_WARNINGS: Final = (timedelta(days=21), timedelta(days=7), timedelta(days=1))
"""How long before a certificate expires a warning is announced, once each."""


class RequiredAction(StrEnum):
    """What the owner of a connection has to do about its status: nothing while it is connected."""

    NONE = "none"
    REAUTHORIZE = "reauthorize"
    """Enter the credential again, or a new one."""
    FIX_CONFIG = "fix_config"
    GRANT_PERMISSION = "grant_permission"
    """At the provider: the credential is valid, but lacks a permission."""
    FIX_ACCOUNT = "fix_account"
    """At the provider: pay for it, unlock it, or let the addresses of this platform in."""
    WAIT = "wait"
    CONTACT_SUPPORT = "contact_support"
    """The provider's or ours: neither waiting nor a setting helps."""
