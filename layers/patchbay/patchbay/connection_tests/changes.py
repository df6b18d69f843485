"""What has changed since a test last passed, by fingerprints of what was tested. Pure.

A fingerprint holds no values. A variable is represented by its hash, and the secrets by the time
they were entered: a hash of a secret could be used to guess it.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ConfigDict

from patchbay.checks.roles import Role
from patchbay.connections.endpoint_model import Endpoint
from patchbay.platform.clock import UtcTime
from patchbay.platform.model import Model
from patchbay.platform.strict_json import canonical


class EndpointFingerprint(Model):
    """An endpoint as it was tested. `secrets` is when they were entered, or the account was
    connected; None without any."""

    model_config = ConfigDict(frozen=True)

    release: str
    secrets: UtcTime | None
    variables: dict[str, str]

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        return cls.of_valid(
            release=endpoint.version,
            secrets=max(
                filter(None, (endpoint.secrets_entered_at, endpoint.granted_at)), default=None
            ),
            variables=_marks(endpoint.variables),
        )


class Fingerprint(Model):
    """What was tested, part by part, so that two tests can be compared."""

    model_config = ConfigDict(frozen=True)

    endpoints: dict[Role, EndpointFingerprint]
    configurations: dict[str, str]

    @classmethod
    def of(
        cls, endpoints: Mapping[Role, EndpointFingerprint], configurations: Mapping[str, Any]
    ) -> Self:
        return cls.of_valid(endpoints=dict(endpoints), configurations=_marks(configurations))


class PassedTest(Model):
    """The last test that passed, and what it tested."""

    model_config = ConfigDict(frozen=True)

    test_id: str
    at: UtcTime
    fingerprint: Fingerprint


class ReleaseChange(Model):
    """A change of release; null if there was, or is, no such endpoint."""

    role: Role
    before: str | None
    now: str | None


class WhatChanged(Model):
    """What differs from the last test that passed: names, never values.

    `test_id` and `at` are that test's. Variables are named with their role (`source.region`);
    `secret_version` lists the roles whose secrets were entered again, replaced, or removed. If all
    are empty, nothing was changed here.
    """

    test_id: str
    at: UtcTime
    variables: list[str]
    secret_version: list[Role]
    release: list[ReleaseChange]
    configurations: list[str]

    @classmethod
    def since(cls, passed: PassedTest, now: Fingerprint) -> Self:
        before = passed.fingerprint
        roles = [role for role in Role if role in before.endpoints or role in now.endpoints]
        pairs = [(role, before.endpoints.get(role), now.endpoints.get(role)) for role in roles]
        return cls(
            test_id=passed.test_id,
            at=passed.at,
            variables=[
                f"{role}.{name}"
                for role, old, new in pairs
                for name in _differing(old.variables if old else {}, new.variables if new else {})
            ],
            secret_version=[
                role
                for role, old, new in pairs
                if (old.secrets if old else None) != (new.secrets if new else None)
            ],
            release=[
                ReleaseChange(
                    role=role,
                    before=old.release if old else None,
                    now=new.release if new else None,
                )
                for role, old, new in pairs
                if (old.release if old else None) != (new.release if new else None)
            ],
            configurations=_differing(before.configurations, now.configurations),
        )


def _marks(values: Mapping[str, Any]) -> dict[str, str]:
    """64 bits of a hash are enough to tell apart two values that one tenant entered."""
    return {
        name: hashlib.sha256(canonical(value)).hexdigest()[:16] for name, value in values.items()
    }


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(n for n in before.keys() | now.keys() if before.get(n) != now.get(n))
