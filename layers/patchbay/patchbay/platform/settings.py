"""What each function is told by its environment, which template.yaml sets.

One frozen dataclass per function; a field is the environment variable of the same name in capitals.
Read when a handler is first called, so that importing a function needs no environment.
"""

import dataclasses
import os
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Settings:
    """Read with `from_env()`, which raises `KeyError` with the variable that is missing."""

    @classmethod
    def from_env(cls) -> Self:
        return cls(
            **{
                field.name: field.type(os.environ[field.name.upper()])  # type: ignore[operator]  # str or int
                for field in dataclasses.fields(cls)
            }
        )


@dataclass(frozen=True, slots=True)
class ControlPlaneSettings(Settings):
    """Of the functions that only need the integrations table: tenancy, registry."""

    integrations_table: str


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class EventsSettings(Settings):
    """Of what only works on the events table."""

    events_table: str


@dataclass(frozen=True, slots=True)
class HealthSettings(Settings):
    """Of both entrances of events."""

    integrations_table: str
    events_table: str
    raw_event_days: int


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class DispatchMonitorsSettings(Settings):
    """`integration_bus` is the name of the event bus, `monitor_lanes` how many slots those who are
    due together are cut into."""

    integrations_table: str
    monitor_queue_url: str
    monitor_lanes: int
    integration_bus: str


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class EvaluateAlertsSettings(Settings):
    integrations_table: str
    events_table: str
    raw_event_days: int
    notification_queue_url: str


@dataclass(frozen=True, slots=True)
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
