"""Where the credentials of our DynamoDB client come from.

Lambda gives a function its credentials as variables of its environment, for as long as the process
lives. Anything else is left to botocore's chain, which is loaded only then: profiles, sign-in,
roles to assume, containers, and instances. It renews what it found before that expires.
"""

import os
import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol

from patchbay.platform.aws_signature import AwsCredentials
from patchbay.platform.botocore_session import new_session

_LEFT_TO_BOTOCORE: Final = ("AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
"""Variables of an environment that botocore reads in its own way."""


class CredentialSource(Protocol):
    """Thread-safe."""

    def current(self) -> AwsCredentials:
        """What to sign with now. Raises botocore's errors if there are no credentials."""

    def renew(self) -> bool:
        """Looks for newer ones, after AWS said that these have expired; whether there are some."""


def credential_source(environment: Mapping[str, str] = os.environ) -> CredentialSource:
    """The source that botocore would use. Nothing is read yet but the environment."""
    if _in(environment) and not any(environment.get(name) for name in _LEFT_TO_BOTOCORE):
        return EnvironmentCredentials(environment)
    return ChainCredentials()


def _in(environment: Mapping[str, str]) -> AwsCredentials | None:
    access_key_id = environment.get("AWS_ACCESS_KEY_ID")
    secret_access_key = environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key_id or not secret_access_key:
        return None
    return AwsCredentials(
        access_key_id, secret_access_key, environment.get("AWS_SESSION_TOKEN", "")
    )


class EnvironmentCredentials:
    """The variables that Lambda sets."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        found = _in(environment)
        if found is None:
            raise ValueError("the environment has no credentials")
        self._environment = environment
        self._found = found

    def current(self) -> AwsCredentials:
        return self._found

    def renew(self) -> bool:
        found = _in(self._environment)
        if found is None or found == self._found:
            return False
        self._found = found
        return True


class ChainCredentials:
    """What botocore's chain of providers finds, at the first call."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._found: Any = None

    def current(self) -> AwsCredentials:
        found = self._found or self._first()
        # botocore renews what is about to expire; several threads may ask.
        frozen = found.get_frozen_credentials()
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token or "")

    def renew(self) -> bool:
        with self._turn:
            before = self._found.get_frozen_credentials() if self._found else None
            # A session keeps the credentials that it found.
            self._found = _loaded()
            return bool(self._found.get_frozen_credentials() != before)

    def _first(self) -> Any:
        with self._turn:
            if self._found is None:
                self._found = _loaded()
            return self._found


def _loaded() -> Any:
    from botocore.exceptions import NoCredentialsError

    found = new_session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found
