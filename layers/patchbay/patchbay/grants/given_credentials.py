"""What a caller who may use credentials is given. Pure."""

from base64 import b64decode
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field

from patchbay.checks.problems import PlanProblem
from patchbay.checks.roles import Role
from patchbay.checks.templates import ValueRefused
from patchbay.grants.opened_endpoint import OpenedEndpoint, unusable_credential
from patchbay.platform.clock import UtcTime
from patchbay.platform.model import Model


class CredentialsQuery(Model):
    """`role` says whose credentials of the two ends of a connection."""

    model_config = ConfigDict(extra="forbid")

    role: Role = Role.SOURCE


class GivenHeader(Model):
    """The header that carries the credential in a request to the provider."""

    name: str
    value: str


def _is_none(value: object) -> bool:
    return value is None


_LEFT_OUT: Final = Field(default=None, exclude_if=_is_none)

_TOKENS: Final = {"oauth2": "access_token", "api_key": "api_key"}
"""The secret that these types of `authConfig` send. A refresh token, a client secret, and a private
key are never given: a caller with an access token has no more than that, until it expires."""


class GivenCredentials(Model):
    """Usable credentials of an endpoint, by the type of its `authConfig`.

    `secrets` are other secrets that the integration lets callers read. Never a refresh token, a
    client secret, or a private key.
    """

    type: Literal["oauth2", "api_key", "basic", "none"]
    endpoint_id: str
    access_token: Annotated[str | None, _LEFT_OUT]
    api_key: Annotated[str | None, _LEFT_OUT]
    username: Annotated[str | None, _LEFT_OUT]
    password: Annotated[str | None, _LEFT_OUT]
    secrets: dict[str, str]
    header: GivenHeader | None
    base_url: str | None
    expires_at: UtcTime | None
    scopes: list[str] | None

    @classmethod
    def of(cls, opened: OpenedEndpoint) -> Self:
        """Raises `CredentialUnusable` for a credential that is missing."""
        recipe = opened.recipe
        header = _header(opened)
        return cls.model_validate(
            {
                "type": recipe.auth_type,
                "endpoint_id": opened.endpoint.id,
                **_credential(opened, header),
                "secrets": {
                    n: opened.secrets[n] for n in recipe.given_secrets if n in opened.secrets
                },
                "header": header,
                "base_url": _base_url(opened),
                "expires_at": opened.usable.expires_at,
                "scopes": None if opened.scopes is None else list(opened.scopes),
            }
        )


def _credential(opened: OpenedEndpoint, header: GivenHeader | None) -> dict[str, str]:
    kind = opened.recipe.auth_type
    if kind == "basic" and header:
        pair = b64decode(header.value.removeprefix("Basic ")).decode()
        username, _, password = pair.partition(":")
        return {"username": username, "password": password}
    if kind not in _TOKENS:
        return {}
    name = _TOKENS[kind]
    if not opened.secrets.get(name):
        raise unusable_credential(PlanProblem(f"/secrets/{name}", "is missing", "secret_not_found"))
    return {name: opened.secrets[name]}


def _header(opened: OpenedEndpoint) -> GivenHeader | None:
    """The header; None for a key that no header can carry, which may go elsewhere."""
    try:
        headers = opened.recipe.credential(opened.values)
    except ValueRefused as refused:
        if refused.problem.code == "config_invalid" and opened.recipe.auth_type != "basic":
            return None
        raise unusable_credential(refused.problem) from None
    return GivenHeader(name=headers[0][0], value=headers[0][1]) if headers else None


def _base_url(opened: OpenedEndpoint) -> str | None:
    """Null if a secret is a part of it that is not given."""
    url = opened.recipe.base_url
    given = {*opened.recipe.given_secrets, *_TOKENS.values()}
    if url is None or any(
        p.source == "secrets" and p.name not in given for p in url.placeholders()
    ):
        return None
    try:
        return url.target(opened.values).url
    except ValueRefused:
        return None
