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


@dataclass(frozen=True, slots=True)
class ConnectionsSettings(Settings):
    integrations_table: str
    vault_key_id: str


@dataclass(frozen=True, slots=True)
class HealthSettings(Settings):
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
