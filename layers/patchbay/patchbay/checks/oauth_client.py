"""An OAuth application as its provider knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """The id of a client, and how it shows who it is: by a secret, by a private key in PEM (RFC
    7523), or, if it is public, by neither."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)

    @classmethod
    def of_secrets(cls, entered: Mapping[str, str]) -> Self:
        """The client that an endpoint's own secrets name."""
        client_secret, private_key = entered.get("client_secret"), entered.get("private_key")
        return cls(entered.get("client_id", ""), client_secret, private_key)

    def secrets(self) -> Mapping[str, str]:
        """By the names that placeholders have."""
        named = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "private_key": self.private_key,
        }
        return {name: value for name, value in named.items() if value}
