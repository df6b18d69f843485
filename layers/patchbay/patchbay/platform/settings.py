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
    """Of the functions that only need the integrations table: authorizer, tenancy, registry."""

    integrations_table: str


@dataclass(frozen=True, slots=True)
class ConnectionsSettings(Settings):
    integrations_table: str
    vault_key_id: str


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
