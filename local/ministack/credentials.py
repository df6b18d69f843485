"""Credentials of functions that nobody can guess.

MiniStack derives the credentials of a function's role from the function's and the role's names,
which are the same on every machine. These are random and last as long as the emulator runs.
"""

import secrets
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, sts

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class FunctionCredentials:
    """Gives each function a session of its role."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        """The secret access key of each access key id."""
        self._given: dict[tuple[str, str], dict[str, str]] = {}

    def take_over(self) -> None:
        """From now on, MiniStack starts functions with these."""
        lambda_runtime.execution_credentials = self.of
        lambda_svc.execution_credentials = self.of

    def of(self, config: dict[str, Any]) -> dict[str, str]:
        """The environment variables of a function with this configuration."""
        arn, role_arn = config["FunctionArn"], config["Role"]
        if (arn, role_arn) not in self._given:
            self._given[arn, role_arn] = self._give(arn, role_arn, config["FunctionName"])
        return self._given[arn, role_arn]

    def _give(self, arn: str, role_arn: str, name: str) -> dict[str, str]:
        access_key_id = "ASIA" + "".join(secrets.choice(_ALPHABET) for _ in range(16))
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(60)
        account, role = arn.split(":")[4], role_arn.rpartition("/")[2]
        session = name[:64]
        sts.register_session(
            access_key_id,
            {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
                "UserId": f"{role}:{session}",
                "SecretAccessKey": secret,
                "SessionToken": token,
            },
        )
        self.secrets[access_key_id] = secret
        return {
            "AWS_ACCESS_KEY_ID": access_key_id,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": token,
        }
