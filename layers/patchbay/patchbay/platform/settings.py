"""What each function is told by its environment, which template.yaml sets.

One class per function; a field is the environment variable of the same name in capitals. Read when
a handler is first called, so that importing a function needs no environment.
"""

import os
from typing import Never, Self


class Settings:
    """Read with `from_env()`, and read-only.

    No dataclass: a function uses one of these classes and imports all, and those take a third of a
    millisecond each.
    """

    @classmethod
    def from_env(cls) -> Self:
        """Raises `KeyError` with the variable that is missing."""
        read = cls()
        for name, kind in cls.__annotations__.items():
            object.__setattr__(read, name, kind(os.environ[name.upper()]))
        return read

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"{name} is read-only")


class ControlPlaneSettings(Settings):
    """Of the functions that only need the integrations table: tenancy, registry."""

    integrations_table: str


class AuthorizerSettings(Settings):
    """Without `jwt_issuer`, API keys alone are recognised; an empty `jwt_jwks_url` is the issuer's
    `/.well-known/jwks.json`."""

    integrations_table: str
    jwt_issuer: str
    jwt_audience: str
    jwt_jwks_url: str
    jwt_organization_claim: str
    jwt_permissions_claim: str
    requests_per_minute: int


class ConnectionsSettings(Settings):
    """Here and below, `own_host_names` are more names of the API, joined by commas, that nothing
    may dial."""

    integrations_table: str
    vault_key_id: str
    egress_allow: str
    own_host_names: str
    tests_per_minute: int
    tests_in_flight: int
    dns_resolver: str


class EventsSettings(Settings):
    """Of what only works on the events table."""

    events_table: str


class HealthSettings(Settings):
    """Of both entrances of events."""

    integrations_table: str
    events_table: str
    raw_event_days: int


class ChecksSettings(Settings):
    integrations_table: str
    events_table: str
    raw_event_days: int
    vault_key_id: str
    egress_allow: str
    own_host_names: str
    dns_resolver: str
    tests_per_minute: int
    tests_in_flight: int
    test_queue_url: str


class DispatchMonitorsSettings(Settings):
    """`integration_bus` is the name of the event bus, `monitor_lanes` how many slots those who are
    due together are cut into."""

    integrations_table: str
    monitor_queue_url: str
    monitor_lanes: int
    integration_bus: str


class RunMonitorsSettings(Settings):
    """`monitor_canary` is a URL or empty; of the two `auto_disable_…`, 0 is never."""

    integrations_table: str
    events_table: str
    raw_event_days: int
    vault_key_id: str
    egress_allow: str
    own_host_names: str
    dns_resolver: str
    api_host: str
    monitor_queue_url: str
    monitor_canary: str
    auto_disable_failures: int
    auto_disable_days: int
    integration_bus: str


class RunTestsSettings(Settings):
    """`api_host` is the API's own host name, which tests may not dial."""

    integrations_table: str
    events_table: str
    raw_event_days: int
    vault_key_id: str
    egress_allow: str
    own_host_names: str
    dns_resolver: str
    api_host: str


class AlertsSettings(Settings):
    """`alert_topic_arns` are joined by commas."""

    integrations_table: str
    events_table: str
    raw_event_days: int
    vault_key_id: str
    egress_allow: str
    own_host_names: str
    alert_topic_arns: str
    notification_queue_url: str


class EvaluateAlertsSettings(Settings):
    integrations_table: str
    events_table: str
    raw_event_days: int
    notification_queue_url: str


class DeliverNotificationsSettings(Settings):
    """`api_host` is the API's own host name, which webhooks may not be at."""

    integrations_table: str
    vault_key_id: str
    egress_allow: str
    own_host_names: str
    dns_resolver: str
    api_host: str
    alert_topic_arns: str
    integration_bus: str
