"""`authConfig` of an integration: what it must say, and which secrets its type asks for."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import StringConstraints

from patchbay.platform.errors import Problem
from patchbay.platform.validation import HTTPS_PATTERN, pointer

SECRETS_OF_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "api_key": ("api_key",),
    "oauth2": ("access_token", "refresh_token", "client_id", "client_secret"),
    "basic": ("username", "password"),
    "none": (),
}
"""The secrets that each type has by default. The first is the one that is sent; `basic` sends
both."""

PLACEHOLDER_NAME_PATTERN: Final = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"
SecretName = Annotated[str, StringConstraints(pattern=PLACEHOLDER_NAME_PATTERN)]
"""A name that a placeholder can have: `{{secrets.<name>}}`."""

TOKEN_KEYS: Final = frozenset(
    {
        *("clientAuth", "clientAssertion", "scopeSeparator", "tokenMethod", "tokenBodyFormat"),
        *("tokenParams", "tokenHeaders", "parameterNames", "tokenResponse"),
    }
)
"""How a token is requested: members of `authConfig`, and of a step that does it differently."""

OAUTH_KEYS: Final = TOKEN_KEYS | {
    *("grantType", "tokenUrl", "authorizationUrl", "refreshUrl", "revocationUrl", "revocation"),
    *("authorizationParams", "refreshParams", "pkce", "capture", "lookup", "callbackHmac"),
    "issuer",
    *("expiresInUnit", "defaultExpiresIn", "stateInExchange", "redirectUriInRefresh"),
}
"""The members that only `oauth2` uses."""

AUTH_CONFIG_KEYS: Final = OAUTH_KEYS | {
    *("type", "scopes", "authHeaderName", "authValuePrefix", "callbackUrl"),
    *("username", "password"),
}
AUTHORIZATION_CODE: Final = "authorization_code"
_GRANT: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}|(?:urn:|https://)[!-~]{1,200}", re.ASCII)
_HTTPS: Final = re.compile(HTTPS_PATTERN.strip("^$"))
_AT_A_BROWSER: Final = frozenset(
    {
        AUTHORIZATION_CODE,
        "implicit",
        "device_code",
        "urn:ietf:params:oauth:grant-type:device_code",
    }
)


def is_grant(name: object) -> bool:
    """Whether it can be a grant type: a name, or a URI for an extension (RFC 6749 §4.5)."""
    return isinstance(name, str) and _GRANT.fullmatch(name) is not None


def needs_a_person(grant: object) -> bool:
    """Whether someone at a browser has to agree before the first token."""
    return grant in _AT_A_BROWSER


def auth_type(auth_config: Mapping[str, object]) -> str:
    """The type of a valid `authConfig`, which is `none` by default."""
    return str(auth_config.get("type") or "none")


def auth_config_problems(auth_config: Mapping[str, Any]) -> Iterator[Problem]:
    """What an `authConfig` lacks for its type, with pointers that start with `/authConfig`.

    `oauth2` needs a `tokenUrl`, and an `authorizationUrl` for the grant `authorization_code` (the
    default). How the credential is sent is judged by `credential_problems`.
    """
    for name in auth_config.keys() - AUTH_CONFIG_KEYS:
        yield Problem(f"/authConfig{pointer([name])}", "is not a known key")
    kind = auth_config.get("type")
    if not isinstance(kind, str) or kind not in SECRETS_OF_TYPE:
        yield Problem("/authConfig/type", f"must be one of {', '.join(SECRETS_OF_TYPE)}")
        return
    scopes = auth_config.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(s, str) and s for s in scopes):
        yield Problem("/authConfig/scopes", "must be a list of scope names")
    grant = auth_config.get("grantType", AUTHORIZATION_CODE)
    if not is_grant(grant):
        yield Problem("/authConfig/grantType", "must be a grant type, such as client_credentials")
    required = set()
    if kind == "oauth2":
        required = {"tokenUrl"} | ({"authorizationUrl"} if grant == AUTHORIZATION_CODE else set())
    for name in sorted(required):
        if auth_config.get(name) is None:
            yield Problem(f"/authConfig{pointer([name])}", "is required")
    url = auth_config.get("callbackUrl")
    if url is not None and not (isinstance(url, str) and _HTTPS.fullmatch(url)):
        yield Problem("/authConfig/callbackUrl", "must be an https URL")
