"""The kinds of steps. Each is imported when a step of it is met, and its I/O when it is run."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from patchbay.checks.probe import Kind

_CLASSES: Final = {
    "dns": "DnsKind",
    "http": "HttpKind",
    "oauth2_token": "OAuth2TokenKind",
    "postgres": "PostgresKind",
    "tcp": "TcpKind",
    "tls": "TlsKind",
}
KINDS: Final = tuple(_CLASSES)
"""Their names, each of which is that of a module here, in the order of the alphabet."""


@cache
def kind_of(name: str) -> "Kind":
    """Raises `KeyError` if it is not one of `KINDS`."""
    made: Kind = getattr(import_module(f"{__name__}.{name}"), _CLASSES[name])()
    return made
