"""What the errors of Redis, and of services that speak its protocol, mean.

By their first word: https://redis.io/docs/latest/develop/reference/errors/. Most errors begin with
`ERR`, so the words decide first.
"""

from collections.abc import Mapping
from typing import Final

from patchbay.checks.protocols.error_meaning import Meaning

_WRONG: Final = Meaning("auth_invalid", "The server did not accept the password")
_NO_PASSWORD_SET: Final = Meaning(
    "auth_invalid", "The server has no password, so it takes none: anyone may use it", "password"
)
_NO_CONNECTION: Final = Meaning("provider_error", "The server has no free connection")
_UNAVAILABLE: Final = Meaning(
    "provider_error", "The server is starting, stopping, or not available"
)
_SHORT: Final = Meaning("provider_error", "The server is short of memory or storage")
_UNKNOWN_COMMAND: Final = Meaning("request_rejected", "The server does not know the command")
_WRITES: Final = Meaning(
    "request_rejected", "The command tries to write, which a check must not do"
)

_FIRST_WORDS: Final[Mapping[str, Meaning]] = {
    "NOAUTH": Meaning("auth_invalid", "The server asks for a password"),
    "WRONGPASS": Meaning("auth_invalid", "The server did not accept the user and password"),
    "NOPERM": Meaning("permission_denied", "The user may not run this command, or read this key"),
    # Protected mode: https://redis.io/docs/latest/operate/oss_and_stack/management/security/
    "DENIED": Meaning(
        "address_not_allowed",
        "The server takes connections from its own machine only, because it has no password",
    ),
    **dict.fromkeys(("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"), _UNAVAILABLE),
    **dict.fromkeys(("BUSY", "UNKILLABLE"), Meaning("provider_error", "The server is busy")),
    **dict.fromkeys(("OOM", "MISCONF", "NOREPLICAS"), _SHORT),
    "READONLY": _WRITES,
    "CROSSSLOT": Meaning("request_rejected", "The keys are on several nodes of the cluster"),
    "WRONGTYPE": Meaning("request_rejected", "The key has a value of another type"),
    "ERR": Meaning("unexpected_response", "The server refused"),
}

_WORDS: Final[tuple[tuple[str, Meaning], ...]] = (
    # Redis 5 and before, and Redis Enterprise
    ("invalid password", _WRONG),
    ("invalid username-password", _WRONG),
    ("no password is set", _NO_PASSWORD_SET),
    ("without any password configured", _NO_PASSWORD_SET),
    # Redis 2.4 and before, and some proxies, in the place of NOAUTH
    ("operation not permitted", Meaning("auth_invalid", "The server asks for a password")),
    ("max number of clients", _NO_CONNECTION),
    (
        "db index is out of range",
        Meaning("config_invalid", "The server has no database of this number", "database"),
    ),
    (
        "invalid db index",
        Meaning("config_invalid", "The server has no database of this number", "database"),
    ),
    (
        "select is not allowed in cluster mode",
        Meaning("config_invalid", "A cluster has the database 0 only", "database"),
    ),
    ("unknown command", _UNKNOWN_COMMAND),
    ("unknown subcommand", _UNKNOWN_COMMAND),
    ("wrong number of arguments", _UNKNOWN_COMMAND),
    ("syntax error", _UNKNOWN_COMMAND),
    # https://upstash.com/docs/redis/troubleshooting/
    (
        "max daily request limit",
        Meaning("rate_limited", "The database has used up the requests of this day"),
    ),
    (
        "max requests limit",
        Meaning("payment_required", "The database has used up its requests of this month"),
    ),
    ("max concurrent connections", _NO_CONNECTION),
    ("db capacity quota", Meaning("payment_required", "The database is full")),
    # Proxies that reach no server: Envoy, twemproxy.
    # https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/other_protocols/redis
    ("no upstream host", _UNAVAILABLE),
    ("upstream failure", _UNAVAILABLE),
    ("connection refused", _UNAVAILABLE),
    ("connection timed out", _UNAVAILABLE),
)
"""What the words of an error add to its first one, in lower case: the first found decides."""

_UNKNOWN: Final = _FIRST_WORDS["ERR"]


def meaning_of(word: str, words: str) -> Meaning:
    """What an error means, in our words."""
    by_first = _FIRST_WORDS.get(word, _UNKNOWN)
    if by_first is not _UNKNOWN:
        return by_first
    said = words.lower()
    return next((meaning for some, meaning in _WORDS if some in said), _UNKNOWN)
