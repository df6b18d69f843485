"""Where the client of a grant comes from."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from patchbay.grants.client_origin import ClientOrigin

if TYPE_CHECKING:
    from patchbay.checks.oauth_client import OAuthClient
    from patchbay.registry.model import Release


class FindsClients(Protocol):
    """The OAuth applications of organizations."""

    def client(
        self,
        origin: ClientOrigin,
        release: "Release",
        variables: Mapping[str, object],
        now: datetime,
    ) -> "OAuthClient":
        """The client that a grant was issued to, for a call that this release makes with these
        variables, and for nothing else.

        Raises `Conflict`, and `TemporarilyUnavailable`.
        """
        ...
