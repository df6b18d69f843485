"""Whose client a provider issued tokens to."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ClientOrigin:
    """The OAuth application of an organization or, with None, the client that is among the secrets
    of the endpoint."""

    organization_id: str | None = None

    @property
    def is_application(self) -> bool:
        return self.organization_id is not None


OF_ENDPOINT: Final = ClientOrigin()
