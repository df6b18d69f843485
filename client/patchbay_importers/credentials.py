"""Kinds of credentials that several formats have, as `authConfig`."""

from __future__ import annotations

from typing import Any

from patchbay_importers.drafts import Draft, is_https

NOT_IN_A_HEADER = (
    "its key is not in a header: checks send it, the proxy and a credential's readers do not"
)


def header_key(header: str, prefix: str) -> dict[str, Any]:
    """A key, or a token that is entered, in a header."""
    return {"type": "api_key", "authHeaderName": header, "authValuePrefix": prefix}


def query_key(draft: Draft, parameter: str) -> dict[str, str]:
    """A key in the query: the parameter that checks send. `authConfig` has nothing to say."""
    draft.auth = {"type": "none"}
    draft.declare_secret("api_key", {"title": parameter}, is_required=True)
    draft.notes.append(NOT_IN_A_HEADER)
    return {parameter: "{{secrets.api_key}}"}


def oauth2(
    token_url: str, authorization_url: str | None, scopes: list[str], refresh_url: str | None = None
) -> dict[str, Any]:
    """The code flow if there is an authorization URL, or else the client's own grant."""
    auth: dict[str, Any] = {"type": "oauth2", "tokenUrl": token_url, "clientAuth": "body"}
    if authorization_url:
        auth["authorizationUrl"] = authorization_url
    else:
        auth["grantType"] = "client_credentials"
    if refresh_url and is_https(refresh_url):
        auth["refreshUrl"] = refresh_url
    if scopes:
        auth["scopes"] = scopes
    return auth
