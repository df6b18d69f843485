"""The kinds of steps, one module each. A kind is imported when a step of it is met."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from patchbay.checks.probe import Kind

KINDS: Final = (
    *("any_of", "dns", "grpc", "http", "mysql", "oauth2_token", "postgres"),
    *("redis", "s3", "smtp", "tcp", "tls", "websocket"),
)
"""Their names, in alphabetical order. The module of each name has its `KIND`."""


@cache
def kind_of(name: str) -> "Kind":
    """Raises `ModuleNotFoundError` if it is not one of `KINDS`."""
    kind: Kind = import_module(f"{__name__}.{name}").KIND
    return kind
