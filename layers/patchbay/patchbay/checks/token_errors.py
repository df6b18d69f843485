"""The words that token endpoints use for errors, with the pages that document them. Data.

A row says what an error means and what it is *about*: the client as a whole, its id, its secret,
the grant (a refresh token, a password, an assertion), the scopes, or the request, which the author
of the integration wrote. Words are compared by letters and digits alone, so `invalid_client_id` and
`INVALID-CLIENT-ID` are one word. `token_answers` is the only reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from patchbay.checks.codes import Code

type About = Literal["client", "client_id", "client_secret", "grant", "scopes", "request"]


@dataclass(frozen=True, slots=True)
class TokenVocabulary:
    """The words of one provider or standard, separated by spaces, by what they mean."""

    name: str
    url: str
    words: Mapping[tuple[Code, About], str]


TOKEN_VOCABULARIES: Final = (
    TokenVocabulary(
        "OAuth 2.0",
        "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        {
            ("auth_invalid", "client"): "invalid_client",
            ("permission_denied", "client"): "unauthorized_client access_denied",
            ("request_rejected", "request"): "invalid_request unsupported_grant_type "
            "unsupported_response_type",
            ("request_rejected", "scopes"): "invalid_scope",
            ("provider_error", "request"): "server_error temporarily_unavailable",
        },
    ),
    TokenVocabulary(
        "Resource indicators",
        "https://www.rfc-editor.org/rfc/rfc8707#section-2",
        {("request_rejected", "request"): "invalid_target invalid_resource"},
    ),
    TokenVocabulary(
        "OpenID Connect and OAuth consent",
        "https://openid.net/specs/openid-connect-core-1_0.html#AuthError",
        {
            ("permission_denied", "grant"): "consent_required interaction_required login_required "
            "account_selection_required",
        },
    ),
    TokenVocabulary(
        "DPoP",
        "https://www.rfc-editor.org/rfc/rfc9449#section-5",
        {("request_rejected", "request"): "use_dpop_nonce invalid_dpop_proof"},
    ),
    TokenVocabulary(
        "GitHub",
        "https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/"
        "troubleshooting-oauth-app-access-token-request-errors",
        {
            ("auth_invalid", "client_secret"): "incorrect_client_credentials",
            ("auth_expired", "grant"): "bad_refresh_token bad_verification_code",
            ("request_rejected", "request"): "redirect_uri_mismatch",
            ("permission_denied", "grant"): "unverified_user_email",
        },
    ),
    TokenVocabulary(
        "Slack",
        "https://docs.slack.dev/reference/methods/oauth.v2.access#errors",
        {
            ("auth_invalid", "client_id"): "invalid_client_id",
            ("auth_invalid", "client_secret"): "bad_client_secret",
            ("auth_expired", "grant"): "invalid_code code_already_used invalid_refresh_token "
            "token_expired",
            ("request_rejected", "request"): "bad_redirect_uri invalid_grant_type "
            "cannot_install_an_org_installed_app oauth_authorization_url_mismatch "
            "preview_feature_not_available",
            ("permission_denied", "client"): "no_scopes invalid_team_for_non_distributed_app",
        },
    ),
    TokenVocabulary(
        "Zoho",
        "https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-errors.html",
        {
            ("auth_invalid", "client_secret"): "invalid_client_secret",
            ("provider_error", "request"): "general_error",
        },
    ),
    TokenVocabulary(
        "HubSpot",
        "https://developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide",
        {
            ("auth_invalid", "client_id"): "BAD_CLIENT_ID",
            ("auth_invalid", "client_secret"): "BAD_CLIENT_SECRET",
            ("auth_expired", "grant"): "BAD_REFRESH_TOKEN BAD_AUTH_CODE",
            ("request_rejected", "request"): "BAD_GRANT_TYPE BAD_REDIRECT_URI",
        },
    ),
    TokenVocabulary(
        "Google",
        "https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors",
        {
            ("account_locked", "client_id"): "deleted_client disabled_client",
            ("permission_denied", "grant"): "admin_policy_enforced org_internal",
            ("rate_limited", "request"): "rate_limit_exceeded",
        },
    ),
    TokenVocabulary(
        "Salesforce",
        "https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm",
        {
            ("account_locked", "grant"): "inactive_user inactive_org",
            ("auth_invalid", "client_id"): "invalid_client_id",
            ("auth_invalid", "client"): "invalid_client_credentials",
            ("auth_revoked", "grant"): "token_revoked",
        },
    ),
    TokenVocabulary(
        "Docusign",
        "https://developers.docusign.com/platform/auth/reference/error-codes/",
        {
            ("auth_invalid", "client_id"): "issuer_not_found unauthorized_issuer",
            ("auth_invalid", "grant"): "user_not_found no_valid_keys_or_signatures",
            ("auth_expired", "grant"): "expired_grant",
        },
    ),
    TokenVocabulary(
        "Meta",
        "https://developers.facebook.com/docs/graph-api/guides/error-handling/",
        {("auth_invalid", "client"): "OAuthException"},
    ),
    TokenVocabulary(
        "Microsoft Entra ID",
        "https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes",
        {
            ("auth_invalid", "client_id"): "AADSTS700016 AADSTS7000110 AADSTS90013",
            ("auth_invalid", "client_secret"): "AADSTS7000215 AADSTS50012 AADSTS700027 "
            "AADSTS7000218",
            ("auth_expired", "client_secret"): "AADSTS7000222 AADSTS700024",
            ("account_locked", "client_id"): "AADSTS7000112",
            ("not_found", "request"): "AADSTS90002 AADSTS900023",
            ("auth_invalid", "grant"): "AADSTS50126 AADSTS50034 AADSTS50020 AADSTS9002313",
            ("auth_expired", "grant"): "AADSTS700082 AADSTS70008 AADSTS700084 AADSTS50055 "
            "AADSTS50089 AADSTS70043 AADSTS70000",
            ("auth_revoked", "grant"): "AADSTS50173",
            ("account_locked", "grant"): "AADSTS50053 AADSTS50057",
            ("permission_denied", "grant"): "AADSTS50076 AADSTS50079 AADSTS53003 AADSTS65001 "
            "AADSTS65004 AADSTS90094 AADSTS50105",
            ("request_rejected", "scopes"): "AADSTS70011 AADSTS650053 AADSTS1002012",
            ("request_rejected", "request"): "AADSTS900144 AADSTS70003 AADSTS90014 AADSTS900561 "
            "AADSTS500011",
        },
    ),
)

TOKEN_SENTENCES: Final[tuple[tuple[Code, About, str], ...]] = (
    (
        "auth_expired",
        "client_secret",
        r"client[ _]?secret\b.{0,80}\bexpired|expired client[ _]?secret|"
        r"secret keys?\b.{0,40}\bexpired",
    ),
    (
        "auth_invalid",
        "client_id",
        r"\b(?:unknown|no such|unrecognized|unregistered) (?:oauth ?2? )?"
        r"(?:client|(?:app|application)|consumer)\b"
        r"|\b(?:client|(?:app|application)|consumer)(?: ?id(?:entifier)?)?\b.{0,120}"
        r"(?:not (?:be )?found|(?:does not|doesn't) exist|not registered|is unknown|not recognized)"
        r"|\b(?:invalid|bad|wrong|incorrect|missing) ['\"]?client[ _]?id['\"]?(?! (?:or|and)\b)"
        r"|invalid value for '?client_id|\bclient_?id is (?:invalid|wrong|incorrect)\b"
        r"|cannot get application info",
    ),
    (
        "auth_invalid",
        "client_secret",
        r"\b(?:invalid|bad|wrong|incorrect) client(?:[ _]?(?:secret|credentials)| or )"
        r"|\bclient[ _]?(?:secret|credentials)\b.{0,80}"
        r"\b(?:invalid|incorrect|wrong|mismatch|not match|not valid)"
        r"|\bvalidating client secret",
    ),
)
"""What descriptions say, in lower case, that a word such as `invalid_client` leaves open; the first
that matches counts. They stand before the words: Keycloak answers `unauthorized_client` to a wrong
secret, and Twitch has no words at all."""

GRANT_SENTENCES: Final[tuple[tuple[Code, str], ...]] = (
    (
        "auth_revoked",
        r"\b(?:token|grant)\b.{0,60}\brevoked|\brevoked\b.{0,30}token",
    ),
    (
        "auth_expired",
        r"\brefresh[ _]?token\b.{0,60}"
        r"\b(?:invalid|expired|malformed|not (?:be )?found|unknown|not valid|inactive|not active)"
        r"|\b(?:invalid|expired|unknown|missing or unknown|bad) refresh[ _]?token",
    ),
)
"""The same for a refresh token. Atlassian answers `unauthorized_client` to one that has ended
(https://developer.atlassian.com/cloud/oauth/getting-started/refresh-tokens/)."""
