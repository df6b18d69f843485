"""Where the answer of a token endpoint has its parts, and what its errors may be about. Pure."""

from dataclasses import dataclass
from typing import Final

from patchbay.checks.token_errors import About

ACCESS_TOKENS: Final = (
    *("/access_token", "/accessToken", "/authed_user/access_token"),
    *("/data/access_token", "/data/accessToken", "/result/access_token", "/response/access_token"),
)
"""Where an access token is if the integration does not say: at the top as RFC 6749 has it, or where
Slack (`authed_user`, https://docs.slack.dev/reference/methods/oauth.v2.access) and APIs with an
envelope put it."""

EXPIRIES: Final = ("/expires_in", "/expiresIn", "/data/expires_in", "/authed_user/expires_in")
REFRESH_EXPIRIES: Final = (
    *("/refresh_token_expires_in", "/refresh_expires_in", "/x_refresh_token_expires_in"),
    "/refreshTokenExpiresIn",
)
"""GitHub, Keycloak, and QuickBooks name it differently
(https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens,
https://developer.intuit.com/app/developer/qbo/docs/develop/authentication-and-authorization/oauth-2.0)."""


@dataclass(frozen=True, slots=True)
class TokenPlaces:
    """JSON Pointers to the parts of an answer; of each but `refresh_token` the first that leads to
    a value of the right type counts."""

    access_token: tuple[str, ...] = ACCESS_TOKENS
    refresh_token: str = "/refresh_token"  # noqa: S105 - a JSON Pointer
    scope: tuple[str, ...] = ("/scope", "/scopes")
    expires_in: tuple[str, ...] = EXPIRIES
    refresh_expires_in: tuple[str, ...] = REFRESH_EXPIRIES


@dataclass(frozen=True, slots=True)
class TokenSubjects:
    """The pointers to what an error may be about, and whether the grant is a refresh token."""

    client_id: str
    client_secret: str
    grant: str
    audience: str | None = None
    is_refresh: bool = False

    def pointer(self, about: About) -> str | None:
        match about:
            case "client" | "client_secret":
                return self.client_secret
            case "client_id":
                return self.client_id
            case "grant":
                return self.grant
        return None
