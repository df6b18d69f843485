"""The AWS account that a stack is in, as the user's own credentials see it. Nothing is changed.

boto3 is imported here alone, when the first of these is made: `patchbay-sdk[aws]` installs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from patchbay_cli.http_dates import date_of
from patchbay_cli.run import CommandFailed

_DENIED: Final = ("AccessDenied", "Unauthorized", "AuthorizationError", "NotAuthorized")


class Unseen(Exception):
    """Something could not be looked at; the text says what is needed."""


class AwsRefused(Exception):
    """AWS refused a call for another reason than a permission."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class AwsAccount:
    """Read-only calls, in one region."""

    def __init__(self, *, region: str | None, profile: str | None) -> None:
        try:
            import boto3
        except ModuleNotFoundError:
            raise CommandFailed("--stack needs: pip install 'patchbay-sdk[aws]'") from None
        from botocore.exceptions import BotoCoreError

        # The variable that AWS's own programs prefer is one that boto3 does not read.
        region = region or os.environ.get("AWS_REGION")
        try:
            self._session: Any = boto3.Session(region_name=region, profile_name=profile)
        except BotoCoreError as error:
            raise CommandFailed(str(error)) from None
        if self._session.region_name is None:
            raise CommandFailed("the region is missing: --region, or AWS_REGION")
        self.region: str = self._session.region_name
        self.date: datetime | None = None
        """The clock of AWS at the last answer of `ask`."""
        self._clients: dict[str, Any] = {}

    def ask(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """One answer. Raises `Unseen` and `AwsRefused`."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._client(service)
        try:
            answer: dict[str, Any] = getattr(client, operation)(**parameters)
        except ClientError as error:
            raise _refusal(error, f"{service}:{_action(client, operation)}") from None
        except BotoCoreError as error:
            raise Unseen(str(error)) from None
        said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        self.date = date_of(said)
        return answer

    def all(
        self, service: str, operation: str, field: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """The items of all pages. Raises as `ask`."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._client(service)
        try:
            for page in client.get_paginator(operation).paginate(**parameters):
                yield from page.get(field, ())
        except ClientError as error:
            raise _refusal(error, f"{service}:{_action(client, operation)}") from None
        except BotoCoreError as error:
            raise Unseen(str(error)) from None

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]


def _action(client: Any, operation: str) -> str:
    """The name of an operation in policies."""
    name: str = client.meta.method_to_api_mapping[operation]
    return name


def _refusal(error: Any, permission: str) -> Exception:
    found = error.response.get("Error", {})
    code = str(found.get("Code", ""))
    if any(denied in code for denied in _DENIED):
        return Unseen(f"needs {permission}")
    return AwsRefused(code, str(found.get("Message", "")))
