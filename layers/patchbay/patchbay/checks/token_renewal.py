"""A fresh access token without a person, as `authConfig` says how. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.templates import Placeholder, Values
from patchbay.checks.token_calls import ExpirySettings, TokenCall, token_call
from patchbay.checks.token_requests import TokenRequest


@dataclass(frozen=True, slots=True)
class RenewalRecipe:
    """By a refresh token, or by the grant of the release if that needs no one at a browser."""

    request: TokenRequest
    expiry: ExpirySettings = field(default_factory=ExpirySettings)
    defaults: Mapping[str, object] = field(default_factory=dict)

    @property
    def needs_refresh_token(self) -> bool:
        return self.request.grant == "refresh_token"

    @property
    def scopes(self) -> tuple[str, ...]:
        """Those that are asked for: none with a refresh token, which has its own."""
        return self.request.scopes

    def placeholders(self) -> Iterator[Placeholder]:
        return self.request.placeholders()

    def refresh(
        self, variables: Mapping[str, object], client: OAuthClient, *, secrets: Mapping[str, str]
    ) -> TokenCall:
        """The call for a fresh token. `secrets` has `refresh_token` if it is needed, and those that
        `tokenParams` or `refreshParams` use. Raises ValueRefused.

        Nothing is captured: what connecting found out stays, and no value that the integration
        does not allow may cost the tokens that came with it.
        """
        values = Values({**self.defaults, **variables}, {**secrets, **client.secrets()})
        return token_call(self.request, values, expiry=self.expiry)
