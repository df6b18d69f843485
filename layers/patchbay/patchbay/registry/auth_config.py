"""`authConfig` of an integration: which secrets its type asks for."""

from collections.abc import Mapping
from typing import Any, Final

SECRETS_OF_TYPE: Final[Mapping[str, tuple[str, ...]]] = {
    "api_key": ("api_key",),
    "oauth2": ("access_token", "refresh_token", "client_id", "client_secret"),
    "none": (),
}
"""The secrets that each type may ask for; the first is the one that is sent."""


def auth_type(auth_config: Mapping[str, object]) -> str:
    """The type of a valid `authConfig`; without one it is `none`."""
    return str(auth_config.get("type") or "none")


def secret_names(auth_config: Mapping[str, object], manifest: Mapping[str, Any]) -> list[str]:
    """The secrets that an endpoint of a release may have: its auth type's and those declared."""
    declared = manifest.get("secretsSchema", {}).get("properties", {})
    return list(dict.fromkeys([*SECRETS_OF_TYPE[auth_type(auth_config)], *declared]))
