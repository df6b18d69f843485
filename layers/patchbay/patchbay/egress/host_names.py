"""Host names that are not part of the public DNS."""

from typing import Final

# These mean this machine, whatever a resolver says (RFC 6761): never dialed.
_SELF: Final = frozenset(
    {
        "localhost",
        "localhost4",
        "localhost6",
        "ip6-localhost",
        "ip6-loopback",
        "localdomain",
        "broadcasthost",
    }
)
# Suffixes of private networks: private-use or special-use domains (RFC 6761, RFC 6762, RFC 8375,
# ICANN's `.internal`), and those that companies and container platforms commonly use.
_PRIVATE_SUFFIXES: Final = frozenset(
    {
        "alt",
        "arpa",
        "corp",
        "example",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "mail",
        "onion",
        "priv",
        "private",
        "svc",
        "test",
    }
)


def is_self(host: str) -> bool:
    """Whether `host` (lower case, no trailing dot) means this machine."""
    return host.rpartition(".")[2] in _SELF


def is_private(host: str) -> bool:
    """Whether `host` (lower case, no trailing dot) is below a suffix of private networks."""
    _, dot, suffix = host.rpartition(".")
    return bool(dot) and suffix in _PRIVATE_SUFFIXES
