"""A fresh access token without a person, as `authConfig` says how. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from patchbay.checks.oauth_client import OAuthClient
from patchbay.checks.templates import Placeholder, Values
from patchbay.checks.token_calls import ExpirySettings, TokenCall, token_call
from patchbay.checks.token_requests import TokenRequest


@dataclass(frozen=True, slots=True)
class RenewalRecipe:
    """By a refresh token, or by the grant of the release if that needs no one at a browser.

    `has_redirect_uri`: the provider wants the redirect URI of the authorization again.
    """

    request: TokenRequest
    expiry: ExpirySettings = field(default_factory=ExpirySettings)
    defaults: Mapping[str, object] = field(default_factory=dict)
    has_redirect_uri: bool = False

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
        self,
        variables: Mapping[str, object],
        client: OAuthClient,
        *,
        secrets: Mapping[str, str],
        redirect_uri: str | None = None,
    ) -> TokenCall:
        """The call for a fresh token. `secrets` has `refresh_token` if it is needed, and those that
        `tokenParams` or `refreshParams` use. `redirect_uri` is that of the authorization, None for
        tokens that were pasted: nobody knows it then, and it is left out. Raises ValueRefused.

        Nothing is captured: what connecting found out stays, and no value that the integration
        does not allow may cost the tokens that came with it.
        """
        values = Values({**self.defaults, **variables}, {**secrets, **client.secrets()})
        request = self.request
        if self.has_redirect_uri and redirect_uri:
            request = replace(request, given={"redirect_uri": redirect_uri})
        return token_call(request, values, expiry=self.expiry)
